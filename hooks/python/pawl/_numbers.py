"""Numbers that may still be on their way from a device. Knows nothing of torch."""


class Deferred:
    """A number that can be had by float(), at no cost only some time from now."""

    def __float__(self):
        raise NotImplementedError


class Mean:
    """Mean of numbers, some of which may be Deferred. Keeps few of those: older ones have arrived long ago."""

    def __init__(self, *numbers):
        self._total, self._count, self._deferred = 0.0, 0, []
        for number in numbers:
            self.add(number)

    def add(self, number):
        if isinstance(number, Deferred):
            self._deferred.append(number)
            if len(self._deferred) > 64:
                self._read(self._deferred[:32])
                del self._deferred[:32]
        else:
            self._read([number])

    def merge(self, other):
        self._total += other._total
        self._count += other._count
        self._deferred += other._deferred

    def waits(self):
        return bool(self._deferred)

    def __bool__(self):
        return self._count + len(self._deferred) > 0

    def __float__(self):
        self._read(self._deferred)
        self._deferred = []
        return self._total / self._count

    def _read(self, numbers):
        self._total += sum(float(number) for number in numbers)
        self._count += len(numbers)
