"""`pawl run` and the other commands on a plain clone, without a daemon."""

import json
import os
import signal
import subprocess
import textwrap
import unittest

from harness import PAWL, PIPELINE, TRAIN, PawlTest, wait_until


class Run(PawlTest):
    def setUp(self):
        super().setUp()
        self.make_repository()

    def test_same_verdicts_and_exit_codes(self):
        self.commit("good")
        run = self.pawl_json("run", self.clone)
        self.assertEqual((run["verdict"], run["exit_code"]), ("PASS", 0))
        self.commit("worse", accuracy="0.7")
        run = self.pawl_json("run", self.clone, code=1)
        self.assertEqual(run["verdict"], "FAIL")
        self.commit("good again", accuracy="0.9")
        run = self.pawl_json("run", self.clone)
        self.assertEqual((run["verdict"], run["baseline"]), ("PASS", self.runs()[0]["id"]))
        text = self.pawl("show", "2").stdout
        self.assertIn("FAIL", text)
        self.assertIn("accuracy", text)
        self.assertIn("0.9", self.pawl("compare", "1", "2").stdout)
        self.pawl("artifacts", "get", "1", "predictions.csv", "-o", self.dir / "p.csv")
        self.assertEqual((self.dir / "p.csv").read_text().splitlines()[0], "id,label,prediction")
        (self.dir / "p.csv").write_text("mine")
        done = self.pawl("artifacts", "get", "1", "predictions.csv", "-o", self.dir / "p.csv", code=2)
        self.assertIn(f"{self.dir / 'p.csv'}: is there already: --force", done.stderr)
        self.assertEqual((self.dir / "p.csv").read_text(), "mine")
        self.pawl("artifacts", "get", "1", "predictions.csv", "--force", "-o", self.dir / "p.csv")
        self.assertEqual((self.dir / "p.csv").read_text().splitlines()[0], "id,label,prediction")

    def test_metric_gone_or_nan_is_red(self):
        self.commit("good")
        self.pawl("run", self.clone)
        self.commit("nan", **{"train__py": "import os\nopen(os.environ['PAWL_OUTPUT_DIR'] + '/metrics.json', 'w')"
                                           ".write('{\"accuracy\": \"NaN\"}')\n"})
        self.pawl("run", self.clone, code=3)
        self.commit("none", **{"train__py": "pass\n"})
        self.pawl("run", self.clone, code=3)

    def test_a_run_without_a_gate_does_not_spend_the_bootstrap(self):
        self.commit("no gate yet", **{"__pawl__yml": PIPELINE[:PIPELINE.index("gate:")] + "gate: off\n"})
        self.assertEqual(self.pawl_json("run", self.clone)["verdict"], "PASS")
        self.assertEqual(self.pawl_json("baseline", "list")["baselines"], [])
        self.commit("gated", **{"__pawl__yml": PIPELINE})
        self.assertEqual(self.pawl_json("run", self.clone)["verdict"], "PASS")
        self.assertEqual([b["cause"] for b in self.pawl_json("baseline", "history")["baselines"]], ["bootstrap"])

    def test_a_branch_cannot_relax_its_gate(self):
        self.commit("good")
        self.pawl("run", self.clone)
        self.git("checkout", "--quiet", "-b", "loose")
        self.commit("loose", **{"__pawl__yml": PIPELINE.replace("0.05", "0.9").replace("floor: 0.5", "floor: 0.01")},
                    accuracy="0.3")
        run = self.pawl_json("run", self.clone, code=1)
        self.assertIn("floor 0.5", run["headline"] + json.dumps(run["gate"]))

    def test_pinning_a_red_run_is_said_aloud(self):
        self.commit("good")
        self.pawl("run", self.clone)
        self.commit("worse", accuracy="0.7")
        self.pawl("run", self.clone, code=1)
        self.pawl("baseline", "pin", "1", code=2)
        self.assertIn("say why", self.pawl("baseline", "pin", "1", "--why", "", code=2).stderr)
        self.assertIn("run 2 is FAIL, not PASS: --red", self.pawl("baseline", "pin", "2", "--why", "x", code=2).stderr)
        self.assertEqual(len(self.pawl_json("baseline", "list")["baselines"]), 1)
        self.pawl("baseline", "pin", "1", "--why", "back to it")
        self.pawl("baseline", "pin", "2", "--red", "--why", "the old test set was wrong")
        history = self.pawl_json("baseline", "history")["baselines"]
        self.assertEqual([(b["cause"], b["why"]) for b in history],
                         [("pin", "the old test set was wrong"), ("pin", "back to it"), ("bootstrap", history[2]["why"])])

    def test_a_target_that_does_not_exist_is_told(self):
        self.commit("good")
        told = self.pawl("run", self.clone, "--target", "mian", code=3)
        self.assertIn("no branch 'mian'", told.stderr)
        self.assertIn("say it with --target", told.stdout)
        self.assertNotIn("no branch", self.pawl("run", self.clone).stderr)

    def test_a_stage_that_does_not_exist(self):
        self.commit("good")
        self.pawl("run", self.clone)
        for command in ("trace", "logs"):
            done = self.pawl(command, "1", "--stage", "trian", code=2)
            self.assertIn("run 1 has no stage 'trian'; its stages: train", done.stderr)
        self.assertIn("stage train of run 1 has no trace", self.pawl("trace", "1", "--stage", "train", code=2).stderr)

    def test_a_quiet_run_prints_its_verdict_and_nothing_else(self):
        self.commit("good")
        done = self.pawl("run", self.clone, "--quiet")
        self.assertEqual(done.stderr, "")
        self.assertTrue(done.stdout.startswith("PASS  accuracy"), done.stdout)

    def test_failing_stage(self):
        self.commit("broken", **{"train__py": "raise SystemExit('no such layer')\n"})
        done = self.pawl("run", self.clone, code=1)
        self.assertIn("train | no such layer", done.stderr)
        self.assertIn("exit code 1", done.stdout)
        self.assertIn("no such layer", self.pawl("logs", "last").stdout)

    @unittest.skipIf("PAWL_SANITIZED" in os.environ, "Python cannot load a sanitized capture library")
    def test_a_rule_that_fired_says_where_to_look(self):
        script = """
            import torch
            layer = torch.nn.Linear(2, 1)
            optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
            (layer(torch.ones(1, 2)) / 0).sum().backward()
            optimizer.step()
        """
        pipeline = PIPELINE.replace("run: python3 train.py", "run: /usr/bin/python3 nan.py").replace("    debug: off\n", "")
        self.write({".pawl.yml": pipeline, "nan.py": script})
        self.commit("a division by zero")
        run = self.pawl_json("run", self.clone, code=1)
        report = self.home / "runs" / run["id"] / "report"
        for name in ("report.html", "summary.md"):
            self.assertIn("Look at the step before", (report / name).read_text())

    @unittest.skipIf("PAWL_SANITIZED" in os.environ, "Python cannot load a sanitized capture library")
    def test_a_long_evaluation_that_prints_is_no_hang(self):
        script = """
            import time
            import torch
            layer = torch.nn.Linear(2, 1)
            optimizer = torch.optim.SGD(layer.parameters(), lr=0.001)
            for step in range(10):
                layer(torch.ones(1, 2)).square().sum().backward()
                optimizer.step()
            for part in range(50):
                print("evaluated", part, flush=True)
                time.sleep(0.1)
            exec(open("train.py").read())
        """
        pipeline = PIPELINE.replace("run: python3 train.py", "run: /usr/bin/python3 slow.py").replace(
            "    debug: off\n", "    rules: {hang: {min_seconds: 3}}\n")
        self.write({".pawl.yml": pipeline, "slow.py": script})
        self.commit("a slow evaluation")
        self.assertEqual(self.pawl_json("run", self.clone)["findings"], [])

    def test_uncommitted_changes_are_not_part_of_it(self):
        self.commit("good")
        self.write({"accuracy": "0.1"})
        done = self.pawl("run", self.clone)
        self.assertIn("not committed", done.stderr)

    def test_interrupt(self):
        self.commit("slow", **{"train__py": "import time\ntime.sleep(600)\n"})
        process = subprocess.Popen([PAWL, "--home", str(self.home), "run", str(self.clone)], env=self.env,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: self.processes_of("train.py"), "the training")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, err)
        self.assertIn("CANCELLED", out)
        self.assertEqual(self.processes_of(f"PAWL_RUN_ID={self.runs()[0]['id']}"), [])

    def test_run_that_was_killed_is_ended_by_the_next(self):
        self.commit("slow", **{"train__py": "import time\ntime.sleep(600)\n"})
        process = subprocess.Popen([PAWL, "--home", str(self.home), "run", str(self.clone)], env=self.env,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self.processes_of("train.py"), "the training")
        process.kill()
        process.wait()
        self.commit("fixed", train__py=TRAIN)
        self.pawl("run", self.clone)
        self.assertEqual([run["verdict"] for run in self.runs()], ["CANCELLED", "PASS"])

    def test_usage_errors(self):
        self.pawl("check", self.clone)
        self.write({".pawl.yml": "version: 1\nstagse: {}\n"})
        done = self.pawl("check", self.clone, code=2)
        self.assertIn("did you mean 'stages'?", done.stderr)
        self.assertIn(":2:1:", done.stderr)
        self.pawl("run", self.dir, code=2)
        self.pawl("show", "77", code=2)
        self.assertIn("no command 'frobnicate'\n", self.pawl("frobnicate", code=2).stderr)
        self.assertIn("no command 'shwo': did you mean show?", self.pawl("shwo", "last", code=2).stderr)
        self.assertIn("no command 'pni': did you mean pin?", self.pawl("baseline", "pni", code=2).stderr)
        self.assertIn("--limt=3: did you mean --limit?", self.pawl("runs", "--limt=3", code=2).stderr)
        self.assertIn("nowhere: is not a folder", self.pawl("init", self.dir / "nowhere", code=2).stderr)
        answer = json.loads(self.pawl("--json", "check", self.clone, code=2).stdout)
        self.assertFalse(answer["ok"])

    def test_a_test_set_within_the_training_set(self):
        for name, rows in (("train", "id,x\n1,0.25\nexample 2,0.5\n"), ("test", "id,x\nexample 2,0.5\nexample 3,1\n")):
            (self.dir / name).mkdir()
            (self.dir / name / f"{name}.csv").write_text(rows)
        self.commit("data", **{"__pawl__yml": PIPELINE + textwrap.dedent(f"""
            data:
              train: {{path: {self.dir / 'train'}}}
              test: {{path: {self.dir / 'test'}, disjoint_from: [train]}}
        """)})
        run = self.pawl_json("run", self.clone, code=1)
        self.assertEqual((run["verdict"], run["headline"]),
                         ("FAIL", "1 row of dataset 'test' is in 'train' too: row 2 of test.csv is row 3 of train.csv"))
        self.assertEqual(run["stages"], [])
        summary = (self.home / "runs" / run["id"] / "report" / "summary.md").read_text()
        self.assertIn("| `test` | disjoint from | **FAIL** |  |  |  | 1 row of dataset 'test' is in 'train' too: row 2", summary)
        self.assertRegex(self.pawl("show", "1").stdout, r"fail +test +disjoint_from +1 row of dataset 'test' is in 'train' too")
        (self.dir / "test" / "test.csv").write_text("id,x\nexample 3,1\n")
        self.assertEqual(self.pawl_json("run", self.clone)["verdict"], "PASS")

    def test_data_that_the_pipeline_does_not_declare(self):
        self.commit("data", **{"__pawl__yml": PIPELINE + "data: {numbers: {path: /nowhere}}\n"})
        (self.dir / "data").mkdir()
        (self.dir / "data" / "a.csv").write_text("1\n")
        done = self.pawl("run", self.clone, "--data", f"nubmers={self.dir / 'data'}", code=2)
        self.assertIn("declares no such dataset; did you mean 'numbers'?", done.stderr)
        self.pawl("runs", code=2)  # nothing was started, not even a record
        self.assertEqual(self.pawl_json("run", self.clone, "--data", f"numbers={self.dir / 'data'}")["verdict"], "PASS")

    def test_log_lines_say_their_rank(self):
        script = """
            import os, sys, time
            rank = int(os.environ["RANK"])
            print(f"hello from {rank}", flush=True)
            print(f"bye from {rank}", file=sys.stderr)
            if rank == 0:
                exec(open("train.py").read())
        """
        two_ranks = PIPELINE.replace("run: python3 train.py", "run: python3 speak.py\n    ranks: 2")
        self.write({".pawl.yml": two_ranks, "speak.py": script})
        self.commit("two ranks")
        self.pawl("run", self.clone)
        said = [(rank, f"{word} from {rank}") for word in ("bye", "hello") for rank in (0, 1)]
        lines = self.pawl("logs", "1").stdout.splitlines()
        self.assertEqual(sorted(lines), sorted(f"[rank {rank}] {text}" for rank, text in said))
        self.assertEqual(self.pawl("logs", "1", "--follow").stdout.splitlines(), lines)
        self.assertEqual(self.pawl("logs", "1", "--tail", "1").stdout.splitlines(), lines[-1:])
        answer = self.pawl_json("logs", "1")
        self.assertCountEqual([(line["rank"], line["text"]) for line in answer["lines"]], said)
        self.write({".pawl.yml": two_ranks.replace("ranks: 2", "ranks: 1")})
        self.commit("one rank")
        self.pawl("run", self.clone)
        self.assertEqual(sorted(self.pawl("logs", "2").stdout.splitlines()), ["bye from 0", "hello from 0"])

    def test_environment_of_the_ranks(self):
        script = """
            import json, os, pathlib
            out = pathlib.Path(os.environ["PAWL_OUTPUT_DIR"])
            rank = os.environ["RANK"]
            (out / f"rank{rank}.json").write_text(json.dumps(dict(os.environ)))
            if rank == "0":
                exec(open("train.py").read())
        """
        self.write({".pawl.yml": PIPELINE.replace("run: python3 train.py", "run: python3 env.py\n    ranks: 2"),
                    "env.py": script})
        self.commit("two ranks")
        run = self.pawl_json("run", self.clone)
        for rank in ("0", "1"):
            self.pawl("artifacts", "get", "1", f"rank{rank}.json", "-o", self.dir / f"env{rank}.json")
            env = json.loads((self.dir / f"env{rank}.json").read_text())
            self.assertEqual((env["RANK"], env["LOCAL_RANK"], env["WORLD_SIZE"]), (rank, rank, "2"))
            self.assertEqual(env["PAWL_RUN_ID"], run["id"])
            self.assertEqual(env["MASTER_ADDR"], "127.0.0.1")


