"""pawl.Hook: recording by hand, where no stage attaches the hooks: in a notebook, at a prompt."""

import itertools
import os
import pathlib

import pawl

from . import _names, _patches
from ._environment import DEFAULT
from ._recorder import KINDS

_PREFIX = pathlib.Path(__file__).resolve().parents[4]  # share/pawl/python/pawl/_hook.py lies below it


class Hook:
    """Records the training of `model` as a stage would, from now on until close(); use it in a `with`, or close it.

    `trace_dir` is the folder that gets the trace, by default ./pawl-out/trace-<n>; `capture` is what to record, lines
    as in PAWL_CAPTURE. In a stage both are decided already: there a Hook adds to what is recorded anyway, and close()
    ends nothing. A process records into one trace at a time: another Hook ends the one before.
    """

    def __init__(self, model=None, trace_dir=None, capture=DEFAULT):
        global _mine
        recorder = pawl._active
        self._ends = recorder is None or recorder is _mine
        if not self._ends:
            self.trace_dir, self._recorder = pathlib.Path(os.environ["PAWL_TRACE_DIR"]).parent, recorder
            return
        self.trace_dir = pathlib.Path(trace_dir) if trace_dir is not None else _free_folder()
        (self.trace_dir / "trace").mkdir(parents=True, exist_ok=True)
        environment = dict(os.environ, PAWL_TRACE_DIR=str(self.trace_dir / "trace"))
        environment.setdefault("PAWL_CAPTURE_LIB", str(_PREFIX / "lib/libpawl_capture.so"))
        if recorder is None:
            recorder = _mine = _patches.attach(capture, environment)
        else:
            recorder.close()
            recorder.__init__(capture, environment)  # the functions that are wrapped know this object
        self._recorder = recorder
        if model is not None:
            _names.remember(model)
        try:
            recorder.open_by_hand(model)
        except BaseException:
            recorder.close()
            raise

    def scalar(self, name, value):
        """pawl.log_scalar()"""
        pawl.log_scalar(name, value)

    def tensor(self, name, tensor, collection="activations"):
        """Statistics of a tensor under a name of its own in the step in progress, where `collection` is recorded in that
        step. Several of one name and step are one set of statistics."""
        if collection not in KINDS:
            raise ValueError("a tensor belongs to one of %s, not to %r" % (", ".join(sorted(KINDS)), collection))
        self._recorder.log_tensor(name, tensor, collection)

    def mode(self, mode):
        """`eval`: what runs from now on is an evaluation, whatever the modules say. `train`, or the end of a step, ends
        it. It is recorded under the number of the step that it follows; one before the first step is not."""
        if mode not in ("train", "eval"):
            raise ValueError("a mode is 'train' or 'eval', not %r" % (mode,))
        self._recorder.evaluates(mode == "eval")

    def step(self):
        """Ends the step, where no optimiser of torch does."""
        self._recorder.step_by_hand()

    def close(self):
        if self._ends:
            self._recorder.close()

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()


_mine = None  # the recorder that Hooks of this process share


def _free_folder():
    folders = (pawl.output_dir() / ("trace-%d" % n) for n in itertools.count(1))
    return next(folder for folder in folders if not folder.exists())
