"""What is recorded: losses, steps, names, statistics."""

import unittest

from stage import DEFAULT, PRELUDE, StageTest, request

ALL = request()


class Losses(StageTest):
    def test_gradient_accumulation_gives_one_step_with_the_mean_loss(self):
        printed, _ = self.run_script(PRELUDE + """
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(3):
    losses = [loss_of(model, 4 * step + micro) for micro in range(4)]
    for loss in losses:
        loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    print(repr(sum(loss.item() for loss in losses) / 4))
""")
        self.assert_losses(self.only_rank(), printed)

    def test_losses_of_one_backward_call_add_up(self):
        printed, _ = self.run_script(PRELUDE + """
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
first, second = loss_of(model, 0), loss_of(model, 1)
torch.autograd.backward([first, second])
optimizer.step()
print(repr((first + second).item()))
""")
        self.assert_losses(self.only_rank(), printed)

    def test_only_scalars_without_a_given_gradient_are_losses(self):
        printed, _ = self.run_script(PRELUDE + """
from torch.utils.checkpoint import checkpoint
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = batch(0)
x.requires_grad_()
output = model(x)
output.backward(torch.full_like(output, 1e-3))
# Re-computation calls backward() inside of backward(), here on a single number.
loss = checkpoint(lambda x: nn.functional.cross_entropy(model(x), y), x, use_reentrant=True) * 2
loss.backward()
optimizer.step()
print(repr(loss.item()))
""")
        self.assert_losses(self.only_rank(), printed)

    def test_a_closure_contributes_the_loss_it_starts_from(self):
        printed, _ = self.run_script(PRELUDE + """
model = Net()
optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=4)
def closure():
    optimizer.zero_grad()
    loss = loss_of(model, 0)
    loss.backward()
    return loss
for step in range(3):
    print(repr(optimizer.step(closure).item()))
""", environment=self.environment(ALL))
        rank = self.only_rank()
        self.assert_losses(rank, printed)
        self.assertEqual(rank.steps[0].values["gradient", "fc1.weight"].count, 32)

    def test_accumulation_that_ends_in_a_closure(self):
        printed, _ = self.run_script(PRELUDE + """
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
losses = [loss_of(model, micro) for micro in range(3)]
losses[0].backward()
losses[1].backward()
optimizer.step(losses[2].backward)      # as Lightning does
print(repr(sum(loss.item() for loss in losses) / 3))
""")
        self.assert_losses(self.only_rank(), printed)

    def test_not_a_number_arrives_as_such(self):
        self.run_script(PRELUDE + """
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
(loss_of(model, 0) * float("nan")).backward()
optimizer.step()
""")
        step = self.only_rank().steps[0]
        self.assertNotEqual(step.values["loss", "loss"], step.values["loss", "loss"])
        self.assertEqual(step.values["gradient", "fc1.weight"].nan, 32)
        self.assertEqual(step.values["weight", "fc1.weight"].nan, 32)


