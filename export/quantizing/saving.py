"""A net as a SavedModel, which the converter reads."""

from pathlib import Path

import tensorflow as tf

from export.quantizing.net import Net


def save_net(net: Net, folder: Path, given: str, answer: str) -> None:
    """Writes a SavedModel of batch 1 with one signature; weights are constants of its graph.

    Args:
        net: what it computes.
        folder: where to.
        given: the input's name.
        answer: the output's.
    """
    holder = tf.Module()

    def serve(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {answer: net.run(inputs[given])[-1]}

    spec = tf.TensorSpec((1, *net.shape), tf.float32, name=given)
    holder.serve = tf.function(serve, autograph=False)
    traced = holder.serve.get_concrete_function(**{given: spec})
    tf.saved_model.save(holder, str(folder), signatures={"serving_default": traced})
