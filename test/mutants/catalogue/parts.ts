/** M26 to M40: trusted component, checkpoints, state transfer, storage, timers, configuration. */
import { FILE, inFile } from './mutant.ts';
import type { Mutant, Patch } from './mutant.ts';

const executor = 'src/ledger/executor.ts';
const program = 'src/trusted/programs/usig/program.ts';

const CHUNKS_UNCHECKED: readonly Patch[] = inFile(FILE.transfer, [
  `      if (!verifyChunk(this.#options.context.hash, index, bytes, digest))
        return this.#distrust(target, from, 'wrongChunk');`,
  ``,
]);

const INSTALLED_UNCHECKED: readonly Patch[] = inFile(
  executor,
  [`if (!this.#freezer.covers(checkpoint.stateDigest, chunk)) return false;`, ``],
  [`if (frozen.stateDigest !== checkpoint.stateDigest) return false;`, ``],
);

const OLDER_STATE: readonly Patch[] = inFile(
  FILE.transfer,
  [`if (checkpoint.sequence <= executor.executed || sources.length === 0) {`, `if (sources.length === 0) {`],
  [`if (target.checkpoint.sequence <= executor.executed) {`, `if (target.checkpoint.sequence < 0) {`],
);

/** See the top of this file. */
export const PARTS: readonly Mutant[] = [
  {
    id: 'M26',
    name: 'certificate before record',
    removes: 'the trusted component makes its record durable before it answers: it does so with the next one',
    rules: ['W2', 'MinBFT.TC'],
    patches: inFile(
      program,
      [
        `  #counter: CounterValue = 0;`,
        `  #counter: CounterValue = 0;
  #late: UsigRecord | undefined;`,
      ],
      [
        `if (!this.#environment.persist(encodeUsigRecord(record)))`,
        `const due = this.#late?.tcEpoch === record.tcEpoch ? this.#late : undefined;
    this.#late = record;
    if (due !== undefined && !this.#environment.persist(encodeUsigRecord(due)))`,
      ],
    ),
    judges: ['start', 'accusation', 'agreement', 'tc'],
    drawn: 'whole',
    theme: 'power',
    history: 'component-restart',
    expected: 'killed',
  },
  {
    id: 'M27',
    name: 'f checkpoints',
    removes: 'f+1 equal CHECKPOINTs make a checkpoint stable: f do',
    rules: ['MinBFT.V2'],
    patches: [
      ...inFile(FILE.viewChange, [
        `if (first === undefined || checkpoints.length <= context.f)`,
        `if (first === undefined || checkpoints.length < context.f)`,
      ]),
      ...inFile('src/smr/checkpoint-keeper.ts', [
        `if (group.length < this.#quorum) continue;`,
        `if (group.length < this.#quorum - 1) continue;`,
      ]),
    ],
    judges: ['checkpoint', 'agreement', 'accusation', 'liveness'],
    drawn: 'core',
    expected: 'killed',
  },
  {
    id: 'M28',
    name: 'digest without client table',
    removes: 'the digest of a checkpoint covers the client table',
    rules: ['D3'],
    patches: inFile('src/ledger/state-tree.ts', [
      `  const { bytes, view } = chunk.length <=`,
      `  if (index >= 3 && index < 3 + 256) chunk = new Uint8Array(0);
  const { bytes, view } = chunk.length <=`,
    ]),
    judges: ['agreement', 'exactly-once', 'reply', 'start'],
    drawn: 'whole',
    history: 'stale-table',
    expected: 'killed',
  },
  {
    id: 'M29',
    name: 'transferred state unchecked',
    removes: 'state that was fetched is compared with the certified digest, piece by piece and as a whole',
    rules: ['D6', 'MinBFT.CKPT.1'],
    patches: [...CHUNKS_UNCHECKED, ...INSTALLED_UNCHECKED],
    judges: ['checkpoint', 'agreement', 'crash'],
    drawn: 'whole',
    history: 'wrong-chunks',
    expected: 'killed',
  },
  {
    id: 'M30',
    name: 'older state installed',
    removes: 'no state at or below what was executed is installed, and nothing is executed during a transfer',
    rules: ['D6'],
    patches: [
      ...OLDER_STATE,
      ...inFile(FILE.execution, [
        `if (s.executing !== undefined || s.transferring !== undefined) return false;`,
        `if (s.executing !== undefined) return false;`,
      ]),
    ],
    judges: ['liveness', 'agreement', 'monotonic'],
    drawn: 'whole',
    theme: 'transfers',
    history: 'overtaken-transfer',
    expected: 'killed',
  },
  {
    id: 'M30/alone',
    name: 'older state installed alone',
    removes: 'no state at or below what was executed is installed',
    rules: ['D6'],
    patches: OLDER_STATE,
    judges: [],
    drawn: 'whole',
    history: 'overtaken-transfer',
    expected: 'masked',
    control: 'M30',
    remark:
      'a replica executes nothing while a transfer is under way and never starts one for an order that it has ' +
      'executed, so no state that arrives can be older',
  },
  {
    id: 'M31',
    name: 'seal before sync',
    removes: 'content and intent are durable before the trusted component is asked',
    rules: ['W1', 'W3'],
    patches: inFile('src/host/journal-desk.ts', [
      `    this.#journal.sync(this.#expect(then));`,
      `    this.#journal.sync(this.#expect(() => undefined));
    then();`,
    ]),
    judges: ['start'],
    drawn: 'whole',
    history: 'cut-before-sync',
    expected: 'killed',
  },
  {
    id: 'M32',
    name: 'damage taken for data',
    removes: 'a stored snapshot is compared with the digest that it was stored under before it is used',
    rules: ['MinBFT.W6', 'D6'],
    patches: INSTALLED_UNCHECKED,
    judges: ['checkpoint', 'agreement', 'reply'],
    drawn: 'whole',
    history: 'rotten-snapshot',
    expected: 'killed',
    remark:
      'restated: a journal that is cut at a bad record is harmless here, because the counter of the trusted component ' +
      'then stands above the log and the replica asks to be re-admitted (W6); what is left is damage that is used',
  },
  {
    id: 'M33',
    name: 'no back-off',
    removes: 'the new-view timer waits twice as long after each view that failed',
    rules: ['E8'],
    patches: inFile('src/smr/backoff.ts', [
      `this.#exponent = Math.min(EXPONENT_MAX, this.#exponent + 1);`,
      ``,
    ]),
    judges: ['liveness'],
    drawn: 'core',
    history: 'slow-network',
    expected: 'killed',
  },
  {
    id: 'M34',
    name: 'fast read of f+1',
    removes: 'a read that was not ordered needs equal answers of all replicas: f+1 do',
    rules: ['C6'],
    patches: inFile('src/client/fast-read.ts', [
      `return this.#answers.size < this.#replicas ?`,
      `return 2 * this.#answers.size <= this.#replicas ?`,
    ]),
    judges: ['linearizability'],
    drawn: undefined,
    theme: 'clients',
    history: 'stale-read',
    expected: 'killed',
    remark:
      'fast reads are of the client of the product, which is not in the simulator; its part is played alone',
  },
  {
    id: 'M35',
    name: 'bundle without cluster',
    removes: 'what a client signs names the cluster that it is for',
    rules: ['B6'],
    patches: inFile('src/core/request.ts', [
      `return domainWriter(domainTag('client', 'BUNDLE'), domain);`,
      `const nowhere = { clusterId: '00'.repeat(32) as Digest, configurationVersion: 0 };
  return domainWriter(domainTag('client', 'BUNDLE'), nowhere);`,
    ]),
    judges: ['validity'],
    drawn: 'whole',
    theme: 'other-cluster',
    history: 'other-cluster',
    expected: 'killed',
  },
  {
    id: 'M36',
    name: 'registry of another order',
    removes: 'who counts for a base is judged by the registry at its end: by that of the last executed order',
    rules: ['MinBFT.EXEC.6'],
    patches: inFile(FILE.execution, [
      `(voter) => currentEntry(registry, voter.replica).incarnation === voter.incarnation,`,
      `(voter) => currentEntry(s.registry, voter.replica).incarnation === voter.incarnation,`,
    ]),
    judges: ['agreement'],
    drawn: 'core',
    history: 'base-with-recover',
    expected: 'killed',
    remark:
      'membership cannot change yet; the registry of incarnations is what changes from order to order, and this takes ' +
      'it from the wrong one',
  },
  {
    id: 'M37',
    name: 'log cut at any own checkpoint',
    removes: 'the own log is cut by the stable checkpoint: by any own CHECKPOINT that others vouch for',
    rules: ['MinBFT.R1'],
    patches: inFile(FILE.anchors, [
      `if (anchor.sequence > stable - (context.pipelineFactor - 1) * context.checkpointInterval)`,
      `if (anchor.sequence < 0)`,
    ]),
    judges: ['agreement'],
    drawn: 'core',
    theme: 'pipeline',
    history: 'pipelined-cut',
    expected: 'killed',
  },
  {
    id: 'M38',
    name: 'buffer without bound',
    removes: 'the buffer of messages that wait for their turn is bounded',
    rules: ['B7'],
    patches: inFile('src/smr/stream-buffer.ts', [
      `while (this.#isOverfull()) this.delete(this.#highest);`,
      `this.#isOverfull();`,
    ]),
    judges: ['bounds'],
    drawn: undefined,
    theme: 'flood',
    history: 'far-ahead',
    expected: 'killed',
  },
  {
    id: 'M39',
    name: 'forgets that it left',
    removes: 'a replica that had asked for another view still does after a restart',
    rules: ['MinBFT.W6'],
    patches: inFile('src/smr/usig-replica/recovery.ts', [
      `    acceptItem(s, s.self, slot, item);
  }
  s.target = slot.state.view;`,
      `    acceptItem(s, s.self, slot, item);
  }
  const { newView } = slot.state;
  if (newView.view >= 0) slot.state = { ...slot.state, mode: 'active', view: newView.view };
  s.target = slot.state.view;`,
    ]),
    judges: ['accusation', 'agreement'],
    drawn: 'whole',
    history: 'restart-while-changing',
    expected: 'killed',
  },
  {
    id: 'M40',
    name: 'one field unchecked',
    removes: 'the order that a NEW-VIEW starts from is the one that follows from its VIEW-CHANGEs',
    rules: ['MinBFT.N2'],
    patches: inFile(FILE.viewChange, [`header.low === computed.low &&`, ``]),
    judges: ['agreement', 'liveness', 'accusation'],
    drawn: 'core',
    history: 'shifted-base',
    expected: 'killed',
  },
];
