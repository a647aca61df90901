import type { Socket } from 'node:net';
import type { Envelope, RelaySession, TransactionFact } from '../tasks/contract.ts';
import { type Reply, ReplyReader } from './reply-reader.ts';
import { lost, type Progress } from './stage.ts';
import type { SmtpTimes } from './times.ts';
import { dotStuffed, endOfData } from './transparency.ts';

/** Bodies up to this size are written at once; of larger ones the last piece waits until the connection has taken the others. */
const PIECE_BYTES = 64 * 1024;
/** How often the deadline of the oldest awaited reply is looked at, ms; small beside the minutes of RFC 5321 §4.5.3.2. */
const WATCH_EVERY_MS = 1_000;
const ASCII = /^[ -~]*$/;
const NO_MESSAGE = '.\r\n';

/** What a relay offers, as far as it matters here. */
export interface Offers {
  readonly size: boolean;
  readonly eightBitMime: boolean;
  readonly smtpUtf8: boolean;
}

/** Commands whose replies are awaited, in the order in which they were written. */
type Step = 'rset' | 'mail' | 'rcpt' | 'data' | 'dot' | 'quit';

interface Transaction {
  progress: Progress;
  /** What has already been decided by a refusal; its other replies are still awaited. */
  failure: TransactionFact | undefined;
  /** Something was replied to it. */
  isHeard: boolean;
  /** Dot-stuffed, without the end of data. */
  readonly bytes: Buffer;
  /** Size of the message as it is (RFC 1870 §6.1: without the dots). */
  readonly size: number;
  readonly deadline: number;
  readonly hasRoom: () => void;
  readonly end: (fact: TransactionFact | undefined) => void;
}

interface Awaited {
  readonly step: Step;
  readonly transaction: Transaction | undefined;
  readonly until: number;
}

/**
 * A session that uses PIPELINING (RFC 2920): MAIL, RCPT and DATA go out in one write, and the envelope of the next message right behind the
 * final dot of the one before. One round trip per mail.
 *
 * idle → envelope (MAIL, RCPT, DATA written) → 354: body and dot written → reply to the dot: ended. While one transaction awaits
 * the reply to its dot, the next may be in its envelope: there is room for one as long as no other is in its envelope or body.
 * A refused MAIL or RCPT ends its transaction once DATA is answered: with a refusal, or with 354 and then nothing but a dot, so that
 * no body goes out; RSET comes before the next MAIL. Over is final: QUIT, a 421, a reply that nobody awaits, a lost or overdue connection. A transaction whose
 * envelope got no answer when the session ended was never begun as far as the relay is concerned: it ends without a fact, to be sent over another session.
 */
export class PipelinedSession implements RelaySession {
  readonly #socket: Socket;
  readonly #offers: Offers;
  readonly #times: SmtpTimes;
  readonly #reader = new ReplyReader();
  readonly #awaited: Awaited[] = [];
  readonly #watch: NodeJS.Timeout;
  #entering: Transaction | undefined;
  #needsReset = false;
  #isOver = false;
  #closing = false;
  readonly #whenClosed: (() => void)[] = [];

