import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { StateCounts } from '../../batches/batch.ts';
import { type Batch, type CommittedBatch, isCommitted } from '../operations/batch.ts';

const COLUMNS = `id, uuid, key, name, state, total, pending, leased, deferred, sent, failed, unknown, suppressed,
  cancelled, rejected, duplicates, maybe_sent, second_reports, created_at, finished_at`;

interface BatchRow extends Record<keyof StateCounts, number> {
  readonly id: number;
  readonly uuid: string;
  readonly key: string | null;
  readonly name: string | null;
  readonly state: Batch['state'];
  readonly rejected: number;
  readonly duplicates: number;
  readonly maybe_sent: number;
  readonly second_reports: number;
  readonly created_at: number;
  readonly finished_at: number | null;
}

/**
 * Batches with their counters. Those being sent are kept in memory, so that the ways that every mail goes read no batch;
 * what a group changed is written once, before its commit, and forgotten when it is rolled back.
 */
export class BatchTable {
  readonly #kept = new Map<string, Batch>();
  readonly #keptById = new Map<number, Batch>();
  /** Changed in this group. */
  readonly #changed = new Set<Batch>();
  /** Changed in this group and not written yet. */
  readonly #dirty = new Set<Batch>();
  readonly #insert: StatementSync;
  readonly #update: StatementSync;
  readonly #byUuid: StatementSync;
  readonly #byId: StatementSync;
  readonly #newest: StatementSync;
  readonly #unfinished: StatementSync;
  readonly #withDeferred: StatementSync;
  readonly #abandoned: StatementSync;
  readonly #delete: StatementSync;
  readonly #byKey: StatementSync;
  readonly #setFingerprint: StatementSync;

