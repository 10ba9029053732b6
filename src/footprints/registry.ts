/**
 * All footprints by name. Each is loaded when it is used, so that a replica loads no code of a footprint that it does
 * not have (decision B3).
 */
import { readComponentFolder, writeComponentNote } from './component-note.ts';
import type { ComponentSpec, Footprint, FootprintOptions, TrustedConnection } from './contract.ts';
import { moduleProblem } from './release.ts';
import type { TrustedRegistration } from '../core/config.ts';

/** In the order of the survey. */
const LOADERS: Readonly<Record<string, () => Promise<Footprint>>> = {
  service: async () => (await import('./service/footprint.ts')).serviceFootprint,
  wasm: async () => (await import('./wasm/footprint.ts')).wasmFootprint,
  worker: async () => (await import('./worker/footprint.ts')).workerFootprint,
  process: async () => (await import('./process/footprint.ts')).processFootprint,
  rote: async () => (await import('./rote/footprint.ts')).roteFootprint,
  vm: async () => (await import('./vm/footprint.ts')).vmFootprint,
  vmm: async () => (await import('./vmm/footprint.ts')).vmmFootprint,
  tpm: async () => (await import('./tpm/footprint.ts')).tpmFootprint,
  pkcs11: async () => (await import('./pkcs11/footprint.ts')).pkcs11Footprint,
};

/** Names of all footprints, in that order. */
export function footprintNames(): readonly string[] {
  return Object.keys(LOADERS);
}

/** Whether there is a footprint of this name. */
export function isFootprint(name: string): boolean {
  return Object.hasOwn(LOADERS, name);
}

/** Loads a footprint; rejects if there is none of this name. */
export async function footprintNamed(name: string): Promise<Footprint> {
  if (isFootprint(name)) return LOADERS[name]!();
  throw new Error(`there is no footprint "${name}" (there are ${footprintNames().join(', ')})`);
}

/** Loads all footprints, in that order. */
export function allFootprints(): Promise<readonly Footprint[]> {
  return Promise.all(footprintNames().map((name) => LOADERS[name]!()));
}

/** Makes a new component, as `Footprint.create`, and says in its folder what it is of. */
export async function createComponent(folder: string, spec: ComponentSpec): Promise<TrustedRegistration> {
  const { program, argument } = spec;
  const problem = moduleProblem(program);
  if (problem !== undefined) throw new Error(problem);
  const registration = await (await footprintNamed(spec.footprint)).create({ folder, program, argument });
  writeComponentNote(folder, spec);
  return registration;
}

/** Connects to the component of a folder, as `Footprint.open`. */
export async function openComponent(
  folder: string,
  durability: NonNullable<FootprintOptions['durability']>,
): Promise<TrustedConnection> {
  const { program, footprint, argument } = readComponentFolder(folder);
  return (await footprintNamed(footprint)).open({ folder, program, argument, durability });
}

/** Processes of a component that outlive its stop, as `Footprint.remembering`; none if the folder cannot be read. */
export async function rememberingProcesses(folder: string): Promise<readonly number[]> {
  try {
    const footprint = await footprintNamed(readComponentFolder(folder).footprint);
    return footprint.remembering?.(folder) ?? [];
  } catch {
    return [];
  }
}

/** Ends the component of a folder, as `Footprint.stop`. */
export async function stopComponent(folder: string): Promise<boolean> {
  return (await footprintNamed(readComponentFolder(folder).footprint)).stop(folder);
}
