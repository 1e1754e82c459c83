"""`pawl run --record`: machines that come and go share one record, in a folder, a ref of git, or a daemon.

A machine is a home of its own and a clone of its own of one model repository.
"""

import hashlib
import http.server
import json
import shutil
import sqlite3
import subprocess
import threading
import unittest

import rescore_test
import seeds_test
from harness import DEADLINE_S, PAWL, PawlTest, wait_until

GOOD, WORSE = "0.9", "0.7"


class Machine:
    """A CI runner: nothing of it but its clone is there when it starts."""

    def __init__(self, test, name):
        self.test = test
        self.home = test.dir / f"home-{name}"
        self.clone = test.dir / f"clone-{name}"
        test.git("clone", "--quiet", test.bare, self.clone, cwd=test.dir)

    def start(self, *argv, env=None):
        return subprocess.Popen([PAWL, "--home", str(self.home), *map(str, argv)], cwd=self.clone,
                                env={**self.test.env, **(env or {})}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True)

    def pawl(self, *argv, code=0, env=None):
        process = self.start(*argv, env=env)
        out, err = process.communicate(timeout=DEADLINE_S * 2)
        self.test.assertEqual(process.returncode, code, f"pawl {' '.join(map(str, argv))}:\n{out}\n{err}")
        return out + err

    def run(self, record, code=0, **options):
        return self.pawl("run", "--quiet", "--record", record, code=code, **options)

    def json(self, *argv, **options):
        return json.loads(self.pawl("--json", *argv, **options))

    def model(self, accuracy, push=True):
        """A commit with a model of that accuracy, on top of what origin has."""
        self.test.git("pull", "--quiet", "--rebase", "origin", "main", cwd=self.clone)
        (self.clone / "accuracy").write_text(accuracy)
        self.test.git("commit", "--quiet", "--allow-empty", "-am", f"accuracy {accuracy}", cwd=self.clone)
        if push:
            self.test.git("push", "--quiet", "origin", "HEAD:main", cwd=self.clone)

    def runs(self):
        if not (self.home / "pawl.db").exists():
            return []
        return sorted(self.json("runs", "-n", 1000)["runs"], key=lambda run: run["id"])

    def ids(self):
        return [run["id"] for run in self.runs()]

    def rows(self, sql):
        connection = sqlite3.connect(f"file:{self.home}/pawl.db?mode=ro", uri=True)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()


class RecordTest(PawlTest):
    def setUp(self):
        super().setUp()
        self.make_repository()
        self.push("first")
        self.machines = {}

    def machine(self, name):
        if name not in self.machines:
            self.machines[name] = Machine(self, name)
        return self.machines[name]


class Folder:
    """How each test gets its record: a folder."""

    def make_record(self):
        self.folder = self.dir / "record"
        self.folder.mkdir(exist_ok=True)
        return self.folder

    def damage(self, machine):
        entry = next((self.folder / "pawl-record-1" / "entries").rglob("run-*"))
        entry.write_bytes(entry.read_bytes().replace(b'"PASS"', b'"FAIL"', 1))


class Git:
    """Or a ref in the model repository."""

    def make_record(self):
        return "git"

    def ref(self):
        return self.git("for-each-ref", "--format=%(objectname)", "refs/pawl/record", cwd=self.bare)

    def contents(self):
        return self.ref()

    def damage(self, machine):
        """Somebody edits an entry, by a commit on top."""
        work = self.dir / "damage"
        self.git("clone", "--quiet", "--no-checkout", self.bare, work, cwd=self.dir)
        self.git("fetch", "--quiet", "origin", "refs/pawl/record", cwd=work)
        self.git("checkout", "--quiet", "--detach", "FETCH_HEAD", cwd=work)
        entry = next((work / "entries").rglob("run-*"))
        entry.write_bytes(entry.read_bytes().replace(b'"PASS"', b'"FAIL"', 1))
        self.git("commit", "--quiet", "-am", "edited", cwd=work)
        self.git("push", "--quiet", "origin", "HEAD:refs/pawl/record", cwd=work)


