/** How simulated clients make bundles: under their signature, or with MACs under the key that they got in an envelope. */
import type { ClusterSettings } from '../core/config.ts';
import { bundleDigest, clientIdOf, encodeBundle, macBundle } from '../core/request.ts';
import type { Bundle, BundleContent } from '../core/request.ts';
import { modelHash } from '../crypto/fast-model.ts';
import type { ModelSigner } from '../crypto/fast-model.ts';
import { clientMacKeyOf, hmacOver, requestTag } from '../crypto/request-mac.ts';

/** Makes a bundle under the maker's own secrets, whoever the content says it is from. */
export type MakeBundle = (content: BundleContent) => Pick<Bundle, 'digest' | 'bytes'>;

/** What keys of clients follow from in simulated clusters; only their components and this file know it. */
export const SIM_CLIENT_ROOT = new Uint8Array(32).fill(0x4d);

const hmac = hmacOver(modelHash);

/** The maker with this key. A client of a cluster with MACs has got its key already; envelopes are not simulated. */
export function bundleMaker(settings: ClusterSettings, signer: ModelSigner): MakeBundle {
  if (settings.authenticator !== 'mac')
    return (content) => {
      const digest = bundleDigest(modelHash, settings, content);
      return { digest, bytes: encodeBundle(content, signer.sign(digest)) };
    };
  const key = clientMacKeyOf(hmac, SIM_CLIENT_ROOT, clientIdOf(modelHash, signer.publicKey), 1);
  return (content) => macBundle(modelHash, settings, content, 1, (digest) => requestTag(hmac, key, digest));
}
