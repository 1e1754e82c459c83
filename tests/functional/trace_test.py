"""What a training recorded, read back: from another process, while it trains and afterwards."""

import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import unittest

from event_files import crc32c, read_folder
from harness import PAWL, PawlTest, wait_until

PACKAGE = pathlib.Path(PAWL).parent.parent / "share/pawl/python"
sys.path.insert(0, str(PACKAGE))
import pawl  # noqa: E402: the package of this build

NOTEBOOK = pathlib.Path(__file__).resolve().parents[2] / "examples/notebooks/read_a_trace.ipynb"

PIPELINE = """
version: 1
on: {push: {branches: [main]}}
stages:
  train:
    run: /usr/bin/python3 train.py
    ranks: 2
    debug: {every: 2}
    rules: {non_finite: {on_fire: warn}}
gate: off
"""

# Both ranks train alone, and begin together: a step waits for a rank that comes later, but not for ever. They wait in
# the middle for the file GO; the last loss of rank 1 is not a number.
TRAIN = """
import os, pathlib, time
import pawl, torch

rank = int(os.environ["RANK"])
torch.manual_seed(rank)
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
here = pathlib.Path(os.environ["PAWL_CHECKPOINT_DIR"])
(here / f"rank-{rank}").touch()
while not (here / f"rank-{1 - rank}").exists():
    time.sleep(0.01)
for step in range(20):
    optimizer.zero_grad()
    loss = model(torch.randn(16, 4)).square().mean()
    if step == 19 and rank == 1:
        loss = loss * float("nan")
    loss.backward()
    pawl.log_scalar("rank", rank)
    optimizer.step()
    while step == 9 and not pathlib.Path("GO").exists():
        time.sleep(0.02)
"""

# Records of every kind, through the C interface.
RECORD = """
import ctypes, os

LOSS, WEIGHT, SPAN, BATCH, HASH, F32 = 1, 2, 11, 12, 13, 0

class Options(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("struct_size", "rank", "world_size", "ring_bytes")] + [
        ("segment_bytes", ctypes.c_uint64)] + [(name, ctypes.c_char_p) for name in ("trace_dir", "control", "producer")]

class Fine(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("reserved", ctypes.c_uint32), ("sampled", ctypes.c_uint64),
                ("bins", ctypes.c_uint32 * 256)]

library = ctypes.CDLL(os.environ["PAWL_CAPTURE_LIB"])
options = Options(ctypes.sizeof(Options), 0, 1, 0, 0, os.environ["PAWL_TRACE_DIR"].encode(), None, b"test")
capture = ctypes.c_void_p()

def call(name, *arguments):
    assert getattr(library, "pawl_capture_" + name)(capture, *arguments) == 0, name

def series(name, kind, *shape):
    number = ctypes.c_uint32()
    call("series", name, kind, F32, (ctypes.c_int64 * len(shape))(*shape), len(shape), ctypes.byref(number))
    return number

assert library.pawl_capture_open(ctypes.byref(options), ctypes.byref(capture)) == 0
loss, weight = series(b"loss", LOSS), series(b"fc.weight", WEIGHT, 1, 2)
span, batch, digest = series(b"forward", SPAN), series(b"input", BATCH), series(b"fc.weight", HASH, 1, 2)
for step in range(40):
    elements = (ctypes.c_float * 2)(step, -0.5)
    call("step_begin", ctypes.c_uint64(step), 0)
    call("scalar", loss, ctypes.c_double(1 / (step + 1)))
    call("tensor", weight, elements, F32, ctypes.c_uint64(2))
    call("values", weight, elements, F32, (ctypes.c_int64 * 2)(1, 2), 2)
    fine = Fine(ctypes.sizeof(Fine), 0, 2)
    fine.bins[step] = 2
    call("fine_histogram", weight, ctypes.byref(fine))
    call("span", span, ctypes.c_uint64(step * 10**9), ctypes.c_uint64(step * 10**9 + 250_000_000))
    call("batch", batch, ctypes.c_uint64(step % 2), ctypes.c_uint64(3), (ctypes.c_uint64 * 3)(1, 0, 2), 3)
    call("hash", digest, ctypes.c_uint64(step))
    call("step_end")
library.pawl_capture_close(capture)
"""

TABLES = ("meta", "series", "available", "requests", "steps", "scalars", "statistics", "raw_tensors", "spans", "batches",
          "hashes", "fine_histograms", "buckets", "findings", "anomalies")


