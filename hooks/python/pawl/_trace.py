"""Reading a trace back: the views of trace.db (docs/trace-db.md) as Python values. NumPy is needed for arrays only."""

import difflib
import json
import re
import sqlite3
import time

from ._attempt import connect
from ._safetensors import Damaged, read_value
from ._errors import AmbiguousTensor, NoSuchTensor, NotRecorded, NoTrace, TraceError, TrainingEnded

POLL_S = 0.1
NUMBERS = {"loss": "v1_losses", "scalar": "v1_scalars"}
COLLECTIONS = {"losses": "loss", "scalars": "scalar", "weights": "weight", "biases": "bias", "gradients": "gradient",
               "local_gradients": "local_gradient", "unclipped_gradients": "unclipped_gradient", "updates": "update",
               "optimizer_state": "optimizer_state", "activations": "activation", "inputs": "input", "spans": "span",
               "batches": "batch", "hashes": "hash"}
VIEWS = {"loss": "v1_losses", "scalar": "v1_scalars", "span": "v1_spans", "batch": "v1_batches", "hash": "v1_hashes"}
MODES = ("train", "eval")


class Trace:
    """What one attempt has recorded. Made by pawl.open(); close it, or use it in a `with`.

    Everything is looked up when it is asked for, so the same object tells more as the training goes on.
    """

    def __init__(self, attempt):
        self._attempt = attempt
        self._kept = None  # the connection, once nothing more is written
        self._closed = False
        if not attempt.database.exists() and attempt.end():
            has_segments = any(attempt.folder.glob("trace/*/*.seg"))
            raise NoTrace("%s is not there: %s" % (attempt.database, "`pawl trace rebuild RUN` makes it again"
                                                   if has_segments else "the training has recorded nothing"))
        self._rows("SELECT 1 FROM v1_steps LIMIT 1")  # a file that is no trace.db is told of here

    @property
    def path(self):
        """Where the trace.db is, or will be."""
        return self._attempt.database

    def tensors(self, pattern=None, collection=None):
        """Names of what was recorded, losses and scalars too, in the order of their first record.

        `pattern` is a regular expression that is found anywhere in the name; `collection` one of those that
        `debug:` of the pipeline knows (losses, scalars, weights, gradients, activations, hashes, ...).
        """
        if collection is not None and collection not in COLLECTIONS:
            raise ValueError("no collection %r; they are: %s" % (collection, ", ".join(COLLECTIONS)))
        names = dict.fromkeys(name for name, kind, _, _ in self._series()
                              if collection is None or kind == COLLECTIONS[collection])
        return [name for name in names if pattern is None or re.search(pattern, name)]

    def tensor(self, name, kind=None):
        """The series of this name. `kind` (loss, scalar, weight, bias, gradient, activation, hash, ...) is needed when
        several have it: a parameter and its gradient do."""
        series = self._series()
        found = [one for one in series if one[0] == name and kind in (None, one[1])]
        if not found:
            raise NoSuchTensor(self._missing(name, kind, series))
        if len(found) > 1:
            kinds = [one[1] for one in found]
            raise AmbiguousTensor("%r was recorded as %s: say which, for example kind=%r"
                                  % (name, " and ".join(kinds), kinds[-1]))
        return Tensor(self, *found[0])

    def steps(self, rank=None, mode="train"):
        """The numbers of the steps that were completed, ascending: by `rank`, or by any rank."""
        _check_mode(mode)
        sql = "SELECT DISTINCT step FROM v1_steps WHERE mode = ?1 AND (?2 IS NULL OR rank = ?2) ORDER BY step"
        return [step for step, in self._rows(sql, mode, rank)]

    def spans(self, rank=None, mode="train"):
        """Where the steps spent their time, as NumPy arrays `name`, `step`, `rank`, `begin` and `end`, in seconds of
        the monotonic clock of the rank."""
        columns = {"name": "U", "step": "i8", "rank": "i8", "begin_s": "f8", "end_s": "f8"}
        arrays = _arrays(self._select("v1_spans", columns, {"mode": mode, "rank": rank}, ", v.begin_s"), columns)
        arrays["begin"], arrays["end"] = arrays.pop("begin_s"), arrays.pop("end_s")
        return arrays

    def batches(self, rank=None, mode="train"):
        """Which examples the steps were given, as a list of dicts, ascending by step, then rank: `name`, `step`,
        `rank`, `part` (a step may take several batches), `digest`, `examples` and `label_counts`, which says how many
        examples have a label for each that occurs; None without labels. The same digest means the same examples."""
        columns = ("name", "step", "rank", "part", "digest", "examples", "label_counts")
        rows = self._select("v1_batches", columns, {"mode": mode, "rank": rank}, ", v.name, v.part")
        batches = [dict(zip(columns, row)) for row in rows]
        for batch in batches:
            if batch["label_counts"] is not None:
                counts = json.loads(batch["label_counts"])
                batch["label_counts"] = {int(label): count for label, count in counts.items()}
        return batches

    def details_from(self):
        """The first step from which on all statistics and values are there: older ones are deleted when trace.db has
        grown too large. 0 when all are."""
        rows = self._rows("SELECT value FROM v1_meta WHERE key = 'details_from'")
        return int(rows[0][0]) if rows else 0

    def wait_for_step(self, step, timeout=None):
        """Waits until training has completed `step`, and returns the newest completed step.

        TrainingEnded: it ended before; TimeoutError: it has not come so far in `timeout` seconds.
        """
        start = time.monotonic()
        while True:
            end = self._attempt.end()
            newest = self._rows("SELECT step FROM v1_steps WHERE mode = 'train' ORDER BY step DESC LIMIT 1")
            if newest and newest[0][0] >= step:
                return newest[0][0]
            reached = "at step %d" % newest[0][0] if newest else "before its first step"
            if end:
                raise TrainingEnded("step %d will not come: %s, %s" % (step, end, reached))
            left = POLL_S if timeout is None else start + timeout - time.monotonic()
            if left <= 0:
                raise TimeoutError("the training is still %s after %g s, not at step %d" % (reached, timeout, step))
            time.sleep(min(POLL_S, left))

    def close(self):
        self._closed = True
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __repr__(self):
        return "<pawl trace %s>" % self.path

    def _select(self, view, columns, wanted, order=""):
        """Rows of a view in the steps that are there: asked for one by one, what others recorded is not read."""
        _check_mode(wanted["mode"])
        wanted = {column: value for column, value in wanted.items() if value is not None}
        where, values = [], []
        for column, value in wanted.items():
            if column == "series":
                where.append("v.series = (SELECT id FROM v1_series WHERE name = ? AND kind = ?)")
                values += value
            else:
                where += ["v.%s = ?" % column, "p.%s = ?" % column]
                values += [value, value]
        return self._rows("SELECT %s FROM v1_recorded p CROSS JOIN %s v ON v.step = p.step AND v.rank = p.rank WHERE %s"
                          " ORDER BY p.step, p.rank%s" % (", ".join("v." + column for column in columns), view,
                                                           " AND ".join(where), order), *values)

    def _series(self):
        return self._rows("SELECT name, kind, dtype, shape FROM v1_series ORDER BY id")

    def _missing(self, name, kind, series):
        kinds = [one[1] for one in series if one[0] == name]
        if kinds:
            return "%r was not recorded as %s, but as %s" % (name, kind, " and ".join(kinds))
        near = difflib.get_close_matches(name, dict.fromkeys(one[0] for one in series), n=3)
        text = "nothing of the name %r was recorded" % name
        if near:
            return text + "; did you mean %s?" % " or ".join(map(repr, near))
        return text + ("" if self._attempt.end() else " so far") + ": tensors() lists what was"

    def _rows(self, sql, *values):
        """Rows of a query; none while the training has not written its first step."""
        if self._closed:
            raise ValueError("the trace is closed")
        ended = self._kept is not None or self._attempt.end() is not None
        try:
            # A connection that stays open would keep the supervisor from leaving a single file when it is done.
            connection = self._kept or connect(self.path)
            try:
                if connection.execute("PRAGMA user_version").fetchone() == (0,) and not ended:
                    return []  # is being made
                return connection.execute(sql, values).fetchall()
            finally:
                if ended:
                    self._kept = connection
                else:
                    connection.close()
        except sqlite3.Error as error:
            if not ended and not self.path.exists():
                return []
            is_old = str(error).startswith("no such")
            hint = "; `pawl trace rebuild RUN` makes it as this version of Pawl knows it" if is_old else ""
            raise TraceError("%s: %s%s" % (self.path, error, hint)) from error


