#!/usr/bin/env python3
"""pawl-evaluate against the same evaluation as a loop in Python: one JSON object.

usage: evaluate.py PAWL_EVALUATE [FOLDER]    FOLDER: Fashion-MNIST, by default that of Debian's package

Both load a TorchScript model and the test set, answer batch by batch with as many threads, and take accuracy, log loss
and the confusion matrix. Alternating, three times each; the medians. `*_seconds` is the whole process, `*_cpu_seconds` the
processor time in it, which other work on the machine changes less, `*_examples_per_s` the loop over the batches alone.
"""

import json
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

BATCH = 256
ROUNDS = 3

MAKE_MODEL = """
import sys, torch
torch.manual_seed(1)
model = torch.nn.Sequential(
    torch.nn.Conv2d(1, 16, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
    torch.nn.Conv2d(16, 32, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
    torch.nn.Flatten(), torch.nn.Linear(1568, 10))
torch.jit.script(model.eval()).save(sys.argv[1])
"""

LOOP = """
import gzip, sys, time
import numpy as np, torch
path, folder, batch, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(threads)
images = np.frombuffer(gzip.open(folder + "/t10k-images-idx3-ubyte.gz").read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
labels = np.frombuffer(gzip.open(folder + "/t10k-labels-idx1-ubyte.gz").read(), np.uint8, offset=8).astype(np.int64)
model = torch.jit.load(path).eval()
images, labels = torch.from_numpy(images.copy()), torch.from_numpy(labels)
start, outputs = time.perf_counter(), []
with torch.inference_mode():
    for i in range(0, len(images), batch):
        outputs.append(model(images[i : i + batch].float() / 255))
seconds = time.perf_counter() - start
outputs = torch.cat(outputs)
predicted = outputs.argmax(1)
confusion = torch.bincount(labels * 10 + predicted, minlength=100)
print(len(images) / seconds, (predicted == labels).double().mean().item(),
      torch.nn.functional.cross_entropy(outputs.double(), labels).item())
"""


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(command):
    """(seconds, processor seconds) and what it printed."""
    start, cpu = time.perf_counter(), cpu_seconds()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return (time.perf_counter() - start, cpu_seconds() - cpu), done.stdout


def main():
    program = sys.argv[1]
    data = sys.argv[2] if len(sys.argv) > 2 else "/usr/share/datasets/fashion-mnist"
    result = {"batch": BATCH, "examples": 10000}
    with tempfile.TemporaryDirectory() as folder:
        model, out = folder + "/model.pt", pathlib.Path(folder) / "out"
        subprocess.run(["/usr/bin/python3", "-c", MAKE_MODEL, model], check=True)
        for threads in (1, 2):
            ours, python = [], []
            for _ in range(ROUNDS):
                seconds, _ = timed([program, "--model", model, "--data", data, "--batch", str(BATCH), "--threads",
                                    str(threads), "--output", str(out)])
                metrics = {name: metric["value"] for name, metric in json.loads((out / "metrics.json").read_text()).items()}
                ours.append((*seconds, metrics["examples_per_s"]))
                seconds, text = timed(["/usr/bin/python3", "-c", LOOP, model, data, str(BATCH), str(threads)])
                rate, accuracy, loss = map(float, text.split())
                python.append((*seconds, rate))
                assert abs(metrics["accuracy"] - accuracy) < 1e-9 and abs(metrics["log_loss"] - loss) < 1e-5
            for name, rows in (("pawl", ours), ("python", python)):
                wall, cpu, rate = (statistics.median(column) for column in zip(*rows))
                result.update({f"{name}_seconds_{threads}": round(wall, 3), f"{name}_cpu_seconds_{threads}": round(cpu, 3),
                               f"{name}_examples_per_s_{threads}": round(rate)})
            for kind in ("seconds", "cpu_seconds"):
                ratio = result[f"pawl_{kind}_{threads}"] / result[f"python_{kind}_{threads}"]
                result[f"{kind}_ratio_{threads}"] = round(ratio, 3)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
