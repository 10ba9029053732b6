/** A cpio archive (format "newc") as the kernel unpacks it at its start: same entries, same bytes. */

/** One file or folder. */
export interface ArchiveEntry {
  /** Without leading slash. */
  readonly path: string;
  /** Absent: a folder. */
  readonly content?: Uint8Array;
  readonly executable?: boolean;
}

const FOLDER = 0o040555;
const FILE = 0o100444;
const PROGRAM = 0o100555;

const padding = (length: number): Buffer => Buffer.alloc((4 - (length % 4)) % 4);

function member(number: number, mode: number, path: string, content: Uint8Array): Buffer {
  const name = Buffer.from(`${path}\0`, 'latin1');
  // inode, mode, owner, group, links, time, size, device (2), device of a device file (2), length of the name, unused
  const fields = [number, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
  const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
  return Buffer.concat([
    Buffer.from(head, 'latin1'),
    name,
    padding(head.length + name.length),
    content,
    padding(content.length),
  ]);
}

/** Bytes of the archive. Folders come before what lies in them. */
export function packArchive(entries: readonly ArchiveEntry[]): Buffer {
  const members = entries.map(({ path, content, executable }, index) => {
    const mode = content === undefined ? FOLDER : executable === true ? PROGRAM : FILE;
    return member(index + 1, mode, path, content ?? new Uint8Array(0));
  });
  return Buffer.concat([...members, member(0, 0, 'TRAILER!!!', new Uint8Array(0))]);
}
