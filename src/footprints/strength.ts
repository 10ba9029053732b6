/**
 * Which footprint of a cluster is the weakest (decision A2): a cluster is worth what its weakest members are, and status
 * names them. The order follows from who can forge a certificate: docs/trusted-components.md.
 */

/**
 * Weakest first: whoever has the replica; whoever has its user or root; root, but not an old copy or the key; root of
 * the host below the machine; nobody on the replica's machine.
 */
const WEAKEST_FIRST: readonly string[] = [
  'wasm',
  'worker',
  'process',
  'rote',
  'tpm',
  'pkcs11',
  'vm',
  'vmm',
  'service',
];

/** The weakest of these footprints; one that is not known counts as weaker than all. Undefined for an empty list. */
export function weakestFootprint(names: readonly string[]): string | undefined {
  const rank = (name: string): number => WEAKEST_FIRST.indexOf(name);
  return [...names].sort((a, b) => rank(a) - rank(b))[0];
}
