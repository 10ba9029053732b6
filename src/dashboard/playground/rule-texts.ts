/** What the numbered rules of all protocols say. */
import { PROTOCOLS } from '../../protocols/catalogue.ts';

const TEXTS: ReadonlyMap<string, string> = new Map(
  PROTOCOLS.flatMap(({ rules }) => rules.map(({ id, text }) => [id, text] as const)),
);

/**
 * The text of a rule; undefined if no protocol has it. Some rules are told as a group when all of them hold: then that is
 * what is said.
 */
export function ruleText(rule: string): string | undefined {
  const text = TEXTS.get(rule);
  if (text !== undefined) return text;
  const parts = [...TEXTS.keys()].filter((id) => id.startsWith(`${rule}.`));
  return parts.length === 0 ? undefined : `all of ${parts[0]} to ${parts.at(-1)}`;
}