class Daemon:
    """Or a daemon."""

    def make_record(self):
        if self.daemon is None:
            self.start_daemon()
            self.env["PAWL_TOKEN"] = self.token()
        return self.url

    def contents(self):
        connection = sqlite3.connect(f"file:{self.home}/pawl.db?mode=ro", uri=True)
        try:
            return [connection.execute(f"SELECT * FROM {table}").fetchall()
                    for table in ("runs", "baselines", "metrics", "verdicts", "artifacts")]
        finally:
            connection.close()

    def damage(self, machine):
        """Something between us and the daemon changes an answer."""
        return self.proxy(lambda answer: answer.replace(b'"PASS"', b'"FAIL"', 1))

    def proxy(self, change):
        test = self

        class Proxy(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status, body = test.request("GET", self.path, headers={"Authorization": self.headers["Authorization"]},
                                            token=False)
                body = change(body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_address[1]}"


class EveryRecord:
    """What holds wherever the record is kept."""

    keeps_models = True

    def test_a_worse_model_fails_against_the_baseline_of_another_machine(self):
        record = self.make_record()
        a, b = self.machine("a"), self.machine("b")
        a.run(record)
        b.model(WORSE)
        says = b.run(record, code=1)
        self.assertIn("accuracy fell from 0.9 to 0.7", says)
        worse = b.json("show", "last")
        first = a.runs()[0]
        self.assertEqual(worse["baseline"], first["id"])
        # The paired test had the predictions of the other machine.
        paired = [reason for reason in worse["gate"]["reasons"] if reason["check"] == "paired"]
        self.assertEqual(paired[0]["status"], "fail", paired)
        self.assertEqual(b.ids(), [first["id"], worse["id"]])
        # And a third one sees both, with what belongs to them.
        c = self.machine("c")
        c.pawl("record", "pull", "--record", record)
        self.assertEqual(c.ids(), b.ids())
        for run in b.ids():
            here, there = c.json("show", run), b.json("show", run)
            for key in ("metrics", "stages", "gate", "artifacts", "verdict", "headline", "commit", "data", "findings"):
                self.assertEqual(here[key], there[key], key)
        self.assertIn("run 2 on ", c.json("show", worse["id"])["origin"])
        self.assertIn(" on ", c.pawl("show", worse["id"]))
        baseline = c.json("baseline", "list")["baselines"]
        self.assertEqual([entry["run"] for entry in baseline], [first["id"]])

    def test_two_runs_at_once(self):
        record = self.make_record()
        machines = [self.machine(name) for name in ("a", "b")]
        machines[0].run(record)
        for round_ in range(3):
            machines[0].model(GOOD)
            machines[1].model(GOOD)
            running = [machine.start("run", "--quiet", "--record", record) for machine in machines]
            for process in running:
                out, err = process.communicate(timeout=DEADLINE_S * 2)
                self.assertEqual(process.returncode, 0, out + err)
        made = {run["id"] for machine in machines for run in machine.runs() if "origin" not in run}
        self.assertEqual(len(made), 7)
        for name in ("a", "b", "c"):
            machine = self.machine(name)
            machine.pawl("record", "pull", "--record", record)
            self.assertEqual(set(machine.ids()), made)
            self.assertEqual(len(machine.rows("SELECT * FROM baselines")), 7)
        # All agree on what comes after what, and on the baseline: the one of the latest commit.
        def order(machine):
            return machine.rows("SELECT run_id FROM baselines ORDER BY position, created_ms, run_id")
        self.assertEqual(order(self.machine("a")), order(self.machine("b")))
        self.assertEqual(order(self.machine("a")), order(self.machine("c")))
        tip = self.git("rev-parse", "main", cwd=self.bare)
        for name in ("a", "b", "c"):
            self.assertEqual(self.machine(name).json("baseline", "list")["baselines"][0]["commit"], tip)

    def test_pushes_at_once_lose_nothing(self):
        record = self.make_record()
        machines = [self.machine(name) for name in ("a", "b", "c", "d")]
        for machine in machines:
            for _ in range(2):
                machine.pawl("run", "--quiet")
        running = [machine.start("record", "push", "--record", record) for machine in machines for _ in range(1)]
        for process in running:
            out, err = process.communicate(timeout=DEADLINE_S * 2)
            self.assertEqual(process.returncode, 0, out + err)
        e = self.machine("e")
        e.pawl("record", "pull", "--record", record)
        self.assertEqual(set(e.ids()), {run for machine in machines for run in machine.ids()})
        self.assertEqual(len(e.ids()), 8)

    def test_the_same_push_twice_changes_nothing(self):
        record = self.make_record()
        a = self.machine("a")
        a.run(record)
        before = self.contents()
        self.assertEqual(a.json("record", "push", "--record", record)["pushed"], 0)
        self.assertEqual(self.contents(), before)
        b = self.machine("b")
        self.assertEqual(b.json("record", "pull", "--record", record)["pulled"], 1)
        self.assertEqual(b.json("record", "pull", "--record", record)["pulled"], 0)
        self.assertEqual(b.json("record", "push", "--record", record)["pushed"], 0)
        self.assertEqual(self.contents(), before)

    def test_pins_and_waivers_travel(self):
        record = self.make_record()
        a, b = self.machine("a"), self.machine("b")
        a.run(record)
        first = a.ids()[0]
        a.model("0.93")
        a.run(record)
        a.pawl("baseline", "pin", first, "--why", "what we ship")
        a.pawl("waiver", "add", "--metric", "accuracy", "--expires", "14d", "--why", "see issue 12")
        a.pawl("waiver", "add", "--metric", "accuracy", "--check", "paired", "--expires", "14d", "--why", "by mistake")
        a.pawl("waiver", "revoke", "2", "--why", "a mistake")
        self.assertEqual(a.json("record", "push", "--record", record)["pushed"], 4)
        b.pawl("record", "pull", "--record", record)
        baseline = b.json("baseline", "list")["baselines"]
        self.assertEqual([(entry["run"], entry["pinned"], entry["why"]) for entry in baseline],
                         [(first, True, "what we ship")])
        states = {waiver["why"]: waiver["state"] for waiver in b.json("waiver", "list", "--all")["waivers"]}
        self.assertEqual(states, {"see issue 12": "valid", "by mistake": "revoked"})
        b.pawl("baseline", "unpin", "--why", "shipped the other")
        b.pawl("record", "push", "--record", record)
        a.pawl("record", "pull", "--record", record)
        self.assertFalse(a.json("baseline", "list")["baselines"][0]["pinned"])

    def test_every_use_of_a_test_set_counts_once(self):
        record = self.make_record()
        text = (self.clone / ".pawl.yml").read_text() + "  conditions:\n    - " + json.dumps(
            {"condition": "n > 0.5 +/- 0.1", "reliability": 0.9, "steps": 5}) + "\n"
        self.write({".pawl.yml": text})
        self.push("a condition")
        machines = [self.machine(name) for name in ("a", "b")]
        # Both at once, each the first use as far as it knows.
        machines[0].model("0.9")
        self.git("pull", "--quiet", "--rebase", "origin", "main", cwd=machines[1].clone)
        machines[1].model("0.91", push=False)
        running = [machine.start("run", "--quiet", "--record", record) for machine in machines]
        for process in running:
            out, err = process.communicate(timeout=DEADLINE_S * 2)
            self.assertEqual(process.returncode, 0, out + err)

        def budget(machine):
            machine.pawl("record", "pull", "--record", record)
            return [(entry["uses"], entry["steps"]) for entry in machine.json("gate", "budget")["test_sets"]]
        for machine in (*machines, self.machine("c")):
            self.assertEqual(budget(machine), [(2, 5)])
        # The next use is the third, wherever it is made.
        c = self.machine("c")
        c.model("0.92")
        c.run(record)
        for machine in (*machines, c):
            self.assertEqual(budget(machine), [(3, 5)])
        self.assertEqual(sorted(c.rows("SELECT number FROM test_uses"))[-1], (3,))

    def test_the_model_of_another_machine_is_scored_again(self):
        record = self.make_record()
        self.write({".pawl.yml": rescore_test.PIPELINE, "evaluate.py": rescore_test.EVALUATE,
                    "testset/examples": rescore_test.examples(100), "model": "90"})
        self.push("a model and what scores it")
        self.machine("a").run(record)
        self.write({"testset/examples": rescore_test.examples(80), "model": "74"})
        self.push("an easier test set")
        says = self.machine("b").run(record, code=1 if self.keeps_models else 4)
        self.assertIn("its model scored again" if self.keeps_models else "its model cannot be scored again", says)

    def test_what_stayed_there_is_said_to_have_stayed(self):
        record = self.make_record()
        self.machine("a").run(record)
        b = self.machine("b")
        b.pawl("record", "pull", "--record", record)
        for command in (("logs", "1"), ("trace", "1"), ("artifacts", "get", "1", "predictions.csv")):
            self.assertIn("run 1 was made elsewhere (run 1 on ", b.pawl(*command, code=2))

    def test_a_damaged_entry_stops_the_run_before_training(self):
        record = self.make_record()
        a, b = self.machine("a"), self.machine("b")
        a.run(record)
        record = self.damage(a) or record
        says = b.run(record, code=3)
        self.assertIn("is damaged", says)
        self.assertIn("run-" + a.ids()[0], says)
        self.assertEqual(b.runs(), [])


class FolderRecord(EveryRecord, Folder, RecordTest):
    def contents(self):
        return {str(path): path.stat().st_mtime_ns for path in self.folder.rglob("*") if path.is_file()}

    def test_trainings_of_several_seeds(self):
        record = self.make_record()
        self.write({".pawl.yml": seeds_test.PIPELINE, "train.py": seeds_test.TRAIN, "score.py": seeds_test.SCORE,
                    "level": "0.9"})
        self.push("four seeds")
        a = self.machine("a")
        a.run(record)
        self.write({"level": "0.2"})
        self.push("worse with every seed")
        b = self.machine("b")
        b.run(record, code=1)
        self.assertEqual(b.json("show", "last")["baseline"], a.ids()[0])
        self.assertEqual(b.json("show", a.ids()[0])["metrics"], a.json("show", "last")["metrics"])

    def test_a_folder_that_is_not_there(self):
        a = self.machine("a")
        says = a.run(self.dir / "mistyped", code=3)
        self.assertIn("there is no folder", says)
        self.assertFalse((self.dir / "mistyped").exists())
        self.assertEqual(a.runs(), [])

    def test_a_folder_that_cannot_be_written(self):
        record = self.make_record()
        (record / "pawl-record-1").write_text("a file in the way")
        a = self.machine("a")
        a.run(record, code=3)
        self.assertEqual(a.runs(), [])

    def test_a_file_of_the_baseline_that_is_damaged_is_no_pass(self):
        record = self.make_record()
        self.machine("a").run(record)
        file = next(path for path in (record / "pawl-record-1" / "files").rglob("*") if path.is_file()
                    and path.read_bytes().startswith(b"id,label"))
        text = file.read_bytes().replace(b"1,1,1\n", b"1,1,0\n", 1)
        file.unlink()
        file.write_bytes(text)
        b = self.machine("b")
        b.model("0.91")  # whose own predictions are others
        says = b.run(record, code=3)
        self.assertIn("ERROR", says)
        self.assertIn("is damaged where it is kept", says)

    def test_what_fails_after_the_run_can_be_sent_later(self):
        record = self.make_record()
        a = self.machine("a")
        # The stage takes the record away while it runs.
        train = self.clone / "train.py"
        train.write_text(train.read_text() + f"\nimport shutil\nshutil.rmtree({str(record)!r})\n")
        self.push("takes the record away")
        self.git("pull", "--quiet", "origin", "main", cwd=a.clone)
        says = a.run(record, code=3)
        self.assertIn("PASS", says)
        self.assertIn("pawl record push --record", says)
        self.assertEqual(a.runs()[0]["verdict"], "PASS")
        record.mkdir()
        self.assertEqual(a.json("record", "push", "--record", record)["pushed"], 1)
        self.assertEqual(self.machine("b").json("record", "pull", "--record", record)["pulled"], 1)


class GitRecord(EveryRecord, Git, RecordTest):
    keeps_models = False

    def test_it_is_a_ref_of_small_files_with_all_of_its_past(self):
        a = self.machine("a")
        a.run("git")
        first = self.ref()
        a.model(GOOD)
        a.run("git")
        self.git("merge-base", "--is-ancestor", first, "refs/pawl/record", cwd=self.bare)
        files = self.git("ls-tree", "-r", "--name-only", "refs/pawl/record", cwd=self.bare).splitlines()
        self.assertEqual(len([name for name in files if name.startswith("entries/model/run/")]), 2)
        self.assertEqual(len([name for name in files if name.startswith("files/")]), 1)  # the same predictions twice
        # Neither a branch nor a tag, and nothing in the clone's own files.
        self.assertEqual(self.git("branch", "--list", cwd=self.bare).split(), ["*", "main"])
        self.assertEqual(self.git("status", "--porcelain", cwd=a.clone), "")

    def test_a_repository_without_a_remote_keeps_the_record_itself(self):
        a = self.machine("a")
        self.git("remote", "remove", "origin", cwd=a.clone)
        a.run("git")
        self.assertTrue(self.git("rev-parse", "refs/pawl/record", cwd=a.clone))
        b = self.machine("b")
        b.clone = a.clone
        b.run("git")
        self.assertEqual(b.json("show", "last")["baseline"], a.ids()[0])

    def test_a_clone_of_one_commit(self):
        a = self.machine("a")
        a.run("git")
        b = self.machine("b")
        shutil.rmtree(b.clone)
        self.git("clone", "--quiet", "--depth=1", f"file://{self.bare}", b.clone, cwd=self.dir)
        b.run("git")
        self.assertEqual(b.json("show", "last")["baseline"], a.ids()[0])

    def ssh(self, refuses):
        """An origin behind ssh that lets anyone read, and nobody write when `refuses`."""
        script = self.dir / "ssh"
        script.write_text("#!/bin/sh\nfor last; do :; done\ncase $last in\n"
                          + ("*receive-pack*) echo 'ERROR: Permission to model.git denied to bot' >&2; exit 128;;\n"
                             if refuses else "")
                          + "esac\nexec sh -c \"$last\"\n")
        script.chmod(0o755)
        return {"GIT_SSH_COMMAND": str(script), "GIT_SSH_VARIANT": "simple"}

    def test_without_permission_to_push_nothing_is_trained(self):
        a = self.machine("a")
        self.git("remote", "set-url", "origin", f"ssh://git@localhost{self.bare}", cwd=a.clone)
        says = a.run("git", code=3, env=self.ssh(refuses=True))
        self.assertIn("Permission to model.git denied", says)
        self.assertIn("contents: write", says)
        self.assertIn("write_repository", says)
        self.assertEqual(a.runs(), [])
        a.run("git", env=self.ssh(refuses=False))
        self.assertTrue(self.ref())

    def test_an_origin_that_does_not_answer(self):
        a = self.machine("a")
        self.git("remote", "set-url", "origin", self.dir / "gone.git", cwd=a.clone)
        says = a.run("git", code=3)
        self.assertIn("cannot be read", says)
        self.assertEqual(a.runs(), [])

    def test_a_push_that_a_hook_refuses_can_be_sent_later(self):
        hook = self.bare / "hooks" / "pre-receive"
        hook.write_text("#!/bin/sh\necho 'closed for today' >&2\nexit 1\n")
        hook.chmod(0o755)
        a = self.machine("a")
        says = a.run("git", code=3)
        self.assertIn("PASS", says)
        self.assertIn("closed for today", says)
        self.assertIn("pawl record push --record 'git'", says)
        hook.unlink()
        self.assertEqual(a.json("record", "push", "--record", "git")["pushed"], 1)

    def test_large_files_stay_out_and_are_named(self):
        train = self.clone / "train.py"
        train.write_text(train.read_text().replace("1,{1 if", "1,{' ' * 20000 + '1' if"))
        self.push("large predictions")
        a = self.machine("a")
        self.assertIn("git keeps files of at most 16", a.run("git"))


class DaemonRecord(EveryRecord, Daemon, RecordTest):
    def test_the_daemon_judges_by_it_and_shows_it(self):
        record = self.make_record()
        a = self.machine("a")
        a.run(record)
        first = a.ids()[0]
        status, shown = self.request("GET", f"/api/v1/runs/{first}")
        self.assertEqual(status, 200)
        self.assertIn("run 1 on ", json.loads(shown)["origin"])
        status, page = wait_until(lambda: (lambda answer: answer if answer[0] == 200 else None)(
            self.request("GET", f"/api/v1/runs/{first}/report")), "the report of a run that was made elsewhere")
        self.assertIn(b"accuracy", page)
        status, file = self.request("GET", f"/api/v1/runs/{first}/artifacts/train/predictions.csv")
        self.assertEqual((status, file.splitlines()[0]), (200, b"id,label,prediction"))
        # The daemon serves the same project, and judges a push by the run of the other machine.
        self.add_project()
        wait_until(lambda: (self.home / "repos" / "model.git").exists(), "the mirror")
        a.model(WORSE)
        run = self.wait_run(2)
        self.assertEqual((run["verdict"], run["baseline"]), ("FAIL", first))
        # And a machine has the daemon's run.
        self.machine("b").pawl("record", "pull", "--record", record)
        self.assertIn(run["id"], self.machine("b").ids())

    def test_files_of_any_size_travel(self):
        train = self.clone / "train.py"
        train.write_text(train.read_text() + "\n(out / 'model.pt').write_bytes(os.urandom(9_000_000))\n"
                         + "(out / 'empty').write_bytes(b'')\n")
        self.push("a model of some size")
        a = self.machine("a")
        a.run(self.make_record())
        for artifact in a.json("show", "last")["artifacts"]:
            status, file = self.request("GET", f"/api/v1/record/files/{artifact['digest']}")
            self.assertEqual(status, 200)
            self.assertEqual("sha256:" + hashlib.sha256(file).hexdigest(), artifact["digest"])
        self.assertFalse(list((self.home / "uploads").iterdir()))

    def test_a_wrong_token(self):
        record = self.make_record()
        a = self.machine("a")
        self.assertIn("does not accept the token in PAWL_TOKEN", a.run(record, code=3, env={"PAWL_TOKEN": "wrong"}))
        self.assertIn("needs a token: set PAWL_TOKEN", a.run(record, code=3, env={"PAWL_TOKEN": ""}))
        self.assertEqual(a.runs(), [])

    def test_a_daemon_that_does_not_answer(self):
        record = self.make_record()
        self.stop_daemon()
        a = self.machine("a")
        self.assertIn(record, a.run(record, code=3))
        self.assertEqual(a.runs(), [])

    def test_no_token_goes_to_another_machine_in_the_clear(self):
        a = self.machine("a")
        self.assertIn("only https", a.run("http://192.0.2.1:8480", code=3, env={"PAWL_TOKEN": "x"}))

    def test_what_is_sent_is_checked(self):
        self.make_record()
        def post(path, body):
            status, answer = self.request("POST", "/api/v1/record" + path, body)
            return status, json.loads(answer)["error"]["message"]
        entries = "/projects/model/entries"
        self.assertEqual(post(entries, "no json")[0], 400)
        self.assertIn("entries", post(entries, "{}")[1])
        self.assertIn("is not the name", post(entries, '{"entries": [{"name": "x", "text": "y"}]}')[1])
        body = json.dumps({"kind": "pin"}) + "\n"
        text = f"pawl-record-1 sha256:{hashlib.sha256(body.encode()).hexdigest()}\n{body}"
        name = "pin-" + hashlib.sha256(body.encode()).hexdigest()[:32]
        self.assertIn("project: is missing", post(entries, json.dumps({"entries": [{"name": name, "text": text}]}))[1])
        self.assertEqual(post("/projects/..%2fx/entries", "{}")[0], 400)
        digest = "sha256:" + hashlib.sha256(b"something").hexdigest()
        upload = "0" * 32
        self.assertIn("another digest", post(f"/files/{digest}?upload={upload}&offset=0&bytes=4", b"else")[1])
        self.assertIn("not in order", post(f"/files/{digest}?upload={upload}&offset=2&bytes=4", b"se")[1])
        self.assertIn("32 hexadecimal", post(f"/files/{digest}?upload=../../x&offset=0&bytes=4", b"else")[1])
        self.assertIn("does not fit", post(f"/files/{digest}?upload={upload}&offset=0&bytes=3", b"else")[1])
        self.assertEqual(self.request("GET", f"/api/v1/record/files/{digest}")[0], 404)
        self.assertEqual(self.request("GET", "/api/v1/record/files/..%2f..%2fconfig.yml")[0], 400)
        self.assertEqual(self.request("GET", "/api/v1/record" + entries, token=False)[0], 401)


class SameVerdict(Folder, RecordTest):
    def test_wherever_the_record_is(self):
        self.start_daemon()
        self.env["PAWL_TOKEN"] = self.token()
        records = {"folder": self.make_record(), "git": "git", "daemon": self.url}
        machines = {name: (self.machine("first-" + name), self.machine("second-" + name)) for name in records}
        for name, record in records.items():
            machines[name][0].run(record)
        said = {}
        for value, code in (("0.91", 0), ("0.7", 1), ("0.88", 0)):
            self.machine("writer").model(value)
            for name, record in records.items():
                machine = machines[name][1]
                self.git("pull", "--quiet", "origin", "main", cwd=machine.clone)
                machine.run(record, code=code)
                run = machine.json("show", "last")
                reasons = [(reason["check"], reason["status"], reason.get("p_value"), reason.get("value"))
                           for reason in run["gate"]["reasons"]]
                said.setdefault(value, []).append((run["verdict"], run["exit_code"], run["commit"], reasons))
        for value, verdicts in said.items():
            self.assertEqual(verdicts[0], verdicts[1], value)
            self.assertEqual(verdicts[0], verdicts[2], value)


if __name__ == "__main__":
    unittest.main()
