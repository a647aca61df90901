import { RelaySpec } from '../../../config/index.ts';
import { createSilentLogger, type Logger } from '../../../logging/index.ts';
import type { ServerToWorker, TaskSend, WorkerAlive } from '../../../protocol/index.ts';
import type { BatchFigures, BatchRecord, StateCounts } from '../../../server/batches/batch.ts';
import { BatchBook } from '../../../server/batches/batch-book.ts';
import { Clockwork } from '../../../server/dispatch/clockwork.ts';
import type { DispatchContext } from '../../../server/dispatch/context.ts';
import { Dispatcher } from '../../../server/dispatch/dispatcher.ts';
import { LeaseBook } from '../../../server/dispatch/lease-book.ts';
import { Results } from '../../../server/dispatch/results.ts';
import type { Claim, ClaimRequest, Expiry, Settlement } from '../../../server/dispatch/store.ts';
import { SuspectBook } from '../../../server/dispatch/suspect-book.ts';
import { WorkerBook, WorkerEntry, type WorkerLine } from '../../../server/dispatch/worker-book.ts';
import { DkimKeys } from '../../../server/dkim-keys.ts';
import { RateMeter } from '../../../server/rate-meter.ts';
import { RelayBook } from '../../../server/relays/relay-book.ts';
import { StoreError } from '../../../server/store/errors.ts';
import { processTimer } from '../../../server/timers.ts';

const COUNTS: StateCounts = {
  total: 0,
  pending: 0,
  leased: 0,
  deferred: 0,
  sent: 0,
  failed: 0,
  unknown: 0,
  suppressed: 0,
  cancelled: 0,
};

export function recordOf(uuid: string, counts: Partial<StateCounts>): BatchRecord {
  return {
    uuid,
    message: { FROM: 'a@example.org', SUBJECT: 's', TEXT: 't' },
    options: { retryBaseMs: 1_000, retryCapMs: 60_000, retryForMs: 1e9, onUnknown: 'RETRY' },
    state: 'RUNNING',
    counts: { ...COUNTS, ...counts },
    rejected: 0,
    duplicates: 0,
    maybeSent: 0,
    secondReports: 0,
    createdAt: 0,
  };
}

/** A question that the store has not answered yet. */
export interface Question<T, A> {
  readonly asked: T;
  answer(with_: A): Promise<void>;
  fail(): Promise<void>;
}

type Asked<T, A> = { questions: Question<T, A>[]; ask: (asked: T) => Promise<A> };

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function questions<T, A>(): Asked<T, A> {
  const list: Question<T, A>[] = [];
  const ask = (asked: T): Promise<A> => {
    const { promise, resolve, reject } = Promise.withResolvers<A>();
    list.push({
      asked,
      answer: (with_) => {
        resolve(with_);
        return settle();
      },
      fail: () => {
        reject(new StoreError('STORE_UNAVAILABLE', 'the disk is full'));
        return settle();
      },
    });
    return promise;
  };
  return { questions: list, ask };
}

/** A dispatch whose store answers when the test says so, and whose time is the test's. */
export class MemoryDispatch {
  now = 1_000_000;
  readonly claims = questions<ClaimRequest, Claim | undefined>();
  readonly settlements = questions<
    Settlement,
    { remaining: number; applied: number; figures: BatchFigures } | undefined
  >();
  readonly expiries = questions<Expiry, { figures: BatchFigures; marked: number } | undefined>();
  readonly context: DispatchContext;
  readonly dispatcher: Dispatcher;
  readonly clockwork: Clockwork;
  readonly results: Results;

  constructor(logger: Logger = createSilentLogger(), relay = 'smtp://a?name=a&connections=10') {
    const now = (): number => this.now;
    const breaker = { threshold: 3, openMs: 1_000, capMs: 5_000, policyThreshold: 3 };
    this.context = {
      batches: new BatchBook(),
      workers: new WorkerBook(),
      relays: new RelayBook([RelaySpec.parse(relay)], breaker, createSilentLogger(), now),
      leases: new LeaseBook(),
      suspects: new SuspectBook(3),
      store: {
        claim: (asked) => this.claims.ask(asked),
        settle: async (asked) => {
          const answer = await this.settlements.ask(asked);
          return answer === undefined ? undefined : { batch: 'b', secondReports: 0, ...answer };
        },
        expire: async (asked) => {
          const answer = await this.expiries.ask(asked);
          return answer === undefined ? undefined : { batch: 'b', ...answer };
        },
        leases: async () => [],
        suspicions: async () => [],
        promoteDue: async () => ({ moved: [] }),
        putBack: async () => undefined,
        getBatch: async () => undefined,
      },
      settled: new RateMeter(),
      settings: { leaseMs: 10_000, taskMs: 2_000 },
      dkim: new DkimKeys([]),
      logger,
      now,
      monotonic: now,
      setTimer: processTimer,
    };
    this.dispatcher = new Dispatcher(this.context);
    this.clockwork = new Clockwork(this.context, this.dispatcher, { parkMs: 60_000 });
    this.results = new Results(
      this.context,
      this.dispatcher,
      { faultDelayMs: 100 },
      () => 0,
      () => {},
    );
  }

  worker(uuid: string, alive: Partial<WorkerAlive> = {}): WorkerEntry & { readonly got: string[] } {
    const got: string[] = [];
    const line: WorkerLine = {
      send: (message: ServerToWorker) => got.push(JSON.stringify(message)),
      sendText: (text) => got.push(text),
      close: () => {},
    };
    const entry = new WorkerEntry(
      uuid,
      { WORKER: 'ALIVE', CONNECTIONS: 5, IN_FLIGHT: 2, PROTOCOL: 1, ...alive },
      line,
      undefined,
      0,
    );
    entry.slots = 1;
    this.context.workers.add(entry);
    return Object.assign(entry, { got });
  }

  /** What the relay's account says. */
  get relay(): Record<string, unknown> {
    return this.context.relays.snapshot()[0] ?? {};
  }

  /** The answer to a claim: as many as were asked for, from seq 0. */
  claimOf({ count }: ClaimRequest, left = 0): Claim {
    const recipients = Array.from({ length: count }, (_, seq) => ({
      seq,
      address: `user${seq}@example.net`,
      attempts: 0,
      maybeSent: false,
    }));
    return { recipients, figures: recordOf('b', { pending: left, leased: count }) };
  }
}

export const taskOf = (text: string | undefined): TaskSend => JSON.parse(text ?? '{}') as TaskSend;
