"""pawl.open(): what is read from a trace.db of known content, and what is said when there is nothing to read."""

import fcntl
import json
import os
import pathlib
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

import pawl

SCHEMA = pathlib.Path(__file__).resolve().parents[3] / "schema/trace_db.sql"
SERIES = [(0, "loss", "loss"), (1, "lr", "scalar"), (2, "fc1.weight", "gradient"), (3, "fc1.weight", "weight"),
          (4, "fc2.bias", "bias")]


class Writer:
    """Stands in for the supervisor of an attempt: its trace.db, its lock, its result."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True)
        (folder / "intent.json").write_text("{}")
        self.lock = open(folder / "lock", "wb")
        fcntl.flock(self.lock, fcntl.LOCK_EX)

    def create(self):
        self.db = sqlite3.connect(self.folder / "trace.db", check_same_thread=False)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.executescript(SCHEMA.read_text() + "PRAGMA user_version = 1;")
        self.db.executemany("INSERT INTO series VALUES(?, ?, ?, 'f32', '[2,3]')", SERIES)
        self.db.commit()
        return self

    def step(self, step, rank=0, mode=0):
        self.db.execute("INSERT INTO steps VALUES(?, ?, ?, 0, 1, 1000)", (step, rank, mode))
        self.db.execute("INSERT INTO scalars VALUES(0, ?, ?, ?, ?)", (step, rank, mode, step / 2 + rank + 10 * mode))
        self.db.commit()

    def scalar(self, series, step, value):
        self.db.execute("INSERT INTO scalars VALUES(?, ?, 0, 0, ?)", (series, step, value))
        self.db.commit()

    def stats(self, series, step, rank=0, nan=0, inf=0):
        """Six elements: 4, -3, two zeros, and whatever is not finite instead of zeros."""
        magnitude = struct.pack("<16Q", *(2 if k == 10 else 0 for k in range(16)))
        self.db.execute("INSERT INTO statistics VALUES(?, ?, ?, 0, 6, ?, ?, ?, -3, 4, 1, 7, 25, ?)",
                        (series, step, rank, nan, inf, 2 - nan - inf, magnitude))
        self.db.commit()

    def end(self, reason="rank 1 ended with exit code 1"):
        self.db.close()
        (self.folder / "result.json").write_text(json.dumps({"outcome": "failed", "reason": reason}))
        self.lock.close()


class Reading(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="pawl-reading-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.attempt = self.folder / "attempt"

    def writer(self):
        writer = Writer(self.attempt)
        self.addCleanup(writer.lock.close)
        return writer

    def open(self, *arguments, **options):
        trace = pawl.open(*arguments or (self.attempt,), **options)
        self.addCleanup(trace.close)
        return trace

    def test_names(self):
        writer = self.writer().create()
        trace = self.open()
        self.assertEqual(trace.tensors(), ["loss", "lr", "fc1.weight", "fc2.bias"])
        self.assertEqual(trace.tensors("^fc"), ["fc1.weight", "fc2.bias"])
        self.assertEqual(trace.tensors(collection="gradients"), ["fc1.weight"])
        self.assertEqual(trace.tensors("bias$", "weights"), [])
        with self.assertRaisesRegex(ValueError, "no collection 'weight'; they are: losses, scalars, weights"):
            trace.tensors(collection="weight")
        self.assertEqual(repr(trace.tensor("fc2.bias")), "<bias fc2.bias f32[2, 3]>")
        with self.assertRaisesRegex(pawl.AmbiguousTensor, "recorded as gradient and weight: say which.*kind='weight'"):
            trace.tensor("fc1.weight")
        self.assertEqual(trace.tensor("fc1.weight", "weight").shape, (2, 3))
        with self.assertRaisesRegex(pawl.NoSuchTensor, "'fc1.wieght' was recorded; did you mean 'fc1.weight'"):
            trace.tensor("fc1.wieght")
        with self.assertRaisesRegex(pawl.NoSuchTensor, "'fc2.bias' was not recorded as update, but as bias"):
            trace.tensor("fc2.bias", kind="update")
        with self.assertRaisesRegex(pawl.NoSuchTensor, "nothing of the name 'q' was recorded so far: tensors()"):
            trace.tensor("q")
        writer.end()
        with self.assertRaisesRegex(pawl.NoSuchTensor, "nothing of the name 'q' was recorded: tensors()"):
            trace.tensor("q")

    def test_numbers(self):
        writer = self.writer().create()
        for step in (0, 1, 3):
            writer.step(step)
        writer.step(1, rank=1)
        writer.step(7, mode=1)
        writer.scalar(1, 0, None)
        trace = self.open()
        loss = trace.tensor("loss")
        self.assertEqual((trace.steps(), trace.steps(rank=1), trace.steps(mode="eval")), ([0, 1, 3], [1], [7]))
        self.assertEqual((loss.steps(), loss.steps(rank=1), loss.steps(mode="eval")), ([0, 1, 3], [1], [7]))
        self.assertEqual((loss.value(3), loss.value(1, rank=1), loss.value(7, mode="eval")), (1.5, 1.5, 13.5))
        self.assertNotEqual(trace.tensor("lr").value(0), trace.tensor("lr").value(0))  # NaN
        with self.assertRaisesRegex(pawl.NotRecorded, "loss loss has no value in step 2 of rank 0; steps 0 to 3 are"):
            loss.value(2)
        with self.assertRaisesRegex(pawl.NotRecorded, "step 0 of rank 5; no step is recorded there"):
            loss.value(0, rank=5)
        with self.assertRaisesRegex(pawl.NotRecorded, "loss loss is a number in each step: use values"):
            loss.stats()
        with self.assertRaisesRegex(ValueError, "no mode 'training'; they are: train, eval"):
            loss.steps(mode="training")
        values = loss.values()
        self.assertEqual({column: array.tolist() for column, array in values.items()},
                         {"step": [0, 1, 1, 3], "rank": [0, 0, 1, 0], "value": [0.0, 0.5, 1.5, 1.5]})
        self.assertEqual(values["value"].dtype, float)
        rates = trace.tensor("lr").values()["value"]
        self.assertTrue(len(rates) == 1 and rates[0] != rates[0])

    def test_statistics(self):
        writer = self.writer().create()
        writer.stats(2, 0)
        writer.stats(2, 0, rank=1, nan=1, inf=1)
        writer.stats(3, 5)
        tensor = self.open().tensor("fc1.weight", "gradient")
        self.assertEqual(tensor.steps(), [0])
        stats = tensor.stats()
        self.assertEqual(stats["magnitude"].shape, (2, 16))
        self.assertEqual(stats["magnitude"].sum(axis=1).tolist(), [2, 2])
        self.assertEqual(stats["magnitude"][0, 10], 2)
        lists = {column: array.tolist() for column, array in stats.items() if column != "magnitude"}
        self.assertEqual(lists, {
            "step": [0, 0], "rank": [0, 1], "min": [-3, -3], "max": [4, 4], "mean": [1 / 6, 1 / 4],
            "rms": [(25 / 6) ** 0.5, 2.5], "l2": [5, 5], "nan": [0, 1], "inf": [0, 1], "count": [6, 6],
            "zero_share": [2 / 6, 0]})
        self.assertEqual(tensor.stats(rank=1)["rank"].tolist(), [1])
        self.assertEqual(tensor.stats(mode="eval")["magnitude"].shape, (0, 16))
        with self.assertRaisesRegex(pawl.NotRecorded, "of gradient fc1.weight statistics are recorded, not its elements"):
            tensor.value(0)

    def test_the_same_trace_while_it_grows(self):
        writer = self.writer()
        trace = self.open()  # the supervisor has just started
        self.assertEqual((trace.steps(), trace.tensors()), ([], []))
        with self.assertRaisesRegex(TimeoutError, "still before its first step after 0 s, not at step 0"):
            trace.wait_for_step(0, timeout=0)
        writer.create()
        writer.step(0)
        self.assertEqual(trace.wait_for_step(0), 0)
        self.assertEqual(trace.steps(), [0])
        with self.assertRaisesRegex(TimeoutError, "still at step 0"):
            trace.wait_for_step(1, timeout=0.01)
        thread = threading.Thread(target=lambda: [writer.step(step) for step in range(1, 50)])
        thread.start()
        self.assertEqual(trace.wait_for_step(49, timeout=60), 49)
        thread.join()
        waiting = threading.Thread(target=writer.end)
        waiting.start()
        with self.assertRaisesRegex(pawl.TrainingEnded, "step 50 will not come: the training has ended "
                                                        r"\(rank 1 ended with exit code 1\), at step 49"):
            trace.wait_for_step(50, timeout=60)
        waiting.join()
        self.assertEqual(trace.wait_for_step(49), 49)

    def test_a_reader_does_not_hold_the_file_of_a_running_attempt(self):
        writer = self.writer().create()
        writer.step(0)
        trace = self.open()
        self.assertEqual(trace.tensor("loss").value(0), 0)
        # What the supervisor does last; refused while anybody has the file open.
        self.assertEqual(writer.db.execute("PRAGMA journal_mode = DELETE").fetchone(), ("delete",))

    def test_a_copied_database_and_the_context_manager(self):
        writer = self.writer().create()
        writer.step(4)
        writer.end()
        copy = self.folder / "copy.db"
        copy.write_bytes((self.attempt / "trace.db").read_bytes())
        with pawl.open(str(copy)) as trace:
            self.assertEqual(trace.path, copy)
            self.assertEqual(trace.tensor("loss").value(4), 2)
            with self.assertRaisesRegex(pawl.TrainingEnded, "no running training belongs to"):
                trace.wait_for_step(5)
        with self.assertRaisesRegex(ValueError, "the trace is closed"):
            trace.steps()

    def test_nothing_to_read(self):
        with self.assertRaisesRegex(pawl.NoTrace, "there is no .*nowhere"):
            pawl.open(self.folder / "nowhere")
        with self.assertRaisesRegex(pawl.NoTrace, "is no attempt of a stage"):
            pawl.open(self.folder)
        writer = self.writer().create()
        writer.end()
        (self.attempt / "trace.db").unlink()
        with self.assertRaisesRegex(pawl.NoTrace, "is not there: the training has recorded nothing"):
            pawl.open(self.attempt)
        (self.attempt / "trace/rank-00000").mkdir(parents=True)
        (self.attempt / "trace/rank-00000/000001.seg").touch()
        with self.assertRaisesRegex(pawl.NoTrace, "`pawl trace rebuild RUN` makes it again"):
            pawl.open(self.attempt)
        (self.attempt / "trace.db").write_text("no database at all, but long enough to be looked at" * 10)
        with self.assertRaisesRegex(pawl.TraceError, "trace.db: file is not a database"):
            pawl.open(self.attempt)

    def test_a_database_of_an_older_pawl(self):
        writer = self.writer().create()
        writer.db.execute("DROP VIEW v1_tensors")
        writer.end()
        with self.assertRaisesRegex(pawl.TraceError, "no such table: v1_tensors; `pawl trace rebuild RUN` makes it as"):
            self.open().tensor("fc2.bias").stats()

    def test_runs_of_a_home(self):
        home = self.folder / "home"
        home.mkdir()
        with self.assertRaisesRegex(pawl.NoSuchRun, "there is no record in .*home: say home=, or set PAWL_HOME"):
            pawl.open(1, home=home)
        ids = ["01ABCDEF000000000000000001", "01ABCDEF000000000000000002"]
        with sqlite3.connect(home / "pawl.db") as db:
            db.executescript("CREATE TABLE runs (number, id, event_key, commit_sha);"
                             "CREATE TABLE stages (run_id, name, position);"
                             "CREATE TABLE attempts (run_id, stage, number);")
            db.executemany("INSERT INTO runs VALUES(?, ?, ?, ?)", [(1, ids[0], "manual:a", "c0ffee" + "0" * 34),
                                                                   (2, ids[1], "trial:b", "deadbeef" + "0" * 32)])
            db.executemany("INSERT INTO stages VALUES(?, ?, ?)", [(ids[0], "train", 0), (ids[0], "fit", 1)])
            db.executemany("INSERT INTO attempts VALUES(?, ?, ?)", [(ids[0], "train", 1), (ids[0], "train", 2),
                                                                    (ids[0], "fit", 1)])
        db.close()
        root = home / "runs" / ids[0]
        for place in ("train/1", "train/2"):
            writer = Writer(root / place).create()
            writer.end()
        for name in (1, "1", "#1", "last", ids[0], "c0ffee0"):
            self.assertEqual(self.open(name, home=home).path, root / "train/2/trace.db", name)
        self.assertEqual(self.open(1, home=home, stage="train").path, root / "train/2/trace.db")
        (root / "train/2/trace.db").unlink()
        os.environ["PAWL_HOME"] = str(home)
        self.addCleanup(os.environ.pop, "PAWL_HOME")
        self.assertEqual(pawl.open().path, root / "train/1/trace.db")
        with self.assertRaisesRegex(pawl.NoSuchRun, "'01ABCDEF' fits several runs"):
            pawl.open("01ABCDEF")
        with self.assertRaisesRegex(pawl.NoSuchRun, "there is no run '3'"):
            pawl.open(3)
        with self.assertRaisesRegex(pawl.NoTrace, "run 1 has started no stage 'trian'; it has started: fit, train"):
            pawl.open(1, stage="trian")
        with self.assertRaisesRegex(pawl.NoTrace, "run 2 has no trace on this machine"):
            pawl.open(2)
        running = Writer(root / "fit/1")
        self.addCleanup(running.lock.close)
        self.assertEqual(self.open(1, stage="fit").path, root / "fit/1/trace.db")

    def test_numpy_is_needed_for_arrays_only(self):
        writer = self.writer().create()
        writer.step(0)
        script = ("import sys; sys.modules['numpy'] = None; import pawl\n"
                  "print(pawl.open(sys.argv[1]).tensor('loss').value(0))")
        done = subprocess.run([sys.executable, "-c", script, str(self.attempt)], capture_output=True, text=True)
        self.assertEqual((done.stdout, done.stderr), ("0.0\n", ""))


if __name__ == "__main__":
    unittest.main()
