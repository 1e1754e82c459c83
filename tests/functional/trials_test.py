"""What a change came from: `pawl attribute` (code or data) and `pawl bisect` (which commit), by real trainings."""

import json
import subprocess
import unittest

from harness import DEADLINE_S, PAWL, PawlTest, wait_until

PIPELINE = """
version: 1
on: {{push: {{branches: [main]}}}}
data: {{train: {{path: {data}{keep}}}}}
stages:
  train: {{run: python3 train.py, debug: off}}
gate:
  bootstrap: true
  metrics:
    accuracy: {{direction: higher, max_drop: 0.02, paired: {{margin: 0.01}}}}
"""

# Right on a share of the examples that the code (skill) and the data (quality) give together.
TRAIN = """
import json, os, pathlib
skill = float(open("skill").read())
quality = float(pathlib.Path(os.environ["PAWL_DATA_TRAIN"], "quality").read_text())
accuracy = skill + quality
out = pathlib.Path(os.environ["PAWL_OUTPUT_DIR"])
n = 2000
right = [(i * 7919) % n < round(accuracy * n) for i in range(n)]
(out / "metrics.json").write_text(json.dumps({"accuracy": sum(right) / n}))
with open(out / "predictions.csv", "w") as f:
    f.write("id,label,prediction\\n")
    for i in range(n):
        f.write(f"{i},1,{int(right[i])}\\n")
"""


class TrialsTest(PawlTest):
    def begin(self, keep=""):
        self.data = self.dir / "data"
        self.data.mkdir()
        self.quality(0)
        self.make_repository(PIPELINE.format(data=self.data, keep=keep), {"train.py": TRAIN, "skill": "0.9"})

    def quality(self, value, folder=None):
        (folder or self.data).mkdir(exist_ok=True)
        ((folder or self.data) / "quality").write_text(str(value))

    def run_commit(self, verdict="PASS", **files):
        self.commit(**files)
        run = self.pawl_json("run", self.clone, code={"PASS": 0, "FAIL": 1}[verdict])
        self.assertEqual(run["verdict"], verdict, run["headline"])
        return run

    def trainings(self):
        return len(self.runs())

    def attribute(self, *options, code=0, run="last"):
        done = self.pawl("--json", "attribute", run, "--path", self.clone, *options, code=code)
        return json.loads(done.stdout) if code == 0 else done.stderr


