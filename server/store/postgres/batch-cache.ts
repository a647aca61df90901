import { NO_COUNTS } from '../../batches/batch.ts';
import { StoreError } from '../errors.ts';
import { type Batch, type CommittedBatch, isCommitted } from '../operations/batch.ts';
import type { BatchRows } from '../operations/tables.ts';
import type { Task } from '../operations/task.ts';
import { numberArray, textArray } from './array-text.ts';
import type { Changes } from './changes.ts';
import { emptySpans, type OwnedBatch, readBatches } from './owned-batch.ts';
import type { Read, Scope } from './scope.ts';
import type { StatementName, Step } from './statements.ts';

/** A batch that was never committed, for the name of one that is not there. */
const NONE: null = null;

/**
 * The batches of this server. Those being sent are kept in memory, so that what happens to every mail reads nothing; what a
 * group changed is written once, with the group. A batch of another server is read for the operation that asks and never changed.
 */
export class BatchCache implements BatchRows {
  readonly #scope: Scope;
  readonly #changes: Changes;
  readonly #kept = new Map<string, OwnedBatch>();
  readonly #keptById = new Map<number, OwnedBatch>();
  /** Tasks that are out, of the batches in memory. */
  readonly tasks = new Map<string, Task>();
  /** Changed in this group: to be written, and to be forgotten should it fail. */
  readonly #dirty = new Set<OwnedBatch>();
  /** Inserted in this group. */
  readonly #fresh = new Set<OwnedBatch>();
  /** Deleted in this group. */
  readonly #deleted = new Set<OwnedBatch>();
  /** Changed by the operation that is run. */
  #touched = new Set<OwnedBatch>();
  /** Every unfinished batch of this server is in memory. */
  #complete = false;
  /** SERVER_UUID of this server. */
  server: string | undefined;

  constructor(scope: Scope, changes: Changes) {
    this.#scope = scope;
    this.#changes = changes;
  }

  /** To be called when an operation begins. */
  beginOperation(): void {
    this.#touched = new Set();
  }

