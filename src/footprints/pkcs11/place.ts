/**
 * Which token is meant: the argument of the footprint `pkcs11`. Empty: a private SoftHSM2 token in the component's
 * folder. Else a PKCS#11 URI (RFC 7512) with `token`, `module-path` and `pin-source`, for example
 * `pkcs11:token=ledger?module-path=/usr/lib/vendor.so&pin-source=/etc/moiety/pin`. Three attributes of our own say what
 * the library needs in the sandbox: `x-read` and `x-write` (paths, separated by colons), or `x-sandbox=none`.
 */
import { readFileSync } from 'node:fs';
import { isAbsolute, join, normalize } from 'node:path';
import { TokenProblem } from './token.ts';
import type { TokenPlace } from './token.ts';

/** File of the component's folder that says which token it uses; it holds no PIN. */
export const PLACE_FILE = 'pkcs11.json';

const ADVICE =
  'a token is named pkcs11:token=LABEL?module-path=/path/of/library.so&pin-source=/path/of/pin (RFC 7512)';

function attributes(text: string, separator: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const part of text === '' ? [] : text.split(separator)) {
    const at = part.indexOf('=');
    const name = part.slice(0, Math.max(at, 0));
    if (name === '' || found.has(name)) throw new TokenProblem(ADVICE);
    try {
      found.set(name, decodeURIComponent(part.slice(at + 1)));
    } catch {
      throw new TokenProblem(ADVICE);
    }
  }
  return found;
}

/** Reads the argument; undefined for the private token. Throws TokenProblem. */
export function parsePlace(argument: string): TokenPlace | undefined {
  if (argument === '') return undefined;
  const match = /^(?:pkcs11:)?([^?]*)(?:\?(.*))?$/.exec(argument)!;
  const path = attributes(match[1]!, ';');
  const query = attributes(match[2] ?? '', '&');
  if (query.has('pin-value') || path.has('pin-value'))
    throw new TokenProblem(
      'a PIN on the command line can be read by everybody: put it into a file, pin-source',
    );
  const label = path.get('token');
  const module = query.get('module-path');
  const pinFile = query.get('pin-source')?.replace(/^file:(\/\/)?/, '');
  if (label === undefined || module === undefined || pinFile === undefined) throw new TokenProblem(ADVICE);
  if (!isAbsolute(module) || !isAbsolute(pinFile))
    throw new TokenProblem(`paths of a token are absolute: ${ADVICE}`);
  const sandbox = query.get('x-sandbox');
  if (sandbox !== undefined && sandbox !== 'none')
    throw new TokenProblem('x-sandbox can only be "none": the token is used outside of a sandbox');
  const reads = pathsOf(query.get('x-read'));
  const writes = pathsOf(query.get('x-write'));
  return {
    ...{ module, label, pinFile, softhsmConfiguration: '' },
    ...(reads === undefined ? {} : { reads }),
    ...(writes === undefined ? {} : { writes }),
    ...(sandbox === undefined ? {} : { unconfined: true }),
  };
}

function pathsOf(text: string | undefined): readonly string[] | undefined {
  const paths = text?.split(':');
  if (paths?.every(isNarrow) === false)
    throw new TokenProblem('x-read and x-write are absolute paths, separated by colons, and not "/"');
  return paths;
}

/** The root folder would show everything. */
function isNarrow(path: string): boolean {
  return isAbsolute(path) && normalize(path) !== '/';
}

/** What the place file holds. */
export interface StoredPlace {
  readonly place: TokenPlace;
  /** Label of the component's keys in the token. */
  readonly keyLabel: string;
}

/** Text of the place file. */
export function encodePlace(stored: StoredPlace): string {
  return `${JSON.stringify(stored, null, 2)}\n`;
}

/** Reads the place file of a component's folder; throws TokenProblem. */
export function readPlace(folder = '.'): StoredPlace {
  const isText = (value: unknown): boolean => typeof value === 'string';
  let stored: { readonly place?: Partial<TokenPlace>; readonly keyLabel?: unknown };
  try {
    stored = JSON.parse(readFileSync(join(folder, PLACE_FILE), 'utf8')) as typeof stored;
  } catch {
    throw new TokenProblem(`${PLACE_FILE} of the trusted component is missing or damaged`);
  }
  const { module, label, pinFile, softhsmConfiguration, reads = [], writes = [] } = stored.place ?? {};
  const arePaths = [reads, writes].every((paths) => Array.isArray(paths) && paths.every(isText));
  if (![module, label, pinFile, softhsmConfiguration, stored.keyLabel].every(isText) || !arePaths)
    throw new TokenProblem(`${PLACE_FILE} of the trusted component is damaged`);
  return stored as StoredPlace;
}
