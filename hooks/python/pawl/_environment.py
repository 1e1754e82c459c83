"""What the stage contract (docs/contract.md) tells this process: where it may write and what it should record."""

import os
import re
import sys

DEFAULT = "losses every=1\nscalars every=1\nweights every=10\nbiases every=10\ngradients every=10"
NUMBERS = frozenset(("losses", "scalars"))
MOST_RAW = 1 << 20  # bytes of a tensor whose values are recorded
BOTH_MODES = frozenset(("train", "eval"))


class _Rule:
    """When and of which series one collection is recorded."""

    def __init__(self, words, pattern):
        self.every, self.start, self.end, self.at = 10, 0, float("inf"), frozenset()
        self.off = False
        self.ranks = self.modes = self.max_size = self.raw = None
        self.fine = False
        self.pattern = re.compile(pattern) if pattern else None
        self.known = {}  # name -> whether it is included
        for word in words:
            key, _, value = word.partition("=")
            if key == "off":
                self.off = True
            elif key == "every":
                self.every = max(1, int(value))
            elif key == "from":
                self.start = int(value)
            elif key == "to":
                self.end = int(value)
            elif key == "at":
                self.at = frozenset(map(int, value.split(",")))
            elif key == "ranks":
                self.ranks = frozenset(map(int, value.split(",")))
            elif key == "modes":
                self.modes = frozenset(value.split(","))
            elif key == "max_size":
                self.max_size = int(value)
            elif key == "raw":
                self.raw = min(int(value), MOST_RAW)
            elif key == "fine":
                self.fine = True

    def next_due(self, step):
        """The first step from `step` on that is due; infinity if there is none."""
        regular = max(step, self.start)
        regular += -regular % self.every
        steps = [at for at in self.at if at >= step]
        if regular < self.end:
            steps.append(regular)
        return min(steps, default=float("inf"))


class CaptureRequest:
    """PAWL_CAPTURE as one rank sees it: a line for each collection, `gradients every=1 ranks=0,2 include=<regex>`;
    the last line that names a collection and the rank holds. Unknown words belong to a newer Pawl and are skipped."""

    def __init__(self, text, rank):
        self._rules = {}
        self.budget = None  # the share of the time that recording tensors may take
        for line in (text or DEFAULT).splitlines():
            # `include` comes last and takes the rest of the line: a regular expression may hold spaces.
            head, _, pattern = line.partition(" include=")
            words = head.split()
            if not words:
                continue
            if words[0] == "budget":
                self.budget = _share(words[1:])
                continue
            rule = _Rule(words[1:], pattern)
            if rule.ranks is None or rank in rule.ranks:
                self._rules[words[0]] = rule
        asked = {collection: rule for collection, rule in self._rules.items() if not rule.off}
        for collection, rule in asked.items():
            if rule.modes is None:
                rule.modes = BOTH_MODES if collection in NUMBERS else frozenset(("train",))
        self._rules = asked
        self._trained = {collection: rule for collection, rule in asked.items() if "train" in rule.modes}
        self._timing = [(collection, rule.every, rule.start, rule.end, rule.at)
                        for collection, rule in self._trained.items()]

    def due(self, step):
        """The collections to record in a step."""
        return frozenset([collection for collection, every, start, end, at in self._timing
                          if step % every == 0 and start <= step < end or step in at])

    def next_due(self, step):
        """The first step from `step` on in which anything is recorded."""
        return min((rule.next_due(step) for rule in self._trained.values()), default=float("inf"))

    def evaluated(self, step=None):
        """The collections to record in an evaluation that follows a step, or any step. How often a training is evaluated
        is its own choice: `every` and `at` do not count."""
        return frozenset(collection for collection, rule in self._rules.items() if "eval" in rule.modes
                         and (step is None or rule.start <= step < rule.end))

    def asks_for(self, collections):
        """For any of them, in any step."""
        return not collections.isdisjoint(self._rules)

    def max_size(self, collection):
        rule = self._rules.get(collection)
        return rule.max_size if rule is not None else None

    def intervals(self):
        """collection -> in every how many steps it is recorded"""
        return {collection: rule.every for collection, rule in self._rules.items()}

    def pattern(self, collection):
        rule = self._rules.get(collection)
        return rule.pattern if rule is not None else None

    def detail(self, collection):
        """What is recorded beside statistics: `raw`, the values of tensors of at most so many bytes (or None), and
        whether the finer histogram is (`fine`). None when nothing is."""
        rule = self._rules.get(collection)
        return rule if rule is not None and (rule.fine or rule.raw is not None) else None

    def includes(self, collection, name, tensor=None):
        """`tensor`: what is to be recorded, where that is known."""
        rule = self._rules.get(collection)
        if rule is None:
            return False
        if rule.max_size is not None and tensor is not None \
                and tensor.numel() * tensor.element_size() > rule.max_size:
            return False
        if rule.pattern is None:
            return True
        found = rule.known.get(name)
        if found is None:
            found = rule.known[name] = rule.pattern.search(name) is not None
        return found


def stretched(text, factors):
    """The request `text` with the intervals of collections multiplied. `factors`: collection -> factor."""
    return "\n".join(_stretched_line(line, factors) for line in (text or DEFAULT).splitlines())


def _stretched_line(line, factors):
    head, include, pattern = line.partition(" include=")
    words = head.split()
    factor = factors.get(words[0], 1) if words else 1
    if factor == 1 or "off" in words:
        return line
    every = _Rule(words[1:], "").every * factor
    rest = [word for word in words[1:] if not word.startswith("every=")]
    return " ".join([words[0], "every=%d" % every, *rest]) + include + pattern


def _share(words):
    share = 0.0
    for word in words:
        key, _, value = word.partition("=")
        if key == "share":
            share = float(value)
    return share if share > 0 else None


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
