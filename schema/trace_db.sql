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
--
-- What ranks record comes step by step, so all of it is keyed by step first: rows are added at the end of their table,
-- and there is no index to keep. One series is read through `buckets`, or with a look-up for each row of `steps`.

CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What was recorded. `id` is the order in which series were first seen.
CREATE TABLE series (
  id    INTEGER PRIMARY KEY,
  name  TEXT NOT NULL,
  kind  TEXT NOT NULL,        -- scalar, loss, weight, gradient, span, ...
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
  rank         INTEGER NOT NULL,
  generation   INTEGER NOT NULL,  -- of the control file
  own_decision INTEGER NOT NULL,  -- 1: of the hook, to stay within its budget; 0: somebody asked for it
  step         INTEGER NOT NULL,  -- the first it holds for
  request      TEXT NOT NULL,     -- lines as in PAWL_CAPTURE
  PRIMARY KEY (rank, generation, own_decision, step)
) STRICT, WITHOUT ROWID;

-- One row per step and rank. The times are NULL where the rank began the step and never completed it.
CREATE TABLE steps (
  step    INTEGER NOT NULL,
  rank    INTEGER NOT NULL,
  mode    INTEGER NOT NULL,
  begin_s REAL,               -- monotonic clock of the rank
  end_s   REAL,
  wall_s  REAL,               -- since 1970 UTC, when the last rank completed the step
  PRIMARY KEY (step, rank, mode)
) STRICT, WITHOUT ROWID;

CREATE TABLE scalars (
  step   INTEGER NOT NULL,
  rank   INTEGER NOT NULL,
  series INTEGER NOT NULL,
  mode   INTEGER NOT NULL,
  value  REAL,                -- the last, when a step records several
  PRIMARY KEY (step, rank, series, mode)
) STRICT, WITHOUT ROWID;

-- One row per captured tensor. Minimum, maximum and the sums are over the finite elements.
CREATE TABLE statistics (
  step       INTEGER NOT NULL,
  rank       INTEGER NOT NULL,
  series     INTEGER NOT NULL,
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
  -- Of the 16 counts of elements with floor(log2|x|) in [2k-20, 2k-18) only those from the first to the last that is not
  -- 0, little-endian, each in as few bytes as the greatest needs: 8 * first + bytes - 1, then the counts.
  magnitude_at INTEGER NOT NULL,
  magnitude    BLOB NOT NULL,
  PRIMARY KEY (step, rank, series, mode)
) STRICT, WITHOUT ROWID;

-- The elements of a tensor: a safetensors document with one tensor, "value", as a zlib stream.
CREATE TABLE raw_tensors (
  step   INTEGER NOT NULL,
  rank   INTEGER NOT NULL,
  series INTEGER NOT NULL,
  mode   INTEGER NOT NULL,
  bytes  INTEGER NOT NULL,    -- of the document
  data   BLOB NOT NULL,
  PRIMARY KEY (step, rank, series, mode)
) STRICT, WITHOUT ROWID;

-- Where a step spent its time, on the clock of `steps`.
CREATE TABLE spans (
  step    INTEGER NOT NULL,
  rank    INTEGER NOT NULL,
  series  INTEGER NOT NULL,
  mode    INTEGER NOT NULL,
  begin_s REAL NOT NULL,
  end_s   REAL NOT NULL,
  PRIMARY KEY (step, rank, series, mode, begin_s)
) STRICT, WITHOUT ROWID;

-- Which examples a step was given.
CREATE TABLE batches (
  step         INTEGER NOT NULL,
  rank         INTEGER NOT NULL,
  series       INTEGER NOT NULL,
  mode         INTEGER NOT NULL,
  part         INTEGER NOT NULL,  -- from 0: a step may take several batches
  digest       INTEGER NOT NULL,
  examples     INTEGER NOT NULL,
  label_counts TEXT,              -- JSON: how many examples have a label, for each that occurs; NULL: no labels
  PRIMARY KEY (step, rank, series, mode, part)
) STRICT, WITHOUT ROWID;

