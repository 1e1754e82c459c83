"""Writes metrics.json and predictions.{csv,npy} of the stage contract. No torch, no numpy.

Values may be Python numbers and lists, tensors or arrays. Everything is checked before anything is written, and a
file appears whole or not at all. A model is one thing however many ranks train it: rank 0 writes, the calls of other
ranks are checked and have no effect.
"""

import csv
import io
import json
import math
import numbers
import os
import pathlib
import struct
import unicodedata

from ._environment import rank_and_world

_FIELDS = ("value", "direction", "unit", "n")
_MAX_NAME = 128


def output_dir():
    """PAWL_OUTPUT_DIR; outside a stage ./pawl-out."""
    return pathlib.Path(os.environ.get("PAWL_OUTPUT_DIR") or "pawl-out")


class Output:
    """The output folder of a stage, or any other folder. Raises ValueError or TypeError for what the gate would
    refuse, OSError when the disk does."""

    def __init__(self, directory=None):
        self.directory = output_dir() if directory is None else pathlib.Path(directory)

    def metrics(self, values):
        """Adds to metrics.json. `values` maps a name to a number or to a dict of `value` and optionally
        `direction` ("higher" or "lower" is better), `unit`, `n` (examples it was taken over)."""
        checked = {_name(name): _metric(name, value) for name, value in values.items()}
        path = self.directory / "metrics.json"
        if rank_and_world()[0] == 0:
            merged = json.loads(path.read_text("utf-8")) if path.exists() else {}
            merged.update(checked)
            self._write(path, (json.dumps(merged, indent=2, ensure_ascii=False) + "\n").encode())

    def predictions(self, ids, labels, predicted, scores=None, slices=None, npy=False):
        """Writes predictions.csv: one row per example of the test set. `ids` None numbers the rows; a label that is
        None is not known yet (a gate of conditions on n - o and d can do without some); `scores` is one
        sequence, or a dict of class to sequence; `slices` a dict of column name to sequence. `npy` writes
        predictions.npy instead: smaller, numbers only."""
        columns = _columns(ids, labels, predicted, scores, slices)
        if rank_and_world()[0] == 0:
            if npy:
                self._write(self.directory / "predictions.npy", _npy(columns))
            else:
                self._write(self.directory / "predictions.csv", _csv(columns))

    def _write(self, path, data):
        self.directory.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(".%s.%d" % (path.name, os.getpid()))
        try:
            with open(temporary, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _name(name):
    if not isinstance(name, str) or not 0 < len(name.encode()) <= _MAX_NAME or _has_control(name):
        raise ValueError("%r cannot be the name of a metric: 1 to %d bytes, no control characters" % (name, _MAX_NAME))
    return name


def _has_control(text):
    return any(unicodedata.category(character) == "Cc" for character in text)


def _metric(name, value):
    if not isinstance(value, dict):
        return _json_number(name, value)
    unknown = set(value) - set(_FIELDS)
    if unknown or "value" not in value:
        raise ValueError("metric %r needs `value` and may have %s; it has %s"
                         % (name, ", ".join(_FIELDS[1:]), ", ".join(map(str, value)) or "nothing"))
    if value.get("direction", "higher") not in ("higher", "lower"):
        raise ValueError("`direction` of metric %r must be \"higher\" or \"lower\"" % name)
    unit, n = value.get("unit", ""), _plain(value.get("n", 0))
    if not isinstance(unit, str) or len(unit.encode()) > _MAX_NAME or _has_control(unit):
        raise ValueError("`unit` of metric %r must be text of at most %d bytes" % (name, _MAX_NAME))
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise ValueError("`n` of metric %r must be a number of examples" % name)
    checked = dict(value, value=_json_number(name, value["value"]))
    return dict(checked, n=n) if "n" in value else checked


def _json_number(name, value):
    value = _plain(value)
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError("metric %r must be a number, not %s" % (name, type(value).__name__))
    return value if isinstance(value, int) else _spelled(float(value)) or float(value)


def _spelled(number):
    """JSON has no spelling of its own for these."""
    if math.isnan(number):
        return "NaN"
    return ("Infinity" if number > 0 else "-Infinity") if math.isinf(number) else None


def _plain(value):
    """Tensors and arrays of one element know their Python value."""
    return value.item() if hasattr(value, "item") else value


def _list(values):
    values = values.tolist() if hasattr(values, "tolist") else list(values)
    return [int(value) if isinstance(value, bool) else _plain(value) for value in values]


def _columns(ids, labels, predicted, scores, slices):
    """[(name, values)] in the order of the file."""
    labels = _list(labels)
    columns = [("id", list(range(len(labels))) if ids is None else _list(ids)), ("label", labels),
               ("prediction", _list(predicted))]
    if isinstance(scores, dict):
        columns += [("score_%s" % key, _list(values)) for key, values in scores.items()]
    elif scores is not None:
        columns.append(("score", _list(scores)))
    columns += [(name, _list(values)) for name, values in (slices or {}).items()]
    for position, (name, values) in enumerate(columns):
        _check_column(name, values, len(labels), text_allowed=not name.startswith("score"))
        if not name or name in [other for other, _ in columns[:position]]:
            raise ValueError("column %r is there twice or has no name" % name)
    if any(name.startswith("score") for name in slices or ()):
        raise ValueError("a slice column cannot be called like a score")
    spelled = {_text(value) for value in columns[0][1]}
    if not labels or len(spelled) != len(labels):
        raise ValueError("predictions need examples, each with an id of its own: %d rows, %d ids"
                         % (len(labels), len(spelled)))
    return columns


def _check_column(name, values, rows, text_allowed):
    if len(values) != rows:
        raise ValueError("column %r has %d values for %d rows" % (name, len(values), rows))
    for row, value in enumerate(values):
        if value is None and name == "label":
            continue
        if not isinstance(value, numbers.Real) and not (text_allowed and isinstance(value, str)):
            raise TypeError("column %r, row %d: %s is no %s" % (name, row, type(value).__name__,
                                                               "number or text" if text_allowed else "number"))
        if name in ("id", "label", "prediction") and not _text(value):
            raise ValueError("column %r, row %d is empty" % (name, row))


def _text(value):
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) else _spelled(float(value)) or repr(float(value))


def _csv(columns):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([name for name, _ in columns])
    writer.writerows(zip(*([_text(value) for value in values] for _, values in columns)))
    return text.getvalue().encode()


def _npy(columns):
    """A two-dimensional array, format version 1.0: int64 when every value is an integer, else float64."""
    values = [values for _, values in columns]
    if any(value is None or isinstance(value, str) for column in values for value in column):
        raise TypeError("predictions.npy holds numbers only; write predictions.csv")
    exact = all(isinstance(value, int) for column in values for value in column)
    limit = 2 ** 63 if exact else 2 ** 53
    if any(isinstance(value, int) and abs(value) >= limit for column in values for value in column):
        raise ValueError("predictions.npy cannot hold numbers this large exactly; write predictions.csv")
    header = "{'descr': '%s', 'fortran_order': False, 'shape': (%d, %d), }" % (
        "<i8" if exact else "<f8", len(values[0]), len(values))
    header += " " * (-(len(header) + 11) % 64) + "\n"
    pack = struct.Struct("<%d%s" % (len(values), "q" if exact else "d")).pack
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + b"".join(map(pack, *values))
