"""Gradients on their way to the optimiser, and what it keeps: told apart by numbers that were computed by hand."""

import unittest

from stage import StageTest, request

STAGES = "scalars,gradients,local_gradients,unclipped_gradients"

# loss = w . x, so the gradient of w is x.
ONE_WEIGHT = """
import torch, sys
from torch import nn
model = nn.Linear(2, 1, bias=False)
nn.init.ones_(model.weight)
def backward(x, factor=1):
    (model(torch.tensor([x])).sum() * factor).backward()
"""


class Stages(StageTest):
    def stages(self, step, name="weight"):
        return {kind: (stats.min, stats.max, stats.sum) for (kind, of), stats in step.values.items()
                if of == name and kind != "scalar"}

    def test_clipping_by_norm(self):
        self.run_script(ONE_WEIGHT + """
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for step in range(2):
    optimizer.zero_grad()
    backward([3.0, 4.0])
    returned = nn.utils.clip_grad_norm_(model.parameters(), 2.5)     # a generator; 5 is twice as long
    assert returned.item() == 5
    nn.utils.clip_grad_norm_(model.parameters(), 100.0)              # finds 2.5, and what was clipped already
    optimizer.step()
""", environment=self.environment(request(STAGES)))
        rank = self.only_rank()
        for step in rank.steps:
            stages = self.stages(step)
            self.assertEqual(stages["local_gradient"], (3, 4, 7))
            self.assertEqual(stages["unclipped_gradient"], (3, 4, 7))
            for found, expected in zip(stages["gradient"], (1.5, 2, 3.5)):
                self.assertAlmostEqual(found, expected, places=5)
        for norm in rank.curve("scalar", "grad_norm").values():
            self.assertAlmostEqual(norm, 2.5, places=5)  # the last call counts
        self.assertEqual(list(rank.curve("scalar", "grad_norm")), [0, 1])

    def test_clipping_by_value_and_by_a_norm_that_is_known(self):
        out, _ = self.run_script(ONE_WEIGHT + """
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
backward([3.0, -4.0])
nn.utils.clip_grad_value_(model.weight, 3.5)
optimizer.step()
optimizer.zero_grad()
if hasattr(nn.utils, "clip_grads_with_norm_"):
    backward([6.0, 8.0])
    nn.utils.clip_grads_with_norm_(model.parameters(), 5.0, total_norm=torch.tensor(10.0))
    optimizer.step()
""", environment=self.environment(request(STAGES)))
        first, *more = self.only_rank().steps
        self.assertEqual(self.stages(first), {"local_gradient": (-4, 3, -1), "unclipped_gradient": (-4, 3, -1),
                                              "gradient": (-3.5, 3, -0.5)})
        self.assertNotIn(("scalar", "grad_norm"), first.values)
        for step in more:  # torch 2.6
            self.assertEqual(self.stages(step)["unclipped_gradient"], (6, 8, 14))
            self.assertEqual(step.values["scalar", "grad_norm"], 10)
            self.assertAlmostEqual(self.stages(step)["gradient"][2], 7, places=5)

    def test_nothing_is_unclipped_where_nothing_is_clipped(self):
        self.run_script(ONE_WEIGHT + """
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
backward([3.0, 4.0])
optimizer.step()
""", environment=self.environment(request(STAGES)))
        self.assertEqual(set(self.stages(self.only_rank().steps[0])), {"local_gradient", "gradient"})

    def test_micro_batches_are_one_set_of_local_statistics(self):
        self.run_script(ONE_WEIGHT + """
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for step in range(2):
    backward([9.0, 9.0])            # is thrown away
    optimizer.zero_grad()
    for micro in range(3):
        backward([1.0 + micro, -2.0])
    optimizer.step()
    optimizer.zero_grad(set_to_none=step == 0)
""", environment=self.environment(request(STAGES)))
        for step in self.only_rank().steps:
            local = step.values["local_gradient", "weight"]
            self.assertEqual((local.count, local.min, local.max, local.sum), (6, -2, 3, 0))
            self.assertEqual(step.values["gradient", "weight"].max, 6)  # 1 + 2 + 3
            self.assertEqual(step.values["gradient", "weight"].min, -6)

    def test_a_gan_in_which_the_critic_makes_more_steps(self):
        self.run_script("""
import torch
from torch import nn
class Critic(nn.Linear):
    pass
class Maker(nn.Linear):
    pass
critic, maker = Critic(1, 1, bias=False), Maker(1, 1, bias=False)
nn.init.constant_(critic.weight, 2.0)
nn.init.constant_(maker.weight, 1.0)
of_critic, of_maker = [torch.optim.SGD(module.parameters(), lr=0.0) for module in (critic, maker)]
for turn in range(2):
    for step in range(3):
        of_critic.zero_grad()
        with torch.no_grad():
            fake = maker(torch.tensor([[5.0]]))
        critic(fake + step).sum().backward()                    # gradient of the critic: 5 + step
        nn.utils.clip_grad_norm_(critic.parameters(), 100.0)
        of_critic.step()
    of_maker.zero_grad()
    critic(maker(torch.tensor([[7.0]]))).sum().backward()       # of the maker: 2 * 7; of the critic 7, for nobody
    nn.utils.clip_grad_norm_(maker.parameters(), 3.5)
    of_maker.step()
""", environment=self.environment(request(STAGES)))
        rank = self.only_rank()
        self.assertEqual([(step.number, step.ended) for step in rank.steps], [(n, True) for n in range(6)] + [(6, False)])
        critic = {n: 5.0 + n % 3 for n in range(6)}
        for kind in ("local_gradient", "unclipped_gradient", "gradient"):
            found = {step: (stats.count, stats.sum) for step, stats in rank.curve(kind, "weight").items()}
            self.assertEqual(found, {n: (1, value) for n, value in critic.items()}, kind)
        self.assertEqual(rank.curve("scalar", "grad_norm"), critic)
        # The maker's steps belong to the critic's step that ends next.
        for kind in ("local_gradient", "unclipped_gradient"):
            self.assertEqual({n: s.sum for n, s in rank.curve(kind, "Maker.weight").items()}, {3: 14, 6: 14}, kind)
        self.assertAlmostEqual(rank.curve("gradient", "Maker.weight")[3].sum, 3.5, places=5)
        self.assertEqual(rank.curve("scalar", "grad_norm.1"), {3: 14, 6: 14})

    def test_steps_that_are_not_due_see_nothing(self):
        out, _ = self.run_script(ONE_WEIGHT + """
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for step in range(4):
    optimizer.zero_grad()
    print(len(model.weight._backward_hooks or ()))
    backward([3.0, 4.0])
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
""", environment=self.environment("local_gradients every=3\nunclipped_gradients every=3"))
        self.assertEqual(out, ["1", "0", "0", "1"])
        rank = self.only_rank()
        self.assertEqual({step.number: step.kinds() for step in rank.steps},
                         {0: {"local_gradient", "unclipped_gradient"}, 1: set(), 2: set(),
                          3: {"local_gradient", "unclipped_gradient"}})

    def test_what_is_asked_for(self):
        self.run_script("""
import torch
from torch import nn
model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
for step in range(2):
    model(torch.ones(3, 4)).sum().backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
""", environment=self.environment("""local_gradients every=1 include=^0
unclipped_gradients every=1 max_size=64
gradients every=1 max_size=64 include=weight
updates every=1 max_size=8
weights every=1 max_size=100 novelty
optimizer_state every=1 max_size=64 include=weight
activations every=1 max_size=24
inputs every=1 max_size=48"""))
        # 0.weight has 128 bytes, 0.bias 32, 1.weight 64, 1.bias 8; what the modules put out 96 and 24, are given 48 and 96.
        self.assertEqual(set(self.only_rank().steps[1].values), {
            ("local_gradient", "0.weight"), ("local_gradient", "0.bias"),
            ("unclipped_gradient", "0.bias"), ("unclipped_gradient", "1.weight"), ("unclipped_gradient", "1.bias"),
            ("gradient", "1.weight"), ("update", "1.bias"), ("weight", "1.weight"),
            ("optimizer_state", "1.weight.momentum_buffer"), ("activation", "1"), ("input", "0")})