class Tensor:
    """One series: a loss or scalar, a number by step; or a tensor, of which each step has statistics."""

    def __init__(self, trace, name, kind, dtype, shape):
        self._trace = trace
        self.name, self.kind, self.dtype, self.shape = name, kind, dtype, tuple(json.loads(shape))

    def __repr__(self):
        return "<%s %s %s%s>" % (self.kind, self.name, self.dtype, list(self.shape))

    def steps(self, rank=None, mode="train"):
        """The steps in which it was recorded, ascending: by `rank`, or by any rank."""
        return sorted({step for step, in self._select("step", rank, mode)})

    def value(self, step, rank=0, mode="train"):
        """What was recorded in `step`: the number of a loss or scalar, the digest of a hash, and the elements of a
        tensor as a NumPy array, where they were recorded (`raw` of the collection)."""
        self._has("step by step", "loss", "scalar", "hash", *self._tensor_kinds())
        if self.kind in NUMBERS:
            number = self._one("value", rank, mode, step)[0]
            return float("nan") if number is None else number
        if self.kind == "hash":
            return self._one("digest", rank, mode, step)[0]
        size, data = self._one("bytes, data", rank, mode, step, "v1_values")
        try:
            return read_value(size, data)
        except Damaged as error:
            raise TraceError("the elements of %s %s in step %d of rank %d are damaged: %s"
                             % (self.kind, self.name, step, rank, error)) from error

    def values(self, rank=None, mode="train"):
        """All numbers, or digests of a hash, as NumPy arrays `step`, `rank` and `value`, ascending by step, then
        rank."""
        self._has("a number or hash in each step", "loss", "scalar", "hash")
        if self.kind == "hash":
            arrays = self._arrays({"step": "i8", "rank": "i8", "digest": "U16"}, rank, mode)
            arrays["value"] = arrays.pop("digest")
            return arrays
        return self._arrays({"step": "i8", "rank": "i8", "value": "f8"}, rank, mode)

    def stats(self, rank=None, mode="train"):
        """Statistics as NumPy arrays with one entry for each step and rank, ascending by step, then rank.

        `min`, `max`, `mean`, `rms` and `l2` are over the finite elements, `nan`, `inf` and `count` are numbers of
        elements, `zero_share` is a share of all. `magnitude` has 16 columns: column k counts the elements with
        floor(log2 |x|) in [2k-20, 2k-18), the first and the last those below and above too.
        """
        if self.kind in NUMBERS:
            raise NotRecorded("%s %s is a number in each step: use values()" % (self.kind, self.name))
        self._has("a tensor", *self._tensor_kinds())
        columns = {"step": "i8", "rank": "i8", "min": "f8", "max": "f8", "mean": "f8", "rms": "f8", "l2": "f8",
                   "nan": "i8", "inf": "i8", "count": "i8", "zero_share": "f8", "magnitude": None}
        return self._arrays(columns, rank, mode)

    def fine_histogram(self, step, rank=0, mode="train"):
        """How many of a sample of the elements are in each of 256 bins, where that was recorded (`fine` of the
        collection): a NumPy array. The bins are those of pawl_fine_histogram in pawl/capture.h."""
        import numpy

        self._has("a tensor", *self._tensor_kinds())
        bins, = self._one("bins", rank, mode, step, "v1_fine_histograms")
        return numpy.frombuffer(bins, "<u4").astype("u4")

    def _tensor_kinds(self):
        return set(COLLECTIONS.values()) - set(VIEWS)

    def _has(self, what, *kinds):
        if self.kind in kinds:
            return
        where = {"span": "spans() of the trace", "batch": "batches() of the trace",
                 "hash": "values()"}.get(self.kind, "stats()")
        raise NotRecorded("%s %s is not %s: %s has what was recorded" % (self.kind, self.name, what, where))

    def _one(self, columns, rank, mode, step, view=None):
        rows = self._select(columns, rank, mode, step, view)
        if rows:
            return rows[0]
        if view == "v1_values" and not self._select("step", rank, mode, None, view):
            raise NotRecorded("of %s %s statistics are recorded, not its elements: stats() has them by step; `raw` of"
                              " the collection records small tensors whole" % (self.kind, self.name))
        steps = sorted({step for step, in self._select("step", rank, mode, None, view)})
        known = "steps %d to %d are" % (steps[0], steps[-1]) if steps else "no step is"
        raise NotRecorded("%s %s has no value in step %d of rank %d; %s recorded there"
                          % (self.kind, self.name, step, rank, known))

    def _arrays(self, columns, rank, mode):
        return _arrays(self._select(", ".join(columns), rank, mode), columns)

    def _select(self, columns, rank, mode, step=None, view=None):
        wanted = {"series": (self.name, self.kind), "mode": mode, "rank": rank, "step": step}
        return self._trace._select(view or VIEWS.get(self.kind, "v1_tensors"), columns.split(", "), wanted)


def _arrays(rows, columns):
    import numpy

    by_column = zip(*rows) if rows else ((),) * len(columns)
    arrays = {}
    for (column, dtype), values in zip(columns.items(), by_column):
        if dtype is None:
            arrays[column] = numpy.frombuffer(b"".join(values), "<u8").astype("u8").reshape(len(values), 16)
        else:
            arrays[column] = numpy.array(values, dtype)  # None, which is NaN, becomes it
    return arrays


def _check_mode(mode):
    if mode not in MODES:
        raise ValueError("no mode %r; they are: %s" % (mode, ", ".join(MODES)))
