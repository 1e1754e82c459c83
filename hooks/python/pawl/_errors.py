"""What can go wrong when a trace is read. Every message says what to do about it, where something can be done."""


class TraceError(Exception):
    """Any of the following, or a trace.db that cannot be read."""


class NoSuchRun(TraceError, LookupError):
    """No run of this name is on record, or no home."""


class NoTrace(TraceError, LookupError):
    """The run, or what lies at the path, has recorded nothing."""


class NoSuchTensor(TraceError, LookupError):
    """No series of this name and kind has been recorded (yet)."""


class AmbiguousTensor(TraceError, LookupError):
    """Several kinds of series have the name: a parameter, its gradient, its update."""


class NotRecorded(TraceError, LookupError):
    """The series is there, but not what was asked of it."""


class TrainingEnded(TraceError):
    """The training has ended, and will not come to the step that was waited for."""
