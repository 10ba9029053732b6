/**
 * How messages of each protocol on attested messages are written, and who vouches for what: what a liar has to know to
 * say something of its own that others read as a message of a correct replica.
 */
import type { Attestor } from '../../core/attestation.ts';
import type { CounterValue } from '../../core/types.ts';
import { attestorOf as attestorOfA2m, EA_MESSAGES } from '../../protocols/a2m-pbft-ea/messages.ts';
import { EXECUTION_LOG, EXECUTION_MESSAGES } from '../../protocols/a2m-pbft-e/messages.ts';
import { counterAt } from '../../protocols/cheapbft/instances.ts';
import { CHEAP_MESSAGES } from '../../protocols/cheapbft/messages.ts';
import { counterFor, FLEXI_MESSAGES } from '../../protocols/flexi-bft/messages.ts';
import { PBFT_MESSAGES } from '../../protocols/pbft/messages.ts';
import { MAC_MESSAGES } from '../../protocols/pbft-mac/messages.ts';
import { attestorOf as attestorOfTrinc, RE_MESSAGES } from '../../protocols/reminbft/messages.ts';
import { REPBFT_MESSAGES } from '../../protocols/repbft/messages.ts';
import { ZYZZYVA_MESSAGES } from '../../protocols/zyzzyva/messages.ts';
import type { Content, SealedCodecOptions } from '../../smr/attested/sealed.ts';

/** What the one who is to vouch depends on beside the content. */
export interface Speaker {
  /** Number of replicas. */
  readonly n: number;
  /** Value that an object of the own component last gave; 0 if none. */
  readonly lastValue: (object: string) => CounterValue;
}

/** The language of one protocol. */
export interface Tongue {
  readonly options: SealedCodecOptions<Content>;
  /** Who has to vouch for a content; undefined if nobody can. */
  attestorOf(content: Content, speaker: Speaker): Attestor | undefined;
}

type AttestorRule<C extends Content> = (content: C, speaker: Speaker) => Attestor | undefined;

const HOST: Attestor = { kind: 'host' };
const LINK: Attestor = { kind: 'link' };

function tongue<C extends Content>(options: SealedCodecOptions<C>, attestorOf: AttestorRule<C>): Tongue {
  return { options, attestorOf } as unknown as Tongue;
}

/** All but some kinds are signed. */
function signedBut(...kinds: readonly string[]): (content: Content) => Attestor {
  return ({ kind }) => (kinds.includes(kind) ? LINK : HOST);
}

const TONGUES: Readonly<Record<string, Tongue>> = {
  pbft: tongue(PBFT_MESSAGES, signedBut()),
  'pbft-mac': tongue(MAC_MESSAGES, () => LINK),
  zyzzyva: tongue(ZYZZYVA_MESSAGES, signedBut('FILL-HOLE', 'POM', 'LOCAL-COMMIT')),
  repbft: tongue(REPBFT_MESSAGES, signedBut('UPDATE', 'UPDATE-PART', 'UPDATE-FETCH')),
  'a2m-pbft-e': tongue(EXECUTION_MESSAGES, (content) =>
    content.kind === 'EXECUTED'
      ? { kind: 'object', object: EXECUTION_LOG, form: 'log', mode: 'strict', value: content.sequence }
      : signedBut('HISTORY', 'HISTORY-REQUEST')(content),
  ),
  'a2m-pbft-ea': tongue(EA_MESSAGES, attestorOfA2m),
  reminbft: tongue(RE_MESSAGES, attestorOfTrinc),
  cheapbft: tongue(CHEAP_MESSAGES, (content, { lastValue }) => {
    switch (content.kind) {
      case 'PREPARE':
      case 'COMMIT':
        return counterAt('tiny', content.instance, content.offset);
      case 'HISTORY': {
        const counter = counterAt('tiny', content.instance, 1);
        return { ...counter, value: lastValue(counter.object) + 1 };
      }
      case 'PANIC':
      case 'CHECKPOINT':
        return HOST;
      case 'DRAFT':
        return undefined;
      default:
        return LINK;
    }
  }),
  'flexi-bft': tongue(FLEXI_MESSAGES, (content, { n }) =>
    content.kind === 'PREPREPARE' ? counterFor(content.view, content.sequence, n) : HOST,
  ),
};

/** The language of a protocol; undefined for those on streams of a USIG. */
export function tongueOf(protocol: string): Tongue | undefined {
  return TONGUES[protocol];
}
