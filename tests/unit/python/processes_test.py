"""Exactly one process per rank records: the one that trains."""

import os
import subprocess
import sys
import unittest

from stage import PLAIN, PRELUDE, StageTest

LOADER = PRELUDE + """
from torch.utils.data import DataLoader, Dataset

class Batches(Dataset):
    def __len__(self):
        return 6
    def __getitem__(self, index):
        # A worker may even compute gradients, for augmentation say.
        weight = torch.ones(4, requires_grad=True)
        (batch(index)[0] @ weight).sum().backward()
        return batch(index) + (os.getpid(),)

if __name__ == "__main__":
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    workers = set()
    for x, y, pid in DataLoader(Batches(), batch_size=None, num_workers=2, multiprocessing_context=sys.argv[1]):
        workers.add(pid)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        print(repr(loss.item()))
    print(os.getpid(), len(workers - {os.getpid()}))
"""


class Children(StageTest):
    def assert_recorded_by(self, pid, printed):
        rank = self.only_rank()
        self.assertEqual(rank.processes[0][0], int(pid))
        self.assert_losses(rank, printed)

    def test_a_forked_child_trains_its_parent_does_not(self):
        out, _ = self.run_script(PRELUDE + """
import multiprocessing
def child():
    model = Net()
    train(model, torch.optim.SGD(model.parameters(), lr=0.1), 3)
    print(os.getpid(), flush=True)
process = multiprocessing.get_context("fork").Process(target=child)
process.start()
process.join()
sys.exit(process.exitcode)
""")
        self.assert_recorded_by(out.pop(), out)

    @unittest.skipIf("PAWL_SANITIZED" in os.environ, "g++ 12's libasan does not hold its allocator's locks across fork")
    def test_a_parent_that_records_goes_on_alone_after_fork(self):
        out, _ = self.run_script(PRELUDE + """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)     # Python 3.12 dislikes fork() beside threads
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
train(model, optimizer, 2)
if os.fork() == 0:
    sys.stdout = open(os.devnull, "w")
    try:
        train(model, optimizer, 5, 50)
        train(Net(), torch.optim.SGD(model.parameters(), lr=0.1), 5, 50)
    except RuntimeError as error:
        assert "Autograd-and-Fork" in str(error)    # torch 2 trains in no child of a process that has trained
    sys.exit()
assert os.wait()[1] == 0
train(model, optimizer, 2, 2)
print(os.getpid())
""")
        self.assert_recorded_by(out.pop(), out)

    def test_a_spawned_child_trains(self):
        out, _ = self.run_script(PRELUDE + """
import torch.multiprocessing
def child(index, model):
    train(model, torch.optim.SGD(model.parameters(), lr=0.1), 3)
    print(os.getpid(), flush=True)
if __name__ == "__main__":
    torch.multiprocessing.spawn(child, (Net(),), nprocs=1)
""")
        self.assert_recorded_by(out.pop(), out)
        self.assertIn(("weight", "fc1.weight"), self.only_rank().series)  # the model came by pickle

    def test_a_spawned_child_of_a_recording_parent_stays_silent(self):
        out, _ = self.run_script(PRELUDE + """
import torch.multiprocessing
def child(index):
    sys.stdout = open(os.devnull, "w")
    model = Net()
    train(model, torch.optim.SGD(model.parameters(), lr=0.1), 4, 50)
if __name__ == "__main__":
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    train(model, optimizer, 2)
    torch.multiprocessing.spawn(child, nprocs=1)
    train(model, optimizer, 1, 2)
    print(os.getpid())
""")
        self.assert_recorded_by(out.pop(), out)

    def test_data_loader_workers(self):
        for method in ("fork", "spawn"):
            with self.subTest(method):
                process = subprocess.run(
                    [sys.executable, str(self.script(LOADER)), method], env=self.environment(), cwd=self.folder,
                    text=True, capture_output=True, timeout=300)
                self.assertEqual((process.returncode, process.stderr), (0, ""))
                *losses, last = process.stdout.splitlines()
                pid, workers = last.split()
                self.assertEqual(workers, "2")
                self.assert_recorded_by(pid, losses)
                for path in sorted(self.trace_dir.rglob("*"), reverse=True):
                    path.rmdir() if path.is_dir() else path.unlink()

    def test_of_two_processes_of_one_rank_the_first_records(self):
        first = self.start(PRELUDE + """
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
train(model, optimizer, 1)
sys.stdin.readline()
train(model, optimizer, 1, 1)
""")
        printed = [first.stdout.readline()]  # one step done: it holds the rank
        self.run_script(PLAIN, name="second.py")
        rest, err = first.communicate("go on\n", timeout=300)
        self.assertEqual((first.returncode, err), (0, ""))
        self.assert_recorded_by(first.pid, printed + rest.splitlines())

    def test_the_next_process_of_a_rank_records_after_the_first_has_ended(self):
        self.run_script(PLAIN)
        printed, _ = self.run_script(PLAIN)
        rank = self.trace()[0]
        self.assertEqual(len(rank.processes), 2)
        self.assertEqual([step.number for step in rank.steps], list(range(5)) * 2)
        self.assertEqual(rank.curve("loss", "loss"), {step: float(line) for step, line in enumerate(printed)})


if __name__ == "__main__":
    unittest.main()
