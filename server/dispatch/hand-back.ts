import type { DispatchContext } from './context.ts';
import type { LeaseEntry } from './lease-book.ts';

/** Asks for tasks to be handed back, all or those meant, by the workers that understand it. */
export function handBack(
  context: DispatchContext,
  isMeant: (lease: LeaseEntry) => boolean = () => true,
): void {
  const byWorker = Map.groupBy([...context.leases.all()].filter(isMeant), (lease) => lease.worker);
  for (const [uuid, leases] of byWorker) {
    const worker = context.workers.get(uuid);
    if (worker?.full === true)
      worker.line.send({ TASK: 'HAND_BACK', TASKS: leases.map((lease) => lease.task) });
  }
}
