import { hasSeq, rangesOf, type WorkerReport } from '../../protocol/index.ts';
import type { DispatchContext } from './context.ts';
import type { LeaseEntry } from './lease-book.ts';
import type { Inquest, Judgement, Settlement } from './store.ts';

/** Carries the policy of poison.ts between the reports and expiries of tasks and the store. */

/** Takes up what was suspected when the server stopped, or by the server whose batches this one takes over: those that are meant. */
export async function restoreSuspicions(
  context: DispatchContext,
  isMeant: (batch: string) => boolean = () => true,
): Promise<void> {
  const stored = await context.store.suspicions();
  context.suspects.load(stored.filter(({ batch }) => isMeant(batch)));
}

/** What the store is to find out when the worker of this lease has died. */
export function inquestOn({ suspects }: DispatchContext, lease: LeaseEntry): Inquest {
  return suspects.inquest(lease.batch, lease.inFlight, lease.examined === true);
}

/** A settlement that clears those who are suspected and have got an answer, and suspects what a journal leaves open. */
export function withSuspicions(
  context: DispatchContext,
  report: WorkerReport,
  settlement: Settlement,
  lease: LeaseEntry | undefined,
): Settlement {
  if (lease === undefined) return settlement;
  const isRecovered = report.RECOVERED === true;
  if (!isRecovered && context.suspects.isEmpty) return settlement;
  const answered = settlement.outcomes.filter((one) => !(isRecovered && one.maybeSent === true));
  const seqs = rangesOf(answered.map(({ seq }) => seq));
  const cleared = context.suspects.suspectsAmong(
    lease.batch,
    (seq) => hasSeq(settlement.sent, seq) || hasSeq(seqs, seq),
  );
  return {
    ...settlement,
    ...(cleared === undefined ? {} : { cleared }),
    ...(isRecovered ? { inquest: inquestOn(context, lease) } : {}),
  };
}

/** The store has committed what an inquest found: it is remembered, and told. */
export function takeJudgements(
  { suspects, logger }: DispatchContext,
  { task, batch, worker, relay }: LeaseEntry,
  judged: readonly Judgement[] | undefined,
): void {
  if (judged === undefined || judged.length === 0) return;
  const { aside, givenUp } = suspects.judged(batch, judged);
  const where = { task, batch, worker, relay };
  if (aside.length > 0) {
    logger.warn(
      { ...where, seqs: aside, deaths: Math.max(...judged.map(({ deaths }) => deaths)) },
      'poison: worker after worker died on these recipients, they are set aside and tried apart from the others',
    );
  }
  for (const { seq, deaths, alone } of givenUp) {
    logger.error(
      { ...where, seq, deaths, alone },
      'poison: workers die when they try to send this mail, it is given up; the others go on',
    );
  }
}
