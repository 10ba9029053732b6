/**
 * Every decoder that reads bytes of somebody else (peers, clients, disks, trusted components, files, people), with what
 * must hold of it: it never throws, and what it accepts is exactly what its encoder makes of the value.
 */
import { decodeKvOperation, encodeKvOperation } from '../../src/apps/kv/operations.ts';
import type { KvOperation } from '../../src/apps/kv/operations.ts';
import { decodeKvResult, encodeKvResult } from '../../src/apps/kv/results.ts';
import { parseObject } from '../../src/client/proofs.ts';
import { bytesToHex } from '../../src/core/bytes.ts';
import {
  decodeClientFrame,
  decodeReplicaFrame,
  encodeClientFrame,
  encodeReplicaFrame,
} from '../../src/core/client-wire.ts';
import type { ClusterSettings } from '../../src/core/config.ts';
import {
  decodeBatch,
  decodeBundle,
  encodeBatch,
  encodeBundle,
  readRecover,
  writeRecover,
} from '../../src/core/request.ts';
import { decodeWhole, Writer } from '../../src/core/codec.ts';
import { modelHash } from '../../src/crypto/fast-model.ts';
import { decodeLinkFrame, encodeLinkFrame } from '../../src/host/link-frames.ts';
import { decodeRecord, encodeRecord } from '../../src/host/records.ts';
import { decodeSnapshotMeta, encodeSnapshotMeta } from '../../src/host/snapshot-meta.ts';
import { decodeBlock, decodeHeader, encodeHeader, makeBlock } from '../../src/ledger/block.ts';
import { encodeEvidenceDocument, parseEvidenceDocument } from '../../src/ledger/evidence-document.ts';
import { parseClusterSettings } from '../../src/ledger/genesis.ts';
import {
  decodeOpened,
  decodeOperation,
  decodeResult,
  encodeOperation,
  encodeResult,
  errorResult,
  okResult,
  openedResult,
} from '../../src/ledger/operation.ts';
import { encodeReceipt, parseReceipt } from '../../src/ledger/receipt.ts';
import type { Receipt } from '../../src/ledger/receipt.ts';
import { decodeReplyEvidence, encodeReplyEvidence } from '../../src/ledger/reply-evidence.ts';
import { encodeTrust, parseTrust } from '../../src/ledger/trust.ts';
import { verifyReceipt } from '../../src/ledger/verify.ts';
import { minbft } from '../../src/protocols/minbft/definition.ts';
import {
  decodeFlags,
  decodeLast,
  decodeLink,
  decodeProof,
  decodeStable,
  decodeViewChanges,
  decodeWhy,
  encodeFlags,
  encodeLast,
} from '../../src/smr/usig-replica/durable.ts';
import { encodeEvidence as encodeProof, verifyEvidence } from '../../src/smr/usig-replica/evidence.ts';
import type { MinbftMessage, PrepareContent } from '../../src/smr/usig-stream/messages.ts';
import { decodeRegistry, encodeRegistry } from '../../src/smr/registry.ts';
import {
  completeDraft,
  decodeDraft,
  decodeMessage,
  encodeDraft,
  encodeMessage,
} from '../../src/smr/usig-stream/codec.ts';
import type { StreamContext } from '../../src/smr/usig-stream/context.ts';
import { createStreamContext } from '../../src/smr/usig-stream/context.ts';
import { decodeEvidence, encodeEvidence } from '../../src/trusted/evidence.ts';
import {
  decodeTrustedRequest,
  decodeTrustedResponse,
  encodeTrustedRequest,
  encodeTrustedResponse,
} from '../../src/trusted/frames.ts';
import type { TrustedResponse } from '../../src/trusted/contract.ts';
import { decodeUsigRecord, encodeUsigRecord } from '../../src/trusted/programs/usig/program.ts';
import { decodeStatement, encodeStatement } from '../../src/trusted/statement.ts';
import { moreClientFrames, speculativeReplies } from './client-frames.ts';
import { genuineReceipt } from './documents.ts';
import type { Corpus, Sort } from './corpus.ts';
import { updateTargets } from './updates.ts';

/** What a decoder made of bytes: refused, accepted with the bytes of its encoder, or accepted where there is none. */
export type Verdict = undefined | Uint8Array | 'accepted';

