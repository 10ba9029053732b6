/**
 * The minimum policy of decision C9: which organisations may write below which key prefix. Part of genesis, judged at
 * execution.
 */
import { compareBytes, hexToBytes } from '../core/bytes.ts';
import { assert } from '../core/assert.ts';
import type { PolicyRule } from '../core/config.ts';

/** In the list of a rule: every organisation. */
const ANY_ORGANISATION = '*';

/** Judges writes. */
export interface Policy {
  /** The judgement for one organisation, as a function of the key; the same function object for the same name. */
  writerCheck(organisation: string): (key: Uint8Array) => boolean;
}

interface PrefixRule {
  readonly prefix: Uint8Array;
  readonly organisations: ReadonlySet<string>;
}

function startsWith(key: Uint8Array, prefix: Uint8Array): boolean {
  if (prefix.length > key.length) return false;
  for (let index = 0; index < prefix.length; index += 1) if (prefix[index] !== key[index]) return false;
  return true;
}

/**
 * The policy that these rules state: the longest prefix that a key starts with decides, alone. A key that no rule
 * matches may be written by nobody; an empty list of rules means that there is no policy and everybody may write.
 */
export function createPolicy(rules: readonly PolicyRule[]): Policy {
  const longestFirst = rules
    .map((rule): PrefixRule => {
      const prefix = hexToBytes(rule.prefix);
      assert(prefix !== undefined, 'a policy prefix is hexadecimal');
      return { prefix, organisations: new Set(rule.organisations) };
    })
    .sort((a, b) => b.prefix.length - a.prefix.length || compareBytes(a.prefix, b.prefix));
  const checks = new Map<string, (key: Uint8Array) => boolean>();

  const makeCheck = (organisation: string) => {
    if (longestFirst.length === 0) return () => true;
    return (key: Uint8Array) => {
      const rule = longestFirst.find(({ prefix }) => startsWith(key, prefix));
      if (rule === undefined) return false;
      return rule.organisations.has(organisation) || rule.organisations.has(ANY_ORGANISATION);
    };
  };

  return {
    writerCheck(organisation) {
      let check = checks.get(organisation);
      if (check === undefined) {
        check = makeCheck(organisation);
        checks.set(organisation, check);
      }
      return check;
    },
  };
}
