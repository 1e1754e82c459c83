"""Pawl inside a stage: what the model is worth, where things lie. Specified in docs/contract.md.

    import pawl

    images = load(pawl.data("fashion-mnist"))             # PAWL_DATA_FASHION_MNIST
    torch.save(state, pawl.checkpoint_dir() / "last.pt")  # survives a retry of the stage
    pawl.resume(1200)                                     # steps that the loaded checkpoint has seen already
    pawl.log_scalar("val_accuracy", 0.87)                 # into the trace, at the step in progress
    pawl.metrics({"accuracy": 0.87})                      # metrics.json, for the gate
    pawl.predictions(ids, labels, predicted)              # predictions.csv, for paired tests

Tensors and losses are recorded without any call: the stage's Python attaches itself to torch. This module imports
neither torch nor numpy, and works outside a stage too: files then go to ./pawl-out, scalars nowhere.

What was recorded is read with pawl.open(), while the run trains or later (docs/reading-traces.md):

    with pawl.open("last") as trace:
        trace.tensor("loss").value(100)
        trace.tensor("fc1.weight", "gradient").stats()["rms"]
"""

import numbers
import os
import pathlib
import re

from ._errors import AmbiguousTensor, NoSuchRun, NoSuchTensor, NotRecorded, NoTrace, TraceError, TrainingEnded
from ._output import Output, output_dir

# Not open(): `from pawl import *` shall not hide that of Python.
__all__ = ["AmbiguousTensor", "NoSuchRun", "NoSuchTensor", "NoTrace", "NotRecorded", "Output", "TraceError",
           "TrainingEnded", "checkpoint_dir", "data", "log_scalar", "metrics", "output_dir", "predictions", "resume"]

_active = None  # the Recorder of this process, set when torch has been imported in a stage that captures


def __getattr__(name):
    if name == "Hook":  # needs torch
        from ._hook import Hook

        return Hook
    raise AttributeError("module 'pawl' has no attribute %r" % name)


def metrics(values):
    """Output().metrics(values)"""
    Output().metrics(values)


def predictions(ids, labels, predicted, scores=None, slices=None, npy=False):
    """Output().predictions(...)"""
    Output().predictions(ids, labels, predicted, scores, slices, npy)


def log_scalar(name, value):
    """Records a number (or a tensor of one element) under `name` in the step in progress; the last one counts."""
    if not isinstance(name, str) or not 0 < len(name.encode()) <= 4096:
        raise ValueError("the name of a scalar is a string of 1 to 4096 bytes, not %r" % (name,))
    is_number = isinstance(value, numbers.Real)
    if not is_number and getattr(value, "numel", lambda: 0)() != 1:
        raise TypeError("scalar %r must be a number or a tensor of one element, not %s" % (name, type(value).__name__))
    if _active is not None:
        _active.log_scalar(name, float(value) if is_number else value)


def resume(step):
    """Counts the steps of this process from `step` instead of 0. To be called before the first optimiser step."""
    if isinstance(step, bool) or not isinstance(step, int) or step < 0:
        raise ValueError("a number of optimiser steps is needed, not %r" % (step,))
    if _active is not None:
        _active.resume(step)


def checkpoint_dir():
    """The folder that the attempts of this stage share within a run. Created if it is missing."""
    path = pathlib.Path(os.environ.get("PAWL_CHECKPOINT_DIR") or output_dir() / "checkpoints")
    path.mkdir(parents=True, exist_ok=True)
    return path


def data(name):
    """Where the dataset `name` of .pawl.yml lies."""
    variable = "PAWL_DATA_" + re.sub("[^A-Z0-9]", "_", name.upper())
    if variable not in os.environ:
        raise LookupError("%s is not set: declare %r under `data` in .pawl.yml, or set it by hand" % (variable, name))
    return pathlib.Path(os.environ[variable])


def open(run="last", home=None, stage=None):
    """The trace of a run: its number, id, commit or `last` in the record of `home` (default: as the command line finds
    it), or the path of an attempt's folder or of a trace.db.

    Of a run it is that of the last attempt, of `stage` if that is given, which recorded anything. Close it, or use it
    in a `with`. NoSuchRun or NoTrace when there is nothing to read.
    """
    from ._attempt import find_attempt
    from ._trace import Trace

    return Trace(find_attempt(run, home, stage))
