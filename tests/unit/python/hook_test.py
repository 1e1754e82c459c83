"""pawl.Hook: recording without a stage."""

import unittest

from segments import read_trace
from stage import PRELUDE, SITE, StageTest


class Notebook(StageTest):
    """A plain Python with the package on its path: no sitecustomize, no variable of ours."""

    def run_plain(self, source, **changes):
        environment = self.environment(PAWL=None, PAWL_TRACE_DIR=None, PAWL_CAPTURE=None, PAWL_CAPTURE_LIB=None,
                                       PAWL_OUTPUT_DIR=None, PYTHONPATH=str(SITE.parent), **changes)
        return self.run_script(source, environment=environment)[0]

    def rank_of(self, folder):
        ranks = read_trace(self.folder / folder / "trace")
        self.assertEqual(list(ranks), [0])
        self.assertTrue(ranks[0].closed)
        return ranks[0]

    def test_a_model_that_was_there_before(self):
        printed = self.run_plain(PRELUDE + """
import pawl
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
with pawl.Hook(model, "traces/one", "losses every=1\\nscalars every=1\\ngradients every=2\\nactivations every=1") as hook:
    train(model, optimizer, 3)
    hook.scalar("accuracy", 0.5)
train(model, optimizer, 2)
""")
        rank = self.rank_of("traces/one")
        self.assert_losses(rank, printed[:3])
        self.assertEqual(sorted(rank.curve("gradient", "fc1.weight")), [0, 2])
        self.assertEqual(sorted(rank.curve("activation", "relu")), [0, 1, 2])
        self.assertEqual(rank.curve("scalar", "accuracy"), {3: 0.5})

    def test_a_second_hook_records_into_a_folder_of_its_own(self):
        printed = self.run_plain(PRELUDE + """
import pawl
for again in range(2):  # as a cell that is run again
    model = Net()
    hook = pawl.Hook(model)
    train(model, torch.optim.SGD(model.parameters(), lr=0.1), 2)
hook.close()
""")
        self.assert_losses(self.rank_of("pawl-out/trace-1"), printed[:2])
        self.assert_losses(self.rank_of("pawl-out/trace-2"), printed[2:])

    def test_steps_and_tensors_by_hand(self):
        self.run_plain("""
import torch, pawl
with pawl.Hook(trace_dir="mine", capture="scalars every=1\\nactivations every=2") as hook:
    for step in range(4):
        for part in range(2):
            hook.tensor("attention", torch.full((2, 3), float(step + part)))
        hook.tensor("own gradient", torch.ones(4), "gradients")  # not asked for
        hook.scalar("score", step / 4)
        hook.step()
""")
        rank = self.rank_of("mine")
        self.assertEqual(rank.curve("scalar", "score"), {0: 0, 1: 0.25, 2: 0.5, 3: 0.75})
        found = rank.curve("activation", "attention")
        self.assertEqual({step: (stats.count, stats.sum, stats.max) for step, stats in found.items()},
                         {0: (12, 6.0, 1.0), 2: (12, 30.0, 3.0)})
        self.assertEqual(set(rank.series), {("scalar", "score"), ("activation", "attention")})

    def test_an_evaluation_by_hand(self):
        self.run_plain("""
import torch, pawl
model = torch.nn.Sequential(torch.nn.Linear(2, 1, bias=False))
torch.nn.init.ones_(model[0].weight)
optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
criterion = torch.nn.MSELoss()
both = "losses every=10\\nscalars every=10\\nactivations every=10 modes=train,eval"
with pawl.Hook(model, "mine", both) as hook:
    hook.mode("eval")
    hook.scalar("accuracy", 9)                  # follows no step
    hook.mode("train")
    for step in range(3):
        criterion(model(torch.ones(1, 2)), torch.zeros(1, 1)).backward()
        optimizer.step()
        if step == 1:
            hook.mode("eval")                   # with gradients, and a model in training mode
            for value in (2.0, 3.0):
                criterion(model(torch.full((1, 2), value)), torch.zeros(1, 1))
                hook.scalar("accuracy", value / 4)
                hook.tensor("attention", torch.full((2,), value))
            hook.mode("train")
            criterion(model(torch.ones(1, 2)), torch.zeros(1, 1))
    hook.mode("eval")
    hook.scalar("accuracy", torch.tensor(1.0))  # nothing follows
""")
        rank = self.rank_of("mine")
        self.assertEqual(rank.curve("scalar", "accuracy"), {})
        self.assertEqual(rank.curve("scalar", "accuracy", mode=1), {1: 0.75, 2: 1.0})
        self.assertEqual(rank.curve("loss", "loss", mode=1), {1: (16 + 36) / 2})
        self.assertEqual(rank.curve("loss", "loss"), {0: 4})
        self.assertEqual({step: stats.sum for step, stats in rank.curve("activation", "attention", mode=1).items()},
                         {1: 10})
        self.assertEqual({step: stats.sum for step, stats in rank.curve("activation", "0", mode=1).items()}, {1: 10})
        self.assertEqual(sorted((step.number, step.mode) for step in rank.steps if step.ended),
                         [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1)])

    def test_what_cannot_be_is_an_error(self):
        out = self.run_plain("""
import torch, pawl
with pawl.Hook(trace_dir="mine") as hook:
    try:
        hook.tensor("x", torch.ones(1), "losses")
    except ValueError as error:
        print(error)
    try:
        hook.mode("test")
    except ValueError as error:
        print(error)
try:
    pawl.open("mine")
except pawl.NoTrace as error:
    print(error)
try:
    pawl.Hook(trace_dir="script.py")
except OSError as error:
    print(type(error).__name__)
""")
        self.assertEqual(out, [
            "a tensor belongs to one of activations, biases, gradients, inputs, updates, weights, not to 'losses'",
            "a mode is 'train' or 'eval', not 'test'",
            "what a Hook has recorded in mine is not in a trace.db yet: pawl trace rebuild mine", "NotADirectoryError"])


class InStage(StageTest):
    def test_it_adds_to_what_is_recorded_anyway(self):
        printed, _ = self.run_script(PRELUDE + """
import pawl
model = Net()
with pawl.Hook(model, "elsewhere", "off") as hook:
    for step in range(2):
        hook.tensor("mine", torch.full((5,), float(step)), "weights")
        train(model, torch.optim.SGD(model.parameters(), lr=0.1), 1)
train(model, torch.optim.SGD(model.parameters(), lr=0.1), 1)
""", environment=self.environment("losses every=1\nweights every=1"))
        rank = self.only_rank()
        self.assertFalse((self.folder / "elsewhere").exists())
        self.assertEqual({step: stats.sum for step, stats in rank.curve("weight", "mine").items()}, {0: 0.0, 1: 5.0})
        self.assert_losses(rank, printed)


if __name__ == "__main__":
    unittest.main()
