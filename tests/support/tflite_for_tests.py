"""Small models as ``.tflite`` files, converted the plain way."""

import tempfile
import warnings
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf


def convert(model: keras.Model, kind: str, inputs: np.ndarray | None = None) -> bytes:
    """Converts at batch 1 to float32, float16, dynamic, int8, or int8 with float32 ends."""
    module = tf.Module()
    module.held = [weight.value for weight in model.variables]
    spec = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name="image")

    @tf.function(input_signature=[spec])
    def predict(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"scores": model(image, training=False)}

    module.predict = predict
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own interpreter announces its end
        tf.saved_model.save(module, folder, signatures={"predict": predict})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["predict"])
        if kind != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if kind == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if kind in ("int8", "int8-inside"):
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            ends = tf.int8 if kind == "int8" else tf.float32
            converter.inference_input_type = converter.inference_output_type = ends
            samples = _samples(model, inputs)
            converter.representative_dataset = lambda: ({"image": image} for image in samples)
        converted: bytes = converter.convert()
    return converted


def _samples(model: keras.Model, inputs: np.ndarray | None) -> Sequence[np.ndarray]:
    if inputs is None:
        shape = (20, *model.input_shape[1:])
        inputs = np.random.default_rng(0).integers(0, 256, shape)
    return [image[None].astype(np.float32) for image in inputs]


def sequential(shape: tuple[int, ...], *layers: keras.layers.Layer) -> keras.Model:
    """A model of layers, with weights that are the same in every test."""
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input(shape), *layers])
