import type { Relay } from '../../protocol/index.ts';
import type { KnownTask } from './contract.ts';
import { Task } from './task.ts';

/** Renewed so often, s, until the server says how long its leases are. */
const LEASE_S = 60;
/** It sends nothing more, so that it needs none. */
const NO_RELAY: Relay = { NAME: '', HOST: '', PORT: 0, SECURE: false };

/**
 * A task of the process before this one, as far as its journal tells: over, and to be reported. Of what it had begun and
 * whose end is not known the final dot may be out, and the end of the process is nobody else's fault: stage `local`. All
 * that it had not begun goes back with DONE.
 */
export function recoveredTask(known: KnownTask, worker: string, now: number): Task {
  const { id, origin, record } = known;
  const send = { TASK_UUID: id, RELAY: NO_RELAY, RECIPIENTS: [], LEASE_S };
  const recovered = known.isSudden ? 'suddenly' : 'orderly';
  const task = new Task({ send, origin, worker, record, recovered }, now);
  for (const seq of known.sent) task.reports.add(seq, SENT, true);
  for (const [seq, fact] of known.facts) task.reports.add(seq, fact, false);
  // Last, and short: they come with DONE, which is what the server judges by.
  for (const seq of known.begun) task.reports.add(seq, OPEN_END, false);
  return task;
}

const SENT = { stage: 'dot', phase: 'replied' } as const;
const OPEN_END = {
  stage: 'local',
  phase: 'sent-unconfirmed',
  error: 'the worker ended while this mail was under way',
} as const;
