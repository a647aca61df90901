import type { WorkerReport } from '../../protocol/index.ts';
import type { Logger } from '../logger.ts';
import type { Surroundings } from '../surroundings.ts';
import type { Task } from './task.ts';
import type { TaskBook } from './task-book.ts';

/** Results for a server that is gone are kept that long, ms. */
export const KEEP_RESULTS_MS = 3_600_000;
/** A report that was answered with "try again" is presented again after this time, ms. */
export const REPEAT_REPORT_MS = 1_000;
/**
 * Reports of a task are so far apart, ms, while there is room in the window: each costs both ends as much as several mails do, and the server a
 * flush of its disk. Slow traffic does not wait at all.
 */
const REPORT_EVERY_MS = 4;
/** Share of the window that is free, below which a report does not wait: mails would. */
const ROOMY = 0.5;
/** A report that is not answered for so long makes the link suspect, ms. */
const ANSWER_WITHIN_MS = 60_000;

/** What the desk needs of the link. */
export interface ReportLink {
  /** False: not connected to that server. */
  report(origin: string, report: WorkerReport): boolean;
  /** That server does not answer reports: the link is to be made anew. */
  unanswered(origin: string): void;
}

type Time = Pick<Surroundings, 'now' | 'setTimer' | 'soon'>;

export interface ReportDeskOptions {
  readonly keepResultsMs: number;
  readonly repeatReportMs: number;
}

/**
 * Brings the reports of all tasks to the servers that gave them, and keeps them until they are acknowledged.
 *
 * A report is presented once per link, so that the next ACK of its task is its own. The exception is a NACK that says "try again":
 * see `refused`. A server that cannot be reached keeps its results waiting for `keepResultsMs`; then they are dropped.
 */
export class ReportDesk {
  readonly #book: TaskBook;
  readonly #link: ReportLink;
  readonly #options: ReportDeskOptions;
  readonly #logger: Logger;
  readonly #time: Time;
  /** Tasks about to report, and what cancels that where it waits. */
  readonly #reporting = new Map<Task, (() => void) | undefined>();
  readonly #orphanedAt = new Map<string, number>();
  /** Refused reports that wait to be presented again, by server. */
  readonly #repeats = new Map<string, { refusals: number; readonly cancel: () => void }>();
  /** The same where the server said of which task: what cancels it. */
  readonly #repeatsOfTasks = new Map<Task, () => void>();

  constructor(book: TaskBook, link: ReportLink, options: ReportDeskOptions, logger: Logger, time: Time) {
    this.#book = book;
    this.#link = link;
    this.#options = options;
    this.#logger = logger;
    this.#time = time;
  }

