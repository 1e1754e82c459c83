"""A stage that is run with several seeds, and a gate that compares trainings."""

import json
import unittest

from harness import PawlTest

PIPELINE = """
version: 1
on: {push: {branches: [main]}}
stages:
  train: {run: python3 train.py, seeds: 4, debug: off}
  score: {run: python3 score.py, needs: [train], debug: off}
gate:
  bootstrap: true
  metrics:
    accuracy: {direction: higher, max_drop: 0.5, seeds: {probability: 0.75}}
"""

TRAIN = """
import os
level = float(open("level").read())
seed = int(os.environ["PAWL_SEED"])
if os.path.exists("crash") and seed == int(open("crash").read()):
    raise SystemExit("out of luck")
with open(os.environ["PAWL_OUTPUT_DIR"] + "/model", "w") as f:
    f.write(repr(level + seed / 1000))
"""

SCORE = """
import json, os
accuracy = float(open(os.environ["PAWL_STAGE_TRAIN_DIR"] + "/model").read())
nan = os.path.exists("nan") and os.environ["PAWL_SEED"] == "3"
with open(os.environ["PAWL_OUTPUT_DIR"] + "/metrics.json", "w") as f:
    json.dump({"accuracy": "NaN" if nan else accuracy}, f)
"""


class Seeds(PawlTest):
    def setUp(self):
        super().setUp()
        self.make_repository(PIPELINE, {"train.py": TRAIN, "score.py": SCORE, "level": "0.9"})
        self.commit("good")
        self.first = self.pawl_json("run", self.clone)

    def test_every_seed_is_trained_and_the_means_are_compared(self):
        run = self.first
        self.assertEqual(run["verdict"], "PASS")
        self.assertEqual([stage["name"] for stage in run["stages"]],
                         [f"{stage}@{seed}" for stage in ("train", "score") for seed in (1, 2, 3, 4)])
        self.assertEqual([metric["value"] for metric in run["metrics"]], [0.901, 0.902, 0.903, 0.904])
        self.commit("worse", level="0.8")
        run = self.pawl_json("run", self.clone, code=1)
        self.assertIn("accuracy (4 seeds, 0.801 to 0.804, mean 0.8025) against run 1", run["headline"])
        self.assertIn("worse in 100 % of the pairs", run["headline"])
        summary = (self.home / "runs" / run["id"] / "report" / "summary.md").read_text()
        self.assertIn("| `accuracy` | 0.8025 | 0.9025 | -0.1 | 1: 0.801, 2: 0.802, 3: 0.803, 4: 0.804 |", summary)
        self.commit("another number of seeds", level="0.9005",
                    **{"__pawl__yml": PIPELINE.replace("seeds: 4", "seeds: [1, 2, 3, 17, 5]")})
        run = self.pawl_json("run", self.clone)
        self.assertEqual((run["verdict"], run["baseline"]), ("PASS", self.first["id"]))
        compared = self.pawl_json("compare", "1", "2")["metrics"]["accuracy"]
        self.assertAlmostEqual(compared["a"], 0.9025)
        self.assertAlmostEqual(compared["b"], 0.8025)

    def test_a_waiver_of_the_seeds(self):
        self.commit("worse", level="0.8")
        self.pawl("run", self.clone, code=1)
        self.pawl("waiver", "add", "--metric", "accuracy", "--check", "max_drop", "--why", "x", "--expires", "1d")
        self.assertNotIn("waived", self.pawl_json("run", self.clone, code=1)["headline"])
        self.pawl("waiver", "add", "--metric", "accuracy", "--check", "seeds", "--why", "new labels", "--expires", "1d")
        run = self.pawl_json("run", self.clone)
        self.assertRegex(run["headline"], r"^waived: accuracy \(4 seeds.*\(waiver 2: new labels\)$")

    def test_a_seed_that_crashes_or_has_no_number(self):
        self.commit("one crashes", crash="2")
        run = self.pawl_json("run", self.clone, code=1)
        self.assertIn("stage train@2: rank 0 ended with exit code 1", run["headline"])
        summary = (self.home / "runs" / run["id"] / "report" / "summary.md").read_text()
        self.assertIn("<code>train@2, attempt 1</code>", summary)
        (self.clone / "crash").unlink()
        self.commit("one is NaN", nan="")
        run = self.pawl_json("run", self.clone, code=3)
        self.assertIn("accuracy is NaN with seed 3", run["headline"])


if __name__ == "__main__":
    unittest.main()
