/** Reads traces of Quint in the Informal Trace Format, as plain values. */

/** A value of a trace: records and variants are objects, sets and tuples and lists are arrays, maps are `Map`. */
export type ItfValue =
  string | number | boolean | ItfValue[] | Map<string, ItfValue> | { [field: string]: ItfValue };

/** One state: the value of each variable. */
export type ItfState = Readonly<Record<string, ItfValue>>;

/** Makes a plain value of an encoded one. Keys of maps are their JSON, so that (0, 0) is `[0,0]`. */
export function plain(value: unknown): ItfValue {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value as string | number | boolean;
  const fields = value as Record<string, unknown>;
  if ('#bigint' in fields) return Number(fields['#bigint']);
  if ('#set' in fields) return (fields['#set'] as unknown[]).map(plain);
  if ('#tup' in fields) return (fields['#tup'] as unknown[]).map(plain);
  if ('#map' in fields) {
    const pairs = fields['#map'] as [unknown, unknown][];
    return new Map(pairs.map(([key, held]) => [JSON.stringify(plain(key)), plain(held)]));
  }
  return Object.fromEntries(Object.entries(fields).map(([name, held]) => [name, plain(held)]));
}

/** The states of a trace. */
export function statesOf(text: string): ItfState[] {
  const trace = JSON.parse(text) as { states: Record<string, unknown>[] };
  return trace.states.map((state) => {
    // Variables carry the names of their instance and module.
    const variables = Object.entries(state).filter(([name]) => !name.startsWith('#'));
    return Object.fromEntries(
      variables.map(([name, value]) => [name.slice(name.lastIndexOf(':') + 1), plain(value)]),
    );
  });
}
