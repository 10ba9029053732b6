/** Receipt of a transaction: download, and verification by the same code as on the command line. */
import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { useShared } from './context.tsx';
import { askReceipt, verifyHere } from './ledger.ts';
import type { Found, Verification } from './ledger.ts';

/** A trust file is longer than this only by mistake. */
const TRUST_FILE_BYTES_MAX = 64 * 1024;

function save(text: string, name: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Text of the file that was chosen; undefined: none was. */
async function chosenTrust(files: FileList | null): Promise<Found<string> | undefined> {
  const file = files?.[0];
  if (file === undefined) return undefined;
  if (file.size > TRUST_FILE_BYTES_MAX)
    return { sentence: 'The file that you chose is too long for a trust file.' };
  try {
    return { found: await file.text() };
  } catch {
    return { sentence: 'The file that you chose cannot be read.' };
  }
}

function Verdict({ verdict }: { readonly verdict: Verification }): JSX.Element {
  return (
    <div class={`notice ${verdict.isValid ? 'good' : 'bad'}`}>
      <p>{verdict.sentence}</p>
      {verdict.lines.length > 0 && <pre class="lines">{verdict.lines.join('\n')}</pre>}
    </div>
  );
}

/** See the top of this file. */
export function ReceiptPanel({ id }: { readonly id: string }): JSX.Element {
  const { client } = useShared();
  const file = useRef<HTMLInputElement>(null);
  const [verdict, setVerdict] = useState<Verification>();
  const [problem, setProblem] = useState('');
  const failed = (sentence: string): void => {
    setVerdict(undefined);
    setProblem(sentence);
  };
  const download = async (): Promise<void> => {
    const receipt = await askReceipt(client, id);
    if ('sentence' in receipt) return failed(receipt.sentence);
    setProblem('');
    save(receipt.found, `receipt-${id.slice(0, 12)}.json`);
  };
  const verify = async (): Promise<void> => {
    const receipt = await askReceipt(client, id);
    if ('sentence' in receipt) return failed(receipt.sentence);
    const chosen = await chosenTrust(file.current?.files ?? null);
    const trust = chosen ?? (await askTrust());
    if ('sentence' in trust) return failed(trust.sentence);
    setProblem('');
    setVerdict(verifyHere(receipt.found, trust.found, id, chosen === undefined ? 'gateway' : 'file'));
  };
  const askTrust = async (): Promise<Found<string>> => {
    const answer = await client.ask({ path: '/v1/trust' });
    return answer.ok ? { found: answer.text } : answer;
  };
  return (
    <div class="receipt">
      <h3>Receipt</h3>
      <p class="muted">
        It proves to anybody, without a server, that this transaction was executed with this result at this
        place. Without a trust file the keys of the replicas come from the gateway itself, which is no proof
        against a gateway that lies.
      </p>
      <div class="row">
        <label class="field">
          <span>Trust file, if you have one</span>
          <input type="file" accept=".json,application/json" ref={file} />
        </label>
        <button type="button" class="button primary" onClick={() => void verify()}>
          Verify in this page
        </button>
        <button type="button" class="button" onClick={() => void download()}>
          Download the receipt
        </button>
      </div>
      <div role="status">
        {problem !== '' && <p class="notice warn">{problem}</p>}
        {verdict !== undefined && <Verdict verdict={verdict} />}
      </div>
    </div>
  );
}