class Gate(PawlTest):
    def test_how_many_examples_a_condition_needs(self):
        done = self.pawl("gate", "samples", "n - o > 0.02 +/- 0.01 /\\ d < 0.1 +/- 0.01", "--reliability", "0.9999",
                         "--adaptivity", "none", "--steps", "32", "--sided", "two")
        self.assertEqual(done.stdout.splitlines()[:5], [
            "70,312 examples, 29,048 of them with labels",
            "",
            "clause                 examples  labels  rule                tolerance",
            "n - o > 0.02 +/- 0.01  29,048    yes     Bennett, d bounded  0.01 for n - o",
            "d < 0.1 +/- 0.01       70,312    no      Hoeffding           0.01 for d",
        ])
        self.assertIn("judges 32 commits. Developers must not learn the answers.\n"
                      "With probability 99.99 % or more", done.stdout)
        self.assertIn("at most 2,905 a commit (2,189 if a single commit is judged)", done.stdout)

    def test_plan_from_numbers(self):
        answer = self.pawl_json("gate", "plan", "--examples", "1000", "--disagreement", "0.05")
        # 3,090 examples show a point with 80 % power, 771 two.
        self.assertTrue(0.0174 < answer["smallest_margin"] < 0.0178, answer["smallest_margin"])
        red = {row["max_drop"]: row["red_by_chance"] for row in answer["max_drop"]}
        self.assertEqual((round(red[0.001], 2), round(red[0.005], 2), round(red[0.01], 3)), (0.44, 0.24, 0.079))
        text = self.pawl("gate", "plan", "--examples", "1000", "--disagreement", "0.05").stdout
        self.assertIn("1 point     7.9 %", text)
        self.pawl("gate", "plan", "--examples", "1000", code=2)
        self.pawl("gate", "plan", "--examples", "1000", "--disagreement", "5", code=2)

    def test_plan_from_the_record(self):
        self.make_repository()
        self.assertIn("no record", self.pawl("gate", "plan", code=2, cwd=self.clone).stderr)
        self.commit()
        self.pawl("run", cwd=self.clone)
        self.assertIn("no green run", self.pawl("gate", "plan", code=2, cwd=self.clone).stderr)
        self.commit(accuracy="0.89")
        self.pawl("run", cwd=self.clone)
        answer = self.pawl_json("gate", "plan", cwd=self.clone)
        self.assertEqual((answer["examples"], answer["disagreement"]), (1000, 0.01))
        self.assertEqual([(r["metric"], r["margin"], r["margin_can_be_shown"]) for r in answer["rules"]],
                         [("accuracy", 0.05, True)])
        self.assertIn("Your gate on accuracy:", self.pawl("gate", "plan", cwd=self.clone).stdout)

    def test_an_error_is_a_json_document_too(self):
        def error(*argv, code=2):
            done = self.pawl("--json", *argv, code=code, cwd=self.dir)
            self.assertTrue(done.stderr)
            return json.loads(done.stdout)["error"]

        self.assertEqual(error("runs")["code"], "not_found")
        self.assertIn("no record", error("runs")["message"])
        self.assertEqual(error("gate", "plan", "--examples", "5")["code"], "usage")
        self.assertEqual(error("rnus")["code"], "usage")
        self.make_repository()
        self.commit(**{".pawl.yml": "version: 1\nstagse: {}\n"})
        self.pawl("run", cwd=self.clone, code=2)
        self.assertEqual(error("show", "99"), {"code": "not_found", "message": "there is no run '99'"})
        # A run that was made is the document, whatever came of it.
        run = self.pawl_json("run", cwd=self.clone, code=2)
        self.assertEqual(run["verdict"], "ERROR")
        self.assertEqual(self.pawl("runs", "--verdict", code=2).stdout, "")

    def test_samples_as_json(self):
        answer = self.pawl_json("gate", "samples", "n - o > 0.1 +/- 0.1", "--reliability", "0.99")
        self.assertEqual((answer["ok"], answer["examples"], answer["labelled"], answer["steps"]), (True, 5496, 5496, 32))
        self.assertEqual(answer["clauses"][0]["split"],
                         [{"of": "n", "tolerance": 0.05}, {"of": "o", "tolerance": 0.05}])
        measured = answer["clauses"][0]["measure_first"]["then"]
        self.assertEqual([row["measured"] for row in measured], [0.02, 0.05, 0.1, 0.2])
        self.assertLess(measured[-1]["examples"], 5496)

    def test_the_table_of_the_paper(self):
        """Figure 2 of ease.ml/ci at 32 commits: one variable and two, developers who see nothing and pass or fail."""
        table = {
            0.99: {0.1: (404, 1340, 1753, 5496), 0.05: (1615, 5358, 7012, 21984), 0.025: (6457, 21429, 28045, 87933),
                   0.01: (40355, 133930, 175282, 549581)},
            0.999: {0.1: (519, 1455, 2214, 5957), 0.05: (2075, 5818, 8854, 23826), 0.025: (8299, 23271, 35414, 95302),
                    0.01: (51868, 145443, 221333, 595633)},
            0.9999: {0.1: (634, 1570, 2674, 6417), 0.05: (2536, 6279, 10696, 25668), 0.025: (10141, 25113, 42782, 102670),
                     0.01: (63381, 156956, 267385, 641684)},
            0.99999: {0.1: (749, 1685, 3135, 6878), 0.05: (2996, 6739, 12538, 27510), 0.025: (11983, 26955, 50150, 110038),
                      0.01: (74894, 168469, 313437, 687736)},
        }
        for reliability, rows in table.items():
            for tolerance, expected in rows.items():
                found = tuple(
                    self.pawl_json("gate", "samples", f"{left} +/- {tolerance}", "--reliability", reliability,
                                   "--adaptivity", adaptivity)["examples"]
                    for left in ("n > 0.7", "n - o > 0.1") for adaptivity in ("none", "full"))
                self.assertEqual(found, expected, (reliability, tolerance))

    def test_bad_conditions_and_options(self):
        done = self.pawl("gate", "samples", "n - o >= 0.02 +/- 0.01", code=2)
        self.assertIn("    n - o >= 0.02 +/- 0.01\n          ^\n", done.stderr)
        answer = self.pawl_json("gate", "samples", "n > 80 +/- 1", code=2)
        self.assertEqual((answer["ok"], answer["diagnostics"][0]["column"]), (False, 5))
        for option in (["--reliability", "99.9"], ["--reliability", "nan"], ["--steps", "0"], ["--adaptivity", "some"]):
            self.pawl("gate", "samples", "n > 0.8 +/- 0.1", *option, code=2)


if __name__ == "__main__":
    unittest.main()
