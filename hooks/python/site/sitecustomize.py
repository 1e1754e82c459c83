"""Attaches Pawl's hooks to the Python of a rank, then runs the sitecustomize that this file stands in front of.

A rank's PYTHONPATH starts with this folder, so every Python it starts imports this file; most of them never
train. It therefore reads three names of the environment, and at most puts a finder in front of the import
system that waits for `torch`. It never imports torch itself, and nothing of ours that fails gets past it.
Any Python 3 may run it: plain syntax only.
"""

import os
import sys


class _TorchFinder(object):
    """Lets the import of torch run as it is, then installs the hooks. Leaves sys.meta_path when it has."""

    def find_spec(self, name, path=None, target=None):
        if name != "torch":
            return None
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find else None
            if spec is not None:
                self._follow(spec.loader)
                return spec
        return None

    def _follow(self, loader):
        """Only this one loader object changes, and only until torch is loaded: others see it as it was."""
        try:
            original = loader.exec_module

            def exec_module(module):
                original(module)
                try:
                    del loader.exec_module
                    sys.meta_path.remove(self)
                except (AttributeError, ValueError):
                    pass
                _install()

            loader.exec_module = exec_module
        except AttributeError as error:
            _warn(error)


def _warn(error):
    sys.stderr.write("pawl: training goes on without capture: %s: %s\n" % (type(error).__name__, error))


def _install():
    try:
        import importlib.util

        package = os.path.join(os.path.dirname(_HERE), "pawl")
        spec = importlib.util.find_spec("pawl")
        found = os.path.dirname(spec.origin or "") if spec else "nothing"
        if os.path.realpath(found) != package:
            raise ImportError("`import pawl` finds %s instead of %s" % (found, package))
        from pawl import _patches

        _patches.install()
    except Exception as error:
        _warn(error)


def _attach():
    capture = os.environ.get("PAWL_CAPTURE", "").strip()
    if not os.environ.get("PAWL_TRACE_DIR") or capture == "off":
        return
    if "torch" in sys.modules:
        _install()
    else:
        sys.meta_path.insert(0, _TorchFinder())


def _run_shadowed():
    """Runs the next sitecustomize of sys.path as `sitecustomize`; what it raises goes to site.py, as without us."""
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    others = [entry for entry in sys.path if os.path.realpath(entry) != _HERE]
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is None or spec.origin is None:
        return
    module = module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


_HERE = os.path.dirname(os.path.realpath(__file__))
try:
    _attach()
except Exception as _error:
    _warn(_error)
_run_shadowed()
