"""The writer of metrics.json and predictions.{csv,npy}, and the little helpers."""

import csv
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import numpy
import torch

import pawl
from pawl import _library


class OutputTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="pawl-output-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name) / "out"
        patch = mock.patch.dict(os.environ, {"PAWL_OUTPUT_DIR": str(self.folder)})
        patch.start()
        self.addCleanup(patch.stop)
        for name in ("RANK", "PAWL_CHECKPOINT_DIR"):
            os.environ.pop(name, None)

    def metrics(self):
        def refuse(text):
            self.fail("%s is no JSON" % text)
        return json.loads((self.folder / "metrics.json").read_text(), parse_constant=refuse)

    def rows(self):
        with open(self.folder / "predictions.csv", newline="", encoding="utf-8") as file:
            return list(csv.reader(file))


class Metrics(OutputTest):
    def test_numbers_of_every_kind(self):
        pawl.metrics({"a": 1, "b": 0.5, "c": torch.tensor(0.25), "d": numpy.float32(2), "e": numpy.int64(3), "f": 0.0})
        self.assertEqual(self.metrics(), {"a": 1, "b": 0.5, "c": 0.25, "d": 2.0, "e": 3, "f": 0.0})

    def test_not_finite_numbers_are_spelled(self):
        pawl.metrics({"a": float("nan"), "b": float("inf"), "c": {"value": float("-inf")}})
        self.assertEqual(self.metrics(), {"a": "NaN", "b": "Infinity", "c": {"value": "-Infinity"}})

    def test_details(self):
        loss = {"value": 0.31, "direction": "lower", "unit": "nats", "n": numpy.int64(10000)}
        pawl.metrics({"loss": loss})
        self.assertEqual(self.metrics(), {"loss": loss})

    def test_calls_add_up_and_leave_one_file(self):
        pawl.metrics({"a": 1, "b": 2})
        pawl.metrics({"b": 3})
        self.assertEqual(self.metrics(), {"a": 1, "b": 3})
        self.assertEqual(os.listdir(self.folder), ["metrics.json"])

    def test_what_the_gate_would_refuse_is_refused_before_writing(self):
        wrong = [{"": 1}, {"x" * 129: 1}, {"a\n": 1}, {3: 1}, {"a": True}, {"a": "1"}, {"a": None}, {"a": {}},
                 {"a": {"value": 1, "direction": "up"}}, {"a": {"value": 1, "n": -1}}, {"a": {"value": 1, "n": 1.5}},
                 {"a": {"value": 1, "unit": 3}}, {"a": {"value": 1, "vlaue": 2}}, {"a": torch.ones(2)}]
        for values in wrong:
            with self.subTest(values), self.assertRaises((TypeError, ValueError, RuntimeError)):
                pawl.metrics(dict({"fine": 1}, **values) if all(isinstance(k, str) for k in values) else values)
        self.assertFalse(self.folder.exists())

    def test_only_rank_0_writes(self):
        with mock.patch.dict(os.environ, {"RANK": "1"}):
            pawl.metrics({"a": 1})
            self.assertRaises(TypeError, pawl.metrics, {"a": "1"})
            pawl.predictions(None, [1], [1])
        self.assertFalse(self.folder.exists())

    def test_a_full_disk_leaves_the_old_file(self):
        pawl.metrics({"a": 1})
        with mock.patch("os.fsync", side_effect=OSError(28, "No space left on device")):
            self.assertRaises(OSError, pawl.metrics, {"a": 2})
        self.assertEqual(self.metrics(), {"a": 1})
        self.assertEqual(os.listdir(self.folder), ["metrics.json"])


