import { MAX_TASK_RECIPIENTS } from '../../protocol/index.ts';

/** Recipients of the first task of a worker that did not say how many connections it has. */
const FIRST_TASK_MINIMAL = 10;
/** Recipients per connection in the first task of a worker of unknown speed. */
const FIRST_TASK_PER_CONNECTION = 2;
/** Tasks that each worker should still get of what is left, so that all of them end together. */
const TAIL_TASKS_PER_WORKER = 2;

/** What the size of a task depends on. */
export interface TaskSizeInput {
  /** Recipients per second that the worker settled lately; undefined: not known yet. */
  readonly rate: number | undefined;
  /** SMTP connections that it has; undefined: a minimal worker. */
  readonly connections: number | undefined;
  /** Recipients that are ready now, over all batches. */
  readonly ready: number;
  /** Workers that share them. */
  readonly workers: number;
  /** Aim, in ms of the worker's work. */
  readonly taskMs: number;
}

/** How many recipients a task gets: about `taskMs` of the worker's measured speed, and a fair share of the tail. */
export function taskSize(input: TaskSizeInput): number {
  const connections = input.connections ?? 1;
  const wanted =
    input.rate === undefined
      ? input.connections === undefined
        ? FIRST_TASK_MINIMAL
        : connections * FIRST_TASK_PER_CONNECTION
      : Math.round((input.rate * input.taskMs) / 1000);
  const share =
    input.workers <= 1 ? input.ready : Math.ceil(input.ready / (input.workers * TAIL_TASKS_PER_WORKER));
  const size = Math.min(Math.max(wanted, connections), Math.max(share, connections), MAX_TASK_RECIPIENTS);
  return Math.max(1, Math.min(size, input.ready));
}
