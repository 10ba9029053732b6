/** The faults that can be made, asked for again and again: it also says how the processes are. */
import { useCallback, useEffect, useState } from 'preact/hooks';
import { useCluster, useShared } from './context.tsx';
import { askFaultMenu, readFaultMenu } from './faults.ts';
import type { FaultMenu } from './faults.ts';

const ASK_MS = 3_000;

/** What there is; `problem`: why there is nothing, in a sentence. */
export interface FaultMenuState {
  readonly menu: FaultMenu | undefined;
  readonly problem: string | undefined;
  readonly refresh: () => void;
}

const STALE_TOKEN =
  'The fault token of this tab is of an earlier start of the cluster. "moiety dashboard" prints the address with the new one.';
const HOW_TO =
  'To make faults from here (kill, pause, partition, lie, wipe), open the address that "moiety dashboard" prints.';

/** See the top of this file. */
export function useFaultMenu(): FaultMenuState {
  const { client, tokens, setToken } = useShared();
  const { status, connection } = useCluster();
  const [menu, setMenu] = useState<FaultMenu>();
  const [problem, setProblem] = useState<string>();
  const [round, setRound] = useState(0);
  const refresh = useCallback(() => setRound((number) => number + 1), []);
  const { fault } = tokens;
  const hasFaults = status?.hasFaults === true;
  const isLive = connection.state === 'live';
  useEffect(() => {
    if (fault === undefined || !hasFaults) return setMenu(undefined);
    if (!isLive) return;
    let isLeft = false;
    const ask = async (): Promise<void> => {
      const answer = await askFaultMenu(client, fault);
      if (isLeft) return;
      if (!answer.ok && answer.status === 403) {
        setProblem(STALE_TOKEN);
        setToken('fault', undefined);
      }
      const read = answer.ok ? readFaultMenu(answer.text) : undefined;
      if (read !== undefined) {
        setMenu(read);
        setProblem(undefined);
      }
    };
    void ask();
    const timer = setInterval(() => void ask(), ASK_MS);
    return () => {
      isLeft = true;
      clearInterval(timer);
    };
  }, [client, fault, hasFaults, isLive, round, setToken]);
  if (status === undefined) return { menu, problem: undefined, refresh };
  if (!hasFaults)
    return { menu: undefined, problem: 'This gateway makes no faults: only "moiety up" does.', refresh };
  return { menu, problem: fault === undefined ? (problem ?? HOW_TO) : undefined, refresh };
}
