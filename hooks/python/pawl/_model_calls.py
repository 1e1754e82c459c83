"""Calls of models by the training script."""

import functools

import torch

# A function that torch.compile knows: our part of what it traces vanishes.
is_compiling = getattr(getattr(torch, "compiler", None), "is_compiling", bool)


def watch_model_calls(cls, listener):
    """From now on `listener` is told of the calls of modules of the class `cls` that it asks for: by the ids in
    listener.trained_calls, when a call is trained on, or in listener.evaluated_calls, when it is not. It is told by
    call_begins(module, trained, args, kwargs) and, when that returns something, call_ends(what that was)."""
    original = cls.__call__
    if getattr(original, "_pawl_listener", None) is listener:
        return

    @functools.wraps(original)
    def call(self, *args, **kwargs):
        if is_compiling():
            return original(self, *args, **kwargs)
        trained = self.training and torch.is_grad_enabled()
        if id(self) not in (listener.trained_calls if trained else listener.evaluated_calls):
            return original(self, *args, **kwargs)
        begun = listener.call_begins(self, trained, args, kwargs)
        output = original(self, *args, **kwargs)
        if begun is not None:
            listener.call_ends(begun)
        return output

    call._pawl_listener = listener
    cls.__call__ = call
