"""Statistics of what modules are given and put out. torch calls us only while a step or an evaluation that captures is
under way."""

import torch
from torch.nn.modules import module as _torch_module

from . import _library
from ._gathered import Gathered

KINDS = {"activations": _library.ACTIVATION, "inputs": _library.INPUT}


class ModuleHooks:
    """Armed for one step, or one evaluation, at a time. What a module puts out in several calls of that time
    (micro-batches, a module used twice) is one set of statistics.

    torch calls the hooks of all modules, and a table says which ones are meant: nothing is left in a module that the
    script copies or pickles. A module is known by its own table of hooks, which its replicas in DataParallel share.
    """

    def __init__(self, compute_stats, on_error, counts):
        """`counts`: a function that says whether the call of a module that has ended counts."""
        self._on_error, self._counts = on_error, counts
        self._gathered = {collection: Gathered(compute_stats) for collection in KINDS}
        self._handles = []
        self._tables = []  # those of the modules that are meant; they live as long as their ids count
        self._names = {collection: {} for collection in KINDS}  # id of table -> name of module
        self._max_sizes = {}

    def is_armed(self):
        return bool(self._handles)

    def arm(self, roots, request, collections):
        for root in roots:
            for name, module in root.modules():
                table = module.__dict__.get("_forward_hooks")
                if table is None or isinstance(module, torch.jit.ScriptModule):
                    continue
                self._tables.append(table)
                # Containers repeat what their last child puts out: only an explicit `include` asks for them.
                is_leaf = next(module.children(), None) is None
                for collection in collections:
                    if is_leaf if request.pattern(collection) is None else request.includes(collection, name):
                        self._names[collection].setdefault(id(table), name)
        self._max_sizes = {collection: request.max_size(collection) for collection in collections}
        if self._handles:
            return
        if "activations" in collections:
            self._handles.append(_torch_module.register_module_forward_hook(self._called))
        if "inputs" in collections:  # before the call: it may change them
            self._handles.append(_torch_module.register_module_forward_pre_hook(self._is_called))

    def disarm(self):
        for handle in self._handles:
            handle.remove()
        self._handles, self._tables = [], []
        self._names = {collection: {} for collection in KINDS}

    def take(self):
        """[(collection, name, (Stats, type code, shape))] of the step, and forgets them."""
        return [(collection, name, seen) for collection, gathered in self._gathered.items()
                for name, seen in gathered.take().items()]

    def _called(self, module, _inputs, output):
        self._see("activations", module, output)

    def _is_called(self, module, inputs):
        self._see("inputs", module, inputs)

    def _see(self, collection, module, tensor):
        name = self._names[collection].get(id(module.__dict__.get("_forward_hooks")))
        if name is None:
            return
        try:
            if isinstance(tensor, (tuple, list)) and tensor:
                tensor = tensor[0]  # of several inputs the first; recurrent layers: (output, state)
            if isinstance(tensor, torch.Tensor) and self._counts():
                self._gathered[collection].see(name, tensor, self._max_sizes[collection])
        except Exception as error:
            self._on_error("%s of %s" % ("output" if collection == "activations" else "input", name), error)
