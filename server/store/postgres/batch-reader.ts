import type { SeqRanges } from '../../../protocol/index.ts';
import type { BatchRecord, ResolvedOptions, State, StateCounts } from '../../batches/batch.ts';
import type { ListedState, PossibleDuplicate, RecipientDetail } from '../../batches/store.ts';
import { ASIDE_UNTIL, type Lease, type StoredSuspicion } from '../../dispatch/store.ts';
import { checkBatch, type WholeBatch } from '../operations/audit.ts';
import type { CommittedBatch } from '../operations/batch.ts';
import { textToRanges } from '../operations/range-text.ts';
import { type DetailRow, detailOf } from '../operations/recipient-detail.ts';
import type { SpanState } from '../operations/tables.ts';
import type { Audit } from '../store.ts';
import type { Reader } from './reader.ts';
import type { Row } from './scope.ts';
import { STATEMENTS } from './statements.ts';

interface BatchRow extends Record<keyof StateCounts, number> {
  readonly id: string;
  readonly uuid: string;
  readonly key: string | null;
  readonly name: string | null;
  readonly state: State;
  readonly rejected: number;
  readonly duplicates: number;
  readonly maybe_sent: number;
  readonly second_reports: number;
  readonly created_at: number;
  readonly finished_at: number | null;
  readonly options: string;
  readonly message: string;
  readonly attachments: string | null;
}

interface TaskRow {
  readonly uuid: string;
  readonly batch: string;
  readonly worker: string;
  readonly relay: string;
  readonly claimed_at: number;
  readonly again: string;
  readonly fresh: string;
  readonly gone: string;
}

interface DuplicateRow {
  readonly id: string;
  readonly task: string | null;
  readonly worker: string | null;
  readonly relay: string | null;
  readonly at: number;
  readonly why: string;
  readonly seqs: string;
}

const COMMITTED = `b.state NOT IN ('OPEN', 'DROPPED')`;

const select = (attachments: string): string => `
  SELECT b.*, c.options, c.message, ${attachments} AS attachments
  FROM mutirao.batch b JOIN mutirao.content c ON c.batch = b.id WHERE ${COMMITTED}`;

const LEASES = `
  SELECT t.uuid, b.uuid AS batch, t.worker, t.relay, t.claimed_at, t.again, t.fresh, t.gone
  FROM mutirao.task t JOIN mutirao.batch b ON b.id = t.batch WHERE t.live = 1`;

