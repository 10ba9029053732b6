/** Page of a block. */
import type { JSX } from 'preact';
import { useCluster, useShared } from './context.tsx';
import { askBlock, provenHeight } from './ledger.ts';
import type { BlockView } from './ledger.ts';
import { dateText, FieldList, PageTop, TransactionTable } from './ledger-parts.tsx';
import { Loaded, useFound } from './loading.tsx';
import { wholeText } from './rates.ts';

function signedWords({ signedBy }: BlockView): string {
  return signedBy.length === 0 ? 'no replica' : `replica ${signedBy.join(', ')}`;
}

/** See the top of this file. */
export function BlockPage({ height }: { readonly height: number }): JSX.Element {
  const { client } = useShared();
  const { status } = useCluster();
  const found = useFound(() => askBlock(client, height), [client, height]);
  const highest = provenHeight(status?.replicas ?? [], status?.f ?? 0);
  return (
    <section class="card">
      <PageTop title={`Block ${wholeText(height)}`} />
      <nav class="row" aria-label="Blocks beside this one">
        {height > 1 && <a href={`#/block/${height - 1}`}>Block {wholeText(height - 1)}</a>}
        {height < highest && <a href={`#/block/${height + 1}`}>Block {wholeText(height + 1)}</a>}
      </nav>
      <Loaded found={found}>
        {(block) => (
          <>
            <FieldList
              fields={[
                ['sequence number', wholeText(block.sequence)],
                ['time that the replicas agreed on', dateText(block.timeMs)],
                ['proposed in view', `${block.proposedInView}`],
                ['header hash', <code>{block.headerHash}</code>],
                ['header before it', <code>{block.previous}</code>],
                ['root of its transactions', <code>{block.transactionsRoot}</code>],
                ['root of their results', <code>{block.resultsRoot}</code>],
                ['signatures that came with it', signedWords(block)],
              ]}
            />
            <h3>
              {block.transactions.length === 1
                ? '1 transaction'
                : `${wholeText(block.transactions.length)} transactions`}
            </h3>
            <TransactionTable transactions={block.transactions} />
          </>
        )}
      </Loaded>
    </section>
  );
}
