/** A2M-PBFT-E: the execution log, what clients believe, and a log that lags. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Attestation, Attestor, ObjectAttestation } from '../../core/attestation.ts';
import type { Digest, ReplicaId } from '../../core/types.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import { epochOf, sha256, TestCluster } from '../../smr/attested/cluster.testing.ts';
import type { Sealed } from '../../smr/attested/sealed.ts';
import { SealedCodec } from '../../smr/attested/sealed.ts';
import { historyAfter } from '../../trusted/programs/a2m/answers.ts';
import { A2M_PBFT_E_CLIENT, EXECUTION_WIRE } from './client.ts';
import { a2mPbftE } from './definition.ts';
import type { ExecutionContent } from './messages.ts';
import { EXECUTION_LOG, EXECUTION_MESSAGES } from './messages.ts';

const A = 'a'.repeat(64) as Digest;

/** A cluster whose answers are kept. */
class Stage extends TestCluster<ExecutionContent> {
  readonly refused: string[];
  readonly codec: SealedCodec<ExecutionContent>;

  constructor() {
    const refused: string[] = [];
    super(a2mPbftE, {
      trace: ({ rule, passed }) => {
        if (!passed) refused.push(rule);
      },
    });
    this.refused = refused;
    this.codec = new SealedCodec({ hash: sha256, domain: this.contexts[0]!.domain }, EXECUTION_MESSAGES);
  }

  /** The replica whose log says something else than it was told. */
  corruptHistoryOf: ReplicaId | undefined;

  override vouch(replica: ReplicaId, by: Attestor, digest: Digest): Attestation | undefined {
    const word = super.vouch(replica, by, digest);
    if (word?.kind !== 'object') return word;
    const log = this.machines[replica]!.objects.get(EXECUTION_LOG)!;
    let history = ZERO_DIGEST;
    for (const [slot, entry] of log) history = historyAfter(sha256, slot, entry, history);
    return { ...word, history: this.corruptHistoryOf === replica ? A : history };
  }

  given(replica: ReplicaId) {
    return this.answers.filter((answer) => answer.replica === replica);
  }

  executed(count: number): number {
    return this.histories().filter((history) => history.length >= count).length;
  }

  /** An entry of a replica's execution log, as its component would have made it. */
  entry(
    replica: ReplicaId,
    sequence: number,
    digest: Digest,
    parts: Partial<ObjectAttestation> = {},
  ): Sealed<ExecutionContent> {
    const content = { kind: 'EXECUTED', sequence, digest } as const;
    const encoded = this.codec.encodeContent(replica, content);
    const word: ObjectAttestation = {
      kind: 'object',
      replica,
      tcEpoch: epochOf(replica),
      object: EXECUTION_LOG,
      form: 'log',
      strict: true,
      previous: sequence - 1,
      value: sequence,
      history: historyAfter(sha256, sequence, encoded.digest, ZERO_DIGEST),
      authenticator: new Uint8Array(64),
      ...parts,
    };
    return this.codec.complete(1, replica, content, encoded, word);
  }

  read(replica: ReplicaId, message: Sealed<ExecutionContent>) {
    const { settings, domain, hash } = this.contexts[0]!;
    const context = { settings, domain, hash };
    return A2M_PBFT_E_CLIENT.readProof!(EXECUTION_WIRE.encode(message), replica, context, 'final');
  }
}

/** Replica 3 was cut off while the others executed so many orders. */
function lagging(orders: number): Stage {
  const stage = new Stage();
  stage.passes = (from, to) => from !== 3 && to !== 3;
  for (let count = 0; count < orders; count += 1) {
    stage.submit(`r${count}`, [0, 1, 2]);
    stage.run(20);
  }
  return stage;
}

