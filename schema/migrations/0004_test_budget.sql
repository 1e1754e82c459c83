-- How often each test set has answered a condition, and what it was sized for. Keyed by the digest of its ids
-- and labels: no edit of a pipeline file changes a row, only a new test set starts anew. Append-only, both.

CREATE TABLE test_budgets (
  project    TEXT NOT NULL,
  testset    TEXT NOT NULL,
  adaptivity TEXT NOT NULL CHECK (adaptivity IN ('none', 'full', 'first-change')),
  steps      INTEGER NOT NULL CHECK (steps >= 1),
  opened_ms  INTEGER NOT NULL,
  PRIMARY KEY (project, testset)
) STRICT;

CREATE TABLE test_uses (
  project  TEXT NOT NULL,
  testset  TEXT NOT NULL,
  number   INTEGER NOT NULL CHECK (number >= 1),
  run_id   TEXT NOT NULL REFERENCES runs (id),
  asked    TEXT NOT NULL,                -- the condition and its mode
  model    TEXT NOT NULL,                -- digest of the predictions that were judged
  baseline TEXT NOT NULL,                -- of those they were compared with; empty: none
  passed   INTEGER NOT NULL CHECK (passed IN (0, 1)),
  revealed TEXT NOT NULL CHECK (revealed IN ('nothing', 'bit', 'score')),
  at_ms    INTEGER NOT NULL,
  PRIMARY KEY (project, testset, number),
  FOREIGN KEY (project, testset) REFERENCES test_budgets (project, testset)
) STRICT;
CREATE INDEX test_uses_run ON test_uses (run_id);
