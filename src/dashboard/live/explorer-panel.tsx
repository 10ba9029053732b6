/** The latest blocks, and the search. Blocks are asked for only while this part is in sight. */
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { useCluster, useShared } from './context.tsx';
import { askBlock, operationWords, provenHeight } from './ledger.ts';
import type { BlockView } from './ledger.ts';
import { SearchForm } from './ledger-parts.tsx';
import { clockText } from './live-scene.ts';
import { wholeText } from './rates.ts';

const ROWS = 8;
/** New blocks are asked for at most so often. */
const ASK_MS = 2_000;
/** So often it is looked whether there are any. */
const LOOK_MS = 500;

function useIsInSight(): { readonly box: { current: HTMLElement | null }; readonly isInSight: boolean } {
  const box = useRef<HTMLElement>(null);
  const [isInSight, setInSight] = useState(false);
  useEffect(() => {
    const observer = new IntersectionObserver((entries) => {
      setInSight(entries.at(-1)?.isIntersecting === true);
    });
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  return { box, isInSight };
}

/** The latest blocks up to `highest`, newest first. */
function useLatestBlocks(highest: number, isWanted: boolean): readonly BlockView[] {
  const { client } = useShared();
  const [blocks, setBlocks] = useState<readonly BlockView[]>([]);
  const wanted = useRef(highest);
  wanted.current = highest;
  const known = useRef(blocks);
  known.current = blocks;
  useEffect(() => {
    if (!isWanted) return;
    let isLeft = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async (top: number): Promise<void> => {
      const heights = Array.from({ length: Math.min(ROWS, top) }, (_, index) => top - index);
      const found = await Promise.all(
        heights.map(async (height) => {
          const old = known.current.find((block) => block.height === height);
          if (old !== undefined) return old;
          const answer = await askBlock(client, height);
          return 'found' in answer ? answer.found : undefined;
        }),
      );
      if (isLeft) return;
      setBlocks(found.filter((block) => block !== undefined));
      timer = setTimeout(next, ASK_MS);
    };
    let before = 0;
    const next = (): void => {
      // Signatures of a header come a little later than its block: what was there at the last look can be asked for.
      const top = Math.min(before, wanted.current);
      before = wanted.current;
      if (top > 0 && known.current[0]?.height !== top) void ask(top);
      else timer = setTimeout(next, LOOK_MS);
    };
    next();
    return () => {
      isLeft = true;
      clearTimeout(timer);
    };
  }, [client, isWanted]);
  return blocks;
}

function what({ transactions }: BlockView): string {
  const first = transactions[0];
  if (first === undefined) return '–';
  return transactions.length === 1 ? operationWords(first) : `${operationWords(first)}, …`;
}

function hintOf(highest: number, shown: number): string {
  if (highest === 0 && shown > 0) return 'The blocks read last: too few replicas answer to prove newer ones.';
  if (highest === 0) return 'No blocks yet: write something.';
  return shown === 0 ? 'Reading the latest blocks …' : 'Click on a block to see what is in it.';
}

/** See the top of this file. */
export function ExplorerPanel(): JSX.Element {
  const { box, isInSight } = useIsInSight();
  const { status, connection } = useCluster();
  const highest = provenHeight(status?.replicas ?? [], status?.f ?? 0);
  const blocks = useLatestBlocks(highest, isInSight && connection.state === 'live');
  const empty = Math.max(0, ROWS - blocks.length);
  return (
    <section class="card" aria-labelledby="ledger" ref={box}>
      <h2 id="ledger">Ledger</h2>
      <SearchForm />
      <div class="scroll-x" tabIndex={0} role="region" aria-label="Latest blocks">
        <table class="blocks">
          <thead>
            <tr>
              <th>block</th>
              <th>time (UTC)</th>
              <th class="number">transactions</th>
              <th>what</th>
            </tr>
          </thead>
          <tbody>
            {blocks.map((block) => (
              <tr key={block.height}>
                <td>
                  <a href={`#/block/${block.height}`}>{wholeText(block.height)}</a>
                </td>
                <td>{clockText(block.timeMs).slice(0, 8)}</td>
                <td class="number">{wholeText(block.transactions.length)}</td>
                <td class="cut">{what(block)}</td>
              </tr>
            ))}
            {Array.from({ length: empty }, (_, index) => (
              <tr key={`e${index}`} aria-hidden="true">
                <td colSpan={4}>&nbsp;</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="muted">{hintOf(highest, blocks.length)}</p>
    </section>
  );
}
