import type { Clockwork } from './clockwork.ts';
import type { DispatchContext } from './context.ts';
import type { Dispatcher } from './dispatcher.ts';
import { handBack } from './hand-back.ts';
import type { Lease } from './store.ts';

/** How often a stopping dispatch looks whether everything is settled, ms. */
const LOOK_EVERY_MS = 50;

/** Takes up the leases that were out when the server stopped: their workers get the whole lease anew to come back with results. */
export async function restoreLeases(context: DispatchContext): Promise<number> {
  const out = await context.store.leases();
  takeUpLeases(context, out);
  return out.length;
}

/** The same for leases that another server had given out. */
export function takeUpLeases(context: DispatchContext, out: readonly Lease[]): void {
  const { leases, relays, settings, monotonic } = context;
  for (const lease of out) {
    const { task, batch, worker, relay, remaining } = lease;
    const entry = leases.add({
      task,
      batch,
      worker,
      relay,
      seqs: remaining,
      attempts: new Map(),
      inFlight: Number.POSITIVE_INFINITY,
      deadline: monotonic() + settings.leaseMs,
    });
    relays.taskLeased(relay, task, worker, RESTORED_CONNECTIONS, entry.remaining, false);
  }
}

/** What a worker of before the restart is taken to have open at a relay with a limit. */
const RESTORED_CONNECTIONS = 20;

/**
 * Lets the workers finish or hand back: no new tasks, and waits until nothing is out or `withinMs` have passed.
 * @returns leases still out; they wait in the store for the next start
 */
export async function drainDispatch(
  context: DispatchContext,
  dispatcher: Dispatcher,
  clockwork: Clockwork,
  until: { readonly withinMs: number; readonly hurry: AbortSignal },
): Promise<number> {
  dispatcher.close();
  handBack(context);
  const deadline = context.monotonic() + until.withinMs;
  const isHeld = (lease: { readonly worker: string }): boolean =>
    context.workers.get(lease.worker) !== undefined;
  while (
    (dispatcher.claims > 0 || [...context.leases.all()].some(isHeld)) &&
    context.monotonic() < deadline &&
    !until.hurry.aborted
  ) {
    await new Promise<void>((resolve) => context.setTimer(resolve, LOOK_EVERY_MS));
  }
  clockwork.stop();
  return context.leases.size;
}
