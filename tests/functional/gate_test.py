"""Sequences of models and what the gate says of each, through `pawl run`: what a team relies on.

A model is the files it leaves: metrics.json and predictions.csv are committed, and the stage copies them.
"""

import json
import os
import unittest

from harness import PawlTest, wait_until

EXIT = {"PASS": 0, "FAIL": 1, "ERROR": 3, "NO_BASELINE": 4, "INCONCLUSIVE": 4}

PIPELINE = """
version: 1
on: {{push: {{branches: [main]}}}}
stages:
  train: {{run: "{command}", debug: off, timeout: 1m}}
gate:
  bootstrap: true
  metrics: {metrics}
"""
COPY = "cp metrics.json predictions.csv $PAWL_OUTPUT_DIR || true"


def predictions(n, wrong=(), label="1", columns=None):
    """n examples, wrong on those of `wrong`; `columns`: name -> function of the example."""
    columns = columns or {}
    lines = [",".join(["id", "label", "prediction", *columns])]
    for i in range(n):
        cells = [str(column(i)) for column in columns.values()]
        lines.append(",".join([str(i), label, "x" if i in wrong else label, *cells]))
    return "\n".join(lines) + "\n"


class GateTest(PawlTest):
    def begin(self, command=COPY, **metrics):
        """A repository whose gate has these metrics."""
        self.make_repository(PIPELINE.format(command=command, metrics=json.dumps(metrics)))

    def judged(self, verdict, says="", metrics=None, csv=None, files=None):
        """Commits a model and runs it: the verdict has to be this one, its headline has to say that."""
        if metrics is not None:
            self.write({"metrics.json": metrics if isinstance(metrics, str) else json.dumps(metrics)})
        if csv is not None:
            (self.clone / "predictions.csv").write_text(csv)
        self.write(files or {})
        self.commit()
        self.pawl("run", cwd=self.clone, code=EXIT[verdict])
        run = self.pawl_json("show", "last")
        self.assertEqual(run["verdict"], verdict, run["headline"])
        self.assertIn(says, run["headline"])
        return run

    def accuracy(self, verdict, value, says=""):
        return self.judged(verdict, says, {"accuracy": value})

    def accuracy_of(self, verdict, csv, says=""):
        rows = csv.splitlines()[1:]
        right = sum(row.split(",")[1] == row.split(",")[2] for row in rows)
        return self.judged(verdict, says, {"accuracy": right / len(rows)}, csv)


class PointRules(GateTest):
    def test_ninety_eighty_seventy(self):
        self.begin(accuracy={"direction": "higher", "max_drop": 0.02})
        first = self.accuracy("PASS", 0.9)
        for value in (0.8, 0.7):
            run = self.accuracy("FAIL", value, "accuracy fell from 0.9 to")
            self.assertEqual(run["baseline"], first["id"])

    def test_a_red_run_never_becomes_the_baseline(self):
        self.begin(accuracy={"direction": "higher", "max_drop": 0.02})
        self.accuracy("PASS", 0.9)
        for _ in range(3):
            self.accuracy("FAIL", 0.8)

    def test_lower_is_better(self):
        self.begin(loss={"direction": "lower", "max_drop": 0.02})
        self.judged("PASS", metrics={"loss": 0.30})
        self.judged("FAIL", "loss rose from 0.3 to 0.36", {"loss": 0.36})

    def test_a_relative_drop_from_nothing_or_below_it(self):
        self.begin(loss={"direction": "lower", "max_drop_relative": 0.1})
        self.judged("PASS", metrics={"loss": 0})
        self.judged("FAIL", metrics={"loss": 0.01})
        self.begin_again(likelihood={"direction": "higher", "max_drop_relative": 0.1})
        self.judged("PASS", metrics={"likelihood": -10})
        self.judged("PASS", metrics={"likelihood": -5})
        self.judged("FAIL", metrics={"likelihood": -6})

    def begin_again(self, **metrics):
        for path in (self.clone, self.bare, self.home):
            path.rename(path.with_name(path.name + ".old"))
        self.begin(**metrics)

    def test_missing_data_is_red_and_says_what(self):
        self.begin(accuracy={"direction": "higher", "max_drop": 0.02})
        self.accuracy("PASS", 0.9)
        self.judged("ERROR", "accuracy is NaN", {"accuracy": "NaN"})
        self.judged("ERROR", "accuracy is Infinity", {"accuracy": "Infinity"})
        self.judged("ERROR", "accuracy is missing from metrics.json", {"acuracy": 0.9})
        self.judged("ERROR", "metrics.json", '{"accuracy": 0.9')

    def test_a_direction_that_the_gate_contradicts_is_red(self):
        self.begin(accuracy={"direction": "higher", "floor": 0.5})
        self.judged("PASS", metrics={"accuracy": {"value": 0.964, "direction": "higher"}})
        self.judged("ERROR", "accuracy is better when lower by metrics.json, when higher by the gate",
                    {"accuracy": {"value": 0.964, "direction": "lower"}})

    def test_a_training_that_nobody_watched_is_judged_all_the_same(self):
        """Hooks are on, and there is nothing in the stage that they could attach to."""
        self.begin(accuracy={"direction": "higher", "floor": 0.5, "max_drop": 0.02})
        self.write({".pawl.yml": (self.clone / ".pawl.yml").read_text().replace("debug: off, ", "")})
        self.accuracy("PASS", 0.9, "no rule was evaluated")
        self.accuracy("FAIL", 0.3, "accuracy fell from 0.9 to 0.3")

    def test_a_crashed_evaluator_is_red(self):
        self.begin("cp metrics.json $PAWL_OUTPUT_DIR; exit $(cat code)", accuracy={"direction": "higher", "max_drop": 0.02})
        self.write({"code": "0"})
        self.accuracy("PASS", 0.9)
        self.judged("FAIL", "exit code 3", {"accuracy": 0.95}, files={"code": "3"})

    def test_what_an_earlier_attempt_left_is_not_judged(self):
        self.begin("if [ -e second ]; then exit 0; fi; cp metrics.json $PAWL_OUTPUT_DIR; exit $(cat code; touch second)",
                   accuracy={"direction": "higher", "max_drop": 0.02})
        text = (self.clone / ".pawl.yml").read_text()
        self.write({"code": "1", ".pawl.yml": text.replace("timeout: 1m", "timeout: 1m, retries: 1")})
        self.judged("ERROR", "accuracy is missing", {"accuracy": 0.9})

    def test_a_deterministic_metric_has_no_spread_and_is_judged(self):
        self.begin(bleu={"direction": "higher", "max_drop": 0.1})
        for _ in range(4):
            self.judged("PASS", metrics={"bleu": 31.5})
        self.judged("FAIL", "bleu fell from 31.5 to 31", {"bleu": 31.0})

    def test_an_improvement_is_no_change_for_the_worse(self):
        self.begin(accuracy={"direction": "higher", "max_drop": 0.02, "paired": {"margin": 0.01}})
        self.accuracy_of("PASS", predictions(1000, range(400)))
        self.accuracy_of("PASS", predictions(1000, range(150)), "rose from 0.6 to 0.85")


