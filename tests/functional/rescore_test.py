"""The test set or the evaluator changed: the baseline's model is scored again, and the comparison is made there."""

import unittest

from harness import PawlTest, wait_until

PIPELINE = """
version: 1
on: {push: {branches: [main]}}
data: {test: {path: testset}}
stages:
  train: {run: cp model $PAWL_OUTPUT_DIR/model, debug: off}
  evaluate: {needs: [train], evaluates: train, run: python3 evaluate.py, debug: off}
gate:
  bootstrap: true
  metrics:
    accuracy: {direction: higher, max_drop: 0.02, paired: {margin: 0.02}}
"""

# A model is a number m: it is right on the examples that are no harder than m. An example is a line "hardness".
EVALUATE = """
import json, os, pathlib, time
out = pathlib.Path(os.environ["PAWL_OUTPUT_DIR"])
skill = int(pathlib.Path(os.environ["PAWL_STAGE_TRAIN_DIR"], "model").read_text())
wait = pathlib.Path(os.environ.get("GO_FILE") or "/")
if skill == 90 and wait != pathlib.Path("/"):
    wait.with_name("waiting").touch()
    while not wait.exists():
        time.sleep(0.02)
hardness = [int(line) for line in pathlib.Path(os.environ["PAWL_DATA_TEST"], "examples").read_text().split()]
right = [h <= skill for h in hardness]
(out / "metrics.json").write_text(json.dumps({"accuracy": sum(right) / len(right)}))
with open(out / "predictions.csv", "w") as f:
    f.write("id,label,prediction\\n")
    for i, r in enumerate(right):
        f.write(f"{i}-{hardness[i]},1,{int(r)}\\n")
"""


def examples(hardest, n=1000):
    return "".join(f"{i % hardest}\n" for i in range(n))


class RescoreTest(PawlTest):
    def begin(self, pipeline=PIPELINE, **files):
        self.make_repository(pipeline, {"evaluate.py": EVALUATE, "testset/examples": examples(100), **files})

    def judged(self, verdict, model=None, says="", **files):
        if model is not None:
            files["model"] = str(model)
        self.write(files)
        self.commit()
        code = {"PASS": 0, "FAIL": 1, "ERROR": 3, "NO_BASELINE": 4}[verdict]
        run = self.pawl_json("run", self.clone, code=code)
        self.assertEqual(run["verdict"], verdict, run["headline"])
        self.assertIn(says, run["headline"])
        return run

    def hardness_up_to(self, hardest):
        return {"testset/examples": examples(hardest)}

    def stages(self, run):
        return [stage["name"] for stage in run["stages"]]


class TestSet(RescoreTest):
    def test_an_easier_test_set_hides_no_worse_model(self):
        self.begin()
        self.judged("PASS", 90)
        # The old model was right on 91 % of the old test set and is on all of the new one.
        run = self.judged("FAIL", 74, "accuracy fell from 1 to 0.94", **self.hardness_up_to(80))
        self.assertIn("its model scored again", run["headline"])
        self.assertEqual(self.stages(run), ["train", "evaluate", "evaluate@baseline"])
        self.assertEqual({(m["stage"], m["value"]) for m in run["metrics"]},
                         {("evaluate", 0.94), ("evaluate@baseline", 1)})
        report = (self.home / "runs" / run["id"] / "report" / "summary.md").read_text()
        self.assertIn("its model scored again", report)
        self.assertFalse((self.home / "runs" / run["id"] / "model@baseline").exists())

    def test_scores_are_kept_for_the_next_run(self):
        self.begin()
        self.judged("PASS", 90)
        first = self.judged("FAIL", 60, **self.hardness_up_to(80))
        self.assertIn("evaluate@baseline", self.stages(first))
        second = self.judged("FAIL", 70, "its model scored again")
        self.assertEqual(self.stages(second), ["train", "evaluate"])
        # A green run on the new test set is the next baseline, with scores of its own.
        green = self.judged("PASS", 90, "its model scored again")
        last = self.judged("PASS", 91)
        self.assertEqual(last["baseline"], green["id"])
        self.assertNotIn("scored again", last["headline"])
        self.assertEqual(self.stages(last), ["train", "evaluate"])

    def test_a_harder_test_set_is_no_worse_model(self):
        self.begin()
        self.judged("PASS", 90)
        self.judged("PASS", 90, "accuracy stayed at", **self.hardness_up_to(200))

    def test_a_model_that_cannot_be_scored_again_is_red(self):
        self.begin()
        self.judged("PASS", 90)
        run = self.judged("NO_BASELINE", 1000, "test set changed: 1000 examples, but other ids or labels in run 1", **self.hardness_up_to(80),
                          **{"evaluate.py": EVALUATE.replace("int(path", "-1 / (int(path")
                             .replace(".read_text())\n", ".read_text()) - 90)\n", 1)})
        self.assertIn("scoring its model again failed: stage evaluate@baseline: rank 0 ended with exit code 1", run["headline"])
        [reason] = [r for r in run["gate"]["reasons"] if r["check"] == "baseline"]
        self.assertEqual(reason["status"], "no_baseline")

    def test_a_baseline_without_a_model_is_red(self):
        self.begin(PIPELINE.replace("cp model $PAWL_OUTPUT_DIR/model",
                                    "cp model $PAWL_OUTPUT_DIR/../../../../../../model"))
        self.write({"evaluate.py": EVALUATE.replace('os.environ["PAWL_STAGE_TRAIN_DIR"], ', "")})
        self.judged("PASS", 90)
        self.judged("NO_BASELINE", 90, "it kept no files of stage train", **self.hardness_up_to(80))

    def test_a_stage_that_trains_too_is_red_and_says_what_would_help(self):
        self.begin(PIPELINE.replace("needs: [train], evaluates: train, ", "").replace("evaluate.py", "both.py")
                   .replace("  train: {run: cp model $PAWL_OUTPUT_DIR/model, debug: off}\n", ""))
        self.write({"both.py": EVALUATE.replace('os.environ["PAWL_STAGE_TRAIN_DIR"], ', "")})
        self.judged("PASS", 90)
        self.judged("NO_BASELINE", 90, "stage evaluate does not say with `evaluates` whose model it scores", **self.hardness_up_to(80))


