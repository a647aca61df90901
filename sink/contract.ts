import type { Credentials } from './auth.ts';
import type { BehaviourMemory } from './behaviour.ts';

/** What the connection has to do, in this order. Everything after `end`, `drop` and `tls` was discarded. */
export type Step =
  | { readonly do: 'reply'; readonly text: string }
  /** Every later step comes `ms` milliseconds later. */
  | { readonly do: 'wait'; readonly ms: number }
  /** Close in an orderly way, once what was said has been sent. */
  | { readonly do: 'end' }
  /** Close without a word. */
  | { readonly do: 'drop' }
  /** Begin the TLS handshake, then call `secured()`. */
  | { readonly do: 'tls' };

/** The body of a message that was received whole, by DATA or in BDAT chunks. */
export interface ReceivedBody {
  /** Bytes on the wire, without the final `. CRLF`. */
  readonly size: number;
  /** As it stands in the header, angle brackets included; empty when there is none. */
  readonly messageId: string;
  /** The message as its sender composed it. Empty unless kept; to be taken once. */
  content(): Buffer;
}

/** A message whose final dot, or last BDAT chunk, has arrived. */
export interface ReceivedMessage {
  readonly from: string;
  readonly to: readonly string[];
  /** With its angle brackets; empty when the message has none. */
  readonly messageId: string;
  /** Bytes on the wire: between DATA and the final dot, or in the BDAT chunks. */
  readonly size: number;
  /** The message without dot-stuffing; undefined unless the session collects. */
  readonly content: Buffer | undefined;
  readonly secure: boolean;
  readonly user: string | undefined;
}

/** How a session behaves towards everybody. */
export interface SessionSettings {
  readonly hostname: string;
  /** The greeting's reply code: 220 serves; 4xx and 5xx refuse every session. */
  readonly greeting: number;
  readonly maxMessageBytes: number;
  readonly pipelining: boolean;
  readonly smtpUtf8: boolean;
  readonly eightBitMime: boolean;
  readonly chunking: boolean;
  readonly starttls: boolean;
  readonly requireTls: boolean;
  readonly auth: 'off' | 'optional' | 'required';
  readonly authFails: boolean;
  readonly slowMs: number;
  /** Whether message contents are kept for `accept`. */
  readonly collect: boolean;
}

/** What a session needs of the sink around it. */
export interface SessionWorld extends BehaviourMemory {
  /** Remember that this address was misbehaved to. */
  noteMisbehaved(address: string): void;
  /** Whether these credentials are right. */
  knows(credentials: Credentials): boolean;
  /** Whether chance or the rate refuses this recipient; the reply when it does. */
  refusal(): string | undefined;
  /** Takes the message; false when it cannot be stored. */
  accept(message: ReceivedMessage): boolean;
  /** How many milliseconds the reply to an accepted message has to wait for the sink's rate. */
  delayMs(): number;
  /** A recipient, or a message as a whole, was answered 4xx or 5xx. */
  refused(code: number): void;
  authFailed(): void;
}
