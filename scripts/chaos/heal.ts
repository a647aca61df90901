import { setTimeout as sleep } from 'node:timers/promises';
import { isOver, type MutiraoClient } from '../../client/index.ts';
import { allHome, observe, type ServerState } from '../demo/observation.ts';
import type { Submitting } from './load/submitter.ts';

/** Between two looks, ms. */
const LOOK_EVERY_MS = 250;
/** A server that does not answer within this is taken as one that does not, ms. */
const ANSWER_WITHIN_MS = 2_000;
/** All must be well at so many looks in a row: somebody may be lent between two. */
const LOOKS = 3;

export interface Healing {
  /** Until all was well, or until waiting ended. */
  readonly seconds: number;
  /** What was not well in the end. */
  readonly problems: readonly string[];
  /** Loans that the servers have made, by their ledgers. */
  readonly loans: number;
}

export interface Patients {
  /** One for each server, which may ask others where they share a store. */
  readonly clients: readonly MutiraoClient[];
  /** One for each server, and no other. */
  readonly observers: readonly MutiraoClient[];
  readonly submittings: readonly Submitting[];
  /** How many workers belong to each server. */
  readonly workersOf: (server: number) => number;
  readonly withinMs: number;
  /** Ends the waiting. */
  readonly signal: AbortSignal;
  /** What is not well yet. */
  readonly onLook?: (problems: readonly string[]) => void;
}

/** Waits until every batch is over and every watch has told so, every server answers, and every worker is at home and connected. */
export async function untilHealed(patients: Patients): Promise<Healing> {
  const startedAt = performance.now();
  let wellSince: number | undefined;
  for (let looks = 0; ; ) {
    const { problems, loans } = await examine(patients);
    patients.onLook?.(problems);
    const now = performance.now();
    if (problems.length === 0) {
      wellSince ??= now;
      if (++looks >= LOOKS) return { seconds: (wellSince - startedAt) / 1000, problems, loans };
    } else {
      looks = 0;
      wellSince = undefined;
      if (now - startedAt > patients.withinMs) return { seconds: (now - startedAt) / 1000, problems, loans };
    }
    await sleep(LOOK_EVERY_MS, undefined, { signal: patients.signal });
  }
}

async function examine({
  clients,
  observers,
  submittings,
  workersOf,
}: Patients): Promise<Pick<Healing, 'problems' | 'loans'>> {
  const states = await Promise.all(observers.map((observer) => within(observe(observer))));
  const problems = [
    ...states.flatMap((state, server) => aboutServer(state, server, workersOf(server))),
    ...(await Promise.all(submittings.map((submitting) => aboutBatch(submitting, clients)))).flat(),
  ];
  return { problems, loans: states.reduce((sum, state) => sum + (state?.mesh.totals.made ?? 0), 0) };
}

function aboutServer(state: ServerState | undefined, server: number, workers: number): string[] {
  const name = `server-${server + 1}`;
  if (state === undefined) return [`${name} does not answer`];
  const { lent, borrowed, expected } = state.mesh;
  if (!allHome([state]))
    return [`${name} has lent ${lent.length}, borrowed ${borrowed.length} and expects ${expected} workers`];
  return state.workersTotal === workers ? [] : [`${name} has ${state.workersTotal} of ${workers} workers`];
}

async function aboutBatch(submitting: Submitting, clients: readonly MutiraoClient[]): Promise<string[]> {
  const { id, planned } = submitting;
  const { name } = planned.submission;
  if (id === undefined) return [`${name} is not submitted after ${submitting.attempts} attempts`];
  if (submitting.isOver) return [];
  const batch = await within(clients[planned.server]?.batch(id));
  if (batch === undefined) return [`${name} cannot be asked for`];
  if (isOver(batch)) return [`${name} is over, and its watch has not told`];
  const { pending, leased, deferred } = batch.counts;
  return [
    `${name}: ${pending} pending, ${leased} leased, ${deferred} deferred${batch.waiting === undefined ? '' : `; ${batch.waiting}`}`,
  ];
}

/** Undefined when it fails, or does not come in time. */
async function within<T>(answer: Promise<T> | undefined): Promise<T | undefined> {
  const late = new AbortController();
  try {
    return await Promise.race([answer, sleep(ANSWER_WITHIN_MS, undefined, { signal: late.signal })]);
  } catch {
    return undefined;
  } finally {
    late.abort();
  }
}