  constructor(socket: Socket, offers: Offers, times: SmtpTimes) {
    this.#socket = socket;
    this.#offers = offers;
    this.#times = times;
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    socket.on('error', (error) => this.#finish(error.message));
    socket.on('end', () => this.#finish('the connection ended'));
    socket.on('close', () => {
      this.#finish('the connection ended');
      for (const resolve of this.#whenClosed.splice(0)) resolve();
    });
    this.#watch = setInterval(() => this.#checkDeadline(), WATCH_EVERY_MS);
    this.#watch.unref();
  }

  get isUsable(): boolean {
    return !this.#isOver && !this.#closing && this.#entering === undefined;
  }

  async ready(): Promise<boolean> {
    return this.isUsable;
  }

  send(envelope: Envelope, bytes: Buffer, hasRoom: () => void): Promise<TransactionFact | undefined> {
    const needsUtf8 = !ASCII.test(envelope.to) || !ASCII.test(envelope.from);
    if (needsUtf8 && !this.#offers.smtpUtf8) {
      const error = 'the address needs SMTPUTF8 (RFC 6531), which the relay does not offer';
      return Promise.resolve({ stage: 'local', phase: 'not-sent', error });
    }
    return new Promise((resolve) => {
      const transaction: Transaction = {
        progress: 'envelope',
        failure: undefined,
        isHeard: false,
        bytes: dotStuffed(bytes),
        size: bytes.length,
        deadline: performance.now() + this.#times.transactionMs,
        hasRoom,
        end: resolve,
      };
      this.#entering = transaction;
      this.#writeEnvelope(transaction, envelope, needsUtf8);
    });
  }

  async close(): Promise<void> {
    if (this.#socket.closed) return;
    this.#closing = true;
    const closed = new Promise<void>((resolve) => this.#whenClosed.push(resolve));
    const kill = setTimeout(() => this.#socket.destroy(), this.#times.quitMs);
    if (this.#isOver) this.#socket.destroy();
    else {
      this.#socket.write('QUIT\r\n');
      this.#await('quit', undefined, this.#times.quitMs);
    }
    await closed;
    clearTimeout(kill);
  }

  abort(reason: string): void {
    this.#finish(reason);
  }

  #writeEnvelope(transaction: Transaction, { from, to }: Envelope, needsUtf8: boolean): void {
    const size = this.#offers.size ? ` SIZE=${transaction.size}` : '';
    const eightBit = this.#offers.eightBitMime ? ' BODY=8BITMIME' : '';
    const utf8 = needsUtf8 ? ' SMTPUTF8' : '';
    const reset = this.#needsReset ? 'RSET\r\n' : '';
    if (this.#needsReset) this.#await('rset', transaction, this.#times.envelopeMs);
    this.#needsReset = false;
    this.#socket.write(`${reset}MAIL FROM:<${from}>${size}${eightBit}${utf8}\r\nRCPT TO:<${to}>\r\nDATA\r\n`);
    this.#await('mail', transaction, this.#times.envelopeMs);
    this.#await('rcpt', transaction, this.#times.envelopeMs);
    this.#await('data', transaction, this.#times.envelopeMs);
  }

  #await(step: Step, transaction: Transaction | undefined, withinMs: number): void {
    this.#awaited.push({ step, transaction, until: performance.now() + withinMs });
  }

  #received(chunk: Buffer): void {
    // what the replies of one chunk give rise to goes out in one segment
    this.#socket.cork();
    try {
      this.#reader.read(chunk, (reply) => this.#replied(reply));
    } catch (error) {
      this.#finish(error instanceof Error ? error.message : String(error));
    }
    this.#socket.uncork();
  }

  #replied(reply: Reply): void {
    if (this.#isOver) return;
    const awaited = this.#awaited.shift();
    if (awaited === undefined || (reply.code === 421 && awaited.step !== 'quit')) {
      this.#dismissed(awaited, reply);
      return;
    }
    const { step, transaction } = awaited;
    if (transaction === undefined) {
      this.#finish('the session was closed');
      return;
    }
    transaction.isHeard = true;
    const isPositive = reply.code >= 200 && reply.code < 300;
    switch (step) {
      case 'rset':
      case 'mail':
      case 'rcpt':
        if (!isPositive)
          transaction.failure ??= {
            stage: step === 'rcpt' ? 'rcpt' : 'mail',
            phase: 'replied',
            reply: reply.text(),
          };
        break;
      case 'data':
        if (reply.code === 354) this.#writeBody(transaction);
        else {
          this.#needsReset = true;
          this.#entering = undefined;
          transaction.end(transaction.failure ?? { stage: 'data', phase: 'replied', reply: reply.text() });
        }
        break;
      case 'dot':
        transaction.end(transaction.failure ?? { stage: 'dot', phase: 'replied', reply: reply.text() });
        break;
      case 'quit':
        break;
    }
  }

  /** A 421, or a reply out of turn: the relay ends the session. It speaks of the transaction it answers; the others were not begun, or are lost. */
  #dismissed(awaited: Awaited | undefined, reply: Reply): void {
    const transaction = awaited?.transaction;
    if (awaited !== undefined && transaction !== undefined && awaited.step !== 'quit') {
      const stage = awaited.step === 'rset' ? 'mail' : awaited.step;
      transaction.end(transaction.failure ?? { stage, phase: 'replied', reply: reply.text() });
    }
    this.#finish(`the relay ended the session: ${reply.text()}`);
  }

  #writeBody(transaction: Transaction): void {
    const { bytes } = transaction;
    if (transaction.failure !== undefined) {
      // 354 although nobody is to get it: nothing but the end of data (RFC 2920 §3.1)
      this.#socket.write(NO_MESSAGE);
      this.#bodyWritten(transaction);
    } else if (bytes.length <= PIECE_BYTES) {
      this.#lastPiece(transaction, bytes);
    } else {
      transaction.progress = 'body';
      this.#writePieces(transaction, 0);
    }
  }

  /** Gives the connection one piece after the other, so that the final dot is not written before the relay has taken the rest. */
  #writePieces(transaction: Transaction, from: number): void {
    const { bytes } = transaction;
    let at = from;
    while (bytes.length - at > PIECE_BYTES) {
      if (this.#isOver) return;
      const piece = bytes.subarray(at, at + PIECE_BYTES);
      at += PIECE_BYTES;
      if (!this.#socket.write(piece)) {
        this.#socket.once('drain', () => this.#writePieces(transaction, at));
        return;
      }
    }
    if (!this.#isOver) this.#lastPiece(transaction, bytes.subarray(at));
  }

  #lastPiece(transaction: Transaction, piece: Buffer): void {
    transaction.progress = 'dot';
    this.#socket.write(piece);
    this.#socket.write(endOfData(transaction.bytes));
    this.#bodyWritten(transaction);
  }

  #bodyWritten(transaction: Transaction): void {
    this.#entering = undefined;
    this.#await('dot', transaction, this.#times.dotMs);
    if (!this.#closing) transaction.hasRoom();
  }

  #checkDeadline(): void {
    const now = performance.now();
    const first = this.#awaited[0];
    const isBodyStuck = this.#entering?.progress === 'body' && now > this.#entering.deadline;
    if (
      isBodyStuck ||
      (first !== undefined && now > Math.min(first.until, first.transaction?.deadline ?? first.until))
    ) {
      this.#finish('the relay did not answer in time');
    }
  }

  /** The session is over: every transaction ends with what is known of it. */
  #finish(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#watch);
    const said = this.#reader.isPartial ? { reply: this.#reader.partial } : { error: reason };
    const ended = new Set<Transaction>();
    const open = this.#awaited.splice(0).map((awaited) => awaited.transaction);
    for (const transaction of [...open, this.#entering]) {
      if (transaction === undefined || ended.has(transaction)) continue;
      ended.add(transaction);
      const isUntouched = transaction.progress === 'envelope' && !transaction.isHeard;
      transaction.end(transaction.failure ?? (isUntouched ? undefined : lost(transaction.progress, said)));
    }
    this.#entering = undefined;
    this.#socket.destroy();
  }
}
