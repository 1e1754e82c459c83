"""Statistics of tensors that are seen one by one, until the record takes them."""

import threading

from ._tensors import on_host


class Gathered:
    """What is seen under one key is one set of statistics. The autograd engine and DataParallel call from several
    threads, hence the lock."""

    def __init__(self, compute_stats):
        self._compute_stats = compute_stats
        self._lock = threading.Lock()
        self._seen = {}  # key -> (Stats, type code, shape)

    def see(self, key, tensor, max_size=None, afresh=False):
        """`afresh`: what was seen before under the key does not count. Tensors of more than `max_size` bytes do not."""
        if max_size is not None and tensor.numel() * tensor.element_size() > max_size:
            return
        host = on_host(tensor)
        if host is None:
            return
        values, code = host
        stats = self._compute_stats(values.data_ptr(), code, values.shape, values.stride())
        with self._lock:
            known = None if afresh else self._seen.get(key)
            if known is None:
                self._seen[key] = (stats, code, tuple(tensor.shape))
            else:
                known[0].add(stats)

    def __contains__(self, key):
        return key in self._seen

    def __bool__(self):
        return bool(self._seen)

    def take_one(self, key):
        """(Stats, type code, shape) or None; forgets it."""
        with self._lock:
            return self._seen.pop(key, None)

    def take(self):
        """key -> (Stats, type code, shape), and forgets them."""
        with self._lock:
            seen, self._seen = self._seen, {}
        return seen
