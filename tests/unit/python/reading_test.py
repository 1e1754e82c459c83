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
import unittest.mock
import zlib

import pawl

SCHEMA = pathlib.Path(__file__).resolve().parents[3] / "schema/trace_db.sql"
SERIES = [(0, "loss", "loss"), (1, "lr", "scalar"), (2, "fc1.weight", "gradient"), (3, "fc1.weight", "weight"),
          (4, "fc2.bias", "bias"), (5, "forward", "span"), (6, "input", "batch"), (7, "fc2.bias", "hash")]


def safetensors(dtype, shape, elements, **changes):
    tensor = {"dtype": dtype, "shape": shape, "data_offsets": [0, len(elements)], **changes}
    header = json.dumps({"value": tensor}).encode()
    return struct.pack("<Q", len(header)) + header + elements


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
        self.db.executescript(SCHEMA.read_text() + "PRAGMA user_version = 2;")
        self.db.executemany("INSERT INTO series VALUES(?, ?, ?, 'f32', '[2,3]')", SERIES)
        self.db.commit()
        return self

    def step(self, step, rank=0, mode=0):
        self.db.execute("INSERT INTO steps VALUES(?, ?, ?, 0, 1, 1000)", (step, rank, mode))
        self.db.execute("INSERT INTO scalars VALUES(?, ?, 0, ?, ?)", (step, rank, mode, step / 2 + rank + 10 * mode))
        self.db.commit()

    def row(self, table, step, rank, series, *values):
        """In a step that was perhaps never completed."""
        self.db.execute("INSERT OR IGNORE INTO steps(step, rank, mode) VALUES(?, ?, 0)", (step, rank))
        places = ", ".join("?" * len(values))
        self.db.execute("INSERT INTO %s VALUES(?, ?, ?, 0, %s)" % (table, places), (step, rank, series, *values))
        self.db.commit()

    def scalar(self, series, step, value):
        self.row("scalars", step, 0, series, value)

    def stats(self, series, step, rank=0, nan=0, inf=0):
        """Six elements: 4, -3, two zeros, and whatever is not finite instead of zeros."""
        self.row("statistics", step, rank, series, 6, nan, inf, 2 - nan - inf, -3, 4, 1, 7, 25, 8 * 10, b"\x02")

    def elements(self, series, step, document, size=None):
        self.row("raw_tensors", step, 0, series, len(document) if size is None else size, zlib.compress(document, 1))

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
        self.assertEqual(trace.tensors(), ["loss", "lr", "fc1.weight", "fc2.bias", "forward", "input"])
        self.assertEqual(trace.tensors(collection="hashes"), ["fc2.bias"])
        self.assertEqual(trace.tensors("^fc"), ["fc1.weight", "fc2.bias"])
        self.assertEqual(trace.tensors(collection="gradients"), ["fc1.weight"])
        self.assertEqual(trace.tensors("bias$", "weights"), [])
        with self.assertRaisesRegex(ValueError, "no collection 'weight'; they are: losses, scalars, weights"):
            trace.tensors(collection="weight")
        self.assertEqual(repr(trace.tensor("fc2.bias", "bias")), "<bias fc2.bias f32[2, 3]>")
        with self.assertRaisesRegex(pawl.AmbiguousTensor, "recorded as gradient and weight: say which.*kind='weight'"):
            trace.tensor("fc1.weight")
        self.assertEqual(trace.tensor("fc1.weight", "weight").shape, (2, 3))
        with self.assertRaisesRegex(pawl.NoSuchTensor, "'fc1.wieght' was recorded; did you mean 'fc1.weight'"):
            trace.tensor("fc1.wieght")
        with self.assertRaisesRegex(pawl.NoSuchTensor, "'fc2.bias' was not recorded as update, but as bias and hash"):
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

    def test_elements(self):
        writer = self.writer().create()
        tensor = self.open().tensor("fc1.weight", "weight")
        cases = [("F32", "<3f", [0.5, -1.0, float("inf")]), ("F64", "<d", [1e300]), ("F16", "<2e", [0.5, -2.0]),
                 ("I64", "<2q", [-1, 1 << 40]), ("U8", "<2B", [0, 255]), ("BOOL", "<2?", [True, False])]
        for step, (dtype, layout, elements) in enumerate(cases):
            writer.elements(3, step, safetensors(dtype, [len(elements)], struct.pack(layout, *elements)))
            self.assertEqual(tensor.value(step).tolist(), elements, dtype)
        writer.elements(3, 10, safetensors("BF16", [1, 2], struct.pack("<2f", 1.5, -2)[2:4] + b"\x00\xc0"))
        self.assertEqual((tensor.value(10).tolist(), tensor.value(10).dtype), ([[1.5, -2.0]], "float32"))
        writer.elements(3, 11, safetensors("F32", [0, 4], b""))
        writer.elements(3, 12, safetensors("F32", [], struct.pack("<f", 4)))
        self.assertEqual((tensor.value(11).shape, tensor.value(12).shape), ((0, 4), ()))
        tensor.value(12)[...] = 1  # is the reader's own
        with self.assertRaisesRegex(pawl.NotRecorded, "no value in step 7 of rank 0; steps 0 to 12 are recorded there"):
            tensor.value(7)

    def test_hostile_elements(self):
        good = safetensors("F32", [2], bytes(8))
        size, = struct.unpack("<Q", good[:8])
        header = good[8:8 + size]
        cases = {
            "there is no header": [b"", b"1234567"],
            "the header is longer": [struct.pack("<Q", 1 << 63) + header, struct.pack("<Q", len(header) + 1) + header],
            "the header is no JSON": [struct.pack("<Q", n) + text for n, text in
                                      [(3, b"{]}"), (2, b"\xff\xfe"), (60000, b"[" * 60000), (0, b"")]],
            "not one tensor, 'value'": [struct.pack("<Q", len(text)) + text for text in
                                        [b"[]", b"{}", b'{"value":1}', b'{"other":{}}', b'{"value":{},"other":{}}']],
            "its dtype is unknown": [safetensors(dtype, [2], bytes(8)) for dtype in ("F31", "", 4, None, ["F32"])],
            "its shape is none": [safetensors("F32", shape, bytes(8)) for shape in
                                  (2, None, "2", [2.0], [-2], [True, 2], [[2]], [1 << 70], [1] * 65)],
            "its data_offsets are not": [safetensors("F32", [2], bytes(8), data_offsets=offsets) for offsets in
                                         ([0, 4], [0, 9], [1, 8], [8, 0], [0], [0, 8, 8], None, [False, 8], [0, 1e9])],
            "does not take 8 bytes": [safetensors("F32", shape, bytes(8)) for shape in
                                      ([3], [1], [], [0], [1 << 25, 1 << 25, 1 << 25])],
        }
        writer = self.writer().create()
        tensor = self.open().tensor("fc1.weight", "weight")
        step = 0
        for message, documents in cases.items():
            for document in documents:
                writer.elements(3, step, document, size=max(len(document), 1) if document else None)
                with self.assertRaisesRegex(pawl.TraceError, "step %d of rank 0 are damaged: .*" % step
                                            + (message if document else "0 bytes are no tensor"), msg=document[:99]):
                    tensor.value(step)
                step += 1
        for size in (len(good) - 1, len(good) + 1, 1, 0, -1, 1 << 40):
            writer.elements(3, step, good, size=size)
            with self.assertRaisesRegex(pawl.TraceError, "are damaged: (they are not the|-?[0-9]+ bytes are no)"):
                tensor.value(step)
            step += 1
        for data in (b"", b"no zlib", zlib.compress(good)[:-5], zlib.compress(good)[:3]):
            writer.row("raw_tensors", step, 0, 3, len(good), data)
            with self.assertRaisesRegex(pawl.TraceError, "are damaged: "):
                tensor.value(step)
            step += 1

    def test_spans_batches_hashes_and_fine_histograms(self):
        writer = self.writer().create()
        writer.step(2)
        writer.row("spans", 2, 0, 5, 1.5, 2.0)
        writer.row("spans", 2, 1, 5, 1.25, 2.5)
        writer.row("batches", 2, 0, 6, 0, -1, 3, '{"1":2,"3":1}')
        writer.row("batches", 2, 0, 6, 1, 5, 4, None)
        writer.row("hashes", 2, 0, 7, -2)
        writer.row("hashes", 2, 1, 7, 255)
        writer.row("fine_histograms", 2, 0, 4, 10, struct.pack("<256I", *range(256)))
        trace = self.open()
        self.assertEqual({key: array.tolist() for key, array in trace.spans().items()},
                         {"name": ["forward"] * 2, "step": [2, 2], "rank": [0, 1], "begin": [1.5, 1.25], "end": [2.0, 2.5]})
        self.assertEqual(trace.spans(rank=1)["begin"].tolist(), [1.25])
        self.assertEqual(len(trace.spans(mode="eval")["name"]), 0)
        self.assertEqual(trace.batches(), [
            {"name": "input", "step": 2, "rank": 0, "part": 0, "digest": "f" * 16, "examples": 3,
             "label_counts": {1: 2, 3: 1}},
            {"name": "input", "step": 2, "rank": 0, "part": 1, "digest": "0" * 15 + "5", "examples": 4,
             "label_counts": None}])
        digests = trace.tensor("fc2.bias", "hash")
        self.assertEqual((digests.value(2), digests.value(2, rank=1)), ("fffffffffffffffe", "00000000000000ff"))
        self.assertEqual(digests.values()["value"].tolist(), ["fffffffffffffffe", "00000000000000ff"])
        with self.assertRaisesRegex(pawl.NotRecorded, "hash fc2.bias is not a tensor: values.. has what was recorded"):
            digests.stats()
        with self.assertRaisesRegex(pawl.NotRecorded, "span forward is not .*: spans.. of the trace has"):
            trace.tensor("forward").value(2)
        with self.assertRaisesRegex(pawl.NotRecorded, "batch input is not .*: batches.. of the trace has"):
            trace.tensor("input").values()
        self.assertEqual(trace.tensor("forward").steps(), [2])
        self.assertEqual(trace.tensor("fc2.bias", "bias").fine_histogram(2).tolist(), list(range(256)))
        self.assertEqual(trace.details_from(), 0)
        writer.db.execute("INSERT INTO meta VALUES('details_from', '17')")
        writer.db.commit()
        self.assertEqual(trace.details_from(), 17)

    def test_one_series_is_read_without_those_beside_it(self):
        writer = self.writer().create()
        trace = self.open()
        for name, kind in (("fc1.weight", "weight"), ("loss", "loss"), ("fc2.bias", "hash")):
            plans = []

            def explain(sql, *values):
                plans.extend(writer.db.execute("EXPLAIN QUERY PLAN " + sql, values).fetchall())
                return []

            tensor = trace.tensor(name, kind)
            with unittest.mock.patch.object(trace, "_rows", explain):
                tensor.steps()
            steps = [row[3] for row in plans]
            self.assertTrue(any("PRIMARY KEY (step=? AND rank=? AND series=?" in step for step in steps), steps)
            self.assertNotIn("USE TEMP B-TREE FOR ORDER BY", steps)

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
            self.open().tensor("fc2.bias", "bias").stats()

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
