"""`pawl-evaluate` on scripted models: every metric against NumPy."""

import csv
import gzip
import json
import math
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest
import zlib

import numpy as np
import torch

from harness import PawlTest

EVALUATE = os.environ["PAWL_EVALUATE_BINARY"]
torch.set_num_threads(1)
torch.manual_seed(7)
RANDOM = np.random.default_rng(7)


class Flat(torch.nn.Module):
    """A linear model over whatever shape an example has."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.linear = torch.nn.Linear(inputs, outputs)

    def forward(self, x):
        return self.linear(x.flatten(1))


class Column(torch.nn.Module):
    """One column of the inputs as the answer."""

    def __init__(self, column: int, squeeze: bool = False):
        super().__init__()
        self.column = column
        self.squeeze = squeeze

    def forward(self, x):
        out = x[:, self.column : self.column + 1]
        return out[:, 0] if self.squeeze else out


class Lookup(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(5, 3)

    def forward(self, x):
        return self.table(x).sum(1), x


class First(torch.nn.Module):
    """The first of several outputs, which is what counts."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)[0]


def idx(array):
    code = {"uint8": 8, "float32": 13}[array.dtype.name]
    return struct.pack(">HBB", 0, code, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + \
        array.astype(array.dtype.newbyteorder(">")).tobytes()


def png(pixels):
    """(height, width) or (height, width, 3) bytes."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 2 if pixels.ndim == 3 else 0, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def softmax(logits):
    e = np.exp(logits - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def ratio(a, b):
    return a / b if b else 0.0


def auc(positive, scores):
    better = scores[positive][:, None] - scores[~positive][None, :]
    return ((better > 0) + 0.5 * (better == 0)).mean()


def average_precision(positive, scores):
    total, before = 0.0, 0.0
    for threshold in np.unique(scores)[::-1]:
        chosen = scores >= threshold
        recall = (positive & chosen).sum() / positive.sum()
        total += (recall - before) * (positive & chosen).sum() / chosen.sum()
        before = recall
    return total


def class_metrics(labels, p, names, top_k=(5,), binary=False):
    """What pawl-evaluate must say of these probabilities."""
    n, classes = p.shape
    predicted = p.argmax(1)
    out = {"non_finite_outputs": 0, "accuracy": (predicted == labels).mean()}
    by_class = []
    for c, name in enumerate(names):
        right = ((predicted == c) & (labels == c)).sum()
        precision, recall = ratio(right, (predicted == c).sum()), ratio(right, (labels == c).sum())
        f1 = ratio(2 * right, (predicted == c).sum() + (labels == c).sum())
        by_class.append((precision, recall, f1))
        out.update({f"precision.{name}": precision, f"recall.{name}": recall, f"f1.{name}": f1})
    by_class = np.array(by_class)
    counts = np.bincount(labels, minlength=classes)
    occurs = (counts + np.bincount(predicted, minlength=classes)) > 0
    out["precision_macro"], out["recall_macro"], out["f1_macro"] = by_class[occurs].mean(0)
    out["f1_weighted"] = (by_class[:, 2] * counts).sum() / n
    out["balanced_accuracy"] = by_class[counts > 0, 1].mean()
    one_hot = np.eye(classes)
    x, y = one_hot[predicted], one_hot[labels]
    covariance = lambda a, b: ((a - a.mean(0)) * (b - b.mean(0))).sum()
    out["matthews"] = ratio(covariance(x, y), math.sqrt(covariance(x, x) * covariance(y, y)))
    own = p[np.arange(n), labels]
    for k in top_k:
        if 1 < k < classes:
            out[f"top_{k}_accuracy"] = ((p >= own[:, None]).sum(1) <= k).mean()
    loss = -np.log(own)
    out["log_loss"] = loss.mean()
    out["brier"] = ((p - one_hot[labels]) ** 2).sum(1).mean() / (2 if classes == 2 else 1)
    bins = np.ceil(p.max(1) * 15)
    out["calibration_error"] = sum(
        abs((predicted == labels)[bins == b].mean() - p.max(1)[bins == b].mean()) * (bins == b).sum() / n
        for b in np.unique(bins))
    if binary:
        out["precision"], out["recall"], out["f1"] = by_class[1]
        out["auc"], out["average_precision"] = auc(labels == 1, p[:, 1]), average_precision(labels == 1, p[:, 1])
    else:
        out["auc_macro"] = np.mean([auc(labels == c, p[:, c]) for c in range(classes)])
        out["average_precision_macro"] = np.mean([average_precision(labels == c, p[:, c]) for c in range(classes)])
    return out, predicted, loss


OF_SPEED = {"latency_ms_p50", "latency_ms_p90", "latency_ms_p99", "examples_per_s"}


class EvaluateTest(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="pawl-evaluate-"))
        self.addCleanup(shutil.rmtree, self.dir)

    def script(self, module):
        torch.jit.script(module.eval()).save(str(self.dir / "model.pt"))
        return module

    def run_program(self, *arguments, code=0, env=None):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("PAWL_")}
        done = subprocess.run([EVALUATE, *map(str, arguments)], cwd=self.dir, env={**clean, **(env or {})},
                              capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def evaluate(self, *arguments, **options):
        done = self.run_program("--model", "model.pt", "--threads", "1", "--output", "out", *arguments, **options)
        metrics = json.loads((self.dir / "out/metrics.json").read_text())
        with open(self.dir / "out/predictions.csv", newline="") as file:
            self.rows = list(csv.DictReader(file))
        return metrics, done

    def column(self, name):
        return np.array([float(row[name]) for row in self.rows])

    def assert_metrics(self, metrics, expected, module, n):
        values = {name: metric["value"] for name, metric in metrics.items()}
        self.assertEqual(set(values), set(expected) | OF_SPEED | {"model_bytes", "parameters"})
        for name, value in expected.items():
            self.assertAlmostEqual(values[name], value, delta=1e-6, msg=name)
            self.assertEqual(metrics[name]["n"], n)
            self.assertIn(metrics[name]["direction"], ("higher", "lower"))
        self.assertEqual(values["model_bytes"], (self.dir / "model.pt").stat().st_size)
        self.assertEqual(values["parameters"], sum(p.numel() for p in module.parameters()))
        for name in OF_SPEED:
            self.assertGreater(values[name], 0)

    def assert_classified(self, metrics, module, inputs, labels, names, ids=None, **options):
        with torch.no_grad():
            p = softmax(module(torch.from_numpy(inputs)).double().numpy())
        expected, predicted, loss = class_metrics(labels, p, names, **options)
        self.assert_metrics(metrics, expected, module, len(labels))
        self.assertEqual([row["id"] for row in self.rows], ids or [str(i) for i in range(len(labels))])
        self.assertEqual([row["label"] for row in self.rows], [names[label] for label in labels])
        self.assertEqual([row["prediction"] for row in self.rows], [names[label] for label in predicted])
        np.testing.assert_allclose(self.column("loss"), loss, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(self.column("score"), p.max(1), rtol=1e-5)
        confusion = json.loads((self.dir / "out/confusion.json").read_text())
        self.assertEqual(confusion["classes"], names)
        counts = np.zeros((len(names), len(names)), int)
        np.add.at(counts, (labels, predicted), 1)
        self.assertEqual(confusion["counts"], counts.tolist())

    # --- formats ------------------------------------------------------------------------------------------------------

    def test_idx(self):
        module = self.script(Flat(24, 7))
        images = RANDOM.integers(0, 256, (500, 4, 6), dtype=np.uint8)
        labels = RANDOM.integers(0, 7, 500).astype(np.uint8)
        data = self.dir / "data"
        data.mkdir()
        for split, first in (("t10k", 0), ("train", 400)):
            (data / f"{split}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images[first:])))
            (data / f"{split}-labels-idx1-ubyte").write_bytes(idx(labels[first:]))
        (data / "t10k-labels-idx1-ubyte").rename(data / "t10k-labels-idx1-ubyte.gz")
        metrics, done = self.evaluate("--data", data, "--batch", 64, "--mean", "0.5", "--std", "0.25")
        inputs = (images[:, None].astype(np.float32) / np.float32(255) - np.float32(0.5)) / np.float32(0.25)
        self.assert_classified(metrics, module, inputs, labels.astype(int), [str(i) for i in range(7)])
        self.assertIn("500 examples", done.stdout)
        self.assertEqual(done.stderr, "")  # no terminal, no progress

    def test_the_same_bytes_again_whatever_the_batch(self):
        self.script(Flat(4, 3))
        np.save(self.dir / "x.npy", RANDOM.normal(size=(50, 4)).astype(np.float32))
        np.save(self.dir / "y.npy", RANDOM.integers(0, 3, 50))
        seen = set()
        for _ in range(2):
            self.evaluate("--data", "x.npy")
            metrics = json.loads((self.dir / "out/metrics.json").read_text())
            timeless = json.dumps({k: v for k, v in metrics.items() if k not in OF_SPEED})
            seen.add((timeless, (self.dir / "out/predictions.csv").read_bytes()))
        self.assertEqual(len(seen), 1)

    def test_npy_of_floats_with_two_thirds_of_the_classes(self):
        module = self.script(Flat(5, 3))
        inputs = RANDOM.normal(size=(90, 5))
        labels = RANDOM.integers(0, 3, 90)
        np.save(self.dir / "images.npy", np.asfortranarray(inputs))
        np.save(self.dir / "truth.npy", labels.astype(np.int16))
        (self.dir / "names").write_text("cat\ndog\nemu, large\n")
        metrics, _ = self.evaluate("--data", "images.npy", "--labels", "truth.npy", "--top-k", "1,2", "--classes", "names",
                                   "--limit", 80, "--scores", "all")
        self.assert_classified(metrics, module, inputs[:80].astype(np.float32), labels[:80],
                               ["cat", "dog", "emu, large"], top_k=(2,))
        total = self.column("score_cat") + self.column("score_dog") + self.column("score_emu, large")
        np.testing.assert_allclose(total, 1, atol=1e-12)

    def test_npz_of_integers(self):
        module = self.script(Lookup())
        words = RANDOM.integers(0, 5, (60, 4))
        labels = RANDOM.integers(0, 3, 60)
        for save in (np.savez, np.savez_compressed):
            save(self.dir / "data.npz", x_test=words, y_test=labels, x_train=words[:5], y_train=labels[:5])
            metrics, _ = self.evaluate("--data", "data.npz")
            self.assert_classified(metrics, First(module), words, labels, ["0", "1", "2"])

    def write_csv(self, name, header, rows):
        with open(self.dir / name, "w", newline="") as file:
            csv.writer(file).writerows([header, *rows])

    def test_csv_with_words(self):
        module = self.script(Flat(3, 4))
        inputs = RANDOM.normal(size=(70, 3)).astype(np.float32)
        names = ["ant", "bee", "cow", "elk"]
        labels = RANDOM.integers(0, 4, 70)
        self.write_csv("data.csv", ["id", "a", "b", "kind", "c"],
                       [[f"row {i}", x[0], x[1], names[y], x[2]] for i, (x, y) in enumerate(zip(inputs, labels))])
        metrics, _ = self.evaluate("--data", "data.csv", "--labels", "kind")
        self.assert_classified(metrics, module, inputs, labels, names, ids=[f"row {i}" for i in range(70)])

    def test_images(self):
        module = self.script(Flat(60, 3))
        pixels = RANDOM.integers(0, 256, (30, 4, 5, 3), dtype=np.uint8)
        labels = np.arange(30) % 3
        names = ["cat", "dog", "emu"]
        for i, image in enumerate(pixels):
            folder = self.dir / "photos" / "test" / names[labels[i]]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{i:02}.png").write_bytes(png(image))
        order = np.argsort(labels, kind="stable")
        metrics, _ = self.evaluate("--data", "photos", "--mean", "0.4,0.5,0.6", "--std", "0.2", "--batch", 7)
        inputs = pixels.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
        inputs = (inputs - np.array([0.4, 0.5, 0.6], np.float32)[:, None, None]) / np.float32(0.2)
        self.assert_classified(metrics, module, inputs[order], labels[order], names,
                               ids=[f"{names[labels[i]]}/{i:02}.png" for i in order])

    # --- tasks --------------------------------------------------------------------------------------------------------

    def test_binary(self):
        scores = np.round(RANDOM.normal(size=200), 1).astype(np.float32)  # with ties
        labels = (scores + RANDOM.normal(size=200) > 0.3).astype(int)
        self.write_csv("data.csv", ["label", "s"], zip(labels, scores))
        p = 1 / (1 + np.exp(-scores.astype(np.float64)))
        p = np.stack([1 - p, p], 1)
        expected, predicted, loss = class_metrics(labels, p, ["0", "1"], binary=True)
        for module in (Column(0), Column(0, squeeze=True)):
            self.script(module)
            metrics, _ = self.evaluate("--data", "data.csv", "--task", "binary")
            self.assert_metrics(metrics, expected, module, 200)
            np.testing.assert_allclose(self.column("score"), p[:, 1], rtol=1e-6)
            np.testing.assert_allclose(self.column("loss"), loss, rtol=1e-5)
        self.write_csv("data.csv", ["label", "s"], zip(labels, p[:, 1].astype(np.float32)))
        metrics, _ = self.evaluate("--data", "data.csv", "--task", "binary", "--outputs", "probabilities")
        self.assert_metrics(metrics, expected, module, 200)

    def test_regression(self):
        module = self.script(Column(0))
        predicted = RANDOM.normal(size=100).astype(np.float32).astype(np.float64)
        targets = predicted + RANDOM.normal(size=100) / 4
        self.write_csv("data.csv", ["label", "s"], zip(targets, predicted))
        metrics, _ = self.evaluate("--data", "data.csv", "--task", "regression")
        errors = predicted - targets
        expected = {"non_finite_outputs": 0, "mae": abs(errors).mean(), "rmse": math.sqrt((errors ** 2).mean()),
                    "r2": 1 - (errors ** 2).sum() / ((targets - targets.mean()) ** 2).sum()}
        self.assert_metrics(metrics, expected, module, 100)
        np.testing.assert_allclose(self.column("prediction"), predicted)
        np.testing.assert_allclose(self.column("loss"), errors ** 2)
        self.assertFalse((self.dir / "out/confusion.json").exists())

    def test_ranking(self):
        module = self.script(Column(0))
        queries = np.repeat(["q1", "q2", "q3"], 8)
        scores = RANDOM.normal(size=24).astype(np.float32)
        relevance = RANDOM.integers(0, 4, 24)
        self.write_csv("data.csv", ["query", "label", "s"], zip(queries, relevance, scores))
        self.write_csv("alone.csv", ["label", "s"], zip(relevance, scores))
        self.evaluate_fails("needs the query of each document", "--data", "alone.csv", "--task", "ranking")
        metrics, _ = self.evaluate("--data", "data.csv", "--task", "ranking", "--groups", "query", "--top-k", "3,8")
        expected = {"non_finite_outputs": 0}
        for k in (3, 8):
            discount = 1 / np.log2(np.arange(2, k + 2))
            values = []
            for query in np.unique(queries):
                gains = relevance[queries == query]
                order = np.argsort(-scores[queries == query])
                values.append((gains[order][:k] * discount).sum() / (np.sort(gains)[::-1][:k] * discount).sum())
            expected[f"ndcg_{k}"] = np.mean(values)
        self.assert_metrics(metrics, expected, module, 24)

    # --- what goes wrong ----------------------------------------------------------------------------------------------

    def evaluate_fails(self, part, *arguments, code=2, env=None):
        done = self.run_program("--model", "model.pt", "--output", "out", *arguments, code=code, env=env)
        self.assertIn(part, done.stderr)

    def test_nan_is_counted(self):
        self.write_csv("data.csv", ["label", "s"], [(0, 1), (1, 2), (1, 1e38)])
        module = Flat(1, 2)
        with torch.no_grad():
            module.linear.weight.copy_(torch.tensor([[1.0], [1e38]]))
        self.script(module)
        metrics, done = self.evaluate("--data", "data.csv")
        self.assertEqual(metrics["non_finite_outputs"]["value"], 1)
        self.assertEqual(metrics["accuracy"]["value"], "NaN")
        self.assertEqual([row["prediction"] for row in self.rows][2], "nan")
        self.assertEqual(self.rows[2]["loss"], "NaN")
        self.assertIn("NaN or infinity for 1 of 3 examples", done.stderr)

    def test_mistakes(self):
        self.script(Flat(2, 3))
        np.save(self.dir / "x.npy", np.zeros((4, 2), np.float32))
        np.save(self.dir / "y.npy", np.array([0, 1, 2, 3]))
        self.evaluate_fails("example 3 has label 3, the model gives classes 0 to 2", "--data", "x.npy")
        self.evaluate_fails("3 numbers for each example, expected one", "--data", "x.npy", "--task", "regression")
        np.save(self.dir / "x.npy", np.zeros((4, 5), np.float32))
        self.evaluate_fails("the model fails on inputs of shape (4, 5)", "--data", "x.npy")
        self.evaluate_fails("does not exist", "--data", "none.npy")
        self.evaluate_fails("which dataset?")
        self.evaluate_fails("frobnicate", "--data", "x.npy", "--frobnicate")
        (self.dir / "model.pt").write_text("no model")
        self.evaluate_fails("model.pt: no TorchScript model", "--data", "x.npy")
        (self.dir / "model.pt").unlink()
        self.evaluate_fails("model.pt", "--data", "x.npy")
        self.assertFalse((self.dir / "out").exists())

    def test_the_only_dataset_of_a_stage(self):
        self.script(Flat(2, 3))
        np.save(self.dir / "x.npy", np.zeros((4, 2), np.float32))
        np.save(self.dir / "y.npy", np.array([0, 1, 2, 0]))
        env = {"PAWL_DATA_TINY": str(self.dir), "PAWL_OUTPUT_DIR": str(self.dir / "stage")}
        self.run_program("--model", "model.pt", env=env)
        self.assertTrue((self.dir / "stage/metrics.json").exists())
        self.run_program("--model", "model.pt", env={**env, "PAWL_DATA_OTHER": "/tmp"}, code=2)

    def test_no_cuda(self):
        self.script(Flat(2, 3))
        if torch.cuda.is_available():
            self.skipTest("there is a GPU")
        np.save(self.dir / "x.npy", np.zeros((4, 2), np.float32))
        np.save(self.dir / "y.npy", np.array([0, 1, 2, 0]))
        self.evaluate_fails("no CUDA device", "--data", "x.npy", "--device", "cuda", code=3)


PIPELINE = """
version: 1
on: {push: {branches: [main]}}
data: {tiny: {path: data}}
stages:
  train: {run: cp trained.pt "$PAWL_OUTPUT_DIR/model one.pt", debug: off}
  score:
    uses: evaluate
    needs: train
    with: {model: model one.pt, from: train, mean: [0.5], std: 2, top_k: 2}
gate:
  bootstrap: true
  stage: score
  metrics:
    accuracy: {direction: higher, floor: 0.5, max_drop: 0.02, paired: {margin: 0.02}}
    log_loss: {direction: lower, max_drop: 0.05}
    non_finite_outputs: {direction: lower, ceiling: 0}
"""


class UsesEvaluate(PawlTest):
    def commit_model(self, message, scale):
        module = torch.nn.Linear(3, 3)
        with torch.no_grad():
            module.weight.copy_(torch.eye(3) * scale)
            module.bias.zero_()
        torch.jit.script(module).save(str(self.clone / "trained.pt"))
        self.commit(message)

    def test_a_stage_that_scores_what_another_trained(self):
        self.make_repository(PIPELINE)
        labels = RANDOM.integers(0, 3, 300)
        inputs = (np.eye(3)[labels] + RANDOM.normal(size=(300, 3)) / 3).astype(np.float32)
        (self.clone / "data").mkdir()
        np.save(self.clone / "data/x_test.npy", inputs)
        np.save(self.clone / "data/y_test.npy", labels)
        self.commit_model("good", 4)
        run = self.pawl_json("run", self.clone)
        self.assertEqual(run["verdict"], "PASS", run)
        self.pawl("artifacts", "get", "1", "metrics.json", "-o", self.dir / "metrics.json")
        metrics = json.loads((self.dir / "metrics.json").read_text())
        p = softmax((inputs.astype(np.float64) - 0.5) / 2 * 4)
        self.assertAlmostEqual(metrics["accuracy"]["value"], (p.argmax(1) == labels).mean())
        self.assertAlmostEqual(metrics["log_loss"]["value"], -np.log(p[np.arange(300), labels]).mean(), delta=1e-6)
        self.commit_model("the wrong way round", -4)
        run = self.pawl_json("run", self.clone, code=1)
        self.assertEqual(run["verdict"], "FAIL")
        self.assertIn("accuracy", run["headline"])


if __name__ == "__main__":
    unittest.main()
