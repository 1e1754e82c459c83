"""What the hooks record, changed while two ranks train."""

import contextlib
import os
import sqlite3
import unittest

from harness import PawlTest, wait_until

PIPELINE = """
version: 1
on: {push: {branches: [main]}}
stages:
  train: {run: /usr/bin/python3 train.py, ranks: 2, timeout: 5m}
gate: off
"""

# Trains until the file `enough` appears in the home.
TRAIN = """
import pathlib, time
import torch
torch.set_num_threads(1)
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
x = torch.randn(16, 4)
while not pathlib.Path("../../../enough").exists():
    optimizer.zero_grad()
    torch.nn.functional.mse_loss(model(x), x[:, :1]).backward()
    optimizer.step()
    time.sleep(0.005)
"""


@unittest.skipIf("PAWL_SANITIZED" in os.environ, "Python cannot load a sanitized capture library")
class Capture(PawlTest):
    def trace(self, query, *arguments):
        path = self.home / "runs" / self.runs()[0]["id"] / "train" / "1" / "trace.db"
        if not path.exists():
            return []
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            if db.execute("PRAGMA user_version").fetchone()[0] == 0:
                return []  # it is being made
            return db.execute(query, arguments).fetchall()

    def steps(self, rank, name):
        rows = self.trace("SELECT step FROM v1_tensors WHERE kind = 'gradient' AND rank = ? AND name = ? ORDER BY step",
                          rank, name)
        return [step for step, in rows]

    def wait_for_step(self, step):
        wait_until(lambda: len(self.trace("SELECT rank FROM v1_steps WHERE step >= ?", step)) >= 2, f"step {step}")

    def last_step(self, rank):
        return self.trace("SELECT max(step) FROM v1_steps WHERE rank = ?", rank)[0][0]

    def test_before_anything_is_recorded(self):
        self.serve_repository(PIPELINE.replace("/usr/bin/python3 train.py",
                                               "while ! test -e ../../../enough; do sleep 0.05; done"))
        self.push()
        wait_until(lambda: list(self.home.glob("runs/*/train/1/intent.json")), "the attempt")
        listed = self.pawl_json("capture", "list", "1")
        self.assertEqual(listed["series"], [])
        self.assertIn("losses", {rule["collection"] for rule in listed["request"]})
        self.assertIn("No rank has recorded anything yet", self.pawl("capture", "list", "1").stdout)
        (self.home / "enough").touch()
        wait_until(lambda: self.runs()[0]["verdict"], "the end of the run")

    def test_changed_on_one_rank_while_it_trains(self):
        self.serve_repository(PIPELINE, {"train.py": TRAIN})
        self.push()
        wait_until(self.runs, "the run")
        self.wait_for_step(20)

        listed = self.pawl_json("capture", "list", "1")
        series = {(s["collection"], s["name"]): s["last_step"] for s in listed["series"]}
        self.assertGreaterEqual(series["gradients", "2.weight"], 10)
        self.assertIsNone(series["activations", "2"])
        self.assertIsNone(series["updates", "0.bias"])
        self.assertEqual({r["collection"]: r["every"] for r in listed["request"]},
                         {"losses": 1, "scalars": 1, "weights": 10, "biases": 10, "gradients": 10})

        answer = self.pawl_json("capture", "set", "1", "--stage", "train", "--collection", "gradients", "--every", "1",
                                "--include", "^2", "--rank", "1")
        self.assertEqual(answer["generation"], 2)
        self.assertEqual([(r["every"], r["include"]) for r in answer["request"] if r["ranks"] == [1]], [(1, "^2")])
        text = self.pawl("capture", "set", "1", "--collection", "activations", "--every", "5", "--rank", "0").stdout
        self.assertIn("activations  0", text)
        wait_until(lambda: len(self.trace("SELECT rank FROM v1_requests WHERE generation = 3")) == 2, "both changes")
        self.wait_for_step(max(self.last_step(0), self.last_step(1)) + 20)
        # RE2 reads it, Python does not: told, and everything stays as it was.
        self.pawl("capture", "set", "1", "--collection", "weights", "--include", "x(?i)y")
        wait_until(lambda: self.pawl("logs", "1").stdout.count("what is recorded stays as it was") == 2, "both ranks' word")
        error = self.pawl("capture", "set", "1", "--collection", "losses", "--from", "9", "--to", "9", code=2).stderr
        self.assertIn("no step is from 9 to before 9", error)
        refused = self.pawl("capture", "set", "1", "--collection", "losses", "--rank", "2", "--off", code=2).stderr
        self.assertIn("there is no rank 2: the stage has 2", refused)
        listed = self.pawl("capture", "list", "1", "--collection", "activations").stdout
        self.assertNotIn("never", listed)
        (self.home / "enough").touch()
        self.assertEqual(self.wait_run(1)["verdict"], "PASS")

        # The rank that was meant: every step of one tensor, from the very step that the trace names.
        tenths = [range(0, self.last_step(rank) + 1, 10) for rank in (0, 1)]
        changed = min(step for step, in self.trace("SELECT step FROM v1_requests WHERE rank = 1"))
        before = [step for step in tenths[1] if step < changed]
        self.assertEqual(self.steps(1, "2.weight"), before + list(range(changed, self.last_step(1) + 1)))
        self.assertEqual(self.steps(1, "0.weight"), before)
        # The other rank: as it was.
        for name in ("0.weight", "2.weight"):
            self.assertEqual(self.steps(0, name), list(tenths[0]))
        self.assertEqual(self.trace("SELECT DISTINCT rank FROM v1_tensors WHERE kind = 'activation'"), [(0,)])

        changes = self.trace("SELECT * FROM v1_requests ORDER BY rank, generation")
        self.pawl("trace", "rebuild", "1")
        self.assertEqual(self.trace("SELECT * FROM v1_requests ORDER BY rank, generation"), changes)

        over = self.pawl("capture", "set", "1", "--collection", "losses", "--every", "2", code=2).stderr
        self.assertIn("stage train of run 1 does not run", over)

    def test_what_cannot_be_asked_for(self):
        self.serve_repository()
        self.push()
        self.wait_run(1)
        for options, message in (((), "say what to change"), (("--every", "0"), "--every"),
                                 (("--include", "(", ), "bad regular expression"), (("--rank", "x", "--off"), "--rank")):
            error = self.pawl("capture", "set", "1", "--collection", "gradients", *options, code=2).stderr
            self.assertIn(message, error)
        self.assertIn("weight", self.pawl("capture", "set", "1", "--collection", "weigths", "--off", code=2).stderr)


if __name__ == "__main__":
    unittest.main()
