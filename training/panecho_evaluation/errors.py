"""Errors of the evaluation."""

__all__ = ["EvaluationError"]


class EvaluationError(ValueError):
    """Results, labels or settings that cannot be evaluated; the text says what is wrong and what to do."""
