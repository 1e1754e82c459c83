"""What runs between two training steps without being trained on.

A model is evaluated while its outermost module is in eval mode or called without gradients, or while a Hook says so. All
that is evaluated between two training steps is one evaluation; it is recorded under the number of the step that it follows.
"""

import functools
import threading

import torch

from . import _library
from ._activations import KINDS, ModuleHooks
from ._model_calls import is_compiling
from ._numbers import Mean
from ._tensors import as_number


class Evaluation:
    """The evaluation under way, if any."""

    def __init__(self, compute_stats, on_error):
        self.hooks = ModuleHooks(compute_stats, on_error, lambda: True)
        self._losses = Mean()
        self._scalars, self._tensors = {}, {}
        self.is_under_way = False

    def add_loss(self, loss):
        self.is_under_way = True
        self._losses.add(as_number(loss))

    def put_scalar(self, name, value):
        """The last value counts."""
        self.is_under_way = True
        self._scalars[name] = value

    def tensors(self):
        """Those given by hand: (kind, name) -> (Stats, type code, shape)."""
        self.is_under_way = True
        return self._tensors

    def write(self, record):
        """Ends it. Nothing is written when nothing was evaluated."""
        self.is_under_way = False
        self.hooks.disarm()
        outputs, losses, self._losses = self.hooks.take(), self._losses, Mean()
        scalars, tensors, self._scalars, self._tensors = self._scalars, self._tensors, {}, {}
        if not outputs and not losses and not scalars and not tensors:
            return
        with record.evaluation():
            if losses:
                record.scalar(_library.LOSS, "loss", float(losses))
            for collection, name, (stats, code, shape) in outputs:
                record.stats(name, KINDS[collection], code, shape, stats)
            for name, value in scalars.items():
                record.scalar(_library.SCALAR, name, float(value))
            for (kind, name), (stats, code, shape) in tensors.items():
                record.stats(name, kind, code, shape, stats)

    def forget(self):
        self.is_under_way = False
        self.hooks.disarm()
        self.hooks.take()
        self._losses, self._scalars, self._tensors = Mean(), {}, {}


def watch_losses(recorder):
    """What modules of losses put out is the loss of an evaluation; backward() is not called on it."""
    cls = torch.nn.modules.loss._Loss
    original = cls.__call__
    nesting = threading.local()

    @functools.wraps(original)
    def call(self, *args, **kwargs):
        if is_compiling() or not recorder.wants_evaluated_losses or getattr(nesting, "active", False):
            return original(self, *args, **kwargs)
        nesting.active = True  # a loss may be made of others
        try:
            output = original(self, *args, **kwargs)
        finally:
            nesting.active = False
        if not torch.is_grad_enabled() or recorder.in_eval_mode():
            recorder.loss_evaluated(output)
        return output

    cls.__call__ = call
