import type { SmtpFact } from '../../mail/index.ts';
import type { Dkim, Message, Relay, TaskRecipient } from '../../protocol/index.ts';

/** The addresses of one SMTP transaction. `from` is empty for the null sender. */
export interface Envelope {
  readonly from: string;
  readonly to: string;
}

/** What happened to one transaction: where it ended, how far it had got by the worker's own record, and the reply. */
export type TransactionFact = SmtpFact;

/** A message on its way: who it goes to, and its bytes with CRLF line ends, not dot-stuffed. */
export interface RenderedMessage {
  readonly envelope: Envelope;
  readonly bytes: Buffer;
}

/** The message of a batch, composed once; what differs between recipients is filled in by `render`. */
export interface CompiledMessage {
  /** @throws when it cannot be made for this recipient, which is then refused for good. */
  render(recipient: TaskRecipient): RenderedMessage;
}

/**
 * Composes the message of a batch. `date` is the Date of every copy, ISO 8601; with `dkim` every copy is signed.
 * Rejects when the message cannot be composed by this worker: the task is then reported as failed for now.
 */
export type CompileMessage = (message: Message, date: string, dkim?: Dkim) => Promise<CompiledMessage>;

/** A session with a relay, logged in. */
export interface RelaySession {
  /** Called when the session has become usable while transactions are in flight. Whoever gives it work sets this. */
  onRoom: () => void;
  /** Whether a transaction can be begun as far as is known now. */
  readonly isUsable: boolean;
  /**
   * When the relay last spoke, the connection had taken all that was written until then: nobody looks any more at the bytes of a mail
   * that ends with what it said.
   */
  readonly isFlushed: boolean;
  /**
   * Begins a transaction; only while the session is usable. `ended` is called exactly once, possibly before `send` returns. What
   * went wrong is in the fact; undefined: the session ended before the relay had answered anything of it, and nothing
   * was sent, so it can be sent over another one.
   */
  send(envelope: Envelope, bytes: Buffer, ended: (fact: TransactionFact | undefined) => void): void;
  /** Clears up after the last transaction (RSET when it was refused). False: the session is over. */
  ready(): Promise<boolean>;
  /** Ends an idle session in an orderly way (QUIT); resolves when the connection is closed. Never rejects. */
  close(): Promise<void>;
  /** Ends it at once. Running transactions end with what is known of them. */
  abort(reason: string): void;
}

/** Opens a session; given up when `signal` aborts. @throws SessionError */
export type OpenSession = (relay: Relay, signal: AbortSignal) => Promise<RelaySession>;

/** A session could not be made: the fact says where it ended and what the relay said. */
export class SessionError extends Error {
  override readonly name = 'SessionError';
  readonly code = 'RELAY_SESSION';
  readonly fact: TransactionFact;

  constructor(fact: TransactionFact, cause?: unknown) {
    super(`no session with the relay (${fact.stage}): ${fact.reply ?? fact.error ?? 'unknown'}`, { cause });
    this.fact = fact;
  }
}

/** What became of a task, written down for the process that comes after this one. */
export interface TaskRecord {
  /** Before anything of the mail can reach the relay. */
  begun(seq: number): void;
  settled(seq: number, fact: SmtpFact, isSent: boolean): void;
  /** The server has acknowledged all of it, or nobody will. */
  forgotten(): void;
}

/** What the process before this one had written down of a task. */
export interface KnownTask {
  readonly id: string;
  readonly origin: string;
  /** The process ended without a word; otherwise it was told to, and could not report any more. */
  readonly isSudden: boolean;
  /** Begun, and nothing is known of their end. */
  readonly begun: Iterable<number>;
  readonly sent: Iterable<number>;
  readonly facts: Iterable<readonly [seq: number, fact: SmtpFact]>;
  readonly record: TaskRecord;
}

/** Asked before the end of a mail may reach a relay. */
export interface Gate {
  /** Of a mail that is begun now, to be shown to `admits`. */
  ticket(): number;
  /** Whether it is written down that the mail was begun. False: it cannot be, and the mail must not be sent. */
  admits(ticket: number): boolean;
  /**
   * Calls once when all that is begun by now is written down, or could not be, which `admits` tells: at the end of this turn of the event loop, or
   * at once where there is nothing to wait for. So mails that are begun together are written down together.
   */
  afterWrite(callback: () => void): void;
}

/** Where the worker writes down what it has begun and how it ended. */
export interface WorkJournal extends Gate {
  /** False: nothing may be begun. */
  readonly isWritable: boolean;
  /** `changed` is called whenever `isWritable` has changed. */
  watch(changed: () => void): void;
  readonly known: readonly KnownTask[];
  record(id: string, origin: string): TaskRecord;
  sweep(): void;
}

const nothing = (): void => {};
export const NO_RECORD: TaskRecord = { begun: nothing, settled: nothing, forgotten: nothing };

/** Writes nothing down: for a worker that has no folder. The server's marks alone tell what it may have sent. */
export const NO_JOURNAL: WorkJournal = {
  isWritable: true,
  watch: nothing,
  known: [],
  record: () => NO_RECORD,
  ticket: () => 0,
  admits: () => true,
  afterWrite: (callback) => callback(),
  sweep: nothing,
};