class Evaluator(RescoreTest):
    def test_easier_examples_with_the_same_ids_and_labels(self):
        self.begin(**{"evaluate.py": EVALUATE.replace('{i}-{hardness[i]},1', '{i},1')})
        self.judged("PASS", 90)
        run = self.judged("FAIL", 74, "accuracy fell from 1 to 0.94", **self.hardness_up_to(80))
        self.assertIn("evaluate@baseline", self.stages(run))

    def test_a_crashed_evaluator_says_nothing_of_the_model(self):
        self.begin()
        self.judged("PASS", 90)
        self.judged("ERROR", 90, "stage evaluate: rank 0 ended with exit code 7", **{"evaluate.py": "raise SystemExit(7)"})
        self.judged("FAIL", 90, "stage train: rank 0 ended with exit code 1", **{
            "evaluate.py": EVALUATE, ".pawl.yml": PIPELINE.replace("cp model", "false; cp model")})

    def test_a_kinder_evaluator_hides_no_worse_model(self):
        self.begin()
        self.judged("PASS", 90)
        kinder = EVALUATE.replace("h <= skill", "h <= skill + 10")
        run = self.judged("FAIL", 85, "accuracy fell from 1 to 0.96", **{"evaluate.py": kinder})
        self.assertIn("evaluate@baseline", self.stages(run))
        self.assertIn("its model scored again", run["headline"])

    def test_other_code_is_no_other_evaluator(self):
        self.begin()
        self.judged("PASS", 90)
        run = self.judged("PASS", 91, **{"train.py": "print('new')\n"})
        self.assertEqual(self.stages(run), ["train", "evaluate"])

    def test_of_several_stages_one_is_the_model(self):
        """The test set is prepared by a stage: the run's own stays, only the model is the baseline's."""
        self.begin(PIPELINE.replace("stages:\n", "stages:\n  prepare: {run: cp testset/examples $PAWL_OUTPUT_DIR/, debug: off}\n")
                   .replace("needs: [train]", "needs: [prepare, train]"))
        self.write({"evaluate.py": EVALUATE.replace("PAWL_DATA_TEST", "PAWL_STAGE_PREPARE_DIR")})
        self.judged("PASS", 90)
        self.judged("FAIL", 74, "accuracy fell from 1 to 0.94", **self.hardness_up_to(80))


class Restart(RescoreTest):
    def test_a_daemon_that_dies_while_the_model_is_scored_again(self):
        go = self.dir / "go"
        pipeline = PIPELINE.replace("stages:", f"env: {{GO_FILE: {go}}}\nstages:", 1)
        go.touch()
        self.serve_repository(pipeline, {"evaluate.py": EVALUATE, "testset/examples": examples(100), "model": "90"})
        self.push()
        self.assertEqual(self.wait_run(1)["verdict"], "PASS")
        go.unlink()
        (self.dir / "waiting").unlink()
        self.push(model="74", **self.hardness_up_to(80))
        wait_until((self.dir / "waiting").exists, "the baseline's model to be scored")
        self.kill_daemon()
        self.start_daemon()
        go.touch()
        run = self.wait_run(2)
        self.assertEqual(run["verdict"], "FAIL", run["headline"])
        self.assertIn("accuracy fell from 1 to 0.94", run["headline"])


if __name__ == "__main__":
    unittest.main()
