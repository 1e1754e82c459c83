#!/usr/bin/python3
"""Trains a small convolutional network on Fashion-MNIST with DistributedDataParallel.

Runs alone, with `torchrun --nproc_per_node 2 train.py`, or as a stage of Pawl. Pawl's hooks attach by themselves; they
are only told in which step an interrupted training goes on. What Pawl needs is what the end of this file writes:
metrics.json and predictions.csv.
"""
import argparse
import csv
import gzip
import json
import math
import os
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.nn.parallel import DistributedDataParallel

try:
    import pawl  # there in every stage
except ImportError:
    pawl = None

STEPS = 900  # optimiser steps; .pawl.yml tells Pawl the same number
BATCH = 128  # examples per step, shared out among the ranks
LEARNING_RATE = 0.05
MOMENTUM = 0.9
MEAN, DEVIATION = 0.2860, 0.3530  # of all pixels of the training images, of 0 .. 1
MAX_EXAMPLES = 1_000_000  # a header may claim anything


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 5, stride=2, padding=2)
        self.conv2 = nn.Conv2d(8, 32, 3, stride=2, padding=1)
        self.fc1 = nn.Linear(32 * 7 * 7, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, images):
        x = F.relu(self.conv1(images))
        x = F.relu(self.conv2(x))
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


def read_idx(path, shape):
    """The bytes of a gzip'ed IDX file as an array [n, *shape]."""
    try:
        with gzip.open(path, "rb") as file:
            magic, count = struct.unpack(">II", file.read(8))
            sizes = struct.unpack(f">{len(shape)}I", file.read(4 * len(shape)))
            if magic != 0x800 + 1 + len(shape) or sizes != shape or count > MAX_EXAMPLES:
                raise ValueError(f"its header is not that of {'images of 28x28' if shape else 'labels'}")
            expected = count * math.prod(shape)
            data = file.read(expected + 1)
        if len(data) != expected:
            raise ValueError("it holds more or fewer bytes than its header says")
    except (OSError, EOFError, ValueError, struct.error, zlib.error) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    return np.frombuffer(data, np.uint8).reshape(count, *shape)


def read_folder(folder, prefix):
    """All pairs of images and labels whose name starts with `prefix`: adding a pair adds examples."""
    images, labels = [], []
    for path in sorted(Path(folder).glob(f"{prefix}*-images-idx3-ubyte.gz")):
        images.append(read_idx(path, (28, 28)))
        labels.append(read_idx(path.with_name(path.name.replace("images-idx3", "labels-idx1")), ()))
        if len(images[-1]) != len(labels[-1]) or labels[-1].max(initial=0) > 9:
            raise ValueError(f"the labels do not fit {path}")
    if not images:
        raise ValueError(f"no {prefix}*-images-idx3-ubyte.gz in {folder}")
    return np.concatenate(images), np.concatenate(labels)


def make_batch(images, labels, indices, device):
    """Images [n, 1, 28, 28], standardised, and labels [n]."""
    pixels = torch.from_numpy(images[indices]).unsqueeze(1).to(device, torch.float32)
    return (pixels / 255 - MEAN) / DEVIATION, torch.from_numpy(labels[indices]).to(device, torch.int64)


