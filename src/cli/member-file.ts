/**
 * Public files that members hand round before a cluster exists (decision D7): `moiety keygen` makes one, `moiety init`
 * composes cluster.json from all of them and never sees a private key.
 */
import { readFileSync } from 'node:fs';
import type { TrustedRegistration } from '../core/config.ts';
import { CommandFailure, messageOf } from './failure.ts';

/** Value of the field `format` of a member's public file. */
export const MEMBER_FORMAT = 'moiety-member/1';
/** Value of the field `format` of a client's public file. */
export const CLIENT_FORMAT = 'moiety-client/1';
const FILE_BYTES_MAX = 64 * 1024;

/** A member before it has a replica number. */
export interface MemberFile {
  readonly format: string;
  readonly name: string;
  readonly organisation: string;
  readonly address: string;
  readonly hostKey: string;
  readonly linkKey: string;
  readonly trusted: TrustedRegistration;
}

/** A client that genesis shall admit. */
export interface ClientFile {
  readonly format: string;
  readonly name: string;
  readonly organisation: string;
  readonly key: string;
  readonly role: 'client' | 'admin';
}

/** Reads a JSON file that a person passed; a sentence names the file if it cannot be read. */
export function readJsonFile(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new CommandFailure(`Cannot read ${path}: ${messageOf(error)}`);
  }
  if (text.length > FILE_BYTES_MAX * 64)
    throw new CommandFailure(`${path} is too large to be what is expected here.`);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new CommandFailure(`${path} is not JSON: ${messageOf(error)}`);
  }
}

function readFormat<T extends { readonly format: string }>(path: string, format: string, maker: string): T {
  const value = readJsonFile(path) as Partial<T> | null;
  if (typeof value !== 'object' || value === null || value.format !== format)
    throw new CommandFailure(`${path} is not a public file of format ${format}: make it with "${maker}".`);
  return value as T;
}

/** Reads a member's public file. Its fields are judged where cluster.json is read. */
export function readMemberFile(path: string): MemberFile {
  return readFormat(path, MEMBER_FORMAT, 'moiety keygen');
}

/** Reads a client's public file. */
export function readClientFile(path: string): ClientFile {
  return readFormat(path, CLIENT_FORMAT, 'moiety keygen --client');
}