class Paired(GateTest):
    def test_seven_newly_wrong_of_fifty(self):
        """No proof at all, and ten points lost."""
        self.begin(accuracy={"direction": "higher", "max_drop": 0.02, "paired": {"margin": 0.01, "mode": "strict"}})
        self.accuracy_of("PASS", predictions(50, range(2)))
        run = self.accuracy_of("FAIL", predictions(50, range(2, 9)), "accuracy fell from 0.96 to 0.86")
        paired = [reason for reason in run["gate"]["reasons"] if reason["check"] == "paired"]
        self.assertEqual([(r["status"], r["b"], r["c"]) for r in paired], [("inconclusive", 2, 7)])
        self.assertRegex(self.pawl("show", "last").stdout,
                         r"inconclusive +accuracy +paired .*; Tango's score test, one-sided McNemar mid-p = 0\.0")

    def test_identical_predictions(self):
        self.begin(accuracy={"direction": "higher", "paired": {"margin": 0.001, "mode": "strict"}})
        self.accuracy_of("PASS", predictions(100, range(10)))
        self.accuracy_of("PASS", predictions(100, range(10)), "right on the same examples")

    def test_any_two_runs_are_compared_example_by_example(self):
        self.begin(accuracy={"direction": "higher", "paired": {"margin": 0.05}}, other={"direction": "higher", "floor": 0.5})
        def leave(wrong, n=500):
            self.judged("PASS", metrics={"accuracy": 1 - len(wrong) / n, "other": 1}, csv=predictions(n, wrong))
        leave(range(50))
        leave(range(10))
        leave(range(10))
        compared = self.pawl_json("compare", "1", "2")["metrics"]
        self.assertNotIn("interval", compared["other"])
        accuracy = compared["accuracy"]
        self.assertAlmostEqual(accuracy["difference"], 0.08)
        low, high = accuracy["interval"]
        self.assertTrue(0.05 < low < 0.08 < high < 0.11, accuracy)
        self.assertGreater(accuracy["p_worse"], 0.99)
        self.assertIn("right answers +8.00 points, 90 % CI", self.pawl("compare", "1", "2").stdout)
        self.assertIn("the same answers on all 500 examples", self.pawl("compare", "2", "3").stdout)

    def test_an_edited_test_set_is_no_improvement(self):
        self.begin(accuracy={"direction": "higher", "max_drop": 0.02, "paired": {"margin": 0.02}})
        self.accuracy_of("PASS", predictions(1000, range(100)))
        run = self.accuracy_of("NO_BASELINE", predictions(900, range(10)), "test set changed")
        summary = (self.home / "runs" / run["id"] / "report" / "summary.md").read_text()
        self.assertRegex(summary, r"\nCompared with run 1 of commit \w{7} \(main\), finished .* UTC, .* this run\.\n")
        self.assertIn("| `accuracy` | 0.9889 | 0.9 |  |", summary)
        self.assertIn("accuracy: not compared example by example: test set changed: 900 examples, were 1000 in run 1\n",
                      self.pawl("compare", "1", "2").stdout)
        self.accuracy_of("NO_BASELINE", predictions(1000, range(10), label="2"), "other ids or labels")

    def test_metrics_that_contradict_the_predictions(self):
        self.begin(accuracy={"direction": "higher", "paired": {"margin": 0.02}})
        self.judged("PASS", metrics={"accuracy": 0.9}, csv=predictions(100, range(10)))
        self.judged("ERROR", "metrics.json says 0.99, the predictions give 0.9", {"accuracy": 0.99})
        self.judged("ERROR", "metrics.json says 90, the predictions give 0.9: the file is in percent", {"accuracy": 90})

    def test_percent_is_no_gain_over_a_share(self):
        self.begin(accuracy={"direction": "higher", "max_drop": 0.02})
        self.accuracy("PASS", 0.95)
        self.accuracy("ERROR", 25, "accuracy was 0.95 in run 1")
        self.accuracy("FAIL", 0.25, "accuracy fell from 0.95 to 0.25")

    def test_what_may_be_chance_among_several_tests_is_not_sure(self):
        self.begin(accuracy={"direction": "higher", "paired": {"margin": 0.01}})
        self.judged("PASS", metrics={"accuracy": 1, "top1": 1}, csv=predictions(1000))
        worse = {"accuracy": 0.984, "top1": 0.984}
        self.judged("FAIL", "surely worse than the margin of 1)", worse, predictions(1000, range(16)))
        two = {"accuracy": {"direction": "higher", "paired": {"margin": 0.01}},
               "top1": {"direction": "higher", "paired": {"margin": 0.5}}}
        self.write({".pawl.yml": PIPELINE.format(command=COPY, metrics=json.dumps(two))})
        doubt = ", worse than the margin of 1, but this may be chance among 2 tests: p = 0.0"
        run = self.judged("PASS", doubt)
        summary = (self.home / "runs" / run["id"] / "report" / "summary.md").read_text()
        for text in (summary, self.pawl("show", "last").stdout):
            self.assertIn(doubt, text)
            self.assertNotIn("surely worse", text)
        self.assertEqual(summary.count(doubt), 2, "the headline and the row")

    def test_one_bad_column_is_the_fault_of_those_who_use_it(self):
        self.begin(accuracy={"direction": "higher", "paired": {"margin": 0.02}},
                   loss={"direction": "lower", "paired": {"margin": 0.02, "of": "mean", "column": "loss"}})
        run = self.judged("ERROR", metrics={"accuracy": 1.0, "loss": 0.1},
                          csv=predictions(100, columns={"loss": lambda i: "nan" if i == 7 else 0.1}))
        self.assertIn("predictions.csv: line 9: loss is \"nan\", not a finite number", run["headline"])
        self.assertNotIn("also red", run["headline"])

    def test_missing_predictions(self):
        self.begin(accuracy={"direction": "higher", "paired": {"margin": 0.01}})
        self.accuracy_of("PASS", predictions(100))
        (self.clone / "predictions.csv").unlink()
        self.judged("ERROR", "needs predictions.csv, which is missing")

    def test_other_statistics(self):
        paired = {"margin": 0.02}
        self.begin(roc={"direction": "higher", "paired": {**paired, "of": "auc", "positive": 1}},
                   loss={"direction": "lower", "paired": {**paired, "of": "mean", "column": "loss"}},
                   f1={"direction": "higher", "paired": {**paired, "of": "macro_f1"}},
                   pr={"direction": "higher", "paired": {**paired, "of": "average_precision", "positive": 1}})
        values = {"roc": 0.9, "loss": 0.3, "f1": 0.8, "pr": 0.9}

        def scored(noise):
            lines = ["id,label,prediction,score,loss"]
            for i in range(600):
                spread = (i * 7919 % 600) / 600 * noise      # the same for every model, wider for a worse one
                score = 0.5 + (0.2 if i % 2 else -0.2) + (spread if i % 4 < 2 else -spread)
                lines.append(f"{i},{i % 2},{1 if score > 0.5 else 0},{score:.6f},{abs(i % 2 - score):.6f}")
            return "\n".join(lines) + "\n"

        self.judged("PASS", metrics=values, csv=scored(0.3))
        self.judged("PASS", "the same on every example", values, scored(0.3))
        run = self.judged("FAIL", metrics=values, csv=scored(0.9))
        failed = {r["subject"]: r["test"] for r in run["gate"]["reasons"] if r["status"] == "fail"}
        self.assertEqual(failed, {"roc": "DeLong's test", "loss": "paired t test", "f1": "paired bootstrap",
                                  "pr": "paired bootstrap"})


