"""ctypes binding of hooks/capture/include/pawl/capture.h. Knows nothing of torch."""

import array
import ctypes

(SCALAR, LOSS, WEIGHT, BIAS, GRADIENT, ACTIVATION, UPDATE, INPUT, OPTIMIZER_STATE, LOCAL_GRADIENT, UNCLIPPED_GRADIENT,
 SPAN, BATCH, HASH) = range(14)
F32, F64, F16, BF16, I8, I16, I32, I64, U8, BOOL = range(10)

_OK, _E_FULL, _E_BUSY, _E_CUDA = 0, 3, 5, 7
_REQUEST_CAPACITY = 65536
_TENSOR_SIZE, _STRIDED_TENSOR_SIZE = 24, 40


class Busy(Exception):
    """Another process already records this rank."""


class CaptureError(Exception):
    """The library reports that it cannot record any more."""


class Stats(ctypes.Structure):
    """One pass over a tensor, see pawl_stats."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
        ("count", ctypes.c_uint64),
        ("nan", ctypes.c_uint64),
        ("inf", ctypes.c_uint64),
        ("zero", ctypes.c_uint64),
        ("min", ctypes.c_double),
        ("max", ctypes.c_double),
        ("sum", ctypes.c_double),
        ("abs_sum", ctypes.c_double),
        ("square_sum", ctypes.c_double),
        ("magnitude", ctypes.c_uint64 * 16),
    ]

    def __init__(self):
        super().__init__(struct_size=ctypes.sizeof(Stats))

    def finite(self):
        return self.count - self.nan - self.inf

    def add(self, other):
        """Statistics of both tensors together: exact, because every field is a sum or an extreme."""
        if other.finite():
            alone = not self.finite()
            self.min = other.min if alone else min(self.min, other.min)
            self.max = other.max if alone else max(self.max, other.max)
        for field in ("count", "nan", "inf", "zero", "sum", "abs_sum", "square_sum"):
            setattr(self, field, getattr(self, field) + getattr(other, field))
        for bin_index, amount in enumerate(other.magnitude):
            self.magnitude[bin_index] += amount


class FineHistogram(ctypes.Structure):
    """Of a sample of a tensor's elements, see pawl_fine_histogram."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
        ("sampled", ctypes.c_uint64),
        ("bins", ctypes.c_uint32 * 256),
    ]

    def __init__(self):
        super().__init__(struct_size=ctypes.sizeof(FineHistogram))


class _Options(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_uint32),
        ("rank", ctypes.c_uint32),
        ("world_size", ctypes.c_uint32),
        ("ring_bytes", ctypes.c_uint32),
        ("segment_bytes", ctypes.c_uint64),
        ("trace_dir", ctypes.c_char_p),
        ("control_path", ctypes.c_char_p),
        ("producer", ctypes.c_char_p),
    ]


_HANDLE, _STATUS = ctypes.c_void_p, ctypes.c_int
_ID, _U64 = ctypes.c_uint32, ctypes.c_uint64

# pawl_capture_ + name -> result, arguments. Those of _LONG release the interpreter lock. The others return at once:
# to release it for them would hand it to another thread in the middle of a step, and get it back milliseconds later.
_LONG = {
    "open": (_STATUS, [ctypes.POINTER(_Options), ctypes.POINTER(_HANDLE)]),
    "tensors": (_STATUS, [_HANDLE, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t]),
    "strided_tensors": (_STATUS, [_HANDLE, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t]),
    "cuda_tensors": (_STATUS, [_HANDLE, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int,
                               ctypes.c_void_p]),
    "values": (_STATUS, [_HANDLE, _ID, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_int64), _ID]),
    "close": (None, [_HANDLE]),
}
_SHORT = {
    "series": (_STATUS, [_HANDLE, ctypes.c_char_p, ctypes.c_int, ctypes.c_int, ctypes.POINTER(ctypes.c_int64), _ID,
                         ctypes.POINTER(_ID)]),
    "step_begin": (_STATUS, [_HANDLE, _U64, ctypes.c_uint32]),
    "step_end": (_STATUS, [_HANDLE]),
    "scalar": (_STATUS, [_HANDLE, _ID, ctypes.c_double]),
    "stats": (_STATUS, [_HANDLE, _ID, ctypes.POINTER(Stats)]),
    "span": (_STATUS, [_HANDLE, _ID, _U64, _U64]),
    "batch": (_STATUS, [_HANDLE, _ID, _U64, _U64, ctypes.POINTER(_U64), ctypes.c_uint32]),
    "hash": (_STATUS, [_HANDLE, _ID, _U64]),
    "fine_histogram": (_STATUS, [_HANDLE, _ID, ctypes.POINTER(FineHistogram)]),
    "note_request": (_STATUS, [_HANDLE, ctypes.c_char_p]),
    "available": (_STATUS, [_HANDLE, ctypes.c_char_p, ctypes.c_int]),
    "request_generation": (_U64, [_HANDLE]),
    "next_step": (_U64, [_HANDLE, _U64, ctypes.c_uint32]),
    "request": (_STATUS, [_HANDLE, ctypes.c_char_p, ctypes.c_size_t, ctypes.POINTER(_U64)]),
    "last_error": (ctypes.c_char_p, [_HANDLE]),
    "cuda_error": (ctypes.c_char_p, [_HANDLE]),
}


