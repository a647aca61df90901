import { replyForLog } from '../../mail/index.ts';
import type { TaskRecipient, TaskSend, WorkerReport } from '../../protocol/index.ts';
import type { Logger } from '../logger.ts';
import type { Job, PoolOptions } from '../smtp/pool.ts';
import { RelayPool } from '../smtp/pool.ts';
import { WarnLimiter } from '../warn-limiter.ts';
import type { CompiledMessage, CompileMessage, OpenSession, TransactionFact } from './contract.ts';
import { MessageCache } from './message-cache.ts';
import { Task } from './task.ts';
import { Window } from './window.ts';

/** Tasks with something left to start that are wanted: one being sent, and one waiting so that no connection runs dry. */
export const PREFETCH_TASKS = 2;
/** Tasks held in all, also those of which only a few mails hang: beyond, no further one is asked for. */
const MAX_TASKS_HELD = 16;
/** Results for a server that is gone are kept that long, ms. */
export const KEEP_RESULTS_MS = 3_600_000;
/** A report that is not answered for so long makes the link suspect, ms. */
const ANSWER_WITHIN_MS = 60_000;
/** A report that was answered with "try again" is presented again after this time, ms. */
export const REPEAT_REPORT_MS = 1_000;

/** What the runner needs of the link and of who announces the worker. */
export interface Office {
  /** False: not connected to that server. */
  report(origin: string, report: WorkerReport): boolean;
  /** That server does not answer reports: the link is to be made anew. */
  unanswered(origin: string): void;
  /** The number of open slots or what is held has changed. */
  changed(): void;
}

export interface RunnerOptions {
  readonly worker: string;
  readonly connections: number;
  readonly inFlight: number;
  readonly keepResultsMs: number;
  readonly repeatReportMs: number;
  readonly pool: PoolOptions;
}

/**
 * Sends the tasks: hands their recipients, in order, to the sessions of their relay, and reports what became of them. A task is
 * held from `accept` until its DONE is acknowledged. Which recipient may start is decided in one place, `#take`: oldest task
 * first, lease running, window open.
 */
export class TaskRunner {
  readonly #options: RunnerOptions;
  readonly #open: OpenSession;
  readonly #office: Office;
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #warn: WarnLimiter;
  readonly #messages: MessageCache;
  /** By server: each marks what this worker had begun of its own tasks. */
  readonly #windows = new Map<string, Window>();
  readonly #tasks = new Map<string, Task>();
  readonly #pools = new Map<string, RelayPool>();
  readonly #reporting = new Set<Task>();
  readonly #orphanedAt = new Map<string, number>();
  /** Refused reports that wait to be presented again, by server. */
  readonly #repeats = new Map<string, { refusals: number; timer: NodeJS.Timeout }>();
  #sent = 0;
  #failed = 0;

  constructor(
    options: RunnerOptions,
    compile: CompileMessage,
    open: OpenSession,
    office: Office,
    logger: Logger,
    now: () => number,
  ) {
    this.#options = options;
    this.#open = open;
    this.#office = office;
    this.#logger = logger;
    this.#now = now;
    this.#warn = new WarnLimiter(logger, now);
    this.#messages = new MessageCache(compile);
  }

  /** Takes a task from the server at `origin`. The same task again is the same task. */
  accept(origin: string, send: TaskSend): void {
    if (this.#tasks.has(send.TASK_UUID)) return;
    const task = new Task(send, origin, this.#options.worker, this.#now());
    this.#tasks.set(task.id, task);
    this.#logger.debug(
      { task: task.id, batch: send.BATCH_UUID, relay: task.relay.NAME, recipients: task.size },
      'task begins',
    );
    this.#poolOf(task).setLimit(this.#limitOf(task));
    this.#messages.get(`${origin} ${send.BATCH_UUID}`, send.MESSAGE, send.DATE).then(
      (message) => {
        task.composed(message);
        this.#pump(task.relayKey);
        this.#windUp(task);
      },
      (error: unknown) => this.#refuseToCompose(task, error),
    );
    this.#office.changed();
  }

