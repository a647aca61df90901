import type { Task } from './task.ts';
import { Window } from './window.ts';

/** Tasks with something left to start that are wanted: one being sent, and one waiting so that no connection runs dry. */
const PREFETCH_TASKS = 2;
/** Tasks held from one server, also those of which only a few mails hang: beyond, no further one is asked for. */
const MAX_TASKS_HELD = 16;

/** The tasks that are held, oldest first, and which recipient may start next. Plain data: no timer, no socket. */
export class TaskBook {
  readonly #inFlight: number;
  readonly #tasks = new Map<string, Task>();
  /** By server: each marks what this worker had begun of its own tasks. */
  readonly #windows = new Map<string, Window>();

  /** @param inFlight most transactions begun and not acknowledged, per server */
  constructor(inFlight: number) {
    this.#inFlight = inFlight;
  }

  get size(): number {
    return this.#tasks.size;
  }

  /** Transactions begun and not acknowledged. */
  get begun(): number {
    let begun = 0;
    for (const window of this.#windows.values()) begun += window.begun;
    return begun;
  }

  get(id: string): Task | undefined {
    return this.#tasks.get(id);
  }

  add(task: Task): void {
    this.#tasks.set(task.id, task);
  }

  remove(task: Task): void {
    this.#tasks.delete(task.id);
  }

  /** All tasks; those of one server where it is given. A copy: tasks may go while it is looked at. */
  all(origin?: string): Task[] {
    const tasks = [...this.#tasks.values()];
    return origin === undefined ? tasks : tasks.filter((task) => task.origin === origin);
  }

  /** Those of these tasks that are held from that server. */
  named(origin: string, ids: readonly string[]): Task[] {
    const tasks = ids.map((id) => this.#tasks.get(id));
    return tasks.filter((task) => task !== undefined && task.origin === origin) as Task[];
  }

  /** Tasks that could be taken from that server now. */
  openSlots(origin: string): number {
    const held = this.all(origin);
    const waiting = held.filter((task) => task.left > 0).length;
    return Math.max(0, Math.min(PREFETCH_TASKS - waiting, MAX_TASKS_HELD - held.length));
  }

  /**
   * Leases held from that server, and how often they are to be renewed, ms. Also those of tasks that are over: until its DONE is
   * acknowledged the server must not think that a task was lost on the way.
   */
  leases(origin: string): { readonly tasks: string[]; readonly renewEveryMs: number | undefined } {
    // Which servers share a store is not known before one of them says so: recovered tasks are named to each.
    const held = this.all().filter(
      (task) => (task.origin === origin || task.isRecovered) && !task.lease.isLost,
    );
    const every = held.map((task) => task.lease.renewEveryMs);
    return {
      tasks: held.map((task) => task.id),
      renewEveryMs: every.length === 0 ? undefined : Math.min(...every),
    };
  }

  windowOf(origin: string): Window {
    let window = this.#windows.get(origin);
    if (window === undefined) {
      window = new Window(this.#inFlight);
      this.#windows.set(origin, window);
    }
    return window;
  }

  /** Whether anything is still to be sent, or being sent, through that relay. */
  isRelayNeeded(relayKey: string): boolean {
    for (const task of this.#tasks.values()) if (task.relayKey === relayKey && !task.isOver) return true;
    return false;
  }

  /** Recipients that may start through that relay now. */
  ready(relayKey: string, now: number): number {
    let ready = 0;
    let free = 0;
    for (const task of this.#tasks.values()) {
      const count = task.relayKey === relayKey ? task.ready(now) : 0;
      if (count === 0) continue;
      ready += count;
      free = Math.max(free, this.windowOf(task.origin).free);
    }
    return Math.min(ready, free);
  }

  /** The next recipient that may start through that relay: oldest task first, lease running, window open. */
  take(relayKey: string, now: number) {
    for (const task of this.#tasks.values()) {
      if (task.relayKey !== relayKey || task.left === 0) continue;
      const window = this.windowOf(task.origin);
      if (window.free <= 0) continue;
      const taken = task.take(now);
      if (taken === undefined) continue;
      window.begin();
      return { task, ...taken };
    }
    return undefined;
  }
}
