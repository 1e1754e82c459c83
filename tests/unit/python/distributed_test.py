"""Two ranks: under torchrun, and spawned by a script of the user's own."""

import sys
import unittest

import torch
from stage import PRELUDE, StageTest, request

DDP = PRELUDE + r"""
import torch.distributed
from torch.nn.parallel import DistributedDataParallel

def say(line):
    os.write(1, (line + "\n").encode())     # in one piece, beside the other rank

def work(rank):
    model = DistributedDataParallel(Net())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(4):
        optimizer.zero_grad()
        loss = loss_of(model, 100 * rank + step)
        loss.backward()
        optimizer.step()
        say("loss %d %r" % (rank, loss.item()))
    say("pid %d %d" % (rank, os.getpid()))
    torch.distributed.destroy_process_group()
"""

# The gradient of the weight is what the model is given. Averages over both ranks: (3, 4), which is 5 long.
TOLD_APART = """
import os
import torch
import torch.distributed, torch.multiprocessing
from torch import nn
from torch.nn.parallel import DistributedDataParallel

def child(rank, file):
    torch.distributed.init_process_group("gloo", init_method="file://" + file, rank=rank, world_size=2)
    model = DistributedDataParallel(nn.Linear(2, 1, bias=False))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for step in range(2):
        optimizer.zero_grad()
        with model.no_sync():
            model(torch.tensor([[1.0, 4.0], [2.0, -4.0]][rank])).sum().backward()
        model(torch.tensor([[1.0, 4.0], [2.0, 4.0]][rank])).sum().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 2.5)
        optimizer.step()
    torch.distributed.destroy_process_group()

if __name__ == "__main__":
    torch.multiprocessing.spawn(child, (os.path.abspath("rendezvous"),), nprocs=2)
"""


class TwoRanks(StageTest):
    def assert_two_ranks(self, out):
        trace = self.trace()
        self.assertEqual(sorted(path.name for path in self.trace_dir.iterdir()), ["rank-00000", "rank-00001"])
        for number, rank in trace.items():
            lines = [line.split()[2] for line in out if line.startswith("loss %d " % number)]
            self.assertEqual(len(lines), 4)
            self.assert_losses(rank, lines)
            self.assertEqual([pid for pid, _ in rank.processes],
                             [int(line.split()[2]) for line in out if line.startswith("pid %d " % number)])
            self.assertEqual((rank.world_size, rank.closed, rank.dropped), (2, True, 0))
        self.assertNotEqual(trace[0].curve("loss", "loss"), trace[1].curve("loss", "loss"))
        # What the optimiser sees is all-reduced: the same on both ranks. Names are those of the model inside.
        gradients = [rank.curve("gradient", "fc1.weight") for rank in trace.values()]
        self.assertEqual(sorted(gradients[0]), [0, 2])
        self.assertEqual(gradients[0], gradients[1])

    def test_torchrun(self):
        script = self.script(DDP + """
torch.distributed.init_process_group("gloo")
work(torch.distributed.get_rank())
""")
        # --standalone of torch 1.13 listens on a fixed port; this is what later versions do for it.
        flags = ["--rdzv_backend=c10d", "--rdzv_endpoint=127.0.0.1:0", "--rdzv_id=test", "--nproc_per_node=2"]
        if torch.__version__.startswith("1.") and sys.version_info >= (3, 11):
            # This pair cannot start a worker with the defaults "0": to_std() loops over an enum, and Python 3.11 leaves
            # its zero out. Naming a rank that does not exist leaves the others at the same value, found another way.
            flags += ["--redirects=9:1", "--tee=9:1"]
        out, _ = self.run_script("", quiet=False, name="unused.py",
                                 flags=["-m", "torch.distributed.run", *flags, str(script)])
        self.assert_two_ranks(out)

    def test_spawned_ranks_that_no_environment_names(self):
        out, _ = self.run_script(DDP + """
import torch.multiprocessing
def child(rank, file):
    torch.distributed.init_process_group("gloo", init_method="file://" + file, rank=rank, world_size=2)
    work(rank)
if __name__ == "__main__":
    torch.multiprocessing.spawn(child, (os.path.abspath("rendezvous"),), nprocs=2)
""", environment=self.environment(RANK="0", WORLD_SIZE="1"))
        self.assert_two_ranks(out)

    def test_gradients_before_averaging_before_clipping_and_after(self):
        self.run_script(TOLD_APART, environment=self.environment(
            request("gradients,local_gradients,unclipped_gradients,scalars"), RANK=None, WORLD_SIZE=None))
        local = {0: (4, 1, 4, 10), 1: (4, -4, 4, 4)}  # two micro-batches of two elements: count, min, max, sum
        for number, rank in self.trace().items():
            self.assertEqual([step.number for step in rank.steps if step.ended], [0, 1])
            for step in (0, 1):
                stats = rank.curve("local_gradient", "weight")[step]
                self.assertEqual((stats.count, stats.min, stats.max, stats.sum), local[number])
                stats = rank.curve("unclipped_gradient", "weight")[step]
                self.assertEqual((stats.count, stats.min, stats.max), (2, 3, 4))
                stats = rank.curve("gradient", "weight")[step]
                self.assertAlmostEqual(stats.min, 1.5, places=5)
                self.assertAlmostEqual(stats.max, 2, places=5)
            self.assertEqual(rank.curve("scalar", "grad_norm"), {0: 5, 1: 5})
        self.assertEqual(sorted(self.trace()), [0, 1])


if __name__ == "__main__":
    unittest.main()
