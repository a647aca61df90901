import { type ChildProcess, fork } from 'node:child_process';
import { backoffMs } from './link/backoff.ts';
import type { Logger } from './logger.ts';

/** A child that lived this long was well: the next restart is quick again, ms. */
const GOOD_LIFE_MS = 30_000;

export interface ProcessesOptions {
  readonly count: number;
  /** Program and arguments of the child with that number, counted from 1; it must run a single worker, and end on SIGTERM or when its IPC channel closes. */
  readonly program: string;
  readonly args: (number: number) => readonly string[];
  readonly logger: Logger;
  readonly backoff?: { readonly baseMs: number; readonly capMs: number };
}

export interface Processes {
  /** Ids of the children that run. */
  readonly pids: readonly number[];
  /** SIGTERM to all, and again when called again; resolves when the last one has ended. */
  stop(): Promise<void>;
}

/**
 * Runs several workers as processes of their own and restarts those that die, with back-off. Each child is a process group of
 * its own, so that Ctrl-C reaches it through its parent, once; should the parent be killed, the closed IPC channel stops it.
 */
export function startProcesses(options: ProcessesOptions): Processes {
  return new Supervisor(options);
}

class Supervisor implements Processes {
  readonly #options: ProcessesOptions;
  readonly #children = new Set<ChildProcess>();
  readonly #restarts = new Set<NodeJS.Timeout>();
  #isStopping = false;
  readonly #whenGone: (() => void)[] = [];

  constructor(options: ProcessesOptions) {
    this.#options = options;
    for (let number = 1; number <= options.count; number++) this.#spawn(number, 0);
  }

  get pids(): readonly number[] {
    return [...this.#children].map((child) => child.pid).filter((pid) => pid !== undefined);
  }

  stop(): Promise<void> {
    this.#isStopping = true;
    for (const timer of this.#restarts) clearTimeout(timer);
    this.#restarts.clear();
    for (const child of this.#children) child.kill('SIGTERM');
    return new Promise((resolve) => {
      if (this.#children.size === 0) resolve();
      else this.#whenGone.push(resolve);
    });
  }

  #spawn(number: number, attempt: number): void {
    const { program, args, logger } = this.#options;
    const startedAt = performance.now();
    const child = fork(program, args(number), { detached: true, stdio: 'inherit' });
    this.#children.add(child);
    let hasEnded = false;
    const ended = (how: object): void => {
      if (hasEnded) return;
      hasEnded = true;
      this.#children.delete(child);
      if (this.#isStopping) {
        if (this.#children.size === 0) for (const resolve of this.#whenGone.splice(0)) resolve();
        return;
      }
      const next = performance.now() - startedAt >= GOOD_LIFE_MS ? 0 : attempt;
      const { baseMs, capMs } = this.#options.backoff ?? {};
      const waitMs = backoffMs(next, Math.random(), baseMs, capMs);
      logger.warn({ pid: child.pid, ...how, restartMs: Math.round(waitMs) }, 'worker process ended');
      const timer = setTimeout(() => {
        this.#restarts.delete(timer);
        this.#spawn(number, next + 1);
      }, waitMs);
      this.#restarts.add(timer);
    };
    child.once('exit', (code, signal) => ended({ code, signal }));
    child.once('error', (error) => ended({ error: error.message }));
  }
}
