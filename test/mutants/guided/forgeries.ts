/** What only a mutant lets through: seals that nobody gave, seals of other statements, bent NEW-VIEWs. */
import { putOf } from './clients.ts';
import type { Batch, Bundle, RecoverRequest } from '../../../src/core/request.ts';
import { bundleDigest, decodeBundle, encodeBundle } from '../../../src/core/request.ts';
import type { UniqueIdentifier } from '../../../src/core/protocol.ts';
import type { CounterValue, Digest, ReplicaId } from '../../../src/core/types.ts';
import { modelHash } from '../../../src/crypto/fast-model.ts';
import { Knowledge } from '../../../src/smr/usig-replica/knowledge.ts';
import { fullNewView } from '../../../src/smr/usig-stream/builders.ts';
import { completeDraft } from '../../../src/smr/usig-stream/codec.ts';
import type {
  FullNewView,
  NewViewHeaderContent,
  Prepare,
  PrepareContent,
  ViewChange,
} from '../../../src/smr/usig-stream/messages.ts';
import { newViewContent } from '../../../src/smr/usig-stream/view-change.ts';
import { buildBatch } from '../../../src/smr/batcher.ts';
import { EPOCH_MS } from '../../../src/sim/world.ts';
import type { Puppet } from '../../../src/sim/script/puppet.ts';
import type { Stage } from './stage.ts';

/** Content of a PREPARE of view 0. */
export function proposalOf(sequence: number, batch: Batch): PrepareContent {
  const { recovers, digest: batchDigest } = batch;
  const place = { view: 0, newViewCounter: 0, sequence, configurationVersion: 0 };
  return { kind: 'PREPARE', ...place, batchDigest, recovers };
}

/** A seal of another replica's component that it never gave. */
export function inventedSeal(stage: Stage, replica: ReplicaId, counter: CounterValue): UniqueIdentifier {
  const { tcEpoch } = stage.genesis.settings.members[replica]!.trusted;
  return { replica, tcEpoch, counter, authenticator: new Uint8Array(64).fill(7) };
}

/** A statement under a seal that was given for another one, or for none. */
export function underSeal(puppet: Puppet, content: PrepareContent, ui: UniqueIdentifier): Prepare {
  return completeDraft(puppet.context, content, ui);
}

/** NEW-VIEW from these VIEW-CHANGEs, with something else in its header. */
export function bentNewView(
  puppet: Puppet,
  viewChanges: readonly ViewChange[],
  bend: (content: NewViewHeaderContent) => NewViewHeaderContent,
): FullNewView {
  const { validation } = new Knowledge(puppet.context);
  const ordered = viewChanges.toSorted((a, b) => a.ui.replica - b.ui.replica);
  const verdict = newViewContent(puppet.context, ordered, validation);
  if (verdict.kind !== 'valid') throw new Error(`no NEW-VIEW: ${JSON.stringify(verdict)}`);
  const content = bend(verdict.value.content);
  return fullNewView(completeDraft(puppet.context, content, puppet.voice.seal(content)), ordered);
}

/** A write that the client of `genuine` signed for another cluster, in a session number that exists here, too. */
export function signedElsewhere(stage: Stage, genuine: Bundle, session: number): Bundle {
  const { clientKey } = genuine;
  const elsewhere = { ...stage.domain, clusterId: 'ab'.repeat(32) as Digest };
  const requests = [{ number: 1, operation: putOf(107, 255) }];
  const signer = stage.genesis.clientSigners.find(
    ({ publicKey }) => publicKey.toString() === clientKey.toString(),
  )!;
  const signature = signer.sign(bundleDigest(modelHash, elsewhere, { clientKey, session, requests }));
  const bytes = encodeBundle({ clientKey, session, requests }, signature);
  return decodeBundle(modelHash, stage.domain, bytes)!;
}

/** A batch that holds nothing but a RECOVER. */
export function recoverBatch(puppet: Puppet, request: RecoverRequest): Batch {
  const content = { proposedInView: 0, time: EPOCH_MS, recovers: [request], bundles: [] };
  return buildBatch(modelHash, puppet.domain, content);
}