class Predictions(OutputTest):
    def test_csv(self):
        pawl.predictions(["a", "b,c"], torch.tensor([3, 4]), numpy.array([3, 5]),
                         scores=torch.tensor([0.5, float("nan")]), slices={"lang": ["de", "x\"y\nz"]})
        self.assertEqual(self.rows(), [["id", "label", "prediction", "score", "lang"], ["a", "3", "3", "0.5", "de"],
                                       ["b,c", "4", "5", "NaN", "x\"y\nz"]])

    def test_scores_per_class_and_row_numbers_as_ids(self):
        pawl.predictions(None, ["cat", "dog"], ["cat", "cat"], scores={"cat": [0.75, 1], "dog": [0.25, 0]})
        self.assertEqual(self.rows(), [["id", "label", "prediction", "score_cat", "score_dog"],
                                       ["0", "cat", "cat", "0.75", "0.25"], ["1", "dog", "cat", "1", "0"]])

    def test_a_label_may_not_be_known_yet(self):
        pawl.predictions(["a", "b"], [None, 1], [2, 1])
        self.assertEqual(self.rows(), [["id", "label", "prediction"], ["a", "", "2"], ["b", "1", "1"]])
        with self.assertRaises(TypeError):
            pawl.predictions(["a"], [1], [None])
        with self.assertRaises(TypeError):
            pawl.predictions([1], [None], [2], npy=True)

    def test_npy_is_what_numpy_reads(self):
        pawl.predictions([7, 8, 9], [1, 2, 3], [1, 2, -3], npy=True)
        array = numpy.load(self.folder / "predictions.npy")
        self.assertEqual((array.dtype, array.tolist()), (numpy.int64, [[7, 1, 1], [8, 2, 2], [9, 3, -3]]))
        pawl.predictions(None, [1, 2], [1, 0], scores=[0.5, float("inf")], npy=True)
        array = numpy.load(self.folder / "predictions.npy")
        self.assertEqual((array.dtype, array.tolist()), (numpy.float64, [[0, 1, 1, 0.5], [1, 2, 0, float("inf")]]))

    def test_what_the_gate_would_refuse_is_refused_before_writing(self):
        wrong = [dict(ids=["a", "a "]), dict(ids=["a"]), dict(ids=["", "b"]), dict(labels=[1, ""]),
                 dict(labels=[], predicted=[], ids=[]), dict(predicted=[1]), dict(scores=["x", "y"]),
                 dict(scores=[1]), dict(slices={"label": [1, 2]}), dict(slices={"score_x": [1, 2]}),
                 dict(slices={"": [1, 2]}), dict(labels=[[1], [2]]), dict(ids=["a", "b"], npy=True),
                 dict(ids=[2 ** 53, 1], scores=[0.5, 0.5], npy=True)]
        for change in wrong:
            with self.subTest(change), self.assertRaises((TypeError, ValueError)):
                pawl.predictions(**{**dict(ids=None, labels=[1, 2], predicted=[1, 2]), **change})
        self.assertFalse(self.folder.exists())


class Places(OutputTest):
    def test_data(self):
        with mock.patch.dict(os.environ, {"PAWL_DATA_FASHION_MNIST_2": "/data/fashion"}):
            self.assertEqual(pawl.data("fashion-mnist.2"), pathlib.Path("/data/fashion"))
        with self.assertRaisesRegex(LookupError, "PAWL_DATA_OTHER is not set"):
            pawl.data("other")

    def test_checkpoints(self):
        target = self.folder / "kept" / "here"
        with mock.patch.dict(os.environ, {"PAWL_CHECKPOINT_DIR": str(target)}):
            self.assertEqual(pawl.checkpoint_dir(), target)
        self.assertTrue(target.is_dir())

    def test_outside_a_stage_the_package_needs_neither_torch_nor_numpy(self):
        script = """
import sys
sys.modules["torch"] = sys.modules["numpy"] = None
import pawl
pawl.metrics({"a": 1})
pawl.predictions(None, [1], [1])
pawl.predictions(None, [1], [1], npy=True)
pawl.log_scalar("a", 1)
print(pawl.checkpoint_dir())
"""
        self.folder.mkdir()
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PAWL_")}
        end = subprocess.run([sys.executable, "-c", script], env=environment, cwd=self.folder, capture_output=True,
                             text=True)
        self.assertEqual((end.stdout, end.stderr), ("pawl-out/checkpoints\n", ""))
        self.assertEqual(sorted(os.listdir(self.folder / "pawl-out")),
                         ["checkpoints", "metrics.json", "predictions.csv", "predictions.npy"])


class Statistics(unittest.TestCase):
    def test_added_statistics_are_those_of_all_elements(self):
        library = _library.Library(os.environ["PAWL_BUILD_DIR"] + "/lib/libpawl_capture.so")
        nan, inf = float("nan"), float("inf")
        parts = [[3.0, -1.5, 0.0, nan], [inf, nan], [1e-30, 7.0, -9.0, -inf], [nan], [0.0]]

        def stats_of(values):
            tensor = torch.tensor(values, dtype=torch.float64)
            return library.compute_stats(tensor.data_ptr(), _library.F64, tensor.shape, tensor.stride())

        total = _library.Stats()
        for part in parts:
            total.add(stats_of(part))
        whole = stats_of([value for part in parts for value in part])
        for field, _ in _library.Stats._fields_[:-1]:
            self.assertEqual(getattr(total, field), getattr(whole, field), field)
        self.assertEqual(list(total.magnitude), list(whole.magnitude))


if __name__ == "__main__":
    unittest.main()
