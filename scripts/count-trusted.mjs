// Size of the trusted programs: lines of source that are neither blank nor comment, in all files that a program is made
// of, and bytes of its module. `node scripts/count-trusted.mjs` prints them, `--write` puts them into docs/trusted/; a
// test compares.
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { programNames } from './build-trusted.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const PROGRAMS = 'src/trusted/programs/assembly';

/** Files that a program is made of, its own first. */
export function filesOf(program) {
  const files = [`${PROGRAMS}/${program}.ts`];
  for (const file of files) {
    for (const [, path] of readFileSync(join(root, file), 'utf8').matchAll(/from '(\.[^']+)'/g)) {
      const next = `${normalize(join(dirname(file), path))}.ts`;
      if (!files.includes(next)) files.push(next);
    }
  }
  return files;
}

/** Lines of a file that are neither blank nor comment. */
function linesOf(file) {
  const text = readFileSync(join(root, file), 'utf8').replaceAll(/\/\*[^]*?\*\//g, '');
  return text.split('\n').filter((line) => !/^\s*(\/\/.*)?$/.test(line)).length;
}

function countOf(program) {
  const files = filesOf(program);
  const lines = files.reduce((sum, file) => sum + linesOf(file), 0);
  return { files: files.length, lines, bytes: statSync(join(root, `trusted/${program}.wasm`)).size };
}

/** What a page says about the size of its program. */
export function sizeLine(program) {
  const { files, lines, bytes } = countOf(program);
  return `Size: ${lines} lines of source in ${files} files, a module of ${bytes} bytes.`;
}

/** The page that compares all programs, as it must be: the sizes in its table are counted. */
export function comparison(text) {
  return text.replaceAll(
    /^(\| \[([a-z0-9-]+)\]\(trusted\/.*?\| )\d+ lines, \d+ bytes/gm,
    (_row, before, program) => {
      const { lines, bytes } = countOf(program);
      return `${before}${lines} lines, ${bytes} bytes`;
    },
  );
}

/** Path of that page. */
export const COMPARISON_PAGE = join(root, 'docs/trusted-components.md');

/** The sentence in a page that `sizeLine` is compared with. */
export const SIZE_PATTERN = /^Size: \d+ lines of source in \d+ files, a module of \d+ bytes\.$/m;

/** Programs that have a page, with the path of it. */
export function pages() {
  return programNames()
    .map((program) => ({ program, path: join(root, `docs/trusted/${program}.md`) }))
    .filter(({ path }) => existsSync(path));
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const program of programNames()) console.log(`${program}: ${sizeLine(program)}`);
  if (process.argv[2] === '--write') {
    for (const { program, path } of pages()) {
      const text = readFileSync(path, 'utf8');
      writeFileSync(path, text.replace(SIZE_PATTERN, sizeLine(program)));
    }
    writeFileSync(COMPARISON_PAGE, comparison(readFileSync(COMPARISON_PAGE, 'utf8')));
  }
}
