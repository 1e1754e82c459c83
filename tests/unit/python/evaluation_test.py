"""What runs between two training steps without being trained on."""

import unittest

from stage import DEFAULT, StageTest, request

# The weight is 1 throughout: a module puts out what it is given, and its loss is the square of that.
IDENTITY = """
import torch, sys
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(1, 1, bias=False)
        nn.init.ones_(self.fc.weight)
    def forward(self, x):
        return self.fc(x)
model = Net()
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
def loss_of(*x):
    return criterion(model(torch.tensor([x]).t()), torch.zeros(len(x), 1))
def train(*x):
    optimizer.zero_grad()
    loss = loss_of(*x)
    loss.backward()
    optimizer.step()
def evaluate(*batches):
    model.eval()
    with torch.no_grad():
        for batch in batches:
            loss_of(*batch)
    model.train()
"""


class Losses(StageTest):
    def test_their_mean_belongs_to_the_step_before(self):
        self.run_script(IDENTITY + """
evaluate([9.0])                                 # follows no step
for step in range(4):
    train(1.0 + step)
    if step % 2:
        evaluate([2.0], [4.0])
        evaluate([1.0 + step])                  # before the next step: the same evaluation
train(1.0)
evaluate([3.0])                                 # nothing follows
""", environment=self.environment(request(DEFAULT, 2)))
        rank = self.only_rank()
        self.assertEqual(rank.curve("loss", "loss"), {0: 1, 1: 4, 2: 9, 3: 16, 4: 1})
        self.assertEqual(rank.curve("loss", "loss", mode=1), {1: (4 + 16 + 4) / 3, 3: (4 + 16 + 16) / 3, 4: 9})
        self.assertEqual([(step.number, step.mode, step.ended) for step in rank.steps if step.mode == 1],
                         [(1, 1, True), (3, 1, True), (4, 1, True)])
        self.assertEqual([step.number for step in rank.steps if step.mode == 0 and step.ended], list(range(5)))

    def test_between_steps_that_record_nothing(self):
        self.run_script(IDENTITY + """
for step in range(4):
    train(1.0)
evaluate([2.0])
for step in range(4):
    train(1.0)
""", environment=self.environment("losses every=100"))
        rank = self.only_rank()
        self.assertEqual(rank.curve("loss", "loss", mode=1), {3: 4})
        self.assertEqual(rank.curve("loss", "loss"), {0: 1})

    def test_what_is_no_evaluation(self):
        self.run_script(IDENTITY + """
for step in range(3):
    train(1.0)
    loss_of(5.0)                                # is neither
    nn.functional.mse_loss(torch.ones(1), torch.zeros(1))
    with torch.no_grad():
        nn.MSELoss(reduction="none")(torch.ones(2), torch.zeros(2))      # no loss of anything
""", environment=self.environment())
        self.assertEqual(self.only_rank().curve("loss", "loss", mode=1), {})

    def test_eval_mode_with_gradients_and_losses_made_of_others(self):
        self.run_script(IDENTITY + """
class Twice(nn.modules.loss._Loss):
    def __init__(self):
        super().__init__()
        self.inner = nn.MSELoss()
    def forward(self, output, target):
        return 2 * self.inner(output, target)
train(1.0)
criterion = Twice()
model.eval()
loss_of(3.0)
model.train()
train(1.0)
""", environment=self.environment())
        self.assertEqual(self.only_rank().curve("loss", "loss", mode=1), {0: 18})

    def test_modes_are_those_that_are_asked_for(self):
        script = IDENTITY + """
for step in range(4):
    train(1.0)
    evaluate([2.0])
"""
        self.run_script(script, environment=self.environment("losses every=1 modes=train"))
        self.assertEqual({step.mode for step in self.only_rank().steps}, {0})
        for path in self.trace_dir.rglob("*.seg"):
            path.unlink()
        self.run_script(script, environment=self.environment("losses every=10 from=1 to=3 at=0 modes=eval"))
        rank = self.only_rank()
        self.assertEqual((rank.curve("loss", "loss"), rank.curve("loss", "loss", mode=1)), ({}, {1: 4, 2: 4}))


