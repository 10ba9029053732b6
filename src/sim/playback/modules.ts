/**
 * Trusted programs as WebAssembly, for simulated components: the bytes that are deployed. A simulated cluster has a quick
 * hash in place of SHA-256, but a module hashes what it attests by itself. So the digest under its evidence is looked at: if
 * it is the right one, the component seals the same under the hash of the cluster. A run is then, event for event, the one
 * with the model of the program.
 */
import { digestToBytes, equalBytes } from '../../core/bytes.ts';
import type { Digest } from '../../core/types.ts';
import { portableHash } from '../../crypto/portable.ts';
import type { ProgramEnvironment, ProgramKey, TrustedProgram } from '../../trusted/contract.ts';
import { decodeTrustedRequest } from '../../trusted/frames.ts';
import { compileModule, startModule } from '../../trusted/module.ts';
import { bindDigestOf } from '../../trusted/statement.ts';
import { ScriptError } from '../script/script.ts';
import type { SimProgram } from '../trusted.ts';
import type { PlayOptions } from './contract.ts';

/** A deployed program, and how many requests it has answered in all components. */
export interface DeployedProgram {
  readonly program: SimProgram;
  calls(): number;
}

/** The USIG of this module. Throws `ScriptError` on bytes that are none. */
export function deployedUsig({ usig }: NonNullable<PlayOptions['modules']>): DeployedProgram {
  const module = compiled(usig);
  let calls = 0;
  const start = (environment: ProgramEnvironment): TrustedProgram =>
    startTranslated(module, environment, () => (calls += 1));
  return { program: { name: 'usig', start }, calls: () => calls };
}

function compiled(bytes: Uint8Array): object {
  try {
    return compileModule(bytes);
  } catch {
    throw new ScriptError(0, 'the bytes that were given as the module of the trusted program are none');
  }
}

function startTranslated(
  module: object,
  environment: ProgramEnvironment,
  onCall: () => void,
): TrustedProgram {
  let { key } = environment;
  let challenge: Digest | undefined;
  const authenticate = (bytes: Uint8Array): Uint8Array => {
    const parts = challenge && { ...key, challenge };
    const isEvidence = parts && equalBytes(bytes, digestToBytes(bindDigestOf(portableHash, parts)));
    if (!isEvidence) return key.authenticate(bytes);
    return key.authenticate(digestToBytes(bindDigestOf(environment.hash, parts)));
  };
  const translated = (): ProgramKey => ({ ...key, authenticate });
  const program = startModule(module, {
    ...environment,
    key: translated(),
    replaceKey: () => {
      const next = environment.replaceKey();
      if (next === undefined) return undefined;
      key = next;
      return translated();
    },
  });
  return {
    handle: (bytes) => {
      onCall();
      const request = decodeTrustedRequest(bytes);
      challenge = request?.op === 'attest' ? request.challenge : undefined;
      return program.handle(bytes);
    },
    image: () => program.image?.(),
  };
}
