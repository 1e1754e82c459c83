"""The daemon from outside: webhooks, queue, data, statuses, the API."""

import http.client
import http.server
import json
import os
import threading
import time
import unittest

from harness import PIPELINE, PawlTest, wait_until

# Runs until the file `go` appears beside the repository.
WAITING = PIPELINE.replace("run: python3 train.py", "run: while [ ! -e ../../../go ]; do sleep 0.05; done; python3 train.py")


class Pushes(PawlTest):
    def test_green_then_worse_then_green(self):
        self.serve_repository()
        first = self.push("good", accuracy="0.9")
        run = self.wait_run(1)
        self.assertEqual((run["verdict"], run["commit"], run["exit_code"]), ("PASS", first, 0))
        self.push("worse", accuracy="0.7")
        run = self.wait_run(2)
        self.assertEqual((run["verdict"], run["exit_code"]), ("FAIL", 1))
        self.assertIn("accuracy", run["headline"])
        self.assertIn(first[:7], json.dumps(run["gate"]))
        self.push("good again", accuracy="0.89")
        run = self.wait_run(3)
        self.assertEqual(run["verdict"], "PASS")
        self.assertEqual(run["baseline"], self.runs()[0]["id"], "a red run must not become the baseline")
        history = self.pawl_json("baseline", "history")["baselines"]
        self.assertEqual([b["cause"] for b in history], ["green", "bootstrap"])
        report = self.home / "runs" / run["id"] / "report"
        self.assertEqual(sorted(p.name for p in report.iterdir()), ["junit.xml", "report.html", "summary.md"])

    def test_no_bootstrap_is_red(self):
        self.serve_repository(PIPELINE.replace("bootstrap: true", "bootstrap: false"))
        self.push()
        run = self.wait_run(1)
        self.assertEqual((run["verdict"], run["exit_code"]), ("NO_BASELINE", 4))
        self.assertIn("is NO_BASELINE, not PASS: --red", self.pawl("baseline", "pin", "1", "--why", "x", code=2).stderr)

        def pin(body):
            status, text = self.request("POST", "/api/v1/baselines", json.dumps({"run": "1", **body}))
            return status, json.loads(text).get("error", {}).get("code")
        self.assertEqual(pin({"red": True}), (400, "invalid"))
        self.assertEqual(pin({"red": True, "why": " "}), (400, "invalid"))
        self.assertEqual(pin({"why": "x"}), (409, "conflict"))
        self.assertEqual(self.pawl_json("baseline", "list")["baselines"], [])
        self.pawl("baseline", "pin", "1", "--red", "--why", "first model, looked at by hand")
        self.push("same")
        self.assertEqual(self.wait_run(2)["verdict"], "PASS")

    def test_broken_pipeline_is_red_with_the_place(self):
        self.serve_repository()
        self.push(__pawl__yml="version: 1\non: push\nstages: {train: {run: x, rnu: y}}\n")
        run = self.wait_run(1)
        self.assertEqual((run["verdict"], run["exit_code"]), ("ERROR", 2))
        self.assertIn(".pawl.yml:3:", run["headline"])

    def test_taking_the_gate_away_is_red(self):
        self.serve_repository()
        self.push()
        self.wait_run(1)
        (self.clone / ".pawl.yml").unlink()
        self.push("no more checks")
        run = self.wait_run(2)
        self.assertEqual((run["verdict"], run["exit_code"]), ("ERROR", 2))
        self.assertIn(".pawl.yml", run["headline"])

    def test_filters(self):
        self.serve_repository()
        self.push("other branch", branch="feature")
        self.push("main")
        self.wait_run(1)
        self.assertEqual([run["branch"] for run in self.runs()], ["main"])

    def test_gpus_the_machine_has_not(self):
        self.serve_repository(PIPELINE.replace("debug: off", "debug: off\n    ranks: 2\n    gpus: 64"))
        self.push()
        run = self.wait_run(1)
        self.assertEqual((run["verdict"], run["exit_code"]), ("ERROR", 2))
        self.assertIn("asks for 64 GPUs for each of 2 ranks", run["headline"])
        self.assertIn("this machine has", run["headline"])

    def test_retry_gets_the_checkpoint(self):
        script = """
            import os, pathlib, sys
            checkpoint = pathlib.Path(os.environ["PAWL_CHECKPOINT_DIR"]) / "step"
            if not checkpoint.exists():
                checkpoint.write_text("100")
                sys.exit(7)
            exec(open("train.py").read())
        """
        pipeline = PIPELINE.replace("run: python3 train.py", "run: python3 flaky.py\n    retries: 1")
        self.serve_repository(pipeline, {"flaky.py": script})
        self.push()
        run = self.wait_run(1)
        self.assertEqual(run["verdict"], "PASS")
        self.assertEqual([(a["attempt"], a["outcome"]) for a in run["attempts"]], [(1, "failed"), (2, "succeeded")])

    def test_stage_timeout(self):
        self.serve_repository(PIPELINE.replace("run: python3 train.py", "run: sleep 600\n    timeout: 1s"))
        self.push()
        run = self.wait_run(1)
        self.assertEqual((run["verdict"], run["attempts"][0]["outcome"]), ("FAIL", "timed_out"))


