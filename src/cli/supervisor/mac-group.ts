/** Puts the components of a new cluster into one group, so that they judge MACs of requests alike (decision C3). */
import type { AttestationPolicy } from '../../core/config.ts';
import type { Digest } from '../../core/types.ts';
import { grantGroup, installGroup, makeGroup, requestGroup } from '../../footprints/group/group.ts';
import { MAC_COMPONENT } from '../../ledger/genesis.ts';

/** The folders are of components that nobody serves; `measurement`: of the program that all of them run. */
export async function joinComponents(folders: readonly string[], measurement: Digest): Promise<void> {
  const { program: name, footprint } = MAC_COMPONENT;
  const policy: AttestationPolicy = {
    programs: [{ name, measurements: [measurement] }],
    footprints: [{ name: footprint, endorsedBy: [], carriers: [] }],
    roots: [],
  };
  const text = JSON.stringify(policy);
  const [first, ...others] = folders as [string, ...string[]];
  const offer = await makeGroup(first, 0, text, 'requests');
  for (const [index, folder] of others.entries()) {
    const request = await requestGroup(folder, index + 1, text, offer, 'requests');
    await installGroup(folder, await grantGroup(first, offer, request));
  }
}
