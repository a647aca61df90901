/** What a relay offers in its EHLO, as far as it matters here. */
export interface Offers {
  /** RFC 2920. */
  readonly pipelining: boolean;
  /** RFC 3030. */
  readonly chunking: boolean;
  /** RFC 1870. */
  readonly size: boolean;
  /** Largest message it takes, bytes (RFC 1870 §5); undefined: it names no limit. */
  readonly maxBytes: number | undefined;
  /** RFC 6152. */
  readonly eightBitMime: boolean;
  /** RFC 6531. */
  readonly smtpUtf8: boolean;
}

/** @param lines of the reply to EHLO, without codes and without the first one, which is the relay's name. */
export function offersOf(lines: readonly string[]): Offers {
  const parameters = new Map<string, string>();
  for (const line of lines) {
    const [keyword = '', ...rest] = line.trim().split(/[ \t]+/);
    parameters.set(keyword.toUpperCase(), rest.join(' '));
  }
  const max = Number(parameters.get('SIZE') || 0);
  return {
    pipelining: parameters.has('PIPELINING'),
    chunking: parameters.has('CHUNKING'),
    size: parameters.has('SIZE'),
    maxBytes: Number.isSafeInteger(max) && max > 0 ? max : undefined,
    eightBitMime: parameters.has('8BITMIME'),
    smtpUtf8: parameters.has('SMTPUTF8'),
  };
}
