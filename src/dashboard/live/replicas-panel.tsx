/** Cards of the replicas, with the faults that can be made. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { agreementOf, lastAgreementOf } from './agreement.ts';
import { cardOf } from './cards.ts';
import { useCluster, useShared } from './context.tsx';
import { doneWords, makeFault } from './faults.ts';
import type { FaultMenu } from './faults.ts';
import type { FaultMenuState } from './use-fault-menu.tsx';
import { FaultButtons } from './fault-buttons.tsx';
import type { FaultOrder } from './fault-buttons.tsx';
import { ReplicaCard } from './replica-card.tsx';

/** Makes faults one after the other, and says what came of the last. */
function useFaults(refresh: () => void): {
  readonly said: string;
  readonly isBusy: boolean;
  readonly order: (order: FaultOrder) => void;
} {
  const { client, store, tokens } = useShared();
  const [said, setSaid] = useState('');
  const [isBusy, setBusy] = useState(false);
  const perform = async (order: FaultOrder, token: string): Promise<void> => {
    setBusy(true);
    const words = doneWords(order.action, order.replica, order.behaviour);
    setSaid(`Under way: ${words} …`);
    store.note(words);
    const answer = await makeFault(client, token, order);
    setSaid(answer.ok ? `Done: ${words}.` : answer.sentence);
    setBusy(false);
    refresh();
  };
  return {
    said,
    isBusy,
    order: (order) => {
      if (tokens.fault !== undefined) void perform(order, tokens.fault);
    },
  };
}

function Cards(props: {
  readonly menu: FaultMenu | undefined;
  readonly isBusy: boolean;
  readonly order: (order: FaultOrder) => void;
}): JSX.Element {
  const { menu, isBusy, order } = props;
  const { status, sayings } = useCluster();
  if (status === undefined) return <p class="muted">Waiting for the first word of the cluster …</p>;
  return (
    <div class="cards">
      {status.replicas.map((replica) => {
        const process = menu?.processes.find((one) => one.replica === replica.id);
        const agreement = replica.isReachable
          ? agreementOf(sayings, replica.id)
          : lastAgreementOf(sayings, replica.id);
        const card = cardOf(status, replica, agreement, process);
        return (
          <ReplicaCard key={replica.id} card={card}>
            {menu !== undefined && (
              <FaultButtons
                menu={menu}
                replica={replica.id}
                process={process}
                hasComponent={replica.component !== undefined && replica.component.program !== 'none'}
                isBusy={isBusy}
                onOrder={order}
              />
            )}
          </ReplicaCard>
        );
      })}
    </div>
  );
}

/** See the top of this file. */
export function ReplicasPanel({ menu, problem, refresh }: FaultMenuState): JSX.Element {
  const { said, isBusy, order } = useFaults(refresh);
  return (
    <section aria-labelledby="replicas">
      <div class="section-head">
        <h2 id="replicas">Replicas</h2>
        <p class="muted" role="status">
          {said !== '' ? said : (problem ?? '')}
        </p>
      </div>
      <Cards menu={menu} isBusy={isBusy} order={order} />
    </section>
  );
}
