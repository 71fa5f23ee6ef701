"""How far predicted measurements are from the measured ones."""

import numpy as np

from panecho_evaluation.arrays import Counts, Floats, Metrics, divide, once, weighted_sums

__all__ = ["LIMITS_OF_AGREEMENT", "measurement_metrics"]

LIMITS_OF_AGREEMENT = 1.96
"""Standard deviations between bias and limit: 95 % of normal differences lie within (Bland and Altman, Lancet 1986)."""

ROUNDING = 1e-12
"""Share of a sum of squares that is rounding: labels that vary less are constant."""


def measurement_metrics(labels: Floats, predictions: Floats, counts: Counts | None = None) -> Metrics:
    """Return the metrics of a measurement, in its unit where they have one.

    With differences d = prediction - label and the mean over the n studies that have both:

    - ``mae``: mean of abs(d); ``mse``: mean of d²; ``rmse``: its root
    - ``r2``: 1 - sum(d²) / sum((label - mean label)²), the coefficient of determination. NaN for constant labels,
      where scikit-learn's ``r2_score`` gives 0 or 1
    - ``nmae``: mae / mean label
    - ``bias``: mean of d; ``sd``: standard deviation of d, with n - 1; ``loa_low`` and ``loa_high``: bias ∓ 1.96 sd,
      the limits of agreement (Bland and Altman, Lancet 1986; 327: 307-310)

    Args:
        labels: What was measured, [N]; NaN where it is missing.
        predictions: What the model says, [N].
        counts: How often each study is in each resample, [B, N].

    Returns:
        Each metric, [B].

    Example:
        >>> measurement_metrics(np.array([50.0, 60.0]), np.array([55.0, 59.0]))["mae"]
        array([3.])
    """
    counts = once(len(labels)) if counts is None else counts
    used = np.isfinite(labels) & np.isfinite(predictions)
    difference = predictions - labels
    # Sums of squares around the sample's means: around 0 they would lose digits.
    label_mean, bias = (float(np.mean(values[used])) if used.any() else 0.0 for values in (labels, difference))
    centred, offset = labels - label_mean, difference - bias
    terms = (used, np.abs(difference), difference**2, centred, centred**2, offset, offset**2)
    n, absolute, squared, label_sum, label_squares, offset_sum, offset_squares = weighted_sums(terms, counts, used)
    spread = label_squares - divide(label_sum**2, n)
    spread[spread <= ROUNDING * label_squares] = 0
    variance = divide(offset_squares - divide(offset_sum**2, n), np.where(n > 1, n - 1, 0))
    metrics = {
        "mae": divide(absolute, n),
        "mse": divide(squared, n),
        "r2": 1 - divide(squared, spread),
        "nmae": divide(absolute, n * label_mean + label_sum),
        "bias": bias + divide(offset_sum, n),
        "sd": np.sqrt(np.maximum(variance, 0)),
    }
    reach = LIMITS_OF_AGREEMENT * metrics["sd"]
    return metrics | {
        "rmse": np.sqrt(metrics["mse"]),
        "loa_low": metrics["bias"] - reach,
        "loa_high": metrics["bias"] + reach,
    }
