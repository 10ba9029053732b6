/** The tiny cluster of `smr/usig-replica`, with replicas of this protocol. */
import { UsigCluster } from '../../smr/usig-replica/cluster.testing.ts';
import type { HarnessOptions } from '../../smr/usig-replica/cluster.testing.ts';
import { minbft } from './definition.ts';

export { hostSignature, sha256 } from '../../smr/usig-replica/cluster.testing.ts';
export type { HarnessOptions, LinkHook, Member } from '../../smr/usig-replica/cluster.testing.ts';

export class Cluster extends UsigCluster {
  constructor(options: HarnessOptions = {}) {
    super(minbft, options);
  }
}