class Scaled(StageTest):
    def test_local_gradients_are_unscaled(self):
        self.run_script(ONE_WEIGHT + """
import warnings
warnings.simplefilter("ignore")                     # there is no GPU
scaler = torch.cuda.amp.GradScaler(enabled=False)
scaler._scale = torch.tensor(1024.0)                # on the CPU torch before 2.3 has no scaling: this is what it does
cls = next(base for base in type(scaler).__mro__ if "scale" in vars(base))
optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
for step in range(2):
    optimizer.zero_grad()
    loss = model(torch.tensor([[3.0, 4.0]])).sum()
    scaler.scale(loss)
    (loss * scaler._scale).backward()
    model.weight.grad /= 1024
    optimizer.step()
backward([3.0, 4.0])                                # without
optimizer.step()
""", environment=self.environment(request("local_gradients")))
        self.assertEqual([stats.sum for stats in self.only_rank().curve("local_gradient", "weight").values()], [7] * 3)

    def scaled_on_the_cpu(self, options):
        out, _ = self.run_script(ONE_WEIGHT + """
if tuple(map(int, torch.__version__.split(".")[:2])) < (2, 3):
    print("no scaling on the CPU")
    sys.exit()
optimizer = torch.optim.SGD(model.parameters(), lr=0.0%s)
scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
for step in range(2):
    optimizer.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model(torch.tensor([[3.0, 4.0]])).sum()
    scaler.scale(loss).backward()
    if step == 1:
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 2.5)
    scaler.step(optimizer)
    scaler.update()
""" % options, environment=self.environment(request(STAGES)))
        if out == ["no scaling on the CPU"]:
            self.skipTest("torch before 2.3 scales losses on CUDA only")
        rank = self.only_rank()
        sums = [{kind: stats.sum for (kind, _), stats in step.values.items() if kind != "scalar"} for step in rank.steps]
        clipped = sums[1].pop("gradient")
        self.assertEqual(sums, [{"local_gradient": 7, "gradient": 7}, {"local_gradient": 7, "unclipped_gradient": 7}])
        self.assertAlmostEqual(clipped, 3.5, places=5)
        self.assertEqual(rank.curve("scalar", "grad_norm"), {1: 5})

    def test_a_scaler_on_the_cpu(self):
        self.scaled_on_the_cpu("")

    def test_a_fused_optimiser_that_unscales_within_its_step(self):
        self.scaled_on_the_cpu(", fused=True")


