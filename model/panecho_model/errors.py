"""What can go wrong with the model.

ModelError
├── CheckpointError   the checkpoint is missing, unreadable or not PanEcho's
└── TaskError         a task that the release does not have
"""


class ModelError(Exception):
    """The base of this package's errors; the text says what to do."""


class CheckpointError(ModelError):
    """The checkpoint is missing, unreadable or not PanEcho's."""


class TaskError(ModelError):
    """The release has no task of that name; the text names those that are close."""
