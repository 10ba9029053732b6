import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../core/prng.ts';
import type { ClientRules, Seal, SealVerdict, Standing } from '../core/protocol.ts';
import { ZERO_DIGEST } from '../core/types.ts';
import { PROTOCOLS } from '../protocols/catalogue.ts';
import { createAnswerRules } from './answer-rules.ts';
import { FakeCluster } from './fake-cluster.testing.ts';
import { nodeHash } from '../platform/sha256.ts';

const STANDINGS: readonly Standing[] = ['speculative', 'committed', 'final'];
const { settings } = new FakeCluster(2);
const EMPTY = new Uint8Array(0);

function rulesOf(rules: ClientRules | undefined, verdict: SealVerdict = 'valid', suite = settings.suite) {
  const verifier = {
    verifyMany: () => verdict,
    evidenceProblem: () => undefined,
    trust: () => undefined,
  };
  return createAnswerRules({ settings: { ...settings, suite }, hash: nodeHash, verifier, rules });
}

/** Rules that read one seal out of every proof. */
function sealed(seal: Seal): ClientRules {
  return {
    needed: () => 3,
    readProof: (proof) => (proof.length > 0 ? { key: String(proof[0]), seals: [seal] } : undefined),
  };
}
const HOST: Seal = { kind: 'host', replica: 0, digest: ZERO_DIGEST, signature: new Uint8Array(64) };
const COUNTER: Seal = {
  kind: 'counter',
  ui: { replica: 0, tcEpoch: '00'.repeat(8) as never, counter: 1, authenticator: EMPTY },
  digest: ZERO_DIGEST,
};

test('without rules of the protocol: f+1 final answers, no proofs, fast reads', () => {
  const rules = rulesOf(undefined);
  assert.deepEqual(
    STANDINGS.map((standing) => rules.needed(standing)),
    [undefined, undefined, 3],
  );
  assert.equal(rules.readProof(EMPTY, 0, 'final'), '');
  assert.equal(rules.readProof(new Uint8Array(1), 0, 'final'), undefined, 'a proof of what?');
  assert.equal(rules.certificateNeeded, undefined);
  assert.equal(rules.makeCertificate([]), undefined);
  assert.equal(rules.fastReads, true);
});

test('an answer counts only if every seal in its proof holds under a key that is known', () => {
  const proof = new Uint8Array([5]);
  assert.equal(rulesOf(sealed(HOST)).readProof(proof, 0, 'speculative'), '5');
  assert.equal(rulesOf(sealed(HOST), 'invalid').readProof(proof, 0, 'speculative'), undefined);
  assert.equal(rulesOf(sealed(COUNTER), 'unknownKey').readProof(proof, 0, 'speculative'), undefined);
  assert.equal(rulesOf(sealed(HOST)).readProof(EMPTY, 0, 'speculative'), undefined);
});

test('of components with a shared key a client leaves the check to the replicas', () => {
  const proof = new Uint8Array([5]);
  assert.equal(rulesOf(sealed(COUNTER), 'invalid', 'hmac-sha256').readProof(proof, 0, 'final'), '5');
  assert.equal(rulesOf(sealed(HOST), 'invalid', 'hmac-sha256').readProof(proof, 0, 'final'), undefined);
});

for (const { name, client, replicasFor } of PROTOCOLS)
  test(`${name}: its client rules are sane, and no bytes make them throw`, () => {
    const random = new Prng(name.length);
    for (const f of [1, 2, 3]) {
      const n = replicasFor(f);
      if (client === undefined) continue;
      const final = client.needed('final', n, f);
      assert.ok(final !== undefined && final > f && final <= n - f, 'f silent replicas stop nobody');
      for (const standing of STANDINGS) {
        const needed = client.needed(standing, n, f);
        assert.ok(needed === undefined || (needed > f && needed <= n), `${standing} ${needed}`);
      }
      const certificate = client.certificate?.needed(n, f);
      assert.ok(certificate === undefined || (certificate > f && certificate <= n - f));
    }
    const rules = rulesOf(client);
    for (let drawn = 0; drawn < 3_000; drawn += 1) {
      const proof = Uint8Array.from({ length: random.between(0, 200) }, () => random.between(0, 255));
      rules.readProof(proof, random.between(0, 4), random.pick(STANDINGS));
    }
  });
