/**
 * A footprint is where a trusted program runs and what carries bytes to it (survey, Fig. 3). All footprints carry the
 * same programs and the same frames, so a replica does not know which one it has; they differ in what they protect
 * against and in what they cost. docs/trusted-components.md compares them.
 */
import type { TrustedRegistration } from '../core/config.ts';

/** Gets the answer to one request; undefined if the component was lost before it came. */
export type OnResponse = (response: Uint8Array | undefined) => void;

/** An open way to one component. Answers come in the order of the requests, never before `send` returns. */
export interface TrustedConnection {
  send(request: Uint8Array, onResponse: OnResponse): void;
  /** Called once, when the component is lost or the connection is closed. */
  onClose(listener: (reason: string) => void): void;
  /** Gives the connection up; the component itself lives on where it outlives its replica. */
  close(): void;
  /** What keeps a process of the component inside, where it has one. */
  readonly hardening?: 'bubblewrap' | 'none';
  /** Where that is `none`: why, as a sentence without full stop. */
  readonly plainReason?: string;
}

/** Something of the machine that a footprint needs and does not find. */
export interface MissingRequirement {
  /** What is missing, as a sentence without full stop. */
  readonly what: string;
  /** Debian package that brings it, if one does. */
  readonly debianPackage?: string;
}

/** What is asked for when a component is made or opened. */
export interface FootprintOptions {
  /** Folder of the component; everything that it keeps on this machine is in there. */
  readonly folder: string;
  /** Name of the trusted program, for example `usig`. */
  readonly program: string;
  /** What stood behind the footprint's name in `--tc`, for example `host:port`; empty if nothing. */
  readonly argument: string;
  /** How records are kept before a certificate leaves. Default `fsync`. */
  readonly durability?: 'fsync' | 'os' | 'memory';
  /**
   * Whether a process of the component is locked in (bubblewrap, seccomp): `auto` where that can be done here,
   * `required` or not at all, `off` never. Default `auto`.
   */
  readonly hardening?: 'required' | 'auto' | 'off';
}

/** One footprint. */
export interface Footprint {
  /** Its name behind the `@`. */
  readonly name: string;
  /** Scenario of the survey's Fig. 3. */
  readonly scenario: 'a' | 'b' | 'c' | 'd' | 'e' | 'f';
  /** What it is, in a few words. */
  readonly summary: string;
  /** Whether counter and key survive a restart of the component. */
  readonly persistent: boolean;
  /** What this machine lacks for it; empty: it can be used. */
  missing(): Promise<readonly MissingRequirement[]>;
  /** Makes a new component in a folder that does not exist or is empty; its registration goes into genesis. */
  create(options: FootprintOptions): Promise<TrustedRegistration>;
  /** Connects to the component of a folder, starting it if it does not run. Rejects with a message for the operator. */
  open(options: FootprintOptions): Promise<TrustedConnection>;
  /** Ends a component that outlives its replica; false if none ran. */
  stop(folder: string): Promise<boolean>;
  /**
   * Numbers of processes that remember something for the component in memory alone: an orderly stop leaves them, and
   * they end when its folder is removed. Absent: there are none.
   */
  remembering?(folder: string): readonly number[];
}

/** The component that a replica is to have: `program@footprint` or `program@footprint:argument`. */
export interface ComponentSpec {
  readonly program: string;
  readonly footprint: string;
  readonly argument: string;
}

/** Reads a `--tc` value; undefined unless it has that form. Whether program and footprint exist is not judged here. */
export function parseComponentSpec(text: string): ComponentSpec | undefined {
  const match = /^([a-z][a-z0-9-]{0,31})@([a-z][a-z0-9-]{0,31})(?::(.{1,256}))?$/.exec(text);
  if (match === null) return undefined;
  return { program: match[1]!, footprint: match[2]!, argument: match[3] ?? '' };
}

/** The spec as it is written. */
export function formatComponentSpec({ program, footprint, argument }: ComponentSpec): string {
  return `${program}@${footprint}${argument === '' ? '' : `:${argument}`}`;
}
