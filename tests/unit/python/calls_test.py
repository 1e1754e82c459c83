"""What is recorded beside statistics: batches, spans, hashes, values, finer histograms."""

import json
import struct
import unittest

from stage import PRELUDE, StageTest

FOUR_STEPS = PRELUDE + """
model = Net()
train(model, torch.optim.SGD(model.parameters(), lr=0.1), 4)
"""

# Prints what the process itself finds with the library's digest.
DIGEST = """
import ctypes
library = ctypes.CDLL(os.environ["PAWL_CAPTURE_LIB"])
library.pawl_digest.restype = ctypes.c_uint64
def digest(tensor):
    tensor = tensor.detach().contiguous()
    size = ctypes.c_uint64(tensor.numel() * tensor.element_size())
    return library.pawl_digest(ctypes.c_void_p(tensor.data_ptr()), size, ctypes.c_uint64(0))
"""


class Batches(StageTest):
    def record(self, source, capture):
        out, _ = self.run_script(source, environment=self.environment(capture))
        return out, self.only_rank()

    def test_digest_examples_and_labels_of_each_step(self):
        out, rank = self.record(PRELUDE + DIGEST + """
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(4):
    x, y = batch(step // 2)
    optimizer.zero_grad()
    nn.CrossEntropyLoss()(model(x), y).backward()
    optimizer.step()
    print(digest(x), *torch.bincount(y, minlength=2).tolist())
""", "batches every=1")
        found = [step.lists["batch", "input"] for step in rank.steps]
        printed = [tuple(map(int, line.split())) for line in out]
        self.assertEqual([[(batch.digest, batch.examples, *batch.labels) for batch in batches] for batches in found],
                         [[(digest, 16, *labels)] for digest, *labels in printed])
        self.assertEqual(printed[0], printed[1])
        self.assertNotEqual(printed[0], printed[2])

    def test_several_inputs_by_name_and_micro_batches(self):
        _, rank = self.record(PRELUDE + """
class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 1)
    def forward(self, a, mask=None):
        return self.fc(a) * mask
model = Two()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for micro in range(3):
    model(torch.full((micro + 1, 4), 1.0), mask=torch.ones(micro + 1, 1)).sum().backward()
optimizer.step()
with torch.no_grad():
    model(torch.zeros(9, 4), mask=torch.ones(9, 1))  # no part of a training step
""", "batches every=1")
        lists = rank.steps[0].lists
        self.assertEqual({key: [batch.examples for batch in batches] for key, batches in lists.items()},
                         {("batch", "input"): [1, 2, 3], ("batch", "input.1"): [1, 2, 3]})
        self.assertEqual({batch.labels for batches in lists.values() for batch in batches}, {()})
        self.assertEqual(len(rank.steps), 1)

    def test_losses_are_left_as_they_were_outside_of_due_steps(self):
        out, rank = self.record(PRELUDE + """
original = nn.functional.cross_entropy
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(3):
    print(nn.functional.cross_entropy is original)
    loss_of(model, step).backward()
    optimizer.step()
""", "batches every=2")
        self.assertEqual(out, ["False", "True", "False"])
        self.assertEqual([step.number for step in rank.steps if step.lists], [0, 2])


class Spans(StageTest):
    def test_they_follow_each_other_within_the_step(self):
        self.run_script(FOUR_STEPS, environment=self.environment("spans every=1"))
        steps = self.only_rank().steps
        for step in steps:
            spans = {name: step.lists["span", name] for name in ("data", "forward", "backward", "optimizer")}
            if step.number == 0:
                self.assertEqual(spans.pop("data"), [])
            self.assertEqual({len(found) for found in spans.values()}, {1}, step.number)
            moments = [moment for name in spans for moment in spans[name][0]]
            self.assertEqual(moments, sorted(moments))
        self.assertEqual(len(steps), 4)

    def test_each_micro_batch_counts_and_an_evaluation_is_no_wait(self):
        self.run_script(PRELUDE + """
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(2):
    for micro in range(3):
        loss_of(model, micro).backward()
    optimizer.step()
    model.eval()
    loss_of(model, 0)
    model.train()
""", environment=self.environment("spans every=1"))
        for step in self.only_rank().steps:
            self.assertEqual({name: len(found) for (_, name), found in step.lists.items()},
                             {"forward": 3, "backward": 3, "optimizer": 1})

    def test_nothing_is_recorded_in_steps_that_are_not_due(self):
        self.run_script(FOUR_STEPS, environment=self.environment("spans every=3"))
        self.assertEqual([step.number for step in self.only_rank().steps if step.lists], [0, 3])


