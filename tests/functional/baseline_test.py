"""Which earlier run a run is compared with: by the order of commits, whatever order runs finish in."""

import json
import re
import unittest

from harness import PIPELINE, PawlTest, wait_until

# Only a largest drop, of half a point: 1000 examples cannot show as little to a paired test.
NARROW = PIPELINE.replace("max_drop: 0.05, paired: {margin: 0.05}", "max_drop: 0.005")
# Each run waits for a file of its own, named by its accuracy.
WAITING = PIPELINE.replace("run: python3 train.py",
                           "run: while [ ! -e ../../../go-$(cat accuracy) ]; do sleep 0.05; done; python3 train.py")


class BaselineTest(PawlTest):
    def baselines(self, command="list"):
        return self.pawl_json("baseline", command)["baselines"]

    def number_of(self, run_id):
        return next((run["number"] for run in self.runs() if run["id"] == run_id), None)

    def run_commit(self, accuracy, verdict="PASS", files=None):
        """Commits and runs; the number of the baseline it was compared with."""
        self.commit(f"accuracy {accuracy}", accuracy=str(accuracy), **(files or {}))
        return self.run_here(verdict)

    def run_here(self, verdict="PASS", *options):
        code = {"PASS": 0, "FAIL": 1, "ERROR": 3, "NO_BASELINE": 4}[verdict]
        self.last = self.pawl_json("run", self.clone, *options, code=code)
        self.assertEqual(self.last["verdict"], verdict, self.last["headline"])
        return self.number_of(self.last["baseline"])


class Ancestors(BaselineTest):
    def setUp(self):
        super().setUp()
        self.make_repository()

    def test_a_red_run_never_becomes_the_baseline(self):
        self.assertEqual(self.run_commit(0.9), None)
        for _ in range(3):
            self.assertEqual(self.run_commit(0.8, "FAIL"), 1)
        self.assertEqual(self.run_commit(0.7, "FAIL"), 1)
        self.assertIn("(main, 4 commits before)", self.last["headline"])
        self.assertEqual([(b["number"], b["pinned"]) for b in self.baselines()], [(1, False)])
        self.assertEqual(self.run_commit(0.9), 1)
        self.assertEqual(self.run_commit(0.88), 6)
        self.assertNotIn("commits before", self.last["headline"])

    def test_a_branch_is_compared_with_where_it_left(self):
        self.run_commit(0.9)
        for name in ("docs", "more docs"):
            self.commit(name)  # no run of these
        self.git("checkout", "--quiet", "-b", "feature")
        self.commit("feature")
        self.git("checkout", "--quiet", "main")
        self.run_commit(0.99)
        self.git("checkout", "--quiet", "feature")
        # Worse than main is by now, but not than what it grew from.
        self.assertEqual(self.run_commit(0.89), 1)
        self.assertIn("(main, 2 commits before the merge base)", self.last["headline"])
        self.git("checkout", "--quiet", "--orphan", "unrelated")
        self.run_commit(0.99, "NO_BASELINE")
        self.assertIn("the history that this commit shares with main has no baseline", self.last["headline"])

    def test_rewound_branch(self):
        first = self.commit("good", accuracy="0.9")
        self.run_here()
        self.run_commit(0.95)
        self.git("reset", "--quiet", "--hard", first)
        self.assertEqual(self.run_commit(0.89), 1, "run 2 is no longer in the past")
        self.assertEqual([b["number"] for b in self.baselines()], [3], "run 2 is no longer of the branch")

    def test_a_green_run_of_an_older_commit_does_not_replace_the_newer(self):
        first = self.commit("good", accuracy="0.9")
        self.run_here()
        self.run_commit(0.92)
        self.assertEqual(self.run_here("PASS", "--ref", first, "--branch", "main"), 1)
        self.assertEqual([b["number"] for b in self.baselines()], [2])
        late = self.baselines("history")[0]
        self.assertEqual((late["number"], self.number_of(late["newer_run"])), (3, 2))
        self.assertIn("green, late", self.pawl("baseline", "history").stdout)

    def test_a_shallow_clone_is_told_to_fetch(self):
        self.run_commit(0.9)
        self.push("no run of this")
        self.push("nor of this")
        self.clone = self.dir / "shallow"
        self.git("clone", "--quiet", "--depth=2", f"file://{self.bare}", self.clone, cwd=self.dir)
        self.run_here("ERROR", "--project", "model")
        self.assertIn("git fetch --unshallow", self.last["headline"])
        self.assertEqual(self.last["stages"], [], "nothing was trained")
        self.git("fetch", "--quiet", "--unshallow")
        self.assertEqual(self.run_here("PASS", "--project", "model"), 1)

    def test_a_shallow_clone_without_the_tags_is_told_to_fetch(self):
        self.write({".pawl.yml": PIPELINE.replace("gate:", "gate:\n  baseline: {tag: 'v*'}")})
        self.run_commit(0.9)
        self.git("tag", "v1")
        self.git("push", "--quiet", "origin", "v1")
        self.push("no run of this")
        self.clone = self.dir / "shallow"
        self.git("clone", "--quiet", "--depth=1", f"file://{self.bare}", self.clone, cwd=self.dir)
        self.run_here("ERROR", "--project", "model")
        self.assertIn("which green runs are tagged cannot be told", self.last["headline"])
        self.assertEqual(self.last["stages"], [], "nothing was trained")
        self.git("fetch", "--quiet", "--unshallow", "--tags")
        self.assertEqual(self.run_here("PASS", "--project", "model"), 1)

    def test_a_shallow_clone_is_enough_where_history_says_nothing(self):
        self.run_commit(0.9)
        self.push("no run of this")
        self.pawl("baseline", "pin", "1", "--why", "it is good")
        self.clone = self.dir / "shallow"
        self.git("clone", "--quiet", "--depth=1", f"file://{self.bare}", self.clone, cwd=self.dir)
        self.assertEqual(self.run_here("PASS", "--project", "model"), 1)
        self.assertEqual(self.run_here("PASS", "--project", "first-run"), None)

    def test_a_shallow_clone_is_enough_for_a_gate_that_does_not_compare(self):
        self.write({".pawl.yml": PIPELINE.replace(", max_drop: 0.05, paired: {margin: 0.05}", "")})
        self.run_commit(0.9)
        self.push("no run of this")
        self.clone = self.dir / "shallow"
        self.git("clone", "--quiet", "--depth=1", f"file://{self.bare}", self.clone, cwd=self.dir)
        self.assertEqual(self.run_here("PASS", "--project", "model"), None)