/** What people and starting servers read: as it is committed, whoever owns it. */
export class BatchReader {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async findKey(key: string): Promise<{ uuid: string; fingerprint: string } | undefined> {
    const rows = await this.#reader.rows<{ uuid: string; fingerprint: string }>(
      `SELECT b.uuid, b.fingerprint FROM mutirao.batch b WHERE b.key IS NOT NULL AND b.key = $1 AND ${COMMITTED}`,
      [key],
    );
    return rows[0];
  }

  async get(uuid: string): Promise<BatchRecord | undefined> {
    const [row] = await this.#reader.rows<BatchRow>(`${select('c.attachments')} AND b.uuid = $1`, [uuid]);
    return row && recordOf(row);
  }

  async newest(limit: number): Promise<readonly BatchRecord[]> {
    const rows = await this.#reader.rows<BatchRow>(`${select('NULL')} ORDER BY b.id DESC LIMIT $1`, [limit]);
    return rows.map(recordOf);
  }

  async unfinished(owner: string): Promise<readonly BatchRecord[]> {
    const rows = await this.#reader.rows<BatchRow>(
      `${select('c.attachments')} AND b.finished_at IS NULL AND b.owner = $1 ORDER BY b.id`,
      [owner],
    );
    return rows.map(recordOf);
  }

  async ofIds(ids: readonly string[]): Promise<readonly BatchRecord[]> {
    const rows = await this.#reader.rows<BatchRow>(
      `${select('c.attachments')} AND b.id = ANY ($1::int8[]) ORDER BY b.id`,
      [ids],
    );
    return rows.map(recordOf);
  }

  async leases(owner: string): Promise<readonly Lease[]> {
    const order = 'ORDER BY t.claimed_at, t.uuid';
    const rows = await this.#reader.rows<TaskRow>(`${LEASES} AND b.owner = $1 ${order}`, [owner]);
    return rows.map(leaseOf);
  }

  async leasesOf(batches: readonly string[]): Promise<readonly Lease[]> {
    const order = 'ORDER BY t.claimed_at, t.uuid';
    const rows = await this.#reader.rows<TaskRow>(`${LEASES} AND t.batch = ANY ($1::int8[]) ${order}`, [
      batches,
    ]);
    return rows.map(leaseOf);
  }

  async recipients(
    uuid: string,
    state: ListedState,
    after: number,
    limit: number,
  ): Promise<readonly RecipientDetail[]> {
    const which = state === 'MAYBE_SENT' ? 'h.maybe_sent = 1 AND $2::text IS NOT NULL' : 'h.state = $2';
    const rows = await this.#reader.rows<DetailRow>(
      `SELECT h.seq, r.address, h.state, h.attempts, h.worker, h.relay, h.reply, h.at, h.due_at, h.maybe_sent
       FROM mutirao.batch b
       JOIN mutirao.history h ON h.batch = b.id AND ${which} AND h.seq > $3
       JOIN mutirao.recipient r ON r.batch = h.batch AND r.seq = h.seq
       WHERE b.uuid = $1 AND ${COMMITTED} ORDER BY h.seq LIMIT $4`,
      [uuid, state.toLowerCase(), after, limit],
    );
    return rows.map(detailOf);
  }

  /** Rows of recipients for `recipientsOf`, range by range. */
  async recipientRows(batch: number, ranges: SeqRanges): Promise<Row[]> {
    const rows = await this.#reader.rows<Record<string, string | null>>(
      `SELECT x.seq::text, x.address, x.name, x.variables FROM (${STATEMENTS.recipients}) x`,
      [batch, ranges.map(([from]) => from), ranges.map(([, to]) => to)],
    );
    return rows.map(({ seq = '', address = '', name = null, variables = null }) => [
      seq,
      address,
      name,
      variables,
    ]);
  }

  async possibleDuplicates(
    uuid: string,
    after: number,
    limit: number,
  ): Promise<readonly PossibleDuplicate[]> {
    const rows = await this.#reader.rows<DuplicateRow>(
      `SELECT d.id, d.task, d.worker, d.relay, d.at, d.why, d.seqs
       FROM mutirao.batch b JOIN mutirao.possible_duplicate d ON d.batch = b.id
       WHERE b.uuid = $1 AND ${COMMITTED} AND d.id > $2 ORDER BY d.id LIMIT $3`,
      [uuid, after, limit],
    );
    return rows.map(({ id, task, worker, relay, at, why, seqs }) => ({
      id: Number(id),
      seqs: textToRanges(seqs),
      ...(task === null ? {} : { task }),
      ...(worker === null ? {} : { worker }),
      ...(relay === null ? {} : { relay }),
      at,
      why,
    }));
  }

  async suspicions(owner: string): Promise<readonly StoredSuspicion[]> {
    return this.#reader.rows<StoredSuspicion & Record<string, unknown>>(
      `SELECT b.uuid AS batch, s.seq, s.deaths, s.among, s.alone,
         coalesce(h.state = 'deferred' AND h.due_at = ${ASIDE_UNTIL}, false) AS aside
       FROM mutirao.suspicion s JOIN mutirao.batch b ON b.id = s.batch
       LEFT JOIN mutirao.history h ON h.batch = s.batch AND h.seq = s.seq
       WHERE b.finished_at IS NULL AND b.owner = $1 ORDER BY s.batch, s.seq`,
      [owner],
    );
  }

  /** Reads every row of a batch in one statement, and so at one moment, and checks it. */
  async audit(uuid: string): Promise<Audit> {
    const [row] = await this.#reader.rows<{ whole: WholeRow }>(AUDIT, [uuid]);
    if (row?.whole.batch === undefined || row.whole.batch === null)
      throw new RangeError(`there is no batch ${uuid}`);
    const { batch, spans, tasks, recipients, history } = row.whole;
    const spansIn = (state: SpanState): [number, number][] =>
      spans.filter((span) => span.state === state).map((span) => [span.from_seq, span.to_seq]);
    const { id, maybe_sent, second_reports, created_at, finished_at, key, name, ...rest } = batch;
    const { total, pending, leased, deferred, sent, failed, unknown, suppressed, cancelled } = batch;
    const committed: CommittedBatch = {
      ...rest,
      id: Number(id),
      key: key ?? undefined,
      name: name ?? undefined,
      counts: { total, pending, leased, deferred, sent, failed, unknown, suppressed, cancelled },
      maybeSent: maybe_sent,
      secondReports: second_reports,
      createdAt: created_at,
      finishedAt: finished_at ?? undefined,
    };
    return checkBatch({
      batch: committed,
      spans: { pending: spansIn('pending'), settled: spansIn('settled'), cancelled: spansIn('cancelled') },
      tasks: tasks.map((task) => ({
        ...task,
        batch: committed.id,
        claimedAt: task.claimed_at,
        again: textToRanges(task.again),
        fresh: textToRanges(task.fresh),
        gone: textToRanges(task.gone),
      })),
      recipients,
      history,
    });
  }
}

