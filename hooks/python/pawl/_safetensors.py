"""The elements of a tensor out of trace.db: a safetensors document with one tensor, "value", as a zlib stream. It came
from a rank, so nothing in it is believed."""

import json
import struct
import zlib

MAX_BYTES = 64 << 20  # of a document
MAX_HEADER = 64 << 10
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2",
          "I8": "i1", "U8": "u1", "BOOL": "?"}


class Damaged(Exception):
    pass


def read_value(size, data):
    """The tensor as a NumPy array of its own; BF16, which NumPy does not have, as float32."""
    import numpy

    document = _inflate(size, data)
    dtype, shape, elements = _parse(document)
    array = numpy.frombuffer(elements, numpy.dtype(DTYPES[dtype])).reshape(shape)
    if dtype == "BF16":
        return (array.astype("u4") << 16).view("f4")
    return array.astype(array.dtype.newbyteorder("="))


def _inflate(size, data):
    if not 0 < size <= MAX_BYTES:
        raise Damaged("%d bytes are no tensor" % size)
    stream = zlib.decompressobj()
    try:
        document = stream.decompress(data, size)
        rest = stream.decompress(stream.unconsumed_tail, 1)
    except zlib.error as error:
        raise Damaged(str(error)) from error
    if len(document) != size or rest or not stream.eof:
        raise Damaged("they are not the %d bytes that were recorded" % size)
    return document


def _parse(document):
    """(dtype, shape, bytes of the elements)"""
    if len(document) < 8:
        raise Damaged("there is no header")
    length, = struct.unpack("<Q", document[:8])
    if length > min(MAX_HEADER, len(document) - 8):
        raise Damaged("the header is longer than the document, or than %d bytes" % MAX_HEADER)
    try:
        header = json.loads(document[8:8 + length].decode())
    except (ValueError, RecursionError) as error:
        raise Damaged("the header is no JSON: %s" % error) from error
    tensor = header.get("value") if isinstance(header, dict) else None
    if not isinstance(tensor, dict) or set(header) - {"value", "__metadata__"}:
        raise Damaged("the header has not one tensor, 'value'")
    dtype, shape, offsets = (tensor.get(key) for key in ("dtype", "shape", "data_offsets"))
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise Damaged("its dtype is unknown")
    if not _is_list_of_counts(shape) or len(shape) > 64:
        raise Damaged("its shape is none")
    elements = document[8 + length:]
    if not _is_list_of_counts(offsets) or offsets != [0, len(elements)]:
        raise Damaged("its data_offsets are not those of all that follows the header")
    wanted = 1 if DTYPES[dtype] == "?" else int(DTYPES[dtype][-1])
    for length in shape:
        wanted *= length
    if wanted != len(elements):
        raise Damaged("shape %s of %s does not take %d bytes" % (shape, dtype, len(elements)))
    return dtype, shape, elements


def _is_list_of_counts(value):
    return isinstance(value, list) and all(type(one) is int and 0 <= one <= MAX_BYTES for one in value)