  constructor(database: DatabaseSync) {
    this.#insert = database.prepare(
      `INSERT INTO batch (uuid, key, name, state, created_at) VALUES (?, ?, ?, 'OPEN', ?)`,
    );
    this.#update = database.prepare(`
      UPDATE batch
      SET state = ?, total = ?, pending = ?, leased = ?, deferred = ?, sent = ?, failed = ?, unknown = ?,
        suppressed = ?, cancelled = ?, rejected = ?, duplicates = ?, maybe_sent = ?, second_reports = ?, finished_at = ?
      WHERE id = ?`);
    this.#byUuid = database.prepare(`SELECT ${COLUMNS} FROM batch WHERE uuid = ?`);
    this.#byId = database.prepare(`SELECT ${COLUMNS} FROM batch WHERE id = ?`);
    this.#newest = database.prepare(`
      SELECT ${COLUMNS} FROM batch WHERE state NOT IN ('OPEN', 'DROPPED') ORDER BY id DESC LIMIT ?`);
    this.#unfinished = database.prepare(`
      SELECT ${COLUMNS} FROM batch
      WHERE finished_at IS NULL AND state NOT IN ('OPEN', 'DROPPED') ORDER BY id`);
    this.#withDeferred = database.prepare(`
      SELECT ${COLUMNS} FROM batch
      WHERE finished_at IS NULL AND state = 'RUNNING' AND deferred > 0 ORDER BY id`);
    this.#abandoned = database.prepare(`
      SELECT ${COLUMNS} FROM batch WHERE finished_at IS NULL AND state IN ('OPEN', 'DROPPED') ORDER BY id`);
    this.#delete = database.prepare('DELETE FROM batch WHERE id = ?');
    this.#byKey = database.prepare(`
      SELECT uuid, fingerprint FROM batch
      WHERE key IS NOT NULL AND key = ? AND state NOT IN ('OPEN', 'DROPPED')`);
    this.#setFingerprint = database.prepare('UPDATE batch SET fingerprint = ? WHERE id = ?');
  }

  /** Inserts an open batch. */
  open(batch: { uuid: string; key: string | undefined; name: string | undefined; createdAt: number }): Batch {
    this.#insert.run(batch.uuid, batch.key ?? null, batch.name ?? null, batch.createdAt);
    const opened = this.find(batch.uuid);
    if (opened === undefined) throw new Error('a batch that was just inserted is not there');
    this.change(opened);
    return opened;
  }

  /** The batch whatever its state. Tell `change` before changing it. */
  find(uuid: string): Batch | undefined {
    return this.#kept.get(uuid) ?? this.#keep(this.#byUuid.get(uuid) as BatchRow | undefined);
  }

  /** The batch unless it is open or dropped. */
  committed(uuid: string): CommittedBatch | undefined {
    const batch = this.find(uuid);
    return batch !== undefined && isCommitted(batch) ? batch : undefined;
  }

  byId(id: number): CommittedBatch {
    const batch = this.#keptById.get(id) ?? this.#keep(this.#byId.get(id) as BatchRow | undefined);
    if (batch === undefined || !isCommitted(batch)) throw new Error(`there is no batch ${id}`);
    return batch;
  }

  /** The committed batch under a key; one committed in this group counts. */
  byKey(key: string): { uuid: string; fingerprint: string } | undefined {
    this.flush();
    const row = this.#byKey.get(key) as { uuid: string; fingerprint: string } | undefined;
    return row === undefined ? undefined : { uuid: row.uuid, fingerprint: row.fingerprint };
  }

  setFingerprint(batch: Batch, fingerprint: string): void {
    this.#setFingerprint.run(fingerprint, batch.id);
  }

  newest(limit: number): readonly CommittedBatch[] {
    return this.#list(this.#newest, limit);
  }

  unfinished(): readonly CommittedBatch[] {
    return this.#list(this.#unfinished);
  }

  runningWithDeferred(): readonly CommittedBatch[] {
    this.flush();
    return this.#list(this.#withDeferred);
  }

  /** Batches that were never committed, or were dropped and not removed yet. */
  abandoned(): readonly Batch[] {
    return (this.#abandoned.all() as unknown as BatchRow[]).map(
      (row) => this.#kept.get(row.uuid) ?? read(row),
    );
  }

  /** Must be told before a batch is changed. */
  change(batch: Batch): void {
    this.#remember(batch);
    this.#changed.add(batch);
    this.#dirty.add(batch);
  }

  delete(batch: Batch): void {
    this.#dirty.delete(batch);
    this.#forget(batch);
    this.#delete.run(batch.id);
  }

  flush(): void {
    for (const batch of this.#dirty) this.#write(batch);
    this.#dirty.clear();
  }

  committedGroup(): void {
    for (const batch of this.#changed) {
      if (batch.finishedAt !== undefined || batch.state === 'DROPPED') this.#forget(batch);
    }
    this.#changed.clear();
  }

  rolledBack(): void {
    for (const batch of this.#changed) this.#forget(batch);
    this.#changed.clear();
    this.#dirty.clear();
  }

  #list(statement: StatementSync, ...values: number[]): readonly CommittedBatch[] {
    const rows = statement.all(...values) as unknown as BatchRow[];
    return rows.map((row) => this.#kept.get(row.uuid) ?? read(row)).filter(isCommitted);
  }

  #keep(row: BatchRow | undefined): Batch | undefined {
    if (row === undefined) return undefined;
    const batch = this.#kept.get(row.uuid) ?? read(row);
    if (batch.finishedAt === undefined && batch.state !== 'DROPPED') this.#remember(batch);
    return batch;
  }

  #remember(batch: Batch): void {
    this.#kept.set(batch.uuid, batch);
    this.#keptById.set(batch.id, batch);
  }

  #forget(batch: Batch): void {
    this.#kept.delete(batch.uuid);
    this.#keptById.delete(batch.id);
  }

  #write(batch: Batch): void {
    const c = batch.counts;
    this.#update.run(
      batch.state,
      c.total,
      c.pending,
      c.leased,
      c.deferred,
      c.sent,
      c.failed,
      c.unknown,
      c.suppressed,
      c.cancelled,
      batch.rejected,
      batch.duplicates,
      batch.maybeSent,
      batch.secondReports,
      batch.finishedAt ?? null,
      batch.id,
    );
  }
}

function read(row: BatchRow): Batch {
  const { total, pending, leased, deferred, sent, failed, unknown, suppressed, cancelled } = row;
  return {
    id: row.id,
    uuid: row.uuid,
    key: row.key ?? undefined,
    name: row.name ?? undefined,
    createdAt: row.created_at,
    state: row.state,
    counts: { total, pending, leased, deferred, sent, failed, unknown, suppressed, cancelled },
    rejected: row.rejected,
    duplicates: row.duplicates,
    maybeSent: row.maybe_sent,
    secondReports: row.second_reports,
    finishedAt: row.finished_at ?? undefined,
  };
}
