-- The record: what happened, in the order it happened. Times are milliseconds since 1970 UTC. Rows are facts:
-- a finished run, a verdict and a baseline are never changed afterwards.

CREATE TABLE deliveries (
  id           INTEGER PRIMARY KEY,
  project      TEXT NOT NULL,
  delivery_id  TEXT NOT NULL,            -- the forge's: a redelivery carries the same one
  forge        TEXT NOT NULL,
  event        TEXT NOT NULL,
  body         BLOB NOT NULL,            -- the verified raw bytes
  received_ms  INTEGER NOT NULL,
  state        TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'failed')),
  tries        INTEGER NOT NULL DEFAULT 0,
  note         TEXT NOT NULL DEFAULT '', -- what came of it, for a person
  UNIQUE (project, delivery_id)
) STRICT;
CREATE INDEX deliveries_pending ON deliveries (id) WHERE state = 'pending';

CREATE TABLE runs (
  number       INTEGER PRIMARY KEY,      -- 1, 2, 3, ...: what people type
  id           TEXT NOT NULL UNIQUE,     -- ULID: what files and links use
  project      TEXT NOT NULL,
  event_key    TEXT NOT NULL UNIQUE,     -- the same event never makes two runs
  trigger      TEXT NOT NULL CHECK (trigger IN ('push', 'pull_request', 'data', 'schedule', 'manual', 'rerun')),
  trigger_note TEXT NOT NULL DEFAULT '',
  branch       TEXT NOT NULL,
  target       TEXT NOT NULL,            -- the branch whose last green run is the baseline
  commit_sha   TEXT NOT NULL,
  subject      TEXT NOT NULL DEFAULT '', -- first line of the commit message
  author       TEXT NOT NULL DEFAULT '',
  state        TEXT NOT NULL DEFAULT 'queued'
               CHECK (state IN ('queued', 'preparing', 'running', 'judging', 'finished')),
  cancel       TEXT NOT NULL DEFAULT '', -- who asked to cancel and why; empty: nobody
  plan         TEXT NOT NULL DEFAULT '', -- the resolved pipeline as JSON
  verdict      TEXT CHECK (verdict IN ('PASS', 'FAIL', 'INCONCLUSIVE', 'ERROR', 'NO_BASELINE', 'CANCELLED')),
  headline     TEXT NOT NULL DEFAULT '', -- the verdict in one sentence
  exit_code    INTEGER,
  created_ms   INTEGER NOT NULL,
  started_ms   INTEGER,
  finished_ms  INTEGER,
  CHECK ((state = 'finished') = (verdict IS NOT NULL))
) STRICT;
CREATE INDEX runs_open ON runs (number) WHERE state <> 'finished';
CREATE INDEX runs_branch ON runs (project, branch, number);

CREATE TABLE data_versions (
  project   TEXT NOT NULL,
  dataset   TEXT NOT NULL,
  digest    TEXT NOT NULL,               -- "sha256:<hex>" of the manifest
  path      TEXT NOT NULL,
  files     INTEGER NOT NULL,
  bytes     INTEGER NOT NULL,
  seen_ms   INTEGER NOT NULL,
  manifest  TEXT NOT NULL,               -- one line a file: "<sha256> <size> <relative path>"
  PRIMARY KEY (project, dataset, digest)
) STRICT;

CREATE TABLE run_data (
  run_id  TEXT NOT NULL REFERENCES runs (id),
  dataset TEXT NOT NULL,
  digest  TEXT NOT NULL,
  path    TEXT NOT NULL,
  PRIMARY KEY (run_id, dataset)
) STRICT;

CREATE TABLE stages (
  run_id   TEXT NOT NULL REFERENCES runs (id),
  name     TEXT NOT NULL,
  position INTEGER NOT NULL,
  state    TEXT NOT NULL DEFAULT 'waiting'
           CHECK (state IN ('waiting', 'running', 'succeeded', 'failed', 'skipped', 'cancelled')),
  PRIMARY KEY (run_id, name)
) STRICT;

CREATE TABLE attempts (
  run_id      TEXT NOT NULL REFERENCES runs (id),
  stage       TEXT NOT NULL,
  number      INTEGER NOT NULL,          -- 1, 2, ...
  fence       INTEGER NOT NULL,          -- grows with every start; a supervisor with an older one leaves
  state       TEXT NOT NULL CHECK (state IN ('starting', 'running', 'finished')),
  cpus        INTEGER NOT NULL,
  gpus        TEXT NOT NULL DEFAULT '[]', -- UUIDs this attempt holds, as a JSON array
  outcome     TEXT,
  reason      TEXT NOT NULL DEFAULT '',
  steps       INTEGER,
  steps_per_s REAL,
  last_loss   REAL,
  started_ms  INTEGER NOT NULL,
  finished_ms INTEGER,
  result      TEXT NOT NULL DEFAULT '',  -- result.json of the supervisor
  PRIMARY KEY (run_id, stage, number)
) STRICT;