def rows_of(path):
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        rows = {table: db.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}
    db.close()
    return rows


@unittest.skipIf("PAWL_SANITIZED" in os.environ, "Python cannot load a sanitized capture library")
class Trace(PawlTest):
    def setUp(self):
        super().setUp()
        self.go = self.dir / "go"
        self.make_repository(PIPELINE, {"train.py": TRAIN.replace("GO", str(self.go))})
        self.commit("a training")

    def start_run(self):
        """`pawl run` in the background; returns the folder of the attempt when it has a trace.db with a step."""
        self.run_process = subprocess.Popen([PAWL, "--home", str(self.home), "run", str(self.clone)], env=self.env,
                                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.run_process.stderr.close)
        self.addCleanup(self.run_process.wait)
        self.addCleanup(self.run_process.kill)
        found = wait_until(lambda: list(self.home.glob("runs/*/train/1/trace.db")), "the first step")
        return found[0].parent

    def finish_run(self):
        self.go.touch()
        error = self.run_process.communicate(timeout=120)[1]
        self.assertEqual(self.run_process.returncode, 0, error)

    def test_rebuild(self):
        attempt = self.start_run()
        done = self.pawl("trace", "rebuild", "1", code=2)
        self.assertIn("the attempt still runs", done.stderr)
        self.finish_run()
        recorded = rows_of(attempt / "trace.db")
        self.assertEqual(len(recorded["steps"]), 2 * 20)
        self.assertEqual([finding[0] for finding in recorded["findings"]], ["non_finite"])
        (attempt / "trace.db").unlink()
        self.assertIn("has no trace", self.pawl("trace", "1", code=2).stderr)
        answer = self.pawl_json("trace", "rebuild", "1", "--stage", "train")
        self.assertEqual((answer["trace"], answer["stage"]), (str(attempt / "trace.db"), "train"))
        rebuilt = rows_of(attempt / "trace.db")
        for table in TABLES:
            self.assertEqual(rebuilt[table], recorded[table], table)
        self.assertIn("loss", self.pawl("trace", "1").stdout)
        # What a killed writer would have left beside the old file is not applied to the new one.
        (attempt / "trace.db-wal").write_bytes(b"no log")
        self.pawl("trace", "rebuild", "1")
        self.assertEqual(rows_of(attempt / "trace.db"), recorded)
        self.assertEqual([path.name for path in attempt.glob("trace.db*")], ["trace.db"])

    def test_rebuild_without_segments(self):
        self.go.touch()
        attempt = self.start_run()
        self.finish_run()
        for segment in attempt.glob("trace/*/*.seg"):
            segment.write_bytes(b"")
        before = rows_of(attempt / "trace.db")
        self.assertIn("the segments hold no step", self.pawl("trace", "rebuild", "last", code=2).stderr)
        self.assertEqual(rows_of(attempt / "trace.db"), before)
        self.assertEqual([path.name for path in attempt.glob("trace.db*")], ["trace.db"])
        self.assertIn("no stage 'tarin'", self.pawl("trace", "rebuild", "1", "--stage", "tarin", code=2).stderr)

    def test_rebuild_when_segments_were_deleted(self):
        self.go.touch()
        attempt = self.start_run()
        self.finish_run()
        for segment in attempt.glob("trace/*/*.seg"):
            segment.rename(segment.with_name("000002.seg"))
        before = rows_of(attempt / "trace.db")
        self.assertIn("the oldest segments were deleted", self.pawl("trace", "rebuild", "1", code=2).stderr)
        self.assertEqual(rows_of(attempt / "trace.db"), before)
        (attempt / "trace.db").unlink()
        self.assertIn("what was in them is not there", self.pawl("trace", "rebuild", "1").stdout)
        self.assertIn(("segments_deleted", "1"), rows_of(attempt / "trace.db")["meta"])

    def test_records_of_every_kind(self):
        self.write({".pawl.yml": PIPELINE.replace("ranks: 2", "ranks: 1"), "train.py": RECORD})
        self.commit("every kind")
        self.pawl("run", self.clone)
        lines = [line.split() for line in self.pawl("trace", "1").stdout.splitlines()]
        for line in (["loss", "loss", "[]", "40", "1", "0.025"],
                     ["fc.weight", "weight", "[1,", "2]", "40", "0.5", "39.0032"],
                     ["forward", "span", "[]", "40", "0.25", "0.25"], ["input", "batch", "[]", "40", "3", "3"],
                     ["fc.weight", "hash", "[1,", "2]", "40", "0", "0"]):
            self.assertIn(line, lines)
        self.assertIn("forward (span, seconds)", self.pawl("trace", "1", "--series", "forward").stdout)
        rows = self.pawl("trace", "1", "--csv").stdout.splitlines()
        self.assertEqual(len(rows), 1 + 5 * 40)
        self.assertIn('"input",batch,7,,,,,,,,3,,', rows)
        answer = self.pawl_json("trace", "1", "--series", "forward")
        self.assertEqual([point["mean"] for point in answer["series"][0]["points"]], [0.25] * 40)
        with pawl.open(1, home=self.home) as trace:
            weight = trace.tensor("fc.weight", "weight")
            self.assertEqual(weight.value(7).tolist(), [[7.0, -0.5]])
            self.assertEqual(weight.fine_histogram(7).nonzero()[0].tolist(), [7])
            self.assertEqual(trace.tensor("fc.weight", "hash").value(18), "0000000000000012")
            self.assertEqual(trace.spans()["end"].tolist(), [step + 0.25 for step in range(40)])
            self.assertEqual([batch["digest"][-1] for batch in trace.batches()], ["0", "1"] * 20)
            self.assertEqual(trace.batches()[0]["label_counts"], {0: 1, 2: 2})
        answer = self.pawl_json("trace", "1", "--tensorboard", self.dir / "tb")
        self.assertEqual((answer["folders"], answer["steps"]), (1, 40))
        before = rows_of(pathlib.Path(trace.path))
        self.pawl("trace", "rebuild", "1")
        self.assertEqual(rows_of(pathlib.Path(trace.path)), before)

    def test_open_while_it_trains(self):
        attempt = self.start_run()
        with pawl.open(1, home=self.home) as trace:
            self.assertEqual(trace.path, attempt / "trace.db")
            # The training waits after step 9 for whoever has seen it.
            self.assertEqual(trace.wait_for_step(9, timeout=60), 9)
            with self.assertRaises(TimeoutError):
                trace.wait_for_step(10, timeout=0.2)
            self.assertEqual(trace.steps(), list(range(10)))
            loss = trace.tensor("loss")
            self.assertEqual((loss.steps(rank=1), trace.tensor("rank").value(9, rank=1)), (list(range(10)), 1.0))
            self.go.touch()
            self.assertEqual(trace.wait_for_step(19, timeout=60), 19)
            self.assertEqual(loss.steps(), list(range(20)))
            self.assertNotEqual(loss.value(19, rank=1), loss.value(19, rank=1), "not a number")
            with self.assertRaisesRegex(pawl.TrainingEnded, "step 20 will not come: .*at step 19"):
                trace.wait_for_step(20)
            self.assertEqual(set(trace.tensors(collection="weights")), {"0.weight", "2.weight"})
            stats = trace.tensor("0.weight", "gradient").stats()
            self.assertEqual(stats["step"].tolist(), [step for step in range(0, 20, 2) for _ in range(2)])
            self.assertEqual(set(stats["count"]), {32})
            self.assertEqual((stats["magnitude"].sum(axis=1) + stats["zero_share"] * 32).tolist(), [32.0] * 20)
        self.finish_run()
        self.assertEqual([path.name for path in attempt.glob("trace.db*")], ["trace.db"], "no reader was in the way")

    def test_tensorboard_while_it_trains(self):
        self.assertEqual(crc32c(b"123456789"), 0xE3069283)
        attempt = self.start_run()
        live = self.dir / "live"
        command = [PAWL, "--home", str(self.home), "trace", "1", "--tensorboard", str(live), "--follow"]
        follower = subprocess.Popen(command, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(follower.stderr.close)
        self.addCleanup(follower.wait)
        self.addCleanup(follower.kill)
        # The training waits after step 9 for whoever has seen it.
        for rank in (0, 1):
            wait_until(lambda: [event for event in read_folder(live / f"rank{rank}-train") if event["step"] == 9],
                       f"step 9 of rank {rank}")
        self.finish_run()
        self.assertEqual((follower.wait(timeout=60), follower.stderr.read()), (0, ""))
        self.assertEqual([path.name for path in attempt.glob("trace.db*")], ["trace.db"], "no reader was in the way")
        rows = rows_of(attempt / "trace.db")
        names = {number: (name, kind) for number, name, kind, _, _ in rows["series"]}
        for rank in (0, 1):
            events = read_folder(live / f"rank{rank}-train")
            self.assertEqual(events[0]["version"], "brain.Event:2")
            self.assertEqual([(event["step"], event["wall_time"]) for event in events[1:]],
                             [(step, wall) for step, of, _, _, _, wall in rows["steps"] if of == rank])
            by_step = {event["step"]: event["values"] for event in events[1:]}
            for step, of, series, _, value in rows["scalars"]:
                if of == rank and value is None:
                    self.assertNotEqual(by_step[step]["loss"], by_step[step]["loss"], "not a number")
                elif of == rank:
                    self.assertAlmostEqual(by_step[step][names[series][0]], value, delta=1e-6 * abs(value))
            for step, of, series, _, count, _, _, zero, low, high, total, _, squares, at, counts in rows["statistics"]:
                if of != rank:
                    continue
                tag = "/".join(names[series])
                said = {key: by_step[step][f"{tag}/{key}"] for key in ("rms", "mean", "min", "max", "zero_share")}
                wanted = {"rms": (squares / count) ** 0.5, "mean": total / count, "min": low, "max": high,
                          "zero_share": zero / count}
                for key in wanted:
                    self.assertAlmostEqual(said[key], wanted[key], delta=1e-6 * abs(wanted[key]), msg=f"{tag}/{key}")
                width = at % 8 + 1
                counts = [int.from_bytes(counts[i:i + width], "little") for i in range(0, len(counts), width)]
                bins = [(2 * k - 20, n) for k, n in enumerate(counts, at // 8) if n > 0]
                histogram = by_step[step][tag + "/log2_magnitude"]
                self.assertEqual((histogram["min"], histogram["max"], histogram["num"]),
                                 (bins[0][0], bins[-1][0] + 2, count - zero))
                filled = [(limit - 2, n) for limit, n in zip(histogram["limits"], histogram["counts"]) if n]
                self.assertEqual(filled, bins)
        # Once, afterwards, gives the same; and again, in the place of the files that are there.
        for _ in range(2):
            answer = self.pawl_json("trace", "1", "--tensorboard", self.dir / "once")
            self.assertEqual((answer["folders"], answer["steps"]), (2, 40))
        for folder in ("rank0-train", "rank1-train"):
            self.assertEqual(*[next((self.dir / place / folder).iterdir()).read_bytes() for place in ("live", "once")])

    def test_tensorboard_of_some_series_and_what_is_refused(self):
        self.go.touch()
        self.start_run()
        self.finish_run()
        out = self.dir / "out"
        self.pawl("trace", "1", "--tensorboard", out, "--series", "^lo", "--follow")
        self.assertEqual(set(read_folder(out / "rank1-train")[5]["values"]), {"loss"})
        self.assertIn("no series matches 'nothing'",
                      self.pawl("trace", "1", "--tensorboard", self.dir / "new", "--series", "nothing", code=2).stderr)
        (out / "rank1-train" / "events.out.tfevents.1.other").touch()
        done = self.pawl("trace", "1", "--tensorboard", out, code=2)
        self.assertIn("has events.out.tfevents.1.other, which is not of this trace", done.stderr)
        self.pawl("trace", "1", "--follow", code=2)
        self.pawl("trace", "1", "--tensorboard", out, "--csv", code=2)

    def test_the_example_notebook(self):
        """Its cells in order, in one namespace, as Jupyter runs them."""
        self.go.touch()
        self.start_run()
        self.finish_run()
        notebook = json.loads(NOTEBOOK.read_text())
        cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        self.assertEqual([cell["outputs"] for cell in cells], [[]] * len(cells), "it is kept without outputs")
        script = "\n".join("".join(cell["source"]) for cell in cells)
        env = {**self.env, "PAWL_HOME": str(self.home), "PYTHONPATH": str(PACKAGE), "MPLBACKEND": "Agg"}
        done = subprocess.run([sys.executable, "-c", script], env=env, cwd=self.dir, capture_output=True, text=True,
                              timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        for line in ("completed up to step 19", "gradients    0.weight, 0.bias, 2.weight, 2.bias",
                     "loss: step 19 on rank 1"):
            self.assertIn(line + "\n", done.stdout)
        self.assertRegex(done.stdout, r"rank 1: loss [\d.]+ in step 0, nan in step 19\n")
        self.assertRegex(done.stdout, r"0\.weight: most elements are around 2\^-\d+\n")


if __name__ == "__main__":
    unittest.main()
