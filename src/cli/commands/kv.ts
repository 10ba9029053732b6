/** `put`, `get`, `del`, `cas`, `list`: the key-value store through the gateway. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { readFileSync } from 'node:fs';
import { CommandFailure, EXIT, messageOf, usageFailure } from '../failure.ts';
import { callGateway, callGatewayJson, keyPath } from '../gateway-client.ts';
import { wholeNumber, withGateway, withJson } from '../options.ts';
import type { ClusterOptions } from '../options.ts';
import { keyText, printBytes, printJson, printLine, shortDigest } from '../output.ts';

type Options = ClusterOptions & { readonly json?: boolean };

/** What every write answers. */
interface Written {
  readonly txId: string;
  readonly height: number;
  readonly sequence: number;
  readonly existed?: boolean;
}

interface JsonBytes {
  readonly text?: string;
  readonly base64: string;
}

function textOf(bytes: JsonBytes): string {
  return bytes.text ?? `base64:${bytes.base64}`;
}

/** The value of an argument: `-` is standard input, `@file` a file, anything else the text itself. */
function valueOf(argument: string): Uint8Array {
  const path = argument === '-' ? 0 : argument.startsWith('@') ? argument.slice(1) : undefined;
  if (path === undefined) return new TextEncoder().encode(argument);
  try {
    return readFileSync(path);
  } catch (error) {
    throw new CommandFailure(`Cannot read the value: ${messageOf(error)}`);
  }
}

function idempotencyHeader(key: string | undefined): Readonly<Record<string, string>> {
  return key === undefined ? {} : { 'idempotency-key': key };
}

function printWritten(options: Options, written: Written, what: string): void {
  if (options.json === true) printJson(written);
  else
    printLine(
      `${what} in block ${written.height} (sequence ${written.sequence}), transaction ${written.txId}`,
    );
}

async function put(
  key: string,
  value: string,
  options: Options & { idempotencyKey?: string },
): Promise<void> {
  const body = valueOf(value);
  const headers = {
    'content-type': 'application/octet-stream',
    ...idempotencyHeader(options.idempotencyKey),
  };
  const written = await callGatewayJson<Written>(options, {
    method: 'PUT',
    path: keyPath(key),
    body,
    headers,
  });
  printWritten(options, written, written.existed === true ? 'replaced' : 'written');
}

async function get(key: string, options: Options & { consistency?: string }): Promise<void> {
  const query = options.consistency === undefined ? '' : `?consistency=${options.consistency}`;
  const response = await callGateway(options, { path: `${keyPath(key)}${query}`, accept: [404] });
  if (response.status === 404) throw new CommandFailure(`There is no value under "${key}".`);
  const value = new Uint8Array(await response.arrayBuffer());
  if (options.json === true) {
    const sequence = Number(response.headers.get('moiety-sequence') ?? 0);
    printJson({ key, value: bytesJson(value), sequence, read: response.headers.get('moiety-read') });
    return;
  }
  printBytes(value);
  // A shell prompt on the line of the value helps nobody; a pipe gets the bytes and nothing else.
  if (process.stdout.isTTY) printLine();
}

function bytesJson(bytes: Uint8Array): JsonBytes {
  const base64 = Buffer.from(bytes).toString('base64');
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes), base64 };
  } catch {
    return { base64 };
  }
}

async function remove(key: string, options: Options): Promise<void> {
  const written = await callGatewayJson<Written>(options, { method: 'DELETE', path: keyPath(key) });
  printWritten(options, written, written.existed === true ? 'deleted' : 'there was no value; ordered');
}

interface Swapped extends Written {
  readonly swapped: boolean;
  readonly current?: JsonBytes | null;
}

function jsonValue(bytes: Uint8Array): { readonly base64: string } {
  return { base64: Buffer.from(bytes).toString('base64') };
}

async function compareAndSwap(
  key: string,
  expected: string,
  value: string,
  options: Options & { absent?: boolean },
): Promise<void> {
  const body = JSON.stringify({
    op: 'cas',
    key: jsonValue(new TextEncoder().encode(key)),
    ...(options.absent === true ? {} : { expected: jsonValue(valueOf(expected)) }),
    value: jsonValue(valueOf(value)),
  });
  const headers = { 'content-type': 'application/json' };
  const swapped = await callGatewayJson<Swapped>(options, { method: 'POST', path: '/v1/tx', body, headers });
  if (options.json === true) printJson(swapped);
  if (swapped.swapped) {
    if (options.json !== true) printWritten(options, swapped, 'swapped');
    return;
  }
  if (options.json === true) process.exitCode = EXIT.failed;
  else
    throw new CommandFailure(
      swapped.current === null || swapped.current === undefined
        ? `Not swapped: there is no value under "${key}".`
        : `Not swapped: the value is ${textOf(swapped.current)}.`,
    );
}

