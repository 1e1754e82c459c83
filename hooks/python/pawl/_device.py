"""Tensors on NVIDIA GPUs, whose statistics are computed there: without a copy to the host, and without a wait."""

import sys

import torch

from ._tensors import strided


def in_use():
    """Whether a tensor can be on one."""
    return torch.version.cuda is not None and torch.cuda.is_initialized()


def device_of(tensor):
    """The number of the GPU that a tensor is on, else None."""
    return tensor.device.index if tensor.is_cuda else None


def stream_of(device):
    """The stream on which this thread gives the GPU its work."""
    return torch.cuda.current_stream(device).cuda_stream


class Gpus:
    """Takes the tensors that are on a GPU, until the library says that it cannot; from then on none."""

    def __init__(self):
        self._off = False

    def capture(self, record, names, tensors, series_of):
        """Records those of the tensors that a GPU can look at, and returns names and tensors of the others.
        `series_of`: name, type code, tensor -> id of the series."""
        if self._off or not in_use():
            return names, tensors
        others, kept, by_device = [], [], {}
        for entry in zip(names, tensors):
            name, tensor = entry
            found = strided(tensor)
            device = None if found is None else device_of(found[0])
            if device is None:
                others.append(entry)
                continue
            values, code = found[0].resolve_neg().contiguous(), found[1]
            kept.append(values)  # a copy is needed until the stream has it
            batch, entries = by_device.setdefault(device, ([], []))
            batch += (values.data_ptr(), values.numel(), series_of(name, code, tensor) | code << 32)
            entries.append(entry)
        for device, (batch, entries) in by_device.items():
            if self._off or not record.cuda_tensors(batch, device, stream_of(device)):
                self._turn_off(record)
                others += entries
        return [name for name, _tensor in others], [tensor for _name, tensor in others]

    def _turn_off(self, record):
        if not self._off:
            self._off = True
            sys.stderr.write("pawl: tensors on GPUs are copied to the host for their statistics: %s\n"
                             % record.cuda_error())
