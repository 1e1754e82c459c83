"""Where Pawl enters torch: a few functions of its Python layer, wrapped once, right after `import torch`.

torch.autograd.backward (Tensor.backward goes through it), Optimizer.__init__ / __setstate__ and the `step` of every
optimiser class, GradScaler.scale / step, Module.__init__ / __setstate__ (names), torch.nn.utils.clip_grad_*, the calls
of losses, and torch.compile. But for the last they exist since torch 1.6 and in 2.x. Wrapping happens on classes, the way torch itself wraps `step` for its profiler, so optimisers of the
user's own and learning-rate schedulers, which replace `step` on the instance, work as before.
"""

import functools
import os
import threading
import types

import torch

import pawl

from . import _names
from ._evaluation import watch_losses
from ._model_calls import is_compiling
from ._recorder import Recorder


def install():
    """Once per process; does nothing if the stage asks for no capture."""
    request = os.environ.get("PAWL_CAPTURE", "").strip()
    if pawl._active is not None or not os.environ.get("PAWL_TRACE_DIR") or request == "off":
        return
    attach(request, dict(os.environ))


def attach(request, environment):
    """Wraps torch and returns the Recorder that is told. Once per process."""
    recorder = Recorder(request, environment)
    pawl._active = recorder
    _names.watch(torch.nn.Module)
    _patch_backward(recorder)
    _patch_optimizers(recorder)
    _patch_grad_scaler(recorder)
    _patch_clipping(recorder)
    _patch_compile(recorder)
    watch_losses(recorder)
    return recorder


def _patch_backward(recorder):
    original = torch.autograd.backward

    @functools.wraps(original)
    def backward(tensors, grad_tensors=None, *args, **kwargs):
        begin = recorder.spans.backward_begins() if recorder.spans.wanted else None
        try:
            original(tensors, grad_tensors, *args, **kwargs)
        finally:
            if begin is not None:
                recorder.spans.backward_ends(begin)
        # With a gradient given, the tensor is an inner node: checkpointing and pipelines call us like that.
        if recorder.wants_losses and grad_tensors is None and kwargs.get("grad_variables") is None:
            recorder.backward_done((tensors,) if isinstance(tensors, torch.Tensor) else tuple(tensors))

    torch.autograd.backward = backward


def _patch_optimizers(recorder):
    optimizer = torch.optim.Optimizer
    nesting = threading.local()

    def wrap_step(step):
        @functools.wraps(step)
        def pawl_step(self, *args, **kwargs):
            # An optimiser may step others inside its own step: the outermost one is the step.
            if recorder.off or is_compiling() or getattr(nesting, "active", False):
                return step(self, *args, **kwargs)
            nesting.active = True
            recorder.last_stepped = id(self)
            if recorder.idle_optimizer == id(self):
                try:
                    result = step(self, *args, **kwargs)
                finally:
                    nesting.active = False
                recorder.skip_step()
                return result
            update = recorder.update_begins(self, callable(kwargs.get("closure", args[0] if args else None)))
            try:
                result = step(self, *args, **kwargs)
            except BaseException:
                recorder.update_failed(update)
                raise
            finally:
                nesting.active = False
            if update is not None:
                recorder.update_ends(update)
            return result

        pawl_step._pawl = True
        return pawl_step

    def wrap_class(cls):
        step = getattr(cls, "step", None)
        if isinstance(step, types.FunctionType) and not getattr(step, "_pawl", False):
            cls.step = wrap_step(step)

    def wrap_classes(cls):
        for subclass in cls.__subclasses__():
            wrap_class(subclass)
            wrap_classes(subclass)

    def wrap_creation(method, created):
        @functools.wraps(method)
        def wrapper(self, *args, **kwargs):
            method(self, *args, **kwargs)
            wrap_class(type(self))
            created(self)

        return wrapper

    optimizer.__init__ = wrap_creation(optimizer.__init__, recorder.optimizer_created)
    optimizer.__setstate__ = wrap_creation(optimizer.__setstate__, lambda self: None)
    wrap_classes(optimizer)


def _patch_grad_scaler(recorder):
    import torch.cuda.amp

    # torch 2.3 moved the methods into a base class, torch.amp.GradScaler.
    cls = next(base for base in torch.cuda.amp.GradScaler.__mro__ if "step" in base.__dict__)
    original_scale, original_step = cls.scale, cls.step

    @functools.wraps(original_scale)
    def scale(self, outputs):
        scaled = original_scale(self, outputs)
        if isinstance(outputs, torch.Tensor) and scaled is not outputs and not recorder.off:
            scaled._pawl_unscaled = outputs.detach()
        if recorder.wants_local_gradients:
            recorder.loss_scaled(self._scale)
        return scaled

    @functools.wraps(original_step)
    def step(self, optimizer, *args, **kwargs):
        recorder.last_stepped = None
        result = original_step(self, optimizer, *args, **kwargs)
        if self.is_enabled() and recorder.last_stepped is None:
            recorder.update_skipped(optimizer)
        return result

    cls.scale, cls.step = scale, step


def _patch_clipping(recorder):
    def wrap(original, norm_of):
        @functools.wraps(original)
        def clip(parameters, *args, **kwargs):
            if recorder.off or not recorder.wants_clipping or is_compiling():
                return original(parameters, *args, **kwargs)
            if not isinstance(parameters, torch.Tensor):
                parameters = list(parameters)  # it may be a generator, which can be read once
            recorder.clipping_begins([parameters] if isinstance(parameters, torch.Tensor) else parameters)
            result = original(parameters, *args, **kwargs)
            recorder.clipping_ends(norm_of(result, *args, **kwargs))
            return result

        return clip

    norms = {
        "clip_grad_norm_": lambda result, *args, **kwargs: result,
        "clip_grad_value_": lambda result, *args, **kwargs: None,
        "clip_grads_with_norm_": lambda result, max_norm, total_norm, *args, **kwargs: total_norm,  # torch 2.6
    }
    for name, norm_of in norms.items():
        original = getattr(torch.nn.utils, name, None)
        if original is not None:
            wrapped = wrap(original, norm_of)
            for module in (torch.nn.utils, torch.nn.utils.clip_grad):
                if getattr(module, name, None) is original:
                    setattr(module, name, wrapped)


def _patch_compile(recorder):
    """torch 2.0. Module.compile() calls it, too."""
    original = getattr(torch, "compile", None)
    if original is None:
        return

    @functools.wraps(original)
    def compile(*args, **kwargs):
        recorder.compile_used()
        return original(*args, **kwargs)

    torch.compile = compile