interface Page {
  readonly entries: readonly { readonly key: string; readonly value: JsonBytes }[];
  readonly next: string | null;
  readonly sequence: number;
}

/** `next` and `after` are percent-encoded already. */
async function list(
  prefix: string | undefined,
  options: Options & { limit?: number; keys?: boolean },
): Promise<void> {
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  let after: string | null = null;
  do {
    const query = [`prefix=${encodeURIComponent(prefix ?? '')}`, `limit=${Math.min(left, 500)}`];
    if (after !== null) query.push(`after=${after}`);
    const page: Page = await callGatewayJson<Page>(options, { path: `/v1/kv?${query.join('&')}` });
    for (const { key, value } of page.entries) {
      if (options.json === true) printJson(options.keys === true ? { key } : { key, value });
      else printLine(options.keys === true ? keyText(key) : `${keyText(key)}\t${textOf(value)}`);
    }
    left -= page.entries.length;
    after = page.next;
  } while (after !== null && left > 0);
}

/** Body of `submit`: one JSON operation from an argument, a file or standard input. */
async function submit(
  operation: string,
  options: Options & { idempotencyKey?: string; bundle?: boolean },
): Promise<void> {
  const body = valueOf(operation);
  const type = options.bundle === true ? 'application/vnd.moiety.bundle' : 'application/json';
  const headers = { 'content-type': type, ...idempotencyHeader(options.idempotencyKey) };
  const written = await callGatewayJson<Written>(options, { method: 'POST', path: '/v1/tx', body, headers });
  if (options.json === true) printJson(written);
  else
    printLine(
      `executed in block ${written.height} (sequence ${written.sequence}), transaction ${shortDigest(written.txId)}…: ${JSON.stringify(written)}`,
    );
}

function addWrites(program: Command): void {
  withJson(withGateway(program.command('put')))
    .summary('write a value')
    .description('Writes a value. "-" reads it from standard input, "@file" from a file.')
    .argument('<key>')
    .argument('<value>')
    .option('--idempotency-key <key>', 'the same key is executed once')
    .addHelpText('after', '\nExamples:\n  moiety put hello world\n  moiety put picture @cat.png\n')
    .action(put);
  withJson(withGateway(program.command('del')))
    .summary('delete a value')
    .description('Deletes the value of a key.')
    .argument('<key>')
    .addHelpText('after', '\nExample:\n  moiety del hello\n')
    .action(remove);
  withJson(withGateway(program.command('cas')))
    .summary('write a value only if the present one is as expected')
    .description('Compare-and-swap. Exit code 1 if the present value is another one.')
    .argument('<key>')
    .argument('<expected>', 'present value; with --absent give ""')
    .argument('<value>')
    .option('--absent', 'only if there is no value yet')
    .addHelpText(
      'after',
      '\nExamples:\n  moiety cas hello world moon\n  moiety cas --absent hello "" world\n',
    )
    .action((key: string, expected: string, value: string, options: Options & { absent?: boolean }) => {
      if (options.absent === true && expected !== '')
        throw usageFailure('With --absent the expected value must be "".');
      return compareAndSwap(key, expected, value, options);
    });
  withJson(withGateway(program.command('submit')))
    .summary('order one JSON operation')
    .description(
      'Orders one operation of POST /v1/tx. "-" reads it from standard input, "@file" from a file.',
    )
    .argument('<operation>')
    .option('--idempotency-key <key>', 'the same key is executed once')
    .option('--bundle', 'the operation is a bundle that its client signed')
    .addHelpText('after', '\nExample:\n  moiety submit \'{"op":"put","key":"a","value":"1"}\'\n')
    .action(submit);
}

/** Adds the commands. */
export function addKv(program: Command): void {
  addWrites(program);
  withJson(withGateway(program.command('get')))
    .summary('read a value')
    .description('Prints the value of a key, byte for byte. Exit code 1 if there is none.')
    .argument('<key>')
    .addOption(
      new Option('--consistency <level>', "replica: one replica's word, may be stale or wrong").choices([
        'linearizable',
        'replica',
      ]),
    )
    .addHelpText('after', '\nExample:\n  moiety get hello\n')
    .action(get);
  withJson(withGateway(program.command('list')))
    .summary('list entries by prefix')
    .description('Lists entries in byte order of their keys: key, tab, value. With --json one object a line.')
    .argument('[prefix]')
    .addOption(new Option('--limit <count>', 'entries, at most').argParser(wholeNumber(1, 1_000_000_000)))
    .option('--keys', 'keys only')
    .addHelpText('after', '\nExample:\n  moiety list user/ --limit 20\n')
    .action(list);
}
