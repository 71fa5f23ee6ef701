"""What can go wrong in an export.

ExportError
├── CheckpointError   the checkpoint is missing, unreadable or not PanEcho's
├── RepositoryError   the model repository cannot be written or is not ours
├── TaskError         a task that the release does not have
├── ValidationError   the exported model differs from the eager one by more than is allowed
└── VariantError      the choices do not go together
"""


class ExportError(Exception):
    """Anything that stops an export; its text says what to do."""


class CheckpointError(ExportError):
    """The checkpoint is missing, unreadable or not PanEcho's."""


class RepositoryError(ExportError):
    """The model repository cannot be written, or a file of it is not as this package renders it."""


class TaskError(ExportError):
    """The release has no task of that name; the text names those that are close."""


class ValidationError(ExportError):
    """The exported model differs from the eager FP32 model by more than is allowed, or the two cannot be compared."""


class VariantError(ExportError):
    """What is to be exported does not go together."""
