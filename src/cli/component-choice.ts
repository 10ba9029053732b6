/** `--tc`: which trusted component a replica is to have, and whether it can have it here. */
import { NO_PROGRAM } from '../core/config.ts';
import { formatComponentSpec, parseComponentSpec } from '../footprints/contract.ts';
import { footprintEntry } from '../footprints/catalogue.ts';
import type { ComponentSpec } from '../footprints/contract.ts';
import { footprintNamed, footprintNames, isFootprint } from '../footprints/registry.ts';
import { PROTOCOLS } from '../protocols/catalogue.ts';
import type { AnyProtocol } from '../protocols/catalogue.ts';
import { programNamed, PROGRAMS } from '../trusted/programs/catalogue.ts';
import { CommandFailure, usageFailure } from './failure.ts';

/** What a replica has unless told otherwise (decision A1). */
export const DEFAULT_COMPONENT: ComponentSpec = { program: 'usig', footprint: 'process', argument: '' };
/** What a replica has whose protocol is not built on trusted components. */
export const NO_COMPONENT: ComponentSpec = { program: NO_PROGRAM, footprint: NO_PROGRAM, argument: '' };

/** What a replica of this protocol has unless told otherwise. */
export function defaultComponent({ trustedProgram }: ProtocolOfChoice): ComponentSpec {
  return trustedProgram === undefined ? NO_COMPONENT : { ...DEFAULT_COMPONENT, program: trustedProgram };
}

/** What the choice of a component needs to know of a protocol. */
export type ProtocolOfChoice = Pick<AnyProtocol, 'name' | 'trustedProgram'>;

/** A member whose public file was read, as far as is needed here. */
export interface MemberOfChoice {
  readonly name: string;
  readonly path: string;
  readonly trusted?: { readonly program?: unknown };
}

/** What `--tc` chose: for all replicas, and for single ones, which win. */
export interface ComponentChoice {
  readonly all?: ComponentSpec;
  readonly single: ReadonlyMap<number, ComponentSpec>;
}

/** Reads `usig@vm`; throws a usage failure that lists what there is. */
export function readComponentSpec(text: string): ComponentSpec {
  const spec = parseComponentSpec(text);
  if (spec === undefined)
    throw usageFailure(
      `"${text}" names no trusted component: write program@footprint, or program@footprint:argument, for example usig@process.`,
    );
  const { program, footprint } = spec;
  if (programNamed(program) === undefined)
    throw usageFailure(
      `There is no trusted program "${program}"; there are ${PROGRAMS.map(({ name }) => name).join(', ')}.`,
    );
  if (!isFootprint(footprint))
    throw usageFailure(
      `There is no footprint "${footprint}"; there are ${footprintNames().join(', ')} ("moiety trusted list").`,
    );
  return spec;
}

/** One `--tc` of `up`, `SPEC` or `N=SPEC`, added to those before. */
export function addComponentChoice(text: string, before: ComponentChoice | undefined): ComponentChoice {
  const choice = before ?? { single: new Map() };
  const match = /^(\d)=(.*)$/.exec(text);
  if (match === null) return { ...choice, all: readComponentSpec(text) };
  return { ...choice, single: new Map([...choice.single, [Number(match[1]), readComponentSpec(match[2]!)]]) };
}

/** Fails with a sentence unless a protocol is built on the program of this component. */
export function requireProgram({ name, trustedProgram }: ProtocolOfChoice, spec: ComponentSpec): void {
  if (trustedProgram === undefined)
    throw usageFailure(`${name} is not built on trusted components: leave --tc out.`);
  if (spec.program !== trustedProgram)
    throw usageFailure(
      `${name} is built on the trusted program ${trustedProgram}, not on ${spec.program}: write ` +
        `${formatComponentSpec({ ...spec, program: trustedProgram })}${otherwise(spec.program)}.`,
    );
}

/** The protocols that are built on a program, as the end of a sentence about one that is not. */
function otherwise(program: string): string {
  const names = PROTOCOLS.filter(({ trustedProgram }) => trustedProgram === program).map(({ name }) => name);
  return names.length === 0 ? '' : `, or take another protocol (on ${program}: ${names.join(', ')})`;
}

/** Fails with a sentence unless the components of all members are of the program that the protocol is built on. */
export function requireMembersOf(protocol: ProtocolOfChoice, members: readonly MemberOfChoice[]): void {
  const needed = protocol.trustedProgram ?? NO_PROGRAM;
  for (const { name, path, trusted } of members) {
    const has = trusted?.program;
    // What is no member's file at all is told where cluster.json is read.
    if (typeof has !== 'string' || has === needed) continue;
    const names = PROTOCOLS.filter(({ trustedProgram }) => (trustedProgram ?? NO_PROGRAM) === has);
    const other =
      names.length === 0
        ? ''
        : `compose a cluster of ${names.map((one) => one.name).join(' or ')} with --protocol, or `;
    throw usageFailure(
      `${protocol.name} ${needed === NO_PROGRAM ? 'is not built on trusted components' : `is built on the trusted program ${needed}`}, ` +
        `but the member ${name} (${path}) has ${has === NO_PROGRAM ? 'no trusted component' : `one of ${has}`}: ${other}` +
        `let ${name} make its keys anew with "moiety keygen --protocol ${protocol.name} …".`,
    );
  }
}