class Slices(GateTest):
    @staticmethod
    def rides(night_wrong, day_wrong):
        hours = {"hour": lambda i: 22 if i < 200 else 12}
        return predictions(1000, [*range(night_wrong), *range(200, 200 + day_wrong)], columns=hours)

    def test_up_on_the_whole_and_down_at_night(self):
        night = {"name": "night", "where": {"hour": {"at_least": 20}}, "max_drop": 0.05}
        self.begin(accuracy={"direction": "higher", "max_drop": 0.02, "slices": [night]})
        self.accuracy_of("PASS", self.rides(10, 100))
        self.accuracy_of("FAIL", self.rides(26, 79), "accuracy of night fell from 0.95 to 0.87")

    def test_a_small_slice_is_told(self):
        by_hour = {"by": "hour", "floor": 0.5, "min_examples": 300}
        self.begin(accuracy={"direction": "higher", "max_drop": 0.02, "slices": [by_hour]})
        run = self.accuracy_of("PASS", self.rides(200, 0), "some slices were too small to be judged")
        self.assertIn("hour=22 (200 examples, 0)", json.dumps(run["gate"]))

    def test_a_new_slice_column_says_what_the_baseline_lacks(self):
        self.begin(accuracy={"direction": "higher", "slices": [{"by": "hour", "max_drop": 0.1}]})
        without = {"by": "hour", "floor": 0.1}
        self.write({".pawl.yml": PIPELINE.format(command=COPY, metrics=json.dumps(
            {"accuracy": {"direction": "higher", "max_drop": 0.1}}))})
        self.accuracy_of("PASS", predictions(1000, range(110)))
        self.write({".pawl.yml": PIPELINE.format(command=COPY, metrics=json.dumps(
            {"accuracy": {"direction": "higher", "slices": [{"by": "hour", "max_drop": 0.1}]}}))})
        self.accuracy_of("NO_BASELINE", self.rides(10, 100), "its predictions have no column 'hour'")
        self.write({".pawl.yml": PIPELINE.format(command=COPY, metrics=json.dumps(
            {"accuracy": {"direction": "higher", "max_drop": 0.1, "slices": [without]}}))})
        self.accuracy_of("PASS", self.rides(10, 100))

    def test_a_missing_slice_is_red(self):
        by_hour = {"by": "hour", "floor": 0.5}
        self.begin(accuracy={"direction": "higher", "max_drop": 0.02, "slices": [by_hour]})
        self.accuracy_of("PASS", self.rides(10, 100))
        self.accuracy_of("ERROR", predictions(1000, range(110)), "no column 'hour'")