class Hook(PawlTest):
    def test_finds_the_daemon_on_another_port_and_can_be_installed_again(self):
        self.serve_repository()
        self.pawl("project", "remove", "model")
        self.add_project()
        self.push("first")
        self.wait_run(1)
        self.stop_daemon()
        self.start_daemon()  # on another port
        self.push("second")
        self.assertEqual(self.wait_run(2)["trigger_note"][:9], "pushed by")


class Webhooks(PawlTest):
    def payload(self, sha):
        return {"ref": "refs/heads/main", "before": "0" * 40, "after": sha, "created": True, "deleted": False,
                "repository": {"full_name": "team/model", "clone_url": "https://example.com/evil.git"},
                "pusher": {"name": "ada"}, "sender": {"login": "ada"}, "commits": []}

    def test_duplicates_and_forgeries(self):
        self.make_repository()
        self.start_daemon()
        self.add_project(hook=False)
        wait_until(lambda: (self.home / "repos" / "model.git").exists(), "the mirror")
        sha = self.push()
        self.assertEqual(self.deliver(self.payload(sha), delivery="d1")[0], 202)
        self.wait_run(1)
        status, body = self.deliver(self.payload(sha), delivery="d1")
        self.assertEqual((status, json.loads(body)["new"]), (200, False))
        self.assertEqual(self.deliver(self.payload(sha), delivery="d2", secret="wrong")[0], 403)
        self.assertEqual(self.deliver(self.payload(sha), delivery="d3", project="nobody")[0], 403)
        self.assertEqual(self.request("POST", "/hooks/model", b"{}", token=False)[0] // 100, 4)
        # The same commit under a new delivery id: its head is known.
        self.assertEqual(self.deliver(self.payload(sha), delivery="d4")[0], 202)

        def settled():
            rows = json.loads(self.request("GET", "/api/v1/deliveries")[1])["deliveries"]
            return {r["delivery"]: r["note"] for r in rows if r["state"] == "done"}
        notes = wait_until(lambda: len(settled()) == 2 and settled(), "both deliveries to be worked off")
        self.assertIn("already", notes["d4"])
        self.assertEqual(len(self.runs()), 1)

    def test_lost_webhook_is_found(self):
        self.make_repository()
        self.home.mkdir()
        (self.home / "config.yml").write_text("reconcile: 200ms\n")
        self.start_daemon()
        self.add_project(hook=False)
        wait_until(lambda: (self.home / "repos" / "model.git").exists(), "the mirror")
        self.push()
        run = self.wait_run(1)
        self.assertEqual((run["verdict"], run["trigger"]), ("PASS", "push"))
        self.assertIn("comparing", run["trigger_note"])

    def test_api_needs_the_token(self):
        self.make_repository()
        self.start_daemon()
        self.assertEqual(self.request("GET", "/healthz", token=False)[0], 200)
        for method, path in (("GET", "/api/v1/runs"), ("POST", "/api/v1/runs/1/cancel"), ("GET", "/api/v1/events?topics=runs")):
            self.assertIn(self.request(method, path, token=False)[0], (401, 403), path)
        self.assertEqual(self.request("GET", "/api/v1/runs", headers={"Host": "evil.example"})[0], 403)
        self.assertEqual(self.request("GET", "/api/v1/runs")[0], 200)
        self.assertEqual((self.home / "config.yml").stat().st_mode & 0o777, 0o600)


    def test_events_of_topics_that_do_not_exist(self):
        self.make_repository()
        self.start_daemon()
        run = "01HZZZZZZZZZZZZZZZZZZZZZAA"
        for topics in ("", "run", "run:1", "run:last", "runs,", "runs,run:" + run[1:], "Runs", "project:model"):
            status, body = self.request("GET", "/api/v1/events?topics=" + topics)
            self.assertEqual((status, json.loads(body)["error"]["code"]), (400, "invalid"), topics)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self.addCleanup(connection.close)
        connection.request("GET", f"/api/v1/events?topics=runs,run:{run}", headers={"Authorization": "Bearer " + self.token()})
        self.assertEqual(connection.getresponse().status, 200)


class Queue(PawlTest):
    def test_two_runs_never_share_slots_and_cancel(self):
        self.serve_repository(WAITING.replace("debug: off", "debug: off\n    cpus: 64"))
        self.push("first")
        self.wait_run(1, "running")
        self.push("second")
        self.wait_run(2, "running")
        status = json.loads(self.request("GET", "/api/v1/status")[1])
        waiting = {run["number"]: run["waiting"] for run in status["runs"]}
        self.assertEqual(status["free_cpus"], 0)
        self.assertIn("CPU slots", waiting[2])
        self.assertIn("CPU slots", self.pawl("status").stdout)
        self.pawl("cancel", "1")
        run = self.wait_run(1)
        self.assertEqual((run["verdict"], run["exit_code"]), ("CANCELLED", 130))
        (self.home / "go").touch()
        self.assertEqual(self.wait_run(2)["verdict"], "PASS")
        self.pawl("rerun", "2")
        run = self.wait_run(3)
        self.assertEqual((run["verdict"], run["trigger"]), ("PASS", "rerun"))
        self.assertEqual(self.pawl("status", "--follow", "3").returncode, 0)
        self.pawl("cancel", "3", code=2)

    def test_cancelled_tree_is_gone(self):
        pipeline = PIPELINE.replace("run: python3 train.py", "run: setsid sleep 1234567 & trap '' TERM; sleep 7654321; true")
        self.serve_repository(pipeline)
        self.push()
        run = self.wait_run(1, "running")
        cookie = f"PAWL_RUN_ID={run['id']}"
        wait_until(lambda: len(self.processes_of(cookie)) >= 3, "the stage's processes")
        self.pawl("cancel", "1")
        self.wait_run(1)
        self.assertEqual(self.processes_of(cookie), [])


class Data(PawlTest):
    PIPELINE = PIPELINE.replace("on: {push: {branches: [main]}}", """on: {push: {branches: [main]}, data: [numbers]}
data: {numbers: {path: /nowhere}}""").replace("python3 train.py", "ls $PAWL_DATA_NUMBERS && python3 train.py")

    def test_new_data_starts_a_run(self):
        data = self.dir / "data"
        data.mkdir()
        (data / "a.csv").write_text("1\n")
        self.make_repository(self.PIPELINE)
        self.home.mkdir()
        (self.home / "config.yml").write_text("data_poll: 100ms\ndata_quiet: 100ms\n")
        self.start_daemon()
        self.add_project("--data", f"numbers={data}")
        wait_until(lambda: (self.home / "repos" / "model.git").exists(), "the mirror")
        self.push()
        first = self.wait_run(1)
        (data / ".b.csv.tmp").write_text("2")  # being written: not part of the dataset
        (data / ".b.csv.tmp").rename(data / "b.csv")
        second = self.wait_run(2)
        self.assertEqual((second["trigger"], second["verdict"], second["commit"]), ("data", "PASS", first["commit"]))
        self.assertEqual(second["baseline"], first["id"])
        self.assertNotEqual(second["data"][0]["digest"], first["data"][0]["digest"])
        (data / "b.csv").unlink()  # back to a version that was there before: a change all the same
        third = self.wait_run(3)
        self.assertEqual(third["data"][0]["digest"], first["data"][0]["digest"])


    def test_touched_data_is_no_new_data(self):
        """Other times, same bytes: no run. A change of other data that is made later tells when that was looked at."""
        for name in ("numbers", "letters"):
            (self.dir / name).mkdir()
            (self.dir / name / "a.csv").write_text("1\n")
        self.make_repository(self.PIPELINE.replace("data: [numbers]", "data: [numbers, letters]")
                             .replace("data: {numbers:", "data: {letters: {path: /nowhere}, numbers:"))
        self.home.mkdir()
        (self.home / "config.yml").write_text("data_poll: 100ms\ndata_quiet: 100ms\n")
        self.start_daemon()
        self.add_project("--data", f"numbers={self.dir / 'numbers'}", "--data", f"letters={self.dir / 'letters'}")
        wait_until(lambda: (self.home / "repos" / "model.git").exists(), "the mirror")
        self.push()
        first = self.wait_run(1)
        os.utime(self.dir / "numbers" / "a.csv", (1, 1))
        (self.dir / "letters" / "a.csv").write_text("2\n")
        second = self.wait_run(2)
        digests = [{d["dataset"]: d["digest"] for d in run["data"]} for run in (first, second)]
        self.assertEqual(digests[0]["numbers"], digests[1]["numbers"])
        self.assertNotEqual(digests[0]["letters"], digests[1]["letters"])
        (self.dir / "letters" / "a.csv").write_text("3\n")
        self.assertEqual(self.wait_run(3)["trigger"], "data")
        self.assertEqual(len(self.runs()), 3)

    def test_half_uploaded_data_waits(self):
        """A file that grows and pauses: many looks find it unchanged, none of them is long enough."""
        data = self.dir / "data"
        data.mkdir()
        (data / "a.csv").write_text("1\n")
        self.make_repository(self.PIPELINE.replace("ls $PAWL_DATA_NUMBERS", "wc -l < $PAWL_DATA_NUMBERS/a.csv"))
        self.home.mkdir()
        (self.home / "config.yml").write_text("data_poll: 100ms\ndata_quiet: 3s\n")
        self.start_daemon()
        self.add_project("--data", f"numbers={data}")
        wait_until(lambda: (self.home / "repos" / "model.git").exists(), "the mirror")
        self.push()
        self.wait_run(1)
        began = time.monotonic()
        lines = 1
        with open(data / "a.csv", "a", encoding="utf-8") as upload:
            while time.monotonic() - began < 6:  # twice the time that a dataset must rest
                print(2, file=upload, flush=True)
                lines += 1
                time.sleep(0.5)  # the upload's own pace: five looks
            self.assertEqual(len(self.runs()), 1)
        second = self.wait_run(2)
        self.assertEqual(second["trigger"], "data")
        self.assertEqual(self.pawl("logs", "2").stdout.strip().splitlines()[0], str(lines))


class FakeGitea(http.server.BaseHTTPRequestHandler):
    seen = []
    answers = []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).seen.append((self.path, self.headers["Authorization"], body))
        status = type(self).answers.pop(0) if type(self).answers else 201
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args):
        pass


