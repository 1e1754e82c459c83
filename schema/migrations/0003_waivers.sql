-- One check may be red for a while: which, for whom, why, until when. Append-only, but for the revocation,
-- which is written once.
CREATE TABLE waivers (
  id          INTEGER PRIMARY KEY,
  project     TEXT NOT NULL,
  branch      TEXT NOT NULL DEFAULT '',  -- empty: any
  commit_sha  TEXT NOT NULL DEFAULT '',  -- a prefix of at least 7 digits; empty: any
  subject     TEXT NOT NULL,             -- the metric; the rule when check_name is 'finding'
  slice       TEXT NOT NULL DEFAULT '',  -- empty: the whole
  check_name  TEXT NOT NULL DEFAULT ''   -- empty: any of a metric
              CHECK (check_name IN ('', 'floor', 'ceiling', 'max_drop', 'paired', 'finding')),
  reason      TEXT NOT NULL CHECK (reason <> ''),
  approver    TEXT NOT NULL CHECK (approver <> ''),
  created_ms  INTEGER NOT NULL,
  expires_ms  INTEGER NOT NULL CHECK (expires_ms > created_ms),
  revoked_ms  INTEGER,
  revoked_by  TEXT NOT NULL DEFAULT '',
  revoked_why TEXT NOT NULL DEFAULT '',
  CHECK ((revoked_ms IS NULL) = (revoked_by = ''))
) STRICT;
CREATE INDEX waivers_project ON waivers (project, id);
