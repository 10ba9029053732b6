/**
 * Opens a damaged copy of a state store for each offset given, in turn, and says on one line each what came of it:
 * OFFSET right | refused SENTENCE | wrong WHAT. A process of its own, for LMDB may end it.
 * Arguments: sound folder, folder for copies, size of the store, offsets.
 */
import fs from 'node:fs';
import path from 'node:path';
import { StateStore } from '../../src/node/state-store.ts';

const [sound = '', copies = '', count = '0', ...offsets] = process.argv.slice(2);

function outcomeOf(folder: string): string {
  const store = new StateStore({
    folder,
    durable: true,
    checkpointInterval: 10,
    beforeSnapshot: () => Promise.resolve(true),
    onStored: () => undefined,
    onFatal: () => undefined,
  });
  const snapshot = store.load();
  if (snapshot === undefined) return 'wrong: no snapshot, as if it were a new store';
  for (let index = 0; index < Number(count); index += 1)
    if (!Buffer.alloc(40, index & 255).equals(snapshot.chunk(index))) return `wrong: chunk ${index}`;
  return snapshot.meta.join() === '1,2,3' ? 'right' : 'wrong: meta';
}

for (const offset of offsets) {
  const folder = path.join(copies, offset);
  fs.cpSync(sound, folder, { recursive: true });
  const file = path.join(folder, 'data.mdb');
  const bytes = fs.readFileSync(file);
  for (let at = Number(offset); at < Number(offset) + 8; at += 1) bytes[at]! ^= 0xff;
  fs.writeFileSync(file, bytes);
  let outcome: string;
  try {
    outcome = outcomeOf(folder);
  } catch (error) {
    outcome = `${(error as Error).name === 'StoreDamaged' ? 'refused' : 'threw'} ${(error as Error).message}`;
  }
  fs.writeSync(1, `${offset} ${outcome}\n`);
}
process.exit(0);