class Modules(StageTest):
    def test_one_evaluation_is_one_set_of_statistics(self):
        out, _ = self.run_script(IDENTITY + """
from torch.nn.modules import module
for step in range(3):
    train(1.0)
    print(len(module._global_forward_hooks))
    if step == 1:
        evaluate([2.0, 3.0], [-4.0])
        print(len(module._global_forward_hooks))
train(1.0)
print(len(module._global_forward_hooks))
""", environment=self.environment("activations every=10 modes=eval,train\ninputs every=10 modes=eval max_size=4"))
        rank = self.only_rank()
        self.assertEqual({n: (s.count, s.sum) for n, s in rank.curve("activation", "fc").items()}, {0: (1, 1)})
        self.assertEqual({n: (s.count, s.min, s.max) for n, s in rank.curve("activation", "fc", mode=1).items()},
                         {1: (3, -4, 3)})
        self.assertEqual(rank.curve("input", "fc"), {})
        self.assertEqual([s.sum for s in rank.curve("input", "fc", mode=1).values()], [-4])  # the other has 8 bytes
        # They stay until a model is trained again, and no longer.
        self.assertEqual(out, ["0", "0", "1", "0", "0"])

    def test_without_a_word_on_modes_modules_are_watched_in_training_only(self):
        self.run_script(IDENTITY + """
train(1.0)
evaluate([2.0])
model.eval()
loss_of(7.0)                                    # with gradients, and still no training
model.train()
train(3.0)
""", environment=self.environment(request("activations,inputs")))
        rank = self.only_rank()
        self.assertEqual([s.sum for s in rank.curve("activation", "fc").values()], [1, 3])
        self.assertEqual([s.sum for s in rank.curve("input", "fc").values()], [1, 3])
        self.assertEqual({step.mode for step in rank.steps}, {0})

    def test_inputs_are_those_before_the_call(self):
        self.run_script("""
import torch
from torch import nn
class Add(nn.Module):
    def forward(self, first, second):
        return first.add_(second)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.relu, self.add = nn.Embedding(5, 2), nn.ReLU(inplace=True), Add()
        nn.init.constant_(self.table.weight, -3.0)
    def forward(self, x):
        return self.add(self.relu(self.table(x) * 1) * 1, torch.ones(2))
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
model(torch.tensor([1, 4, 4])).sum().backward()
optimizer.step()
""", environment=self.environment(request("activations,inputs")))
        values = self.only_rank().steps[0].values
        sums = {key: stats.sum for key, stats in values.items()}
        self.assertEqual(sums, {("input", "table"): 9, ("activation", "table"): -18, ("input", "relu"): -18,
                                ("activation", "relu"): 0, ("input", "add"): 0, ("activation", "add"): 6})

    def test_copies_and_pickles_have_nothing_of_ours(self):
        out, _ = self.run_script(IDENTITY + """
import copy, io
requested = nn.modules.module._global_forward_hooks
for step in range(2):
    train(1.0)
    copied = copy.deepcopy(model)               # an average of weights, and the like
    copied(torch.tensor([[50.0]]))
    torch.save(model, io.BytesIO())
    assert requested and not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
""", environment=self.environment(request()))
        self.assertEqual([s.sum for s in self.only_rank().curve("activation", "fc").values()], [1, 1])


class Compiled(StageTest):
    def test_a_compiled_model_trains_and_its_modules_are_left_alone(self):
        out, err = self.run_script(IDENTITY + """
if not hasattr(torch, "compile"):
    print("no compiler")
    sys.exit()
plain = model
model = torch.compile(plain, backend="aot_eager", fullgraph=True)
for step in range(3):
    train(1.0 + step)
    evaluate([2.0])
""", quiet=False, environment=self.environment(request() + "\nactivations every=1 modes=train,eval"))
        if out == ["no compiler"]:
            self.skipTest("torch before 2.0 has no compiler")
        self.assertEqual(err, "pawl: torch.compile is used: inputs and outputs of modules are not recorded\n")
        rank = self.only_rank()
        self.assertEqual(rank.curve("loss", "loss"), {0: 1, 1: 4, 2: 9})
        self.assertEqual(rank.curve("loss", "loss", mode=1), dict.fromkeys(range(3), 4))
        self.assertEqual(rank.curve("scalar", "pawl.compiled"), {0: 1})
        self.assertEqual([s.sum for s in rank.curve("local_gradient", "fc.weight").values()], [2, 8, 18])
        self.assertEqual([s.sum for s in rank.curve("gradient", "fc.weight").values()], [2, 8, 18])
        self.assertEqual({name for kind, name in rank.series if kind in ("activation", "input")}, set())

    def test_losses_and_steps_may_be_compiled_along(self):
        out, _ = self.run_script(IDENTITY + """
if not hasattr(torch, "compile"):
    print("no compiler")
    sys.exit()
whole = torch.compile(lambda x: criterion(model(x), torch.zeros(1, 1)), backend="aot_eager", fullgraph=True)
for step in range(3):
    optimizer.zero_grad()
    whole(torch.tensor([[1.0 + step]])).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 100.0)
    optimizer.step()
    with torch.no_grad():
        whole(torch.tensor([[1.0 + step]]))
""", environment=self.environment())
        if out == ["no compiler"]:
            self.skipTest("torch before 2.0 has no compiler")
        rank = self.only_rank()
        self.assertEqual(rank.curve("loss", "loss"), {0: 1, 1: 4, 2: 9})
        self.assertEqual(rank.curve("scalar", "grad_norm"), {0: 2, 1: 8, 2: 18})

    def test_a_captured_cuda_graph_is_told_of_once(self):
        # There may be no GPU here: tensors are made to say that they are of a graph.
        _, err = self.run_script(IDENTITY + """
from pawl import _gradients, _recorder, _tensors
train(1.0)
for module in (_gradients, _recorder, _tensors):
    module.capturing_cuda_graph = lambda tensor: True
train(2.0)
train(2.0)
for module in (_gradients, _recorder, _tensors):
    module.capturing_cuda_graph = lambda tensor: False
train(3.0)
""", quiet=False, environment=self.environment(request()))
        self.assertEqual(err, "pawl: a CUDA graph is captured: what it computes is not recorded\n")
        rank = self.only_rank()
        self.assertEqual(rank.curve("loss", "loss"), {0: 1, 1: 9})
        self.assertEqual(rank.curve("scalar", "pawl.cuda_graph"), {1: 1})
        self.assertEqual(rank.curve("local_gradient", "fc.weight")[1].sum, 18)


if __name__ == "__main__":
    unittest.main()
