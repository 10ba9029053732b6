/** The form in which a run is chosen. Each change is a new run at once. */
import type { JSX } from 'preact';
import { CHOSEN_FAULTS, NETWORKS } from '../../sim/playback/contract.ts';
import type { ChosenAdversary, ChosenFault, Choices } from '../../sim/playback/contract.ts';
import { CHOICE_MAX, liesFor } from '../../sim/playback/choices.ts';
import { PROTOCOLS, protocolNamed } from '../../protocols/catalogue.ts';
import { ADVERSARY_WORDS, FAULTS_MAX, FAULT_WORDS, NETWORK_WORDS, nextFault } from './choice-words.ts';
import { Choice, WholeNumber } from './fields.tsx';

/** Seeds that a person sees are small: they have to be told to others. */
const SEED_MAX = 999_999;

interface FormProps {
  readonly choices: Choices;
  readonly onChoose: (choices: Choices) => void;
}

function replicaOptions(choices: Choices): readonly (readonly [string, string])[] {
  const count = protocolNamed(choices.protocol)?.replicasFor(choices.f) ?? 0;
  return Array.from({ length: count }, (_, id) => [String(id), `replica ${id}`] as const);
}

function FaultRow(props: {
  readonly fault: ChosenFault;
  readonly place: number;
  readonly replicas: readonly (readonly [string, string])[];
  readonly onChange: (fault: ChosenFault | undefined) => void;
}): JSX.Element {
  const { fault, place, replicas, onChange } = props;
  return (
    <fieldset class="fault-row">
      <legend>Fault {place + 1}</legend>
      <Choice
        label="Who"
        value={String(fault.whom)}
        options={[['primary', 'the primary'], ...replicas]}
        onChoose={(whom) => onChange({ ...fault, whom: whom === 'primary' ? whom : Number(whom) })}
      />
      <Choice
        label="What"
        value={fault.what}
        options={CHOSEN_FAULTS.map((what) => [what, FAULT_WORDS[what]] as const)}
        onChoose={(what) => onChange({ ...fault, what })}
      />
      <WholeNumber
        label="At, ms"
        value={fault.atMs}
        low={0}
        high={CHOICE_MAX.timeMs}
        onChoose={(atMs) => onChange({ ...fault, atMs })}
      />
      <WholeNumber
        label="For, ms"
        value={fault.forMs}
        low={1}
        high={CHOICE_MAX.timeMs}
        onChoose={(forMs) => onChange({ ...fault, forMs })}
      />
      <button type="button" class="button small" onClick={() => onChange(undefined)}>
        Remove fault {place + 1}
      </button>
    </fieldset>
  );
}

function Faults({ choices, onChoose }: FormProps): JSX.Element {
  const { faults } = choices;
  const replicas = replicaOptions(choices);
  const change = (place: number, fault: ChosenFault | undefined): void =>
    onChoose({ ...choices, faults: faults.flatMap((old, at) => (at === place ? (fault ?? []) : old)) });
  return (
    <div class="faults">
      {faults.map((fault, place) => (
        <FaultRow
          key={place}
          fault={fault}
          place={place}
          replicas={replicas}
          onChange={(changed) => change(place, changed)}
        />
      ))}
      <button
        type="button"
        class="button"
        disabled={faults.length >= FAULTS_MAX}
        onClick={() => onChoose({ ...choices, faults: [...faults, nextFault(faults)] })}
      >
        Add a fault
      </button>
    </div>
  );
}

function adversaryOf(kind: ChosenAdversary['kind'], lie: string, replica: number): ChosenAdversary {
  return kind === 'none' ? { kind } : kind === 'lie' ? { kind, replica, lie } : { kind, replica };
}

