"""Numbers that may still be on their way from a device. Knows nothing of torch."""


class Deferred:
    """A number that can be had by float(), at no cost only some time from now."""

    def waits(self):
        return True

    def __float__(self):
        raise NotImplementedError


class Mean:
    """Mean of numbers, some of which may be Deferred. Keeps few of those: older ones have arrived long ago."""

    def __init__(self):
        self._total, self._count, self._deferred = 0.0, 0, []

    def add(self, number):
        if isinstance(number, Deferred):
            self._deferred.append(number)
            if len(self._deferred) > 64:
                self._read(32)
        else:
            self._total += number
            self._count += 1

    def merge(self, other):
        self._total += other._total
        self._count += other._count
        self._deferred += other._deferred

    def waits(self):
        return len(self._deferred) > 0

    def __bool__(self):
        return self._count + len(self._deferred) > 0

    def __float__(self):
        if self._deferred:
            self._read(len(self._deferred))
        return self._total / self._count

    def _read(self, oldest):
        self._total += sum(float(number) for number in self._deferred[:oldest])
        self._count += oldest
        del self._deferred[:oldest]
