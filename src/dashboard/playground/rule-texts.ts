/** What the numbered rules of all protocols say. */
import { PROTOCOLS } from '../../protocols/catalogue.ts';

const TEXTS: ReadonlyMap<string, string> = new Map(
  PROTOCOLS.flatMap(({ rules }) => rules.map(({ id, text }) => [id, text] as const)),
);

/**
 * The text of a rule; undefined if no protocol has it. Some rules are told as a group when all of them hold: then those are
 * its parts, each with its number.
 */
export function ruleText(rule: string): string | undefined {
  const text = TEXTS.get(rule);
  if (text !== undefined) return text;
  const parts = [...TEXTS].filter(([id]) => id.startsWith(`${rule}.`));
  if (parts.length === 0) return undefined;
  return parts.map(([id, part]) => `(${id.slice(rule.length + 1)}) ${part}`).join('; ');
}
