/** What a replica with a new component shows before it asks for it by RECOVER, and what it says where that is not enough. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bytesToHex, hexToBytes } from '../core/bytes.ts';
import { decodeWhole } from '../core/codec.ts';
import type { AttestationPolicy, ClusterSettings } from '../core/config.ts';
import { Prng } from '../core/prng.ts';
import { readRecover } from '../core/request.ts';
import { modelHash } from '../crypto/fast-model.ts';
import { createSealVerifier } from '../crypto/seal-verifier.ts';
import { createSimGenesis } from '../sim/cluster-settings.ts';
import { drawScenario } from '../sim/scenario.ts';
import { SimTrusted } from '../sim/trusted.ts';
import type { Endorsement } from '../trusted/attestation/bundle.ts';
import { decodeBundleOfEvidence } from '../trusted/attestation/bundle.ts';
import {
  encodeOperatorEndorsement,
  OPERATOR_FORMAT,
  operatorStatementBytes,
} from '../trusted/attestation/operator.ts';
import { recoverEvidenceCheck } from '../trusted/attestation/registration.ts';
import type { Digest } from '../core/types.ts';
import { ZERO_DIGEST } from '../core/types.ts';
import { decodeTrustedRequest } from '../trusted/frames.ts';
import { JournalImage } from './image.ts';
import { SealDesk } from './seal-desk.ts';

const SELF = 1;
const genesis = createSimGenesis(drawScenario(1, { replicas: 3 }), 'minbft');
const operator = genesis.keys.signer('operator');
const root = bytesToHex(operator.publicKey);
const { measurement } = genesis.settings.members[SELF]!.trusted;

function policyWith(possessionOnly: boolean): AttestationPolicy {
  return {
    programs: [{ name: 'usig', measurements: [measurement] }],
    footprints: [{ name: 'process', endorsedBy: possessionOnly ? [] : ['operator'], carriers: [] }],
    roots: [{ format: OPERATOR_FORMAT, name: 'acme', key: root, minimumVersion: 0 }],
  };
}

function wordOf(bind: Digest): Endorsement {
  const times = { notBefore: 0, notAfter: 1 };
  const about = { root, measurement, carrier: ZERO_DIGEST, footprint: 'process', version: 1, bind };
  const statement = { ...about, ...times };
  const signature = operator.signBytes(operatorStatementBytes(statement));
  return { format: OPERATOR_FORMAT, body: encodeOperatorEndorsement(statement, signature) };
}

interface Outcome {
  readonly asked: readonly string[];
  readonly halted: string | undefined;
  readonly image: JournalImage;
  readonly standing: string | undefined;
}

/** Starts a desk whose component is a new one; `image` is what its store holds. */
function start(
  attestation: AttestationPolicy | undefined,
  endorsements: (bind: Digest) => readonly Endorsement[] = () => [],
  trusted = new SimTrusted(genesis.keys, modelHash, SELF, new Prng(9), 50),
  image = new JournalImage(genesis.settings.members[SELF]!.trusted.tcEpoch),
): Outcome {
  const settings: ClusterSettings = {
    ...genesis.settings,
    ...(attestation === undefined ? {} : { attestation }),
  };
  const verifySignature = (key: Uint8Array, message: Uint8Array, seal: Uint8Array): boolean =>
    genesis.keys.verify(key, message, seal);
  const verifier = createSealVerifier({
    hostKeys: settings.members.map(({ hostKey }) => hexToBytes(hostKey)!),
    verifySignature,
    verifyCounter: () => true,
    verifyEvidence: recoverEvidenceCheck(settings, { hash: modelHash, verifyEd25519: verifySignature }),
  });
  const asked: string[] = [];
  let halted: string | undefined;
  let standing: string | undefined;
  const waiting: (() => void)[] = [];
  const desk = new SealDesk({
    self: SELF,
    settings,
    crypto: { hash: modelHash, hostSigner: genesis.hostSigners[SELF]!, verifier },
    image,
    trusted: {
      call: (id, request) => {
        asked.push(decodeTrustedRequest(request)!.op);
        waiting.push(() => desk.onResponse(id, trusted.handle(request)));
      },
      endorsements,
    },
    append: () => undefined,
    whenSynced: (then) => then(),
    onSealed: () => undefined,
    onStart: (result) => (standing = result.standing),
    halt: (reason) => (halted = reason),
    otherOwner: () => undefined,
    note: () => undefined,
  });
  desk.begin();
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) next();
  return { asked, halted, image, standing };
}

describe('a replica with a new component', () => {
  it('has it attest before it asks for it', () => {
    const { asked, halted, image, standing } = start(undefined);
    assert.deepEqual([asked, halted, standing], [['identify', 'attest'], undefined, 'recovering']);
    const request = decodeWhole(image.recover!, readRecover)!;
    assert.equal(request.measurement, measurement);
    assert.deepEqual(decodeBundleOfEvidence(request.evidence)?.endorsements, []);
    assert.deepEqual(start(policyWith(true)).asked, ['identify', 'attest'], 'its own word is enough');
  });

  it('asks again at a restart while its RECOVER is pending', () => {
    const trusted = new SimTrusted(genesis.keys, modelHash, SELF, new Prng(9), 60);
    const { image } = start(undefined, undefined, trusted);
    const again = start(undefined, undefined, trusted, image);
    assert.deepEqual([again.asked, again.standing], [['identify', 'attest'], 'recovering']);
  });

  it("puts an operator's word beside it where the policy asks for one", () => {
    const { asked, halted, image, standing } = start(policyWith(false), (bind) => [wordOf(bind)]);
    assert.deepEqual(
      [asked, halted, standing],
      [['identify', 'attest', 'extension'], undefined, 'recovering'],
    );
    const request = decodeWhole(image.recover!, readRecover)!;
    assert.equal(decodeBundleOfEvidence(request.evidence)?.endorsements.length, 1);
  });

  it('stops with the check, the advice and the digest where that word is missing or about another component', () => {
    const binds: Digest[] = [];
    const missing = start(policyWith(false), (bind) => (binds.push(bind), []));
    assert.match(
      missing.halted!,
      /check "endorsement" failed: found none, expected an endorsement of operator/,
    );
    assert.ok(missing.halted!.includes(binds[0]!), 'it says what to endorse');
    assert.equal(missing.standing, undefined);
    const wrong = start(policyWith(false), () => [wordOf('77'.repeat(32) as Digest)]);
    assert.match(wrong.halted!, /check "endorsed key" failed/);
  });

  it('stops where the policy does not allow its program', () => {
    const programs = [{ name: 'usig', measurements: ['66'.repeat(32) as Digest] }];
    assert.match(start({ ...policyWith(true), programs }).halted!, /check "program" failed/);
  });
});
