/**
 * The file, as numbered steps: the step at position n takes a file from `user_version` n to n + 1. A step that was
 * released is never changed; a new one is added behind it.
 *
 * The mass of a batch is kept as spans, so that claiming, settling and counting cost the same at the end of ten million
 * recipients as at the start. Every recipient is in exactly one of these places:
 *
 * - a `pending` span: fresh, never tried (or handed back untouched);
 * - a `cancelled` span: it was fresh when the batch was cancelled;
 * - the `fresh` ranges of one live task: it is leased;
 * - a `settled` span: its state is that of its row in `history`; without such a row it is sent.
 *
 * So only what did not go smoothly has a row of its own, and only settled recipients can have one. A live task lists the
 * recipients that it leased out of `history` as `again`, and those rows say `leased`.
 *
 * Times are ms since the epoch; REAL, because nobody promises whole ones.
 */
export const MIGRATIONS: readonly string[] = [
  `
  -- OPEN: being submitted. DROPPED: given up, its rows are being removed. Both are invisible.
  CREATE TABLE batch (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    key TEXT,
    fingerprint TEXT,
    name TEXT,
    state TEXT NOT NULL CHECK (state IN ('OPEN', 'DROPPED', 'RUNNING', 'PAUSED', 'CANCELLED', 'FINISHED')),
    total INTEGER NOT NULL DEFAULT 0,
    pending INTEGER NOT NULL DEFAULT 0,
    leased INTEGER NOT NULL DEFAULT 0,
    deferred INTEGER NOT NULL DEFAULT 0,
    sent INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    unknown INTEGER NOT NULL DEFAULT 0,
    suppressed INTEGER NOT NULL DEFAULT 0,
    cancelled INTEGER NOT NULL DEFAULT 0,
    rejected INTEGER NOT NULL DEFAULT 0,
    duplicates INTEGER NOT NULL DEFAULT 0,
    maybe_sent INTEGER NOT NULL DEFAULT 0,
    second_reports INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL,
    finished_at REAL
  ) STRICT;

  CREATE UNIQUE INDEX batch_key ON batch (key)
    WHERE key IS NOT NULL AND state NOT IN ('OPEN', 'DROPPED');
  CREATE INDEX batch_unfinished ON batch (id) WHERE finished_at IS NULL;

  -- Apart from the counters: SQLite writes whole rows, and a message may have megabytes.
  -- The attachments come last, so that who needs only the message does not read them.
  CREATE TABLE content (
    batch INTEGER PRIMARY KEY,
    options TEXT NOT NULL,
    message TEXT,
    attachments TEXT
  ) STRICT;

  CREATE TABLE recipient (
    batch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    address TEXT NOT NULL,
    name TEXT,
    variables TEXT,
    PRIMARY KEY (batch, seq)
  ) WITHOUT ROWID, STRICT;

  CREATE TABLE span (
    batch INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'settled', 'cancelled')),
    from_seq INTEGER NOT NULL,
    to_seq INTEGER NOT NULL,
    PRIMARY KEY (batch, state, from_seq)
  ) WITHOUT ROWID, STRICT;

  CREATE TABLE history (
    batch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    state TEXT NOT NULL
      CHECK (state IN ('pending', 'leased', 'deferred', 'sent', 'failed', 'unknown', 'cancelled')),
    attempts INTEGER NOT NULL DEFAULT 0,
    -- Whether the last attempt was counted in attempts.
    charged INTEGER NOT NULL DEFAULT 0,
    due_at REAL,
    maybe_sent INTEGER NOT NULL DEFAULT 0,
    accepted_twice INTEGER NOT NULL DEFAULT 0,
    relay TEXT,
    reply TEXT,
    at REAL,
    PRIMARY KEY (batch, seq)
  ) WITHOUT ROWID, STRICT;

  CREATE INDEX history_state ON history (batch, state, seq);
  CREATE INDEX history_due ON history (batch, due_at) WHERE state = 'deferred';
  CREATE INDEX history_maybe_sent ON history (batch, seq) WHERE maybe_sent = 1;

  -- again, fresh: what is leased, in the task's order. gone: what it had and has not reported as sent.
  CREATE TABLE task (
    uuid TEXT NOT NULL PRIMARY KEY,
    batch INTEGER NOT NULL,
    worker TEXT NOT NULL,
    relay TEXT NOT NULL,
    claimed_at REAL NOT NULL,
    live INTEGER NOT NULL,
    again TEXT NOT NULL,
    fresh TEXT NOT NULL,
    gone TEXT NOT NULL
  ) WITHOUT ROWID, STRICT;

  CREATE INDEX task_batch ON task (batch);
  CREATE INDEX task_live ON task (batch) WHERE live = 1;

  CREATE TABLE loan (
    loan TEXT NOT NULL PRIMARY KEY,
    worker TEXT NOT NULL,
    borrower TEXT NOT NULL,
    borrower_url TEXT NOT NULL,
    lent_at REAL NOT NULL,
    lend_until REAL NOT NULL
  ) WITHOUT ROWID, STRICT;

  CREATE TABLE loan_total (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    made INTEGER NOT NULL,
    returned INTEGER NOT NULL,
    lost INTEGER NOT NULL
  ) STRICT;
  INSERT INTO loan_total VALUES (1, 0, 0, 0);
  `,
  `
  -- The last run of a server on this file, to notice a copy (see server/instance).
  CREATE TABLE instance (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    epoch INTEGER NOT NULL,
    host TEXT,
    place TEXT NOT NULL,
    path TEXT NOT NULL,
    alive_at REAL NOT NULL
  ) STRICT;
  `,
  `
  ALTER TABLE history ADD COLUMN worker TEXT;
  -- It is sent because someone said so.
  ALTER TABLE history ADD COLUMN by_decision INTEGER NOT NULL DEFAULT 0;

  -- One row for each event after which mails may arrive twice.
  CREATE TABLE possible_duplicate (
    id INTEGER PRIMARY KEY,
    batch INTEGER NOT NULL,
    task TEXT,
    worker TEXT,
    relay TEXT,
    at REAL NOT NULL,
    why TEXT NOT NULL,
    seqs TEXT NOT NULL
  ) STRICT;
  CREATE INDEX possible_duplicate_batch ON possible_duplicate (batch, id);

  -- Recipients that workers died on (see server/dispatch/poison.ts). Set aside are those deferred until the end of time.
  CREATE TABLE suspicion (
    batch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    deaths INTEGER NOT NULL,
    among INTEGER NOT NULL,
    alone INTEGER NOT NULL,
    PRIMARY KEY (batch, seq)
  ) WITHOUT ROWID, STRICT;
  `,
];
