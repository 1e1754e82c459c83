"""The steps of one rank in the record. Knows nothing of torch."""

import contextlib

from . import _library


class Record:
    """Values gather here until their step ends. In the record a step begins when the one before ends, so that its
    duration is all of it.

    Values on a GPU would cost a synchronisation per step. The end of a step that waited for no tensors is therefore
    held back until the next one ends or captures: by then its values have arrived.
    """

    def __init__(self):
        self.step = 0
        self._capture = None  # before that, values gather for the first step
        self._values = {}  # (kind, name) -> float, or what will be one (Deferred, Mean), of the step in progress
        self._held = None  # the same of the step before, which has not ended in the record
        self._waited = False  # for tensors, in this step: its values are there too

    def is_open(self):
        return self._capture is not None

    def open(self, capture):
        self._capture = capture
        self._next_step = capture.next_step
        capture.begin(self.step)

    def put(self, kind, name, value):
        """The last value of a step counts."""
        self._values[kind, name] = value

    def add(self, kind, name, mean):
        """The mean of all that a step adds counts."""
        known = self._values.setdefault((kind, name), mean)
        if known is not mean:
            known.merge(mean)

    def series(self, name, kind, dtype, shape):
        return self._capture.series((kind, name), dtype, shape)

    def tensors(self, words):
        """See Capture.tensors."""
        self._settle()
        self._waited = True
        self._capture.tensors(words)

    def strided_tensors(self, tensors):
        """See Capture.strided_tensors."""
        self._settle()
        self._waited = True
        self._capture.strided_tensors(tensors)

    def cuda_tensors(self, batch, device, stream):
        """See Capture.cuda_tensors."""
        self._settle()
        return self._capture.cuda_tensors(batch, device, stream)

    def cuda_error(self):
        return self._capture.cuda_error()

    def stats(self, name, kind, dtype, shape, stats):
        self._settle()
        self._waited = True
        self._capture.stats(self._capture.series((kind, name), dtype, shape), stats)

    def scalar(self, kind, name, value):
        self._settle()
        self._capture.scalar(self._capture.series((kind, name)), value)

    @contextlib.contextmanager
    def evaluation(self):
        """What is recorded inside belongs to an evaluation after the step that ended last."""
        self._settle()
        self._capture.begin(self.step - 1, 1)
        try:
            yield
        finally:
            self._capture.end()
            self._capture.begin(self.step)  # which goes on

    def values(self, name, kind, dtype, shape, pointer):
        self._settle()
        self._capture.values(self._capture.series((kind, name), dtype, shape), pointer, dtype, shape)

    def fine_histogram(self, name, kind, dtype, shape, pointer, count):
        self._settle()
        self._capture.fine_histogram(self._capture.series((kind, name), dtype, shape), pointer, dtype, count)

    def span(self, name, begin, end):
        self._settle()
        self._capture.span(self._capture.series((_library.SPAN, name)), begin, end)

    def batch(self, name, digest, examples, label_counts):
        self._settle()
        self._capture.batch(self._capture.series((_library.BATCH, name)), digest, examples, label_counts)

    def hash(self, name, dtype, shape, digest):
        self._settle()
        self._capture.hash(self._capture.series((_library.HASH, name), dtype, shape), digest)

    def end_step(self):
        self._settle()
        values, self._values = self._values, {}
        hold = not self._waited and _any_waits(values)
        self._waited = False
        self.step += 1
        if hold:
            self._held = values
        else:
            self._advance(values)

    def available(self, name, kind):
        """A series that could be recorded."""
        self._capture.available(name, kind)

    def request_generation(self):
        """Grows when the capture request is changed; 0 when nobody can."""
        return self._capture.request_generation()

    def request(self):
        """Its generation and the request that holds for the step in progress, or None while it is being changed."""
        self._settle()
        return self._capture.request()

    def note_request(self, text):
        """From the step in progress on the process records `text` by its own decision."""
        self._settle()
        self._capture.note_request(text)

    def skip_step(self):
        """end_step() where nothing was recorded and nothing is held back; the generation of the capture request."""
        self.step = step = self.step + 1
        return self._next_step(step)

    def holds_nothing(self):
        return self._held is None and not self._values

    def close(self):
        """What no further step has ended stays in a step without an end."""
        if self._capture is not None:
            self._settle()
            self._write(self._values)
            capture, self._capture = self._capture, None
            capture.close()

    def fail(self):
        """Says in the record that it ends before the training does."""
        capture, self._capture = self._capture, None
        if capture is not None:
            try:
                capture.scalar(capture.series((_library.SCALAR, "pawl.capture_failed")), 1.0)
            finally:
                capture.close()

    def forget(self):
        """In a child of fork(): the record is the parent's."""
        self._capture = None

    def _settle(self):
        if self._held is not None:
            values, self._held = self._held, None
            self._advance(values)

    def _advance(self, values):
        self._write(values)
        self._capture.end()
        self._capture.begin(self.step)

    def _write(self, values):
        for key, value in values.items():
            self._capture.scalar(self._capture.series(key), float(value))


def _any_waits(values):
    for value in values.values():
        if type(value) is not float and value.waits():
            return True
    return False
