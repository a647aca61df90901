/**
 * The database, as numbered steps: the step at position n takes a database from version n to n + 1. A step that was released
 * is never changed; a new one is added behind it.
 *
 * A batch is kept as in the SQLite store: spans for the mass, rows in `history` for the exceptions (the rules are in
 * sqlite/schema.ts). What is more: servers, who owns which batch, and requests from one server to another.
 *
 * What changes with every commit has room on its pages (fillfactor), so that no index is touched, and is vacuumed early.
 * Times of batches are ms since the epoch by the servers' clocks; leases of servers are told by the clock of the database.
 */
export const MIGRATIONS: readonly string[] = [
  `
  -- incarnation: raised by every start under this name. session: raised by every connection that writes. group_no: the last
  -- group of writes that was committed. Whoever writes shows all three (see the function fence).
  CREATE TABLE mutirao.server (
    uuid text PRIMARY KEY,
    url text NOT NULL,
    incarnation int8 NOT NULL,
    session int8 NOT NULL,
    group_no int8 NOT NULL,
    lease_until timestamptz NOT NULL
  ) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

  CREATE SEQUENCE mutirao.batch_id;

  -- OPEN: being submitted. DROPPED: given up, its rows are being removed. Both are invisible.
  CREATE TABLE mutirao.batch (
    id int8 PRIMARY KEY,
    uuid text NOT NULL UNIQUE,
    owner text NOT NULL,
    -- Raised whenever another server, or another run of the same one, takes the batch up.
    owner_epoch int8 NOT NULL,
    -- The act of adoption that made it the owner's.
    adoption text,
    key text,
    fingerprint text,
    name text,
    state text NOT NULL CHECK (state IN ('OPEN', 'DROPPED', 'RUNNING', 'PAUSED', 'CANCELLED', 'FINISHED')),
    total int4 NOT NULL DEFAULT 0,
    pending int4 NOT NULL DEFAULT 0,
    leased int4 NOT NULL DEFAULT 0,
    deferred int4 NOT NULL DEFAULT 0,
    sent int4 NOT NULL DEFAULT 0,
    failed int4 NOT NULL DEFAULT 0,
    unknown int4 NOT NULL DEFAULT 0,
    suppressed int4 NOT NULL DEFAULT 0,
    cancelled int4 NOT NULL DEFAULT 0,
    rejected int4 NOT NULL DEFAULT 0,
    duplicates int4 NOT NULL DEFAULT 0,
    maybe_sent int4 NOT NULL DEFAULT 0,
    second_reports int4 NOT NULL DEFAULT 0,
    created_at float8 NOT NULL,
    finished_at float8
  ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

  CREATE UNIQUE INDEX batch_key ON mutirao.batch (key) WHERE key IS NOT NULL AND state NOT IN ('OPEN', 'DROPPED');
  CREATE INDEX batch_unfinished ON mutirao.batch (owner, id) WHERE finished_at IS NULL;

  CREATE TABLE mutirao.content (
    batch int8 PRIMARY KEY,
    options text NOT NULL,
    message text,
    attachments text
  );

  CREATE TABLE mutirao.recipient (
    batch int8 NOT NULL,
    seq int4 NOT NULL,
    address text NOT NULL,
    name text,
    variables text,
    PRIMARY KEY (batch, seq)
  );

  CREATE TABLE mutirao.span (
    batch int8 NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'settled', 'cancelled')),
    from_seq int4 NOT NULL,
    to_seq int4 NOT NULL,
    PRIMARY KEY (batch, state, from_seq)
  ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

  CREATE TABLE mutirao.history (
    batch int8 NOT NULL,
    seq int4 NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'leased', 'deferred', 'sent', 'failed', 'unknown', 'cancelled')),
    attempts int4 NOT NULL DEFAULT 0,
    -- Whether the last attempt was counted in attempts. This and the next three are 0 or 1.
    charged int2 NOT NULL DEFAULT 0,
    maybe_sent int2 NOT NULL DEFAULT 0,
    accepted_twice int2 NOT NULL DEFAULT 0,
    by_decision int2 NOT NULL DEFAULT 0,
    due_at float8,
    worker text,
    relay text,
    reply text,
    at float8,
    PRIMARY KEY (batch, seq)
  ) WITH (fillfactor = 80);

  CREATE INDEX history_state ON mutirao.history (batch, state, seq);
  CREATE INDEX history_due ON mutirao.history (batch, due_at, seq) WHERE state = 'deferred';
  CREATE INDEX history_maybe_sent ON mutirao.history (batch, seq) WHERE maybe_sent = 1;

  CREATE TABLE mutirao.task (
    uuid text PRIMARY KEY,
    batch int8 NOT NULL,
    worker text NOT NULL,
    relay text NOT NULL,
    claimed_at float8 NOT NULL,
    live int2 NOT NULL,
    again text NOT NULL,
    fresh text NOT NULL,
    gone text NOT NULL
  ) WITH (fillfactor = 50);

  CREATE INDEX task_batch ON mutirao.task (batch);
  CREATE INDEX task_live ON mutirao.task (batch) WHERE live = 1;

  CREATE TABLE mutirao.possible_duplicate (
    id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch int8 NOT NULL,
    task text,
    worker text,
    relay text,
    at float8 NOT NULL,
    why text NOT NULL,
    seqs text NOT NULL
  );
  CREATE INDEX possible_duplicate_batch ON mutirao.possible_duplicate (batch, id);

  CREATE TABLE mutirao.suspicion (
    batch int8 NOT NULL,
    seq int4 NOT NULL,
    deaths int4 NOT NULL,
    among int4 NOT NULL,
    alone int4 NOT NULL,
    PRIMARY KEY (batch, seq)
  );

  CREATE TABLE mutirao.loan (
    loan text PRIMARY KEY,
    server text NOT NULL,
    worker text NOT NULL,
    borrower text NOT NULL,
    borrower_url text NOT NULL,
    lent_at float8 NOT NULL,
    lend_until float8 NOT NULL
  );
  CREATE INDEX loan_server ON mutirao.loan (server);

  CREATE TABLE mutirao.loan_total (
    server text PRIMARY KEY,
    made int8 NOT NULL,
    returned int8 NOT NULL,
    lost int8 NOT NULL
  );

  -- The last run of a server on this database, to notice a copy (see server/instance).
  CREATE TABLE mutirao.instance (
    only_one int2 PRIMARY KEY CHECK (only_one = 1),
    epoch int8 NOT NULL,
    host text,
    place text NOT NULL,
    path text NOT NULL,
    alive_at float8 NOT NULL
  );

  -- What one server asks of the owner of a batch. taken_by: the run of a server that was given it.
  CREATE TABLE mutirao.request (
    id text PRIMARY KEY,
    batch text NOT NULL,
    body text NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    taken_by text,
    answer text
  );
  CREATE INDEX request_open ON mutirao.request (batch) WHERE answer IS NULL;

  -- The first statement of every group of writes: it fails unless this run of this server, over its newest connection, still
  -- owns these batches, and keeps them from being adopted until the group is committed.
  CREATE FUNCTION mutirao.fence(
    me text, my_incarnation int8, my_session int8, my_group int8, batches int8[], epochs int8[]
  ) RETURNS void LANGUAGE plpgsql AS $$
  DECLARE
    lost int8[];
  BEGIN
    UPDATE mutirao.server SET group_no = my_group
    WHERE uuid = me AND incarnation = my_incarnation AND session = my_session;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'server % was taken over', me USING ERRCODE = 'MU001';
    END IF;
    PERFORM FROM mutirao.batch WHERE id = ANY (batches) ORDER BY id FOR NO KEY UPDATE;
    SELECT array_agg(held.id) INTO lost
    FROM unnest(batches, epochs) AS held (id, epoch)
    WHERE NOT EXISTS (
      SELECT FROM mutirao.batch b WHERE b.id = held.id AND b.owner = me AND b.owner_epoch = held.epoch
    );
    IF lost IS NOT NULL THEN
      RAISE EXCEPTION 'batches were adopted' USING ERRCODE = 'MU002', DETAIL = array_to_string(lost, ',');
    END IF;
  END
  $$;
  `,
];
