"""Feeding ``model.fit``: a tf.data pipeline in an order that the seed decides."""

import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ecavg_tf.data.dataset import Examples

_SMALL = 2**24  # bytes of all passes; with fewer, tracing a function takes longer than training


def batches(
    examples: Examples, orders: Sequence[NDArray[np.int64]], batch_size: int
) -> tf.data.Dataset:
    """Batches of (inputs, answers), one pass per order, one after the other.

    Every pass ends with its own short batch, if there is one. Inputs stay in their
    native dtype; the model casts them.

    Args:
        examples: what to gather from; held once in memory.
        orders: for each pass, the indices to visit, shape (n,); all of one length.
        batch_size: examples a batch.
    """
    if len(orders) * examples.inputs.nbytes <= _SMALL:
        return _gathered(examples, orders, batch_size)
    inputs, labels = tf.constant(examples.inputs), tf.constant(examples.answers)
    return untuned(
        tf.data.Dataset.from_tensor_slices(np.stack(orders))
        .flat_map(lambda order: tf.data.Dataset.from_tensor_slices(order).batch(batch_size))
        .map(lambda index: (tf.gather(inputs, index), tf.gather(labels, index)))
        .prefetch(2)
    )


def _gathered(
    examples: Examples, orders: Sequence[NDArray[np.int64]], batch_size: int
) -> tf.data.Dataset:
    """The same batches, gathered beforehand: without a function that TensorFlow would trace."""
    passes = [
        tf.data.Dataset.from_tensor_slices((examples.inputs[order], examples.answers[order])).batch(
            batch_size
        )
        for order in orders
    ]
    return untuned(functools.reduce(tf.data.Dataset.concatenate, passes).prefetch(2))


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The same pipeline without tf.data's own tuning, for which nothing here leaves a choice.

    The autotuning thread sleeps for 10 ms, then twice as long each time, up to a minute, and who
    is done with the pipeline waits until it wakes: a fit of 5.3 s was seen to take 10.3 s. To look
    for what to optimize takes longer than to read a small pipeline.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    return dataset.with_options(options)


def steps(count: int, batch_size: int) -> int:
    """Batches in one pass over ``count`` examples."""
    return -(-count // batch_size)
