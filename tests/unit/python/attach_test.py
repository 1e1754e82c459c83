"""Zero-code attachment: when the hooks get into a Python process, and what they leave alone."""

import subprocess
import sys
import unittest

from stage import PLAIN, SITE, StageTest


class Attach(StageTest):
    def test_a_plain_script_is_recorded(self):
        printed, _ = self.run_script(PLAIN)
        rank = self.only_rank()
        self.assert_losses(rank, printed)
        self.assertEqual(rank.curve("scalar", "lr"), dict.fromkeys(range(5), 0.1))
        self.assertEqual([(step.number, step.mode, step.ended) for step in rank.steps],
                         [(number, 0, True) for number in range(5)])
        self.assertEqual({step.number for step in rank.steps if "weight" in step.kinds()}, {0, 2, 4})
        self.assertEqual(rank.world_size, 1)
        self.assertRegex(rank.producer, r"^python torch \d")

    def test_a_script_that_never_trains_leaves_nothing(self):
        self.run_script("""
            import torch
            model = torch.nn.Linear(2, 2)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            optimizer.step()                                        # without a gradient
            torch.autograd.grad(model(torch.ones(2)).sum(), list(model.parameters()))
        """)
        self.assert_no_trace()

    def test_without_a_request_nothing_is_touched(self):
        script = """
            import sys
            finders = len(sys.meta_path)
            import torch
            assert not [name for name in sys.modules if name.split(".")[0] == "pawl"]
            assert not [finder for finder in sys.meta_path if type(finder).__name__ == "_TorchFinder"]
            assert torch.autograd.backward.__module__ == "torch.autograd"
            model = torch.nn.Linear(2, 2)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            model(torch.ones(2)).sum().backward()
            optimizer.step()
        """
        self.run_script(script, environment=self.environment(capture="off"))
        self.run_script(script, environment=self.environment(PAWL_TRACE_DIR=None))
        self.assert_no_trace()

    def test_torch_is_not_imported_for_the_user(self):
        out, _ = self.run_script("""
            import sys
            print("torch" in sys.modules, "pawl" in sys.modules, "ctypes" in sys.modules)
        """)
        self.assertEqual(out, ["False False False"])

    def test_the_import_system_is_as_before_once_torch_is_there(self):
        out, _ = self.run_script("""
            import sys, importlib.machinery
            import torch
            print(type(torch.__loader__) is importlib.machinery.SourceFileLoader, vars(torch.__loader__).keys()
                  - {"name", "path"}, [f for f in sys.meta_path if type(f).__name__ == "_TorchFinder"])
        """)
        self.assertEqual(out, ["True set() []"])

    def test_isolated_python_trains_without_capture(self):
        printed, _ = self.run_script(PLAIN, flags=["-I"])
        self.assertEqual(len(printed), 5)
        self.assert_no_trace()

    def test_a_shadowed_package_costs_the_capture_only(self):
        self.script("", "pawl/__init__.py")  # beside the script, so it is found first
        printed, err = self.run_script(PLAIN, quiet=False)
        self.assertEqual(len(printed), 5)
        self.assertRegex(err, r"\Apawl: training goes on without capture: .*\n\Z")
        self.assert_no_trace()


class UsersSitecustomize(StageTest):
    def setUp(self):
        super().setUp()
        self.users = self.folder / "users"

    def test_it_runs_under_its_name_and_training_is_recorded(self):
        self.script("import sys\nsys.users_own = __name__, __file__\n", "users/sitecustomize.py")
        source = PLAIN + "\nimport sitecustomize\nprint(sys.users_own, sitecustomize.__file__)\n"
        out, _ = self.run_script(source, environment=self.environment(python_path=[self.users]))
        path = str(self.users / "sitecustomize.py")
        self.assertEqual(out.pop(), "%r %s" % (("sitecustomize", path), path))
        self.assert_losses(self.only_rank(), out)

    def test_it_runs_when_nothing_is_captured(self):
        self.script("import sys\nsys.users_own = 1\n", "users/sitecustomize.py")
        out, _ = self.run_script("import sys; print(sys.users_own)",
                                 environment=self.environment(capture="off", python_path=[self.users]))
        self.assertEqual(out, ["1"])

    def test_it_may_import_torch(self):
        self.script("import torch\n", "users/sitecustomize.py")
        out, _ = self.run_script(PLAIN, environment=self.environment(python_path=[self.users]))
        self.assert_losses(self.only_rank(), out)

    def test_what_it_raises_is_reported_as_without_pawl(self):
        for source in ("raise ValueError('users own')", "import no_such_module", "raise SystemExit(3)"):
            self.script(source, "users/sitecustomize.py")
            with_pawl = self.environment(python_path=[self.users])
            without = dict(with_pawl, PYTHONPATH=str(self.users))
            ends = [subprocess.run([sys.executable, "-c", "print(1)"], env=environment, capture_output=True, text=True)
                    for environment in (with_pawl, without)]
            self.assertEqual(*[(end.returncode, end.stdout, _last_line(end.stderr)) for end in ends])

    def test_listed_twice_it_is_still_not_its_own_successor(self):
        (self.folder / "link").symlink_to(SITE)
        out, _ = self.run_script("print(1)", environment=self.environment(python_path=[self.folder / "link", SITE]))
        self.assertEqual(out, ["1"])


class VirtualEnvironment(StageTest):
    def test_python_of_a_venv_is_recorded(self):
        venv = self.folder / "venv"
        subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", "--without-pip", str(venv)], check=True,
                       env=self.environment(PYTHONPATH=""))
        out, _ = self.run_script(PLAIN + "\nprint(sys.prefix)", python=venv / "bin/python")
        self.assertEqual(out.pop(), str(venv))
        self.assert_losses(self.only_rank(), out)


def _last_line(text):
    return text.splitlines()[-1:]


if __name__ == "__main__":
    unittest.main()