class Statuses(PawlTest):
    def test_outbox_survives_a_forge_that_is_down(self):
        FakeGitea.seen, FakeGitea.answers = [], [503]
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), FakeGitea)
        self.addCleanup(server.server_close)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        self.make_repository()
        self.home.mkdir()
        (self.home / "config.yml").write_text("public_url: https://pawl.example.com\n")
        self.start_daemon()
        self.env["FORGE_TOKEN"] = "t0ken"
        self.add_project("--forge", "gitea", "--forge-token-env", "FORGE_TOKEN", "--forge-repository", "team/model", "--forge-api",
                         f"http://127.0.0.1:{server.server_port}/api/v1")
        wait_until(lambda: (self.home / "repos" / "model.git").exists(), "the mirror")
        sha = self.push()
        run = self.wait_run(1)
        final = wait_until(lambda: [s for s in FakeGitea.seen if s[2]["state"] == "success"], "the final status")
        path, authorization, body = final[-1]
        self.assertTrue(path == f"/api/v1/repos/team/model/statuses/{sha}", path)
        self.assertIn("t0ken", authorization)
        self.assertIn("PASS", body["description"])
        self.assertEqual(body["target_url"], "https://pawl.example.com/runs/" + run["id"])
        self.assertEqual([s[2]["state"] for s in FakeGitea.seen][-1], "success", "nothing after the final state")


