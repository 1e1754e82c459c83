"""Tensors as the capture library wants them: host memory and a type code."""

import torch

from . import _library
from ._numbers import Deferred

_PLAIN = (torch.nn.Parameter, torch.Tensor)
_DTYPES = {
    torch.float32: _library.F32, torch.float64: _library.F64, torch.float16: _library.F16,
    torch.bfloat16: _library.BF16, torch.int8: _library.I8, torch.int16: _library.I16, torch.int32: _library.I32,
    torch.int64: _library.I64, torch.uint8: _library.U8, torch.bool: _library.BOOL,
}


def type_code_in_place(tensor):
    """The type code of a contiguous tensor that the library can read where it is, else None. Has to be fast: it is asked for every
    tensor of every step that captures."""
    plain = type(tensor) in _PLAIN and tensor.is_cpu and tensor.layout is torch.strided and tensor.is_contiguous()
    return _DTYPES.get(tensor.dtype) if plain else None


def strided(tensor):
    """(tensor of plain memory, type code) wherever it is, or None for what has no statistics: complex, quantized, meta.
    None while a CUDA graph is being captured, too.

    A sparse gradient stands for its stored values, a sharded parameter (DTensor) for the shard of this rank.
    """
    if capturing_cuda_graph(tensor):
        return None
    tensor = tensor.detach()
    if hasattr(tensor, "to_local"):
        tensor = tensor.to_local()
    if tensor.layout is torch.sparse_coo:
        tensor = tensor.coalesce()._values()
    code = _DTYPES.get(tensor.dtype)
    if code is None or tensor.layout is not torch.strided or tensor.device.type == "meta":
        return None
    return tensor, code


def on_host(tensor):
    """(CPU tensor, type code), or None as strided(). A CPU tensor is returned without a copy, with its strides."""
    found = strided(tensor)
    if found is None:
        return None
    tensor, code = found
    return tensor.cpu().resolve_neg(), code  # the imaginary part of conj() has other signs in memory


def as_number(tensor):
    """The value of a one-element tensor: at once on the CPU, as a Deferred elsewhere."""
    return float(tensor.item()) if tensor.is_cpu else _FromDevice(tensor.detach())


class _FromDevice(Deferred):
    """Reading it a step later costs no synchronisation: its copy into pinned memory was queued behind the work that
    produces it, and nothing later is waited for."""

    def __init__(self, tensor):
        self._event = None
        if not tensor.is_cuda:
            self._value = tensor.clone()  # in-place changes that follow must not be seen
            return
        self._value = torch.empty((), dtype=tensor.dtype, pin_memory=True)
        self._value.copy_(tensor.reshape(()), non_blocking=True)
        self._event = torch.cuda.Event()
        self._event.record(torch.cuda.current_stream(tensor.device))

    def __float__(self):
        if self._event is not None:
            self._event.synchronize()
        return float(self._value.item())


def capturing_cuda_graph(tensor):
    """Nothing may be read or copied back while a CUDA graph is being captured."""
    return tensor.is_cuda and torch.cuda.is_current_stream_capturing()