class OptimizerState(StageTest):
    def test_moments_of_adam(self):
        self.run_script(ONE_WEIGHT + """
optimizer = torch.optim.Adam(model.parameters(), lr=0.0, betas=(0.5, 0.75))
for step in range(2):
    optimizer.zero_grad()
    backward([2.0, 4.0])
    optimizer.step()
""", environment=self.environment(request("optimizer_state")))
        rank = self.only_rank()
        self.assertEqual({name for _, name in rank.series}, {"weight.exp_avg", "weight.exp_avg_sq"})
        first = rank.curve("optimizer_state", "weight.exp_avg")
        self.assertEqual([(s.min, s.max) for s in first.values()], [(1, 2), (1.5, 3)])    # 1/2, then 3/4 of the gradient
        second = rank.curve("optimizer_state", "weight.exp_avg_sq")
        self.assertEqual([(s.min, s.max) for s in second.values()], [(1, 4), (1.75, 7)])  # 1/4, then 7/16 of its square
        self.assertEqual(rank.series["optimizer_state", "weight.exp_avg"].shape, (1, 2))

    def test_what_an_optimiser_keeps_otherwise_is_left_out(self):
        self.run_script(ONE_WEIGHT + """
class Odd(torch.optim.SGD):
    def step(self):
        super().step()
        self.state[model.weight].update(count=3, history=[torch.ones(2)], sparse=torch.ones(3).to_sparse())
optimizer = Odd(model.parameters(), lr=0.1)
backward([2.0, 4.0])
optimizer.step()
""", environment=self.environment(request("optimizer_state")))
        values = self.only_rank().steps[0].values
        self.assertEqual({name: stats.count for (_, name), stats in values.items()}, {"weight.sparse": 3})


if __name__ == "__main__":
    unittest.main()