class Sampler:
    """Every epoch visits the examples in a new order. What a rank gets at a step depends on nothing but the seed and
    the step, so training can go on from a checkpoint as if it had never stopped."""

    def __init__(self, examples, rank, ranks, seed):
        if BATCH % ranks or examples < BATCH:
            raise ValueError("the batch must be a multiple of the ranks and no larger than the training set")
        self.examples, self.seed, self.epoch = examples, seed, None
        self.first, self.share = rank * BATCH // ranks, BATCH // ranks

    def indices(self, step):
        epoch, position = divmod(step, self.examples // BATCH)
        if epoch != self.epoch:
            self.epoch, self.order = epoch, np.random.default_rng([self.seed, epoch]).permutation(self.examples)
        first = position * BATCH + self.first
        return self.order[first : first + self.share]


def learning_rate(step, steps):
    """Falls to zero along a half cosine."""
    return LEARNING_RATE * 0.5 * (1 + math.cos(math.pi * step / steps))


def save_checkpoint(path, step, identity, model, optimizer):
    """Replaces the file as a whole: the next attempt after a crash never sees half of it."""
    temporary = f"{path}.tmp"
    state = {"step": step, "identity": identity, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
    with open(temporary, "wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def load_checkpoint(path, identity, model, optimizer, device):
    """The number of steps the checkpoint has behind it. All ranks read the same file: rank 0 cannot replace it before
    the others have taken part in a step."""
    if not path or not os.path.exists(path):
        return 0
    state = torch.load(path, map_location=device)
    if state["identity"] != identity:
        raise ValueError(f"{path} belongs to another seed, length or dataset")
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return state["step"]


def train(options, rank, ranks, device):
    images, labels = read_folder(options.data, "train")
    sampler = Sampler(len(labels), rank, ranks, options.seed)
    torch.manual_seed(options.seed)
    model = Network().to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    checkpoint = os.path.join(options.checkpoints, "checkpoint.pt") if options.checkpoints else None
    # What a checkpoint must agree on: else the model would be one that nobody can reproduce.
    identity = [options.seed, options.steps, BATCH, len(labels)]
    first = load_checkpoint(checkpoint, identity, model, optimizer, device)
    if pawl:
        pawl.resume(first)  # what is recorded goes on in this step too
    replica = DistributedDataParallel(model, [device] if device.type == "cuda" else None) if ranks > 1 else model

    began = time.monotonic()
    for step in range(first, options.steps):
        x, y = make_batch(images, labels, sampler.indices(step), device)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, options.steps)
        optimizer.zero_grad()
        loss = F.cross_entropy(replica(x), y)
        loss.backward()
        optimizer.step()
        done = step + 1
        if rank == 0 and done % 50 == 0:
            speed = (done - first) / (time.monotonic() - began)
            print(f"step {done}/{options.steps} loss {loss.item():.4f} ({speed:.0f} steps/s)", flush=True)
        if rank == 0 and checkpoint and done % options.checkpoint_every == 0:
            save_checkpoint(checkpoint, done, identity, model, optimizer)
    return model


@torch.no_grad()
def evaluate(model, images, labels, device):
    """The predicted class of every example, and the mean loss."""
    predictions, loss = [], 0.0
    for indices in np.array_split(np.arange(len(labels)), max(1, len(labels) // 500)):
        x, y = make_batch(images, labels, indices, device)
        scores = model(x)
        loss += F.cross_entropy(scores, y, reduction="sum").item()
        predictions.append(scores.argmax(1).cpu().numpy())
    return np.concatenate(predictions), loss / len(labels)


def json_number(value):
    """JSON has no NaN and no infinities: they are written as strings."""
    return value if math.isfinite(value) else {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]


def write_results(folder, labels, predictions, loss):
    accuracy, n = float((predictions == labels).mean()), len(labels)
    metrics = {
        "accuracy": {"value": accuracy, "direction": "higher", "n": n},
        "test_loss": {"value": json_number(loss), "direction": "lower", "n": n},
    }
    Path(folder, "metrics.json").write_text(json.dumps(metrics))
    with open(Path(folder, "predictions.csv"), "w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["id", "label", "prediction"])
        rows.writerows(zip(range(n), labels.tolist(), predictions.tolist()))
    print(f"accuracy {accuracy:.4f} on {n} test images", flush=True)


def parse_options():
    env = os.environ.get
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--checkpoint-every", type=int, default=200, help="steps")
    parser.add_argument("--data", default=env("PAWL_DATA_FASHION_MNIST", "/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--output", default=env("PAWL_OUTPUT_DIR", "."))
    parser.add_argument("--checkpoints", default=env("PAWL_CHECKPOINT_DIR"), help="folder; default: none are written")
    return parser.parse_args()


def main():
    options = parse_options()
    rank, ranks = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count())
        torch.cuda.set_device(device)
        torch.backends.cudnn.deterministic = True
    if ranks > 1:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    model = train(options, rank, ranks, device)
    if rank == 0:
        os.makedirs(options.output, exist_ok=True)
        torch.save(model.state_dict(), os.path.join(options.output, "model.pt"))
        images, labels = read_folder(options.data, "t10k")
        write_results(options.output, labels, *evaluate(model, images, labels, device))
    if ranks > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
