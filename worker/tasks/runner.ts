import { WarnLimiter } from '../../logging/index.ts';
import { replyForLog } from '../../mail/index.ts';
import type { TaskRecipient, TaskSend } from '../../protocol/index.ts';
import type { Logger } from '../logger.ts';
import { type Job, type PoolOptions, RelayPool } from '../smtp/pool.ts';
import type { Surroundings } from '../surroundings.ts';
import type { CompileMessage, KnownTask, OpenSession, TransactionFact, WorkJournal } from './contract.ts';
import { MessageCache } from './message-cache.ts';
import { recoveredTask } from './recovered-task.ts';
import { ReportDesk, type ReportDeskOptions, type ReportLink } from './report-desk.ts';
import { Task } from './task.ts';
import { TaskBook } from './task-book.ts';

/** Pools without a connection that are kept all the same: they know when their relay last refused. */
const MAX_EMPTY_POOLS = 32;

/** Why a task is handed back. */
const NO_JOURNAL_NOW = 'the journal cannot be written';

/** What the runner needs of the link and of who announces the worker. */
export interface Office extends ReportLink {
  /** The number of open slots or what is held has changed. */
  changed(): void;
  /** No further task is wanted, though slots are known to be open. */
  declined(): void;
}

export interface RunnerOptions extends ReportDeskOptions {
  readonly worker: string;
  readonly connections: number;
  readonly inFlight: number;
  readonly pool: PoolOptions;
  readonly journal: WorkJournal;
}

/**
 * Sends the tasks: hands their recipients, in order, to the sessions of their relay, and what became of them to the report desk. A
 * task is held from `accept` until its DONE is acknowledged. Which recipient may start next, the task book decides.
 */
export class TaskRunner {
  readonly #options: RunnerOptions;
  readonly #open: OpenSession;
  readonly #office: Office;
  readonly #logger: Logger;
  readonly #around: Surroundings;
  readonly #warn: WarnLimiter;
  readonly #messages: MessageCache;
  readonly #book: TaskBook;
  readonly #desk: ReportDesk;
  readonly #pools = new Map<string, RelayPool>();
  #sent = 0;
  #failed = 0;

