-- Runs, events and uses that came from elsewhere (`pawl run --record`): who merges the same entries has the
-- same order of events, whatever order they came in and whatever the clocks said.

ALTER TABLE runs ADD COLUMN origin TEXT NOT NULL DEFAULT ''; -- where it was made; empty: here

-- One more than the largest of the branch where and when the event was made: an event comes after every event
-- that its author could know. Of several with the same one, the earlier comes first.
ALTER TABLE baselines ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
UPDATE baselines SET position = id;

-- Runs on two machines may each have been, say, the third use of a test set.
CREATE TABLE merged_test_uses (
  project  TEXT NOT NULL,
  testset  TEXT NOT NULL,
  number   INTEGER NOT NULL CHECK (number >= 1), -- one more than the uses that were known when it was judged
  run_id   TEXT NOT NULL REFERENCES runs (id),
  asked    TEXT NOT NULL,                -- the condition and its mode
  model    TEXT NOT NULL,                -- digest of the predictions that were judged
  baseline TEXT NOT NULL,                -- of those they were compared with; empty: none
  passed   INTEGER NOT NULL CHECK (passed IN (0, 1)),
  revealed TEXT NOT NULL CHECK (revealed IN ('nothing', 'bit', 'score')),
  at_ms    INTEGER NOT NULL,
  PRIMARY KEY (project, testset, number, run_id),
  FOREIGN KEY (project, testset) REFERENCES test_budgets (project, testset)
) STRICT;
INSERT INTO merged_test_uses SELECT project, testset, number, run_id, asked, model, baseline, passed, revealed, at_ms
  FROM test_uses;
DROP TABLE test_uses;
ALTER TABLE merged_test_uses RENAME TO test_uses;
CREATE INDEX test_uses_run ON test_uses (run_id);
