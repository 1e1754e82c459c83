"""Trainings of any framework: `pawl log`, and the event files that a training writes for TensorBoard."""

import contextlib
import json
import pathlib
import signal
import sqlite3
import subprocess
import unittest

from harness import DEADLINE_S, PAWL, PawlTest, wait_until

EVENT_FILES = pathlib.Path(__file__).with_name("event_files.py").read_text()

PIPELINE = """
version: 1
on: {push: {branches: [main]}}
stages:
  train:
    run: COMMAND
    timeout: 5m
    debug: {collections: [losses, scalars], EXTRA}
gate: off
"""

SHELL = r"""
awk 'BEGIN { for (i = 0; i < 30; i++) printf("{\"step\": %d, \"loss\": %f, \"lr\": 0.1}\n", i, 1 / (i + 1)) }' | pawl log -
pawl log --step 29 accuracy=0.5
pawl log --mode eval accuracy=0.9 --loss val_loss val_loss=inf
pawl log loss=0.02
"""

CHOSEN = r"""
export PAWL_CAPTURE=$'losses every=2\nscalars every=2 modes=eval to=10'
for step in 3 4; do pawl log --step $step loss=1 lr=1; done
pawl log --mode eval --step 3 auc=1 loss=1
pawl log --mode eval --step 10 auc=1
"""

# json.dumps writes NaN as no JSON has it. The training would go on for ever.
DIVERGES = """
import json, signal
for step in range(8):
    print(json.dumps({"step": step, "loss": float("nan") if step == 5 else 1.0}), flush=True)
signal.pause()
"""

# Its values come in two halves, with the file GO between them; the second half is more than the first knew of.
EVENTS = """
import os, pathlib, time
from event_files import framed, scalar_event, version_event

folder = pathlib.Path("logs/now") / os.environ["RANK"]

def write(run, name, events):
    path = folder / run / f"events.out.tfevents.{name}"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab") as file:
        for event in events:
            data = framed(event)
            file.write(data[:9])  # a reader meets half of a record
            file.flush()
            file.write(data[9:])
            file.flush()

def steps(first, last, **options):
    return [scalar_event(step, time.time(), {"Loss": 1 / (step + 1), "lr": 0.1}, **options) for step in range(first, last)]

write("train", 1, [version_event(time.time())] + steps(0, 10))
write("validation", 1, [version_event(time.time()), scalar_event(4, time.time(), {"epoch_loss": 0.25}, tensors=True)])
while not pathlib.Path("GO").exists():
    time.sleep(0.02)
write("train", 2, [version_event(time.time())] + steps(10, 20, tensors=True))
write("train", 1, [scalar_event(9, time.time(), {"late": 7})])
"""

# When the last rank completed a step is not the same: a supervisor does not wait for ranks that nobody records.
VIEWS = ("v1_losses", "v1_scalars", "(SELECT step, rank, mode, seconds FROM v1_steps)", "v1_findings", "v1_anomalies")