class Library:
    """The shared library at `path`. OSError if it cannot be loaded, AttributeError if it is another one."""

    def __init__(self, path):
        releasing = ctypes.CDLL(path)
        for library, signatures in ((releasing, _LONG), (ctypes.PyDLL(path), _SHORT)):
            for name, signature in signatures.items():
                function = getattr(library, "pawl_capture_" + name)
                function.restype, function.argtypes = signature
                setattr(self, "_" + name, function)
        self._compute_strided = releasing.pawl_compute_strided
        self._compute_strided.restype = _STATUS
        self._compute_strided.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32, ctypes.c_void_p,
                                          ctypes.c_void_p, ctypes.POINTER(Stats)]

        self._compute_fine = releasing.pawl_compute_fine_histogram
        self._compute_fine.restype = _STATUS
        self._compute_fine.argtypes = [ctypes.c_void_p, ctypes.c_int, _U64, ctypes.POINTER(FineHistogram)]
        self._digest = releasing.pawl_digest
        self._digest.restype = _U64
        self._digest.argtypes = [ctypes.c_void_p, _U64, _U64]

    def digest_of(self, tensor):
        """Of the bytes of a contiguous tensor in host memory."""
        return self._digest(tensor.data_ptr(), tensor.numel() * tensor.element_size(), 0)

    def compute_fine(self, pointer, dtype, count):
        histogram = FineHistogram()
        if self._compute_fine(pointer, dtype, count, ctypes.byref(histogram)) != _OK:
            raise CaptureError("pawl_compute_fine_histogram refused its arguments")
        return histogram

    def compute_stats(self, pointer, dtype, shape, strides):
        """Strides in elements."""
        layout, stats = _Layout(shape, strides), Stats()
        status = self._compute_strided(pointer, dtype, layout.dims, layout.shape, layout.strides, ctypes.byref(stats))
        if status != _OK:
            raise CaptureError("pawl_compute_strided refused its arguments")
        return stats

    def open(self, trace_dir, control, rank, world_size, producer):
        """The record of one rank. Busy if another process holds it, CaptureError for anything else."""
        options = _Options(ctypes.sizeof(_Options), rank, world_size, 0, 0, trace_dir.encode(),
                           control.encode() if control else None, producer.encode())
        handle = ctypes.c_void_p()
        status = self._open(ctypes.byref(options), ctypes.byref(handle))
        if status == _E_BUSY:
            raise Busy()
        if status != _OK:
            raise CaptureError(self.error_of(None))
        return Capture(self, handle)

    def error_of(self, handle):
        return (self._last_error(handle) or b"").decode("utf-8", "replace")


class _Layout:
    """Shape and strides where the library reads them, as long as this lives."""

    def __init__(self, shape, strides):
        self.dims = len(shape)
        self._words = array.array("q", (*shape, *strides))
        self.shape = self._words.buffer_info()[0]
        self.strides = self.shape + self.dims * self._words.itemsize


def _encode(name):
    """As many whole characters as a name may have bytes."""
    return name.encode("utf-8", "replace")[:4096].decode("utf-8", "ignore").encode("utf-8")