-- Of the bytes of a parameter after the step.
CREATE TABLE hashes (
  step   INTEGER NOT NULL,
  rank   INTEGER NOT NULL,
  series INTEGER NOT NULL,
  mode   INTEGER NOT NULL,
  digest INTEGER NOT NULL,
  PRIMARY KEY (step, rank, series, mode)
) STRICT, WITHOUT ROWID;

CREATE TABLE fine_histograms (
  step    INTEGER NOT NULL,
  rank    INTEGER NOT NULL,
  series  INTEGER NOT NULL,
  mode    INTEGER NOT NULL,
  sampled INTEGER NOT NULL,   -- elements looked at
  bins    BLOB NOT NULL,      -- 256 little-endian 32-bit counts, those of pawl_fine_histogram
  PRIMARY KEY (step, rank, series, mode)
) STRICT, WITHOUT ROWID;

-- Curves at several resolutions: one number for each training step of a series, the mean over the ranks. It is the value
-- of a loss or scalar, the L2 norm of a tensor, the seconds of a span, the examples of a batch, and of a hash 1 where the
-- ranks differ and 0 where not. `width` consecutive values of a series are a row, for widths of 16, 256, 4096 and
-- 65536. Only the last row of width 16 may hold fewer.
CREATE TABLE buckets (
  series     INTEGER NOT NULL,  -- -1: completed steps per second
  width      INTEGER NOT NULL,
  first_step INTEGER NOT NULL,
  last_step  INTEGER NOT NULL,
  count      INTEGER NOT NULL,  -- values
  finite     INTEGER NOT NULL,  -- of them those that are; the following are over these, NULL when there is none
  min        REAL,
  max        REAL,
  sum        REAL,
  last       REAL,
  non_finite INTEGER NOT NULL,  -- numbers or elements of tensors that are not finite, over all ranks
  points     BLOB,              -- of width 16 the values themselves, see engine/trace/curve_bucket.h
  PRIMARY KEY (series, width, first_step)
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

CREATE VIEW v1_meta AS SELECT key, value FROM meta;

CREATE VIEW v1_series AS SELECT id, name, kind, dtype, shape FROM series;

CREATE VIEW v1_available AS SELECT name, kind FROM available;

CREATE VIEW v1_requests AS SELECT rank, generation, step, request, own_decision FROM requests;

CREATE VIEW v1_steps AS
  SELECT step, rank, CASE mode WHEN 0 THEN 'train' ELSE 'eval' END AS mode, end_s - begin_s AS seconds, wall_s
  FROM steps WHERE end_s IS NOT NULL;

CREATE VIEW v1_recorded AS
  SELECT step, rank, CASE mode WHEN 0 THEN 'train' ELSE 'eval' END AS mode, end_s IS NOT NULL AS completed
  FROM steps;

CREATE VIEW v1_losses AS
  SELECT s.name AS name, v.step AS step, v.rank AS rank, CASE v.mode WHEN 0 THEN 'train' ELSE 'eval' END AS mode,
         v.value AS value, v.series AS series
  FROM scalars v JOIN series s ON s.id = v.series WHERE s.kind = 'loss';

CREATE VIEW v1_scalars AS
  SELECT s.name AS name, v.step AS step, v.rank AS rank, CASE v.mode WHEN 0 THEN 'train' ELSE 'eval' END AS mode,
         v.value AS value, v.series AS series
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
         CAST(substr(t.counts, 1, t.width) || zeroblob(8 - t.width) ||
              substr(t.counts, 1 + t.width, t.width) || zeroblob(8 - t.width) ||
              substr(t.counts, 1 + 2 * t.width, t.width) || zeroblob(8 - t.width) ||
              substr(t.counts, 1 + 3 * t.width, t.width) || zeroblob(8 - t.width) ||
              substr(t.counts, 1 + 4 * t.width, t.width) || zeroblob(8 - t.width) ||
              substr(t.counts, 1 + 5 * t.width, t.width) || zeroblob(8 - t.width) ||
              substr(t.counts, 1 + 6 * t.width, t.width) || zeroblob(8 - t.width) ||
              substr(t.counts, 1 + 7 * t.width, t.width) || zeroblob(8 - t.width) ||
              substr(t.counts, 1 + 8 * t.width, t.width) || zeroblob(8 - t.width) ||
              substr(t.counts, 1 + 9 * t.width, t.width) || zeroblob(8 - t.width) ||
              substr(t.counts, 1 + 10 * t.width, t.width) || zeroblob(8 - t.width) ||
              substr(t.counts, 1 + 11 * t.width, t.width) || zeroblob(8 - t.width) ||
              substr(t.counts, 1 + 12 * t.width, t.width) || zeroblob(8 - t.width) ||
              substr(t.counts, 1 + 13 * t.width, t.width) || zeroblob(8 - t.width) ||
              substr(t.counts, 1 + 14 * t.width, t.width) || zeroblob(8 - t.width) ||
              substr(t.counts, 1 + 15 * t.width, t.width) || zeroblob(8 - t.width) AS BLOB) AS magnitude, t.series AS series
  FROM (SELECT *, magnitude_at % 8 + 1 AS width,
               CAST(zeroblob(magnitude_at / 8 * (magnitude_at % 8 + 1)) || magnitude || zeroblob(128) AS BLOB) AS counts
        FROM statistics) t
  JOIN series s ON s.id = t.series;

CREATE VIEW v1_values AS
  SELECT s.name AS name, s.kind AS kind, t.step AS step, t.rank AS rank,
         CASE t.mode WHEN 0 THEN 'train' ELSE 'eval' END AS mode, t.bytes AS bytes, t.data AS data, t.series AS series
  FROM raw_tensors t JOIN series s ON s.id = t.series;

CREATE VIEW v1_spans AS
  SELECT s.name AS name, t.step AS step, t.rank AS rank, CASE t.mode WHEN 0 THEN 'train' ELSE 'eval' END AS mode,
         t.begin_s AS begin_s, t.end_s AS end_s, t.end_s - t.begin_s AS seconds, t.series AS series
  FROM spans t JOIN series s ON s.id = t.series;

CREATE VIEW v1_batches AS
  SELECT s.name AS name, t.step AS step, t.rank AS rank, CASE t.mode WHEN 0 THEN 'train' ELSE 'eval' END AS mode,
         t.part AS part, printf('%016x', t.digest) AS digest, t.examples AS examples, t.label_counts AS label_counts, t.series AS series
  FROM batches t JOIN series s ON s.id = t.series;

CREATE VIEW v1_hashes AS
  SELECT s.name AS name, t.step AS step, t.rank AS rank, CASE t.mode WHEN 0 THEN 'train' ELSE 'eval' END AS mode,
         printf('%016x', t.digest) AS digest, t.series AS series
  FROM hashes t JOIN series s ON s.id = t.series;

CREATE VIEW v1_fine_histograms AS
  SELECT s.name AS name, s.kind AS kind, t.step AS step, t.rank AS rank,
         CASE t.mode WHEN 0 THEN 'train' ELSE 'eval' END AS mode, t.sampled AS sampled, t.bins AS bins, t.series AS series
  FROM fine_histograms t JOIN series s ON s.id = t.series;

CREATE VIEW v1_curves AS
  SELECT s.name AS name, s.kind AS kind, b.width AS width, b.first_step AS first_step, b.last_step AS last_step,
         b.count AS count, b.min AS min, b.max AS max, b.sum / b.finite AS mean, b.last AS last,
         b.non_finite AS non_finite, b.series AS series
  FROM buckets b JOIN series s ON s.id = b.series;

CREATE VIEW v1_findings AS
  SELECT rule, severity, action, first_step, last_step, count, rank, tensor, kind, value, threshold, message
  FROM findings;

CREATE VIEW v1_anomalies AS SELECT kind, rank, count FROM anomalies;