class Pages(PawlTest):
    def fetch(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self.addCleanup(connection.close)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer, answer.read().decode()

    def test_a_browser_signs_in_once_and_reads_the_report(self):
        self.serve_repository(WAITING)
        self.push()
        run = self.wait_run(1, "running")
        page = "/runs/" + run["id"]
        answer, text = self.fetch("GET", page)
        self.assertEqual((answer.status, answer.getheader("Content-Type")), (401, "text/html; charset=utf-8"))
        self.assertIn('<form method="post">', text)
        self.assertNotIn(run["commit"][:12], text)
        self.assertEqual(self.fetch("POST", page, "token=guess")[0].status, 401)
        self.assertEqual(self.fetch("POST", page, "token=" + self.token(), Origin="https://evil.example")[0].status, 403)
        answer, _ = self.fetch("POST", page, "token=" + self.token())
        self.assertEqual((answer.status, answer.getheader("Location")), (303, page))
        cookie = answer.getheader("Set-Cookie").split(";")[0]
        answer, text = self.fetch("GET", page, Cookie=cookie)
        self.assertEqual(answer.status, 200)
        self.assertIn("running", text)
        (self.home / "go").touch()
        self.wait_run(1)
        answer, text = self.fetch("GET", page, Cookie=cookie)
        self.assertEqual(answer.status, 200)
        self.assertIn("PASS", text)
        self.assertIn("form-action 'self'", answer.getheader("Content-Security-Policy"))
        self.assertEqual(self.fetch("GET", "/runs/999", Cookie=cookie)[0].status, 404)
        self.assertEqual(self.fetch("GET", "/api/v1/runs", Cookie=cookie)[0].status, 401, "a cookie is for pages only")


if __name__ == "__main__":
    unittest.main()
