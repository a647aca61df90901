const BATCH = `b.id, b.uuid, b.key, b.name, b.state, b.owner, b.owner_epoch, b.total, b.pending, b.leased, b.deferred, b.sent,
  b.failed, b.unknown, b.suppressed, b.cancelled, b.rejected, b.duplicates, b.maybe_sent, b.second_reports, b.created_at,
  b.finished_at, c.options`;
const BATCHES = `SELECT ${BATCH} FROM mutirao.batch b JOIN mutirao.content c ON c.batch = b.id`;
const TASKS = 'SELECT uuid, batch, worker, relay, claimed_at, again, fresh, gone FROM mutirao.task';

/** Rows of `history` in ranges; $1 to $3 are batch, from and to of each. */
const IN_RANGES = `FROM unnest($1::int8[], $2::int4[], $3::int4[]) AS w (batch, f, t)
  WHERE h.batch = w.batch AND h.seq BETWEEN w.f AND w.t`;

const CLAIMED = `SELECT h.seq, r.address, r.name, r.variables, h.attempts, h.maybe_sent
  FROM mutirao.history h JOIN mutirao.recipient r ON r.batch = h.batch AND r.seq = h.seq`;

/**
 * Every statement of the connection that writes, prepared when it is made. Those that change rows take arrays, one element for
 * each row or range, so that a group of operations is a handful of statements.
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
  history_pending: `${CLAIMED} WHERE h.batch = $1 AND h.state = 'pending' ORDER BY h.seq LIMIT $2`,
  history_aside: `${CLAIMED} JOIN unnest($2::int4[], $3::int4[]) AS w (f, t) ON h.seq BETWEEN w.f AND w.t
    WHERE h.batch = $1 AND h.state = 'deferred' AND h.due_at = $4 ORDER BY h.seq`,
  history_within: `SELECT seq, state, maybe_sent, accepted_twice, by_decision
    FROM mutirao.history WHERE batch = $1 AND seq BETWEEN $2 AND $3 ORDER BY seq`,
  history_waiting: 'SELECT seq FROM mutirao.history WHERE batch = $1 AND state = $2 ORDER BY seq LIMIT $3',
  history_due: `SELECT seq, due_at FROM mutirao.history
    WHERE batch = $1 AND state = 'deferred' AND due_at <= $2 ORDER BY due_at, seq LIMIT $3`,
  history_next_due: `SELECT w.batch, (
      SELECT h.due_at FROM mutirao.history h
      WHERE h.batch = w.batch AND h.state = 'deferred' AND h.due_at > $2 AND h.due_at < $3 ORDER BY h.due_at LIMIT 1)
    FROM unnest($1::int8[]) AS w (batch)`,
  history_unknown: `SELECT h.seq, h.maybe_sent FROM mutirao.history h
    JOIN unnest($2::int4[], $3::int4[]) AS w (f, t) ON h.seq BETWEEN w.f AND w.t
    WHERE h.batch = $1 AND h.state = 'unknown' ORDER BY h.seq`,
  recipients: `SELECT r.seq, r.address, r.name, r.variables
    FROM unnest($2::int4[], $3::int4[]) WITH ORDINALITY AS w (f, t, n)
    JOIN mutirao.recipient r ON r.batch = $1 AND r.seq BETWEEN w.f AND w.t ORDER BY w.n, r.seq`,

  // Changes.
  insert_batches: `INSERT INTO mutirao.batch (id, uuid, owner, owner_epoch, key, name, state, created_at)
    SELECT id, uuid, $7, 1, key, name, state, created_at
    FROM unnest($1::int8[], $2::text[], $3::text[], $4::text[], $5::text[], $6::float8[])
      AS w (id, uuid, key, name, state, created_at)`,
  update_batches: `UPDATE mutirao.batch b
    SET state = w.state, total = w.total, pending = w.pending, leased = w.leased, deferred = w.deferred, sent = w.sent,
      failed = w.failed, unknown = w.unknown, suppressed = w.suppressed, cancelled = w.cancelled, rejected = w.rejected,
      duplicates = w.duplicates, maybe_sent = w.maybe_sent, second_reports = w.second_reports, finished_at = w.finished_at
    FROM unnest($1::int8[], $2::text[], $3::int4[], $4::int4[], $5::int4[], $6::int4[], $7::int4[], $8::int4[], $9::int4[],
      $10::int4[], $11::int4[], $12::int4[], $13::int4[], $14::int4[], $15::int4[], $16::float8[])
      AS w (id, state, total, pending, leased, deferred, sent, failed, unknown, suppressed, cancelled, rejected, duplicates,
        maybe_sent, second_reports, finished_at)
    WHERE b.id = w.id`,
  set_fingerprint: 'UPDATE mutirao.batch SET fingerprint = $2 WHERE id = $1',
  delete_batch: 'DELETE FROM mutirao.batch WHERE id = $1',
  insert_content: 'INSERT INTO mutirao.content (batch, options) VALUES ($1, $2)',
  set_message: 'UPDATE mutirao.content SET message = $2, attachments = $3 WHERE batch = $1',
  delete_content: 'DELETE FROM mutirao.content WHERE batch = $1',
  insert_recipients: `INSERT INTO mutirao.recipient (batch, seq, address, name, variables)
    SELECT $1, $2::int4 + w.n - 1, w.address, w.name, w.variables
    FROM unnest($3::text[], $4::text[], $5::text[]) WITH ORDINALITY AS w (address, name, variables, n)`,
  delete_recipients: 'DELETE FROM mutirao.recipient WHERE batch = $1 AND seq < $2',
  delete_spans: `DELETE FROM mutirao.span s USING unnest($1::int8[], $2::text[], $3::int4[]) AS w (batch, state, f)
    WHERE s.batch = w.batch AND s.state = w.state AND s.from_seq = w.f`,
  set_spans: `INSERT INTO mutirao.span (batch, state, from_seq, to_seq)
    SELECT * FROM unnest($1::int8[], $2::text[], $3::int4[], $4::int4[])
    ON CONFLICT (batch, state, from_seq) DO UPDATE SET to_seq = excluded.to_seq`,
  set_tasks: `INSERT INTO mutirao.task (uuid, batch, worker, relay, claimed_at, live, again, fresh, gone)
    SELECT * FROM unnest($1::text[], $2::int8[], $3::text[], $4::text[], $5::float8[], $6::int2[], $7::text[], $8::text[], $9::text[])
    ON CONFLICT (uuid) DO UPDATE
    SET live = excluded.live, again = excluded.again, fresh = excluded.fresh, gone = excluded.gone`,

  history_insert: `INSERT INTO mutirao.history
      (batch, seq, state, attempts, charged, maybe_sent, accepted_twice, due_at, worker, relay, reply, at)
    SELECT * FROM unnest($1::int8[], $2::int4[], $3::text[], $4::int4[], $5::int2[], $6::int2[], $7::int2[], $8::float8[],
      $9::text[], $10::text[], $11::text[], $12::float8[])`,
  history_record: `UPDATE mutirao.history h
    SET state = w.state, attempts = h.attempts + w.charged, charged = w.charged, maybe_sent = greatest(h.maybe_sent, w.maybe_sent),
      due_at = w.due_at, worker = w.worker, relay = w.relay, reply = w.reply, at = w.at
    FROM unnest($1::int8[], $2::int4[], $3::text[], $4::int2[], $5::int2[], $6::float8[], $7::text[], $8::text[], $9::text[], $10::float8[])
      AS w (batch, seq, state, charged, maybe_sent, due_at, worker, relay, reply, at)
    WHERE h.batch = w.batch AND h.seq = w.seq`,
  history_set_state: `UPDATE mutirao.history h SET state = w.state, due_at = NULL
    FROM unnest($1::int8[], $2::int4[], $3::int4[], $4::text[]) AS w (batch, f, t, state)
    WHERE h.batch = w.batch AND h.seq BETWEEN w.f AND w.t`,
  history_forget_sent: `DELETE FROM mutirao.history h
    USING unnest($1::int8[], $2::int4[], $3::int4[]) AS w (batch, f, t)
    WHERE h.batch = w.batch AND h.seq BETWEEN w.f AND w.t AND h.maybe_sent = 0 AND h.accepted_twice = 0`,
  history_mark: `UPDATE mutirao.history h SET maybe_sent = 1, worker = w.worker, relay = w.relay, reply = w.reply, at = w.at
    FROM unnest($1::int8[], $2::int4[], $3::int4[], $4::text[], $5::text[], $6::text[], $7::float8[])
      AS w (batch, f, t, worker, relay, reply, at)
    WHERE h.batch = w.batch AND h.seq BETWEEN w.f AND w.t`,
  history_accept_twice: `UPDATE mutirao.history h SET accepted_twice = 1 ${IN_RANGES}`,
  history_accept_after_all: `UPDATE mutirao.history h SET by_decision = 0, reply = NULL ${IN_RANGES}`,
  history_cancel_waiting: `UPDATE mutirao.history h SET state = 'cancelled', due_at = NULL
    WHERE h.batch = $1 AND h.state IN ('pending', 'deferred')`,
  history_retry_failed: `UPDATE mutirao.history h SET state = 'pending', attempts = 0, charged = 0
    WHERE h.batch = $1 AND h.state = 'failed'`,
  history_fail: `UPDATE mutirao.history h SET state = 'failed', due_at = NULL, charged = 0, reply = w.reply, at = w.at
    FROM unnest($1::int8[], $2::int4[], $3::int4[], $4::text[], $5::float8[]) AS w (batch, f, t, reply, at)
    WHERE h.batch = w.batch AND h.seq BETWEEN w.f AND w.t`,
  history_put_back: `UPDATE mutirao.history h
    SET state = 'deferred', due_at = w.due_at, attempts = h.attempts - h.charged, charged = 0
    FROM unnest($1::int8[], $2::int4[], $3::int4[], $4::float8[]) AS w (batch, f, t, due_at)
    WHERE h.batch = w.batch AND h.seq BETWEEN w.f AND w.t`,
  history_put_aside: `UPDATE mutirao.history h SET state = 'deferred', due_at = w.due_at
    FROM unnest($1::int8[], $2::int4[], $3::float8[]) AS w (batch, seq, due_at)
    WHERE h.batch = w.batch AND h.seq = w.seq`,
  history_give_up: `UPDATE mutirao.history h SET state = w.state, due_at = NULL, charged = 0, reply = w.reply, at = w.at
    FROM unnest($1::int8[], $2::int4[], $3::text[], $4::text[], $5::float8[]) AS w (batch, seq, state, reply, at)
    WHERE h.batch = w.batch AND h.seq = w.seq`,
  history_take_for_sent: `UPDATE mutirao.history h SET state = 'sent', by_decision = 1, reply = w.reply, at = w.at
    FROM unnest($1::int8[], $2::int4[], $3::int4[], $4::text[], $5::float8[]) AS w (batch, f, t, reply, at)
    WHERE h.batch = w.batch AND h.seq BETWEEN w.f AND w.t`,
  history_retry_unknown: `UPDATE mutirao.history h SET state = 'pending', attempts = 0, charged = 0, maybe_sent = 1 ${IN_RANGES}`,

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
  clear_suspicions: `DELETE FROM mutirao.suspicion s USING unnest($1::int8[], $2::int4[], $3::int4[]) AS w (batch, f, t)
    WHERE s.batch = w.batch AND s.seq BETWEEN w.f AND w.t`,
} as const satisfies Record<string, string>;

export type StatementName = keyof typeof STATEMENTS;

/** One statement of a group; its rows are wanted when `rows` is there. */
export interface Step {
  readonly statement: StatementName;
  readonly values: readonly (string | null)[];
}
