-- Baselines follow the order of commits, and a pin holds until somebody takes it back. Still append-only.
CREATE TABLE baseline_events (
  id         INTEGER PRIMARY KEY,
  project    TEXT NOT NULL,
  branch     TEXT NOT NULL,
  run_id     TEXT NOT NULL REFERENCES runs (id), -- unpin: the run that was pinned
  cause      TEXT NOT NULL CHECK (cause IN ('green', 'bootstrap', 'pin', 'unpin')),
  who        TEXT NOT NULL,
  why        TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  newer_run  TEXT REFERENCES runs (id),          -- a green run that was there already, of a later commit
  testsets   TEXT NOT NULL DEFAULT '{}'          -- JSON: digest of the test set by the predictions file
) STRICT;
INSERT INTO baseline_events (id, project, branch, run_id, cause, who, why, created_ms)
  SELECT id, project, branch, run_id, cause, who, why, created_ms FROM baselines;
-- So far the next green run replaced a pin.
INSERT INTO baseline_events (project, branch, run_id, cause, who, why, created_ms)
  SELECT pin.project, pin.branch, pin.run_id, 'unpin', 'pawl', 'a later green run had replaced it', next.created_ms
  FROM baselines pin
  JOIN baselines next ON next.id = (SELECT max(id) FROM baselines WHERE project = pin.project AND branch = pin.branch)
  WHERE next.cause <> 'pin' AND pin.cause = 'pin'
    AND pin.id = (SELECT max(id) FROM baselines WHERE project = pin.project AND branch = pin.branch AND cause = 'pin');
DROP TABLE baselines;
ALTER TABLE baseline_events RENAME TO baselines;
CREATE INDEX baselines_branch ON baselines (project, branch, id);
