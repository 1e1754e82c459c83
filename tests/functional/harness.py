"""A real daemon, real git repositories and the real `pawl` binary, in a folder that is removed afterwards."""

import hashlib
import hmac
import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import textwrap
import time
import unittest
import uuid

PAWL = os.environ["PAWL_BINARY"]
DEADLINE_S = 60  # nothing here takes a tenth of it on an idle machine

# A pipeline whose one stage reports the accuracy in the file `accuracy` of the repository, and predictions to match.
PIPELINE = """
version: 1
on: {push: {branches: [main]}}
stages:
  train:
    run: python3 train.py
    debug: off
gate:
  bootstrap: true
  metrics:
    accuracy: {direction: higher, floor: 0.5, max_drop: 0.05, paired: {margin: 0.05}}
"""

TRAIN = """
import json, os, pathlib
out = pathlib.Path(os.environ["PAWL_OUTPUT_DIR"])
accuracy = float(open("accuracy").read())
(out / "metrics.json").write_text(json.dumps({"accuracy": {"value": accuracy, "n": 1000}}))
with open(out / "predictions.csv", "w") as f:
    f.write("id,label,prediction\\n")
    for i in range(1000):
        f.write(f"{i},1,{1 if i < accuracy * 1000 else 0}\\n")
"""


def wait_until(condition, what, seconds=DEADLINE_S):
    """The first true value of `condition()`; fails when there is none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s for {what}")


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class PawlTest(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="pawl-functional-"))
        self.addCleanup(self.clean_up)
        self.home = self.dir / "home"
        self.daemon = None
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("PAWL_", "GIT_", "GITHUB_", "CI_", "BRANCH_"))}
        self.env.update({
            "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com",
            "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.com",
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "OMP_NUM_THREADS": "1",
        })

    def clean_up(self):
        if self.daemon is not None and self.daemon.poll() is None:
            self.daemon.kill()
            self.daemon.wait()
        # Supervisors outlive a daemon on purpose; those of this test must not outlive the test.
        for process in self.processes_of(str(self.dir)):
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass
        shutil.rmtree(self.dir, ignore_errors=True)
        # A rank that died a moment ago may have been writing.
        shutil.rmtree(self.dir, ignore_errors=True)

    def processes_of(self, text):
        """Processes of this test that name `text` in their command line or environment."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                data = (entry / "cmdline").read_bytes() + b"\0" + (entry / "environ").read_bytes()
            except OSError:
                continue
            # Other tests run the same programs at the same time.
            if text.encode() in data and str(self.dir).encode() in data and is_alive(entry.name):
                found.append(int(entry.name))
        return found

    # --- the binary ---------------------------------------------------------------------------------------------------

    def pawl(self, *argv, cwd=None, code=0, env=None):
        done = subprocess.run([PAWL, "--home", str(self.home), *map(str, argv)], cwd=cwd, env={**self.env, **(env or {})},
                              capture_output=True, text=True, timeout=DEADLINE_S * 2)
        self.assertEqual(done.returncode, code, f"pawl {' '.join(map(str, argv))}:\n{done.stdout}\n{done.stderr}")
        return done

    def pawl_json(self, *argv, **options):
        return json.loads(self.pawl("--json", *argv, **options).stdout)

    # --- the daemon ---------------------------------------------------------------------------------------------------

    def start_daemon(self, listen="127.0.0.1:0"):
        self.log = open(self.dir / "daemon.log", "ab")
        self.addCleanup(self.log.close)
        self.daemon = subprocess.Popen([PAWL, "--home", str(self.home), "--json", "serve", "--listen", listen],
                                       env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log)
        self.addCleanup(self.daemon.stdout.close)
        line = self.daemon.stdout.readline()
        self.assertTrue(line, (self.dir / "daemon.log").read_text())
        self.url = json.loads(line)["url"]
        self.port = int(self.url.rsplit(":", 1)[1])

    def kill_daemon(self):
        self.daemon.kill()
        self.daemon.wait()

    def stop_daemon(self):
        self.daemon.terminate()
        self.assertEqual(self.daemon.wait(timeout=DEADLINE_S), 0)

    def request(self, method, path, body=None, headers=None, token=True):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = "Bearer " + self.token()
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, data

    def token(self):
        for line in (self.home / "config.yml").read_text().splitlines():
            if line.startswith("token:"):
                return line.split('"')[1]
        raise AssertionError("no token in config.yml")

    def secret(self):
        lines = (self.home / "config.yml").read_text().splitlines()
        return lines[lines.index("    secrets:") + 1].split('"')[1]

    def deliver(self, payload, event="push", delivery=None, secret=None, project="model"):
        body = json.dumps(payload).encode()
        signature = hmac.new((secret or self.secret()).encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-GitHub-Event": event,
                   "X-GitHub-Delivery": delivery or str(uuid.uuid4()), "X-Hub-Signature-256": "sha256=" + signature}
        return self.request("POST", f"/hooks/{project}", body, headers, token=False)

    # --- the repository -----------------------------------------------------------------------------------------------

    def git(self, *argv, cwd=None):
        done = subprocess.run(["git", *map(str, argv)], cwd=cwd or self.clone, env=self.env, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, f"git {' '.join(map(str, argv))}:\n{done.stderr}")
        return done.stdout.strip()

    def make_repository(self, pipeline=PIPELINE, files=None):
        self.bare = self.dir / "model.git"
        self.clone = self.dir / "clone"
        self.clone.mkdir()
        self.git("init", "--quiet", "--bare", "--initial-branch=main", self.bare, cwd=self.dir)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "origin", self.bare)
        self.write({".pawl.yml": pipeline, "train.py": TRAIN, "accuracy": "0.9", **(files or {})})

    def write(self, files):
        for name, text in files.items():
            path = self.clone / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text).lstrip())

    def commit(self, message="change", **files):
        self.write({name.replace("__", "."): text for name, text in files.items()})
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def push(self, message="change", branch="main", **files):
        sha = self.commit(message, **files)
        self.git("push", "--quiet", "--force", "origin", f"HEAD:{branch}")
        return sha

    def add_project(self, *options, hook=True):
        self.pawl("project", "add", self.bare, "--name", "model", *(["--install-hook"] if hook else []), *options)

    def serve_repository(self, pipeline=PIPELINE, files=None, config=None, project=()):
        """A daemon that serves a fresh repository through its own hook."""
        self.make_repository(pipeline, files)
        if config:
            self.home.mkdir()
            (self.home / "config.yml").write_text(config)
        self.start_daemon()
        self.add_project(*project)
        # The first look at the (empty) repository, so that nothing the test pushes counts as history.
        wait_until(lambda: (self.home / "repos" / "model.git").exists(), "the mirror")

    # --- runs ---------------------------------------------------------------------------------------------------------

    def runs(self):
        return sorted(self.pawl_json("runs")["runs"], key=lambda run: run["number"])

    def wait_run(self, number, state="finished"):
        def reached():
            if not (self.home / "pawl.db").exists():
                return None
            found = [run for run in self.runs() if run["number"] == number and run["state"] == state]
            return found[0] if found else None
        wait_until(reached, f"run {number} to be {state}:\n{self.daemon_log()}")
        return self.pawl_json("show", number)

    def daemon_log(self):
        path = self.dir / "daemon.log"
        return path.read_text() if path.exists() else ""

    def attempt_dir(self, run, stage="train", attempt=1):
        return self.home / "runs" / run["id"] / stage / str(attempt)