  open({ uuid, key, name, createdAt }: Pick<Batch, 'uuid' | 'key' | 'name' | 'createdAt'>): OwnedBatch {
    const owner = this.#owner();
    const id = this.#scope.need('next batch', async (read) =>
      Number((await read('next_batch_id', []))[0]?.[0]),
    );
    const counts = { ...NO_COUNTS };
    const batch: OwnedBatch = {
      id,
      uuid,
      key,
      name,
      createdAt,
      state: 'OPEN',
      counts,
      rejected: 0,
      duplicates: 0,
      maybeSent: 0,
      secondReports: 0,
      finishedAt: undefined,
      owner,
      ownerEpoch: 1,
      options: { retryBaseMs: 0, retryCapMs: 0, retryForMs: 0, onUnknown: 'RETRY' },
      spans: emptySpans(),
      live: new Map(),
      committedState: undefined,
    };
    this.#fresh.add(batch);
    this.#remember(batch);
    this.#scope.onUndo(() => {
      this.#fresh.delete(batch);
      this.#forget(batch);
    });
    this.change(batch);
    return batch;
  }

  find(uuid: string): OwnedBatch | undefined {
    return this.#kept.get(uuid) ?? this.#loaded(`batch ${uuid}`, 'batch_by_uuid', uuid);
  }

  committed(uuid: string): CommittedBatch | undefined {
    const batch = this.find(uuid);
    return batch !== undefined && isCommitted(batch) ? batch : undefined;
  }

  byId(id: number): OwnedBatch & CommittedBatch {
    const batch = this.any(id);
    if (batch === undefined || !isCommitted(batch)) throw new Error(`there is no batch ${id}`);
    return batch;
  }

  /** The batch whatever its state. */
  any(id: number): OwnedBatch | undefined {
    return this.#keptById.get(id) ?? this.#loaded(`batch ${id}`, 'batch_by_id', String(id));
  }

  byKey(key: string): { uuid: string; fingerprint: string } | undefined {
    for (const batch of this.#dirty) {
      const isNew = batch.committedState === undefined || batch.committedState === 'OPEN';
      if (isNew && batch.key === key && isCommitted(batch)) return { uuid: batch.uuid, fingerprint: '' };
    }
    const row = this.#scope.need(
      `key ${key}`,
      async (read) => (await read('batch_by_key', [key]))[0] ?? NONE,
    );
    return row === NONE ? undefined : { uuid: row[0] ?? '', fingerprint: row[1] ?? '' };
  }

  setFingerprint(batch: Batch, fingerprint: string): void {
    this.#changes.one('set_fingerprint', [String(batch.id), fingerprint]);
  }

  runningWithDeferred(): readonly CommittedBatch[] {
    return this.unfinished().filter(
      (batch): batch is OwnedBatch & CommittedBatch => batch.state === 'RUNNING' && batch.counts.deferred > 0,
    );
  }

  /** Every unfinished batch of this server, open ones included. */
  unfinished(): readonly OwnedBatch[] {
    if (!this.#complete) {
      const loaded = this.#scope.need('own batches', async (read) =>
        readBatches(await read('own_batches', [this.#owner()]), read),
      );
      for (const batch of loaded) if (!this.#kept.has(batch.uuid)) this.#remember(batch);
      this.#complete = true;
    }
    return [...this.#kept.values()]
      .filter((batch) => batch.finishedAt === undefined)
      .sort((a, b) => a.id - b.id);
  }

  /** @throws StoreError NOT_OWNER */
  checkOwned(batch: Batch): void {
    if ((batch as OwnedBatch).owner === this.#owner()) return;
    throw new StoreError('NOT_OWNER', `batch ${batch.uuid} belongs to another server; ask that one`, {
      batch: batch.uuid,
    });
  }

  change(batch: Batch): void {
    const owned = batch as OwnedBatch;
    if (this.#touched.has(owned)) return;
    this.checkOwned(owned);
    this.#touched.add(owned);
    const { state, rejected, duplicates, maybeSent, secondReports, finishedAt } = owned;
    const counts = { ...owned.counts };
    const [wasDirty, wasKept] = [this.#dirty.has(owned), this.#kept.has(owned.uuid)];
    this.#dirty.add(owned);
    this.#remember(owned);
    this.#scope.onUndo(() => {
      Object.assign(owned, { state, rejected, duplicates, maybeSent, secondReports, finishedAt });
      Object.assign(owned.counts, counts);
      if (!wasDirty) this.#dirty.delete(owned);
      if (!wasKept) this.#forget(owned);
    });
  }

  delete(batch: Batch): void {
    const owned = batch as OwnedBatch;
    this.change(owned);
    this.#changes.one('delete_batch', [String(batch.id)]);
    this.#deleted.add(owned);
    this.#scope.onUndo(() => this.#deleted.delete(owned));
  }

  /** Nothing to write. */
  get isClean(): boolean {
    return this.#dirty.size === 0;
  }

  /** The batches that must be owned for the group to count: their ids and epochs, sorted. */
  fenced(): { readonly ids: readonly number[]; readonly epochs: readonly number[] } {
    const held = [...this.#dirty].filter((batch) => !this.#fresh.has(batch)).sort((a, b) => a.id - b.id);
    return { ids: held.map((batch) => batch.id), epochs: held.map((batch) => batch.ownerEpoch) };
  }

  steps(): readonly Step[] {
    const written = [...this.#dirty].filter((batch) => !this.#deleted.has(batch));
    return written.length === 0 ? [] : [upsert(written), ...spanSteps(written)];
  }

  /** Batches whose state the group changes, for those who listen. */
  news(): string[] {
    return [...this.#dirty]
      .filter(
        (batch) =>
          batch.state !== batch.committedState && batch.state !== 'OPEN' && batch.state !== 'DROPPED',
      )
      .map((batch) => batch.uuid);
  }

  committedGroup(): void {
    for (const batch of this.#dirty) {
      for (const spans of Object.values(batch.spans)) spans.committed();
      batch.committedState = batch.state;
      if (batch.finishedAt !== undefined || this.#deleted.has(batch)) this.#forget(batch);
    }
    this.#clear();
  }

  rolledBack(): void {
    for (const batch of this.#dirty) this.evict(batch);
    this.#clear();
  }

  /** It may have been changed by others: it is read again when it is asked for. */
  evict(batch: OwnedBatch): void {
    this.#forget(batch);
    this.#complete = false;
  }

  /** The batch if it is in memory. */
  inMemory(id: number): OwnedBatch | undefined {
    return this.#keptById.get(id);
  }

  /** Batches in memory. */
  kept(): readonly OwnedBatch[] {
    return [...this.#kept.values()];
  }

  /** This server owns more than it knows. */
  incomplete(): void {
    this.#complete = false;
  }

  #clear(): void {
    this.#dirty.clear();
    this.#fresh.clear();
    this.#deleted.clear();
  }

  #loaded(name: string, statement: StatementName, value: string): OwnedBatch | undefined {
    const batch = this.#scope.need(name, (read) => this.#load(read, statement, value));
    if (batch === NONE) return undefined;
    const known = this.#kept.get(batch.uuid);
    if (known !== undefined) return known;
    const isOwn = batch.owner === this.server;
    if (isOwn && batch.finishedAt === undefined && batch.state !== 'DROPPED') this.#remember(batch);
    return batch;
  }

  async #load(read: Read, statement: StatementName, value: string): Promise<OwnedBatch | typeof NONE> {
    const [batch] = await readBatches(await read(statement, [value]), read);
    if (batch === undefined) return NONE;
    this.#scope.put(`batch ${batch.id}`, batch);
    this.#scope.put(`batch ${batch.uuid}`, batch);
    return batch;
  }

  #owner(): string {
    if (this.server !== undefined) return this.server;
    throw new StoreError('NOT_OWNER', 'this server is not registered with its store');
  }

  #remember(batch: OwnedBatch): void {
    if (this.#kept.get(batch.uuid) === batch) return;
    this.#kept.set(batch.uuid, batch);
    this.#keptById.set(batch.id, batch);
    for (const task of batch.live.values()) this.tasks.set(task.uuid, task);
  }

  #forget(batch: OwnedBatch): void {
    if (this.#kept.get(batch.uuid) !== batch) return;
    this.#kept.delete(batch.uuid);
    this.#keptById.delete(batch.id);
    for (const uuid of batch.live.keys()) this.tasks.delete(uuid);
  }
}

function upsert(batches: readonly OwnedBatch[]): Step {
  const numbers = (pick: (batch: OwnedBatch) => number | undefined): string =>
    numberArray(batches.map((batch) => pick(batch) ?? null));
  const texts = (pick: (batch: OwnedBatch) => string | undefined): string => textArray(batches.map(pick));
  return {
    statement: 'set_batches',
    values: [
      numbers((batch) => batch.id),
      texts((batch) => batch.uuid),
      texts((batch) => batch.owner),
      numbers((batch) => batch.ownerEpoch),
      texts((batch) => batch.key),
      texts((batch) => batch.name),
      numbers((batch) => batch.createdAt),
      texts((batch) => batch.state),
      numbers((batch) => batch.counts.total),
      numbers((batch) => batch.counts.pending),
      numbers((batch) => batch.counts.leased),
      numbers((batch) => batch.counts.deferred),
      numbers((batch) => batch.counts.sent),
      numbers((batch) => batch.counts.failed),
      numbers((batch) => batch.counts.unknown),
      numbers((batch) => batch.counts.suppressed),
      numbers((batch) => batch.counts.cancelled),
      numbers((batch) => batch.rejected),
      numbers((batch) => batch.duplicates),
      numbers((batch) => batch.maybeSent),
      numbers((batch) => batch.secondReports),
      numbers((batch) => batch.finishedAt),
    ],
  };
}

function spanSteps(batches: readonly OwnedBatch[]): Step[] {
  const steps: Step[] = [];
  const set = {
    batches: [] as number[],
    states: [] as string[],
    froms: [] as number[],
    tos: [] as number[],
  };
  for (const batch of batches) {
    for (const [state, spans] of Object.entries(batch.spans)) {
      const changes = spans.changes();
      if (changes.gone.length > 0) {
        steps.push({
          statement: 'delete_spans',
          values: [String(batch.id), state, numberArray(changes.gone)],
        });
      }
      for (const [from, to] of changes.set) {
        set.batches.push(batch.id);
        set.states.push(state);
        set.froms.push(from);
        set.tos.push(to);
      }
    }
  }
  if (set.froms.length > 0) {
    const columns = [
      numberArray(set.batches),
      textArray(set.states),
      numberArray(set.froms),
      numberArray(set.tos),
    ];
    steps.push({ statement: 'set_spans', values: columns });
  }
  return steps;
}
