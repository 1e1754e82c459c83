"""Where the trace of a run lies, and whether it still grows. The layout is that of ARCHITECTURE.md."""

import fcntl
import json
import os
import pathlib
import re
import shlex
import sqlite3
import time
import urllib.parse

from ._errors import NoSuchRun, NoTrace, TraceError

GONE_S = 10  # a supervisor that has just been started, or started again, takes its lock within this


def connect(path):
    """A read-only connection. Its errors are sqlite3.Error."""
    address = "file:%s?mode=ro" % urllib.parse.quote(str(path))
    return sqlite3.connect(address, uri=True, check_same_thread=False)


class Attempt:
    """One try at a stage: the folder of trace.db and, unless that was copied alone, of what its supervisor keeps."""

    def __init__(self, folder, database=None):
        self.folder = pathlib.Path(folder)
        self.database = pathlib.Path(database) if database else self.folder / "trace.db"
        self._gone_since = None

    def end(self):
        """Why nothing more will come, in words; None while something may. Ask first, then read: the last rows are
        written before the end shows."""
        try:
            result = json.loads((self.folder / "result.json").read_text())
            return "the training has ended (%s)" % (result.get("reason") or result.get("outcome"))
        except (OSError, ValueError):
            pass  # there is none yet: it appears in one step
        if not (self.folder / "intent.json").exists():
            return "no running training belongs to %s" % self.database
        if self._is_supervised():
            self._gone_since = None
            return None
        now = time.monotonic()
        self._gone_since = self._gone_since or now
        return "the supervisor of the training is gone" if now - self._gone_since > GONE_S else None

    def _is_supervised(self):
        try:
            with open(self.folder / "lock", "rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False


def find_attempt(run, home=None, stage=None):
    """`run` is the path of an attempt or of a trace.db, or a run as the command line takes it."""
    is_name = isinstance(run, int) or re.fullmatch(r"#?\d+|last", str(run)) and not isinstance(run, os.PathLike)
    if not is_name and os.path.exists(run):
        return _at_path(pathlib.Path(run))
    if isinstance(run, os.PathLike):
        raise NoTrace("there is no %s" % run)
    return _of_run(_home(home), str(run), stage)


def _at_path(path):
    if path.is_file():
        return Attempt(path.absolute().parent, path)
    if not (path / "trace.db").exists() and not (path / "intent.json").exists():
        if (path / "trace").is_dir():
            raise NoTrace("what a Hook has recorded in %s is not in a trace.db yet: pawl trace rebuild %s"
                          % (path, shlex.quote(str(path))))
        raise NoTrace("%s is no attempt of a stage: such a folder is runs/<run>/<stage>/<attempt> of a home" % path)
    return Attempt(path)


def _home(home):
    if home is None:
        home = os.environ.get("PAWL_HOME")
        if not home and os.environ.get("XDG_DATA_HOME"):
            home = os.path.join(os.environ["XDG_DATA_HOME"], "pawl")
    home = pathlib.Path(home or pathlib.Path.home() / ".local/share/pawl")
    if not (home / "pawl.db").exists():
        raise NoSuchRun("there is no record in %s: say home=, or set PAWL_HOME" % home)
    return home


def _of_run(home, name, stage):
    try:
        record = connect(home / "pawl.db")
        try:
            run, number = _look_up(record, name)
            attempts = record.execute(
                "SELECT a.stage, a.number FROM attempts a JOIN stages s ON s.run_id = a.run_id AND s.name = a.stage"
                " WHERE a.run_id = ? ORDER BY s.position, a.number", (run,)).fetchall()
        finally:
            record.close()
    except sqlite3.Error as error:
        raise TraceError("%s/pawl.db: %s" % (home, error)) from error
    stages = sorted({known for known, _ in attempts})
    if stage is not None and stage not in stages:
        started = ", ".join(stages) or "none"
        raise NoTrace("run %d has started no stage %r; it has started: %s" % (number, stage, started))
    places = [Attempt(home / "runs" / run / of / str(attempt)) for of, attempt in attempts if stage in (None, of)]
    recorded = [place for place in places if place.database.exists()] or [place for place in places if not place.end()]
    if not recorded:
        raise NoTrace("run %d has no trace on this machine" % number)
    return recorded[-1]


def _look_up(record, name):
    """(id, number) of the run that `pawl show NAME` would show."""
    found = []
    if name == "last":
        found = _runs(record, "event_key NOT LIKE 'trial:%' ORDER BY number DESC LIMIT 1")
    elif re.fullmatch(r"#?\d{1,9}", name):
        found = _runs(record, "number = ?", int(name.lstrip("#")))
    if not found and re.fullmatch("[0-9a-f]{7,40}", name):
        found = _runs(record, "substr(commit_sha, 1, ?) = ? ORDER BY number DESC LIMIT 1", len(name), name)
    elif not found and len(name) >= 6:
        found = _runs(record, "substr(id, 1, ?) = ? LIMIT 2", len(name), name)
    if len(found) != 1:
        raise NoSuchRun("%r fits several runs: write more of the id" % name if found else "there is no run %r" % name)
    return found[0]


def _runs(record, where, *values):
    return record.execute("SELECT id, number FROM runs WHERE " + where, values).fetchall()
