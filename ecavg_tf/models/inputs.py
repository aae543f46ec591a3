"""What a model is given where it is called outside of training."""

import contextlib
import re
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from ecavg_tf.core.errors import DataError
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import DataSpec

_LARGEST = np.iinfo(np.int32).max
_NOT_IN = re.compile(r"= (-?\d+) is not in \[0, (\d+)\)")


def for_model(inputs: Array) -> Array:
    """Inputs as a model takes them.

    Rows of whole numbers may be token ids: they stay whole, as int32. All others become float32,
    which a model's first layer would make of them; so do numbers that are too large for ids.

    Args:
        inputs: shape (n, …), in the data set's native dtype.
    """
    whole = inputs.ndim == 2 and np.issubdtype(inputs.dtype, np.integer)
    if whole and int(inputs.min(initial=0)) >= -_LARGEST and int(inputs.max(initial=0)) <= _LARGEST:
        return inputs.astype(np.int32, copy=False)
    return inputs.astype(np.float32, copy=False)


def lowest_and_highest(spec: DataSpec) -> Array:
    """Two inputs as a model takes them: all at the lowest values, and all at the highest."""
    ends = [np.broadcast_to(end, spec.input_shape) for end in spec.bounds]
    return for_model(np.stack(ends).astype(spec.dtype))


def two_inputs(spec: DataSpec) -> Array:
    """Two inputs to try a model on, of noise.

    Rows of whole numbers are the lowest and the highest: a vocabulary may be too small for them.
    """
    if spec.may_be_tokens:
        return lowest_and_highest(spec)
    return for_model(np.random.default_rng(0).uniform(*spec.bounds, (2, *spec.input_shape)))


@contextlib.contextmanager
def token_ids() -> Iterator[None]:
    """While it lasts, TensorFlow's error of an id beyond the vocabulary says how to mend it.

    Raises:
        DataError: there was such an id.
    """
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        found = _NOT_IN.search(str(error))
        if found is None:
            raise
        raise DataError(
            f"the data has token id {found[1]}, the model's vocabulary ends at "
            f"{int(found[2]) - 1}; make it larger, or give all unknown words one id in it"
        ) from error
