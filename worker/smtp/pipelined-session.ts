import type { Duplex } from 'node:stream';
import {
  type Envelope,
  type Gate,
  NO_JOURNAL,
  type RelaySession,
  type TransactionFact,
} from '../tasks/contract.ts';
import { envelopeCommands, refusedHere } from './envelope.ts';
import type { Offers } from './offers.ts';
import { Outbox } from './outbox.ts';
import { Patience } from './patience.ts';
import { type Reply, ReplyReader } from './reply-reader.ts';
import type { SmtpTimes } from './times.ts';
import { Transaction } from './transaction.ts';
import { dotStuffed, endOfData } from './transparency.ts';

/**
 * Bodies up to this size, bytes, are written at once; of larger ones each piece waits until the connection has taken the one before. Larger
 * ones are not sent with BDAT before the relay has taken the recipient either: that would be much in vain.
 */
export const PIECE_BYTES = 64 * 1024;
/** How often the times are looked at, ms; less when a limit is as small as that. */
const WATCH_EVERY_MS = 1_000;
const NO_MESSAGE = Buffer.from('.\r\n');

export interface PipelineOptions {
  readonly times: SmtpTimes;
  /** Most transactions in flight with a relay that offers CHUNKING; 1: BDAT is not used. */
  readonly depth: number;
  /** Absent: whatever is begun may be sent. */
  readonly gate?: Gate;
}

/** A message that is to follow the envelope, with DATA. */
interface Entering {
  readonly transaction: Transaction;
  readonly ticket: number;
  /** Replaced by its dot-stuffed form when it is written. */
  bytes: Buffer;
  /** Bytes handed to the connection. */
  written: number;
}

/** A transaction of which nothing is handed to the connection yet. */
interface Waiting {
  readonly transaction: Transaction;
  readonly ticket: number;
  readonly needsReset: boolean;
  readonly commands: string;
  readonly encoding: 'latin1' | 'utf8';
  /** Absent: with DATA. */
  readonly message?: Buffer;
}

/**
 * A session that uses PIPELINING (RFC 2920): MAIL, RCPT and DATA go out in one write, and the envelope of the next message right behind
 * the final dot of the one before: one round trip per mail. Where the relay also offers CHUNKING (RFC 3030), whole mails go out in one write
 * (MAIL, RCPT, BDAT LAST and the message), and as many as `depth` are in flight. Those begun in one turn of the event loop wait for its end, when all
 * of them are written down in the journal at once; if they cannot be, they are not sent, and the others are not disturbed.
 *
 * - room: a transaction can be begun. Not while another is between its DATA and its final dot; with BDAT also not while `depth` are open,
 *   or while the connection has not taken what was written.
 * - leaving: after a 421 or a refused RSET, or when QUIT is written. Nothing new is begun; what the relay still answers counts. It is over when nothing is
 *   open, or the relay closes, or after `quitMs`.
 * - over, for good: the connection is lost, or the relay is overdue, or replies and commands are out of step. Every open transaction ends with what is known of it.
 *
 * RSET comes before a MAIL when the transaction before it was left open by a refusal, or still may be: it costs no round trip.
 *
 * Without a fact, to be sent over another session, end: transactions that still waited to be written; those of whose envelope nothing was answered, as the message was not
 * written; and those behind a 421, or a refused RSET, with which the relay closed, as it has not looked at them.
 */
export class PipelinedSession implements RelaySession {
  onRoom: () => void = () => {};
  isFlushed = true;
  readonly #socket: Duplex;
  readonly #outbox: Outbox;
  readonly #offers: Offers;
  readonly #times: SmtpTimes;
  readonly #depth: number;
  readonly #gate: Gate;
  readonly #reader = new ReplyReader();
  readonly #patience: Patience;
  readonly #watch: NodeJS.Timeout;
  /** In the order in which they were written; the next reply is to the first of them. */
  readonly #open: Transaction[] = [];
  /** Over, and not told yet. */
  readonly #ended: Transaction[] = [];
  #entering: Entering | undefined;
  /** The last ones of `#open`. */
  #waiting: Waiting[] = [];
  #needsReset = false;
  /** What the relay said last was a 421, or it refused RSET, as Exim does after many refusals. */
  #wasDismissed = false;
  #leaveBy: NodeJS.Timeout | undefined;
  #isOver = false;
  readonly #whenClosed: (() => void)[] = [];

