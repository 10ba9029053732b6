/** A liar's own words beside those of the replica inside: the host counts one row of messages, the replica another. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Attestation, AttestedDraft, Attestor } from '../../core/attestation.ts';
import type { Effect, Recovery } from '../../core/protocol.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import { modelHash } from '../../crypto/fast-model.ts';
import { PBFT_MESSAGES } from '../../protocols/pbft/messages.ts';
import type { Content, SealedCodecOptions } from '../../smr/attested/sealed.ts';
import { SealedCodec } from '../../smr/attested/sealed.ts';
import { OwnWords } from './own-words.ts';

const HOST: Attestor = { kind: 'host' };
const WORD: Attestation = { kind: 'host', replica: 1, signature: new Uint8Array(64) };
const DOMAIN = { clusterId: ZERO_DIGEST, configurationVersion: 0 };
const CONTENT = { kind: 'CHECKPOINT', sequence: 2, stateDigest: ZERO_DIGEST } as Content;

function words(): OwnWords {
  const options = PBFT_MESSAGES as unknown as SealedCodecOptions<Content>;
  return new OwnWords(1, new SealedCodec({ hash: modelHash, domain: DOMAIN }, options));
}

function wish(id: number): Extract<Effect<never>, { kind: 'attest' }> {
  return { kind: 'attest', id, digest: ZERO_DIGEST, draft: new Uint8Array(1), by: HOST };
}

it('gives every message the next number of the host, and each answer to whom it belongs', () => {
  const own = words();
  assert.equal(own.pass(wish(1)).id, 1);
  const [store, attest] = own.say(CONTENT, HOST, [0, 2]);
  assert.ok(store?.kind === 'store' && attest?.kind === 'attest' && attest.id === 2);
  assert.equal(own.pass(wish(2)).id, 3);
  assert.deepEqual(own.hear({ kind: 'attested', id: 1, attestation: WORD }), {
    kind: 'attested',
    id: 1,
    attestation: WORD,
  });
  const told = own.hear({ kind: 'attested', id: 2, attestation: WORD });
  assert.ok(told !== undefined && 'to' in told && told.message.digest === attest.digest);
  assert.deepEqual(own.hear({ kind: 'refused', id: 3 }), { kind: 'refused', id: 2 });
});

it('refuses in turn what the host is not asked', () => {
  const own = words();
  own.pass(wish(1));
  own.refuse(wish(2));
  assert.equal(own.pass(wish(3)).id, 2);
  assert.deepEqual(own.refusals(), []);
  own.hear({ kind: 'attested', id: 1, attestation: WORD });
  assert.deepEqual(own.refusals(), [{ kind: 'refused', id: 2 }]);
  assert.deepEqual(own.hear({ kind: 'refused', id: 2 }), { kind: 'refused', id: 3 });
});

it('hides after a restart what the replica inside never said, and forgets by the host numbers', () => {
  const before = words();
  before.pass(wish(1));
  const [mark] = before.say(CONTENT, HOST, [0]);
  assert.ok(mark?.kind === 'store');
  const draft = (id: number): AttestedDraft => ({
    id,
    digest: ZERO_DIGEST,
    draft: new Uint8Array(1),
    attestation: WORD,
  });
  const stored = new Map(mark.entries.map(({ key, value }) => [key, value!]));
  const own = words();
  const recovery = { stored, attested: [draft(1), draft(2)] } as unknown as Recovery;
  assert.deepEqual(own.restore(recovery).attested, [draft(1)]);
  // The replica inside goes on with 2, the host with 3.
  assert.equal(own.pass(wish(2)).id, 3);
  assert.deepEqual(own.trim(2), [
    { kind: 'trimAttested', below: 3 },
    { kind: 'store', entries: [{ key: mark.entries[0]!.key, value: undefined }] },
  ]);
});