interface WholeRow {
  readonly batch: BatchRow | null;
  readonly spans: readonly { state: string; from_seq: number; to_seq: number }[];
  readonly tasks: readonly TaskRow[];
  readonly recipients: WholeBatch['recipients'];
  readonly history: WholeBatch['history'];
}

const rowsOf = (table: string, order: string, more = ''): string => `
  coalesce((SELECT json_agg(x ORDER BY ${order}) FROM mutirao.${table} x WHERE x.batch = b.id${more}), '[]')`;

const AUDIT = `
  SELECT json_build_object(
    'batch', to_json(b),
    'spans', ${rowsOf('span', 'x.from_seq')},
    'tasks', ${rowsOf('task', 'x.uuid', ' AND x.live = 1')},
    'history', ${rowsOf('history', 'x.seq')},
    'recipients', (SELECT json_build_object('count', count(*), 'first', min(r.seq), 'last', max(r.seq))
      FROM mutirao.recipient r WHERE r.batch = b.id)
  ) AS whole
  FROM mutirao.batch b WHERE b.uuid = $1 AND ${COMMITTED}`;

function recordOf(row: BatchRow): BatchRecord {
  const { total, pending, leased, deferred, sent, failed, unknown, suppressed, cancelled } = row;
  const attachments = row.attachments === null ? {} : { ATTACHMENTS: JSON.parse(row.attachments) };
  return {
    uuid: row.uuid,
    ...(row.key === null ? {} : { key: row.key }),
    ...(row.name === null ? {} : { name: row.name }),
    message: { ...JSON.parse(row.message), ...attachments } as BatchRecord['message'],
    options: JSON.parse(row.options) as ResolvedOptions,
    state: row.state,
    counts: { total, pending, leased, deferred, sent, failed, unknown, suppressed, cancelled },
    rejected: row.rejected,
    duplicates: row.duplicates,
    maybeSent: row.maybe_sent,
    secondReports: row.second_reports,
    createdAt: row.created_at,
    ...(row.finished_at === null ? {} : { finishedAt: row.finished_at }),
  };
}

function leaseOf({ uuid, batch, worker, relay, claimed_at, again, fresh }: TaskRow): Lease {
  const remaining = [...textToRanges(again), ...textToRanges(fresh)];
  return { task: uuid, batch, worker, relay, remaining, claimedAt: claimed_at };
}
