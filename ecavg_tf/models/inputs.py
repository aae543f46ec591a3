"""What a model is given where it is called outside of training."""

import numpy as np

from ecavg_tf.core.template import Array

_LARGEST = np.iinfo(np.int32).max


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