  /** Tasks it could take from that server now. */
  openSlots(origin: string): number {
    let held = 0;
    let waiting = 0;
    for (const task of this.#tasks.values()) {
      if (task.origin !== origin) continue;
      held++;
      if (task.left > 0) waiting++;
    }
    return Math.max(0, Math.min(PREFETCH_TASKS - waiting, MAX_TASKS_HELD - held));
  }

  /** Leases held from that server, and how often they are to be renewed, ms. */
  leases(origin: string): { readonly tasks: string[]; readonly renewEveryMs: number | undefined } {
    const tasks: string[] = [];
    let renewEveryMs: number | undefined;
    for (const task of this.#tasks.values()) {
      if (task.origin !== origin || task.lease.isLost) continue;
      tasks.push(task.id);
      renewEveryMs = Math.min(renewEveryMs ?? Number.POSITIVE_INFINITY, task.lease.renewEveryMs);
    }
    return { tasks, renewEveryMs };
  }

  renewed(origin: string, ids: readonly string[], from: number, leaseMs: number): void {
    for (const task of this.#named(origin, ids)) {
      task.lease.renew(from, leaseMs);
      this.#pump(task.relayKey);
    }
  }

  lost(origin: string, ids: readonly string[]): void {
    for (const task of this.#named(origin, ids)) {
      if (task.lease.isLost) continue;
      task.lease.lose();
      // The one with a report on its way may just have been settled: the acknowledgement was lost, not the lease.
      if (task.left > 0) this.#logger.warn({ task: task.id, left: task.left }, 'lease lost');
      this.#stop(task, 'lease lost');
    }
  }

