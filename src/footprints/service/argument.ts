/** What stands behind `@service:`: where the service is, and the key by which it is known. */

/** Where a trusted service is and who it must be. */
export interface ServiceAddress {
  readonly host: string;
  readonly port: number;
  /** Raw public key of the service, 64 hexadecimal digits; undefined if none was given. */
  readonly serviceKey: string | undefined;
  /** One-time enrolment token, hexadecimal; undefined if none was given. */
  readonly token: string | undefined;
}

/**
 * Reads `host:port#<key>` or `[ipv6]:port#<key>`, with `/<token>` behind it for the one time that a component is made.
 * Undefined unless it has that form; the key may be lacking, which `create` refuses and `open` does not need.
 */
export function parseServiceArgument(text: string): ServiceAddress | undefined {
  const pattern =
    /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]#/\s]+)):(\d{1,5})(?:#([0-9a-fA-F]{64})(?:\/([0-9a-fA-F]{48}))?)?$/;
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const port = Number(match[3]);
  if (port < 1 || port > 65_535) return undefined;
  return {
    host: (match[1] ?? match[2])!,
    port,
    serviceKey: match[4]?.toLowerCase(),
    token: match[5]?.toLowerCase(),
  };
}

/** The address without key and token, as it is written. */
export function formatHostPort({ host, port }: Pick<ServiceAddress, 'host' | 'port'>): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