  /** Takes a connection on which nothing is awaited. */
  constructor(socket: Duplex, offers: Offers, { times, depth, gate = NO_JOURNAL }: PipelineOptions) {
    this.#socket = socket;
    this.#outbox = new Outbox(socket);
    this.#offers = offers;
    this.#times = times;
    this.#depth = offers.chunking ? depth : 1;
    this.#gate = gate;
    this.#patience = new Patience(times);
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    socket.on('drain', () => this.#drained());
    socket.on('error', (error) => this.#lost(error.message));
    socket.on('end', () => this.#lost('the connection ended'));
    socket.on('close', () => {
      this.#lost('the connection ended');
      for (const resolve of this.#whenClosed.splice(0)) resolve();
    });
    this.#watch = setInterval(() => this.#checkTimes(), watchEveryMs(times));
    this.#watch.unref();
  }

  get isUsable(): boolean {
    if (this.#isOver || this.#leaveBy !== undefined || this.#entering !== undefined) return false;
    return this.#depth === 1 || (this.#open.length < this.#depth && !this.#socket.writableNeedDrain);
  }

  async ready(): Promise<boolean> {
    return this.isUsable;
  }

  send(envelope: Envelope, message: Buffer, ended: (fact: TransactionFact | undefined) => void): void {
    const refusal = refusedHere(envelope, message.length, this.#offers);
    if (refusal !== undefined) {
      ended({ stage: 'local', phase: 'not-sent', error: refusal });
      return;
    }
    if (this.#isOver) {
      ended(undefined);
      return;
    }
    const isChunked = this.#depth > 1 && message.length <= PIECE_BYTES;
    const ticket = this.#gate.ticket();
    // A refusal of one that was sent with BDAT may be on its way, and leave it open (RFC 3030 §2).
    const needsReset = this.#needsReset || this.#open.at(-1)?.isChunked === true;
    this.#needsReset = false;
    const transaction = new Transaction(isChunked, needsReset, ended);
    this.#open.push(transaction);
    if (this.#open.length === 1) this.#patience.waitsFor(transaction, performance.now());
    const { text, encoding } = envelopeCommands(envelope, message, this.#offers, needsReset);
    if (isChunked) {
      // The whole message is the last chunk (RFC 3030 §2), which is taken as it is: nothing is stuffed.
      const commands = `${text}BDAT ${message.length} LAST\r\n`;
      this.#waiting.push({ transaction, ticket, needsReset, commands, encoding, message });
      if (this.#waiting.length === 1) this.#gate.afterWrite(this.#writeWaiting);
      return;
    }
    const commands = `${text}DATA\r\n`;
    this.#entering = { transaction, ticket, bytes: message, written: 0 };
    // Not before those that were begun before it.
    if (this.#waiting.length > 0) this.#waiting.push({ transaction, ticket, needsReset, commands, encoding });
    else this.#outbox.text(commands, encoding);
  }

  async close(): Promise<void> {
    if (this.#socket.closed) return;
    const closed = new Promise<void>((resolve) => this.#whenClosed.push(resolve));
    if (this.#isOver || this.#open.length > 0) this.#finish('the session was closed');
    else if (this.#leaveBy === undefined) {
      this.#outbox.text('QUIT\r\n', 'latin1');
      this.#leave();
    }
    await closed;
  }

  abort(reason: string): void {
    this.#finish(reason);
  }

  #received(chunk: Buffer): void {
    // What the replies of one chunk give rise to goes out in one segment, after all of them are read: none of them can be an answer to it.
    this.isFlushed = this.#socket.writableLength === 0;
    this.#outbox.hold();
    try {
      this.#reader.read(chunk, this.#replied);
    } catch (error) {
      this.#finish(error instanceof Error ? error.message : String(error));
    }
    if (!this.#isOver && this.#entering?.transaction.step === 'body') this.#writeBody(this.#entering);
    if (this.#leaveBy !== undefined && this.#open.length === 0) this.#finish('the session was closed');
    this.#tell();
    if (!this.#isOver) this.#patience.waitsFor(this.#open[0], performance.now());
    this.#outbox.release();
  }

  readonly #replied = (reply: Reply): void => {
    if (this.#isOver) return;
    const transaction = this.#open[0];
    this.#wasDismissed = reply.code === 421 || (transaction?.step === 'rset' && reply.code >= 400);
    if (this.#wasDismissed) this.#leave();
    if (transaction === undefined || transaction === this.#waiting[0]?.transaction) {
      this.#finish(`the relay said, out of turn: ${reply.text()}`);
      return;
    }
    const consequence = transaction.heard(reply);
    if (consequence === 'over' || consequence === 'astray') this.#shift(transaction);
    if (consequence === 'astray') this.#finish(`the relay is out of step: ${reply.text()}`);
  };

  readonly #writeWaiting = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    const [first] = waiting;
    if (first === undefined || this.#isOver) return;
    if (waiting.every(({ ticket }) => this.#gate.admits(ticket))) {
      this.#outbox.together(() => {
        for (const { commands, encoding, message } of waiting) {
          this.#outbox.text(commands, encoding);
          if (message !== undefined) this.#outbox.bytes(message);
        }
      });
      return;
    }
    this.#ended.push(...this.#open.splice(-waiting.length));
    this.#entering = undefined;
    if (first.needsReset) this.#needsReset = true;
    this.#patience.waitsFor(this.#open[0], performance.now());
    if (this.#leaveBy !== undefined && this.#open.length === 0) this.#finish('the session was closed');
    else this.#tell();
  };

  /** The oldest transaction has its fact. */
  #shift(transaction: Transaction): void {
    this.#open.shift();
    this.#ended.push(transaction);
    if (this.#entering?.transaction === transaction) this.#entering = undefined;
    // Those written behind it have brought their own.
    if (transaction.leavesOpen && this.#open.length === 0) this.#needsReset = true;
  }

  #tell(): void {
    for (let ended = this.#ended.shift(); ended !== undefined; ended = this.#ended.shift()) ended.end();
  }

  /** The relay has said 354. */
  #writeBody(entering: Entering): void {
    const { transaction, bytes } = entering;
    if (transaction.isRefused) {
      this.#needsReset = true;
      this.#bodyWritten(transaction, NO_MESSAGE);
    } else if (!this.#gate.admits(entering.ticket)) {
      this.#finish('the journal cannot be written');
    } else {
      entering.bytes = dotStuffed(bytes);
      this.#writePieces(entering);
    }
  }

  /** Gives the connection one piece after the other, so that the final dot is not written before the relay's end has taken the rest. */
  #writePieces(entering: Entering): void {
    const { transaction, bytes } = entering;
    while (bytes.length - entering.written > PIECE_BYTES) {
      const piece = bytes.subarray(entering.written, entering.written + PIECE_BYTES);
      entering.written += PIECE_BYTES;
      if (!this.#outbox.bytes(piece)) return;
    }
    this.#outbox.bytes(entering.written === 0 ? bytes : bytes.subarray(entering.written));
    this.#bodyWritten(transaction, endOfData(bytes));
  }

  #bodyWritten(transaction: Transaction, end: Buffer): void {
    this.#outbox.bytes(end);
    this.#entering = undefined;
    transaction.bodyWritten();
    if (this.isUsable) this.onRoom();
  }

  #drained(): void {
    if (this.#isOver) return;
    if (this.#entering?.transaction.step === 'body') {
      this.#writePieces(this.#entering);
      this.#patience.waitsFor(this.#open[0], performance.now());
    } else if (this.isUsable) this.onRoom();
  }

  #leave(): void {
    this.#leaveBy ??= setTimeout(
      () => this.#finish('the relay did not close the connection'),
      this.#times.quitMs,
    );
  }

  #checkTimes(): void {
    const limit = this.#patience.exceeded(performance.now());
    if (limit !== undefined) this.#finish(`no reply within ${limit / 1000} s`);
  }

  /** The relay's end is gone. */
  #lost(reason: string): void {
    this.#finish(reason, this.#wasDismissed && !this.#reader.isPartial);
  }

  /** The session is over. `isUnreached`: the relay has not looked at anything that it has not answered. */
  #finish(reason: string, isUnreached = false): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#watch);
    clearTimeout(this.#leaveBy);
    this.#entering = undefined;
    // Half a reply is to the first one.
    let why: { error?: string; reply?: string } = this.#reader.isPartial
      ? { reply: this.#reader.partial }
      : { error: reason };
    const unwritten = this.#open.splice(this.#open.length - this.#waiting.length);
    this.#waiting = [];
    for (const transaction of this.#open.splice(0)) {
      transaction.lost(why, isUnreached);
      this.#ended.push(transaction);
      why = { error: reason };
    }
    this.#ended.push(...unwritten);
    this.#socket.destroy();
    this.#tell();
  }
}

function watchEveryMs({ envelopeMs, bodyMs, dotMs, transactionMs }: SmtpTimes): number {
  return Math.min(WATCH_EVERY_MS, Math.max(1, Math.min(envelopeMs, bodyMs, dotMs, transactionMs) / 4));
}
