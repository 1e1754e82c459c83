"""Trainings that are stopped because their curve is worse than those of earlier green runs."""

import json
import os
import unittest

from harness import PawlTest

PIPELINE = """
version: 1
on: {push: {branches: [main]}}
stages:
  train: {run: python3 train.py, rules: off}
gate:
  bootstrap: true
  early: EARLY
  metrics:
    final_loss: {direction: lower, max_drop: 0.2}
"""

# Stochastic gradient descent on a parabola: a high learning rate settles at a high loss.
TRAIN = """
import json, os, pathlib, random, time
from pawl._library import LOSS, SCALAR, Library

settings = json.load(open("settings.json"))
random.seed(settings["seed"])
capture = Library(os.environ["PAWL_CAPTURE_LIB"]).open(os.environ["PAWL_TRACE_DIR"], None, 0, 1, "test")
weight = 2.0
for step in range(400):
    capture.begin(step)
    weight -= settings["lr"] * (weight + random.gauss(0, 0.3))
    loss = weight ** 2 + 0.5
    capture.scalar(capture.series((LOSS, "loss")), loss)
    capture.scalar(capture.series((SCALAR, "score")), 1 / loss)
    capture.end()
    time.sleep(settings["pause"])
capture.close()
out = pathlib.Path(os.environ["PAWL_OUTPUT_DIR"])
(out / "metrics.json").write_text(json.dumps({"final_loss": loss}))
"""


@unittest.skipIf("PAWL_SANITIZED" in os.environ, "Python cannot load a sanitized capture library")
class Early(PawlTest):
    def train(self, seed, lr=0.05, pause=0.0, code=0):
        self.commit(f"seed {seed}, learning rate {lr}", settings__json=json.dumps({"seed": seed, "lr": lr, "pause": pause}))
        return self.pawl_json("run", self.clone, code=code)

    def outcome(self, run):
        result = json.loads((self.attempt_dir(run) / "result.json").read_text())
        return result, next(rule for rule in result["rules"] if rule["rule"] == "worse_than_green")

    def test_a_worse_training_is_stopped_and_a_good_one_is_not(self):
        self.make_repository(PIPELINE.replace("EARLY", "true"), {"train.py": TRAIN})
        for seed in (1, 2):
            run = self.train(seed)
            result, rule = self.outcome(run)
            self.assertEqual((run["verdict"], rule["outcome"]), ("PASS", "not_evaluated"))
            self.assertIn("it compares with at least 2 green trainings", run["headline"])
            self.assertIn("at least 2 green trainings", rule["reason"])
        # Whoever wants to train like this pays for fifty steps, not for four hundred.
        bad = self.train(3, lr=1.95, pause=0.02, code=1)
        self.assertEqual(bad["verdict"], "FAIL")
        self.assertRegex(bad["headline"], r"worse_than_green .*loss was [\d.]+ on average from step \d+ to \d+; "
                                          r"green runs 2 \(\w{7}\) and 1 \(\w{7}\) had ")
        self.assertLess(self.outcome(bad)[0]["last_step"], 399)
        page = (self.home / "runs" / bad["id"] / "report" / "report.html").read_text()
        self.assertIn("green runs 2 (", page)
        found = self.pawl_json("bisect", "HEAD~1..HEAD", "--path", self.clone)
        self.assertEqual([suspect["commit"] for suspect in found["suspects"]], [bad["commit"]],
                         "a trial measures what is worse, to the end")
        good = self.train(4)
        self.assertEqual((good["verdict"], self.outcome(good)[1]["outcome"]), ("PASS", "pass"))
        intent = json.loads((self.attempt_dir(good) / "intent.json").read_text())
        self.assertEqual([name.split()[0] for name in intent["green"]["runs"]], ["2", "1"], "no red run is among them")

    def test_any_curve_and_the_policy_of_the_target_branch(self):
        policy = "{curve: score, direction: higher, margin: 0.2, runs: 5, from_step: 100}"
        self.make_repository(PIPELINE.replace("EARLY", policy), {"train.py": TRAIN})
        for seed in (1, 2, 3):
            self.train(seed)
        self.git("checkout", "--quiet", "-b", "change")
        self.write({".pawl.yml": PIPELINE.replace("EARLY", "false")})
        bad = self.train(4, lr=1.9, pause=0.02, code=1)
        self.assertIn("score was", bad["headline"])
        self.assertGreater(self.outcome(bad)[0]["last_step"], 100)
        self.assertLess(self.outcome(bad)[0]["last_step"], 399)


if __name__ == "__main__":
    unittest.main()
