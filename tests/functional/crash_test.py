"""Kill -9 at the bad moments: nothing lost, nothing run twice, no process left."""

import os
import pathlib
import signal
import subprocess
import unittest

from harness import PAWL, PIPELINE, PawlTest, is_alive, wait_until

WAITING = PIPELINE.replace("run: python3 train.py",
                           "run: echo started >> $PAWL_CHECKPOINT_DIR/starts;"
                           " while [ ! -e ../../../go ]; do sleep 0.05; done; python3 train.py")


# A real training that goes on until the file `go` appears, with hooks and rules on.
TRAINING = """
import os, pathlib, time
import torch
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
while not os.path.exists("../../../go"):
    x = torch.randn(32, 8)
    loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    time.sleep(0.05)  # the length of a step, not a wait for anything
exec(open("train.py").read())
"""


class Crash(PawlTest):
    def start_waiting_run(self):
        self.serve_repository(WAITING)
        self.push()
        run = self.wait_run(1, "running")
        starts = self.home / "runs" / run["id"] / "train" / "checkpoints" / "starts"
        wait_until(starts.exists, "the stage to start")
        return run, starts

    def supervisor_pid(self, run):
        found = self.processes_of(f"supervise\0{self.attempt_dir(run)}")
        self.assertEqual(len(found), 1)
        return found[0]

    def test_daemon_killed_while_training(self):
        run, starts = self.start_waiting_run()
        supervisor = self.supervisor_pid(run)
        self.kill_daemon()
        self.assertTrue(is_alive(supervisor), "the supervisor outlives the daemon")
        self.start_daemon()
        wait_until(lambda: "attached" in self.daemon_log(), "the daemon to attach")
        (self.home / "go").touch()
        run = self.wait_run(1)
        self.assertEqual(run["verdict"], "PASS")
        self.assertEqual([a["attempt"] for a in run["attempts"]], [1])
        self.assertEqual(starts.read_text(), "started\n")

    def test_who_follows_a_run_follows_it_through_a_restart(self):
        self.start_waiting_run()
        follower = subprocess.Popen([PAWL, "--home", str(self.home), "status", "--follow", "1"], env=self.env,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(follower.kill)

        def connected():
            try:
                return any("socket:" in os.readlink(fd) for fd in pathlib.Path(f"/proc/{follower.pid}/fd").iterdir())
            except FileNotFoundError:  # a file was closed meanwhile
                return False
        wait_until(connected, "the connection to the daemon")
        self.kill_daemon()
        said = follower.stderr.readline()
        while said and "the daemon has gone" not in said:
            said = follower.stderr.readline()
        self.assertIn("waiting 60 s for the next one", said)
        self.start_daemon()  # on another port
        (self.home / "go").touch()
        out, err = follower.communicate(timeout=60)
        self.assertEqual(follower.returncode, 0, err)
        self.assertIn("PASS", out)
        self.assertNotIn("has gone", err, "said once")

    @unittest.skipIf("PAWL_SANITIZED" in os.environ, "Python cannot load a sanitized capture library")
    def test_daemon_killed_in_the_middle_of_a_real_training(self):
        pipeline = PIPELINE.replace("run: python3 train.py", "run: /usr/bin/python3 real.py").replace("    debug: off\n", "")
        self.serve_repository(pipeline, {"real.py": TRAINING})
        self.push()
        self.wait_run(1, "running")

        def step():
            live = self.pawl_json("status", "1").get("live") or [{}]
            return live[0].get("step") or 0
        before = wait_until(lambda: step() >= 5 and step(), "the fifth step")
        self.kill_daemon()
        self.start_daemon()
        wait_until(lambda: step() > before + 5, "steps after the restart")
        (self.home / "go").touch()
        run = self.wait_run(1)
        self.assertEqual((run["verdict"], run["findings"]), ("PASS", []))
        self.assertEqual([(a["attempt"], a["outcome"]) for a in run["attempts"]], [(1, "succeeded")])
        self.assertGreater(run["attempts"][0]["steps"], before + 5)
        self.assertIn("loss", self.pawl("trace", "1").stdout)

    def test_stage_ends_while_no_daemon_runs(self):
        run, starts = self.start_waiting_run()
        supervisor = self.supervisor_pid(run)
        self.kill_daemon()
        (self.home / "go").touch()
        wait_until(lambda: not is_alive(supervisor), "the supervisor to end")
        self.start_daemon()
        run = self.wait_run(1)
        self.assertEqual(run["verdict"], "PASS")
        self.assertEqual(starts.read_text(), "started\n")

    def test_supervisor_killed(self):
        run, starts = self.start_waiting_run()
        cookie = f"PAWL_RUN_ID={run['id']}"
        ranks = self.processes_of(cookie)
        self.assertTrue(ranks)
        os.kill(self.supervisor_pid(run), signal.SIGKILL)
        wait_until(lambda: starts.read_text() == "started\n" * 2, "the stage to start again")
        self.assertFalse([pid for pid in ranks if is_alive(pid)], "ranks of the first start are gone before the second")
        (self.home / "go").touch()
        run = self.wait_run(1)
        self.assertEqual(run["verdict"], "PASS")
        self.assertEqual([a["attempt"] for a in run["attempts"]], [1])

    def test_both_killed(self):
        run, starts = self.start_waiting_run()
        ranks = self.processes_of(f"PAWL_RUN_ID={run['id']}")
        supervisor = self.supervisor_pid(run)
        self.kill_daemon()
        os.kill(supervisor, signal.SIGKILL)
        wait_until(lambda: not is_alive(supervisor), "the supervisor to be gone")
        self.start_daemon()
        wait_until(lambda: starts.read_text() == "started\n" * 2, "the stage to start again")
        self.assertFalse([pid for pid in ranks if is_alive(pid)])
        (self.home / "go").touch()
        self.assertEqual(self.wait_run(1)["verdict"], "PASS")

    def test_stop_and_start_while_queued(self):
        run, _ = self.start_waiting_run()
        self.stop_daemon()
        sha = self.push("while the daemon is down")  # the hook cannot reach anybody
        self.start_daemon()
        (self.home / "go").touch()
        self.assertEqual(self.wait_run(1)["verdict"], "PASS")
        self.assertEqual(self.wait_run(2)["commit"], sha)

    def test_second_engine_is_refused(self):
        self.serve_repository()
        done = self.pawl("serve", code=2)
        self.assertIn("another pawl works in", done.stderr)


if __name__ == "__main__":
    unittest.main()
