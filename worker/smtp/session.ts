import SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { Relay } from '../../protocol/index.ts';
import { type Envelope, type RelaySession, SessionError, type TransactionFact } from '../tasks/contract.ts';
import { bodyOf } from './body.ts';
import { refusesLogin } from './login-policy.ts';
import { factOfFailure, factOfSetup, lost, type Progress, type SetupStage, type SmtpError } from './stage.ts';
import type { SmtpTimes } from './times.ts';

export interface SessionOptions {
  readonly times: SmtpTimes;
  /** Name given in EHLO; absent: the host's. */
  readonly heloName?: string;
}

/** A reply longer than that is nobody's reply, bytes. */
const MAX_RESPONSE_BYTES = 64 * 1024;
const ASCII = /^[ -~]*$/;

/** The library keeps the extensions of the EHLO to itself and has no accessor for them. */
interface Extensions {
  readonly _supportedExtensions?: readonly string[];
}

interface Transaction {
  progress: Progress;
  readonly end: (fact: TransactionFact) => void;
}

/**
 * A session over nodemailer's SMTPConnection, which speaks: greeting, EHLO, TLS, AUTH, MAIL, RCPT, DATA. What it does not tell
 * is kept here: how far a transaction got, and how long each step may take.
 *
 * opening (`open`) → idle ⇄ sending → (refused: unclean → RSET in `ready`) → over. Over is final: QUIT, a 421, a lost or
 * overdue connection. A transaction: envelope → body (354 came) → dot (the final dot may be out) → ended, once.
 */
export class NodemailerSession implements RelaySession {
  readonly #connection: SMTPConnection;
  readonly #times: SmtpTimes;
  #transaction: Transaction | undefined;
  #timer: NodeJS.Timeout | undefined;
  #unclean = false;
  #over = false;
  #reason = 'the connection ended';
  readonly #whenOver: (() => void)[] = [];

  private constructor(connection: SMTPConnection, times: SmtpTimes) {
    this.#connection = connection;
    this.#times = times;
    connection.on('end', () => this.#ended());
  }

  /** Connects, starts TLS as the relay's STARTTLS, SECURE and VERIFY say, and logs in where it has a USER. */
  static async open(relay: Relay, options: SessionOptions, signal?: AbortSignal): Promise<NodemailerSession> {
    const { times } = options;
    const connection = new SMTPConnection(connectionOptions(relay, options));
    let stage: SetupStage = 'connect';
    const watch = setTimeout(() => {
      if (connection.stage === 'init') connection.emit('error', new Error('connection timed out'));
    }, times.connectMs);
    const deadline = setTimeout(
      () => connection.emit('error', new Error('the relay takes too long to set up a session')),
      times.connectMs + times.greetingMs + times.setupMs,
    );
    const giveUp = (): boolean => connection.emit('error', new Error('not needed any more'));
    signal?.addEventListener('abort', giveUp, { once: true });
    try {
      await new Promise<void>((resolve, reject) => {
        connection.on('error', reject);
        connection.connect((error) => {
          if (error !== undefined && error !== null) reject(error);
          else resolve();
        });
      });
      if (relay.USER !== undefined) {
        stage = 'auth';
        await login(connection, relay);
      }
    } catch (cause) {
      const error = cause as SmtpError;
      if (stage === 'connect' && connection.stage === 'connected') {
        const isGreeting =
          connection.lastServerResponse === false ||
          (error.command === 'CONN' && error.response !== undefined);
        stage = isGreeting ? 'greeting' : 'ehlo';
      }
      connection.close();
      throw new SessionError(factOfSetup(error, stage), cause);
    } finally {
      clearTimeout(watch);
      clearTimeout(deadline);
      signal?.removeEventListener('abort', giveUp);
    }
    return new NodemailerSession(connection, times);
  }

  get isUsable(): boolean {
    const socket = this.#connection._socket;
    return !this.#over && !this.#connection.destroyed && !!socket && socket.writable;
  }

  send(envelope: Envelope, bytes: Uint8Array): Promise<TransactionFact> {
    if (!this.#canAddress(envelope)) {
      const error = 'the address needs SMTPUTF8 (RFC 6531), which the relay does not offer';
      return Promise.resolve({ stage: 'local', phase: 'not-sent', error });
    }
    return new Promise((resolve) => {
      const deadline = performance.now() + this.#times.transactionMs;
      const transaction: Transaction = {
        progress: 'envelope',
        end: (fact) => {
          if (this.#transaction !== transaction) return;
          this.#transaction = undefined;
          clearTimeout(this.#timer);
          resolve(fact);
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

  #canAddress({ from, to }: Envelope): boolean {
    if (ASCII.test(to) && ASCII.test(from)) return true;
    const extensions = (this.#connection as Extensions)._supportedExtensions ?? [];
    return extensions.includes('SMTPUTF8');
  }
}

function connectionOptions(relay: Relay, { times, heloName }: SessionOptions): SMTPConnection.Options {
  const startTls = relay.STARTTLS ?? 'AUTO';
  return {
    host: relay.HOST,
    port: relay.PORT,
    secure: relay.SECURE,
    ignoreTLS: startTls === 'NEVER',
    requireTLS: startTls === 'ALWAYS' && !relay.SECURE,
    tls: { rejectUnauthorized: relay.VERIFY !== false },
    // It counts the greeting into its connection timeout, so the shorter limit on connecting is kept in `open`.
    connectionTimeout: times.connectMs + times.greetingMs,
    greetingTimeout: times.greetingMs,
    // Longer than every limit here, so that it never cuts in.
    socketTimeout: times.transactionMs + times.setupMs,
    socketCloseTimeout: times.quitMs,
    maxResponseSize: MAX_RESPONSE_BYTES,
    ...(heloName === undefined ? {} : { name: heloName }),
  };
}

async function login(connection: SMTPConnection, relay: Relay): Promise<void> {
  const refusal = refusesLogin(relay, connection.secure);
  if (refusal !== undefined) throw Object.assign(new Error(refusal), { code: 'EAUTH' });
  await new Promise<void>((resolve, reject) => {
    connection.on('error', reject);
    connection.on('end', () => reject(new Error('the relay ended the connection during AUTH')));
    connection.login({ user: relay.USER, pass: relay.PASS }, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
