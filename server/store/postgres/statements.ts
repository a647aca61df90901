const BATCH = `b.id, b.uuid, b.key, b.name, b.state, b.owner, b.owner_epoch, b.total, b.pending, b.leased, b.deferred, b.sent,
  b.failed, b.unknown, b.suppressed, b.cancelled, b.rejected, b.duplicates, b.maybe_sent, b.second_reports, b.created_at,
  b.finished_at, c.options`;
const BATCHES = `SELECT ${BATCH} FROM mutirao.batch b
  CROSS JOIN LATERAL (SELECT options FROM mutirao.content x WHERE x.batch = b.id OFFSET 0) c`;
const TASKS = 'SELECT uuid, batch, worker, relay, claimed_at, again, fresh, gone FROM mutirao.task';

/** Rows of `history` of a batch; $2 is an array. */
const THESE = 'WHERE batch = $1 AND seq = ANY ($2::int4[])';

/** A task's view of rows of `history`, which are chosen first. */
const claimed = (chosen: string): string => `
  SELECT h.seq, r.address, r.name, r.variables, h.attempts, h.maybe_sent
  FROM (SELECT batch, seq, attempts, maybe_sent FROM mutirao.history ${chosen}) AS h
  CROSS JOIN LATERAL (
    SELECT * FROM mutirao.recipient x WHERE x.batch = h.batch AND x.seq = h.seq OFFSET 0) AS r
  ORDER BY h.seq`;

/**
 * Every statement of the connection that writes, prepared when it is made. Those that change rows take arrays, one element for
 * each row, so that a group of operations is a handful of statements.
 *
 * They are planned once, perhaps when the tables are empty and a scan of all would be cheap. So each is written in a way that
 * leaves no choice: one table by its key, an upsert, or LATERAL behind an OFFSET 0. None joins a table to an array.
 */