CREATE TABLE metrics (
  run_id TEXT NOT NULL REFERENCES runs (id),
  stage  TEXT NOT NULL,
  name   TEXT NOT NULL,
  value  TEXT NOT NULL,                  -- shortest decimal that reads back the same double, or NaN, Infinity
  unit   TEXT NOT NULL DEFAULT '',
  n      INTEGER,
  PRIMARY KEY (run_id, stage, name)
) STRICT;
CREATE INDEX metrics_name ON metrics (name, run_id);

CREATE TABLE artifacts (
  run_id TEXT NOT NULL REFERENCES runs (id),
  stage  TEXT NOT NULL,
  path   TEXT NOT NULL,                  -- relative to the stage's out/
  digest TEXT NOT NULL,                  -- key in cas/
  bytes  INTEGER NOT NULL,
  PRIMARY KEY (run_id, stage, path)
) STRICT;

CREATE TABLE trace_summaries (
  run_id     TEXT NOT NULL REFERENCES runs (id),
  stage      TEXT NOT NULL,
  attempt    INTEGER NOT NULL,
  ranks      INTEGER NOT NULL,
  series     INTEGER NOT NULL,
  first_step INTEGER NOT NULL,
  last_step  INTEGER NOT NULL,
  rows       INTEGER NOT NULL,           -- scalars and statistics recorded
  anomalies  INTEGER NOT NULL,           -- damaged or dropped records, counted
  PRIMARY KEY (run_id, stage, attempt)
) STRICT;

CREATE TABLE curves (
  run_id TEXT NOT NULL REFERENCES runs (id),
  stage  TEXT NOT NULL,
  name   TEXT NOT NULL,                  -- "loss", "steps_per_s"
  points TEXT NOT NULL,                  -- JSON [[step, value], ...], down-sampled
  PRIMARY KEY (run_id, stage, name)
) STRICT;

CREATE TABLE findings (
  id         INTEGER PRIMARY KEY,
  run_id     TEXT NOT NULL REFERENCES runs (id),
  stage      TEXT NOT NULL,
  attempt    INTEGER NOT NULL,
  rule       TEXT NOT NULL,
  severity   TEXT NOT NULL CHECK (severity IN ('fail', 'warn')),
  action     TEXT NOT NULL CHECK (action IN ('fail', 'stop', 'warn')),
  first_step INTEGER NOT NULL,
  last_step  INTEGER NOT NULL,
  count      INTEGER NOT NULL,
  rank       INTEGER NOT NULL,
  tensor     TEXT NOT NULL,
  value      TEXT NOT NULL,
  limit_value TEXT NOT NULL,
  message    TEXT NOT NULL
) STRICT;
CREATE INDEX findings_run ON findings (run_id);

CREATE TABLE verdicts (
  run_id       TEXT PRIMARY KEY REFERENCES runs (id),
  kind         TEXT NOT NULL,
  headline     TEXT NOT NULL,
  baseline_run TEXT,                     -- the run it was compared with
  body         TEXT NOT NULL,            -- the whole verdict as JSON
  created_ms   INTEGER NOT NULL
) STRICT;

CREATE TABLE verdict_reasons (
  run_id   TEXT NOT NULL REFERENCES verdicts (run_id),
  position INTEGER NOT NULL,
  metric   TEXT NOT NULL,
  rule     TEXT NOT NULL,
  status   TEXT NOT NULL,
  sentence TEXT NOT NULL,
  PRIMARY KEY (run_id, position)
) STRICT;

-- Append-only. The baseline of a branch is its newest row.
CREATE TABLE baselines (
  id         INTEGER PRIMARY KEY,
  project    TEXT NOT NULL,
  branch     TEXT NOT NULL,
  run_id     TEXT NOT NULL REFERENCES runs (id),
  cause      TEXT NOT NULL CHECK (cause IN ('green', 'bootstrap', 'pin')),
  who        TEXT NOT NULL,
  why        TEXT NOT NULL,
  created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX baselines_branch ON baselines (project, branch, id);

-- One row per (sha, context): a newer state replaces an older one that has not left yet.
CREATE TABLE outbox (
  id          INTEGER PRIMARY KEY,
  project     TEXT NOT NULL,
  commit_sha  TEXT NOT NULL,
  context     TEXT NOT NULL,
  run_id      TEXT NOT NULL,
  state       TEXT NOT NULL CHECK (state IN ('pending', 'success', 'failure', 'error')),
  description TEXT NOT NULL,
  version     INTEGER NOT NULL,          -- grows with every change of the row
  sent        INTEGER NOT NULL DEFAULT 0, -- the version that has left
  tries       INTEGER NOT NULL DEFAULT 0,
  next_ms     INTEGER NOT NULL,
  last_error  TEXT NOT NULL DEFAULT '',
  UNIQUE (project, commit_sha, context)
) STRICT;
CREATE INDEX outbox_due ON outbox (next_ms) WHERE sent < version;

-- What the reconciler last saw, so that a lost webhook is found by comparison.
CREATE TABLE branch_heads (
  project    TEXT NOT NULL,
  branch     TEXT NOT NULL,
  commit_sha TEXT NOT NULL,
  seen_ms    INTEGER NOT NULL,
  PRIMARY KEY (project, branch)
) STRICT;
