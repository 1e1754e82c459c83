"""Tensors on a GPU, computed there. The GPU is a stand-in for the driver library, for which the host's memory is its
own: where tensors are is all that the hooks are told wrong."""

import unittest

from stage import BUILD, PRELUDE, StageTest, request

ALL = request()

# Losses are numbers that arrive later, too, so that steps are held back for them. `synchronised` holds each step in
# which the hooks waited for one that is not a step old.
ON_GPU = PRELUDE + """
import pawl._device, pawl._numbers, pawl._recorder, pawl._tensors
pawl._device.in_use = lambda: True
pawl._device.device_of = lambda tensor: 0
pawl._device.stream_of = lambda device: 0x1234

step, synchronised = 0, []
class Later(pawl._numbers.Deferred):
    def __init__(self, tensor):
        self.value, self.step = tensor.item(), step
    def __float__(self):
        if self.step == step:
            synchronised.append(step)
        return self.value
pawl._recorder.as_number = Later

def train(model, optimizer, steps):
    global step
    for step in range(steps):
        optimizer.zero_grad()
        loss = loss_of(model, step)
        loss.backward()
        optimizer.step()
        print(repr(loss.item()), repr(model.fc1.weight.abs().double().sum().item()), flush=True)

model = Net()
"""
TRAIN = ON_GPU + """
train(model, torch.optim.SGD(model.parameters(), lr=0.1), 12)
assert not synchronised, synchronised
"""


class OnGpu(StageTest):
    def environment(self, capture=None, **changes):
        changes = {"PAWL_CUDA_LIB": str(BUILD / "tests/libfake_cuda.so"), "PAWL_FAKE_CUDA_QUERIES": "2", **changes}
        return super().environment(capture, **changes)

    def assert_recorded(self, printed, every=1):
        """Every step, whole and in order, with its own loss and its own weights."""
        rank = self.only_rank()
        self.assert_losses(rank, [line.split()[0] for line in printed])
        self.assertEqual([step.number for step in rank.steps if step.ended], list(range(len(printed))))
        weights = rank.curve("weight", "fc1.weight")
        self.assertEqual(list(weights), list(range(0, len(printed), every)))
        for step, stats in weights.items():
            self.assertAlmostEqual(stats.abs_sum, float(printed[step].split()[1]), 4)
            self.assertEqual(sum(stats.magnitude), 32)
        return rank

    def test_every_step_is_recorded_and_none_waits(self):
        asked = request("losses,scalars,weights,biases,gradients,updates")
        printed, _ = self.run_script(TRAIN, environment=self.environment(asked))
        rank = self.assert_recorded(printed)
        for kind in ("bias", "gradient", "update"):
            self.assertEqual(len(rank.curve(kind, "fc1.bias")), 12, kind)

    def test_alternating_steps(self):
        printed, _ = self.run_script(TRAIN, environment=self.environment(request("losses,weights,gradients", 3)))
        self.assert_recorded(printed, 3)

    def test_tensors_that_are_not_contiguous_and_of_no_statistics(self):
        printed, _ = self.run_script(ON_GPU + """
table = nn.Embedding(9, 4, sparse=True)
turned = nn.Parameter(torch.arange(12.0).reshape(3, 4).t())
angle = nn.Parameter(torch.ones(2, dtype=torch.complex64))
optimizer = torch.optim.SGD([table.weight, turned, angle], lr=0.125)
for step in range(3):
    optimizer.zero_grad()
    (table(torch.tensor([1, 1, 2])).sum() + turned.sum() + angle.abs().sum()).backward()
    optimizer.step()
print(repr(turned.sum().item()))
""", environment=self.environment(request("weights,gradients")))
        rank = self.only_rank()
        sums = rank.curve("weight", "param.1")
        self.assertEqual(sums[2].sum, float(printed[0]))
        self.assertEqual(rank.curve("gradient", "param.1")[0].sum, 12)
        self.assertEqual(rank.curve("gradient", "weight")[0].count, 8)  # two rows of four
        self.assertNotIn(("weight", "param.2"), rank.series)

    def test_a_gpu_that_refuses_is_told_once_and_copied_from(self):
        for library, reason in (("/no/such/libcuda.so", "no NVIDIA driver"), ("libm.so.6", "no usable CUDA driver")):
            with self.subTest(library):
                printed, err = self.run_script(
                    TRAIN.replace("assert not synchronised, synchronised", ""), quiet=False,
                    environment=self.environment(request("losses,weights,gradients"), PAWL_CUDA_LIB=library))
                self.assertRegex(err, r"\Apawl: tensors on GPUs are copied to the host for their statistics: [^\n]*"
                                 + reason + r"[^\n]*\n\Z")
                self.assert_recorded(printed)
                self.reset_trace()

    def reset_trace(self):
        for path in sorted(self.trace_dir.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()


if __name__ == "__main__":
    unittest.main()