/** The component of each replica. Throws if a replica is named that there is not, or a program that does not fit. */
export function componentsFor(
  choice: ComponentChoice | undefined,
  replicas: number,
  protocol: ProtocolOfChoice,
): readonly ComponentSpec[] {
  const named = [...(choice?.single.values() ?? []), ...(choice?.all === undefined ? [] : [choice.all])];
  for (const spec of named) requireProgram(protocol, spec);
  for (const id of choice?.single.keys() ?? [])
    if (id >= replicas)
      throw usageFailure(`There is no replica ${id}; this cluster has replicas 0 to ${replicas - 1}.`);
  return Array.from(
    { length: replicas },
    (_, id) => choice?.single.get(id) ?? choice?.all ?? defaultComponent(protocol),
  );
}

/** Fails with a sentence if this machine lacks something for one of these components. */
export async function requireUsable(specs: readonly ComponentSpec[]): Promise<void> {
  for (const name of new Set(specs.map(({ footprint }) => footprint))) {
    if (name === NO_PROGRAM) continue;
    const missing = await (await footprintNamed(name)).missing();
    if (missing.length === 0) continue;
    const packages = missing.flatMap(({ debianPackage }) => debianPackage ?? []);
    const advice = packages.length === 0 ? '' : ` On Debian: apt-get install ${packages.join(' ')}.`;
    throw new CommandFailure(
      `This machine lacks something for the footprint "${name}": ${missing.map(({ what }) => what).join('; ')}.${advice}`,
    );
  }
}

/** What becomes of a component of this footprint that ends. */
export type AfterEnd = 'continues' | 'continues after an orderly stop' | 'new component';

/** See `AfterEnd`; a footprint that this version does not know is believed to continue. */
export async function afterEndOf(footprint: string): Promise<AfterEnd> {
  if (!isFootprint(footprint)) return 'continues';
  if (!(await footprintNamed(footprint)).persistent) return 'new component';
  return footprintEntry(footprint)?.afterKill === undefined ? 'continues' : 'continues after an orderly stop';
}

/** Components of a cluster in the order of its replicas, as far as is needed here. */
export type Components = readonly Pick<ComponentSpec, 'program' | 'footprint'>[];

/** Numbers of the replicas whose component is another one after such an end. */
export async function volatileReplicas(
  components: Components,
  end: 'orderly' | 'crash',
): Promise<readonly number[]> {
  const volatile: number[] = [];
  for (const [id, { footprint }] of components.entries()) {
    const after = await afterEndOf(footprint);
    if (after === 'new component' || (end === 'crash' && after !== 'continues')) volatile.push(id);
  }
  return volatile;
}

/** `1 (usig@wasm), 2 (usig@vm)`. */
export function componentNames(components: Components, ids: readonly number[]): string {
  return ids.map((id) => `${id} (${shortSpec(components[id]!)})`).join(', ');
}

/** What becomes of a replica whose component ended and is another one now, as the end of a sentence. */
export function afterLoss({ name, trustedProgram }: ProtocolOfChoice): string {
  return trustedProgram === DEFAULT_COMPONENT.program
    ? 'which the others have to re-admit (RECOVER)'
    : `which ${name} cannot re-admit, so its replica is lost`;
}

/** What volatile components mean for a cluster (decision A5); undefined if it has none. */
export async function volatileWarning(
  components: Components,
  f: number,
  protocol: ProtocolOfChoice,
): Promise<string | undefined> {
  const crash = await volatileReplicas(components, 'crash');
  if (crash.length === 0) return undefined;
  const stop = await volatileReplicas(components, 'orderly');
  const one = crash.length === 1;
  const words =
    `Replica${one ? '' : 's'} ${componentNames(components, crash)} ${one ? 'has a volatile trusted component' : 'have volatile trusted components'}: ` +
    `one that has ended comes back as a new one, ${afterLoss(protocol)}.`;
  if (crash.length <= f) return words;
  const how = stop.length > f ? 'a full stop' : 'a power cut';
  return (
    `WARNING: ${words} They are more than f = ${f}: ${how} ends the cluster for good, and so does the end of more than ` +
    `${f} of them at once. If it is to last, give more replicas a footprint that continues, for example process.`
  );
}

/** `usig@vm`, without argument; `none`. */
export function shortSpec({ program, footprint }: Components[number]): string {
  if (program === NO_PROGRAM) return NO_PROGRAM;
  return `${program}@${footprint}`;
}

/** `program@footprint:argument` for people to read; an enrolment token in it is not shown. */
export function printableSpec(spec: ComponentSpec): string {
  const whole = formatComponentSpec(spec);
  return spec.footprint === 'service' ? whole.replace(/(#[^/]*\/).+$/, '$1…') : whole;
}
