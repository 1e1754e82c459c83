"""The main job, end to end: five pushes and data changes through a real daemon, ended by a table of the runs.

Called by scripts/demo with the folder of a built tree. Needs nothing but the standard library.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "fashion-mnist"
PATCHES = ROOT / "scripts" / "demo.d"
PROJECT = "fashion-mnist"


class DemoError(Exception):
    """The demo cannot go on; the text says why."""


class Demo:
    def __init__(self, build, work, say):
        self.pawl_binary = build / "bin" / "pawl"
        self.work = work
        self.home = work / "home"
        self.bare = work / "fashion-mnist.git"
        self.clone = work / "clone"
        self.data = work / "data"
        self.say = say
        self.daemon = None
        self.env = {
            **os.environ,
            "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com",
            "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.com",
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
        }
        for name in [name for name in self.env if name.startswith("PAWL_")]:
            del self.env[name]

    # --- tools ------------------------------------------------------------------------------------------------------

    def command(self, *argv, cwd=None):
        done = subprocess.run([str(a) for a in argv], cwd=cwd, env=self.env, capture_output=True, text=True)
        if done.returncode != 0:
            raise DemoError(f"{' '.join(str(a) for a in argv)} failed ({done.returncode}): {done.stderr.strip()}")
        return done.stdout

    def git(self, *argv):
        return self.command("git", *argv, cwd=self.clone)

    def pawl(self, *argv):
        return self.command(self.pawl_binary, "--home", self.home, *argv)

    def pawl_json(self, *argv):
        return json.loads(self.pawl("--json", *argv))

    # --- what a team sets up once ------------------------------------------------------------------------------------

    def set_up(self):
        self.command(sys.executable, EXAMPLE / "tools" / "split_idx.py", self.data)
        self.command("git", "init", "--quiet", "--bare", "--initial-branch=main", self.bare)
        self.start_daemon()
        self.pawl("project", "add", self.bare, "--name", PROJECT, "--install-hook",
                  "--data", f"fashion-mnist={self.data}")
        self.clone.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "origin", self.bare)
        shutil.copytree(EXAMPLE, self.clone, dirs_exist_ok=True)
        self.git("add", "-A")

    def start_daemon(self):
        self.home.mkdir(parents=True)
        # New data waits 30 s for an upload that may only pause; nobody uploads here.
        (self.home / "config.yml").write_text("data_quiet: 1s\n")
        log = open(self.work / "daemon.log", "wb")
        self.daemon = subprocess.Popen(
            [str(self.pawl_binary), "--home", str(self.home), "--json", "serve", "--listen", "127.0.0.1:0"],
            env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        line = self.daemon.stdout.readline()  # the daemon says where it listens as soon as it does
        if not line:
            raise DemoError("the daemon did not start:\n" + (self.work / "daemon.log").read_text())

    def stop(self):
        if self.daemon is None:
            return
        self.daemon.send_signal(signal.SIGTERM)
        try:
            self.daemon.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()

    # --- the five runs -----------------------------------------------------------------------------------------------

    def push(self, subject):
        self.git("commit", "--quiet", "--message", subject)
        self.git("push", "--quiet", "origin", "main")

    def apply(self, patch):
        subject = patch.read_text().splitlines()[0]
        self.git("apply", "--index", patch)
        self.push(subject)

    def revert_both(self):
        self.git("revert", "--no-edit", "HEAD")
        self.git("revert", "--no-edit", "HEAD~2")
        self.git("push", "--quiet", "origin", "main")

    def add_data(self):
        self.command(sys.executable, EXAMPLE / "tools" / "split_idx.py", "--part", "2", self.data)

    def wait_for_run(self, number, started):
        """Follows run `number` to its end, showing its progress; returns what the record says of it."""
        while time.monotonic() - started < 60:
            if any(run["number"] == number for run in self.pawl_json("runs")["runs"]):
                break
            if self.daemon.poll() is not None:
                raise DemoError("the daemon ended:\n" + (self.work / "daemon.log").read_text())
            time.sleep(0.05)
        else:
            raise DemoError(f"run {number} was not started within a minute")
        subprocess.run([str(self.pawl_binary), "--home", str(self.home), "status", "--follow", str(number)],
                       env=self.env, stdout=subprocess.DEVNULL, stderr=sys.stderr)
        return self.pawl_json("show", str(number))

    def say_how_fast(self, run, finding):
        """From the offending step reaching the trace to the last process gone."""
        attempt = self.home / "runs" / run["id"] / finding["stage"] / str(finding["attempt"])
        ended = json.loads((attempt / "result.json").read_text())["ended_unix_ms"] / 1000
        with sqlite3.connect(f"file:{attempt / 'trace.db'}?mode=ro", uri=True) as trace:
            query = "SELECT max(wall_s) FROM steps WHERE step = ?"
            complete = trace.execute(query, (finding["first_step"],)).fetchone()[0]
        self.say(f"   all ranks were gone {ended - complete:.2f} s after step {finding['first_step']} was in the trace")

    def run(self):
        self.set_up()
        steps = [
            ("a good commit", lambda: self.push("first version")),
            ("a worse model", lambda: self.apply(next(PATCHES.glob("2-*.patch")))),
            ("a training that blows up", lambda: self.apply(next(PATCHES.glob("3-*.patch")))),
            ("one push that reverts both", self.revert_both),
            ("new training data, no commit", self.add_data),
        ]
        runs = []
        for number, (title, act) in enumerate(steps, 1):
            self.say(f"\n{number}. {title}")
            started = time.monotonic()
            act()
            run = self.wait_for_run(number, started)
            run["seconds"] = time.monotonic() - started
            runs.append(run)
            self.say(f"   {run['verdict']}: {run['headline']}")
            for finding in run["findings"]:
                if finding["action"] == "stop":
                    self.say_how_fast(run, finding)
        return runs


def expect(runs):
    """What the five runs must be; the list of what is not so."""
    wrong = []

    def check(condition, text):
        if not condition:
            wrong.append(text)

    verdicts = [run["verdict"] for run in runs]
    check(verdicts == ["PASS", "FAIL", "FAIL", "PASS", "PASS"], f"the verdicts are {verdicts}")
    check([run["trigger"] for run in runs] == ["push"] * 4 + ["data"], "the triggers differ")
    accuracy = {m["name"]: m["value"] for m in runs[0]["metrics"]}.get("accuracy", 0)
    check(accuracy >= 0.85, f"run 1 has an accuracy of {accuracy}")
    for number in (1, 4, 5):
        check(not runs[number - 1]["findings"], f"green run {number} has findings")
    check(runs[1]["baseline"] == runs[0]["id"], "run 2 was not compared with run 1")
    check(any(f["action"] == "stop" for f in runs[2]["findings"]), "no rule stopped run 3")
    check(runs[3]["baseline"] == runs[0]["id"], "run 4 was not compared with run 1")
    check(runs[4]["baseline"] == runs[3]["id"], "run 5 was not compared with run 4")
    check(runs[4]["commit"] == runs[3]["commit"], "run 5 is of another commit than run 4")
    check(runs[4]["data"][0]["digest"] != runs[3]["data"][0]["digest"], "the data digest did not change")
    return wrong


def row(run):
    return {
        "commit": run["commit"],
        "trigger": run["trigger"],
        "data_digest": run["data"][0]["digest"] if run["data"] else None,
        "verdict": run["verdict"],
        "reason": run["headline"],
        "seconds": round(run["seconds"], 1),
    }


def table(rows):
    lines = [("", "commit", "trigger", "data", "verdict", "seconds", "reason")]
    for number, r in enumerate(rows, 1):
        lines.append((str(number), r["commit"][:8], r["trigger"], (r["data_digest"] or "")[7:15], r["verdict"],
                      f"{r['seconds']:.1f}", r["reason"]))
    widths = [max(len(line[i]) for line in lines) for i in range(6)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)) + "  " + line[6]
                     for line in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--work", type=pathlib.Path, help="folder for what it leaves (default: nothing is left)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    say = lambda text: print(text, file=sys.stderr if options.json else sys.stdout, flush=True)

    temporary = None if options.work else tempfile.mkdtemp(prefix="pawl-demo-")
    demo = Demo(options.build.resolve(), options.work or pathlib.Path(temporary), say)
    try:
        runs = demo.run()
    except DemoError as error:
        sys.exit(f"demo: {error}")
    finally:
        demo.stop()
        if temporary:
            shutil.rmtree(temporary)
    rows = [row(run) for run in runs]
    wrong = expect(runs)
    say("\n" + table(rows))
    say(f"\n{sum(r['seconds'] for r in rows):.0f} s for the five runs.")
    if options.work:
        say(f"Look at them with:\n  export PAWL_HOME={demo.home}\n  {demo.pawl_binary} runs\n  {demo.pawl_binary} show 3")
    if options.json:
        print(json.dumps({"runs": rows}))
    if wrong:
        sys.exit("demo: not as it should be: " + "; ".join(wrong))


if __name__ == "__main__":
    main()