class Hashes(StageTest):
    def test_digest_of_each_parameter_after_the_step(self):
        out, _ = self.run_script(PRELUDE + DIGEST + """
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(3):
    optimizer.zero_grad()
    loss_of(model, step).backward()
    optimizer.step()
    print(digest(model.fc1.weight), digest(model.fc2.bias))
""", environment=self.environment("hashes every=2 include=^fc1.weight|^fc2.bias"))
        rank = self.only_rank()
        weights, biases = zip(*(map(int, line.split()) for line in out))
        self.assertEqual(rank.curve("hash", "fc1.weight"), {0: weights[0], 2: weights[2]})
        self.assertEqual(rank.curve("hash", "fc2.bias"), {0: biases[0], 2: biases[2]})
        self.assertEqual(rank.series["hash", "fc1.weight"].shape, (8, 4))
        self.assertEqual(len(rank.series), 2)


class Details(StageTest):
    def test_values_of_tensors_that_are_small_enough(self):
        out, _ = self.run_script(PRELUDE + """
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(2):
    optimizer.zero_grad()
    loss_of(model, step).backward()
    optimizer.step()
    print(model.fc2.weight.flatten().tolist())
""", environment=self.environment("weights every=1 raw=64"))
        steps = self.only_rank().steps
        self.assertEqual([list(step.raw) for step in steps], [[("weight", "fc2.weight")]] * 2)  # fc1.weight: 128 bytes
        for step, line in zip(steps, out):
            document = step.raw["weight", "fc2.weight"]
            size, = struct.unpack_from("<Q", document)
            head = json.loads(document[8:8 + size])["value"]
            self.assertEqual((head["dtype"], head["shape"]), ("F32", [2, 8]))
            self.assertEqual(list(struct.unpack("<16f", document[8 + size:])), json.loads(line))
            self.assertEqual(step.values["weight", "fc1.weight"].count, 32)

    def test_values_of_large_tensors_are_left_out(self):
        printed, _ = self.run_script(PRELUDE + """
Net = lambda: nn.Sequential(nn.Linear(4, 2), nn.Linear(2, 2**15), nn.Linear(2**15, 9), nn.Linear(9, 2))
model = Net()
train(model, torch.optim.SGD(model.parameters(), lr=0.1), 2)
""", environment=self.environment("losses every=1\nweights every=1 raw=999999999 include=[12]"))
        rank = self.only_rank()
        self.assert_losses(rank, printed)
        for step in rank.steps[:2]:
            self.assertEqual({name for _kind, name in step.raw}, {"1.weight"})  # the other has more than 1 MiB
            self.assertEqual(step.values["weight", "2.weight"].count, 9 * 2**15)

    def test_finer_histograms(self):
        self.run_script(PRELUDE + """
model = Net()
with torch.no_grad():
    model.fc2.bias.copy_(torch.tensor([0.0, 1.0]))
train(model, torch.optim.SGD(model.parameters(), lr=0.0), 1)
""", environment=self.environment("biases every=1 fine\nweights every=1 fine include=fc1"))
        fine = self.only_rank().steps[0].fine
        self.assertEqual(set(fine), {("bias", "fc1.bias"), ("bias", "fc2.bias"), ("weight", "fc1.weight")})
        self.assertEqual((fine["weight", "fc1.weight"].sampled, sum(fine["weight", "fc1.weight"].bins)), (32, 32))
        bins = fine["bias", "fc2.bias"].bins
        self.assertEqual({n: amount for n, amount in enumerate(bins) if amount}, {127: 1, 225: 1})  # zero, [1, 1.25)

    def test_transposed_parameters(self):
        out, _ = self.run_script(PRELUDE + DIGEST + """
model = Net()
model.fc1.weight.data = torch.arange(32.0).view(4, 8).t()
train(model, torch.optim.SGD(model.parameters(), lr=0.0), 1)
print(digest(model.fc1.weight))
""", environment=self.environment("weights every=1 raw=128 include=fc1\nhashes every=1 include=fc1.weight"))
        step = self.only_rank().steps[0]
        self.assertEqual(step.values["hash", "fc1.weight"], int(out[-1]))
        self.assertEqual(step.values["weight", "fc1.weight"].sum, sum(range(32)))
        values = struct.unpack("<32f", step.raw["weight", "fc1.weight"][-128:])
        self.assertEqual(values[:5], (0.0, 8.0, 16.0, 24.0, 1.0))


if __name__ == "__main__":
    unittest.main()
