import { BatchBook } from '../../server/batches/batch-book.ts';
import { Results } from '../../server/dispatch/results.ts';
import type { Settlement } from '../../server/dispatch/store.ts';
import { Guests } from '../../server/mesh/guests.ts';
import { LoanLedger } from '../../server/mesh/ledger.ts';
import { LoanWriter } from '../../server/mesh/loan-writer.ts';
import { RelayBook } from '../../server/relays/relay-book.ts';
import { ServerLink } from '../../worker/link/server-link.ts';
import { Lease } from '../../worker/tasks/lease.ts';
import type { Disk } from './store/disk.ts';
import { NaiveBatch } from './store/naive-batch.ts';
import { type Pace, VirtualStore } from './store/virtual-store.ts';
import type { Sabotage } from './town/town.ts';
import type { Invariant } from './watch/violation.ts';

/** A mistake that somebody could make, put in on purpose. */
export interface Bug {
  readonly what: string;
  /** What notices. */
  readonly caughtBy: readonly Invariant[];
  readonly sabotage?: Sabotage;
  /** Changes the program until what it returns is called. */
  readonly patch?: () => () => void;
}

export const BUGS: Readonly<Record<string, Bug>> = {
  'moves-at-claim': {
    what: 'the checkpoint moves when recipients are fetched: what a lost worker had counts as done',
    caughtBy: ['sent means accepted'],
    sabotage: { openStore: (disk, pace) => new MovesAtClaim(disk, pace) },
  },
  'marks-nothing': {
    what: 'what a lost worker may have been sending goes to others without a mark',
    caughtBy: ['duplicates explained', 'acceptance recorded'],
    sabotage: { openStore: (disk, pace) => new MarksNothing(disk, pace) },
  },
  'ack-before-commit': {
    what: 'a report is acknowledged before its results are committed',
    caughtBy: ['duplicates explained', 'acceptance recorded'],
    patch: () =>
      replace(
        Results.prototype,
        'take',
        (take) =>
          function (this: Results, ...call) {
            take.apply(this, call).catch(() => {});
            return Promise.resolve();
          },
      ),
  },
  'accepts-before-commit': {
    what: 'a submission is acknowledged before its commit',
    caughtBy: ['nothing lost'],
    sabotage: { openStore: (disk, pace) => new AcceptsBeforeCommit(disk, pace) },
  },
  'believes-late-failures': {
    what: 'a failure is applied whoever has the recipient by now, without looking at the lease',
    caughtBy: ['sent under a lease', 'duplicates explained', 'acceptance recorded'],
    sabotage: { openStore: (disk, pace) => new BelievesLateFailures(disk, pace) },
  },
  'lease-without-end': {
    what: 'a worker does not look at its clock: it sends until somebody tells it that its lease is lost',
    caughtBy: ['sent under a lease'],
    patch: () =>
      replace(
        Lease.prototype,
        'allows',
        () =>
          function (this: Lease) {
            return !this.isLost;
          },
      ),
  },
  'lease-from-receipt': {
    what: 'a worker reckons its lease from when the task came, however long it was on its way',
    caughtBy: ['sent under a lease'],
    patch: () => {
      const before = Object.getOwnPropertyDescriptor(ServerLink.prototype, 'provenAt') as PropertyDescriptor;
      Object.defineProperty(ServerLink.prototype, 'provenAt', { get: () => undefined, configurable: true });
      return () => Object.defineProperty(ServerLink.prototype, 'provenAt', before);
    },
  },
  'keeps-nobody': {
    what: 'a lender does not look at keepHome',
    caughtBy: ['keep home'],
    sabotage: { settings: { keepHome: 0 } },
  },
  'ticket-twice': {
    what: 'a ticket is good as often as somebody shows it',
    caughtBy: ['tickets end'],
    patch: () => replace(Guests.prototype, 'loanState', () => () => 'active'),
  },
  'lends-again-at-once': {
    what: 'a worker that came home is lent to the same borrower again at once',
    caughtBy: ['no ping-pong'],
    patch: () => replace(LoanLedger.prototype, 'cameHomeAt', () => () => undefined),
  },
  'grants-without-limit': {
    what: 'workers are not told how many connections they may open to a relay',
    caughtBy: ['relay limits'],
    patch: () =>
      replace(
        RelayBook.prototype,
        'taskLeased',
        (taskLeased) =>
          function (this: RelayBook, ...call) {
            taskLeased.apply(this, call);
            return undefined;
          },
      ),
  },
  'never-ends-loans': {
    what: 'that a loan has ended is not written down',
    caughtBy: ['loans conserved'],
    patch: () => replace(LoanWriter.prototype, 'end', () => () => {}),
  },
  'keeps-old-figures': {
    what: 'a server does not take over what its store says of a batch that has failures',
    caughtBy: ['memory is the disk', 'liveness'],
    patch: () =>
      replace(
        BatchBook.prototype,
        'update',
        (update) =>
          function (this: BatchBook, uuid, figures) {
            if (figures.counts.failed === 0) update.call(this, uuid, figures);
          },
      ),
  },
  'nobody-probes': {
    what: 'a server without workers borrows none for the probe of its relay',
    caughtBy: ['liveness'],
    patch: () => replace(RelayBook.prototype, 'isProbeDue', () => () => false),
  },
};

