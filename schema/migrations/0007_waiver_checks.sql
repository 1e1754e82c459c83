-- A waiver may name the comparison of seeds or the sustained level too.
CREATE TABLE wider_waivers (
  id          INTEGER PRIMARY KEY,
  project     TEXT NOT NULL,
  branch      TEXT NOT NULL DEFAULT '',  -- empty: any
  commit_sha  TEXT NOT NULL DEFAULT '',  -- a prefix of at least 7 digits; empty: any
  subject     TEXT NOT NULL,             -- the metric; the rule when check_name is 'finding'
  slice       TEXT NOT NULL DEFAULT '',  -- empty: the whole
  check_name  TEXT NOT NULL DEFAULT ''   -- empty: any of a metric
              CHECK (check_name IN ('', 'floor', 'ceiling', 'max_drop', 'paired', 'seeds', 'sustained', 'finding')),
  reason      TEXT NOT NULL CHECK (reason <> ''),
  approver    TEXT NOT NULL CHECK (approver <> ''),
  created_ms  INTEGER NOT NULL,
  expires_ms  INTEGER NOT NULL CHECK (expires_ms > created_ms),
  revoked_ms  INTEGER,
  revoked_by  TEXT NOT NULL DEFAULT '',
  revoked_why TEXT NOT NULL DEFAULT '',
  CHECK ((revoked_ms IS NULL) = (revoked_by = ''))
) STRICT;
INSERT INTO wider_waivers SELECT id, project, branch, commit_sha, subject, slice, check_name, reason, approver,
    created_ms, expires_ms, revoked_ms, revoked_by, revoked_why FROM waivers;
DROP TABLE waivers;
ALTER TABLE wider_waivers RENAME TO waivers;
CREATE INDEX waivers_project ON waivers (project, id);