  /**
   * The task has something to tell. What ends in the same turn of the event loop is told together, and while the traffic is fast what ends in
   * `REPORT_EVERY_MS`.
   */
  report(task: Task): void {
    const isWaiting = this.#reporting.has(task);
    const cancel = this.#reporting.get(task);
    if (isWaiting && cancel === undefined) return;
    const waitMs = this.#waitMs(task);
    if (isWaiting && waitMs > 0) return;
    cancel?.();
    if (waitMs > 0)
      this.#reporting.set(
        task,
        this.#time.setTimer(() => this.#tell(task), waitMs),
      );
    else {
      this.#reporting.set(task, undefined);
      this.#time.soon(() => this.#tell(task));
    }
  }

  /** The link to that server is there: what it has not acknowledged is presented again. */
  present(origin: string): void {
    this.#orphanedAt.delete(origin);
    for (const task of this.#book.all(origin)) this.#presentAgain(task);
  }

  /** The link to that server is gone. */
  orphaned(origin: string): void {
    this.#orphanedAt.set(origin, this.#time.now());
    this.#forgetRepeat(origin);
  }

  /** Whether there is no link to that server. */
  isOrphaned(origin: string): boolean {
    return this.#orphanedAt.has(origin);
  }

  /** The server has committed the task's report. Its window opens by that much. */
  acknowledged(task: Task): void {
    this.#book.windowOf(task.origin).acknowledged(task.reports.acknowledged());
    if (task.reports.isFinished) this.#finished(task);
    else this.report(task);
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
    const cancel = this.#time.setTimer(() => this.#repeat(origin), this.#options.repeatReportMs);
    this.#repeats.set(origin, { refusals: 1, cancel });
  }

  /** The same where the server says whose report it refuses: it alone is presented again, or given up. */
  refusedOne(task: Task, mayHelp: boolean): void {
    if (!mayHelp) {
      this.#giveUpIfRefused(task);
      return;
    }
    this.#repeatsOfTasks.get(task)?.();
    const again = (): void => {
      this.#repeatsOfTasks.delete(task);
      if (task.reports.isUnacknowledged) this.#presentAgain(task);
    };
    this.#repeatsOfTasks.set(task, this.#time.setTimer(again, this.#options.repeatReportMs));
  }

  /** To be called now and then: reports that nobody answers, results that nobody came for. */
  sweep(): void {
    const now = this.#time.now();
    for (const task of this.#book.all()) {
      const since = task.reports.unansweredSince;
      if (since !== undefined && now - since > ANSWER_WITHIN_MS) this.#link.unanswered(task.origin);
    }
    for (const [origin, since] of this.#orphanedAt) {
      if (now - since < this.#options.keepResultsMs) continue;
      this.#orphanedAt.delete(origin);
      for (const task of this.#book.all(origin)) this.#abandon(task);
    }
  }

  stop(): void {
    for (const origin of [...this.#repeats.keys()]) this.#forgetRepeat(origin);
    for (const cancel of this.#repeatsOfTasks.values()) cancel();
    this.#repeatsOfTasks.clear();
  }

  #waitMs(task: Task): number {
    if (task.isOver) return 0;
    const { free, limit } = this.#book.windowOf(task.origin);
    if (free < limit * ROOMY) return 0;
    const since = task.reports.presentedAt;
    return since === undefined ? 0 : since + REPORT_EVERY_MS - this.#time.now();
  }

  #tell(task: Task): void {
    this.#reporting.delete(task);
    // One that cannot go now counts as unacknowledged, and is presented when the link is there.
    const report = task.reports.next(this.#time.now());
    if (report !== undefined) this.#link.report(task.origin, report);
  }

  #presentAgain(task: Task): void {
    const again = task.reports.again(this.#time.now());
    if (again === undefined) this.report(task);
    else this.#link.report(task.origin, again);
  }

  #repeat(origin: string): void {
    const refusals = this.#repeats.get(origin)?.refusals ?? 0;
    this.#repeats.delete(origin);
    const waiting = this.#book.all(origin).filter((task) => task.reports.isUnacknowledged);
    if (refusals < waiting.length) this.#link.unanswered(origin);
    else for (const task of waiting) this.#presentAgain(task);
  }

  #giveUpRefused(origin: string): void {
    for (const task of this.#book.all(origin)) this.#giveUpIfRefused(task);
  }

  #giveUpIfRefused(task: Task): void {
    if (!task.reports.refused()) return;
    this.#logger.error({ task: task.id }, 'the server refuses a report of this task: it is given up');
    this.acknowledged(task);
  }

  /** The link is gone: all is presented anew over the next one. */
  #forgetRepeat(origin: string): void {
    this.#repeats.get(origin)?.cancel();
    this.#repeats.delete(origin);
    for (const [task, cancel] of this.#repeatsOfTasks) {
      if (task.origin !== origin) continue;
      cancel();
      this.#repeatsOfTasks.delete(task);
    }
  }

  #finished(task: Task): void {
    this.#book.remove(task);
    task.record.forgotten();
    const { id, size, sent, stopReason } = task;
    const ms = Math.round(this.#time.now() - task.startedAt);
    this.#logger.debug({ task: id, recipients: size, sent, ms, stopped: stopReason }, 'task ends');
  }

  #abandon(task: Task): void {
    const { waiting } = task.reports;
    this.#logger.warn({ task: task.id, results: waiting, server: task.origin }, 'results dropped');
    task.stop('its server is gone');
    this.#book.windowOf(task.origin).acknowledged(waiting);
    this.#book.remove(task);
    task.record.forgotten();
  }
}