class Plan(GateTest):
    PAIRED = {"direction": "higher", "paired": {"margin": 0.5}}

    def plan(self, *options):
        return self.pawl_json("gate", "plan", *options, cwd=self.clone)

    def wrong(self, verdict, *wrong):
        return self.accuracy_of(verdict, predictions(100, wrong))

    def test_the_spread_of_green_runs_is_told(self):
        self.begin(accuracy={"direction": "higher", "max_drop": 0.05})
        values = [0.90, 0.91, 0.89, 0.90, 0.91]
        for value in values[:4]:
            self.accuracy("PASS", value)
        self.assertIn("told from 5 green runs of the target branch on, there are 4",
                      self.pawl("gate", "plan", code=2, cwd=self.clone).stderr)
        self.accuracy("PASS", values[4])
        mean = sum(values) / 5
        deviation = (sum((value - mean) ** 2 for value in values) / 4) ** 0.5
        reach = 2.131847 * deviation * 1.2 ** 0.5  # the 95 % point of Student's t with 4 degrees of freedom
        (spread,) = self.plan()["next"]
        self.assertEqual((spread["metric"], spread["green_runs"]), ("accuracy", 5))
        self.assertAlmostEqual(spread["low"], mean - reach, 6)
        self.assertAlmostEqual(spread["high"], mean + reach, 6)
        self.assertIn("the next accuracy falls between", self.pawl("gate", "plan", cwd=self.clone).stdout)

    def test_an_accuracy_does_not_exceed_one(self):
        self.begin(accuracy={"direction": "higher", "max_drop": 0.05})
        for value in (0.99, 1, 0.98, 1, 0.97):
            self.accuracy("PASS", value)
        self.assertEqual(self.plan()["next"][0]["high"], 1)

    def test_a_model_that_was_not_changed_says_nothing(self):
        self.begin(accuracy=self.PAIRED)
        for wrong in ((1, 2), (1, 2), (3, 4), (3, 4), (3, 4)):
            self.wrong("PASS", *wrong)
        plan = self.plan()
        self.assertEqual((plan["disagreement"], plan["alike"], plan["green_runs"]), (0.04, 3, 5))
        self.assertIn("3 green runs left out, whose model answers as its baseline does: 5, 4, 2",
                      self.pawl("gate", "plan", cwd=self.clone).stdout)

    def test_only_unchanged_models(self):
        self.begin(accuracy=self.PAIRED)
        self.wrong("PASS", 1)
        self.wrong("PASS", 1)
        self.assertIn("(2) answered as its baseline did", self.pawl("gate", "plan", code=2, cwd=self.clone).stderr)

    def test_only_the_target_branch(self):
        self.begin(accuracy=self.PAIRED)
        self.wrong("PASS", 1, 2)
        self.wrong("PASS", 2, 3)
        self.git("push", "--quiet", "origin", "HEAD:main")
        self.git("checkout", "--quiet", "-b", "feature")
        self.wrong("PASS", *range(10, 40))
        plan = self.plan()
        self.assertEqual((plan["disagreement"], plan["green_runs"]), (0.02, 2))

    def test_only_one_project(self):
        self.begin(accuracy=self.PAIRED)
        self.wrong("PASS", 1, 2)
        self.wrong("PASS", 2, 3)
        self.pawl("run", "--project", "other", cwd=self.clone)
        self.wrong("PASS", 4)
        for wrong in (range(9), range(8, 30)):
            (self.clone / "predictions.csv").write_text(predictions(100, wrong))
            self.write({"metrics.json": json.dumps({"accuracy": 1 - len(wrong) / 100})})
            self.commit()
            self.pawl("run", "--project", "other", cwd=self.clone)
        self.assertEqual((self.plan()["project"], self.plan()["green_runs"]), ("model", 3))
        self.assertEqual(self.plan("--project", "other")["green_runs"], 3)
        self.assertNotEqual(self.plan()["disagreement"], self.plan("--project", "other")["disagreement"])
        self.assertIn("--project NAME", self.pawl("gate", "plan", code=2, cwd=self.home).stderr)

    def test_what_a_waiver_let_pass_is_no_good_model(self):
        self.begin(accuracy={**self.PAIRED, "floor": 0.9})
        self.wrong("PASS", 1, 2)
        self.wrong("PASS", 2, 3)
        self.pawl("waiver", "add", "--metric", "accuracy", "--why", "new labels", "--by", "ada", "--expires", "1d", cwd=self.clone)
        self.wrong("PASS", *range(10, 40))
        self.assertEqual(self.plan()["disagreement"], 0.02)


