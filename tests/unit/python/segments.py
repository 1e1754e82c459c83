"""Reads trace segments, for the tests. Written from schema/trace.md, and shares no code with what writes them."""

import collections
import pathlib
import struct

SYNC = b"\xf5PWL"
HEADER, SERIES, STEP_BEGIN, SCALAR, STATS, STEP_END, DROPPED, END = range(1, 9)
RAW, SPAN, BATCH, HASH, REQUEST, AVAILABLE, FINE = range(16, 23)
KINDS = ("scalar", "loss", "weight", "bias", "gradient", "activation", "update", "input", "optimizer_state",
         "local_gradient", "unclipped_gradient", "span", "batch", "hash")

Series = collections.namedtuple("Series", "name kind dtype shape")
Span = collections.namedtuple("Span", "begin end")
Batch = collections.namedtuple("Batch", "digest examples labels")
Fine = collections.namedtuple("Fine", "sampled bins")
Request = collections.namedtuple("Request", "step generation own text")
Stats = collections.namedtuple("Stats", "count nan inf zero min max sum abs_sum square_sum magnitude")


def _crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _crc_table()


def crc32c(data, crc=0):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


class Step:
    def __init__(self, number, mode):
        self.number, self.mode, self.ended = number, mode, False
        self.values = {}  # (kind, name) -> number or Stats, digest of a hash
        self.lists = collections.defaultdict(list)  # (kind, name) -> Spans or Batches
        self.raw = {}  # (kind, name) -> safetensors document
        self.fine = {}  # (kind, name) -> Fine

    def kinds(self):
        return {kind for kind, _ in self.values}


class Rank:
    """Everything that the processes of one rank left."""

    def __init__(self):
        self.processes = []  # (pid, start) in order of appearance
        self.world_size = self.producer = self.dropped = None
        self.steps = []
        self.open = []  # the step begun last, behind the one that it interrupts
        self.requests = []
        self.series = {}  # (kind, name) -> Series
        self.closed = False

    def curve(self, kind, name, mode=0):
        """step -> value"""
        return {step.number: step.values[kind, name] for step in self.steps
                if step.mode == mode and (kind, name) in step.values}


def read_trace(directory):
    """rank -> Rank"""
    ranks = {}
    for path in sorted(pathlib.Path(directory).glob("rank-*/*.seg")):
        number = int(path.parent.name[5:])
        _read_segment(path.read_bytes(), number, ranks.setdefault(number, Rank()))
    for rank in ranks.values():
        # The next step begins when one ends: after the last one that is a step in which nothing happened.
        rank.steps = [step for step in rank.steps if step.ended or step.values or step.lists]
    return ranks


def _frames(data):
    at = 0
    while at < len(data):
        if len(data) - at < 16:
            raise ValueError("%d stray bytes at the end" % (len(data) - at))
        sync, length, kind, check, crc = struct.unpack_from("<4sIHHI", data, at)
        payload = data[at + 16:at + 16 + length]
        if sync != SYNC or check != crc32c(data[at:at + 10]) & 0xFFFF:
            raise ValueError("no frame at offset %d" % at)
        if len(payload) != length or crc != crc32c(payload, crc32c(data[at:at + 12])):
            raise ValueError("a damaged frame at offset %d" % at)
        yield kind, payload
        at += 16 + length


def _read_segment(data, number, rank):
    ids = {}
    for kind, payload in _frames(data):
        if kind == HEADER:
            version, in_file, rank.world_size, pid, start = struct.unpack_from("<IIIIQ", payload)
            length, = struct.unpack_from("<I", payload, 44)
            if (version, in_file) != (1, number):
                raise ValueError("version %d, rank %d in the folder of rank %d" % (version, in_file, number))
            rank.producer = payload[48:48 + length].decode()
            if (pid, start) not in rank.processes:
                rank.processes.append((pid, start))
            rank.closed = False
        elif kind == SERIES:
            series_id, kind_number, dtype, dims, length = struct.unpack_from("<IHHII", payload)
            shape = struct.unpack_from("<%dq" % dims, payload, 16)
            name = payload[16 + 8 * dims:16 + 8 * dims + length].decode()
            ids[series_id] = Series(name, KINDS[kind_number], dtype, shape)
            rank.series[ids[series_id].kind, name] = ids[series_id]
        elif kind == STEP_BEGIN:
            step = Step(*struct.unpack_from("<QI", payload))
            if not rank.open or (step.number, step.mode) != (rank.open[-1].number, rank.open[-1].mode):
                rank.steps.append(step)
                rank.open = rank.open + [step] if step.mode == 1 else [step]
        elif kind == SCALAR:
            series_id, value = struct.unpack_from("<I4xd", payload)
            _add(rank, ids[series_id], value)
        elif kind == STATS:
            fields = struct.unpack_from("<I4x4Q5d16Q", payload)
            _add(rank, ids[fields[0]], Stats(*fields[1:10], fields[10:]))
        elif kind == SPAN:
            series_id, begin, end = struct.unpack_from("<I4xQQ", payload)
            rank.steps[-1].lists[_key(ids[series_id])].append(Span(begin, end))
        elif kind == BATCH:
            series_id, classes, digest, examples = struct.unpack_from("<IIQQ", payload)
            labels = struct.unpack_from("<%dQ" % classes, payload, 24)
            rank.steps[-1].lists[_key(ids[series_id])].append(Batch(digest, examples, labels))
        elif kind == HASH:
            series_id, digest = struct.unpack_from("<I4xQ", payload)
            _add(rank, ids[series_id], digest)
        elif kind == RAW:
            series_id, length, total, offset = struct.unpack_from("<IIQQ", payload)
            raw, key = rank.steps[-1].raw, _key(ids[series_id])
            if len(raw.get(key, b"")) != offset:
                raise ValueError("a piece of a raw tensor is missing")
            raw[key] = raw.get(key, b"") + payload[24:24 + length]
        elif kind == FINE:
            series_id, bins, sampled = struct.unpack_from("<IIQ", payload)
            rank.steps[-1].fine[_key(ids[series_id])] = Fine(sampled, struct.unpack_from("<%dI" % bins, payload, 16))
        elif kind == REQUEST:
            generation, length, origin = struct.unpack_from("<QII", payload)
            rank.requests.append(Request(rank.steps[-1].number, generation, origin == 1,
                                         payload[16:16 + length].decode()))
        elif kind == STEP_END:
            if struct.unpack_from("<Q", payload)[0] != rank.open[-1].number:
                raise ValueError("a step ends that is not the one begun last")
            rank.open.pop().ended = True
        elif kind == END:
            rank.closed = True
            rank.dropped = struct.unpack_from("<16xQ", payload)[0]


def _key(series):
    return series.kind, series.name


def _add(rank, series, value):
    values = rank.open[-1].values
    if (series.kind, series.name) in values:
        raise ValueError("step %d has two values of %s %s" % (rank.open[-1].number, series.kind, series.name))
    values[series.kind, series.name] = value
