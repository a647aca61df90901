/** How long a relay may take, ms. The defaults are those of RFC 5321 §4.5.3.2 where it names one. */
export interface SmtpTimes {
  /** DNS and TCP, and TLS where it starts with the first byte. */
  readonly connectMs: number;
  /** From the TCP connection to the greeting. §4.5.3.2.1 */
  readonly greetingMs: number;
  /** EHLO, STARTTLS and AUTH together, after the greeting. */
  readonly setupMs: number;
  /** MAIL, RCPT and DATA up to the 354, and RSET; together: they travel in one segment. §4.5.3.2.2 to .4 */
  readonly envelopeMs: number;
  /** From the 354 until the last byte is handed to the connection. */
  readonly bodyMs: number;
  /** From the final dot to its reply: shorter makes duplicates. §4.5.3.2.6 */
  readonly dotMs: number;
  /** One transaction, whatever it is doing. */
  readonly transactionMs: number;
  /** QUIT and its reply. */
  readonly quitMs: number;
}

const MINUTE_MS = 60_000;

export const DEFAULT_TIMES: SmtpTimes = {
  connectMs: 30_000,
  greetingMs: 5 * MINUTE_MS,
  setupMs: 5 * MINUTE_MS,
  envelopeMs: 5 * MINUTE_MS,
  bodyMs: 10 * MINUTE_MS,
  dotMs: 10 * MINUTE_MS,
  transactionMs: 20 * MINUTE_MS,
  quitMs: 2_000,
};
