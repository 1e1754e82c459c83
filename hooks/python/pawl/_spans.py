"""Stretches of time within a step: `data`, `forward`, `backward`, `optimizer`. Knows nothing of torch."""

import time

now = time.monotonic_ns  # the clock of the record
_MOST = 4096  # of a step: a program may call a model for ever and never step


class Spans:
    """Of the step in progress."""

    def __init__(self):
        self.wanted = False
        self._spans = []  # (name, begin, end)
        self._waits_since = None  # the last step ended then, and no model has been called yet
        self._depth = 0  # of backward(): re-computation calls it inside of itself

    def begin_step(self, wanted, waits=True):
        """`waits`: what comes until a model is called is a wait for data."""
        self.wanted = wanted
        self._spans = []
        self._waits_since = now() if wanted and waits else None

    def forward_begins(self):
        begin = now()
        if self._waits_since is not None:
            self._spans.append(("data", self._waits_since, begin))
            self._waits_since = None
        return begin

    def evaluated(self):
        """A model runs without being trained: the time since the last step was no wait for data alone."""
        self._waits_since = None

    def backward_begins(self):
        self._depth += 1
        return now()

    def backward_ends(self, begin):
        self._depth -= 1
        if self._depth == 0:
            self.add("backward", begin)

    def add(self, name, begin):
        """One that ends now."""
        if len(self._spans) < _MOST:
            self._spans.append((name, begin, now()))

    def take(self):
        spans, self._spans = self._spans, []
        return spans
