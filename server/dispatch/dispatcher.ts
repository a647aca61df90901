import { v7 as uuidv7 } from 'uuid';
import { parseMailbox } from '../../mail/index.ts';
import { countSeqs, rangesOf, type SeqRanges, splitRanges } from '../../protocol/index.ts';
import type { ActiveBatch } from '../batches/batch-book.ts';
import { isExpired } from '../batches/expiry.ts';
import type { RelayChoice } from '../relays/choose.ts';
import { isNotOwner } from '../store/errors.ts';
import type { DispatchContext } from './context.ts';
import { Examination } from './examination.ts';
import type { Claim } from './store.ts';
import { taskFrame, wireRelay } from './task-frame.ts';
import { taskSize } from './task-size.ts';
import type { WorkerEntry } from './worker-book.ts';

/**
 * Brings together those who ask for work and the work there is: for each hungry worker the batch that was served least, the
 * relay with the least mail under way, and a slice of about two seconds of the worker's work. A pull that finds nothing stays
 * parked; `pump` is called whenever that may have changed, and costs nothing when it has not.
 */
export class Dispatcher {
  readonly #context: DispatchContext;
  readonly #examination: Examination;
  /** The worker waiting for a claim gives up its slot at once; this is how many claims are under way. */
  #claims = 0;
  #open = true;
  #storeFailing = false;

  constructor(context: DispatchContext) {
    this.#context = context;
    this.#examination = new Examination(context, (worker, batch) => this.#examine(worker, batch));
    context.batches.onChange((batch) => {
      if (batch.over) context.suspects.drop(batch.uuid);
    });
  }

  /** No further tasks: the server stops. */
  close(): void {
    this.#open = false;
  }

