"""Statistics of module outputs. Hooks sit on modules only while a step that captures is under way."""

import threading

import torch

from ._tensors import on_host


class ModuleHooks:
    """Armed for one step at a time. What a module puts out in several calls of that step (micro-batches, a module
    used twice) is one set of statistics. DataParallel calls modules from several threads, hence the lock."""

    def __init__(self, compute_stats, on_error):
        self._compute_stats = compute_stats
        self._on_error = on_error
        self._lock = threading.Lock()
        self._handles = {}  # id of module -> handle of its hook
        self._outputs = {}  # name -> (Stats, type code, shape)

    def arm(self, roots, pattern):
        """`pattern`: a compiled regular expression of module names, or None."""
        for root in roots:
            for name, module in root.modules():
                # Containers repeat what their last child puts out: only an explicit `include` asks for them.
                leaf = next(module.children(), None) is None
                wanted = leaf if pattern is None else pattern.search(name) is not None
                if wanted and id(module) not in self._handles and not isinstance(module, torch.jit.ScriptModule):
                    self._handles[id(module)] = module.register_forward_hook(self._hook(name))

    def disarm(self):
        for handle in self._handles.values():
            handle.remove()
        self._handles = {}

    def take(self):
        """name -> (Stats, type code, shape) of the step, and forgets them."""
        with self._lock:
            outputs, self._outputs = self._outputs, {}
        return outputs

    def _hook(self, name):
        def hook(_module, _inputs, output):
            if not torch.is_grad_enabled():
                return  # an evaluation in between is no part of the training step
            try:
                self._see(name, output)
            except Exception as error:
                self._on_error("output of " + name, error)

        return hook

    def _see(self, name, output):
        if isinstance(output, (tuple, list)) and output:
            output = output[0]  # recurrent layers: (output, state)
        if not isinstance(output, torch.Tensor):
            return
        host = on_host(output)
        if host is None:
            return
        tensor, code = host
        stats = self._compute_stats(tensor.data_ptr(), code, tensor.shape, tensor.stride())
        with self._lock:
            known = self._outputs.get(name)
            if known is None:
                self._outputs[name] = (stats, code, tuple(output.shape))
            else:
                known[0].add(stats)
