import { classify, isAccepted } from '../../mail/index.ts';
import type { Relay, SeqRanges, TaskRecipient, TaskSend } from '../../protocol/index.ts';
import { rangesOf } from '../../protocol/index.ts';
import { TaskReports } from '../reports.ts';
import type { CompiledMessage, TaskRecord, TransactionFact } from './contract.ts';
import { Lease } from './lease.ts';

/** Faults of the relay in a row, without a sign of life between, after which the rest of a task is given back. */
export const DEAD_RELAY_FAULTS = 5;

/** What a task starts with. */
export interface TaskStart {
  readonly send: Pick<TaskSend, 'TASK_UUID' | 'RELAY' | 'RECIPIENTS' | 'LEASE_S'>;
  readonly origin: string;
  readonly worker: string;
  readonly record: TaskRecord;
  /** The server gave it not before this moment; absent: now. */
  readonly givenAt?: number;
  /** Of the process before this one, and how that ended: there is nothing to send, only to tell. */
  readonly recovered?: 'suddenly' | 'orderly';
}

/**
 * One task: which recipient is next, which are in flight, and when it is over.
 *
 * - composing: the message is not ready yet; nothing can be taken.
 * - sending: `take()` gives the recipients in their order, as long as the lease allows.
 * - stopped: nothing more is taken, what is in flight ends. Entered by `stop()`: handed back, lease lost, relay dead.
 * - over: nothing left to take and nothing in flight. The untouched ones are `untouched()`.
 */
export class Task {
  readonly id: string;
  /** Address of the server that gave it. */
  readonly origin: string;
  readonly relay: Relay;
  readonly relayKey: string;
  readonly size: number;
  readonly startedAt: number;
  readonly lease: Lease;
  readonly reports: TaskReports;
  readonly record: TaskRecord;
  readonly isRecovered: boolean;
  readonly #recipients: readonly TaskRecipient[];
  #message: CompiledMessage | undefined;
  #next = 0;
  #inFlight = 0;
  /** Taken, and not begun after all. */
  readonly #givenBack: number[] = [];
  #stopReason: string | undefined;
  #faultsInARow = 0;
  #sent = 0;
  #closing = false;

  constructor({ send, origin, worker, record, givenAt, recovered }: TaskStart, now: number) {
    this.id = send.TASK_UUID;
    this.origin = origin;
    this.relay = send.RELAY;
    this.relayKey = relayKeyOf(send.RELAY);
    this.size = send.RECIPIENTS.length;
    this.startedAt = now;
    this.lease = new Lease(givenAt ?? now, send.LEASE_S * 1000);
    this.reports = new TaskReports(send.TASK_UUID, worker, recovered === 'suddenly');
    this.record = record;
    this.isRecovered = recovered !== undefined;
    this.#recipients = send.RECIPIENTS;
  }

  /** The message is composed: sending can start. */
  composed(message: CompiledMessage): void {
    this.#message = message;
  }

  /** Recipients that could be taken now. */
  ready(now: number): number {
    return this.#message !== undefined && this.lease.allows(now) ? this.left : 0;
  }

  /** Recipients still to be taken; none once it is stopped. */
  get left(): number {
    return this.#stopReason === undefined ? this.size - this.#next : 0;
  }

  get sent(): number {
    return this.#sent;
  }

  get stopReason(): string | undefined {
    return this.#stopReason;
  }

  get isOver(): boolean {
    return this.left === 0 && this.#inFlight === 0;
  }

  take(now: number): { recipient: TaskRecipient; message: CompiledMessage } | undefined {
    if (this.#message === undefined || this.ready(now) === 0) return undefined;
    const recipient = this.#recipients[this.#next++] as TaskRecipient;
    this.#inFlight++;
    this.record.begun(recipient.SEQ);
    return { recipient, message: this.#message };
  }

  /** A taken recipient has come to its end. Returns whether that was a fault of the relay. */
  settle(recipient: TaskRecipient, fact: TransactionFact): boolean {
    this.#inFlight--;
    const isSent = isAccepted(fact);
    this.reports.add(recipient.SEQ, fact, isSent);
    this.record.settled(recipient.SEQ, fact, isSent);
    if (isSent) {
      this.#sent++;
      this.#faultsInARow = 0;
      return false;
    }
    // What this worker refuses by itself says nothing about the relay.
    if (fact.stage === 'local') return false;
    const isRelayFault = classify(fact).fault === 'relay';
    this.#faultsInARow = isRelayFault ? this.#faultsInARow + 1 : 0;
    if (this.#faultsInARow >= DEAD_RELAY_FAULTS) {
      this.stop(`relay ${this.relay.NAME}: ${this.#faultsInARow} faults in a row`);
    }
    return isRelayFault;
  }

  /** A taken recipient was not begun, and is handed back with the others. Only of a task that is stopped. */
  giveBack(recipient: TaskRecipient): void {
    this.#inFlight--;
    this.#givenBack.push(recipient.SEQ);
  }

  /** Takes nothing more. The first reason counts. */
  stop(reason: string): void {
    if (this.left > 0) this.#stopReason ??= reason;
  }

  untouched(): SeqRanges {
    const rest = this.#recipients.slice(this.#next).map((recipient) => recipient.SEQ);
    return rangesOf([...this.#givenBack, ...rest]);
  }

  /** True the first time it is asked once the task is over: then it is to be wound up. */
  claimClosing(): boolean {
    if (this.#closing || !this.isOver) return false;
    this.#closing = true;
    return true;
  }
}

/** One pool of connections per relay and login. */
export function relayKeyOf(relay: Relay): string {
  const { CONNECTIONS: _share, ...same } = relay;
  return JSON.stringify(same);
}