  /** Starts nothing more of these tasks and gives back the rest. */
  handBack(origin: string, ids: readonly string[], reason: string): void {
    for (const task of this.#named(origin, ids)) this.#stop(task, reason);
  }

  /** The same for all tasks of a server, or for all there are. */
  handBackAll(reason: string, origin?: string): void {
    for (const task of [...this.#tasks.values()]) {
      if (origin === undefined || task.origin === origin) this.#stop(task, reason);
    }
  }

  /** It works for the server at `origin` from now on: nothing more of the tasks of others is started. */
  worksFor(origin: string): void {
    for (const task of [...this.#tasks.values()]) {
      if (task.origin !== origin) this.#stop(task, 'left its server');
    }
  }

  /** The link to that server is there: what it has not acknowledged is presented again. */
  present(origin: string): void {
    this.#orphanedAt.delete(origin);
    for (const task of this.#tasks.values()) {
      if (task.origin !== origin) continue;
      this.#presentAgain(task);
    }
    for (const key of this.#pools.keys()) this.#pump(key);
  }

  /** The link to that server is gone; results for it are kept for a while. */
  orphaned(origin: string): void {
    this.#orphanedAt.set(origin, this.#now());
    this.#forgetRepeat(origin);
  }

  acknowledged(origin: string, id: string): void {
    const task = this.#tasks.get(id);
    if (task === undefined || task.origin !== origin) return;
    this.#windowOf(origin).acknowledged(task.reports.acknowledged());
    if (task.reports.isFinished) this.#forget(task);
    else this.#report(task);
    for (const key of this.#pools.keys()) this.#pump(key);
    this.#office.changed();
  }

  /**
   * The server answered NACK; it does not say to what. Where trying again may help, the reports are presented again after a
   * while: on the same link if all of them were refused, else on a new one, for no acknowledgement may ever be taken for that of
   * another report. Where it will not help, a report that is refused too often is given up.
   */
  refused(origin: string, mayHelp: boolean): void {
    if (!mayHelp) {
      this.#giveUpRefused(origin);
      return;
    }
    const repeat = this.#repeats.get(origin);
    if (repeat !== undefined) {
      repeat.refusals++;
      return;
    }
    const timer = setTimeout(() => this.#repeat(origin), this.#options.repeatReportMs);
    this.#repeats.set(origin, { refusals: 1, timer });
  }

  /** Nothing of that server is held; without `origin`: nothing at all. */
  isClear(origin?: string): boolean {
    if (origin === undefined) return this.#tasks.size === 0;
    for (const task of this.#tasks.values()) if (task.origin === origin) return false;
    return true;
  }

  /** To be called now and then: leases that ran out, results that nobody came for, connections nobody needs. */
  sweep(): void {
    const now = this.#now();
    for (const [origin, since] of this.#orphanedAt) {
      if (now - since < this.#options.keepResultsMs) continue;
      this.#orphanedAt.delete(origin);
      for (const task of [...this.#tasks.values()]) if (task.origin === origin) this.#abandon(task);
    }
    for (const task of [...this.#tasks.values()]) {
      if (task.lease.isOverdue(now)) this.#stop(task, 'its lease ran out');
      const since = task.reports.unansweredSince;
      if (since !== undefined && now - since > ANSWER_WITHIN_MS) this.#office.unanswered(task.origin);
    }
    for (const [key, pool] of this.#pools) {
      pool.sweep();
      if (pool.isEmpty && !this.#isRelayNeeded(key)) this.#pools.delete(key);
    }
  }

  /** Ends the sessions: in an orderly way, or at once, when the transactions in flight end with what is known of them. */
  async close(how: 'orderly' | 'now'): Promise<void> {
    for (const origin of [...this.#repeats.keys()]) this.#forgetRepeat(origin);
    const pools = [...this.#pools.values()];
    if (how === 'now') for (const pool of pools) pool.abort('the worker stops');
    else await Promise.all(pools.map((pool) => pool.release()));
  }

  snapshot(): { tasks: number; inFlight: number; sent: number; failed: number; relays: object[] } {
    let inFlight = 0;
    for (const window of this.#windows.values()) inFlight += window.begun;
    return {
      tasks: this.#tasks.size,
      inFlight,
      sent: this.#sent,
      failed: this.#failed,
      relays: [...this.#pools.values()].map((pool) => pool.snapshot()),
    };
  }

  #repeat(origin: string): void {
    const refusals = this.#repeats.get(origin)?.refusals ?? 0;
    this.#repeats.delete(origin);
    const waiting = [...this.#tasks.values()].filter(
      (task) => task.origin === origin && task.reports.isUnacknowledged,
    );
    if (refusals < waiting.length) this.#office.unanswered(origin);
    else for (const task of waiting) this.#presentAgain(task);
  }

  #giveUpRefused(origin: string): void {
    for (const task of [...this.#tasks.values()]) {
      if (task.origin !== origin || !task.reports.refused()) continue;
      this.#logger.error({ task: task.id }, 'the server refuses a report of this task: it is given up');
      this.acknowledged(origin, task.id);
    }
  }

  #forgetRepeat(origin: string): void {
    clearTimeout(this.#repeats.get(origin)?.timer);
    this.#repeats.delete(origin);
  }

  *#named(origin: string, ids: readonly string[]): Generator<Task> {
    for (const id of ids) {
      const task = this.#tasks.get(id);
      if (task !== undefined && task.origin === origin) yield task;
    }
  }

  #windowOf(origin: string): Window {
    let window = this.#windows.get(origin);
    if (window === undefined) {
      window = new Window(this.#options.inFlight);
      this.#windows.set(origin, window);
    }
    return window;
  }

  #limitOf(task: Task): number {
    return Math.min(this.#options.connections, task.relay.CONNECTIONS ?? Number.POSITIVE_INFINITY);
  }

  #poolOf(task: Task): RelayPool {
    const key = task.relayKey;
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      const source = {
        waiting: () => this.#waiting(key),
        take: () => this.#take(key),
        isNeeded: () => this.#isRelayNeeded(key),
      };
      pool = new RelayPool(task.relay, this.#open, source, this.#options.pool, this.#logger, this.#now);
      this.#pools.set(key, pool);
    }
    return pool;
  }

  #pump(relayKey: string): void {
    this.#pools.get(relayKey)?.pump();
  }

  #waiting(relayKey: string): number {
    const now = this.#now();
    let ready = 0;
    let free = 0;
    for (const task of this.#tasks.values()) {
      const count = task.relayKey === relayKey ? task.ready(now) : 0;
      if (count === 0) continue;
      ready += count;
      free = Math.max(free, this.#windowOf(task.origin).free);
    }
    return Math.min(ready, free);
  }

  #take(relayKey: string): Job | undefined {
    const now = this.#now();
    for (const task of this.#tasks.values()) {
      if (task.relayKey !== relayKey || task.left === 0) continue;
      const window = this.#windowOf(task.origin);
      if (window.free <= 0) continue;
      const taken = task.take(now);
      if (taken === undefined) continue;
      window.begin();
      // Its last recipient is taken: now there is room for one more task.
      if (task.left === 0) this.#office.changed();
      return this.#jobOf(task, taken.recipient, taken.message);
    }
    return undefined;
  }

  #jobOf(task: Task, recipient: TaskRecipient, message: CompiledMessage): Job {
    return {
      render: () => message.render(recipient),
      settle: (fact: TransactionFact) => this.#settle(task, recipient, fact),
    };
  }

  #settle(task: Task, recipient: TaskRecipient, fact: TransactionFact): void {
    const before = task.sent;
    const isRelayFault = task.settle(recipient, fact);
    if (task.sent > before) this.#sent++;
    else this.#failed++;
    if (this.#logger.isLevelEnabled?.('trace') !== false) {
      const { stage, phase, reply, error } = fact;
      const fields = { task: task.id, seq: recipient.SEQ, to: recipient.ADDRESS, stage, phase, reply, error };
      this.#logger.trace(fields, 'transaction');
    }
    if (isRelayFault) this.#warnOfRelay(task, recipient, fact);
    // Dropped meanwhile: nobody will acknowledge this one.
    if (this.#tasks.get(task.id) !== task) this.#windowOf(task.origin).acknowledged(1);
    this.#report(task);
    this.#windUp(task);
  }

  #warnOfRelay(task: Task, recipient: TaskRecipient, fact: TransactionFact): void {
    const { stage, phase } = fact;
    const said = replyForLog(fact.reply ?? fact.error ?? '', recipient.ADDRESS);
    const fields = { relay: task.relay.NAME, stage, phase, said };
    this.#warn.warn(`${task.relay.NAME} ${stage}`, fields, 'relay fault');
  }

  /** Reports together what ends in the same turn of the event loop. */
  #report(task: Task): void {
    if (this.#reporting.has(task)) return;
    this.#reporting.add(task);
    setImmediate(() => {
      this.#reporting.delete(task);
      // A report that cannot go now is kept as unacknowledged and presented when the link is there.
      const report = task.reports.next(this.#now());
      if (report !== undefined) this.#office.report(task.origin, report);
    });
  }

  #presentAgain(task: Task): void {
    const again = task.reports.again(this.#now());
    if (again === undefined) this.#report(task);
    else this.#office.report(task.origin, again);
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
      this.#report(task);
    };
    const pool = this.#pools.get(task.relayKey);
    // The server gives the connections of a limited relay to the next worker when it hears DONE: they are closed by then.
    if (task.relay.CONNECTIONS !== undefined && pool !== undefined && !this.#isRelayNeeded(task.relayKey)) {
      void pool.release().then(finish);
    } else finish();
  }

  #isRelayNeeded(relayKey: string): boolean {
    for (const task of this.#tasks.values()) if (task.relayKey === relayKey && !task.isOver) return true;
    return false;
  }

  #refuseToCompose(task: Task, error: unknown): void {
    // Handed back already.
    if (task.stopReason !== undefined) return;
    const reason = error instanceof Error ? error.message : String(error);
    this.#logger.error({ task: task.id, error: reason }, 'the message of this task cannot be composed here');
    task.reports.failAll(`this worker cannot compose the message: ${reason}`);
    task.stop('the message cannot be composed');
    this.#report(task);
    this.#office.changed();
  }

  #forget(task: Task): void {
    this.#tasks.delete(task.id);
    const { id, size, sent, stopReason } = task;
    const ms = Math.round(this.#now() - task.startedAt);
    this.#logger.debug({ task: id, recipients: size, sent, ms, stopped: stopReason }, 'task ends');
  }

  #abandon(task: Task): void {
    this.#logger.warn(
      { task: task.id, results: task.reports.waiting, server: task.origin },
      'results dropped',
    );
    task.stop('its server is gone');
    this.#windowOf(task.origin).acknowledged(task.reports.waiting);
    this.#tasks.delete(task.id);
  }
}
