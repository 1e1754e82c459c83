"""How far recording is thinned to stay within a share of the training's time."""

import unittest

from pawl._budget import Budget
from pawl._environment import CaptureRequest, stretched
from stage import PRELUDE, StageTest


class Training:
    """Steps of `step` each, and recordings of `costs` (collection -> (interval asked for, cost))."""

    def __init__(self, budget, step, costs):
        self.budget, self.step, self.costs = budget, step, costs
        self.number = self.moment = self.decisions = 0

    def run(self, steps):
        for _ in range(steps):
            self.moment += self.step
            due = {name: cost for name, (every, cost) in self.costs.items()
                   if self.number % (every * self.budget.factors.get(name, 1)) == 0}
            if due:
                spent = sum(due.values())
                self.moment += spent
                self.decisions += self.budget.recorded(self.number, self.moment, spent, due)
            self.number += 1
        return self


class Policy(unittest.TestCase):
    def test_the_dearest_is_doubled_until_the_share_fits(self):
        budget = Budget(0.01, {"gradients": 1, "weights": 1})
        training = Training(budget, 1000, {"gradients": (1, 100), "weights": (1, 4)}).run(10)
        # 100/16 + 4 of 1000 are more than 1 %, 100/32 + 4 are not.
        self.assertEqual(budget.factors, {"gradients": 32})
        self.assertEqual(training.decisions, 1)
        training.run(3200)
        self.assertLess(budget.share(), 0.01)
        self.assertAlmostEqual(budget.share(), (100 / 32 + 4) / (1000 + 100 / 32 + 4), delta=2e-4)
        self.assertEqual(training.decisions, 1)

    def test_what_fits_stays_as_it_was_asked_for(self):
        budget = Budget(0.01, {"gradients": 10})
        self.assertEqual(Training(budget, 1000, {"gradients": (10, 99)}).run(1000).decisions, 0)

    def test_nothing_is_decided_from_the_first_recordings(self):
        budget = Budget(0.01, {"gradients": 1})
        training = Training(budget, 10, {"gradients": (1, 1000)})
        self.assertEqual(training.run(3).decisions, 0)
        self.assertEqual(training.run(1).decisions, 1)

    def test_intervals_come_back_when_half_of_the_budget_is_enough(self):
        budget = Budget(0.01, {"gradients": 1})
        training = Training(budget, 1000, {"gradients": (1, 100)}).run(100)
        self.assertEqual(budget.factors, {"gradients": 16})
        training.step = 1900  # 100/8 of it would be 0.66 %: it could be asked too much again soon
        training.run(1000)
        self.assertEqual(budget.factors, {"gradients": 16})
        training.step = 50_000
        training.run(1000)
        self.assertEqual(budget.factors, {})

    def test_one_pause_is_no_step(self):
        budget = Budget(0.01, {"gradients": 1})
        training = Training(budget, 1000, {"gradients": (1, 100)}).run(100)
        training.moment += 10_000_000
        training.run(100)
        self.assertEqual(budget.factors, {"gradients": 16})

    def test_even_what_can_never_fit_ends(self):
        budget = Budget(0.01, {"gradients": 1})
        Training(budget, 0, {"gradients": (1, 100)}).run(10)
        self.assertEqual(budget.factors, {"gradients": 1 << 20})


class Requests(unittest.TestCase):
    def test_budget_is_no_collection(self):
        request = CaptureRequest("gradients every=3\nbudget share=0.02", 0)
        self.assertEqual((request.budget, request.intervals()), (0.02, {"gradients": 3}))
        self.assertEqual(request.due(0), {"gradients"})
        self.assertIsNone(CaptureRequest("gradients every=3", 0).budget)

    def test_stretched_lines_keep_all_else(self):
        text = "losses every=1\ngradients from=5 every=3 at=7 include=a b every=9\nweights\nweights ranks=1 off\nbudget share=0.1"
        self.assertEqual(stretched(text, {"gradients": 4, "weights": 2}).splitlines(), [
            "losses every=1", "gradients every=12 from=5 at=7 include=a b every=9", "weights every=20",
            "weights ranks=1 off", "budget share=0.1"])


# A clock of the test's own: looking at it takes 1000 ns, a step 50 000.
CLOCK = PRELUDE + """
import pawl
from pawl import _recorder
class Clock:
    time = 0
    def __call__(self):
        self.time += 1000
        return self.time
clock = _recorder.now = Clock()
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
def steps(number):
    for step in range(number):
        optimizer.zero_grad()
        loss_of(model, step).backward()
        optimizer.step()
        clock.time += 50000
"""


class InTraining(StageTest):
    def test_a_budget_that_cannot_be_met_in_every_step(self):
        out, _ = self.run_script(CLOCK + """
steps(2000)
print(pawl._active._budget.share())
""", environment=self.environment("losses every=1\ngradients every=1\nweights every=1 at=701\nbudget share=0.01"))
        rank = self.only_rank()
        self.assertGreater(float(out[0]), 0)
        self.assertLess(float(out[0]), 0.01)
        self.assertTrue(rank.requests)
        self.assertTrue(all(request.own for request in rank.requests))
        last = CaptureRequest(rank.requests[-1].text, 0)
        since = rank.requests[-1].step
        self.assertEqual(last.budget, 0.01)
        for collection, kind in (("gradients", "gradient"), ("weights", "weight")):
            every = last.intervals()[collection]
            self.assertGreater(every, 8)
            at = {701} if collection == "weights" else set()
            recorded = {number for number in rank.curve(kind, "fc1.weight") if number >= since}
            self.assertEqual(recorded, {number for number in range(since, 2000) if number % every == 0} | at)
        self.assertEqual(len(rank.curve("loss", "loss")), 2000)

    def test_without_a_budget_nothing_is_thinned(self):
        self.run_script(CLOCK + "steps(50)", environment=self.environment("gradients every=1"))
        rank = self.only_rank()
        self.assertEqual((len(rank.curve("gradient", "fc1.weight")), rank.requests), (50, []))


if __name__ == "__main__":
    unittest.main()
