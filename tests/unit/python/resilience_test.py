"""Training ends as it would have without capture, whatever happens to the capture."""

import signal
import unittest

from stage import EVERYTHING, PLAIN, PRELUDE, StageTest, request

ALL = request()


class WithoutCapture(StageTest):
    def setUp(self):
        super().setUp()
        self.expected, _ = self.run_script(PLAIN, environment=self.environment(capture="off"))

    def assert_trains_with_one_warning(self, pattern, source=PLAIN, **changes):
        printed, err = self.run_script(source, quiet=False, environment=self.environment(**changes))
        self.assertEqual(printed, self.expected)
        self.assertRegex(err, r"\Apawl: training goes on without capture: [^\n]*" + pattern + r"[^\n]*\n\Z")

    def test_library_that_is_missing(self):
        self.assert_trains_with_one_warning("no/such/library", PAWL_CAPTURE_LIB="/no/such/library.so")
        self.assert_no_trace()

    def test_library_that_is_none(self):
        text = self.script("text", "library.so")
        self.assert_trains_with_one_warning("invalid ELF header|file too short", PAWL_CAPTURE_LIB=str(text))
        self.assert_trains_with_one_warning("pawl_capture_open", PAWL_CAPTURE_LIB="libc.so.6")
        self.assert_trains_with_one_warning("PAWL_CAPTURE_LIB is not set", PAWL_CAPTURE_LIB=None)
        self.assert_trains_with_one_warning("pawl_capture_open", PAWL_CAPTURE_LIB="libc.so.6", capture=ALL)

    def test_trace_directory_that_is_a_file(self):
        blocked = self.folder / "blocked"
        blocked.touch()
        self.assert_trains_with_one_warning("before optimiser step", PAWL_TRACE_DIR=str(blocked))

    def test_request_that_cannot_be_understood(self):
        self.assert_trains_with_one_warning("ValueError", capture="losses every=often")
        self.assert_trains_with_one_warning("unterminated subpattern", capture="losses every=1 include=(")

    def test_failure_inside_the_hooks(self):
        source = PRELUDE + """
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
train(model, optimizer, 2)
optimizer.param_groups[0]["lr"] = type("Rate", (float,), {"__float__": lambda self: 1 / 0})(0.1)
train(model, optimizer, 3, 2)
"""
        self.assert_trains_with_one_warning(r"after optimiser step: ZeroDivisionError.*\(script.py:\d+\)", source,
                                            capture=ALL)
        rank = self.only_rank()
        self.assert_losses(rank, self.expected[:2])
        self.assertEqual(rank.steps[-1].values["scalar", "pawl.capture_failed"], 1.0)

    def test_failure_in_a_module_hook(self):
        source = PRELUDE + """
class Strange(torch.Tensor):
    @property
    def layout(self):
        raise RuntimeError("strange")
class Outer(Net):
    def __init__(self):
        super().__init__()
        self.last = nn.Identity()
    def forward(self, x):
        self.last(torch.ones(1).as_subclass(Strange))
        return super().forward(x)
model = Outer()
train(model, torch.optim.SGD(model.parameters(), lr=0.1), 5)
from torch.nn.modules import module
assert not module._global_forward_hooks and not module._global_forward_pre_hooks
"""
        self.assert_trains_with_one_warning("input of last: RuntimeError: strange", source, capture=ALL)
        self.assert_no_trace()

    def test_results_are_bit_for_bit_those_without_capture(self):
        source = PRELUDE + """
class Careful(Net):
    def forward(self, x):
        return super().forward(nn.functional.dropout(x, 0.25, self.training))
model = Careful()
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
criterion = nn.CrossEntropyLoss()
for step in range(8):
    for micro in range(2):
        x, y = batch(2 * step + micro)
        loss = criterion(model(x), y)
        loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 0.5)
    optimizer.step()
    optimizer.zero_grad()
    model.eval()
    with torch.no_grad():
        print(repr(loss.item()), repr(criterion(model(x), y).item()))
    model.train()
print(torch.get_rng_state().sum().item(), *[repr(parameter.sum().item()) for parameter in model.parameters()])
"""
        without, _ = self.run_script(source, environment=self.environment(capture="off"))
        both = "\n".join(line + " modes=train,eval" for line in ALL.splitlines())
        for capture in (ALL, request(EVERYTHING, 3), both):
            printed, _ = self.run_script(source, environment=self.environment(capture))
            self.assertEqual(printed, without)


class UsersErrors(StageTest):
    def test_exceptions_of_the_script_pass_and_training_may_go_on(self):
        printed, _ = self.run_script(PRELUDE + """
class Moody(torch.optim.SGD):
    fail = False
    def step(self):
        if self.fail:
            raise KeyError("moody")
        super().step()
model = Net()
optimizer = Moody(model.parameters(), lr=0.1)
train(model, optimizer, 2)
optimizer.fail = True
loss = loss_of(model, 9)
try:
    loss.backward()
    loss.backward()                                     # the graph is gone
except RuntimeError:
    pass
try:
    optimizer.step()
except KeyError as error:
    assert error.args == ("moody",)
optimizer.fail = False
optimizer.step()
print(repr(loss.item()))
""", environment=self.environment())
        self.assert_losses(self.only_rank(), printed)

    def test_sigterm_ends_a_rank_as_ever_and_finished_steps_are_there(self):
        process = self.start(PRELUDE + """
model = Net()
train(model, torch.optim.SGD(model.parameters(), lr=0.1), 3)
sys.stdin.readline()
""")
        printed = [process.stdout.readline() for _ in range(3)]
        path = self.trace_dir / "rank-00000"
        # The writer is a thread of that process: what a finished step left reaches the file without its help.
        while sum(step.ended for rank in self._readable().values() for step in rank.steps) < 3:
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=300), -signal.SIGTERM)
        self.assertTrue(path.is_dir())
        rank = self.trace()[0]
        self.assert_losses(rank, printed)
        self.assertFalse(rank.closed)

    def _readable(self):
        try:
            return self.trace()
        except ValueError:  # a frame is being written
            return {}


if __name__ == "__main__":
    unittest.main()