class Capture:
    """An open record. A full ring is not an error here: the library counts what it drops."""

    def __init__(self, library, handle):
        self._library, self._handle = library, handle
        self._next_step = library._next_step
        self._ids = {}

    def series(self, key, dtype=F64, shape=()):
        """The id of the series `key`, a pair of kind and name."""
        found = self._ids.get(key)
        return self._declare(key, dtype, shape) if found is None else found

    def _declare(self, key, dtype, shape):
        kind, name = key
        encoded = _encode(name)
        sizes = (ctypes.c_int64 * len(shape))(*shape) if shape else None
        out = ctypes.c_uint32()
        self._check(self._library._series(self._handle, encoded, kind, dtype, sizes, len(shape), ctypes.byref(out)))
        self._ids[key] = out.value
        return out.value

    def available(self, name, kind):
        self._check(self._library._available(self._handle, _encode(name), kind))

    def request_generation(self):
        return self._library._request_generation(self._handle)

    def request(self):
        """Generation and text, or None while it is being changed."""
        text, generation = ctypes.create_string_buffer(_REQUEST_CAPACITY), _U64()
        status = self._library._request(self._handle, text, _REQUEST_CAPACITY, ctypes.byref(generation))
        if status == _E_BUSY:
            return None
        self._check(status)
        return generation.value, text.value.decode("utf-8", "replace")

    def begin(self, step, mode=0):
        status = self._library._step_begin(self._handle, step, mode)
        if status != _OK:
            self._check(status)

    def end(self):
        status = self._library._step_end(self._handle)
        if status != _OK:
            self._check(status)

    def next_step(self, step):
        """end() and begin(step) of a step without records; the generation of the capture request."""
        return self._next_step(self._handle, step, 0)

    def scalar(self, series, value):
        status = self._library._scalar(self._handle, series, value)
        if status != _OK:  # a call less in every step
            self._check(status)

    def stats(self, series, stats):
        self._check(self._library._stats(self._handle, series, ctypes.byref(stats)))

    def tensors(self, words):
        """`words`: an array("Q") of pointer, count, series | type code << 32 of each tensor: that of pawl_tensor."""
        self._check(self._library._tensors(self._handle, words.buffer_info()[0], len(words) // 3, _TENSOR_SIZE))

    def values(self, series, pointer, dtype, shape):
        """Of contiguous memory."""
        sizes = (ctypes.c_int64 * len(shape))(*shape)
        self._check(self._library._values(self._handle, series, pointer, dtype, sizes, len(shape)))

    def fine_histogram(self, series, pointer, dtype, count):
        histogram = self._library.compute_fine(pointer, dtype, count)
        self._check(self._library._fine_histogram(self._handle, series, ctypes.byref(histogram)))

    def span(self, series, begin, end):
        """Nanoseconds of CLOCK_MONOTONIC."""
        self._check(self._library._span(self._handle, series, begin, end))

    def batch(self, series, digest, examples, label_counts):
        """`label_counts`: of each class from 0 on, or None."""
        counts = (_U64 * len(label_counts))(*label_counts) if label_counts else None
        self._check(self._library._batch(self._handle, series, digest, examples, counts, len(label_counts or ())))

    def hash(self, series, digest):
        self._check(self._library._hash(self._handle, series, digest))

    def note_request(self, text):
        self._check(self._library._note_request(self._handle, text.encode()))

    def strided_tensors(self, tensors):
        """`tensors`: [(pointer, series, type code, shape, strides)]."""
        layouts = [_Layout(shape, strides) for _pointer, _series, _code, shape, strides in tensors]
        words = array.array("Q")
        for (pointer, series, code, _shape, _strides), layout in zip(tensors, layouts):
            words.extend((pointer, layout.shape, layout.strides, layout.dims | series << 32, code))
        self._check(self._library._strided_tensors(self._handle, words.buffer_info()[0], len(tensors),
                                                   _STRIDED_TENSOR_SIZE))

    def cuda_tensors(self, batch, device, stream):
        """tensors() of tensors on a GPU, without waiting. False when it cannot: they have to be copied to the host."""
        words = array.array("Q", batch)
        status = self._library._cuda_tensors(self._handle, words.buffer_info()[0], len(batch) // 3, _TENSOR_SIZE,
                                             device, stream)
        if status != _E_CUDA:
            self._check(status)
        return status != _E_CUDA

    def cuda_error(self):
        return (self._library._cuda_error(self._handle) or b"").decode("utf-8", "replace")

    def close(self):
        handle, self._handle = self._handle, None
        self._library._close(handle)

    def _check(self, status):
        if status not in (_OK, _E_FULL):
            raise CaptureError(self._library.error_of(self._handle) or "status %d" % status)