class Attribute(TrialsTest):
    def test_code_and_data_changed(self):
        self.begin(", keep: copy")
        self.run_commit()
        self.quality(-0.08)
        self.run_commit("FAIL", skill="0.89")
        found = self.attribute(run="2")
        self.assertEqual(found["changed"], "code and data")
        self.assertEqual(self.trainings(), 4)
        [metric] = found["metrics"]
        self.assertEqual(metric["values"], [[0.9, 0.82], [0.89, 0.81]])
        for effect, change in (("total", -0.09), ("code", -0.01), ("data", -0.08), ("interaction", 0)):
            self.assertAlmostEqual(metric[effect]["change"], change, 9, effect)
            low, high = metric[effect]["interval"]
            self.assertTrue(low <= change + 1e-9 and high >= change - 1e-9, effect)
        self.assertLess(metric["data"]["interval"][1], -0.06)
        self.assertIn("the data changed accuracy by -8.0 points (95 % CI", metric["sentence"])
        # The two trainings are there now, and are not made again.
        again = self.attribute(run="2")
        self.assertEqual(again["metrics"], found["metrics"])
        self.assertEqual(self.trainings(), 4)
        text = self.pawl("attribute", "2", "--path", self.clone).stdout
        self.assertIn("0.82 (run 4)", text)
        self.assertIn("not what another seed would have given", text)

    def test_trials_are_no_news(self):
        """Never a baseline, and no reason for the daemon to think that the old data is the data."""
        self.begin(", keep: copy")
        first = self.run_commit()
        self.quality(0.01)
        second = self.run_commit(skill="0.91")
        self.attribute(run="2")
        trials = [run for run in self.runs() if run["number"] > 2]
        self.assertEqual([run["branch"] for run in trials], ["trial:attribute"] * 2)
        self.assertEqual([b["run"] for b in self.pawl_json("baseline", "history")["baselines"]],
                         [second["id"], first["id"]])

    def test_old_data_that_is_gone(self):
        self.begin()
        self.run_commit()
        self.quality(-0.08)
        self.run_commit("FAIL", skill="0.89")
        error = self.attribute(run="2", code=2)
        self.assertRegex(error, "version sha256:[0-9a-f]{8} of dataset 'train' is gone")
        self.assertIn("keep: copy", error)
        self.assertEqual(self.trainings(), 2)
        # Somebody has a copy; a folder that is no copy is not taken for one.
        self.quality(0.5, self.dir / "wrong")
        self.assertIn("is gone", self.attribute("--data", f"train={self.dir / 'wrong'}", run="2", code=2))
        self.quality(0, self.dir / "copy")
        found = self.attribute("--data", f"train={self.dir / 'copy'}", run="2")
        self.assertAlmostEqual(found["metrics"][0]["data"]["change"], -0.08)

    def test_what_did_not_change_is_not_trained(self):
        self.begin()
        self.run_commit()
        self.run_commit("FAIL", skill="0.8")
        found = self.attribute()
        self.assertEqual(found["changed"], "code")
        self.assertAlmostEqual(found["metrics"][0]["code"]["change"], -0.1)
        self.assertEqual(found["metrics"][0]["data"]["change"], 0)
        self.quality(-0.3)
        self.pawl("run", self.clone, code=1)
        found = self.attribute("--against", "2")
        self.assertEqual(found["changed"], "data")
        self.assertEqual(self.trainings(), 3)

    def test_trials_use_the_test_set(self):
        self.begin(", keep: copy")
        conditions = """
  conditions:
    - {condition: n > 0.5 +/- 0.1, reliability: 0.9, steps: 3, on_spent: block}
"""
        self.run_commit(**{"__pawl__yml": PIPELINE.format(data=self.data, keep=", keep: copy") + conditions})
        self.quality(-0.08)
        self.run_commit("FAIL", skill="0.89")
        self.attribute(run="2")
        [testset] = self.pawl_json("gate", "budget")["test_sets"]
        self.assertEqual((testset["uses"], testset["standing"]), (3, "retired"))
        # The last had no answer any more, and was measured.
        self.assertEqual([run["verdict"] for run in self.runs()], ["PASS", "FAIL", "PASS", "FAIL"])

    def test_several_datasets_have_one_effect(self):
        test = self.dir / "test"
        self.quality(0, test)
        self.begin()
        pipeline = PIPELINE.format(data=self.data, keep="").replace("data: {", f"data: {{test: {{path: {test}}}, ")
        self.run_commit(**{"__pawl__yml": pipeline})
        self.quality(-0.01)
        self.pawl("run", self.clone)
        note = "2 datasets changed, 'test', 'train': the effect of the data is one number"
        self.assertNotIn(note, " ".join(self.attribute()["notes"]))
        self.quality(1, test)
        self.pawl("run", self.clone)
        self.assertIn(note, self.pawl("attribute", "3", "--against", "1", "--path", self.clone).stdout)
        # What tells them apart.
        self.assertNotIn(note, " ".join(self.attribute("--against", "2")["notes"]))

    def test_a_training_that_fails_and_runs_that_measured_nothing(self):
        self.begin(", keep: copy")
        self.run_commit()
        self.quality(-0.08)
        needs_old = TRAIN.replace("accuracy = ", "assert quality < 0; accuracy = ")
        self.run_commit("FAIL", train__py=needs_old)
        self.assertIn("the new code with the old data) measured nothing", self.attribute(run="2", code=3))
        self.run_commit("FAIL", train__py="raise SystemExit(1)")
        self.assertIn("did not measure anything", self.attribute(code=2))
        self.assertIn("there is no run", self.attribute(run="77", code=2))


class Bisect(TrialsTest):
    def line(self, *skills):
        """A commit for each; their ids."""
        return [self.commit(f"skill {skill}", skill=str(skill)) for skill in skills]

    def bisect(self, *options, code=0):
        answer = json.loads(self.pawl("--json", "bisect", *options, "--path", self.clone, code=code).stdout)
        return answer["error"]["message"] if "error" in answer else answer

    def test_finds_the_commit(self):
        self.begin()
        commits = self.line(0.9, 0.901, 0.899, 0.9, 0.9, 0.81, 0.811, 0.81, 0.812)
        found = self.bisect(f"{commits[0]}..{commits[-1]}")
        self.assertEqual([s["commit"] for s in found["suspects"]], [commits[5]])
        self.assertTrue(found["found"] and found["sure"])
        self.assertLessEqual(len(found["steps"]), 3)
        self.assertEqual(self.trainings(), 2 + len(found["steps"]))
        self.assertIn("accuracy fell from 0.9 to 0.812", found["sentence"])
        self.assertIn("(skill 0.81)", found["sentence"])
        # All of it is on record now.
        again = self.bisect("HEAD~8..HEAD")
        self.assertEqual(again["suspects"], found["suspects"])
        self.assertTrue(all(step["reused"] for step in again["steps"]))
        self.assertEqual(self.trainings(), 2 + len(found["steps"]))
        # With other data these runs say nothing.
        self.quality(0.05)
        self.bisect("HEAD~8..HEAD")
        self.assertEqual(self.trainings(), 2 * (2 + len(found["steps"])))

    def test_runs_that_are_there_are_used(self):
        self.begin()
        self.run_commit()
        commits = self.line(0.9, 0.8)
        self.pawl("run", self.clone, "--ref", commits[1], code=1)
        found = self.bisect("1..2")
        self.assertEqual(found["suspects"][0]["commit"], commits[1])
        self.assertEqual(self.trainings(), 3)

    def test_commits_that_cannot_be_measured(self):
        self.begin()
        good = self.commit("good")
        broken = [self.commit(f"broken {i}", train__py=f"raise SystemExit({i + 1})") for i in range(2)]
        bad = self.commit("bad", train__py=TRAIN, skill="0.8")
        found = self.bisect(f"{good}..{bad}", code=1)
        self.assertEqual([s["commit"] for s in found["suspects"]], [*broken, bad])
        self.assertIn("could not be measured", found["sentence"])
        self.assertTrue(all("exit code" in step["skipped"] for step in found["steps"]))

    def test_nothing_to_find(self):
        self.begin()
        self.line(0.9, 0.9, 0.8995)
        found = self.bisect("HEAD~2..HEAD", code=4)
        self.assertIn("not worse than GOOD beyond chance", found["sentence"])

    def test_mistakes(self):
        self.begin()
        self.line(0.9, 0.8)
        self.assertIn("write GOOD..BAD", self.bisect("HEAD", code=2))
        self.assertIn("neither a commit nor a run", self.bisect("nothing..HEAD", code=2))
        self.assertIn("not among the first parents", self.bisect("HEAD..HEAD~1", code=2))
        self.assertIn("did you mean 'accuracy'?", self.bisect("HEAD~1..HEAD", "--metric", "acuracy", code=2))


