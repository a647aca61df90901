import {
  type Envelope,
  type Gate,
  type RelaySession,
  SessionError,
  type TransactionFact,
} from '../../../worker/tasks/contract.ts';
import type { Process } from '../engine/process.ts';
import type { VirtualRelay } from './relay.ts';

/** A relay that does not answer the final dot is waited for so long, ms; in earnest it is ten minutes. */
const DOT_MS = 30_000;

const CUT = 'read ECONNRESET';

interface Transaction {
  readonly messageId: string;
  /** Of the gate. */
  readonly ticket: number;
  readonly ended: (fact: TransactionFact | undefined) => void;
  isDotWritten: boolean;
}

export interface SessionOptions {
  /** Most transactions under way. */
  readonly depth: number;
  /** Asked before the end of a mail may reach the relay. */
  readonly gate: Gate;
  /** A transaction begins. */
  readonly onBegin: (messageId: string, process: Process) => void;
}

/** Opens a session of a worker's process with a relay. */
export function openVirtualSession(
  relay: VirtualRelay,
  process: Process,
  options: SessionOptions,
  signal: AbortSignal,
): Promise<RelaySession> {
  return new Promise((resolve, reject) => {
    let isOver = false;
    relay.connected(process);
    const fail = (fact: TransactionFact): void => {
      if (isOver) return;
      isOver = true;
      relay.disconnected(process);
      reject(new SessionError(fact));
    };
    signal.addEventListener('abort', () => fail({ stage: 'connect', phase: 'not-sent', error: 'given up' }));
    process.setTimer(() => {
      if (isOver) return;
      if (relay.mood === 'refuses')
        fail({ stage: 'connect', phase: 'not-sent', error: 'connect ECONNREFUSED' });
      else if (relay.mood === 'greets421')
        fail({ stage: 'greeting', phase: 'replied', reply: '421 4.3.2 not now' });
      else {
        isOver = true;
        resolve(new VirtualSession(relay, process, options));
      }
    }, 4 * relay.latency());
  });
}

/**
 * A session with a relay. Transactions travel behind each other, and are answered in their order. What is on the line when the worker's
 * process ends still arrives.
 */
class VirtualSession implements RelaySession {
  onRoom = (): void => {};
  readonly isFlushed = false;
  readonly #relay: VirtualRelay;
  readonly #process: Process;
  readonly #options: SessionOptions;
  readonly #open: Transaction[] = [];
  #isOver = false;
  #isClosed = false;
  #needsReset = false;
  /** When the last one is dealt with by the relay. */
  #busyUntil = 0;

  constructor(relay: VirtualRelay, process: Process, options: SessionOptions) {
    this.#relay = relay;
    this.#process = process;
    this.#options = options;
  }

  get isUsable(): boolean {
    return !this.#isOver && !this.#needsReset && this.#open.length < this.#options.depth;
  }

  send(_envelope: Envelope, bytes: Buffer, ended: Transaction['ended']): void {
    const ticket = this.#options.gate.ticket();
    const transaction: Transaction = { messageId: bytes.toString(), ticket, ended, isDotWritten: false };
    this.#open.push(transaction);
    this.#options.onBegin(transaction.messageId, this.#process);
    const now = this.#relay.events.now;
    const wait = Math.max(this.#busyUntil - now, 2 * this.#relay.latency()) + this.#relay.work();
    this.#busyUntil = now + wait;
    this.#process.setTimer(() => this.#writeDot(transaction), wait);
  }

  async ready(): Promise<boolean> {
    if (this.#isOver) return false;
    if (!this.#needsReset) return true;
    await this.#pause(2 * this.#relay.latency());
    this.#needsReset = false;
    return !this.#isOver;
  }

  async close(): Promise<void> {
    this.#isOver = true;
    await this.#pause(2 * this.#relay.latency());
    this.#disconnect();
  }

  abort(reason: string): void {
    this.#break(reason);
  }

  #writeDot(transaction: Transaction): void {
    if (this.#isOver || !this.#open.includes(transaction)) return;
    if (!this.#options.gate.admits(transaction.ticket)) {
      this.#break('the journal cannot be written');
      return;
    }
    transaction.isDotWritten = true;
    const { messageId } = transaction;
    const relay = this.#relay;
    relay.later(relay.latency(), () => {
      const fate = relay.mood === 'refuses' ? undefined : relay.fateOf(messageId);
      if (fate?.kind === 'accepted') relay.accept(messageId, this.#process);
      if ((fate?.kind === 'cut' || fate?.kind === 'silence') && fate.accepted)
        relay.accept(messageId, this.#process);
      relay.later(relay.latency(), () => {
        this.#process.receive(`q ${this.#process.name}`, () => {
          if (fate === undefined) this.#break(CUT);
          else if (fate.kind === 'accepted')
            this.#reply(transaction, { stage: 'dot', phase: 'replied', reply: '250 2.0.0 ok' });
          else if (fate.kind === 'refused')
            this.#reply(transaction, { stage: 'rcpt', phase: 'replied', reply: fate.reply });
          else if (fate.kind === 'cut') {
            // The relay cut before it had read the dot: the worker cannot know that once it has written it.
            if (!fate.afterDot) transaction.isDotWritten = false;
            this.#break(CUT);
          } else this.#process.setTimer(() => this.#break('no reply to the final dot'), DOT_MS);
        });
      });
    });
  }

  #reply(transaction: Transaction, fact: TransactionFact): void {
    const at = this.#open.indexOf(transaction);
    if (this.#isOver || at < 0) return;
    this.#open.splice(at, 1);
    if (fact.stage !== 'dot') this.#needsReset = this.#open.length === 0;
    transaction.ended(fact);
    if (this.isUsable) this.onRoom();
  }

  /** The connection is lost: each transaction ends with what is known of it. */
  #break(error: string): void {
    if (this.#isOver && this.#open.length === 0) {
      this.#disconnect();
      return;
    }
    this.#isOver = true;
    this.#disconnect();
    const open = this.#open.splice(0);
    for (const [i, { isDotWritten, ended }] of open.entries()) {
      if (isDotWritten) ended({ stage: 'dot', phase: 'sent-unconfirmed', error });
      else if (i === 0) ended({ stage: 'data', phase: 'not-sent', error });
      else ended(undefined);
    }
  }

  #disconnect(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#relay.disconnected(this.#process);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#process.setTimer(resolve, ms));
  }
}
