/** What clients count together, and what travels. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Digest } from '../../core/types.ts';
import { sha256 } from '../../smr/attested/cluster.testing.ts';
import type { Proof } from '../../smr/attested/sealed.ts';
import { isOf } from '../../smr/attested/sealed.ts';
import { ZYZZYVA_CLIENT } from './client.ts';
import { zyzzyva } from './definition.ts';
import type { Core, Message, ZyzzyvaContent } from './messages.ts';
import { encodeCommitProof, encodeSpecProof } from './messages.ts';
import { ZYZZYVA_RULES } from './rules.ts';
import { Scene } from './scene.testing.ts';

const scene = new Scene();
const { settings, domain } = scene.cluster.contexts[0]!;
const context = { settings, domain, hash: sha256 };
const digest = (letter: string): Digest => letter.repeat(64) as Digest;
const core: Core = {
  view: 3,
  base: { length: 2, history: digest('a') },
  sequence: 5,
  history: digest('b'),
};
const signed = (author: number, about: Core): Message =>
  scene.word(author, { kind: 'SPEC-RESPONSE', ...about });
const proofOf = (message: Message): Uint8Array => {
  assert.ok(isOf(message, 'SPEC-RESPONSE'));
  return encodeSpecProof(message);
};
const read = ZYZZYVA_CLIENT.readProof!;

describe('Zyzzyva, clients', () => {
  it('Zyzzyva.CLI.2, Zyzzyva.CLI.3, Zyzzyva.CLI.6: need 3f+1 speculative, 2f+1 committed, f+1 final answers; 2f+1 make a certificate', () => {
    for (const f of [1, 2, 3]) {
      const n = zyzzyva.replicasFor(f);
      assert.equal(n, 3 * f + 1);
      assert.equal(ZYZZYVA_CLIENT.needed('speculative', n, f), 3 * f + 1);
      assert.equal(ZYZZYVA_CLIENT.needed('committed', n, f), 2 * f + 1);
      assert.equal(ZYZZYVA_CLIENT.needed('final', n, f), f + 1);
      assert.equal(ZYZZYVA_CLIENT.certificate!.needed(n, f), 2 * f + 1);
    }
  });

  it('never count answers of different views, bases, places or histories together', () => {
    const others: Core[] = [
      { ...core, view: 4 },
      { ...core, base: { length: 1, history: digest('a') } },
      { ...core, base: { length: 2, history: digest('c') } },
      { ...core, sequence: 6 },
      { ...core, history: digest('c') },
    ];
    const keys = new Set<string>();
    for (const one of [core, ...others]) {
      const speculative = read(proofOf(signed(1, one)), 1, context, 'speculative')!;
      assert.equal(read(proofOf(signed(2, one)), 2, context, 'speculative')!.key, speculative.key);
      const committed = read(encodeCommitProof(one), 1, context, 'committed')!;
      keys.add(`speculative ${speculative.key}`).add(`committed ${committed.key}`);
    }
    assert.equal(keys.size, 2 * (1 + others.length));
  });

  it('take the core only from the replica that signed it, and every proof only for its standing', () => {
    const proof = proofOf(signed(1, core));
    const { seals } = read(proof, 1, context, 'speculative')!;
    assert.deepEqual(
      seals.map((seal) => [seal.kind, 'replica' in seal ? seal.replica : undefined]),
      [['host', 1]],
    );
    assert.equal(read(proof, 2, context, 'speculative'), undefined);
    assert.equal(read(proof, 1, context, 'committed'), undefined);
    assert.equal(read(encodeCommitProof(core), 1, context, 'speculative'), undefined);
    assert.equal(read(proof, 1, context, 'final'), undefined);
    assert.deepEqual(read(new Uint8Array(0), 1, context, 'final'), { key: '', seals: [] });
    assert.equal(read(new Uint8Array(0), 1, context, 'speculative'), undefined);
    for (let length = 0; length < proof.length; length += 1)
      assert.equal(read(proof.slice(0, length), 1, context, 'speculative'), undefined);
    const unsigned = { ...signed(1, core), attestation: { kind: 'link', replica: 1 } } as Message;
    assert.equal(read(proofOf(unsigned), 1, context, 'speculative'), undefined);
  });

  it('make a message of proofs that every replica reads as the signed cores', () => {
    const messages = [0, 1, 2].map((author) => signed(author, core));
    const proofs = messages.map((message, replica) => ({ replica, proof: proofOf(message) }));
    const damaged = { replica: 3, proof: new Uint8Array([9]) };
    const bytes = ZYZZYVA_CLIENT.certificate!.make([...proofs, damaged]);
    const decoded = zyzzyva.decode(bytes, context) as Proof<ZyzzyvaContent>;
    assert.deepEqual(
      decoded.messages.map((message) => message.digest),
      messages.map((message) => message.digest),
    );
    assert.equal(zyzzyva.seals(decoded).length, 3);
  });
});

describe('Zyzzyva, messages', () => {
  const position = { length: 4, history: digest('d') };
  const history = digest('e');
  const contents: ZyzzyvaContent[] = [
    { kind: 'ORDER-REQ', view: 1, sequence: 2, history, digest: digest('f') },
    { kind: 'SPEC-RESPONSE', ...core },
    { kind: 'LOCAL-COMMIT', ...core },
    { kind: 'FILL-HOLE', view: 1, after: position },
    { kind: 'POM', view: 1, proof: [signed(1, core), signed(2, core)] },
    { kind: 'I-HATE-THE-PRIMARY', view: 7 },
    scene.viewChange(2, 3, { certificate: [signed(1, core)] }).content,
    { kind: 'NEW-VIEW', view: 3, viewChanges: [scene.viewChange(2, 3)], base: position },
    { kind: 'VIEW-CONFIRM', view: 3, base: position },
    { kind: 'CHECKPOINT', view: 3, sequence: 8, history, stateDigest: digest('0') },
  ];

  it('come back from their bytes; anything else is refused', () => {
    for (const content of contents) {
      const message = scene.word(1, content);
      const bytes = zyzzyva.encode(message);
      assert.deepEqual(zyzzyva.decode(bytes, context), message, content.kind);
      for (const length of [1, bytes.length >> 1, bytes.length - 1])
        assert.equal(zyzzyva.decode(bytes.slice(0, length), context), undefined);
      assert.equal(zyzzyva.decode(new Uint8Array([...bytes, 0]), context), undefined);
    }
  });

  it('of two kinds with equal fields have different digests', () => {
    const same = { view: 3, base: position };
    const other = { view: 3, after: position };
    const one = scene.word(1, { kind: 'VIEW-CONFIRM', ...same });
    assert.notEqual(one.digest, scene.word(1, { kind: 'FILL-HOLE', ...other }).digest);
    const spec = scene.word(1, { kind: 'SPEC-RESPONSE', ...core });
    assert.notEqual(spec.digest, scene.word(1, { kind: 'LOCAL-COMMIT', ...core }).digest);
  });

  it('have all their seals checked, also those that they quote', () => {
    const newView = scene.word(1, {
      kind: 'NEW-VIEW',
      view: 3,
      viewChanges: [scene.viewChange(2, 3, { certificate: [signed(1, core)] })],
      base: position,
    });
    // NEW-VIEW, VIEW-CHANGE, its certificate, two suspicions.
    assert.equal(zyzzyva.seals(newView).length, 5);
  });

  it('nest only so deep', () => {
    let message: Message = scene.word(1, { kind: 'POM', view: 1, proof: [] });
    for (let depth = 0; depth < 20; depth += 1)
      message = scene.word(1, { kind: 'POM', view: 1, proof: [message] });
    assert.equal(zyzzyva.decode(zyzzyva.encode(message), context), undefined);
  });

  it('rules have one id each', () => {
    assert.equal(new Set(ZYZZYVA_RULES.map(({ id }) => id)).size, ZYZZYVA_RULES.length);
  });
});