export const STATEMENTS = {
  fence: 'SELECT mutirao.fence($1, $2, $3, $4, $5, $6)',
  notify: `SELECT pg_notify('mutirao', payload) FROM unnest($1::text[]) AS payload`,

  // What an operation may need that is not in memory.
  next_batch_id: `SELECT nextval('mutirao.batch_id')`,
  batch_by_uuid: `${BATCHES} WHERE b.uuid = $1`,
  batch_by_id: `${BATCHES} WHERE b.id = $1`,
  own_batches: `${BATCHES} WHERE b.owner = $1 AND b.finished_at IS NULL ORDER BY b.id`,
  batch_by_key: `SELECT uuid, fingerprint FROM mutirao.batch
    WHERE key IS NOT NULL AND key = $1 AND state NOT IN ('OPEN', 'DROPPED')`,
  spans:
    'SELECT batch, state, from_seq, to_seq FROM mutirao.span WHERE batch = ANY ($1::int8[]) ORDER BY batch, state, from_seq',
  live_tasks: `${TASKS} WHERE live = 1 AND batch = ANY ($1::int8[]) ORDER BY claimed_at, uuid`,
  task: `${TASKS} WHERE uuid = $1`,
  history_pending: claimed(`WHERE batch = $1 AND state = 'pending' ORDER BY seq LIMIT $2`),
  history_aside: claimed(`WHERE batch = $1 AND state = 'deferred' AND due_at = $2`),
  history_within: `SELECT seq, state, maybe_sent, accepted_twice, by_decision
    FROM mutirao.history WHERE batch = $1 AND seq BETWEEN $2 AND $3 ORDER BY seq`,
  history_waiting: 'SELECT seq FROM mutirao.history WHERE batch = $1 AND state = $2 ORDER BY seq LIMIT $3',
  history_due: `SELECT seq, due_at FROM mutirao.history
    WHERE batch = $1 AND state = 'deferred' AND due_at <= $2 ORDER BY due_at, seq LIMIT $3`,
  history_next_due: `SELECT w.batch, (
      SELECT h.due_at FROM mutirao.history h
      WHERE h.batch = w.batch AND h.state = 'deferred' AND h.due_at > $2 AND h.due_at < $3 ORDER BY h.due_at LIMIT 1)
    FROM unnest($1::int8[]) AS w (batch)`,
  history_unknown: `SELECT seq, maybe_sent FROM mutirao.history
    WHERE batch = $1 AND state = 'unknown' ORDER BY seq`,
  recipients: `SELECT r.seq, r.address, r.name, r.variables
    FROM unnest($2::int4[], $3::int4[]) AS w (f, t)
    CROSS JOIN LATERAL (
      SELECT * FROM mutirao.recipient x WHERE x.batch = $1 AND x.seq BETWEEN w.f AND w.t ORDER BY x.seq OFFSET 0) AS r`,

  // Changes.
  set_batches: `INSERT INTO mutirao.batch (id, uuid, owner, owner_epoch, key, name, created_at, state, total, pending, leased, deferred,
      sent, failed, unknown, suppressed, cancelled, rejected, duplicates, maybe_sent, second_reports, finished_at)
    SELECT * FROM unnest($1::int8[], $2::text[], $3::text[], $4::int8[], $5::text[], $6::text[], $7::float8[], $8::text[],
      $9::int4[], $10::int4[], $11::int4[], $12::int4[], $13::int4[], $14::int4[], $15::int4[], $16::int4[], $17::int4[],
      $18::int4[], $19::int4[], $20::int4[], $21::int4[], $22::float8[])
    ON CONFLICT (id) DO UPDATE
    SET state = excluded.state, total = excluded.total, pending = excluded.pending, leased = excluded.leased,
      deferred = excluded.deferred, sent = excluded.sent, failed = excluded.failed, unknown = excluded.unknown,
      suppressed = excluded.suppressed, cancelled = excluded.cancelled, rejected = excluded.rejected,
      duplicates = excluded.duplicates, maybe_sent = excluded.maybe_sent, second_reports = excluded.second_reports,
      finished_at = excluded.finished_at`,
  set_fingerprint: 'UPDATE mutirao.batch SET fingerprint = $2 WHERE id = $1',
  delete_batch: 'DELETE FROM mutirao.batch WHERE id = $1',
  insert_content: 'INSERT INTO mutirao.content (batch, options) VALUES ($1, $2)',
  set_message: 'UPDATE mutirao.content SET message = $2, attachments = $3 WHERE batch = $1',
  delete_content: 'DELETE FROM mutirao.content WHERE batch = $1',
  insert_recipients: `INSERT INTO mutirao.recipient (batch, seq, address, name, variables)
    SELECT $1, $2::int4 + w.n - 1, w.address, w.name, w.variables
    FROM unnest($3::text[], $4::text[], $5::text[]) WITH ORDINALITY AS w (address, name, variables, n)`,
  delete_recipients: 'DELETE FROM mutirao.recipient WHERE batch = $1 AND seq < $2',
  delete_spans: 'DELETE FROM mutirao.span WHERE batch = $1 AND state = $2 AND from_seq = ANY ($3::int4[])',
  set_spans: `INSERT INTO mutirao.span (batch, state, from_seq, to_seq)
    SELECT * FROM unnest($1::int8[], $2::text[], $3::int4[], $4::int4[])
    ON CONFLICT (batch, state, from_seq) DO UPDATE SET to_seq = excluded.to_seq`,
  set_tasks: `INSERT INTO mutirao.task (uuid, batch, worker, relay, claimed_at, live, again, fresh, gone)
    SELECT * FROM unnest($1::text[], $2::int8[], $3::text[], $4::text[], $5::float8[], $6::int2[], $7::text[], $8::text[], $9::text[])
    ON CONFLICT (uuid) DO UPDATE
    SET live = excluded.live, again = excluded.again, fresh = excluded.fresh, gone = excluded.gone`,

  history_record: `INSERT INTO mutirao.history AS h
      (batch, seq, state, attempts, charged, maybe_sent, accepted_twice, due_at, worker, relay, reply, at)
    SELECT * FROM unnest($1::int8[], $2::int4[], $3::text[], $4::int4[], $5::int2[], $6::int2[], $7::int2[], $8::float8[],
      $9::text[], $10::text[], $11::text[], $12::float8[])
    ON CONFLICT (batch, seq) DO UPDATE
    SET state = excluded.state, attempts = h.attempts + excluded.charged, charged = excluded.charged,
      maybe_sent = greatest(h.maybe_sent, excluded.maybe_sent), due_at = excluded.due_at, worker = excluded.worker,
      relay = excluded.relay, reply = excluded.reply, at = excluded.at`,
  history_set_state: `UPDATE mutirao.history SET state = $3, due_at = NULL ${THESE}`,
  history_forget_sent: `DELETE FROM mutirao.history ${THESE} AND maybe_sent = 0 AND accepted_twice = 0`,
  history_mark: `UPDATE mutirao.history SET maybe_sent = 1, worker = $3, relay = $4, reply = $5, at = $6 ${THESE}`,
  history_accept_twice: `UPDATE mutirao.history SET accepted_twice = 1 ${THESE}`,
  history_accept_after_all: `UPDATE mutirao.history SET by_decision = 0, reply = NULL ${THESE}`,
  history_cancel_waiting: `UPDATE mutirao.history SET state = 'cancelled', due_at = NULL
    WHERE batch = $1 AND state IN ('pending', 'deferred')`,
  history_retry_failed: `UPDATE mutirao.history SET state = 'pending', attempts = 0, charged = 0
    WHERE batch = $1 AND state = 'failed'`,
  history_fail: `UPDATE mutirao.history SET state = 'failed', due_at = NULL, charged = 0, reply = $3, at = $4 ${THESE}`,
  history_put_back: `UPDATE mutirao.history SET state = 'deferred', due_at = $3, attempts = attempts - charged, charged = 0 ${THESE}`,
  history_put_aside: `UPDATE mutirao.history SET state = 'deferred', due_at = $3 ${THESE}`,
  history_give_up: `UPDATE mutirao.history SET state = $3, due_at = NULL, charged = 0, reply = $4, at = $5 ${THESE}`,
  history_take_for_sent: `UPDATE mutirao.history SET state = 'sent', by_decision = 1, reply = $3, at = $4 ${THESE}`,
  history_retry_unknown: `UPDATE mutirao.history SET state = 'pending', attempts = 0, charged = 0, maybe_sent = 1 ${THESE}`,

  insert_duplicates: `INSERT INTO mutirao.possible_duplicate (batch, task, worker, relay, at, why, seqs)
    SELECT w.batch, w.task, w.worker, w.relay, w.at, w.why, w.seqs
    FROM unnest($1::int8[], $2::text[], $3::text[], $4::text[], $5::float8[], $6::text[], $7::text[]) WITH ORDINALITY
      AS w (batch, task, worker, relay, at, why, seqs, n) ORDER BY w.n`,
  save_suspicions: `INSERT INTO mutirao.suspicion (batch, seq, deaths, among, alone)
    SELECT DISTINCT ON (batch, seq) batch, seq, deaths, among, alone
    FROM unnest($1::int8[], $2::int4[], $3::int4[], $4::int4[], $5::int4[]) WITH ORDINALITY
      AS w (batch, seq, deaths, among, alone, n)
    ORDER BY batch, seq, n DESC
    ON CONFLICT (batch, seq) DO UPDATE
    SET deaths = excluded.deaths, among = excluded.among, alone = excluded.alone`,
  clear_suspicions: 'DELETE FROM mutirao.suspicion WHERE batch = $1 AND seq BETWEEN $2 AND $3',
} as const satisfies Record<string, string>;

export type StatementName = keyof typeof STATEMENTS;

/** One statement of a group; its rows are wanted when `rows` is there. */
export interface Step {
  readonly statement: StatementName;
  readonly values: readonly (string | null)[];
}
