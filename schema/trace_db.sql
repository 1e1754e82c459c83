-- trace.db: the summary of one attempt's trace, for people, the report and SQL rules. Written by one process (the
-- supervisor of the attempt) and made again from the segments whenever it is lost.
--
-- Query the views: their names carry a version and a view of a given version keeps its columns and their meaning
-- (columns may be added).
-- The tables behind them may change with `PRAGMA user_version`.
--
-- A measurement that is NULL is "not a number": SQLite stores NaN as NULL. Infinities are kept. Times are in seconds.
-- A step is one optimiser step, counted from 0 by the training process. When training goes back (a restart from a
-- checkpoint), what came after that step is replaced. `mode` is 0 in training and 1 in evaluation; in the views
-- 'train' and 'eval'.

CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What was recorded. `id` is the order in which series were first seen.
CREATE TABLE series (
  id    INTEGER PRIMARY KEY,
  name  TEXT NOT NULL,
  kind  TEXT NOT NULL,        -- scalar, loss, weight, bias, gradient, activation, update
  dtype TEXT NOT NULL,        -- f32, bf16, ...
  shape TEXT NOT NULL,        -- JSON array; [] for a scalar
  UNIQUE (name, kind)
) STRICT;

-- What could be recorded, recorded or not.
CREATE TABLE available (
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  PRIMARY KEY (name, kind)
) STRICT, WITHOUT ROWID;

-- Changes of what a rank records, made while it trained.
CREATE TABLE requests (
  rank       INTEGER NOT NULL,
  generation INTEGER NOT NULL,  -- of the control file
  step       INTEGER NOT NULL,  -- the first it holds for
  request    TEXT NOT NULL,     -- lines as in PAWL_CAPTURE
  PRIMARY KEY (rank, generation)
) STRICT, WITHOUT ROWID;

-- One row per completed step and rank.
CREATE TABLE steps (
  step    INTEGER NOT NULL,
  rank    INTEGER NOT NULL,
  mode    INTEGER NOT NULL,
  begin_s REAL NOT NULL,      -- monotonic clock of the rank
  end_s   REAL NOT NULL,
  wall_s  REAL NOT NULL,      -- since 1970 UTC, when the last rank completed the step
  PRIMARY KEY (step, rank, mode)
) STRICT, WITHOUT ROWID;

CREATE TABLE scalars (
  series INTEGER NOT NULL,
  step   INTEGER NOT NULL,
  rank   INTEGER NOT NULL,
  mode   INTEGER NOT NULL,
  value  REAL,                -- the last, when a step records several
  PRIMARY KEY (series, step, rank, mode)
) STRICT, WITHOUT ROWID;

-- One row per captured tensor. Minimum, maximum and the sums are over the finite elements.
CREATE TABLE statistics (
  series     INTEGER NOT NULL,
  step       INTEGER NOT NULL,
  rank       INTEGER NOT NULL,
  mode       INTEGER NOT NULL,
  count      INTEGER NOT NULL,
  nan        INTEGER NOT NULL,
  inf        INTEGER NOT NULL,
  zero       INTEGER NOT NULL,
  min        REAL,
  max        REAL,
  sum        REAL,
  abs_sum    REAL,
  square_sum REAL,
  magnitude  BLOB NOT NULL,   -- 16 little-endian 64-bit counts of elements with floor(log2|x|) in [2k-20, 2k-18)
  PRIMARY KEY (series, step, rank, mode)
) STRICT, WITHOUT ROWID;

-- One row per rule that fired: where first, and how often since.
CREATE TABLE findings (
  rule       TEXT PRIMARY KEY,
  severity   TEXT NOT NULL CHECK (severity IN ('fail', 'warn')),
  action     TEXT NOT NULL CHECK (action IN ('fail', 'stop', 'warn')),
  first_step INTEGER NOT NULL,
  last_step  INTEGER NOT NULL,
  count      INTEGER NOT NULL,
  rank       INTEGER NOT NULL,
  tensor     TEXT NOT NULL,   -- name of the series; '' when no tensor is concerned
  kind       TEXT NOT NULL,   -- its kind; '' when no tensor is concerned
  value      REAL,
  threshold  REAL,
  message    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What went wrong with the trace itself, counted: dropped records, damaged bytes, late steps, ...
CREATE TABLE anomalies (
  kind  TEXT NOT NULL,
  rank  INTEGER NOT NULL,     -- -1: of the whole trace
  count INTEGER NOT NULL,
  PRIMARY KEY (kind, rank)
) STRICT, WITHOUT ROWID;

CREATE VIEW v1_series AS SELECT id, name, kind, dtype, shape FROM series;

CREATE VIEW v1_available AS SELECT name, kind FROM available;

CREATE VIEW v1_requests AS SELECT rank, generation, step, request FROM requests;

CREATE VIEW v1_steps AS
  SELECT step, rank, CASE mode WHEN 0 THEN 'train' ELSE 'eval' END AS mode, end_s - begin_s AS seconds, wall_s
  FROM steps;

CREATE VIEW v1_losses AS
  SELECT s.name AS name, v.step AS step, v.rank AS rank, CASE v.mode WHEN 0 THEN 'train' ELSE 'eval' END AS mode,
         v.value AS value
  FROM scalars v JOIN series s ON s.id = v.series WHERE s.kind = 'loss';

CREATE VIEW v1_scalars AS
  SELECT s.name AS name, v.step AS step, v.rank AS rank, CASE v.mode WHEN 0 THEN 'train' ELSE 'eval' END AS mode,
         v.value AS value
  FROM scalars v JOIN series s ON s.id = v.series WHERE s.kind = 'scalar';

CREATE VIEW v1_tensors AS
  SELECT s.name AS name, s.kind AS kind, t.step AS step, t.rank AS rank,
         CASE t.mode WHEN 0 THEN 'train' ELSE 'eval' END AS mode,
         t.count AS count, t.nan AS nan, t.inf AS inf, t.zero AS zero, t.min AS min, t.max AS max,
         max(abs(t.min), abs(t.max)) AS abs_max,
         t.sum / (t.count - t.nan - t.inf) AS mean,
         t.abs_sum / (t.count - t.nan - t.inf) AS abs_mean,
         sqrt(t.square_sum / (t.count - t.nan - t.inf)) AS rms,
         sqrt(t.square_sum) AS l2,
         t.zero * 1.0 / t.count AS zero_share,
         t.magnitude AS magnitude
  FROM statistics t JOIN series s ON s.id = t.series;

CREATE VIEW v1_findings AS
  SELECT rule, severity, action, first_step, last_step, count, rank, tensor, kind, value, threshold, message
  FROM findings;

CREATE VIEW v1_anomalies AS SELECT kind, rank, count FROM anomalies;
