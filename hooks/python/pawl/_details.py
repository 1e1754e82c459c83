"""What a request asks for beyond statistics: the values of small tensors, and finer histograms."""

from ._tensors import on_host


def record_details(record, detail, kind, names, tensors):
    """`detail`: see CaptureRequest.detail()."""
    for name, tensor in zip(names, tensors):
        with_values = detail.raw is not None and 0 < tensor.numel() * tensor.element_size() <= detail.raw
        host = on_host(tensor) if with_values or detail.fine else None
        if host is None:
            continue
        values, code = host[0].contiguous(), host[1]
        if with_values:
            record.values(name, kind, code, tuple(values.shape), values.data_ptr())
        if detail.fine:
            record.fine_histogram(name, kind, code, tuple(tensor.shape), values.data_ptr(), values.numel())