class WhoseGate(BaselineTest):
    """A branch with a gate that its worse model holds, in clones as CI systems and developers have them."""

    def setUp(self):
        super().setUp()
        self.make_repository()

    def a_relaxed_branch(self, gate=None):
        """On record and on origin's main a run of 0.9; on origin's feat, and checked out, one of 0.7."""
        self.run_commit(0.9)
        self.git("push", "--quiet", "origin", "HEAD:main")
        self.git("checkout", "--quiet", "-b", "feat")
        text = (self.clone / ".pawl.yml").read_text()
        relaxed = text.replace("max_drop: 0.05, paired: {margin: 0.05}", "max_drop: 0.5")
        self.write({".pawl.yml": gate or relaxed})
        self.push("relaxed", branch="feat", accuracy="0.7")

    def clone_of_one_branch(self, *depth):
        """As GitLab CI and Jenkins make it."""
        self.clone = self.dir / "of-one-branch"
        self.clone.mkdir()
        self.git("init", "--quiet", "--initial-branch=unborn")
        self.git("remote", "add", "origin", f"file://{self.bare}")
        self.git("fetch", "--quiet", "--no-tags", *depth, "origin", "+refs/heads/feat:refs/remotes/origin/feat")
        self.git("checkout", "--quiet", "--detach", "origin/feat")

    def run_feat(self, verdict):
        self.run_here(verdict, "--branch", "feat", "--project", "model")

    def follow(self, advice):
        command = re.search(r"`(git [^`]*)`", advice)[1]
        self.git(*command.split()[1:])

    def is_told_to_fetch(self):
        self.run_feat("ERROR")
        self.assertIn("this clone has no branch 'main'", self.last["headline"])
        self.assertIn("origin main:refs/remotes/origin/main`", self.last["headline"])
        self.assertEqual(self.last["stages"], [], "nothing was trained")

    def test_a_clone_without_the_target_branch_is_told_to_fetch_it(self):
        self.a_relaxed_branch()
        self.clone_of_one_branch()
        self.is_told_to_fetch()
        self.follow(self.last["headline"])
        self.run_feat("FAIL")
        self.assertIn("accuracy fell from 0.9 to 0.7", self.last["headline"])

    def test_a_shallow_one_too(self):
        self.a_relaxed_branch()
        self.clone_of_one_branch("--depth=1")
        self.is_told_to_fetch()
        self.follow(self.last["headline"])
        self.assertEqual(self.git("rev-parse", "--is-shallow-repository"), "false")
        self.run_feat("FAIL")

    def test_the_advice_for_a_shallow_one_brings_the_target_branch(self):
        self.a_relaxed_branch()
        self.push("more", branch="feat")
        self.clone_of_one_branch("--depth=1")
        self.git("fetch", "--quiet", "--depth=1", "origin", "main:refs/remotes/origin/main")
        self.run_feat("ERROR")
        self.assertIn("the history of this clone is cut", self.last["headline"])
        self.follow(self.last["headline"])
        self.run_feat("FAIL")

    def test_a_first_run_of_a_clone_is_told_too(self):
        """Nothing is on record, as with a home that a runner throws away."""
        self.a_relaxed_branch()
        self.clone_of_one_branch()
        self.home = self.dir / "empty"
        self.is_told_to_fetch()

    def test_a_gate_switched_off_by_the_branch_changes_nothing(self):
        self.a_relaxed_branch(gate=re.sub(r"gate:(.|\n)*", "gate: off\n", PIPELINE))
        self.clone_of_one_branch()
        self.is_told_to_fetch()
        self.follow(self.last["headline"])
        self.run_feat("FAIL")

    def test_a_clone_whose_pipeline_has_no_gate_needs_no_target_branch(self):
        self.write({".pawl.yml": re.sub(r"gate:(.|\n)*", "gate: off\n", PIPELINE)})
        self.push(branch="feat")
        self.clone_of_one_branch()
        self.run_feat("PASS")

    def test_a_repository_of_its_own_needs_none_until_it_has_a_baseline(self):
        self.git("remote", "remove", "origin")
        self.git("checkout", "--quiet", "-b", "feat")
        self.commit("first")
        said = self.pawl("run", self.clone)
        self.assertIn("has no branch 'main'", said.stderr)
        self.run_here("PASS", "--branch", "main")
        self.run_here("ERROR")
        self.assertIn("this clone has no branch 'main'", self.last["headline"])

    def test_origins_target_branch_counts_and_not_a_stale_one(self):
        """The gate was tightened on origin's main since the clone's own main was last updated."""
        strict = (self.clone / ".pawl.yml").read_text()
        self.write({".pawl.yml": strict.replace("max_drop: 0.05, paired: {margin: 0.05}", "max_drop: 0.5")})
        self.run_commit(0.9)
        self.git("branch", "stale")
        self.run_commit(0.91, files={"__pawl__yml": strict})
        self.git("push", "--quiet", "origin", "HEAD:main")
        self.git("checkout", "--quiet", "-b", "feat")
        self.git("branch", "--force", "main", "stale")
        self.assertEqual(self.run_commit(0.7, "FAIL"), 2)
        self.assertNotIn("before the merge base", self.last["headline"])

    def test_nor_one_that_nobody_reviewed(self):
        self.a_relaxed_branch()
        self.git("branch", "--force", "main", "feat")
        self.run_here("FAIL")

    def test_a_tag_is_no_target_branch(self):
        self.a_relaxed_branch()
        self.clone_of_one_branch()
        self.git("tag", "refs/remotes/origin/main")
        self.is_told_to_fetch()