function Adversary({ choices, onChoose }: FormProps): JSX.Element {
  const { adversary } = choices;
  const lies = liesFor(choices.protocol, choices.fidelity);
  const first = lies[0]?.name ?? '';
  const replica = adversary.kind === 'none' ? 0 : adversary.replica;
  const choose = (next: ChosenAdversary): void => onChoose({ ...choices, adversary: next });
  const told = adversary.kind === 'lie' ? lies.find(({ name }) => name === adversary.lie)?.text : undefined;
  return (
    <>
      <Choice
        label="Adversary"
        value={adversary.kind}
        options={(['none', 'lie', 'clone', 'twins'] as const).map(
          (kind) => [kind, ADVERSARY_WORDS[kind]] as const,
        )}
        onChoose={(kind) => choose(adversaryOf(kind, first, replica))}
      />
      {adversary.kind !== 'none' && (
        <Choice
          label="Which replica"
          value={String(replica)}
          options={replicaOptions(choices)}
          onChoose={(id) => choose({ ...adversary, replica: Number(id) })}
        />
      )}
      {adversary.kind === 'lie' && (
        <Choice
          label="What it does"
          value={adversary.lie}
          options={lies.map(({ name }) => [name, name] as const)}
          onChoose={(lie) => choose({ ...adversary, lie })}
        >
          {told !== undefined && <small>{told}</small>}
        </Choice>
      )}
    </>
  );
}

function Cluster({ choices, onChoose }: FormProps): JSX.Element {
  const { protocol, f } = choices;
  const definition = protocolNamed(protocol);
  const replicas = definition?.replicasFor(f) ?? 0;
  return (
    <>
      <Choice
        label="Protocol"
        value={protocol}
        options={PROTOCOLS.map(({ name, title }) => [name, title] as const)}
        onChoose={(name) =>
          // Another protocol may have fewer replicas and other lies.
          onChoose({ ...choices, protocol: name, faults: [], adversary: { kind: 'none' }, fidelity: 'core' })
        }
      />
      <Choice
        label="Faulty replicas that it stands (f)"
        value={String(f)}
        options={(['1', '2', '3'] as const).map((one) => [one, one] as const)}
        onChoose={(one) => onChoose({ ...choices, f: Number(one), faults: [], adversary: { kind: 'none' } })}
      >
        <small>
          That takes {replicas} replicas ({definition?.facts.replicas}). Quorums: {definition?.facts.quorums}.
        </small>
      </Choice>
    </>
  );
}

/** See the top of this file. */
export function ChoicesForm({ choices, onChoose }: FormProps): JSX.Element {
  return (
    <form class="choices" onSubmit={(event) => event.preventDefault()}>
      <Cluster choices={choices} onChoose={onChoose} />
      <Choice
        label="Network"
        value={choices.network}
        options={NETWORKS.map((name) => [name, NETWORK_WORDS[name]] as const)}
        onChoose={(network) => onChoose({ ...choices, network })}
      />
      <div class="pair">
        <WholeNumber
          label="Clients"
          value={choices.clients}
          low={1}
          high={CHOICE_MAX.clients}
          onChoose={(clients) => onChoose({ ...choices, clients })}
        />
        <WholeNumber
          label="Requests of each"
          value={choices.requests}
          low={1}
          high={CHOICE_MAX.requests}
          onChoose={(requests) => onChoose({ ...choices, requests })}
        />
      </div>
      <Adversary choices={choices} onChoose={onChoose} />
      <Faults choices={choices} onChoose={onChoose} />
      <SeedField seed={choices.seed} onChoose={(seed) => onChoose({ ...choices, seed })} />
      {choices.protocol === 'minbft' && (
        <label class="check">
          <input
            type="checkbox"
            checked={choices.fidelity === 'whole'}
            onChange={(event) =>
              onChoose({
                ...choices,
                fidelity: event.currentTarget.checked ? 'whole' : 'core',
                // Lies are others there.
                adversary: { kind: 'none' },
              })
            }
          />
          <span>Replicas as deployed: bytes, disks, and the trusted program as WebAssembly</span>
        </label>
      )}
    </form>
  );
}

/** The number that decides all that is left to chance. */
export function SeedField(props: {
  readonly seed: number;
  readonly onChoose: (seed: number) => void;
}): JSX.Element {
  const { seed, onChoose } = props;
  return (
    <div class="pair">
      <WholeNumber label="Seed" value={seed} low={0} high={SEED_MAX} onChoose={onChoose} />
      <button
        type="button"
        class="button"
        onClick={() => onChoose((seed + 1 + Math.floor(Math.random() * (SEED_MAX - 1))) % (SEED_MAX + 1))}
      >
        New seed
      </button>
    </div>
  );
}
