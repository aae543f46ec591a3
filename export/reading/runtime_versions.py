"""Which TensorFlow Lite runtime first had a version of an operator.

The facts are those of TensorFlow's ``lite/tools/versioning/runtime_version.cc``, for the
operators that image classifiers convert to: the n-th release on a line is that of the
operator's version n.
"""

from collections.abc import Iterable

_RELEASES = {
    "ADD": "1.5 1.14 2.4 2.6 2.13",
    "AVERAGE_POOL_2D": "1.5 1.14 2.3",
    "BATCH_MATMUL": "2.3 2.3 2.4 2.5",
    "CAST": "1.5 2.7 2.8 2.9 2.12 2.15 2.17",
    "CONCATENATION": "1.5 1.14 2.3 2.14",
    "CONV_2D": "1.5 1.14 1.14 2.3 2.4 2.9 2.11 2.15",
    "DEPTHWISE_CONV_2D": "1.5 1.12 1.14 2.2 2.3 2.3 2.11",
    "DEQUANTIZE": "1.13.1 1.14 1.15 2.2 2.7 2.18",
    "DIV": "1.6 2.3",
    "ELU": "1.14",
    "EXP": "1.7 2.12",
    "EXPAND_DIMS": "1.10",
    "FULLY_CONNECTED": "1.5 1.10 1.14 1.14 2.0 2.1 2.3 2.3 2.3 2.11 2.15 2.17 2.18",
    "GELU": "2.9 2.9",
    "HARD_SWISH": "1.15",
    "LEAKY_RELU": "1.13.1 2.3",
    "LOGISTIC": "1.14 1.14 2.3",
    "LOG_SOFTMAX": "1.14 1.14",
    "MAXIMUM": "1.14 1.14 2.3 2.3",
    "MAX_POOL_2D": "1.5 1.14 2.3",
    "MEAN": "1.6 1.14 2.4",
    "MINIMUM": "1.14 1.14 2.3 2.3",
    "MUL": "1.5 1.14 1.15 2.3 2.6 2.11 2.13",
    "NEG": "1.9",
    "PACK": "1.11 1.14 2.3 2.13",
    "PAD": "1.5 1.14 2.4 2.6",
    "PADV2": "1.9 1.14 2.4 2.6",
    "PRELU": "1.8",
    "QUANTIZE": "1.14 1.15 2.7",
    "REDUCE_MAX": "1.11 1.14 2.5",
    "RELU": "1.5 2.1 2.5",
    "RELU6": "1.5 1.14 2.5",
    "RESHAPE": "1.5",
    "RESIZE_BILINEAR": "1.7 1.14 2.2 2.5",
    "RESIZE_NEAREST_NEIGHBOR": "1.13.1 1.14 2.3 2.4",
    "RSQRT": "1.10 2.5 2.15",
    "SHAPE": "1.10",
    "SLICE": "1.14 1.14 1.14 2.4 2.5 2.14",
    "SOFTMAX": "1.5 1.14 2.3",
    "SPLIT": "1.5 1.14 1.14 2.3",
    "SQRT": "1.10",
    "SQUARED_DIFFERENCE": "1.13.1 2.5",
    "SQUEEZE": "1.6 2.5",
    "STRIDED_SLICE": "1.6 1.14 2.1 2.2 2.5 2.6 2.14 2.14",
    "SUB": "1.6 1.14 2.3 2.4 2.4",
    "SUM": "1.10 1.15",
    "TANH": "1.14 1.14 2.3",
    "TRANSPOSE": "1.6 1.14 1.15 2.3 2.4 2.12 2.14.4",
    "TRANSPOSE_CONV": "1.9 2.2 2.3 2.13 2.15",
}


def first_release(operator: str, version: int) -> str | None:
    """The oldest release with ``version`` of ``operator``; None when it is not known."""
    releases = _RELEASES.get(operator, "").split()
    if not 1 <= version <= len(releases):
        return None
    release = releases[version - 1]
    return release if release.count(".") == 2 else f"{release}.0"


def oldest_runtime(operators: Iterable[tuple[str, int]], declared: str | None) -> str | None:
    """The oldest release that has all of ``operators``.

    Args:
        operators: names with versions.
        declared: what the converter wrote into the file. It passes over operators that
            it does not know, so it can be too old, and is never believed against a
            newer one that is known.

    Returns:
        Like "2.14.0", or None where an operator is unknown and nothing was declared.
    """
    known = [first_release(name, version) for name, version in operators]
    releases = [release for release in known if release is not None]
    if declared and _order(declared):
        releases.append(declared)
    elif len(releases) < len(known):
        return None
    return max(releases, key=_order, default=None)


def _order(release: str) -> tuple[int, ...]:
    """What releases are sorted by; empty for a text that is not a release."""
    parts = release.split(".")
    if not all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts):
        return ()
    return tuple(map(int, parts))
