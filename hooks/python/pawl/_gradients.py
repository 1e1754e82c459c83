"""Gradients on their way: what backward() computes on this rank, and what clipping finds.

DistributedDataParallel averages a gradient when autograd has it ready, and clipping changes it in place. The local one
is seen by a hook on the parameter, which runs before both; the unclipped one when a clipping function is called.
Parameters are known by their ids: at the first step their names are not known yet.
"""

from ._gathered import Gathered
from ._tensors import capturing_cuda_graph


class Gradients:
    """Of the step in progress."""

    def __init__(self, compute_stats, on_error):
        self._on_error = on_error
        self.local, self.unclipped = Gathered(compute_stats), Gathered(compute_stats)
        self.loss_scale = None  # what a GradScaler has multiplied the loss by, a tensor
        self._handles = {}  # id of parameter -> handle of its hook

    def arm(self, parameters, max_size):
        for parameter in parameters:
            if parameter.requires_grad and id(parameter) not in self._handles:
                self._handles[id(parameter)] = parameter.register_hook(self._hook(parameter, max_size))

    def disarm(self):
        """Forgets what was seen, too."""
        for handle in self._handles.values():
            handle.remove()
        self._handles = {}
        self.local.take()
        self.unclipped.take()

    def forget(self, parameters):
        """What was seen of them: the step that it was for is not made."""
        for parameter in parameters:
            self.local.take_one(id(parameter))
            self.unclipped.take_one(id(parameter))

    def see_unclipped(self, parameters, max_size):
        """Called before every clipping function: the first one of a step finds what none has changed."""
        for parameter in parameters:
            if parameter.grad is not None and id(parameter) not in self.unclipped:
                self.unclipped.see(id(parameter), parameter.grad, max_size)

    def _hook(self, parameter, max_size):
        def hook(gradient):
            try:
                if capturing_cuda_graph(gradient):
                    return
                # A loss that was meant for other parameters may have passed here before the gradients were reset.
                before = parameter.grad
                afresh = id(parameter) in self.local and (before is None or not before.count_nonzero())
                if self.loss_scale is not None:
                    gradient = gradient / self.loss_scale.to(gradient.device)
                self.local.see(id(parameter), gradient, max_size, afresh)
            except Exception as error:
                self._on_error("gradient of a parameter", error)

        return hook
