"""What can go wrong in an export.

ExportError
├── ExportRepositoryError   the model repository cannot be written or is not ours
├── ValidationError         the exported model differs from the eager one by more than is allowed
└── VariantError            the choices do not go together

Errors of ``panecho_model`` stop an export too: a ``CheckpointError``, a ``TaskError``.
"""


class ExportError(Exception):
    """Anything that stops an export; its text says what to do."""


class ExportRepositoryError(ExportError):
    """The model repository cannot be written, or a file of it is not as this package renders it."""


class ValidationError(ExportError):
    """The exported model differs from the eager FP32 model by more than is allowed, or the two cannot be compared."""


class VariantError(ExportError):
    """What is to be exported does not go together."""
