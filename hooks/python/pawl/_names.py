"""Names of parameters and modules: which nn.Module owns the tensors that an optimiser updates.

An optimiser knows tensors, not names. Every Module is remembered weakly when it is built (or rebuilt by pickle and
deepcopy), and the first capturing step of an optimiser looks the owners up: the roots among the modules are those
that are no other module's child, and a tensor is called what the root calls it. What a wrapper adds is taken off
again (DistributedDataParallel, torch.compile, FSDP), so that one rank and many give the same names.
"""

import functools
import weakref

_WRAPPER_CHILDREN = ("module", "_orig_mod", "_fsdp_wrapped_module")
_WRAPPER_INFIXES = ("_fsdp_wrapped_module.", "_orig_mod.", "_checkpoint_wrapped_module.")

_modules = weakref.WeakValueDictionary()  # id -> Module, oldest first


def watch(module_class):
    """Remembers every instance of `module_class` (torch.nn.Module) from now on."""
    for method_name in ("__init__", "__setstate__"):
        setattr(module_class, method_name, _remembering(getattr(module_class, method_name)))


def remember(model):
    """What watch() came too late for."""
    _modules.update((id(module), module) for module in model.modules())


def _remembering(method):
    @functools.wraps(method)
    def wrapper(self, *args, **kwargs):
        method(self, *args, **kwargs)
        _modules[id(self)] = self

    return wrapper


class Root:
    """A model: an outermost module. Weak: it never keeps a model alive."""

    def __init__(self, module):
        self._module = weakref.ref(module)
        self.prefix = None  # until the first of its tensors is named

    def module(self):
        module = self._module()
        return None if module is None else _inside(module)

    def in_eval_mode(self):
        module = self.module()
        return module is not None and not module.training

    def outermost(self):
        """The module itself, wrappers and all: what the script calls."""
        return self._module()

    def is_module(self, module):
        return self._module() is module

    def modules(self):
        """(name, module) of everything below the root."""
        module = self.module()
        for name, child in module.named_modules() if module is not None else ():
            if name:
                yield self.prefix + _clean(name), child

    def parameters(self):
        """id of parameter -> name without prefix"""
        module = self.module()
        return {id(p): _clean(name) for name, p in module.named_parameters()} if module is not None else {}


class Namer:
    """Gives names that are unique within the process. The first model's are bare ("fc1.weight"); those of a further
    model start with its class ("Discriminator.fc1.weight")."""

    def __init__(self):
        self.roots = []

    def names(self, parameters, unnamed):
        """One name per parameter; `unnamed` + its position for a tensor that no module owns."""
        self.roots = [root for root in self.roots if root.module() is not None]
        owned = [(root, root.parameters()) for root in self.roots + self._new_roots()]
        wanted = {id(parameter) for parameter in parameters}
        found = {}
        while wanted and owned:
            # Of two modules that own the same tensors (a model and a part of it), the one that owns more of them.
            root, names = max(owned, key=lambda candidate: len(wanted & candidate[1].keys()))
            mine = wanted & names.keys()
            if not mine:
                break
            if root.prefix is None:
                root.prefix = self._prefix_for(root)
                self.roots.append(root)
            found.update((key, root.prefix + names[key]) for key in mine)
            wanted -= mine
        return [found.get(id(p)) or "%s%d" % (unnamed, position) for position, p in enumerate(parameters)]

    def _new_roots(self):
        modules = [module for module in (ref() for ref in _modules.valuerefs()) if module is not None]
        children = {id(child) for module in modules for child in module._modules.values()}
        return [Root(module) for module in modules
                if id(module) not in children and not any(root.is_module(module) for root in self.roots)]

    def _prefix_for(self, root):
        taken = {other.prefix for other in self.roots}
        if not taken:
            return ""
        base = type(root.module()).__name__
        candidates = [base + "."] + ["%s_%d." % (base, n) for n in range(2, len(taken) + 2)]
        return next(candidate for candidate in candidates if candidate not in taken)


def _inside(module):
    """The model inside wrappers that hold one module and nothing else."""
    while any(module._modules.get(name) is not None for name in _WRAPPER_CHILDREN):  # seldom: asked for in every call
        children = [(name, child) for name, child in module._modules.items() if child is not None]
        own = next(module.parameters(recurse=False), None)
        if own is not None or len(children) != 1 or children[0][0] not in _WRAPPER_CHILDREN:
            return module
        module = children[0][1]
    return module


def _clean(name):
    for infix in _WRAPPER_INFIXES:
        name = name.replace(infix, "")
    return name
