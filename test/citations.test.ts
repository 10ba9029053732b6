/** What pages and comments lean on stands in this repository: cited decisions exist, and no paper of ours is meant that is not here. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const SELF = 'test/citations.test.ts';

/** Text files of the repository that people read: code, pages, scripts, scenarios. */
function texts(): (readonly [path: string, text: string])[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  });
  return listed
    .split('\0')
    .filter((path) => /\.(ts|md|mjs|txt|qnt)$/.test(path) && path !== SELF && !path.startsWith('dist/'))
    .filter((path) => existsSync(join(root, path)))
    .map((path) => [path, readFileSync(join(root, path), 'utf8')] as const);
}

test('every decision that is cited stands on the page of decisions', () => {
  const page = readFileSync(join(root, 'docs/decisions/design.md'), 'utf8');
  const known = new Set([...page.matchAll(/^- \*\*([A-EW]\d+)\b/gm)].map(([, id]) => id!));
  assert.ok(known.size > 40);
  const unknown: string[] = [];
  let cited = 0;
  for (const [path, text] of texts())
    for (const [, list] of text.matchAll(
      /\bdecisions?\s+(?:\*\s+)?\[?([A-EW]\d+(?:(?:, | and | to )[A-EW]\d+)*)/gi,
    ))
      for (const id of list!.split(/, | and | to /)) {
        cited += 1;
        if (!known.has(id)) unknown.push(`${path}: ${id}`);
      }
  assert.ok(cited > 150);
  assert.deepEqual(unknown, []);
});

test('nothing refers to a sheet that is not here', () => {
  const found = texts().flatMap(([path, text]) =>
    text
      .split('\n')
      .flatMap((line, at) =>
        /\bsheets?\b|\bdesign notes\b|\bcommon-smr\b|"Reboot/i.test(line)
          ? [`${path}:${at + 1}: ${line.trim()}`]
          : [],
      ),
  );
  assert.deepEqual(found, []);
});