class Optimisers(StageTest):
    def test_two_models_in_turn(self):
        out, _ = self.run_script(PRELUDE + """
class Critic(Net):
    pass
critic, generator = Critic(), Net()
of_critic = torch.optim.SGD(critic.parameters(), lr=0.1)
of_generator = torch.optim.Adam(generator.parameters(), lr=0.01)
for step in range(4):
    for model, optimizer in ((critic, of_critic), (generator, of_generator)):
        optimizer.zero_grad()
        loss = loss_of(model, step)
        loss.backward()
        optimizer.step()
        print(repr(loss.item()))
""", environment=self.environment(ALL))
        rank = self.only_rank()
        self.assert_losses(rank, out[0::2])
        self.assertEqual([step.ended for step in rank.steps], [True] * 4 + [False])
        # The second optimiser's step falls between two of the first: it belongs to the one that ends next.
        self.assertEqual(rank.curve("loss", "loss.1"), {n + 1: float(line) for n, line in enumerate(out[1::2])})
        self.assertEqual(rank.curve("scalar", "lr.1"), dict.fromkeys(range(1, 5), 0.01))
        names = {name for kind, name in rank.series if kind == "weight"}
        self.assertEqual(names, {"fc1.weight", "fc2.weight", "Net.fc1.weight", "Net.fc2.weight"})

    def test_optimisers_of_the_users_own(self):
        printed, _ = self.run_script(PRELUDE + """
class Plain(torch.optim.Optimizer):
    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})
    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter -= group["lr"] * parameter.grad
class Loud(Plain):
    def step(self):
        super().step()
class Lookahead(torch.optim.Optimizer):
    def __init__(self, inner):
        self.inner = inner
        super().__init__(inner.param_groups, {})
    def step(self):
        self.inner.step()
model = Net()
optimizer = Lookahead(Loud(model.parameters(), 0.1))
schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
for step in range(3):
    train(model, optimizer, 1, step)
    schedule.step()
""", environment=self.environment(ALL))
        rank = self.only_rank()
        self.assert_losses(rank, printed)
        self.assertEqual(rank.curve("scalar", "lr"), {0: 0.1, 1: 0.05, 2: 0.025})

    def test_training_that_moves_on_to_another_optimiser_goes_on(self):
        printed, _ = self.run_script(PRELUDE + """
model = Net()
train(model, torch.optim.SGD(model.parameters(), lr=0.1), 3)
train(model, torch.optim.Adam(model.parameters(), lr=0.01), 2, 3)   # the first one is gone
""")
        self.assert_losses(self.only_rank(), printed)

    def test_an_optimiser_that_is_kept_but_unused_hands_over(self):
        self.run_script(PRELUDE + """
model = Net()
first, second = [torch.optim.SGD(model.parameters(), lr=lr) for lr in (0.1, 0.01)]
train(model, first, 2)
train(model, second, 150)
""", environment=self.environment(request(DEFAULT, 1000)))
        rank = self.only_rank()
        self.assertEqual([step.number for step in rank.steps], list(range(52)))
        self.assertEqual(rank.curve("scalar", "lr")[51], 0.01)

    def test_disabled_grad_scaler(self):
        printed, _ = self.run_script(PRELUDE + """
import warnings
warnings.simplefilter("ignore", FutureWarning)   # torch 2.4 moved it
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scaler = torch.cuda.amp.GradScaler(enabled=False)
for step in range(3):
    optimizer.zero_grad()
    loss = loss_of(model, step)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    print(repr(loss.item()))
""")
        self.assert_losses(self.only_rank(), printed)

    def test_a_step_that_the_grad_scaler_skips(self):
        # torch has no scaling on the CPU before 2.3; what the scaler finds is put in its place, the rest is torch's.
        printed, _ = self.run_script(PRELUDE + """
import warnings
from collections import defaultdict
warnings.simplefilter("ignore", FutureWarning)   # torch 2.4 moved it
states = sys.modules[next(c for c in torch.cuda.amp.GradScaler.__mro__ if "unscale_" in vars(c)).__module__]
class Scaler(torch.cuda.amp.GradScaler):
    def _unscale_grads_(self, optimizer, inv_scale, found_inf, allow_fp16):
        return {"cpu": torch.tensor(float(overflow))}
scaler = Scaler(enabled=False)
scaler._enabled, scaler._scale, scaler._growth_tracker = True, torch.ones(1), torch.zeros(1, dtype=torch.int32)
scaler._per_optimizer_states = defaultdict(states._refresh_per_optimizer_state)
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(4):
    overflow = step in (0, 2)
    optimizer.zero_grad()
    loss = loss_of(model, step)
    loss.backward()
    scaler.step(optimizer)
    scaler._per_optimizer_states.clear()
    print(repr(loss.item()))
""", environment=self.environment(ALL))
        rank = self.only_rank()
        self.assert_losses(rank, printed)
        self.assertEqual(rank.curve("scalar", "amp.skipped"), {0: 1.0, 2: 1.0})
        self.assertEqual(list(rank.curve("gradient", "fc1.weight")), [1, 3])

    def test_scaled_losses_are_recorded_unscaled(self):
        out, _ = self.run_script(PRELUDE + """
if tuple(map(int, torch.__version__.split(".")[:2])) < (2, 3):
    print("no scaling on the CPU")
    sys.exit()
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scaler = torch.amp.GradScaler("cpu")
for step in range(3):
    optimizer.zero_grad()
    loss = loss_of(model, step)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    print(repr(loss.item()))
""")
        if out == ["no scaling on the CPU"]:
            self.skipTest("torch before 2.3 scales losses on CUDA only")
        self.assert_losses(self.only_rank(), out)