/** One decoder. */
export interface Target {
  readonly name: string;
  /** Valid inputs. */
  readonly seeds: readonly Uint8Array[];
  /** How often it is drawn, 1 if not said; less for those that cost much for each input. */
  readonly weight?: number;
  readonly decode: (bytes: Uint8Array) => Verdict;
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const utf8 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');
const same = <T>(value: T | undefined, encode: (value: T) => Uint8Array): Verdict =>
  value === undefined ? undefined : encode(value);

/** All targets over a corpus. */
export function targetsFor(corpus: Corpus): Target[] {
  const of = (sort: Sort): readonly Uint8Array[] => corpus.samples.get(sort) ?? [];
  return [
    ...linkTargets(corpus.settings, of),
    ...clientTargets(corpus.settings, of),
    ...storeTargets(corpus, of),
    ...trustedTargets(of),
    ...ledgerTargets(corpus, of),
    ...updateTargets,
    ...documentTargets(corpus),
  ];
}

type Samples = (sort: Sort) => readonly Uint8Array[];

function domainOf(settings: ClusterSettings): {
  clusterId: ClusterSettings['clusterId'];
  configurationVersion: number;
} {
  return { clusterId: settings.clusterId, configurationVersion: settings.configurationVersion };
}

function linkTargets(settings: ClusterSettings, of: Samples): Target[] {
  const domain = domainOf(settings);
  const context = createStreamContext(settings, modelHash, domain, 'minbft');
  const decodeContext = { settings, domain, hash: modelHash };
  return [
    {
      name: 'link frame',
      seeds: of('frame'),
      decode: (bytes) => same(decodeLinkFrame(bytes), encodeLinkFrame),
    },
    {
      name: 'protocol message',
      seeds: of('message'),
      decode: (bytes) => {
        const message = decodeMessage(context, bytes);
        if (message === undefined) return undefined;
        // Collecting the seals reads every nested part that is read later.
        minbft.seals(message);
        return encodeMessage(message);
      },
    },
    {
      name: 'sealed draft',
      seeds: of('draft'),
      decode: (bytes) => same(decodeDraft(context, bytes), (draft) => encodeDraft(context, draft).bytes),
    },
    {
      name: 'evidence record',
      seeds: evidenceOf(
        context,
        of('message').map((bytes) => decodeMessage(context, bytes)),
      ),
      decode: (bytes) => (verifyEvidence(decodeContext, bytes) === undefined ? undefined : 'accepted'),
    },
  ];
}

/** Proofs of double proposals, made of real PREPAREs. */
function evidenceOf(context: StreamContext, messages: readonly (MinbftMessage | undefined)[]): Uint8Array[] {
  return messages
    .filter((message) => message?.kind === 'PREPARE')
    .slice(0, 12)
    .map((first) => {
      const content: PrepareContent = first;
      const second = completeDraft(context, content, { ...first.ui, counter: first.ui.counter + 1 });
      return encodeProof({ kind: 'doubleProposal', first, second });
    });
}

function clientTargets(settings: ClusterSettings, of: Samples): Target[] {
  const domain = domainOf(settings);
  const operations: readonly KvOperation[] = [
    { kind: 'put', key: text('k'), value: text('value') },
    { kind: 'get', key: text('key/1') },
    { kind: 'delete', key: text('k') },
    { kind: 'compareAndSwap', key: text('k'), expected: undefined, value: text('v') },
    { kind: 'compareAndSwap', key: text('k'), expected: text('old'), value: text('v') },
    { kind: 'list', prefix: text('k'), startAfter: text('k1'), limit: 10 },
  ];
  const wrapped = operations.map((operation) =>
    encodeOperation({
      kind: 'app',
      idempotencyKey: text('order-1'),
      operation: encodeKvOperation(operation),
    }),
  );
  return [
    {
      name: 'client frame',
      seeds: [...of('clientFrame'), ...moreClientFrames()],
      decode: (bytes) => same(decodeClientFrame(bytes), encodeClientFrame),
    },
    {
      name: 'replica frame to a client',
      seeds: [...of('replicaFrame'), ...speculativeReplies(of('replicaFrame'))],
      decode: (bytes) => same(decodeReplicaFrame(bytes), encodeReplicaFrame),
    },
    {
      name: 'client bundle',
      seeds: of('bundle'),
      decode: (bytes) =>
        same(decodeBundle(modelHash, domain, bytes), (bundle) => encodeBundle(bundle, bundle.signature)),
    },
    {
      name: 'batch body',
      seeds: of('body'),
      decode: (bytes) =>
        same(decodeBatch(modelHash, domain, bytes, 4096), (batch) =>
          encodeBatch({ ...batch, bundles: batch.bundles.map((bundle) => bundle.bytes) }),
        ),
    },
    {
      name: 'ledger operation',
      seeds: [
        ...wrapped,
        encodeOperation({ kind: 'noop' }),
        encodeOperation({ kind: 'open', nonce: new Uint8Array(16), validUntil: 9_000, window: 64 }),
        encodeOperation({
          kind: 'register',
          clientKey: new Uint8Array(32).fill(3),
          organisation: 'org',
          role: 'admin',
        }),
      ],
      decode: (bytes) => same(decodeOperation(bytes), encodeOperation),
    },
    {
      name: 'key-value operation',
      seeds: operations.map(encodeKvOperation),
      decode: (bytes) => {
        const decoded = decodeKvOperation(bytes);
        return decoded.ok ? encodeKvOperation(decoded.operation) : undefined;
      },
    },
    {
      name: 'key-value result',
      seeds: [
        encodeKvResult({ kind: 'put', existed: true }),
        encodeKvResult({ kind: 'value', value: text('v') }),
        encodeKvResult({ kind: 'mismatch', current: text('c') }),
        encodeKvResult({ kind: 'page', entries: [{ key: text('a'), value: text('b') }], next: text('a') }),
      ],
      decode: (bytes) => same(decodeKvResult(bytes), encodeKvResult),
    },
    {
      name: 'ledger result',
      seeds: [okResult(text('x')), errorResult('openExpired')],
      decode: (bytes) => same(decodeResult(bytes), encodeResult),
    },
    {
      name: 'opened session',
      seeds: [openedResult({ session: 4, window: 64 }).slice(1)],
      decode: (bytes) => same(decodeOpened(bytes), (opened) => openedResult(opened).slice(1)),
    },
  ];
}

function storeTargets(corpus: Corpus, of: Samples): Target[] {
  const { settings } = corpus;
  const context = createStreamContext(settings, modelHash, domainOf(settings), 'minbft');
  const values = new Map<string, Uint8Array[]>();
  const recovers: Uint8Array[] = [];
  for (const bytes of of('record')) {
    const record = decodeRecord(bytes);
    if (record?.kind === 'renewed') recovers.push(record.recover);
    if (record?.kind !== 'store') continue;
    for (const { value } of record.entries)
      if (value !== undefined) values.set('stored', [...(values.get('stored') ?? []), value].slice(-60));
  }
  const stored = values.get('stored') ?? [];
  const accepted = (value: unknown): Verdict => (value === undefined ? undefined : 'accepted');
  return [
    {
      name: 'journal record',
      seeds: of('record'),
      decode: (bytes) => same(decodeRecord(bytes), encodeRecord),
    },
    {
      name: 'snapshot meta',
      seeds: of('snapshotMeta'),
      decode: (bytes) => same(decodeSnapshotMeta(bytes), encodeSnapshotMeta),
    },
    {
      name: 'protocol state (registry)',
      seeds: of('protocolState'),
      decode: (bytes) => same(decodeRegistry(bytes, settings.members.length), encodeRegistry),
    },
    {
      name: 'RECOVER request',
      seeds: recovers,
      decode: (bytes) =>
        same(decodeWhole(bytes, readRecover), (request) => {
          const writer = new Writer(512);
          writeRecover(writer, request);
          return writer.finish();
        }),
    },
    {
      name: 'durable values of the protocol',
      seeds: stored,
      decode: (bytes) => {
        const readers = [decodeStable, decodeLink, decodeViewChanges, decodeProof, decodeWhy] as const;
        return accepted(readers.map((read) => read(context, bytes)).find((value) => value !== undefined));
      },
    },
    {
      name: 'durable boundary',
      seeds: stored,
      decode: (bytes) =>
        same(decodeLast(bytes), (boundary) => encodeLast(boundary.checkpoint.sequence, boundary)),
    },
    {
      name: 'durable flags',
      seeds: [encodeFlags([true, false], [false]), encodeFlags([], [])],
      decode: (bytes) => same(decodeFlags(bytes), ({ bundles, recovers: r }) => encodeFlags(bundles, r)),
    },
  ];
}

function trustedTargets(of: Samples): Target[] {
  const digest = 'ab'.repeat(32) as never;
  const epoch = '0102030405060708' as never;
  const identity = {
    program: 'usig',
    measurement: digest,
    suite: 'ed25519',
    tcId: '11'.repeat(16),
    tcEpoch: epoch,
    publicKey: '22'.repeat(32),
    persistent: true,
    counter: 7,
  } as const;
  const authenticator = new Uint8Array(64).fill(9);
  const responses: readonly TrustedResponse[] = [
    { op: 'identify', identity },
    { op: 'renew', identity },
    { op: 'certify', tcEpoch: epoch, previous: 6, value: 7, digest, authenticator },
    { op: 'recent', certificates: [{ counter: 7, digest, authenticator, core: text('core') }] },
    { op: 'verify', valid: true },
    { op: 'attest', evidence: text('evidence') },
    { op: 'error', code: 'STORAGE', message: 'disk' },
  ];
  const statement = {
    kind: 1,
    suite: 'ed25519',
    flags: 0,
    tcId: '11'.repeat(16),
    tcEpoch: epoch,
    objectId: '00'.repeat(8),
    previous: 6,
    value: 7,
    digest,
  } as const;
  const evidence = {
    platform: 'process',
    measurement: digest,
    suite: 'ed25519',
    tcId: '11'.repeat(16),
    tcEpoch: epoch,
    publicKey: '22'.repeat(32),
    challenge: digest,
    authenticator,
  } as const;
  return [
    {
      name: 'request to a trusted component',
      seeds: of('trustedRequest'),
      decode: (bytes) => same(decodeTrustedRequest(bytes), encodeTrustedRequest),
    },
    {
      name: 'answer of a trusted component',
      seeds: responses.map(encodeTrustedResponse),
      decode: (bytes) => same(decodeTrustedResponse(bytes), encodeTrustedResponse),
    },
    {
      name: 'record of the USIG program',
      seeds: [encodeUsigRecord({ tcEpoch: epoch, counter: 7, digest, core: text('core') })],
      decode: (bytes) => same(decodeUsigRecord(bytes), encodeUsigRecord),
    },
    {
      name: 'TCS1 statement',
      seeds: [encodeStatement(statement)],
      decode: (bytes) => same(decodeStatement(bytes), encodeStatement),
    },
    {
      name: 'attestation evidence',
      seeds: [encodeEvidence(evidence)],
      decode: (bytes) => same(decodeEvidence(bytes), encodeEvidence),
    },
  ];
}

function ledgerTargets(corpus: Corpus, of: Samples): Target[] {
  return [
    {
      name: 'block',
      seeds: of('block'),
      decode: (bytes) =>
        same(
          decodeBlock(modelHash, bytes),
          ({ header, transactions }) => makeBlock(modelHash, header, transactions).bytes,
        ),
    },
    {
      name: 'block header',
      seeds: corpus.blocks.map(({ header }) => encodeHeader(header)),
      decode: (bytes) => same(decodeHeader(bytes), encodeHeader),
    },
    {
      name: 'reply evidence',
      seeds: [
        encodeReplyEvidence({
          ...domainOf(corpus.settings),
          session: 4,
          number: 2,
          wrong: { content: text('content'), signature: new Uint8Array(64) },
          right: [{ content: text('content'), signature: new Uint8Array(64) }],
        }),
      ],
      decode: (bytes) => same(decodeReplyEvidence(bytes), encodeReplyEvidence),
    },
  ];
}

function documentTargets({ settings }: Corpus): Target[] {
  const { receipt, trust, crypto } = genuineReceipt();
  const document = {
    clusterId: settings.clusterId,
    replica: 1,
    rule: 'doubleProposal',
    foundBy: 2,
    atMs: 12,
    bytes: text('evidence'),
  } as const;
  const parsed = (value: string): unknown => {
    try {
      return JSON.parse(value);
    } catch {
      return undefined;
    }
  };
  return [
    {
      name: 'receipt',
      seeds: [text(encodeReceipt(receipt))],
      decode: (bytes) => same(parseReceipt(utf8(bytes)), (value: Receipt) => text(encodeReceipt(value))),
    },
    {
      name: 'receipt, verified',
      seeds: [text(encodeReceipt(receipt))],
      decode: (bytes) => {
        const verdict = verifyReceipt(utf8(bytes), trust, crypto);
        // Only the genuine text may verify; it is what comes back.
        return verdict.valid ? text(encodeReceipt(receipt)) : undefined;
      },
    },
    {
      name: 'trust file',
      weight: 0.1,
      seeds: [text(encodeTrust(trust))],
      decode: (bytes) => (parseTrust(utf8(bytes)) === undefined ? undefined : 'accepted'),
    },
    {
      name: 'evidence file',
      seeds: [text(encodeEvidenceDocument(document))],
      decode: (bytes) => (parseEvidenceDocument(utf8(bytes)) === undefined ? undefined : 'accepted'),
    },
    {
      name: 'cluster file',
      seeds: [text(JSON.stringify(settings))],
      decode: (bytes) => {
        const outcome = parseClusterSettings(parsed(utf8(bytes)));
        return 'settings' in outcome ? 'accepted' : undefined;
      },
    },
    {
      name: 'JSON body of a request',
      seeds: [text('{"op":"put","key":"k","value":{"base64":"AAE="}}'), text('{"expected":"2","value":"3"}')],
      decode: (bytes) => (parseObject(bytes) === undefined ? undefined : 'accepted'),
    },
  ];
}

/** For messages about a failure. */
export function shown(bytes: Uint8Array): string {
  return `${bytes.length} bytes ${bytesToHex(bytes.subarray(0, 256))}${bytes.length > 256 ? '…' : ''}`;
}