class Daemon(TrialsTest):
    """The same with a daemon on the home: it trains."""

    def setUp(self):
        super().setUp()
        self.data = self.dir / "data"
        self.quality(0)
        self.serve_repository(PIPELINE.format(data=self.data, keep=", keep: copy"), {"train.py": TRAIN, "skill": "0.9"})
        self.push()
        self.assertEqual(self.wait_run(1)["verdict"], "PASS")

    def test_bisect(self):
        good = self.git("rev-parse", "HEAD")
        for skill in ("0.9", "0.8", "0.8"):
            self.commit(skill=skill)
        bad = self.push(skill="0.8", note="x")
        self.wait_run(2)
        done = self.pawl("--json", "bisect", f"{good}..{bad}", "--path", self.clone, "--project", "model")
        found = json.loads(done.stdout)
        self.assertEqual(found["suspects"][0]["commit"], self.git("rev-parse", "HEAD~2"))
        self.assertEqual(len(self.runs()), 2 + len(found["steps"]))
        self.assertEqual({run["branch"] for run in self.runs()}, {"main", "trial:bisect"})

    def start_bisect(self, commits, *flags):
        process = subprocess.Popen(
            [PAWL, "--home", str(self.home), *flags, "bisect", commits, "--path", str(self.clone), "--project", "model"],
            env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def test_what_is_being_trained_is_waited_for(self):
        go = self.dir / "go"
        good = self.git("rev-parse", "HEAD")
        waits = f"import pathlib, time\nwhile not pathlib.Path({str(go)!r}).exists(): time.sleep(0.02)\n"
        suspect = self.commit(train__py=waits + TRAIN, skill="0.8")
        commits = f"{good}..{self.push(train__py=TRAIN)}"
        self.wait_run(2)
        first = self.start_bisect(commits, "--json")
        self.wait_run(3, "running")
        second = self.start_bisect(commits)
        told = next((line for line in second.stderr if "the daemon" in line), "nothing")
        self.assertIn("is at the same training already, run 3", told)
        go.touch()
        found = json.loads(first.communicate(timeout=DEADLINE_S)[0])
        self.assertEqual([s["commit"] for s in found["suspects"]], [suspect])
        out, err = second.communicate(timeout=DEADLINE_S)
        self.assertIn(suspect, out)
        self.assertIn("run 3, which was there", err)
        self.assertEqual(len(self.runs()), 3)

    def test_what_was_trained_meanwhile_is_not_trained_again(self):
        trial = json.dumps({"commit": self.git("rev-parse", "HEAD"),
                            "versions": {d["dataset"]: d["digest"] for d in self.wait_run(1)["data"]}})
        status, body = self.request("POST", "/api/v1/projects/model/trials", trial)
        self.assertEqual((status, json.loads(body)["number"], json.loads(body)["was_there"]), (200, 1, True))

    def test_attribute(self):
        self.push(skill="0.8")
        self.wait_run(2)
        self.quality(-0.05)
        self.push(skill="0.85")
        number = wait_until(lambda: next((run["number"] for run in self.runs() if run["state"] == "finished"
                                          and run["commit"] == self.git("rev-parse", "HEAD")), None), "the run")
        found = self.attribute("--against", "1", run=str(number))
        self.assertEqual(found["changed"], "code and data")
        self.assertAlmostEqual(found["metrics"][0]["data"]["change"], -0.05)
        self.assertFalse(list(self.home.glob("runs/*/data@trial")))


if __name__ == "__main__":
    unittest.main()