class Tensors(StageTest):
    def test_statistics_are_those_of_the_tensors(self):
        out, _ = self.run_script(PRELUDE + """
model = Net().double()
with torch.no_grad():
    model.fc1.weight[0, 0] = 0.0
optimizer = torch.optim.SGD(model.parameters(), lr=0.25)
x, y = batch(0)
hidden = model.fc1(x.double())
nn.functional.cross_entropy(model.fc2(model.relu(hidden)), y).backward()
before = model.fc1.weight.detach().clone()
optimizer.step()
after = model.fc1.weight.detach()
for tensor in (model.fc1.weight.grad, after, after - before, hidden, model.fc1.bias):
    print(tensor.numel(), *(repr(v.item()) for v in (tensor.min(), tensor.max(), tensor.sum(), (tensor ** 2).sum())))
""", environment=self.environment(ALL))
        values = self.only_rank().steps[0].values
        recorded = [values[key] for key in (("gradient", "fc1.weight"), ("weight", "fc1.weight"),
                                            ("update", "fc1.weight"), ("activation", "fc1"), ("bias", "fc1.bias"))]
        for line, stats in zip(out, recorded):
            count, smallest, largest, total, squares = line.split()
            self.assertEqual((stats.count, stats.min, stats.max), (int(count), float(smallest), float(largest)))
            self.assertAlmostEqual(stats.sum, float(total), places=12)
            self.assertAlmostEqual(stats.square_sum, float(squares), places=12)
            self.assertEqual(sum(stats.magnitude), stats.count - stats.zero)

    def test_every_layout_and_type(self):
        self.run_script(PRELUDE + """
class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(10, 3, sparse=True)
        self.transposed = nn.Parameter(torch.arange(6.0).reshape(2, 3).t())
        self.sliced = nn.Parameter(torch.arange(12.0).reshape(3, 4)[:, ::2])
        self.expanded = nn.Parameter(torch.tensor([[1.0], [2.0]]).expand(2, 50))
        self.negated = nn.Parameter(torch.tensor([1 + 2j, 3 + 4j]).conj().imag)
        self.small = nn.Parameter(torch.ones(5, dtype=torch.float16))
        self.brain = nn.Parameter(torch.full((7,), 2.0, dtype=torch.bfloat16))
        self.complex = nn.Parameter(torch.ones(2, dtype=torch.complex64))
        self.unused = nn.Parameter(torch.ones(4))
model = Odd()
optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
loss = model.table(torch.tensor([1, 1, 2])).sum() + model.transposed.sum() + model.small.float().sum()
(loss + model.brain.float().sum() + model.complex.abs().sum()).backward()
optimizer.step()
""")
        rank = self.only_rank()
        values = rank.steps[0].values
        self.assertEqual(values["gradient", "table.weight"].count, 6)  # of 30: two rows are stored
        self.assertEqual(values["gradient", "table.weight"].sum, 9)
        self.assertEqual((values["weight", "transposed"].count, values["weight", "transposed"].sum), (6, 15))
        self.assertEqual(rank.series["weight", "transposed"].shape, (3, 2))
        self.assertEqual((values["weight", "sliced"].count, values["weight", "sliced"].sum), (6, 30))
        self.assertEqual((values["weight", "expanded"].count, values["weight", "expanded"].sum), (100, 150))
        self.assertEqual((values["weight", "negated"].min, values["weight", "negated"].max), (-4, -2))
        self.assertEqual(values["weight", "small"].sum, 5)
        self.assertEqual(values["weight", "brain"].sum, 14)
        self.assertNotIn(("weight", "complex"), values)
        self.assertIn(("weight", "unused"), values)
        self.assertNotIn(("gradient", "unused"), values)

    def test_names_come_from_the_outermost_module_however_it_was_made(self):
        self.run_script(PRELUDE + """
import copy, io, pickle
class Task(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net
task = pickle.loads(pickle.dumps(copy.deepcopy(Task(nn.DataParallel(Net())))))
loose = nn.Parameter(torch.ones(3))
optimizer = torch.optim.SGD([*task.net.parameters(), loose], lr=0.1)
(loss_of(task.net.module, 0) + loose.sum()).backward()
optimizer.step()
wrapped = nn.DataParallel(Net())
train(wrapped.module, torch.optim.SGD(wrapped.parameters(), lr=0.1), 1)
""", environment=self.environment(request("weights,biases")))
        first, second = [{name for _, name in step.values} for step in self.only_rank().steps]
        self.assertEqual(first, {"net.module.fc1.weight", "net.module.fc1.bias", "net.module.fc2.weight",
                                 "net.module.fc2.bias", "param.4"})
        self.assertEqual(second, {"Net." + name for name in ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias")})

    def test_include_selects_tensors_only(self):
        self.run_script(PRELUDE + """
model = Net()
train(model, torch.optim.SGD(model.parameters(), lr=0.1), 1)
""", environment=self.environment(request("losses,weights,gradients", include="^fc2\\.|no such")))
        self.assertEqual(set(self.only_rank().series),
                         {("loss", "loss"), ("weight", "fc2.weight"), ("gradient", "fc2.weight"),
                          ("gradient", "fc2.bias")})


class Activations(StageTest):
    def test_modules_are_hooked_only_in_steps_that_capture(self):
        out, _ = self.run_script(PRELUDE + """
from torch.nn.modules import module
class Watched(Net):
    def forward(self, x):
        print(len(module._global_forward_hooks), sum(len(module._forward_hooks) for module in self.modules()))
        return super().forward(x)
model = Watched()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(7):
    optimizer.zero_grad()
    loss_of(model, step).backward()
    optimizer.step()
""", environment=self.environment(request("activations", 3)))
        self.assertEqual(out, ["1 0", "0 0", "0 0", "1 0", "0 0", "0 0", "1 0"])
        self.assertEqual([set(step.values) for step in self.only_rank().steps[:2]],
                         [{("activation", name) for name in ("fc1", "relu", "fc2")}, set()])

    def test_without_the_collection_there_are_never_hooks(self):
        out, _ = self.run_script(PRELUDE + """
from torch.nn.modules import module
class Watched(Net):
    def forward(self, x):
        print(len(module._global_forward_hooks) + len(module._global_forward_pre_hooks))
        return super().forward(x)
model = Watched()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(3):
    loss_of(model, step).backward()
    optimizer.step()
""", environment=self.environment(request(DEFAULT, 1)))
        self.assertEqual(out, ["0"] * 3)

    def test_one_step_is_one_set_of_statistics(self):
        self.run_script(PRELUDE + """
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for micro in range(3):
    loss_of(model, micro).backward()
with torch.no_grad():
    loss_of(model, 3)               # no part of the training
optimizer.step()
""", environment=self.environment(request("activations")))
        values = self.only_rank().steps[0].values
        self.assertEqual(values["activation", "fc2"].count, 3 * 16 * 2)
        relu = values["activation", "relu"]
        self.assertEqual((relu.count, relu.min, sum(relu.magnitude)), (3 * 16 * 8, 0.0, relu.count - relu.zero))


    def test_views_are_read_where_they_are(self):
        self.run_script(PRELUDE + """
class View(nn.Module):
    def forward(self, x):
        return x.t()[1::2]
net = Net()
model = nn.Sequential(net, View())
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x = torch.ones(16, 4)
with torch.no_grad():
    net.fc2.weight.zero_()
    net.fc2.bias.copy_(torch.tensor([5.0, -3.0]))
model(x).sum().backward()
optimizer.step()
""", environment=self.environment(ALL))
        stats = self.only_rank().steps[0].values["activation", "1"]
        self.assertEqual((stats.count, stats.min, stats.max, stats.sum), (16, -3, -3, -48))


class Logged(StageTest):
    def test_log_scalar_belongs_to_the_step_in_progress(self):
        self.run_script(PRELUDE + """
import pawl
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
pawl.log_scalar("before", 1)
for step in range(3):
    loss_of(model, step).backward()
    pawl.log_scalar("twice", -1.0)
    pawl.log_scalar("twice", torch.tensor([step + 0.5]))
    optimizer.step()
pawl.log_scalar("accuracy", 0.75)
for name, value in (("", 1), (3, 1), ("x", "1"), ("x", None), ("x", torch.ones(2))):
    try:
        pawl.log_scalar(name, value)
    except (TypeError, ValueError):
        continue
    raise AssertionError((name, value))
""")
        rank = self.only_rank()
        self.assertEqual(rank.curve("scalar", "before"), {0: 1.0})
        self.assertEqual(rank.curve("scalar", "twice"), {0: 0.5, 1: 1.5, 2: 2.5})
        self.assertEqual(rank.curve("scalar", "accuracy"), {3: 0.75})
        self.assertEqual([step.ended for step in rank.steps], [True, True, True, False])

    def test_a_resumed_training_counts_on(self):
        printed, _ = self.run_script(PRELUDE + """
import pawl
pawl.resume(11)
model = Net()
train(model, torch.optim.SGD(model.parameters(), lr=0.1), 3)
pawl.resume(5)      # too late
""", environment=self.environment(request(DEFAULT, 4)))
        rank = self.only_rank()
        self.assertEqual(rank.curve("loss", "loss"), {11 + step: float(line) for step, line in enumerate(printed)})
        self.assertEqual(list(rank.curve("weight", "fc1.weight")), [12])

    def test_values_on_a_device_are_read_one_step_late_and_in_order(self):
        # There may be no GPU here: numbers are made to say that they are still on their way.
        printed, _ = self.run_script(PRELUDE + """
from pawl import _numbers, _recorder
class Late(_numbers.Deferred):
    asked = []
    def __init__(self, value):
        self.value = value
    def __float__(self):
        Late.asked.append(self.value)
        return self.value
_recorder.as_number = lambda tensor: Late(tensor.detach().item())
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(7):
    asked = len(Late.asked)
    train(model, optimizer, 1, step)
    # Steps 0, 3 and 6 capture tensors and wait for the device anyway.
    assert len(Late.asked) - asked == (1, 0, 1, 2, 0, 1, 2)[step], (step, Late.asked[asked:])
""", environment=self.environment(request(DEFAULT, 3)))
        rank = self.only_rank()
        self.assert_losses(rank, printed)
        self.assertEqual([step.number for step in rank.steps if step.ended], list(range(7)))


if __name__ == "__main__":
    unittest.main()
