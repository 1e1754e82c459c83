"""How often tensors may be recorded so that this costs no more than a share of the training's time. Pure: what it knows
of time it is told, in any unit.

The interval of a collection is the one that was asked for times a power of two. While the share is expected to be too
large the interval of the dearest collection is doubled; one is halved when half of the budget is enough for that.
"""

import collections

_SAMPLES = 9  # of each kind, the latest
_ENOUGH = 3  # before anything is decided
_MOST = 1 << 20


class Budget:
    def __init__(self, share, intervals):
        """`intervals`: collection -> the one that is asked for."""
        self._share, self._asked = share, intervals
        self.factors = {}  # collection -> what its interval is multiplied by, if that is not 1
        self._costs = {}  # collection -> what its last recordings took
        self._steps = collections.deque(maxlen=_SAMPLES)  # what steps took without us
        self._last = None  # (step, moment) of the last recording
        self._since = None  # moment of the last decision
        self._spent = 0  # since then

    def recorded(self, step, moment, spent, costs):
        """`step` has recorded tensors and ends at `moment`; this took `spent`, and of that each collection its part of
        `costs`. True when `factors` have changed."""
        if self._last is not None and step > self._last[0]:
            self._steps.append(max(moment - self._last[1] - spent, 0) / (step - self._last[0]))
        self._last = (step, moment)
        self._since = moment if self._since is None else self._since
        self._spent += spent
        rest = max(spent - sum(costs.values()), 0) / max(len(costs), 1)
        for collection, cost in costs.items():
            known = self._costs.get(collection)
            if known is None:  # the first recording looks up names: it says nothing of those that follow
                self._costs[collection] = collections.deque(maxlen=_SAMPLES)
            else:
                known.append(cost + rest)
        changed = self._decide()
        if changed:
            self._since, self._spent = moment, 0
        return changed

    def share(self):
        """What recording has taken of the time from the last decision to the last recording."""
        passed = self._last[1] - self._since if self._last is not None else 0
        return self._spent / passed if passed else 0.0

    def _decide(self):
        known = {name: sum(costs) / len(costs) for name, costs in self._costs.items()
                 if len(costs) >= _ENOUGH and name in self._asked}
        if not known or len(self._steps) < _ENOUGH:
            return False
        step = sorted(self._steps)[len(self._steps) // 2]  # a pause for an evaluation is no step
        factors = dict(self.factors)

        def per_step(name):
            return known[name] / (self._asked[name] * factors.get(name, 1))

        def share():
            cost = sum(map(per_step, known))
            return cost / (cost + step) if cost else 0.0

        if share() > self._share:
            while share() > self._share:
                dearest = max((name for name in known if factors.get(name, 1) < _MOST), key=per_step, default=None)
                if dearest is None:
                    break
                factors[dearest] = 2 * factors.get(dearest, 1)
        else:
            for name in sorted(factors.keys() & known.keys(), key=per_step):
                factors[name] //= 2
                if share() > self._share / 2:
                    factors[name] *= 2
        factors = {name: factor for name, factor in factors.items() if factor > 1}
        changed, self.factors = factors != self.factors, factors
        return changed