/** The checkpoint moves at the claim. */
class MovesAtClaim extends VirtualStore {
  override async expire({ task, now }: Parameters<VirtualStore['expire']>[0]) {
    const lease = (await this.leases()).find((one) => one.task === task);
    const sent = lease?.remaining.toSorted((a, b) => a[0] - b[0]) ?? [];
    const settled = await this.settle({ task, now, sent, outcomes: [], returned: [], done: true });
    return settled && { batch: settled.batch, figures: settled.figures, marked: 0 };
  }
}

class MarksNothing extends VirtualStore {
  override expire(expiry: Parameters<VirtualStore['expire']>[0]): ReturnType<VirtualStore['expire']> {
    return super.expire({ ...expiry, maybeBegun: 0 });
  }
}

class AcceptsBeforeCommit extends VirtualStore {
  readonly #disk: Disk;

  constructor(disk: Disk, pace: Pace) {
    super(disk, pace);
    this.#disk = disk;
  }

  override async commitBatch(...[uuid, end]: Parameters<VirtualStore['commitBatch']>) {
    const open = this.#disk.open.get(uuid);
    const committed = super.commitBatch(uuid, end);
    if (open === undefined) return committed;
    committed.catch(() => {});
    const { message, rejected, duplicates, total } = end;
    return { ...open.draft, message, rejected, duplicates, ...new NaiveBatch(total).figures };
  }
}

class BelievesLateFailures extends VirtualStore {
  readonly #disk: Disk;

  constructor(disk: Disk, pace: Pace) {
    super(disk, pace);
    this.#disk = disk;
  }

  override settle(settlement: Settlement): ReturnType<VirtualStore['settle']> {
    return super.settle({ ...settlement, task: this.#holderOf(settlement) });
  }

  /** The task that has the first of those that failed. */
  #holderOf({ task, outcomes }: Settlement): string {
    const model = this.#disk.batchOfTask.get(task)?.model;
    const holder = outcomes[0] && model?.recipients[outcomes[0].seq]?.task;
    for (const [name, one] of model?.tasks ?? []) if (one === holder) return name;
    return task;
  }
}

type Method<T, K extends keyof T> = T[K] extends (...call: infer A) => infer R
  ? (this: T, ...call: A) => R
  : never;

/** Replaces a method; what it returns puts the old one back. */
function replace<T extends object, K extends keyof T>(
  prototype: T,
  name: K,
  make: (before: Method<T, K>) => Method<T, K>,
): () => void {
  const before = prototype[name];
  prototype[name] = make(before as Method<T, K>) as T[K];
  return () => {
    prototype[name] = before;
  };
}
