"""Fingerprints of what a model is given to train on, and how many examples of each label there are.

A digest is of the bytes of a tensor. One on a GPU is copied for it, and waited for.
"""

import functools

import torch

from ._tensors import on_host

MOST_CLASSES = 1000  # of more, labels are not counted
_MOST = 4096  # tensors of a step: a program may call a model for ever and never step
_LOSSES = ("cross_entropy", "nll_loss")


class Batches:
    """Of the step in progress."""

    def __init__(self, digest):
        """`digest`: contiguous tensor in host memory -> number"""
        self._digest = digest
        self._seen = []  # [name, digest, examples, label counts or None]
        self._originals = {}

    def see(self, args, kwargs):
        """What a model is given: `input`, and `input.1`, `input.2`... when there are several tensors."""
        for position, tensor in enumerate(_tensors_in((args, kwargs))):
            host = on_host(tensor)
            if host is not None and len(self._seen) < _MOST:
                examples = tensor.shape[0] if tensor.dim() else 1
                name = "input.%d" % position if position else "input"
                self._seen.append([name, self._digest(host[0].contiguous()), examples, None])

    def see_labels(self, scores, target):
        """What a loss is given: `target` has numbers of classes, `scores` a number for each of them."""
        if target.is_floating_point() or target.dim() == 0 or scores.dim() < 2:
            return
        classes = scores.shape[1]
        batch = next((seen for seen in reversed(self._seen) if seen[0] == "input"), None)
        if batch is None or batch[2] != target.shape[0] or batch[3] is not None or classes > MOST_CLASSES:
            return
        labels = target.detach().reshape(-1).cpu()
        labels = labels[(labels >= 0) & (labels < classes)]  # the others are to be ignored
        batch[3] = torch.bincount(labels.long(), minlength=classes).tolist()

    def take(self):
        seen, self._seen = self._seen, []
        return seen

    def watch_losses(self, on_error):
        """Losses are functions, and TorchScript compiles what it finds under their names: ours stand there only
        while a step that asks for them is under way."""
        functional = torch.nn.functional
        for name in _LOSSES:
            if name not in self._originals:
                self._originals[name] = getattr(functional, name)
                setattr(functional, name, self._seeing(self._originals[name], on_error))

    def leave_losses(self):
        for name, original in self._originals.items():
            setattr(torch.nn.functional, name, original)
        self._originals = {}

    def _seeing(self, original, on_error):
        @functools.wraps(original)
        def loss(input, target, *args, **kwargs):
            try:
                if torch.is_grad_enabled():
                    self.see_labels(input, target)
            except Exception as error:
                on_error("labels", error)
            return original(input, target, *args, **kwargs)

        return loss


def _tensors_in(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors_in(item)
    elif isinstance(value, dict):
        yield from _tensors_in(list(value.values()))
