/** What a journal says about own attested messages: contents, the words of objects, what is trimmed. */
import type { Attestor } from '../core/attestation.ts';
import type { Digest } from '../core/types.ts';
import { encodeRecord } from './records.ts';
import type { JournalRecord, ObjectValue, ObjectWord } from './records.ts';

/** An own message for which somebody was or is to be asked to vouch. */
export interface OwnAttested {
  readonly id: number;
  readonly digest: Digest;
  readonly draft: Uint8Array;
  readonly by: Attestor;
  /** Of an object only: links need no word, and a host's signature is made again. */
  word: ObjectWord | undefined;
}

/** Records of this part. */
export type AttestedRecord = Extract<
  JournalRecord,
  { readonly kind: 'attest' | 'word' | 'refused' | 'trimAttested' | 'behind' | 'newest' }
>;

/** See the top of this file. */
export class AttestedImage {
  /** Ascending by number. */
  readonly messages = new Map<number, OwnAttested>();
  /** Newest word of all objects that is known: a component that does not know it was rolled back. */
  newest: ObjectValue | undefined;
  /** Whether the component had spoken before this store began. */
  isBehind = false;
  /** Highest number that was ever used here. */
  last = 0;

  /** Replays one record, or takes note of one that is being written. */
  take(record: AttestedRecord): void {
    switch (record.kind) {
      case 'attest': {
        const { id, digest, draft, by } = record;
        this.messages.set(id, { id, digest, draft, by, word: undefined });
        this.last = Math.max(this.last, id);
        break;
      }
      case 'word': {
        const message = this.messages.get(record.id);
        if (message !== undefined) message.word = record.word;
        const { object, form, value } = record.word;
        this.newest = { object, form, value };
        break;
      }
      case 'refused':
        this.messages.delete(record.id);
        break;
      case 'trimAttested':
        // The newest one stays, so that numbers go on after a restart.
        for (const id of this.messages.keys())
          if (id < record.below && id !== this.last) this.messages.delete(id);
        break;
      case 'behind':
        this.isBehind = true;
        break;
      case 'newest': {
        const { object, form, value } = record;
        this.newest = { object, form, value };
        break;
      }
    }
  }

  /** Whether nothing was ever written. */
  isEmpty(): boolean {
    return this.messages.size === 0 && this.last === 0 && this.newest === undefined && !this.isBehind;
  }

  /** Records of a new journal with the same meaning. */
  toRecords(): Uint8Array[] {
    const records: Uint8Array[] = [];
    if (this.isBehind) records.push(encodeRecord({ kind: 'behind' }));
    for (const { word, ...message } of this.messages.values()) {
      records.push(encodeRecord({ kind: 'attest', ...message }));
      if (word !== undefined) records.push(encodeRecord({ kind: 'word', id: message.id, word }));
    }
    if (this.newest !== undefined) records.push(encodeRecord({ kind: 'newest', ...this.newest }));
    return records;
  }
}
