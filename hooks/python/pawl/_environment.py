"""What the stage contract (docs/contract.md) tells this process: where it may write and what it should record."""

import os
import re
import sys

DEFAULT_COLLECTIONS = ("losses", "scalars", "weights", "biases", "gradients")
DEFAULT_EVERY = 10


class CaptureRequest:
    """PAWL_CAPTURE: `every=N collections=a,b include=<regex>`; unknown keys belong to a newer Pawl and are skipped."""

    def __init__(self, text):
        self.every = DEFAULT_EVERY
        self.collections = frozenset(DEFAULT_COLLECTIONS)
        self.include = None
        # `include` comes last and takes the rest of the line: a regular expression may hold spaces.
        head, found, pattern = (" " + text).partition(" include=")
        if found:
            self.include = re.compile(pattern)
        for word in head.split():
            key, _, value = word.partition("=")
            if key == "every":
                self.every = max(1, int(value))
            elif key == "collections":
                self.collections = frozenset(value.split(","))

    def wants(self, collection):
        return collection in self.collections

    def includes(self, name):
        return self.include is None or self.include.search(name) is not None


def rank_and_world():
    """From torch.distributed once it is initialised, else from the torchrun environment, else 0 of 1."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return _number("RANK", 0), _number("WORLD_SIZE", 1)


def _number(name, default):
    try:
        return int(os.environ.get(name, ""))
    except ValueError:
        return default
