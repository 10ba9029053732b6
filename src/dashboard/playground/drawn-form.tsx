/** A run of which everything is drawn from a seed, as the conformance suite draws it. */
import type { JSX } from 'preact';
import { PROTOCOLS } from '../../protocols/catalogue.ts';
import type { DrawnSchedule } from '../../sim/playback/contract.ts';
import { SeedField } from './choices-form.tsx';
import { Choice } from './fields.tsx';

/** See the top of this file. */
export function DrawnForm(props: {
  readonly schedule: DrawnSchedule;
  readonly onChoose: (schedule: DrawnSchedule) => void;
}): JSX.Element {
  const { schedule, onChoose } = props;
  const { protocol, seed, f } = schedule;
  const sized = (size: string): DrawnSchedule => {
    const { f: _, ...rest } = schedule;
    return size === 'any' ? rest : { ...rest, f: Number(size) };
  };
  return (
    <form class="choices" onSubmit={(event) => event.preventDefault()}>
      <p class="muted">
        The seed draws network, faults, liars and load, as in the tests of all protocols. The same on the
        command line:{' '}
        <code>
          moiety sim run --protocol {protocol} --seed {seed}
          {f === undefined ? '' : ` --f ${f}`}
        </code>
      </p>
      <Choice
        label="Protocol"
        value={protocol}
        options={PROTOCOLS.map(({ name, title }) => [name, title] as const)}
        onChoose={(name) => onChoose({ ...schedule, protocol: name })}
      />
      <Choice
        label="Faulty replicas that it stands (f)"
        value={f === undefined ? 'any' : String(f)}
        options={[
          ['any', 'the seed decides'],
          ['1', '1'],
          ['2', '2'],
          ['3', '3'],
        ]}
        onChoose={(size) => onChoose(sized(size))}
      />
      <SeedField seed={seed} onChoose={(next) => onChoose({ ...schedule, seed: next })} />
    </form>
  );
}