class Conditions(GateTest):
    """1000 examples are enough for 3 evaluations to within 0.1, at reliability 0.9 (219)."""

    ABOVE = {"condition": "n > 0.8 +/- 0.1", "reliability": 0.9, "steps": 3}
    CLOSE = {"condition": "n - o > -0.2 +/- 0.15 /\\ d < 0.4 +/- 0.15", "reliability": 0.9, "steps": 3}

    def ask(self, **condition):
        self.begin()
        self.change(**condition)

    def change(self, **condition):
        text = PIPELINE.format(command=COPY, metrics="{}") + "  conditions: " + json.dumps([condition])
        self.write({".pawl.yml": text})

    def model(self, verdict, wrong, says="", **options):
        return self.judged(verdict, says, csv=predictions(1000, range(wrong), **options))

    def uses(self):
        return [(t["uses"], t["steps"], t["standing"]) for t in self.pawl_json("gate", "budget")["test_sets"]]

    def test_true_false_and_unknown(self):
        self.ask(**self.ABOVE, mode="fp-free")
        self.model("PASS", 50, "n > 0.8 +/- 0.1 is met")
        self.model("FAIL", 150, "is not met, or too close to tell")
        self.change(**self.ABOVE, mode="fn-free")
        self.model("PASS", 151, "is met, or too close to tell")
        self.change(**{**self.ABOVE, "steps": 9}, mode="fn-free")
        run = self.model("FAIL", 350, "is not met")
        self.assertNotIn("0.65", json.dumps(run["gate"]))  # pass or fail, and no score

    def test_against_the_baseline(self):
        self.ask(**self.CLOSE)
        first = self.model("PASS", 100, "nothing to compare with yet")
        run = self.model("PASS", 110, "is met")
        self.assertEqual(run["baseline"], first["id"])
        self.model("FAIL", 500, "is not met")
        self.model("NO_BASELINE", 110, "test set changed: 1000 of 1000 examples have another label", label="2")

    def test_only_what_two_models_answer_otherwise_needs_labels(self):
        def pool(wrong, labelled):
            rows = [f"{i},{1 if i in labelled else ''},{'x' if i in wrong else 1}" for i in range(1000)]
            return "\n".join(["id,label,prediction", *rows]) + "\n"

        self.ask(**self.CLOSE)
        self.judged("PASS", "nothing to compare with yet", csv=pool([], []))
        wrong = range(10, 40)
        run = self.judged("INCONCLUSIVE", "needs 30 more labels", csv=pool(wrong, []))
        self.assertIn("to_label.csv beside the report", run["headline"])
        listed = self.home / "runs" / run["id"] / "report" / "to_label.csv"
        self.assertEqual(listed.read_text().split(), ["id", *map(str, wrong)])
        self.judged("INCONCLUSIVE", "needs 1 more label:", csv=pool(wrong, range(39)))
        self.assertEqual(self.uses(), [])
        self.judged("PASS", "is met", csv=pool(wrong, wrong))
        self.judged("PASS", "is met", csv=pool(wrong, range(1000)))
        self.assertEqual(self.uses(), [(1, 3, "open")])  # the same test set, and the same question

    def test_an_empty_label_is_an_error_elsewhere(self):
        self.ask(**self.ABOVE)
        self.model("ERROR", 0, "the label is empty", label="")

    def test_too_few_examples(self):
        self.ask(condition="n > 0.8 +/- 0.01")
        self.model("INCONCLUSIVE", 0, "`pawl gate samples` explains")
        self.assertEqual(self.uses(), [])

    def test_missing_predictions(self):
        self.ask(**self.ABOVE)
        self.judged("ERROR", "needs predictions.csv, which is missing", {"accuracy": 0.9})

    def test_the_fourth_of_three_is_red(self):
        self.ask(**self.ABOVE, on_spent="block")
        for wrong in (1, 2, 3):
            self.model("PASS", wrong)
        self.assertEqual(self.uses(), [(3, 3, "retired")])
        spent = "the test set has answered 3 times, which is what it was sized for: bring a new one"
        self.model("INCONCLUSIVE", 4, spent)
        self.model("PASS", 3)  # answered before
        self.change(**{**self.ABOVE, "steps": 9}, on_spent="block")
        self.model("INCONCLUSIVE", 4, spent)
        self.assertEqual(self.uses(), [(3, 3, "retired")])
        self.model("PASS", 4, label="2")
        self.assertEqual(sorted(self.uses()), [(1, 9, "open"), (3, 3, "retired")])

    def test_the_fourth_of_three_is_told(self):
        self.ask(**self.ABOVE)
        for wrong in (1, 2, 3):
            self.model("PASS", wrong)
        self.model("PASS", 4, "the test set is used up")
        self.assertEqual(self.uses(), [(4, 3, "retired")])
        self.assertIn("4 of 3", self.pawl("gate", "budget").stdout)

    def test_a_mistake_is_shown_in_its_place(self):
        self.ask(condition="n > 0.8 +/- 0.1 and d < 0.1 +/- 0.01")
        said = self.pawl("check", cwd=self.clone, code=2).stderr
        self.assertIn("expected '/\\' or the end, found 'and'", said)
        line, caret = said.splitlines()[1:3]
        self.assertTrue(line[caret.index("^"):].startswith("and d"), said)


