"""Calls of models by the training script: those of outermost modules."""

import functools

import torch

# A function that torch.compile knows: our part of what it traces vanishes.
_is_compiling = getattr(getattr(torch, "compiler", None), "is_compiling", lambda: False)


def watch_model_calls(cls, listener):
    """From now on `listener` is told of each call of a module of the class `cls` that it takes for a model:
    listener.is_model(module), call_begins(module, args, kwargs), call_ends(what that returned)."""
    original = cls.__call__
    if getattr(original, "_pawl_listener", None) is listener:
        return

    @functools.wraps(original)
    def call(self, *args, **kwargs):
        if _is_compiling() or not listener.is_model(self):
            return original(self, *args, **kwargs)
        begun = listener.call_begins(self, args, kwargs)
        output = original(self, *args, **kwargs)
        listener.call_ends(begun)
        return output

    call._pawl_listener = listener
    cls.__call__ = call