  constructor(
    options: RunnerOptions,
    compile: CompileMessage,
    open: OpenSession,
    office: Office,
    logger: Logger,
    around: Surroundings,
  ) {
    this.#options = options;
    this.#open = open;
    this.#office = office;
    this.#logger = logger;
    this.#around = around;
    this.#warn = new WarnLimiter(logger, () => around.now());
    this.#messages = new MessageCache(compile);
    this.#book = new TaskBook(options.inFlight);
    this.#desk = new ReportDesk(this.#book, office, options, logger, around);
    for (const known of options.journal.known) this.#recover(known);
    options.journal.watch(() => this.#journalChanged());
  }

  /**
   * Takes a task from the server at `origin`, which gave it not before `givenAt`: a task may have been on its way for long, and its lease
   * runs from there. The same task again is the same task. @returns whether its lease lasts; otherwise it wants to be renewed first
   */
  accept(origin: string, send: TaskSend, givenAt: number): boolean {
    if (this.#book.get(send.TASK_UUID) !== undefined) return true;
    const { worker, journal } = this.#options;
    const record = journal.record(send.TASK_UUID, origin);
    const task = new Task({ send, origin, worker, record, givenAt }, this.#around.now());
    this.#book.add(task);
    this.#logger.debug(
      { task: task.id, batch: send.BATCH_UUID, relay: task.relay.NAME, recipients: task.size },
      'task begins',
    );
    const share = task.relay.CONNECTIONS ?? Number.POSITIVE_INFINITY;
    this.#poolOf(task).setLimit(Math.min(this.#options.connections, share));
    this.#messages.get(`${origin} ${send.BATCH_UUID}`, send).then(
      (message) => {
        task.composed(message);
        this.#pools.get(task.relayKey)?.pump();
        this.#windUp(task);
      },
      (error: unknown) => this.#refuseToCompose(task, error),
    );
    if (!journal.isWritable) this.#stop(task, NO_JOURNAL_NOW);
    this.#office.changed();
    return task.lease.allows(this.#around.now());
  }

  /** Tasks it could take from that server now. */
  openSlots(origin: string): number {
    return this.#options.journal.isWritable ? this.#book.openSlots(origin) : 0;
  }

  /** Leases held from that server, and how often they are to be renewed, ms. */
  leases(origin: string): { readonly tasks: string[]; readonly renewEveryMs: number | undefined } {
    return this.#book.leases(origin);
  }

  renewed(origin: string, ids: readonly string[], from: number, leaseMs: number): void {
    for (const task of this.#book.named(origin, ids)) {
      task.lease.renew(from, leaseMs);
      this.#pools.get(task.relayKey)?.pump();
    }
  }

  lost(origin: string, ids: readonly string[]): void {
    for (const task of this.#book.named(origin, ids)) {
      if (task.lease.isLost) continue;
      task.lease.lose();
      // One that is over may just have been settled: the acknowledgement was lost, not the lease.
      if (task.left > 0) this.#logger.warn({ task: task.id, left: task.left }, 'lease lost');
      this.#stop(task, 'lease lost');
    }
  }

  /** Starts nothing more of these tasks and gives back the rest. */
  handBack(origin: string, ids: readonly string[], reason: string): void {
    for (const task of this.#book.named(origin, ids)) this.#stop(task, reason);
  }

  /** The same for all tasks of a server, or for all there are. */
  handBackAll(reason: string, origin?: string): void {
    for (const task of this.#book.all(origin)) this.#stop(task, reason);
  }

  /** It works for the server at `origin` from now on: nothing more of the tasks of others is started. */
  worksFor(origin: string): void {
    for (const task of this.#book.all()) if (task.origin !== origin) this.#stop(task, 'left its server');
  }

  /** The link to that server is there: what it has not acknowledged is presented again. */
  present(origin: string): void {
    this.#desk.present(origin);
    this.#pumpAll();
  }

  /** The link to that server is gone; results for it are kept for a while. */
  orphaned(origin: string): void {
    this.#desk.orphaned(origin);
  }

  acknowledged(origin: string, id: string): void {
    for (const task of this.#book.named(origin, [id])) this.#desk.acknowledged(task);
    this.#pumpAll();
    this.#office.changed();
  }

  /** The server answered NACK; `mayHelp`: trying again may help. `id`: the task whose report it answers, where it says so. */
  refused(origin: string, mayHelp: boolean, id?: string): void {
    const [task] = id === undefined ? [] : this.#book.named(origin, [id]);
    if (task !== undefined) this.#desk.refusedOne(task, mayHelp);
    else if (id === undefined) this.#desk.refused(origin, mayHelp);
    this.#office.changed();
  }

  /** Nothing of that server is held; without `origin`: nothing at all, but for what stays in the journal for a server that is away. */
  isClear(origin?: string): boolean {
    const isKept = (task: Task): boolean => task.isRecovered && this.#desk.isOrphaned(task.origin);
    if (origin === undefined) return this.#book.size === 0 || this.#book.all().every(isKept);
    return this.#book.all(origin).length === 0;
  }

  /** To be called now and then: leases that ran out, results that nobody came for, connections nobody needs. */
  sweep(): void {
    const now = this.#around.now();
    for (const task of this.#book.all()) if (task.lease.isOverdue(now)) this.#stop(task, 'its lease ran out');
    this.#desk.sweep();
    this.#options.journal.sweep();
    for (const [key, pool] of this.#pools) {
      pool.sweep();
      const isUnused = pool.isEmpty && !this.#book.isRelayNeeded(key);
      if (isUnused && this.#pools.size > MAX_EMPTY_POOLS) this.#pools.delete(key);
    }
  }

  /** Ends the sessions: in an orderly way, or at once, when the transactions in flight end with what is known of them. */
  async close(how: 'orderly' | 'now'): Promise<void> {
    this.#desk.stop();
    const pools = [...this.#pools.values()];
    if (how === 'now') for (const pool of pools) pool.abort('the worker stops');
    else await Promise.all(pools.map((pool) => pool.release()));
  }

  snapshot(): { tasks: number; inFlight: number; sent: number; failed: number; relays: object[] } {
    return {
      tasks: this.#book.size,
      inFlight: this.#book.begun,
      sent: this.#sent,
      failed: this.#failed,
      relays: [...this.#pools.values()].map((pool) => pool.snapshot()),
    };
  }

  #poolOf(task: Task): RelayPool {
    const key = task.relayKey;
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      const source = {
        waiting: () => (this.#options.journal.isWritable ? this.#book.ready(key, this.#around.now()) : 0),
        take: () => this.#take(key),
        isNeeded: () => this.#book.isRelayNeeded(key),
      };
      pool = new RelayPool(task.relay, this.#open, source, this.#options.pool, this.#logger, this.#around);
      this.#pools.set(key, pool);
    }
    return pool;
  }

  #pumpAll(): void {
    for (const pool of this.#pools.values()) pool.pump();
  }

  #take(relayKey: string): Job | undefined {
    const { journal } = this.#options;
    if (!journal.isWritable) return undefined;
    const taken = this.#book.take(relayKey, this.#around.now());
    if (taken === undefined) return undefined;
    const { task, recipient, message } = taken;
    // Its last recipient is taken: now there is room for one more task.
    if (task.left === 0) this.#office.changed();
    return {
      mayBegin: () => journal.isWritable && task.lease.allows(this.#around.now()),
      render: () => message.render(recipient),
      settle: (fact) => this.#settle(task, recipient, fact),
    };
  }

  #settle(task: Task, recipient: TaskRecipient, fact: TransactionFact): void {
    if (this.#isHeldUp(fact)) {
      task.giveBack(recipient);
      this.#book.windowOf(task.origin).acknowledged(1);
      this.#windUp(task);
      return;
    }
    const before = task.sent;
    const isRelayFault = task.settle(recipient, fact);
    if (task.sent > before) this.#sent++;
    else this.#failed++;
    this.#tell(task, recipient, fact, isRelayFault);
    // Dropped meanwhile: nobody will acknowledge this one.
    if (this.#book.get(task.id) !== task) this.#book.windowOf(task.origin).acknowledged(1);
    this.#desk.report(task);
    this.#windUp(task);
  }

  /** While the journal cannot be written, what was not sent says nothing of the relay: this worker has ended it itself. */
  #isHeldUp({ stage, phase }: TransactionFact): boolean {
    return !this.#options.journal.isWritable && phase === 'not-sent' && stage !== 'local';
  }

  /** Others send what this worker may not begin. */
  #journalChanged(): void {
    if (this.#options.journal.isWritable) {
      this.#pumpAll();
      this.#office.changed();
      return;
    }
    this.#office.declined();
    this.handBackAll(NO_JOURNAL_NOW);
  }

  #recover(known: KnownTask): void {
    const task = recoveredTask(known, this.#options.worker, this.#around.now());
    this.#book.add(task);
    this.#book.windowOf(task.origin).begin(task.reports.waiting);
    // Until its server is there.
    this.#desk.orphaned(task.origin);
    this.#windUp(task);
  }

  #tell(task: Task, recipient: TaskRecipient, fact: TransactionFact, isRelayFault: boolean): void {
    const { stage, phase, reply, error } = fact;
    if (this.#logger.isLevelEnabled?.('trace') !== false) {
      const fields = { task: task.id, seq: recipient.SEQ, to: recipient.ADDRESS, stage, phase, reply, error };
      this.#logger.trace(fields, 'transaction');
    }
    if (!isRelayFault) return;
    const said = replyForLog(reply ?? error ?? '', recipient.ADDRESS);
    const fields = { relay: task.relay.NAME, stage, phase, said };
    this.#warn.warn(`${task.relay.NAME} ${stage}`, fields, 'relay fault');
  }

  #stop(task: Task, reason: string): void {
    task.stop(reason);
    this.#windUp(task);
    this.#office.changed();
  }

  /** When a task is over: frees a limited relay's connections, then says DONE. */
  #windUp(task: Task): void {
    if (!task.claimClosing()) return;
    const finish = (): void => {
      task.reports.finish(task.untouched(), task.stopReason);
      this.#desk.report(task);
    };
    const pool = this.#pools.get(task.relayKey);
    const isLimited = task.relay.CONNECTIONS !== undefined;
    // The server gives the connections of a limited relay to the next worker when it hears DONE: they are closed by then.
    if (isLimited && pool !== undefined && !this.#book.isRelayNeeded(task.relayKey)) {
      void pool.release().then(finish);
    } else finish();
  }

  #refuseToCompose(task: Task, error: unknown): void {
    // Handed back already.
    if (task.stopReason !== undefined) return;
    const reason = error instanceof Error ? error.message : String(error);
    this.#logger.error({ task: task.id, error: reason }, 'the message of this task cannot be composed here');
    task.reports.failAll(`this worker cannot compose the message: ${reason}`);
    task.stop('the message cannot be composed');
    this.#desk.report(task);
    this.#office.changed();
  }
}