describe('A2M-PBFT-E', () => {
  it('A2M-PBFT-E.E3.order, A2M-PBFT-E.E4: answers leave with the entry of the log, in order', () => {
    const stage = new Stage();
    for (const name of ['one', 'two', 'three']) stage.submit(name);
    stage.run(100);
    assert.equal(stage.executed(3), 4);
    const logs = stage.machines.map(({ objects }) => objects.get(EXECUTION_LOG)!);
    for (const log of logs) assert.deepEqual([...log.keys()], [1, 2, 3]);
    for (const sequence of [1, 2, 3])
      assert.equal(new Set(logs.map((log) => log.get(sequence))).size, 1, 'equal entries everywhere');
    for (const id of [0, 1, 2, 3]) {
      const answers = stage.given(id);
      assert.deepEqual(
        answers.map(({ sequence, standing }) => [sequence, standing]),
        [1, 2, 3].map((sequence) => [sequence, 'final']),
      );
      const { settings, domain, hash } = stage.contexts[0]!;
      const read = A2M_PBFT_E_CLIENT.readProof!(answers[2]!.proof, id, { settings, domain, hash }, 'final');
      assert.ok(read!.key.startsWith('3/'));
      assert.equal(read!.seals.length, 1);
    }
  });

  it('a client reads nothing else than an entry at its own place, without a gap', () => {
    const stage = new Stage();
    assert.ok(stage.read(1, stage.entry(1, 1, A)) !== undefined);
    assert.equal(stage.read(2, stage.entry(1, 1, A)), undefined, 'the word of somebody else');
    const wrong: Partial<ObjectAttestation>[] = [
      { object: '0201000000000001' },
      { form: 'counter' },
      { value: 2 },
      { previous: 0, value: 2 },
    ];
    for (const parts of wrong) assert.equal(stage.read(1, stage.entry(1, 1, A, parts)), undefined);
    assert.equal(stage.read(1, stage.entry(1, 3, A, { previous: 1 })), undefined, 'a gap');
    const { strict: _, ...jumping } = stage.entry(1, 1, A).attestation as ObjectAttestation;
    const entry = { ...stage.entry(1, 1, A), attestation: jumping };
    assert.equal(stage.read(1, entry), undefined, 'a log that may jump commits to nothing before');
  });

  it('two histories never count together, whoever tells them', () => {
    const stage = new Stage();
    const one = stage.read(1, stage.entry(1, 1, A))!;
    const other = stage.read(2, stage.entry(2, 1, A, { history: 'c'.repeat(64) as Digest }))!;
    assert.notEqual(one.key, other.key);
    assert.equal(A2M_PBFT_E_CLIENT.needed('final', 4, 1), 3);
    assert.equal(A2M_PBFT_E_CLIENT.needed('speculative', 4, 1), undefined);
  });

  it('A2M-PBFT-E.E3.history: a log that says another history stops its replica', () => {
    const stage = new Stage();
    stage.corruptHistoryOf = 1;
    stage.submit('one');
    stage.run(100);
    assert.match(stage.machines[1]!.halted ?? '', /another history/);
    assert.ok(stage.refused.includes('A2M-PBFT-E.E3.history'));
    assert.equal(stage.machines[0]!.halted, undefined);
  });

  it('A2M-PBFT-E.CKPT: a boundary without a known history is not spoken for', () => {
    const stage = new Stage();
    const forged = stage.codec;
    const checkpoint = { kind: 'CHECKPOINT', sequence: 4, stateDigest: A, history: A } as const;
    const encoded = forged.encodeContent(2, checkpoint);
    const other = forged.encodeContent(2, { ...checkpoint, history: ZERO_DIGEST });
    assert.notEqual(encoded.digest, other.digest, 'CHECKPOINTs name the history');
    stage.passes = (from, to) => from !== 3 && to !== 3;
    for (let count = 0; count < 16; count += 1) {
      stage.submit(`r${count}`, [0, 1, 2]);
      stage.run(20);
    }
    stage.passes = (_from, _to, message) => message.kind !== 'HISTORY';
    stage.run(3_000);
    assert.equal(stage.executed(16), 4);
    assert.ok(stage.refused.includes('A2M-PBFT-E.E3.order'));
    assert.equal(stage.machines[3]!.objects.get(EXECUTION_LOG)?.size ?? 0, 0, 'nothing uncertain is logged');
  });

  it('A2M-PBFT-E.CKPT: equal states after different histories certify nothing', () => {
    const stage = new Stage();
    stage.passes = () => false;
    const say = (author: ReplicaId, history: Digest): void => {
      const content = { kind: 'CHECKPOINT', sequence: 4, stateDigest: A, history } as const;
      const encoded = stage.codec.encodeContent(author, content);
      const word = { kind: 'host', replica: author, signature: new Uint8Array(64) } as const;
      stage.deliver(author, 3, stage.codec.complete(900 + author, author, content, encoded, word));
    };
    for (const [author, history] of [A, A, ZERO_DIGEST].entries()) say(author, history);
    stage.run(3_000);
    assert.equal(stage.machines[3]!.notes.includes('transfer'), false);
  });

  it('A2M-PBFT-E.HIST: a log that lags is filled with what a quorum certified, never with what one says', () => {
    const stage = lagging(16);
    stage.passes = (_from, _to, message) => message.kind !== 'HISTORY';
    stage.run(3_000);
    const lie: ExecutionContent = { kind: 'HISTORY', first: 1, digests: new Array<Digest>(16).fill(A) };
    const encoded = stage.codec.encodeContent(0, lie);
    stage.deliver(0, 3, stage.codec.complete(0, 0, lie, encoded, { kind: 'link', replica: 0 }));
    assert.ok(stage.refused.includes('A2M-PBFT-E.HIST'));
    assert.equal(stage.machines[3]!.objects.get(EXECUTION_LOG)?.size ?? 0, 0);
    stage.passes = () => true;
    stage.run(3_000);
    assert.equal(stage.machines[3]!.objects.get(EXECUTION_LOG)!.size, 16);
    assert.deepEqual(
      [...stage.machines[3]!.objects.get(EXECUTION_LOG)!.values()],
      [...stage.machines[0]!.objects.get(EXECUTION_LOG)!.values()],
    );
  });

  it('says that its log lags, for how long, and who could fill it', () => {
    const stage = lagging(16);
    const lackOf = (id: ReplicaId) => stage.machines[id]!.replica.inspect(stage.now).lack;
    stage.passes = (_from, _to, message) => message.kind !== 'HISTORY';
    stage.run(3_000);
    const { forMs, ...lack } = lackOf(3)!;
    assert.deepEqual(lack, { what: 'HISTORY', sequence: 1, needs: 1, has: [], lacks: [0, 1, 2] });
    assert.ok(forMs > 1_000 && forMs <= 3_000, `${forMs}`);
    stage.passes = () => true;
    stage.run(3_000);
    for (const id of [0, 1, 2, 3]) assert.equal(lackOf(id), undefined);
  });

  it('what a peer tells of a log that lags far may come in pieces', () => {
    const stage = lagging(16);
    stage.passes = (_from, _to, message) => message.kind !== 'HISTORY';
    stage.run(3_000);
    const digests = stage.machines[0]!.history;
    const tell = (from: ReplicaId, first: number, told: readonly Digest[]): void => {
      const piece: ExecutionContent = { kind: 'HISTORY', first, digests: told };
      const word = { kind: 'link', replica: from } as const;
      stage.deliver(
        from,
        3,
        stage.codec.complete(0, from, piece, stage.codec.encodeContent(from, piece), word),
      );
    };
    const { objects } = stage.machines[3]!;
    // What one tells in vain is not added to what another one tells.
    tell(1, 1, new Array<Digest>(4).fill(A));
    for (const first of [1, 5, 9]) tell(0, first, digests.slice(first - 1, first + 3));
    assert.equal(objects.get(EXECUTION_LOG)?.size ?? 0, 0);
    tell(1, 5, digests.slice(4));
    assert.ok(stage.refused.includes('A2M-PBFT-E.HIST'));
    tell(0, 13, digests.slice(12));
    stage.run(0);
    assert.equal(objects.get(EXECUTION_LOG)!.size, 16);
  });

  it('a log that lags is filled by peers that were all restarted', () => {
    const stage = lagging(16);
    for (const id of [0, 1, 2]) {
      const machine = stage.machines[id]!;
      // What own entries said is forgotten some time after a checkpoint covers it.
      machine.drafts = machine.drafts.slice(-1);
      stage.restart(id);
    }
    stage.passes = () => true;
    stage.run(6_000);
    assert.equal(stage.machines[3]!.objects.get(EXECUTION_LOG)!.size, 16);
    const keys = [...stage.machines[3]!.stored.keys()].filter((key) => key.startsWith('digests/'));
    assert.ok(keys.length > 0, 'it can help others now');
  });

  it('A2M-PBFT-E.E4: a client that asks again gets the proof again, also after restarts', () => {
    const stage = new Stage();
    const bundle = stage.submit('one');
    stage.run(100);
    for (const id of [0, 1, 2, 3]) stage.restart(id);
    stage.run(10);
    const before = stage.given(2).length;
    stage.input(2, { kind: 'asked', sequence: 1, bundle: bundle as never });
    const answer = stage.given(2).at(-1)!;
    assert.equal(stage.given(2).length, before + 1);
    const { settings, domain, hash } = stage.contexts[0]!;
    assert.ok(
      A2M_PBFT_E_CLIENT.readProof!(answer.proof, 2, { settings, domain, hash }, 'final') !== undefined,
    );
    stage.input(2, { kind: 'asked', sequence: 7, bundle: bundle as never });
    assert.ok(stage.refused.includes('A2M-PBFT-E.E4'));
  });
});
