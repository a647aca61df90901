import type SMTPConnection from 'nodemailer/lib/smtp-connection';
import {
  type Envelope,
  type Gate,
  NO_JOURNAL,
  type RelaySession,
  type TransactionFact,
} from '../tasks/contract.ts';
import { bodyOf } from './body.ts';
import { refusedHere } from './envelope.ts';
import type { Offers } from './offers.ts';
import { factOfFailure, lost, type Progress } from './stage.ts';
import type { SmtpTimes } from './times.ts';

interface Transaction {
  progress: Progress;
  readonly end: (fact: TransactionFact) => void;
}

/**
 * A session with a relay that does not offer PIPELINING: one transaction at a time over nodemailer's SMTPConnection, which speaks MAIL,
 * RCPT and DATA. What it does not tell is kept here: how far a transaction got, and how long each step may take.
 *
 * idle ⇄ sending → (refused: unclean → RSET in `ready`) → over. Over is final: QUIT, a 421, a lost or
 * overdue connection. A transaction: envelope → body (354 came) → dot (the final dot may be out) → ended, once.
 */
export class NodemailerSession implements RelaySession {
  /** Never called: there is room only when nothing is in flight. */
  onRoom: () => void = () => {};
  readonly #connection: SMTPConnection;
  readonly #offers: Offers;
  readonly #times: SmtpTimes;
  readonly #gate: Gate;
  #transaction: Transaction | undefined;
  #timer: NodeJS.Timeout | undefined;
  #unclean = false;
  #over = false;
  #reason = 'the connection ended';
  readonly #whenOver: (() => void)[] = [];

  /** Takes a connection that is set up. */
  constructor(connection: SMTPConnection, offers: Offers, times: SmtpTimes, gate: Gate = NO_JOURNAL) {
    this.#connection = connection;
    this.#offers = offers;
    this.#times = times;
    this.#gate = gate;
    connection.on('end', () => this.#ended());
  }

  get isUsable(): boolean {
    const socket = this.#connection._socket;
    return (
      !this.#over &&
      this.#transaction === undefined &&
      !this.#connection.destroyed &&
      !!socket &&
      socket.writable
    );
  }

  get isFlushed(): boolean {
    const socket = this.#connection._socket;
    return !!socket && socket.writableLength === 0;
  }

  send(envelope: Envelope, bytes: Buffer, ended: (fact: TransactionFact | undefined) => void): void {
    const refusal = refusedHere(envelope, bytes.length, this.#offers);
    if (refusal !== undefined) {
      ended({ stage: 'local', phase: 'not-sent', error: refusal });
      return;
    }
    if (!this.#gate.admits(this.#gate.ticket())) {
      ended(undefined);
      return;
    }
    const deadline = performance.now() + this.#times.transactionMs;
    const transaction: Transaction = {
      progress: 'envelope',
      end: (fact) => {
        if (this.#transaction !== transaction) return;
        this.#transaction = undefined;
        clearTimeout(this.#timer);
        ended(fact);
      },
    };
    this.#transaction = transaction;
    const step = (progress: Progress, withinMs: number): void => {
      transaction.progress = progress;
      clearTimeout(this.#timer);
      const leftMs = Math.max(0, Math.min(withinMs, deadline - performance.now()));
      this.#timer = setTimeout(() => this.abort(`no reply within ${Math.round(leftMs / 1000)} s`), leftMs);
    };
    step('envelope', this.#times.envelopeMs);
    const body = bodyOf(
      bytes,
      () => step('body', this.#times.bodyMs),
      () => step('dot', this.#times.dotMs),
    );
    const { from, to } = envelope;
    this.#connection.send({ from, to, size: bytes.length }, body, (error, info) => {
      if (error) {
        // Whatever was refused before the dot leaves a transaction open (RFC 5321 §4.1.1.5).
        this.#unclean = transaction.progress === 'envelope';
        transaction.end(factOfFailure(error, transaction.progress));
      } else transaction.end({ stage: 'dot', phase: 'replied', reply: info?.response ?? '' });
    });
  }

  async ready(): Promise<boolean> {
    if (!this.isUsable || !this.#unclean) return this.isUsable;
    this.#unclean = false;
    await new Promise<void>((resolve) => {
      this.#whenOver.push(resolve);
      this.#timer = setTimeout(() => this.abort('no reply to RSET'), this.#times.envelopeMs);
      this.#connection.reset((error) => {
        if (error) this.abort('RSET refused');
        resolve();
      });
    });
    clearTimeout(this.#timer);
    return this.isUsable;
  }

  async close(): Promise<void> {
    if (this.#over) return;
    const socket = this.#connection._socket;
    await new Promise<void>((resolve) => {
      this.#whenOver.push(resolve);
      this.#timer = setTimeout(() => this.#connection.close(), this.#times.quitMs);
      if (this.isUsable) this.#connection.quit();
      else this.#connection.close();
    });
    // The relay counts the connection until both ends are closed; the library destroys the socket after quitMs.
    if (socket && !socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  }

  abort(reason: string): void {
    this.#reason = reason;
    // close() forgets the transaction without a word; the 'end' that it emits does not.
    this.#connection.close();
  }

  #ended(): void {
    this.#over = true;
    const reason = this.#reason;
    const transaction = this.#transaction;
    if (transaction === undefined) clearTimeout(this.#timer);
    // The library's own error says more, when it has one: it comes in this same turn.
    else queueMicrotask(() => transaction.end(lost(transaction.progress, { error: reason })));
    for (const resolve of this.#whenOver.splice(0)) resolve();
  }
}