class OutOfOrder(BaselineTest):
    def test_two_green_runs_that_finish_in_the_other_order(self):
        self.serve_repository(WAITING)
        (self.home / "go-0.9").touch()
        self.push("first", accuracy="0.9")
        self.wait_run(1)
        self.push("older", accuracy="0.89")
        self.wait_run(2, "running")
        self.push("newer", accuracy="0.91")
        self.wait_run(3, "running")
        (self.home / "go-0.91").touch()
        newer = self.wait_run(3)
        self.assertEqual((newer["verdict"], self.number_of(newer["baseline"])), ("PASS", 1))
        (self.home / "go-0.89").touch()
        older = self.wait_run(2)
        self.assertEqual((older["verdict"], self.number_of(older["baseline"])), ("PASS", 1))
        self.assertEqual([b["number"] for b in self.baselines()], [3])
        self.assertEqual([b["number"] for b in self.baselines("history")], [2, 3, 1])
        (self.home / "go-0.92").touch()
        self.push("next", accuracy="0.92")
        self.assertEqual(self.number_of(self.wait_run(4)["baseline"]), 3)


class Policies(BaselineTest):
    def use(self, gate, pipeline=NARROW):
        self.make_repository(pipeline.replace("  bootstrap: true", f"  bootstrap: true\n  {gate}"))

    def test_slow_creep(self):
        self.use("sustained: {window: 3, max_drop: 0.01}")
        for accuracy in (0.9, 0.896, 0.892, 0.888):  # each step within the largest drop of half a point
            self.run_commit(accuracy)
        self.run_commit(0.884, "FAIL")  # 1.6 points in all
        self.assertRegex(self.last["headline"], r"accuracy is 0\.884 .*sustained best 0\.896 over runs 1 to 3")

    def test_best(self):
        self.use("baseline: best")
        for accuracy, against in ((0.9, None), (0.95, 1), (0.947, 2), (0.946, 2)):
            self.assertEqual(self.run_commit(accuracy), against)
        self.assertEqual(self.run_commit(0.943, "FAIL"), 2)
        self.assertIn("best accuracy", self.last["headline"])

    def test_rolling(self):
        self.use("baseline: {rolling: 3}")
        for accuracy in (0.9, 0.902, 0.91):
            self.run_commit(accuracy)
        self.assertEqual(self.run_commit(0.898), 3, "within half a point of 0.902")
        self.assertIn("medians of the last 3 green runs", self.last["headline"])
        self.run_commit(0.896, "FAIL")

    def test_tag(self):
        self.use('baseline: {tag: "v*"}')
        self.run_commit(0.9)
        self.git("tag", "-a", "-m", "released", "v1")
        self.run_commit(0.95)
        self.assertEqual(self.run_commit(0.897), 1, "run 2 has no tag")
        self.git("tag", "--delete", "v1")
        self.run_commit(0.95, "NO_BASELINE")
        self.assertIn("tagged v*", self.last["headline"])


