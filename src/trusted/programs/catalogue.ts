/**
 * The trusted programs by name: what each is, whose idea it was, what it can be asked (survey, Table I). Sizes and
 * times are not here: they are measured (`moiety trusted bench`, docs/trusted-components.md).
 */

/** Kind of abstraction in the survey's words. */
export type Abstraction = 'counter' | 'log' | 'secret sharing' | 'wait certificate';

/** One trusted program. */
export interface ProgramEntry {
  readonly name: string;
  readonly title: string;
  /** Where it was published. */
  readonly paper: string;
  readonly abstraction: Abstraction;
  /** Operations of the contract that it answers besides identify, renew, attest and verify. */
  readonly operations: readonly string[];
  /** What it makes visible, in a few words. */
  readonly prevents: string;
  /** Protocols of the field that are built on it. */
  readonly usedBy: string;
  /** Program of whose module it makes use instead of having one; absent: it has its own. */
  readonly builtOn?: string;
}

/** All programs, in the order in which they are shown. */
export const PROGRAMS: readonly ProgramEntry[] = [
  {
    name: 'usig',
    title: 'USIG',
    paper: 'Veronese et al., IEEE Transactions on Computers 2013',
    abstraction: 'counter',
    operations: ['certify', 'recent'],
    prevents: 'two statements with one number; a gap in the stream shows what was left out',
    usedBy: 'MinBFT, MinZyzzyva, EBAWA',
  },
  {
    name: 'trinc',
    title: 'TrInc',
    paper: 'Levin et al., NSDI 2009',
    abstraction: 'counter',
    operations: ['create', 'advance', 'status', 'close', 'replay', 'extension'],
    prevents: 'two statements over one interval of a counter; intervals tile, so nothing can be left out',
    usedBy: 'A2M emulation, PeerReview, variants of MinBFT',
  },
  {
    name: 'trinx',
    title: 'TrInX',
    paper: 'Behl et al., EuroSys 2017',
    abstraction: 'counter',
    operations: ['create', 'advance', 'advanceMany', 'status', 'plain', 'close', 'replay'],
    prevents: 'two statements with one value; continuing certificates disclose the value before',
    usedBy: 'Hybster',
  },
  {
    name: 'cash',
    title: 'CASH',
    paper: 'Kapitza et al., EuroSys 2012',
    abstraction: 'counter',
    operations: ['create', 'advance', 'replay'],
    prevents: 'two statements with one number of one protocol instance',
    usedBy: 'CheapBFT, RePBFT, ReMinBFT',
  },
  {
    name: 'a2m',
    title: 'A2M',
    paper: 'Chun et al., SOSP 2007',
    abstraction: 'log',
    operations: ['create', 'append', 'advanceLog', 'lookup', 'end', 'truncate'],
    prevents: 'two entries in one slot; slots that were skipped or forgotten are attested as such',
    usedBy: 'A2M-PBFT-E, A2M-PBFT-EA, A2M-Storage',
  },
  {
    name: 'a2m-trinc',
    title: 'A2M on TrInc',
    paper: 'Levin et al., NSDI 2009',
    abstraction: 'log',
    operations: ['create', 'advance', 'status'],
    prevents: 'the same as A2M; the log itself lies with the host, the counters inside',
    usedBy: 'wherever A2M is, with a smaller trusted part',
    builtOn: 'trinc',
  },
  {
    name: 'share',
    title: 'Secret sharing',
    paper: 'Liu et al., FastBFT, IEEE Transactions on Computers 2019',
    abstraction: 'secret sharing',
    operations: ['extension'],
    prevents: 'a share of the secret of a counter value is opened for one digest only',
    usedBy: 'FastBFT',
  },
  {
    name: 'wait',
    title: 'Wait certificate',
    paper: 'Sawtooth PoET; Chen et al., SSS 2017',
    abstraction: 'wait certificate',
    operations: ['extension'],
    prevents: 'a leader that did not wait; two live timers of one key',
    usedBy: 'PoET',
  },
];

/** A program by its name. */
export function programNamed(name: string): ProgramEntry | undefined {
  return PROGRAMS.find((program) => program.name === name);
}

/** Name of the module (trusted/NAME.wasm) that a program runs as. */
export function moduleOf(program: ProgramEntry): string {
  return program.builtOn ?? program.name;
}
