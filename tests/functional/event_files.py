"""Reads and writes TensorBoard's event files, from the specifications of TFRecord and of the protobuf wire format alone."""

import pathlib
import struct

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(crc):
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def records(data):
    """The whole records of a file that may still grow."""
    at = 0
    while at + 12 <= len(data):
        length, length_crc = struct.unpack_from("<QI", data, at)
        assert length_crc == masked(crc32c(data[at:at + 8])), f"wrong CRC of the length at {at}"
        if at + 16 + length > len(data):
            return
        record = data[at + 12:at + 12 + length]
        assert masked(crc32c(record)) == struct.unpack_from("<I", data, at + 12 + length)[0], f"wrong CRC at {at}"
        at += 16 + length
        yield record


def fields(message):
    """(number, value) of every field, as the wire has it."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        key = varint()
        kind = key & 7
        if kind == VARINT:
            yield key >> 3, varint()
            continue
        size = {FIXED64: 8, FIXED32: 4}[kind] if kind != BYTES else varint()
        value = message[at:at + size]
        assert len(value) == size
        at += size
        yield key >> 3, value


def doubles(packed):
    return list(struct.unpack(f"<{len(packed) // 8}d", packed))


def summary_value(message):
    """(tag, number or histogram): tensorflow.Summary.Value."""
    value = dict(fields(message))
    tag = value[1].decode()
    if 2 in value:
        return tag, struct.unpack("<f", value[2])[0]
    histogram = dict(fields(value[5]))
    number = {key: doubles(histogram[key])[0] if key in histogram else 0.0 for key in (1, 2, 3)}
    return tag, {"min": number[1], "max": number[2], "num": number[3], "limits": doubles(histogram[6]),
                 "counts": doubles(histogram[7])}


def event(message):
    """tensorflow.Event as {wall_time, step, and one of version, values, status}."""
    found = dict(fields(message))
    out = {"wall_time": doubles(found[1])[0], "step": found.get(2, 0)}
    if 3 in found:
        out["version"] = found[3].decode()
    if 5 in found:
        values = [summary_value(value) for number, value in fields(found[5]) if number == 1]
        out["values"] = dict(values)
        assert len(out["values"]) == len(values), "no tag twice in an event"
    if 7 in found:
        out["status"] = dict(fields(found[7]))[1]
    return out


def read_folder(folder):
    """The events of the only event file in a folder; none when there is no folder."""
    files = list(pathlib.Path(folder).glob("*tfevents*"))
    assert len(files) <= 1, files
    return [event(record) for file in files for record in records(file.read_bytes())]


# ---- writing, for trainings that are none: this file is copied into their repositories --------------------------------


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def bytes_field(number, value):
    return varint(number << 3 | BYTES) + varint(len(value)) + value


def framed(message):
    length = struct.pack("<Q", len(message))
    return length + struct.pack("<I", masked(crc32c(length))) + message + struct.pack("<I", masked(crc32c(message)))


def scalar_event(step, wall_time, values, tensors=False):
    """tensorflow.Event with the scalars of one step: `simple_value`s, or tensors as TensorFlow 2 writes them."""
    summary = b""
    for tag, value in values.items():
        number = struct.pack("<f", value)
        if tensors:
            plugin = bytes_field(9, bytes_field(1, bytes_field(1, b"scalars")))
            said = plugin + bytes_field(8, varint(1 << 3) + varint(1) + bytes_field(2, b"") + bytes_field(4, number))
        else:
            said = varint(2 << 3 | FIXED32) + number
        summary += bytes_field(1, bytes_field(1, tag.encode()) + said)
    return varint(1 << 3 | FIXED64) + struct.pack("<d", wall_time) + varint(2 << 3) + varint(step) + bytes_field(5, summary)


def version_event(wall_time):
    return varint(1 << 3 | FIXED64) + struct.pack("<d", wall_time) + bytes_field(3, b"brain.Event:2")
