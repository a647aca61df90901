import { Deliveries } from './deliveries.ts';

/** What a sink reports, as `--json` prints it. The first five fields are the contract. */
export interface SinkReport {
  /** Connections that were greeted. */
  readonly connections: number;
  /** Messages whose final dot or last BDAT chunk arrived and which were not refused; a lost reply does not unmake them. */
  readonly messages: number;
  /** Distinct recipient addresses among them. */
  readonly uniqueRecipients: number;
  /** Accepted beyond the first per (Message-ID, recipient). */
  readonly duplicates: number;
  /** Recipients answered 4xx or 5xx at RCPT, and messages answered so at the final dot or to a BDAT chunk. */
  readonly refused: number;
  /** `refused` by reply code. */
  readonly perCode: Readonly<Record<string, number>>;
  /** Accepted message × recipient pairs, duplicates included. */
  readonly deliveries: number;
  readonly withoutMessageId: number;
  /** Deliveries beyond what can be told apart: see `Deliveries`. */
  readonly untracked: number;
  readonly openConnections: number;
  readonly peakConnections: number;
  /** Connections sent away with 421 at the door. */
  readonly connectionsRefused: number;
  readonly authFailures: number;
  readonly timesDown: number;
  /** Bytes of accepted messages, as on the wire. */
  readonly bytes: number;
  /** Since the sink started. */
  readonly seconds: number;
  /** Between the first and the last message. */
  readonly activeSeconds: number;
}

/** Everything a sink counts. */
export class Tally {
  readonly deliveries = new Deliveries();
  readonly #startedMs = performance.now();
  readonly #perCode = new Map<number, number>();
  #connections = 0;
  #open = 0;
  #peak = 0;
  #connectionsRefused = 0;
  #messages = 0;
  #accepted = 0;
  #withoutMessageId = 0;
  #refused = 0;
  #authFailures = 0;
  #timesDown = 0;
  #bytes = 0;
  #firstMs = 0;
  #lastMs = 0;

  get open(): number {
    return this.#open;
  }

  get messages(): number {
    return this.#messages;
  }

  connected(): void {
    this.#connections += 1;
    this.#open += 1;
    this.#peak = Math.max(this.#peak, this.#open);
  }

  disconnected(): void {
    this.#open -= 1;
  }

  connectionRefused(): void {
    this.#connectionsRefused += 1;
  }

  accepted(messageId: string, recipients: readonly string[], size: number): void {
    this.#lastMs = performance.now();
    if (this.#messages === 0) this.#firstMs = this.#lastMs;
    this.#messages += 1;
    this.#bytes += size;
    if (messageId === '') this.#withoutMessageId += 1;
    for (const recipient of recipients) {
      this.#accepted += 1;
      this.deliveries.add(messageId, recipient);
    }
  }

  refused(code: number): void {
    this.#refused += 1;
    this.#perCode.set(code, (this.#perCode.get(code) ?? 0) + 1);
  }

  authFailed(): void {
    this.#authFailures += 1;
  }

  wentDown(): void {
    this.#timesDown += 1;
  }

  report(): SinkReport {
    return {
      connections: this.#connections,
      messages: this.#messages,
      uniqueRecipients: this.deliveries.uniqueRecipients,
      duplicates: this.deliveries.duplicates,
      refused: this.#refused,
      perCode: Object.fromEntries([...this.#perCode].map(([code, count]) => [String(code), count])),
      deliveries: this.#accepted,
      withoutMessageId: this.#withoutMessageId,
      untracked: this.deliveries.untracked,
      openConnections: this.#open,
      peakConnections: this.#peak,
      connectionsRefused: this.#connectionsRefused,
      authFailures: this.#authFailures,
      timesDown: this.#timesDown,
      bytes: this.#bytes,
      seconds: seconds(performance.now() - this.#startedMs),
      activeSeconds: seconds(this.#lastMs - this.#firstMs),
    };
  }
}

function seconds(ms: number): number {
  return Math.round(ms) / 1000;
}