class Log(PawlTest):
    def serve(self, command, extra="", ranks=1, **files):
        pipeline = PIPELINE.replace("COMMAND", command).replace(", EXTRA", ", " + extra if extra else "")
        self.make_repository(pipeline.replace("timeout:", f"ranks: {ranks}\n    timeout:"),
                             {name.replace("__", "."): text for name, text in files.items()})
        self.commit("a training")

    def run_it(self, code=0):
        self.pawl("run", self.clone, code=code)
        return self.pawl_json("show", "last")

    def attempt(self):
        found = list(self.home.glob("runs/*/train/1"))
        return found[0] if found else self.home / "none"

    def query(self, text, *arguments):
        path = self.attempt() / "trace.db"
        if not path.exists():
            return []
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            if db.execute("PRAGMA user_version").fetchone()[0] == 0:
                return []  # it is being made
            return db.execute(text, arguments).fetchall()

    def assert_rebuilt_alike(self):
        before = {view: sorted(self.query(f"SELECT * FROM {view}"), key=repr) for view in VIEWS}
        (self.attempt() / "trace.db").unlink()
        self.pawl("trace", "rebuild", "1")
        for view in VIEWS:
            self.assertEqual(sorted(self.query(f"SELECT * FROM {view}"), key=repr), before[view], view)

    def notes(self):
        return json.loads((self.attempt() / "result.json").read_text())["notes"]

    # --- pawl log -----------------------------------------------------------------------------------------------------

    def test_a_shell_script(self):
        self.serve("bash train.sh", train__sh=SHELL)
        self.run_it()
        losses = self.query("SELECT step, value FROM v1_losses WHERE name = 'loss' AND mode = 'train' ORDER BY step")
        self.assertEqual([step for step, _ in losses], list(range(31)))
        self.assertEqual([losses[1][1], losses[30][1]], [0.5, 0.02])
        self.assertEqual(sorted(self.query("SELECT name, mode, value FROM v1_scalars WHERE step = 29")),
                         [("accuracy", "eval", 0.9), ("accuracy", "train", 0.5), ("lr", "train", 0.1)])
        self.assertEqual(self.query("SELECT step, mode, value FROM v1_losses WHERE name = 'val_loss'"),
                         [(29, "eval", float("inf"))])
        self.assertEqual(self.query("SELECT count(*) FROM v1_anomalies"), [(0,)])
        self.assertEqual([path.name for path in self.attempt().glob("trace/*/*.seg")], ["000001.seg"])
        self.assertIn("accuracy", self.pawl("trace", "1").stdout)
        self.assert_rebuilt_alike()

    def test_only_what_is_asked_for(self):
        self.serve("bash train.sh", train__sh=CHOSEN)
        self.run_it()
        self.assertEqual(sorted(self.query("SELECT step, mode FROM v1_losses")), [(3, "eval"), (4, "train")])
        self.assertEqual(self.query("SELECT step, mode, name FROM v1_scalars"), [(3, "eval", "auc")])

    def test_a_rule_stops_it(self):
        self.serve("/usr/bin/python3 train.py | pawl log -", train__py=DIVERGES)
        self.assertEqual(self.run_it(code=1)["verdict"], "FAIL")
        self.assertEqual(self.query("SELECT rule, first_step, tensor FROM v1_findings"), [("non_finite", 5, "loss")])

    def test_two_ranks_go_on_from_each_other(self):
        self.serve("bash train.sh", ranks=2, train__sh="for i in 1 2 3; do pawl log loss=$RANK lr=$i; done")
        self.run_it()
        self.assertEqual(self.query("SELECT step, rank, value FROM v1_losses ORDER BY step, rank"),
                         [(step, rank, float(rank)) for step in range(3) for rank in range(2)])
        self.assertEqual(self.query("SELECT count(*) FROM v1_anomalies"), [(0,)])
        self.assert_rebuilt_alike()

    def in_stage(self):
        trace = self.dir / "trace"
        return trace, {**self.env, "PAWL_TRACE_DIR": str(trace), "RANK": "0", "WORLD_SIZE": "1"}

    def log(self, *argv, env, text="", code=0):
        done = subprocess.run([PAWL, "log", *argv], input=text, env=env, capture_output=True, text=True, timeout=DEADLINE_S)
        self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
        return done.stderr

    def test_what_is_wrong_is_told_and_the_rest_recorded(self):
        trace, env = self.in_stage()
        for step in (10**12 + 1, 2**64 - 1):
            self.assertIn("no step beyond 1000000000000", self.log("--step", str(step), "loss=1", env=env, code=2))
        lines = '{"loss": 1}\nepoch 2\n\n{"loss": "low"}\n{"after_it": 2}'
        error = self.log("-", env=env, text=lines, code=2)
        self.assertIn("line 2: is not JSON", error)
        self.assertIn("line 4: 'loss' must be a number", error)
        self.assertIn(b"after_it", next(trace.glob("*/*.seg")).read_bytes())
        self.assertIn("50 lines in all", self.log("-", env=env, text="x\n" * 50, code=2))
        for argv, message in ((["loss"], "NAME=VALUE"), (["loss=low"], "'low' is not a number"),
                              (["--step", "1", "-"], 'each line says its "step"'), (["--mode", "test", "a=1"], "--mode"),
                              ([], "values is required")):
            self.assertIn(message, self.log(*argv, env=env, code=2))
        self.assertIn("RANK is 3", self.log("a=1", env={**env, "RANK": "3"}, code=2))

    def test_outside_of_a_stage(self):
        self.assertIn("nothing is recorded: this is no stage", self.log("loss=1", env=self.env))
        error = self.log("-", env=self.env, text='{"loss": 1}\n' * 3)
        self.assertEqual(error.count("nothing is recorded"), 1)
        self.assertIn("line 1: is not JSON", self.log("-", env=self.env, text="x", code=2))
        _, env = self.in_stage()
        self.assertIn("'debug: off'", self.log("loss=1", env={**env, "PAWL_CAPTURE": "off"}))
        self.assertFalse((self.dir / "trace").exists())

    def test_it_outlives_what_is_stopped_and_holds_the_rank(self):
        trace, env = self.in_stage()
        first = subprocess.Popen([PAWL, "log", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
        self.addCleanup(first.stderr.close)
        self.addCleanup(first.wait)
        self.addCleanup(first.kill)
        first.stdin.write(b'{"loss": 1}\n')
        first.stdin.flush()
        wait_until(lambda: [path for path in trace.glob("*/*.seg") if path.stat().st_size > 0], "the first line")
        self.assertIn("another process records rank 0", self.log("loss=1", env=env, code=2))
        first.send_signal(signal.SIGTERM)
        first.stdin.write(b'{"last_words": 1}\n')
        first.stdin.close()
        self.assertEqual((first.wait(timeout=DEADLINE_S), first.stderr.read()), (0, b""))
        self.assertIn(b"last_words", next(trace.glob("*/*.seg")).read_bytes())

    # --- event files --------------------------------------------------------------------------------------------------

    def test_event_files_of_two_ranks_while_they_train(self):
        go = self.dir / "go"
        self.serve("/usr/bin/python3 train.py", 'event_files: "logs/*/$RANK"', ranks=2,
                   train__py=EVENTS.replace("GO", str(go)), event_files__py=EVENT_FILES)
        process = subprocess.Popen([PAWL, "--home", str(self.home), "run", str(self.clone)], env=self.env,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        seen = "SELECT count(*) FROM v1_losses WHERE (mode = 'train' AND step = 9) OR (mode = 'eval' AND step = 4)"
        wait_until(lambda: self.query(seen) == [(4,)], "both ranks' first half")
        go.touch()
        self.assertEqual(process.communicate(timeout=DEADLINE_S)[1].count("FAIL"), 0)
        self.assertEqual(process.returncode, 0)
        losses = self.query("SELECT step, rank, value FROM v1_losses WHERE name = 'train/Loss' ORDER BY step, rank")
        self.assertEqual([(step, rank) for step, rank, _ in losses], [(s, r) for s in range(20) for r in range(2)])
        for step, _, value in losses:
            self.assertAlmostEqual(value, 1 / (step + 1), places=6)
        self.assertEqual(self.query("SELECT DISTINCT step, mode, value FROM v1_losses WHERE name = 'validation/epoch_loss'"),
                         [(4, "eval", 0.25)])
        self.assertEqual(self.query("SELECT step, rank, mode, value FROM v1_scalars WHERE name = 'train/late' ORDER BY rank"),
                         [(9, 0, "train", 7.0), (9, 1, "train", 7.0)])
        self.assertEqual(self.query("SELECT count(*) FROM v1_anomalies"), [(0,)])
        self.assertEqual(self.notes(), [])
        self.assert_rebuilt_alike()

    def test_event_files_that_are_damaged(self):
        script = """
            import pathlib
            from event_files import framed, scalar_event
            pathlib.Path("runs").mkdir()
            events = [framed(scalar_event(step, 0, {"loss": float("nan") if step == 2 else 1})) for step in range(4)]
            broken = bytearray(events[1])
            broken[15] ^= 1
            head = bytearray(events[3])
            head[0] ^= 1
            pathlib.Path("runs/tfevents").write_bytes(events[0] + broken + framed(b"\\xff") + events[2] + head + events[3])
            """
        self.serve("/usr/bin/python3 train.py", "event_files: runs", train__py=script, event_files__py=EVENT_FILES)
        self.assertEqual(self.run_it(code=1)["verdict"], "FAIL")
        self.assertEqual(self.query("SELECT rule, first_step FROM v1_findings"), [("non_finite", 2)])
        self.assertEqual(self.query("SELECT step FROM v1_losses ORDER BY step"), [(0,), (2,)])
        notes = "\n".join(self.notes())
        self.assertIn("the event file runs/tfevents is damaged", notes)
        self.assertIn("2 records of event files are damaged", notes)

    def test_event_files_of_a_rank_that_is_recorded(self):
        script = """
            import pathlib, subprocess
            from event_files import framed, scalar_event
            subprocess.run(["pawl", "log", "loss=3"], check=True)
            pathlib.Path("runs").mkdir()
            pathlib.Path("runs/tfevents").write_bytes(framed(scalar_event(0, 0, {"loss": 1})))
            """
        self.serve("/usr/bin/python3 train.py", "event_files: runs", train__py=script, event_files__py=EVENT_FILES)
        self.run_it()
        self.assertEqual(self.query("SELECT step, value FROM v1_losses"), [(0, 3.0)])
        self.assertIn("the event files of rank 0 are not in the trace: another process records the rank", self.notes())
        self.assertIn("Note: the event files of rank 0", self.pawl("trace", "1").stdout)


if __name__ == "__main__":
    unittest.main()
