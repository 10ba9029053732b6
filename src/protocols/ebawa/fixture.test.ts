/** The tiny cluster of `smr/usig-replica`, with EBAWA replicas. */
import { UsigCluster } from '../../smr/usig-replica/cluster.testing.ts';
import type { HarnessOptions } from '../../smr/usig-replica/cluster.testing.ts';
import { ebawa } from './definition.ts';
import { EBAWA } from './replica.ts';

export class Cluster extends UsigCluster {
  constructor(options: HarnessOptions = {}) {
    super(ebawa, options, EBAWA);
  }
}