class Policy(GateTest):
    def test_a_branch_cannot_relax_its_gate(self):
        self.begin(accuracy={"direction": "higher", "max_drop": 0.02})
        self.accuracy("PASS", 0.9)
        self.git("push", "--quiet", "origin", "HEAD:main")
        self.git("checkout", "--quiet", "-b", "feature")
        relaxed = PIPELINE.format(command=COPY, metrics=json.dumps({"accuracy": {"direction": "higher", "max_drop": 0.5}}))
        self.write({".pawl.yml": relaxed})
        self.accuracy("FAIL", 0.8, "accuracy fell from 0.9 to 0.8")

    def test_it_is_told_that_another_gate_judged_it(self):
        strict = {"accuracy": {"direction": "higher", "max_drop": 0.02}}
        note = "judged by the gate of main; this commit changes it"
        self.begin(**strict)
        self.assertNotIn("judged by", self.pawl("show", self.accuracy("PASS", 0.9)["number"]).stdout)
        self.git("checkout", "--quiet", "-b", "feature")
        self.accuracy("PASS", 0.89)
        self.assertNotIn("judged by", self.pawl("show", "last").stdout)
        text = PIPELINE.format(command=COPY, metrics=json.dumps(strict))
        for own, accuracy, code in ((text.replace("0.02", "0.5"), 0.8, 1), (text[:text.index("gate:")] + "gate: off\n", 0.89, 0)):
            self.write({".pawl.yml": own, "metrics.json": json.dumps({"accuracy": accuracy})})
            self.commit()
            self.assertIn(note + "\n", self.pawl("run", cwd=self.clone, code=code).stdout)
            run = self.pawl_json("show", "last")
            self.assertEqual(run["gate"]["gate_note"], note)
            self.assertIn(note, self.pawl("show", "last").stdout)
            self.assertIn(note, self.pawl("status", "--follow", run["number"], code=code).stdout)
            for file in ("summary.md", "report.html"):
                self.assertIn(note, (self.home / "runs" / run["id"] / "report" / file).read_text())

    def test_nor_in_a_clone_that_has_only_origins_branches(self):
        """As CI systems make it: HEAD is detached, and the target branch is there as origin's."""
        self.begin(accuracy={"direction": "higher", "max_drop": 0.02})
        self.accuracy("PASS", 0.9)
        self.git("push", "--quiet", "origin", "HEAD:main")
        self.git("checkout", "--quiet", "-b", "relaxed")
        self.write({".pawl.yml": (self.clone / ".pawl.yml").read_text().replace("0.02", "0.5"),
                    "metrics.json": '{"accuracy": 0.8}'})
        self.commit()
        self.git("checkout", "--quiet", "--detach")
        self.git("branch", "--quiet", "-D", "main", "relaxed")
        error = self.pawl("run", cwd=self.clone, code=2).stderr
        self.assertIn("HEAD is detached", error)
        self.git("fetch", "--quiet", "origin")
        for options, env in ((["--branch", "relaxed"], {}), ([], {"GITHUB_REF_NAME": "12/merge"}), ([], {"CI_COMMIT_BRANCH": "relaxed"})):
            self.assertIn("accuracy fell from 0.9 to 0.8", self.pawl("run", *options, cwd=self.clone, code=1, env=env).stdout)
        self.assertEqual({run["branch"] for run in self.runs()}, {"main", "relaxed", "12/merge"})

    def test_a_killed_training_is_no_verdict_on_the_model(self):
        self.begin("cp metrics.json $PAWL_OUTPUT_DIR; if [ -e die ]; then kill -9 $PPID; sleep 60; fi",
                   accuracy={"direction": "higher", "max_drop": 0.02})
        first = self.accuracy("PASS", 0.9)
        run = self.judged("ERROR", metrics={"accuracy": 0.9}, files={"die": "yes"})
        self.assertNotIn("accuracy fell", run["headline"])
        (self.clone / "die").unlink()
        self.assertEqual(self.accuracy("PASS", 0.9)["baseline"], first["id"])


