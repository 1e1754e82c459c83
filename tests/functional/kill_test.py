"""Ranks of a real training that are killed: what they had done is in the trace."""

import os
import random
import signal
import sqlite3
import subprocess
import time
import unittest

from harness import PAWL, PawlTest, wait_until

KILLS = 10

PIPELINE = """
version: 1
on: {push: {branches: [main]}}
stages:
  train:
    run: /usr/bin/python3 train.py
    ranks: 2
    retries: RETRIES
    debug: {every: 1}
    rules: {non_finite: {on_fire: stop}}
gate: off
"""

# Every finished step is noted with one write. Rank 0 follows rank 1.
TRAIN = """
import os, pathlib, signal, time
import torch

rank, attempt = (os.environ[name] for name in ("RANK", "PAWL_ATTEMPT"))
here = pathlib.Path(os.environ["PAWL_CHECKPOINT_DIR"])
notes = os.open(here / f"notes-{attempt}-{rank}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
other = here / f"notes-{attempt}-1"
torch.set_num_threads(1)
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
(here / f"pid-{attempt}-{rank}").write_text(str(os.getpid()))
for step in range(1_000_000):
    while rank == "0" and not (other.exists() and other.stat().st_size // 8 > step):
        time.sleep(0.001)
    optimizer.zero_grad()
    x = torch.randn(16, 8)
    loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
    if rank == "1" and step == BAD:
        loss = loss * float("nan")
    loss.backward()
    optimizer.step()
    os.write(notes, b"%07d\\n" % step)
    if rank == "1" and step == BAD:
        os.kill(os.getpid(), signal.SIGKILL)
"""

TABLES = ("meta", "series", "available", "requests", "steps", "scalars", "statistics", "findings", "anomalies")


@unittest.skipIf("PAWL_SANITIZED" in os.environ, "Python cannot load a sanitized capture library")
class Kill(PawlTest):
    def start(self, retries=0, bad=-1):
        self.make_repository(PIPELINE.replace("RETRIES", str(retries)), {"train.py": TRAIN.replace("BAD", str(bad))})
        self.commit("a training")
        self.run_process = subprocess.Popen([PAWL, "--home", str(self.home), "run", str(self.clone)], env=self.env,
                                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.run_process.stderr.close)
        self.addCleanup(self.run_process.wait)
        self.addCleanup(self.run_process.kill)

    def finish(self):
        error = self.run_process.communicate(timeout=120)[1]
        self.assertEqual(self.run_process.returncode, 1, error)

    def left(self, name):
        """What a rank left in the checkpoint folder."""
        found = list(self.home.glob(f"runs/*/train/checkpoints/{name}"))
        return found[0].read_text() if found else ""

    def noted(self, attempt, rank):
        return [int(line) for line in self.left(f"notes-{attempt}-{rank}").splitlines()]

    def kill(self, attempt, rank, step):
        wait_until(lambda: len(self.noted(attempt, rank)) > step, f"step {step} of rank {rank} in attempt {attempt}")
        time.sleep(random.uniform(0, 0.02))  # a moment like any other
        os.kill(int(self.left(f"pid-{attempt}-{rank}")), signal.SIGKILL)

    def rows(self, attempt):
        path = next(self.home.glob(f"runs/*/train/{attempt}/trace.db"))
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            rows = {table: db.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}
        db.close()
        return rows

    def check_trace(self, attempt):
        rows = self.rows(attempt)
        for rank in (0, 1):
            noted = self.noted(attempt, rank)
            steps = [step for step, of, _, _, end, _ in rows["steps"] if of == rank and end is not None]
            self.assertEqual(noted, list(range(len(noted))))
            self.assertEqual(sorted(set(noted) - set(steps)), [], f"lost steps of rank {rank}, attempt {attempt}")
            self.assertLessEqual(set(steps) - set(noted), {len(noted)}, "the step in flight may have come to its end")
            # Two weights and two biases, each with its gradient.
            whole = {step: 0 for step in steps}
            for step, of, *_ in rows["statistics"]:
                if of == rank and step in whole:
                    whole[step] += 1
            self.assertEqual(set(whole.values()), {8}, f"the steps of rank {rank} are whole")
        self.assertEqual(rows["anomalies"], [])
        self.assertEqual(list(self.home.glob(f"runs/*/train/{attempt}/trace/*/ring*")), [])
        return rows

    def test_a_rank_killed_at_random_times(self):
        random.seed(11)
        self.start(retries=KILLS - 1)
        for attempt in range(1, KILLS + 1):
            self.kill(attempt, random.randint(0, 1), random.randint(0, 60))
        self.finish()
        for attempt in range(1, KILLS + 1):
            rows = self.check_trace(attempt)
        self.pawl("trace", "rebuild", "1")
        rebuilt = self.rows(KILLS)
        for table in TABLES:
            self.assertEqual(rebuilt[table], rows[table], table)

    def test_the_step_on_which_a_rule_fires(self):
        self.start(bad=5)
        self.finish()
        self.assertEqual(self.noted(1, 1), list(range(6)))
        rows = self.check_trace(1)
        self.assertEqual([(finding[0], finding[3], finding[6]) for finding in rows["findings"]], [("non_finite", 5, 1)])


if __name__ == "__main__":
    unittest.main()
