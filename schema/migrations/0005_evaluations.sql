-- Which model was scored by what on which test set, so that two models can be compared example by example at
-- any later time: the predictions themselves are artifacts of (run_id, stage). Digests; empty: not known.

CREATE TABLE evaluations (
  run_id    TEXT NOT NULL REFERENCES runs (id),
  stage     TEXT NOT NULL,
  project   TEXT NOT NULL,
  model     TEXT NOT NULL,               -- of the files that the model's stage left
  evaluator TEXT NOT NULL,               -- of the command that scored it and the files it names
  PRIMARY KEY (run_id, stage)
) STRICT;
CREATE INDEX evaluations_key ON evaluations (project, model, evaluator);

CREATE TABLE evaluation_vectors (
  run_id  TEXT NOT NULL,
  stage   TEXT NOT NULL,
  file    TEXT NOT NULL,                 -- the artifact: predictions.csv
  testset TEXT NOT NULL,                 -- digest of its ids and labels
  PRIMARY KEY (run_id, stage, file),
  FOREIGN KEY (run_id, stage) REFERENCES evaluations (run_id, stage)
) STRICT;