class Waivers(GateTest):
    """A known drop, allowed for a while and on record."""

    def waive(self, *options, expires="14d"):
        return self.pawl_json("waiver", "add", "--why", "new labels", "--by", "ada", "--expires", expires, *options)

    def a_red_run(self):
        self.begin(accuracy={"direction": "higher", "max_drop": 0.02})
        self.first = self.accuracy("PASS", 0.9)
        return self.accuracy("FAIL", 0.8)

    def reason(self, run, check="max_drop"):
        return next(reason for reason in run["gate"]["reasons"] if reason["check"] == check)

    def test_a_valid_one_is_yellow(self):
        self.a_red_run()
        waiver = self.waive("--metric", "accuracy", "--check", "max_drop")
        run = self.accuracy("PASS", 0.8, "waived: accuracy fell from 0.9 to 0.8")
        self.assertIn(f"waived until {waiver['expires'][:10]} by ada (waiver {waiver['id']}: new labels)", run["headline"])
        self.assertEqual(run["exit_code"], 0)
        self.assertEqual((self.reason(run)["status"], self.reason(run)["waiver"]), ("waived", waiver["id"]))
        report = (self.home / "runs" / run["id"] / "report" / "report.html").read_text()
        self.assertIn('<header class="verdict amber">', report)

    def test_one_that_expired_is_red(self):
        self.a_red_run()
        waiver = self.waive("--metric", "accuracy", expires="1ms")

        def state():
            return [w["state"] for w in self.pawl_json("waiver", "list", "--all")["waivers"]]
        wait_until(lambda: state() == ["expired"], "the waiver to expire")
        self.assertEqual(self.pawl_json("waiver", "list")["waivers"], [])
        run = self.accuracy("FAIL", 0.8, f"; waiver {waiver['id']} expired on {waiver['expires'][:10]}")
        self.assertEqual(self.reason(run)["status"], "fail")

    def test_another_scope_is_red(self):
        sha = self.a_red_run()["commit"]
        for scope in (["--branch", "feature"], ["--commit", sha[:10]], ["--check", "floor"], ["--slice", "lang=de"]):
            self.waive("--metric", "accuracy", *scope)
        self.waive("--rule", "dead_relu")
        run = self.accuracy("FAIL", 0.8)
        self.assertNotIn("waive", run["headline"])
        self.waive("--metric", "accuracy", "--commit", self.commit()[:10])
        self.pawl("run", cwd=self.clone, code=EXIT["PASS"])

    def test_a_revoked_one_is_red(self):
        self.a_red_run()
        waiver = self.waive("--metric", "accuracy")["id"]
        self.accuracy("PASS", 0.8)
        self.assertEqual(self.pawl_json("waiver", "revoke", waiver, "--why", "fixed")["state"], "revoked")
        self.accuracy("FAIL", 0.8, f"; waiver {waiver} was revoked on ")
        self.assertIn("was revoked on", self.pawl("waiver", "revoke", waiver, "--why", "again", code=2).stderr)

    def test_it_does_not_lower_the_bar(self):
        self.a_red_run()
        self.waive("--metric", "accuracy")
        waived = self.accuracy("PASS", 0.8)
        run = self.accuracy("PASS", 0.79, "accuracy fell from 0.9 to 0.79")
        self.assertEqual(run["baseline"], self.first["id"])
        self.pawl("baseline", "pin", waived["number"], "--why", "the new labels are harder")
        run = self.accuracy("PASS", 0.79)
        self.assertEqual(run["baseline"], waived["id"])
        self.assertNotIn("waived", run["headline"])

    def test_missing_data_is_not_waived(self):
        self.a_red_run()
        self.waive("--metric", "accuracy")
        self.judged("ERROR", "accuracy is NaN", {"accuracy": "NaN"})

    @unittest.skipIf("PAWL_SANITIZED" in os.environ, "Python cannot load a sanitized capture library")
    def test_a_rule_that_fired(self):
        """A stage that ran to its end is judged like any other; one that the rule stopped left nothing to judge."""
        script = """
            import torch
            layer = torch.nn.Linear(2, 1)
            optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
            (layer(torch.ones(1, 2)) / 0).sum().backward()
            optimizer.step()
        """
        pipeline = PIPELINE.replace(", debug: off", ", rules: {{non_finite: {{on_fire: {action}}}}}")
        accuracy = json.dumps({"accuracy": {"direction": "higher", "max_drop": 0.02}})
        self.begin(accuracy={"direction": "higher", "max_drop": 0.02})
        self.accuracy("PASS", 0.9)

        def fired(verdict, value, says, action="fail"):
            files = {".pawl.yml": pipeline.format(command="/usr/bin/python3 nan.py; " + COPY, metrics=accuracy, action=action),
                     "nan.py": script}
            metrics = value if isinstance(value, str) else {"accuracy": value}
            return self.judged(verdict, says, metrics, files=files)

        fired("FAIL", 0.9, "non_finite at step")
        waiver = self.waive("--rule", "non_finite")["id"]
        run = fired("PASS", 0.9, "waived: non_finite at step")
        self.assertIn(f"(waiver {waiver}: new labels)", run["headline"])
        self.assertEqual(self.reason(run)["status"], "pass")
        fired("FAIL", 0.8, "accuracy fell from 0.9 to 0.8")
        fired("ERROR", '{"accuracy": 0.9', "metrics.json:1:")
        fired("FAIL", 0.9, "its rules are waived, but what it left cannot be judged", action="stop")

    def test_what_cannot_be_waived_is_refused(self):
        self.a_red_run()
        for options, says in ((["--metric", "acuracy"], "did you mean 'accuracy'?"),
                              (["--rule", "dead_rellu"], "did you mean 'dead_relu'?"),
                              ([], "a metric or a rule"),
                              (["--metric", "accuracy", "--slice", "de"], "write column=value (lang=de)"),
                              (["--metric", "accuracy", "--project", "other"], "no run of a project 'other'")):
            done = self.pawl("waiver", "add", "--why", "x", "--expires", "1d", *options, code=2)
            self.assertIn(says, done.stderr)
        done = self.pawl("waiver", "add", "--metric", "accuracy", "--why", "x", "--expires", "91d", code=2)
        self.assertIn("at most 90d", done.stderr)
        self.pawl("waiver", "add", "--metric", "accuracy", "--why", "x", code=2)

    def test_through_the_daemon(self):
        self.a_red_run()
        self.start_daemon()
        waiver = self.waive("--metric", "accuracy", "--branch", "main")
        self.assertEqual((waiver["by"], waiver["branch"]), ("ada", "main"))
        status, body = self.request("GET", "/api/v1/waivers")
        self.assertEqual((status, json.loads(body)["waivers"]), (200, [waiver]))
        self.assertEqual(self.pawl_json("waiver", "revoke", waiver["id"], "--why", "fixed")["state"], "revoked")
        status, body = self.request("GET", "/api/v1/waivers?all=1")
        self.assertEqual([w["state"] for w in json.loads(body)["waivers"]], ["revoked"])
        ask = json.dumps({"metric": "accuracy", "why": "x", "expires": "1000d"})
        self.assertEqual(self.request("POST", "/api/v1/waivers", ask)[0], 400)


if __name__ == "__main__":
    unittest.main()
