/** The address of the page as a hook: what it shows, and how to go elsewhere. */
import { useCallback, useEffect, useState } from 'preact/hooks';
import { readAddress, writeAddress } from '../../sim/playback/address.ts';
import { scriptOfChoices } from '../../sim/playback/choices.ts';
import type { Choices, PlaygroundAddress } from '../../sim/playback/contract.ts';
import { printScript } from '../../sim/script/print.ts';
import { heldRun } from './held.tsx';
import { LESSONS } from './lessons/all.ts';
import { packScript, unpackScript } from './packing.ts';
import { DEFAULT_PLACE, sourceOfScript, withChoices } from './place.ts';
import type { Place, RunSource } from './place.ts';

/** See the top of this file. */
export interface PlaceDesk {
  /** Undefined while the first address is being read. */
  readonly place: Place | undefined;
  /** Whether the page was opened without any address. */
  readonly isFirst: boolean;
  readonly go: (place: Place) => void;
  /** Where in the run it stands; no new entry of the history. */
  readonly stand: (at: number) => void;
}

function scriptFor(choices: Choices): string | undefined {
  const script = scriptOfChoices(choices);
  return typeof script === 'string' ? undefined : printScript(script);
}

/** The fragment as the address bar has it. */
function fragmentFor(address: PlaygroundAddress): string {
  const text = writeAddress(address);
  return text === '' ? '' : `#${text}`;
}

/** Undefined: what was chosen is no run, and has no address. */
async function scenarioOf(source: RunSource): Promise<PlaygroundAddress['scenario'] | undefined> {
  if (source.kind === 'held') return { kind: 'none' };
  if (source.kind === 'draw') return { kind: 'draw', ...source.schedule };
  const script = source.kind === 'script' ? source.text : scriptFor(source.choices);
  if (script === undefined) return undefined;
  const text = source.kind === 'script' ? script : withChoices(script, source.choices);
  return { kind: 'script', packed: await packScript(text) };
}

async function fragmentOf(place: Place): Promise<string | undefined> {
  switch (place.kind) {
    case 'wrong':
      return undefined;
    case 'tour':
      return fragmentFor({ scenario: { kind: 'lesson', lesson: place.lesson }, at: place.step });
    case 'explore': {
      const scenario = await scenarioOf(place.source);
      if (scenario === undefined) return undefined;
      return fragmentFor(place.at === undefined ? { scenario } : { scenario, at: place.at });
    }
  }
}

function lessonPlace(lesson: number, at: number | undefined): Place {
  const known = LESSONS[lesson - 1];
  if (known === undefined)
    return {
      kind: 'wrong',
      text: `There is no lesson ${lesson}: the tour has lessons 1 to ${LESSONS.length}.`,
    };
  const step = Math.min(Math.max(1, at ?? 1), known.steps.length + 1);
  return { kind: 'tour', lesson, step };
}

/** An address without anything: the run that the page was opened for, if there is one. */
function startPlace(): Place {
  const held = heldRun();
  if (held === undefined) return DEFAULT_PLACE;
  if (typeof held === 'string') return { kind: 'wrong', text: held };
  return { kind: 'explore', source: { kind: 'held', playback: held }, at: undefined };
}

async function placeOf(fragment: string): Promise<Place> {
  const address = readAddress(fragment);
  if (typeof address === 'string') return { kind: 'wrong', text: address };
  const { scenario, at } = address;
  switch (scenario.kind) {
    case 'none':
      return startPlace();
    case 'lesson':
      return lessonPlace(scenario.lesson, at);
    case 'draw': {
      const { kind: _, ...schedule } = scenario;
      return { kind: 'explore', source: { kind: 'draw', schedule }, at };
    }
    case 'script': {
      const text = await unpackScript(scenario.packed);
      if (text === undefined)
        return {
          kind: 'wrong',
          text: 'The script in this address is damaged: parts of the link may be missing.',
        };
      return { kind: 'explore', source: sourceOfScript(text, scriptFor), at };
    }
  }
}

/** See the top of this file. */
export function usePlace(): PlaceDesk {
  const [place, setPlace] = useState<Place | undefined>(undefined);
  const [isFirst] = useState(() => location.hash.length < 2 && heldRun() === undefined);
  useEffect(() => {
    let reading = 0;
    const read = async (): Promise<void> => {
      reading += 1;
      const mine = reading;
      const found = await placeOf(location.hash);
      if (mine === reading) setPlace(found);
    };
    void read();
    const onMove = (): void => void read();
    addEventListener('popstate', onMove);
    return () => removeEventListener('popstate', onMove);
  }, []);
  const go = useCallback((next: Place) => {
    setPlace(next);
    void fragmentOf(next).then((fragment) => {
      if (fragment !== undefined && fragment !== location.hash) history.pushState(null, '', fragment);
    });
  }, []);
  const stand = useCallback((at: number) => {
    const address = readAddress(location.hash);
    if (typeof address === 'string' || address.scenario.kind === 'none') return;
    const fragment = fragmentFor(at < 0 ? { scenario: address.scenario } : { ...address, at });
    if (fragment !== location.hash) history.replaceState(null, '', fragment);
  }, []);
  return { place, isFirst, go, stand };
}