  get #mayLease(): boolean {
    return this.#context.tenancy?.isHeld() !== false;
  }

  /** Claims under way. */
  get claims(): number {
    return this.#claims;
  }

  /** Whether the last claim failed because the store cannot write. */
  get storeFailing(): boolean {
    return this.#storeFailing;
  }

  /**
   * Recipients that a further worker could send now: not those that wait for a breaker, a limit or a retry. Where no worker is here at all,
   * what waits for somebody to try it is work for one: the probe of a relay, and recipients that are set aside.
   */
  ready(): number {
    const { batches, relays, workers } = this.#context;
    const ready = batches.ready((batch) => this.#mayGo(batch) && relays.healthy(batch.record.options.relays));
    return ready > 0 || workers.working() > 0 || !this.#isTrialDue() ? ready : 1;
  }

  #isTrialDue(): boolean {
    const { batches, relays, suspects } = this.#context;
    const isProbeDue = batches.ready(
      (batch) => this.#mayGo(batch) && relays.isProbeDue(batch.record.options.relays),
    );
    if (isProbeDue > 0) return true;
    return suspects.waiting().some((uuid) => {
      const batch = batches.get(uuid);
      return batch?.figures.state === 'RUNNING' && this.#mayGo(batch);
    });
  }

  #mayGo({ record }: ActiveBatch): boolean {
    return !isExpired(record.options, this.#context.now());
  }

  /** One claim for each hungry worker; the end of a claim pumps again, for its next slot. */
  pump(): void {
    const { batches, workers } = this.#context;
    if (!this.#open || this.#storeFailing || !this.#mayLease) return;
    this.#examination.pump(() => this.ready());
    if (batches.ready() === 0) return;
    for (const worker of workers.hungry()) this.#serve(worker);
  }

  /** While the store fails, one claim at a time finds out whether it works again. */
  retryStore(): void {
    if (!this.#storeFailing || !this.#open || this.#claims > 0 || !this.#mayLease) return;
    const isTried = this.#context.workers.hungry().some((worker) => this.#serve(worker));
    if (!isTried) this.#storeFailing = false;
  }

  /** Starts one claim for this worker. False: there is nothing that it could do. */
  #serve(worker: WorkerEntry): boolean {
    const { batches, relays, workers, settings, now } = this.#context;
    const connections = worker.connections ?? 1;
    const batch = batches.choose(
      ({ record: { options } }) =>
        !isExpired(options, now()) && relays.choose(worker.uuid, connections, options.relays) !== undefined,
    );
    if (batch === undefined) return false;
    const choice = relays.choose(worker.uuid, connections, batch.record.options.relays);
    if (choice === undefined) return false;
    const count = choice.probe
      ? 1
      : taskSize({
          rate: worker.meter.rate(this.#context.monotonic()),
          connections: worker.connections,
          ready: batch.ready,
          workers: workers.working(),
          taskMs: settings.taskMs,
        });
    this.#lease(worker, batch, choice, count);
    return true;
  }

  /** Has a worker that has nothing else try suspects of a batch. */
  #examine(worker: WorkerEntry, batch: ActiveBatch): string | undefined {
    const { relays, suspects } = this.#context;
    const choice = relays.choose(worker.uuid, worker.connections ?? 1, batch.record.options.relays);
    if (choice === undefined) return undefined;
    const next = suspects.next(batch.uuid);
    const aside = choice.probe ? splitRanges(next, 1).first : next;
    return this.#lease(worker, batch, choice, countSeqs(aside), aside);
  }

  #lease(
    worker: WorkerEntry,
    batch: ActiveBatch,
    choice: RelayChoice,
    count: number,
    aside?: SeqRanges,
  ): string {
    const task = uuidv7();
    const { name: relay, probe } = choice;
    worker.slots--;
    worker.leases.add(task);
    if (aside === undefined) batch.claiming += count;
    batch.served += count;
    const granted = this.#context.relays.taskLeased(
      relay,
      task,
      worker.uuid,
      worker.connections ?? 1,
      count,
      probe,
    );
    void this.#claim({ task, worker, batch, relay, count, granted, aside });
    return task;
  }

  async #claim(plan: Plan): Promise<void> {
    const { store, relays, batches, now } = this.#context;
    const { task, worker, batch, relay, count, aside } = plan;
    this.#claims++;
    let claim: Claim | undefined;
    try {
      claim = await store.claim({
        batch: batch.uuid,
        task,
        worker: worker.uuid,
        relay,
        count,
        now: now(),
        aside,
      });
      // Those that it did not give were cancelled or sent meanwhile.
      if (aside !== undefined) this.#context.suspects.taken(batch.uuid, aside);
      this.#storeWorks(true);
    } catch (error) {
      // Whoever owns the batch now leases its mail; the store is well.
      this.#storeWorks(isNotOwner(error), error);
    } finally {
      this.#claims--;
      if (aside === undefined) batch.claiming -= count;
      else this.#examination.claimed();
    }
    const got = claim?.recipients.length ?? 0;
    relays.recipientsSettled(relay, count - got);
    batch.served -= count - got;
    if (claim === undefined) {
      worker.slots++;
      worker.leases.delete(task);
      relays.taskEnded(relay, task, worker.uuid);
      return;
    }
    if (batches.get(batch.uuid) === undefined) {
      // Another server has taken the batch over meanwhile, and this lease with it.
      worker.leases.delete(task);
      relays.recipientsSettled(relay, got);
      relays.taskEnded(relay, task, worker.uuid);
      return;
    }
    batches.update(batch.uuid, claim.figures);
    this.#send(plan, claim);
    this.pump();
  }

  #storeWorks(works: boolean, error?: unknown): void {
    if (this.#storeFailing === !works) return;
    this.#storeFailing = !works;
    const { logger } = this.#context;
    if (works) logger.info('the store leases tasks again');
    else logger.error({ err: error }, 'the store cannot lease tasks, nothing is sent until it can');
  }

  /**
   * A task whose worker has gone meanwhile was never seen by anyone: it is overdue at once, and nothing of it was begun. So is one
   * that this server may not send any more, because it was stopped for too long since it was leased.
   */
  #send({ task, worker, batch, relay, granted, aside }: Plan, claim: Claim): void {
    const { leases, workers, relays, settings, monotonic, logger } = this.#context;
    const isReached = this.#open && this.#mayLease && workers.get(worker.uuid) === worker;
    const attempts = new Map<number, number>();
    for (const { seq, attempts: n } of claim.recipients) if (n > 0) attempts.set(seq, n);
    leases.add({
      task,
      batch: batch.uuid,
      worker: worker.uuid,
      relay,
      seqs: rangesOf(claim.recipients.map((recipient) => recipient.seq)),
      attempts,
      inFlight: isReached ? worker.inFlight : 0,
      deadline: monotonic() + (isReached ? settings.leaseMs : 0),
      examined: aside !== undefined,
    });
    const relaySettings = relays.settings(relay);
    if (!isReached || relaySettings === undefined) return;
    const senderDomain = parseMailbox(batch.record.message.FROM).domain;
    worker.line.sendText(
      taskFrame({
        task,
        batch: batch.uuid,
        worker: worker.uuid,
        leaseMs: settings.leaseMs,
        date: batch.record.createdAt,
        messageJson: batch.messageJson,
        senderDomain,
        relay: wireRelay(relaySettings, granted),
        dkim: worker.full ? this.#context.dkim.for(senderDomain) : undefined,
        recipients: claim.recipients,
      }),
    );
    // The breaker opened while the task was being claimed.
    if (worker.full && relays.isOpen(relay)) worker.line.send({ TASK: 'HAND_BACK', TASKS: [task] });
    logger.debug(
      { task, batch: batch.uuid, worker: worker.uuid, relay, recipients: claim.recipients.length },
      'task leased',
    );
  }
}

interface Plan {
  readonly task: string;
  readonly worker: WorkerEntry;
  readonly batch: ActiveBatch;
  readonly relay: string;
  readonly count: number;
  readonly granted: number | undefined;
  /** Suspects, to be leased instead of what is pending. */
  readonly aside: SeqRanges | undefined;
}
