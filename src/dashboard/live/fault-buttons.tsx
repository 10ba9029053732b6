/** Buttons that make faults at one replica. */
import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { buttonsOf } from './faults.ts';
import type { FaultButton, FaultMenu, ProcessFacts } from './faults.ts';

/** A fault to be made. */
export interface FaultOrder {
  readonly action: string;
  readonly replica: number;
  /** For `byzantine`. */
  readonly behaviour?: string;
}

interface Props {
  readonly menu: FaultMenu;
  readonly replica: number;
  readonly process: ProcessFacts | undefined;
  readonly hasComponent: boolean;
  /** Another fault is being made. */
  readonly isBusy: boolean;
  readonly onOrder: (order: FaultOrder) => void;
}

/** Choice of a lie, and the way back. */
function LieChoice({ menu, replica, process, isBusy, onOrder }: Props): JSX.Element {
  const lies = menu.behaviours.filter(({ name }) => name !== 'none');
  const [chosen, setChosen] = useState(lies[0]?.name ?? '');
  const text = lies.find(({ name }) => name === chosen)?.text;
  const isLying = process?.behaviour !== undefined && process.behaviour !== 'none';
  const tell = (behaviour: string): void => onOrder({ action: 'byzantine', replica, behaviour });
  return (
    <div class="lie">
      <select
        aria-label={`How replica ${replica} lies`}
        title={text}
        value={chosen}
        onChange={(event) => setChosen(event.currentTarget.value)}
      >
        {lies.map(({ name, text: what }) => (
          <option key={name} value={name} title={what}>
            {name}
          </option>
        ))}
      </select>
      <button type="button" class="button" disabled={isBusy} onClick={() => tell(chosen)}>
        Make it lie
      </button>
      <button type="button" class="button" disabled={isBusy || !isLying} onClick={() => tell('none')}>
        Correct again
      </button>
    </div>
  );
}

/** See the top of this file. */
export function FaultButtons(props: Props): JSX.Element {
  const { menu, replica, process, hasComponent, isBusy, onOrder } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  const [asked, setAsked] = useState<FaultButton>();
  const press = (button: FaultButton): void => {
    if (button.question === undefined) return onOrder({ action: button.action, replica });
    setAsked(button);
    dialog.current?.showModal();
  };
  return (
    <div class="faults">
      <div class="fault-row" role="group" aria-label={`Faults of replica ${replica}`}>
        {buttonsOf(menu, process, hasComponent).map((button) => (
          <button
            key={button.place}
            type="button"
            class={button.question === undefined ? 'button' : 'button danger'}
            title={button.title}
            disabled={isBusy || !button.isEnabled}
            data-fault={button.action}
            onClick={() => press(button)}
          >
            {button.label}
          </button>
        ))}
      </div>
      {menu.actions.includes('byzantine') && menu.behaviours.length > 0 && <LieChoice {...props} />}
      <dialog ref={dialog} aria-label={`${asked?.label ?? ''} replica ${replica}`}>
        <h3>
          {asked?.label} replica {replica}?
        </h3>
        <p>{asked?.question}</p>
        <form method="dialog" class="row">
          <button
            class="button danger"
            onClick={() => asked !== undefined && onOrder({ action: asked.action, replica })}
          >
            {asked?.label} it
          </button>
          <button class="button">Leave it</button>
        </form>
      </dialog>
    </div>
  );
}
