"""A stage as the tests see it: an environment, a folder for everything, Python processes with torch in them."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import textwrap
import unittest

import segments

BUILD = pathlib.Path(os.environ["PAWL_BUILD_DIR"])
SITE = BUILD / "share/pawl/python/site"
LIBRARY = BUILD / "lib/libpawl_capture.so"
DEFAULT = "losses,scalars,weights,biases,gradients"
EVERYTHING = DEFAULT + ",activations,updates,inputs,optimizer_state,local_gradients,unclipped_gradients"


def request(collections=EVERYTHING, every=1, include=""):
    """A value of PAWL_CAPTURE: losses and scalars in every step, the tensors of the others every so many."""
    lines = []
    for collection in collections.split(","):
        tensors = collection not in ("losses", "scalars")
        lines.append("%s every=%d" % (collection, every if tensors else 1)
                     + (" include=" + include if tensors and include else ""))
    return "\n".join(lines)

# What most scripts begin with. `train` prints the losses it sees, so that they can be compared with the trace.
PRELUDE = """
import os, sys
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(4, 8)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(8, 2)

    def forward(self, x):
        return self.fc2(self.relu(self.fc1(x)))

def batch(seed):
    x = torch.randn(16, 4, generator=torch.Generator().manual_seed(seed))
    return x, (x.sum(1) > 0).long()

def loss_of(model, seed):
    x, y = batch(seed)
    return nn.functional.cross_entropy(model(x), y)

def train(model, optimizer, steps, first_seed=0):
    for step in range(steps):
        optimizer.zero_grad()
        loss = loss_of(model, first_seed + step)
        loss.backward()
        optimizer.step()
        print(repr(loss.item()), flush=True)

torch.manual_seed(7)
"""

PLAIN = PRELUDE + """
model = Net()
train(model, torch.optim.SGD(model.parameters(), lr=0.1), 5)
"""


class StageTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="pawl-python-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.trace_dir = self.folder / "trace"
        self.trace_dir.mkdir()

    def environment(self, capture=None, python_path=(), **changes):
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith(("PAWL_", "PYTHON")) and key not in ("RANK", "WORLD_SIZE")}
        environment.update(
            PAWL="1", PAWL_TRACE_DIR=str(self.trace_dir), PAWL_CAPTURE=capture or request(DEFAULT, 2), PAWL_CAPTURE_LIB=str(LIBRARY),
            PAWL_OUTPUT_DIR=str(self.folder / "out"), OMP_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1",
            TMPDIR=str(self.folder),
            PYTHONPATH=os.pathsep.join(map(str, [SITE, SITE.parent, *python_path])))
        environment.update(changes)
        return {key: value for key, value in environment.items() if value is not None}

    def script(self, source, name="script.py"):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
        return path

    def start(self, source, python=sys.executable, flags=(), name="script.py", arguments=(), environment=None):
        """A running process. Its end is the test's business; neither it nor a child survives the test."""
        process = subprocess.Popen(
            [str(python), *flags, str(self.script(source, name)), *arguments], env=environment or self.environment(),
            cwd=self.folder, start_new_session=True, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self._end, process)
        return process

    @staticmethod
    def _end(process):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(BrokenPipeError):
                stream.close()

    def run_script(self, source, quiet=True, **options):
        """Runs to the end with exit code 0; `quiet`: without a word on stderr. Returns (stdout lines, stderr)."""
        process = self.start(source, **options)
        out, err = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 0, err)
        if quiet:
            self.assertEqual(err, "")
        return out.splitlines(), err

    def trace(self):
        return segments.read_trace(self.trace_dir)

    def only_rank(self):
        """The trace of a stage with one rank, recorded by one process that closed it."""
        trace = self.trace()
        self.assertEqual(list(trace), [0])
        self.assertEqual(len(trace[0].processes), 1)
        self.assertTrue(trace[0].closed)
        self.assertEqual(trace[0].dropped, 0)
        return trace[0]

    def assert_no_trace(self):
        self.assertEqual(list(self.trace_dir.rglob("*")), [])

    def assert_losses(self, rank, printed, name="loss"):
        """The series is, step by step from 0, exactly what the script printed."""
        self.assertEqual(rank.curve("loss", name), {step: float(line) for step, line in enumerate(printed)})