class Pins(BaselineTest):
    def setUp(self):
        super().setUp()
        self.make_repository()

    def test_a_pin_holds_until_it_is_taken_back(self):
        self.run_commit(0.9)
        self.run_commit(0.95)
        self.pawl("baseline", "pin", "1", "--why", "run 2 was luck")
        self.assertEqual(self.run_commit(0.94), 1)
        self.assertIn("(main, pinned)", self.last["headline"])
        self.assertEqual(self.run_commit(0.94), 1)
        self.assertEqual([(b["number"], b["pinned"], b["why"]) for b in self.baselines()], [(1, True, "run 2 was luck")])
        self.assertIn("pinned", self.pawl("baseline", "list").stdout)
        self.pawl("baseline", "unpin", code=2)
        self.pawl("baseline", "unpin", "--why", " ", code=2)
        done = self.pawl("baseline", "unpin", "--why", "it was no luck")
        self.assertIn("run 1 is no longer pinned", done.stdout)
        self.pawl("baseline", "unpin", "--why", "again", code=2)
        self.assertEqual(self.run_commit(0.94), 4)
        history = self.baselines("history")
        self.assertEqual([(b["cause"], b["number"]) for b in history],
                         [("green", 5), ("unpin", 1), ("green", 4), ("green", 3), ("pin", 1), ("green", 2), ("bootstrap", 1)])
        self.assertEqual((history[1]["why"], history[1]["verdict"]), ("it was no luck", "PASS"))
        self.assertTrue(history[1]["who"])
        self.assertRegex(history[1]["commit"], re.compile("^[0-9a-f]{40}$"))

    def test_a_pin_says_which_level_is_to_be_sustained(self):
        self.write({".pawl.yml": PIPELINE.replace("  bootstrap: true",
                                                  "  bootstrap: true\n  sustained: {window: 2, max_drop: 0.01}")})
        for accuracy in (0.9, 0.9):
            self.run_commit(accuracy)
        self.run_commit(0.889, "FAIL")
        self.run_commit(0.89)
        self.pawl("baseline", "pin", "4", "--why", "the new data are harder")
        self.assertEqual(self.run_commit(0.889), 4)

    def test_over_the_api(self):
        self.start_daemon()
        self.run_in_daemon()
        body = json.dumps({"run": "1", "who": "ada", "why": "by hand"})
        self.assertEqual(self.request("POST", "/api/v1/baselines", body)[0], 201)
        current = json.loads(self.request("GET", "/api/v1/baselines/current")[1])["baselines"]
        self.assertEqual([(b["number"], b["pinned"], b["who"]) for b in current], [(1, True, "ada")])
        status, answer = self.request("POST", "/api/v1/baselines/unpin", json.dumps({"who": "ada", "why": "enough"}))
        self.assertEqual((status, json.loads(answer)["cause"]), (201, "unpin"))
        self.assertEqual(self.request("POST", "/api/v1/baselines/unpin", json.dumps({"why": "enough"}))[0], 404)
        history = json.loads(self.request("GET", "/api/v1/baselines?project=model")[1])["baselines"]
        self.assertEqual([b["cause"] for b in history], ["unpin", "pin", "bootstrap"])

    def run_in_daemon(self):
        self.add_project()
        wait_until(lambda: (self.home / "repos" / "model.git").exists(), "the mirror")
        self.push("good")
        self.assertEqual(self.wait_run(1)["verdict"], "PASS")


if __name__ == "__main__":
    unittest.main()
