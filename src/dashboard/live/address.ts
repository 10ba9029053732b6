/**
 * The fragment of the page's address: what is shown (`#/block/7`, `#/tx/…`, `#/key/…`), or tokens (`#fault=…&access=…`),
 * which are taken out of it at once.
 */

/** What is shown. */
export type Route =
  | { readonly page: 'cluster' }
  | { readonly page: 'block'; readonly height: number }
  | { readonly page: 'transaction'; readonly id: string }
  | { readonly page: 'key'; readonly key: string }
  | { readonly page: 'unknown'; readonly sentence: string };

/** Secrets that the address may carry. */
export interface Tokens {
  readonly fault?: string;
  readonly access?: string;
}

const TOKEN = /^[\x21-\x7e]{1,512}$/;
const KEY_LENGTH_MAX = 1_024 * 3;

/** Tokens of a fragment; undefined if it carries none. */
export function tokensOf(fragment: string): Tokens | undefined {
  if (!/^#(fault|access)=/.test(fragment)) return undefined;
  const fields = new URLSearchParams(fragment.slice(1));
  const [fault, access] = [fields.get('fault') ?? '', fields.get('access') ?? ''];
  return {
    ...(TOKEN.test(fault) ? { fault } : {}),
    ...(TOKEN.test(access) ? { access } : {}),
  };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** What a fragment shows. */
export function routeOf(fragment: string): Route {
  const path = fragment.replace(/^#\/?/, '');
  if (path === '') return { page: 'cluster' };
  const [, what, rest] = /^(block|tx|key)\/(.+)$/s.exec(path) ?? [];
  if (what === 'block' && /^[1-9]\d{0,14}$/.test(rest!)) return { page: 'block', height: Number(rest) };
  if (what === 'tx' && /^[0-9a-f]{64}$/i.test(rest!)) return { page: 'transaction', id: rest!.toLowerCase() };
  // A key may be bytes that are no text: it stays percent-encoded, and only what can be read is checked.
  if (what === 'key' && rest!.length <= KEY_LENGTH_MAX && /^([!-$&-~]|%[0-9a-f]{2})+$/i.test(rest!))
    return { page: 'key', key: rest! };
  return { page: 'unknown', sentence: 'This address names no block, transaction or key.' };
}

/** The fragment that shows something. */
export function fragmentOf(route: Exclude<Route, { page: 'unknown' }>): string {
  switch (route.page) {
    case 'cluster':
      return '#/';
    case 'block':
      return `#/block/${route.height}`;
    case 'transaction':
      return `#/tx/${route.id}`;
    case 'key':
      return `#/key/${route.key}`;
  }
}

/** What somebody searches for: a height, a transaction id, or else a key. */
export function searchRoute(text: string): Route | undefined {
  const wanted = text.trim();
  if (wanted === '') return undefined;
  if (/^[1-9]\d{0,14}$/.test(wanted)) return { page: 'block', height: Number(wanted) };
  if (/^[0-9a-f]{64}$/i.test(wanted)) return { page: 'transaction', id: wanted.toLowerCase() };
  return keyRoute(wanted);
}

/** The page of a key that was typed. */
export function keyRoute(text: string): Route {
  const key = encodedKey(text);
  return key.length > KEY_LENGTH_MAX
    ? { page: 'unknown', sentence: 'A key has at most 1,024 bytes.' }
    : { page: 'key', key };
}

/** A typed key as it stands in a path. */
export function encodedKey(text: string): string {
  // Halves of a pair are no text that could be sent.
  return encodeURIComponent(text.replaceAll(/\p{Surrogate}/gu, '\u{fffd}'));
}

/** A percent-encoded key for people; as it is where it is no text. */
export function keyText(key: string): string {
  return decoded(key) ?? key;
}

/** Where tokens are kept for as long as the tab is open. */
export interface TokenStorage {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

const NAMES: Readonly<Record<keyof Tokens, string>> = { fault: 'moiety-fault', access: 'moiety-access' };

/** Tokens that were kept; a browser may keep nothing. */
export function keptTokens(storage: TokenStorage): Tokens {
  try {
    const [fault, access] = [storage.getItem(NAMES.fault), storage.getItem(NAMES.access)];
    return { ...(fault === null ? {} : { fault }), ...(access === null ? {} : { access }) };
  } catch {
    return {};
  }
}

/** Keeps tokens; undefined forgets one. */
export function keepToken(storage: TokenStorage, name: keyof Tokens, token: string | undefined): void {
  try {
    if (token === undefined) storage.removeItem(NAMES[name]);
    else storage.setItem(NAMES[name], token);
  } catch {
    // Known until the page is left.
  }
}

/** What somebody typed as a token; undefined if it cannot be one. */
export function typedToken(text: string): string | undefined {
  return TOKEN.test(text.trim()) ? text.trim() : undefined;
}
