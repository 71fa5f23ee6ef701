"""What can go wrong in an export.

ExportError
├── CheckpointError   the checkpoint is missing, unreadable or not PanEcho's
└── RepositoryError   the model repository cannot be written or is not ours
"""


class ExportError(Exception):
    """Anything that stops an export; its text says what to do."""


class CheckpointError(ExportError):
    """The checkpoint is missing, unreadable or not PanEcho's."""


class RepositoryError(ExportError):
    """The model repository cannot be written, or a file of it is not as this package renders it."""
