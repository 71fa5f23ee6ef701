"""What can go wrong with the model.

ModelError
├── CheckpointError   the checkpoint is missing, unreadable or not PanEcho's
├── InputError        the module was given something else than clips
├── DownloadError     the released weights cannot be fetched, or their licence is not accepted
└── TaskError         a task that the release does not have
"""


class ModelError(Exception):
    """The base of this package's errors; the text says what to do."""


class CheckpointError(ModelError):
    """The checkpoint is missing, unreadable or not PanEcho's."""


class TaskError(ModelError):
    """The release has no task of that name; the text names those that are close."""


class InputError(ModelError, ValueError):
    """The module was given something else than clips, or options that exclude each other."""


class DownloadError(ModelError):
    """The released weights cannot be fetched, or their licence is not accepted; the text says what to do."""
