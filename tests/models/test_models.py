"""Models of every kind that Keras users have, under the same strict maths."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from ecavg_tf.config import Config
from ecavg_tf.core.averaging import average_weights
from ecavg_tf.core.errors import ConfigError, ModelError
from ecavg_tf.core.messages.update_file import Update, UpdateInfo, check_update, write_update
from ecavg_tf.core.template import Role, weights_sha256
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.models.batchnorm import recalibrate_batchnorm
from ecavg_tf.models.builders import build_model, initial_weights, rescaling, template_of
from server.aggregate import average_updates, weighed

SPEC = DataSpec("tiny", (8, 8, 3), "uint8", (0.0, 255.0), ("a", "b", "c", "d"))


def nested(spec: DataSpec) -> keras.Model:
    inner = keras.Sequential(
        [
            keras.Input((8, 8, 4)),
            keras.layers.BatchNormalization(),
            keras.layers.DepthwiseConv2D(3),
        ]
    )
    return keras.Sequential(
        [
            keras.Input(spec.input_shape),
            rescaling(spec),
            keras.layers.Conv2D(4, 1),
            inner,
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(spec.num_classes, activation="softmax"),
        ]
    )


class Subclassed(keras.Model):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.flatten = keras.layers.Flatten()
        self.hidden = keras.layers.Dense(8, activation="relu")
        self.norm = keras.layers.BatchNormalization()
        self.head = keras.layers.Dense(classes, activation="softmax")

    def call(self, inputs: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        hidden = self.norm(self.hidden(self.flatten(inputs)), training=training)
        return self.head(hidden)


def subclassed(spec: DataSpec) -> keras.Model:
    return Subclassed(spec.num_classes)


def shared_layers(spec: DataSpec) -> keras.Model:
    inputs = keras.Input(spec.input_shape)
    conv, norm = keras.layers.Conv2D(3, 1), keras.layers.BatchNormalization()
    features = norm(conv(norm(conv(inputs))))
    features = keras.layers.GlobalAveragePooling2D()(features)
    return keras.Model(inputs, keras.layers.Dense(spec.num_classes, "softmax")(features))


def regularised(spec: DataSpec) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input(spec.input_shape),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(8),
            keras.layers.LayerNormalization(),
            keras.layers.Dense(spec.num_classes, activation="softmax"),
        ]
    )


def frozen(spec: DataSpec) -> keras.Model:
    backbone = keras.Sequential(
        [
            keras.Input(spec.input_shape),
            keras.layers.Conv2D(4, 3),
            keras.layers.BatchNormalization(),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )
    backbone.trainable = False
    return keras.Sequential([backbone, keras.layers.Dense(spec.num_classes, "softmax")])


def two_heads(spec: DataSpec) -> keras.Model:
    inputs = keras.Input(spec.input_shape)
    return keras.Model(inputs, [inputs, inputs])


def five_classes(spec: DataSpec) -> keras.Model:
    return keras.Sequential(
        [keras.Input(spec.input_shape), keras.layers.Flatten(), keras.layers.Dense(5)]
    )


def other_size(spec: DataSpec) -> keras.Model:
    del spec
    return keras.Sequential([keras.Input((9, 9, 3)), keras.layers.Flatten(), keras.layers.Dense(4)])


def no_model(spec: DataSpec) -> str:
    return spec.name


def broken(spec: DataSpec) -> keras.Model:
    raise RuntimeError(f"no luck with {spec.name}")


KINDS: list[Callable[[DataSpec], keras.Model]] = [
    nested, subclassed, shared_layers, regularised, frozen,
]  # fmt: skip
NAMES = [f"{__name__}:{kind.__name__}" for kind in KINDS]


def config_for(name: str) -> Config:
    config = Config()
    config.model.name = name
    return config


DEEP = ["mobilenet_v2", "resnet50"]


@pytest.mark.parametrize("name", ["mlp", *DEEP, *NAMES])
def test_averaging_a_model_with_itself_changes_no_bit(name: str, tmp_path: Path) -> None:
    model = build_model(config_for(name), SPEC, "x")
    weights = model.get_weights()
    before = weights_sha256(weights)
    assert weights_sha256(average_weights([weights] * 3, [1.0, 7.0, 0.3])) == before

    template = template_of(model)
    updates = []
    for number, examples in enumerate((3, 1000, 77)):
        path = tmp_path / f"edge-{number:02d}.safetensors"
        counts = (examples, 0, 0, 0)
        info = UpdateInfo(1, path.stem, examples, counts, template.sha256, {})
        write_update(path, info, template.named(weights))
        update = Update(path)
        check_update(update, template, edge=path.stem, round_number=1, num_classes=4)
        updates.append(update)
    from ecavg_tf.config import Weighting

    averaged = average_updates(updates, template, weights, weighed(updates, Weighting.EXAMPLES))
    assert weights_sha256(averaged) == before
    model.set_weights(averaged)
    assert weights_sha256(model.get_weights()) == before


@pytest.mark.parametrize("name", ["mlp", *DEEP, *NAMES])
def test_the_template_is_the_list_of_weights(name: str) -> None:
    model = build_model(config_for(name), SPEC, "x")
    template = template_of(model)
    weights = model.get_weights()
    assert [spec.shape for spec in template.weights] == [weight.shape for weight in weights]
    assert [spec.dtype for spec in template.weights] == [weight.dtype.name for weight in weights]
    trained = sum(spec.role is Role.TRAINABLE for spec in template.weights)
    assert trained == len(model.trainable_weights)


@pytest.mark.parametrize("name", ["mlp", *NAMES])
def test_recalibration_touches_batchnorm_statistics_alone(name: str) -> None:
    model = build_model(config_for(name), SPEC, "x")
    inputs = np.random.default_rng(1).integers(0, 256, (24, *SPEC.input_shape), np.uint8)
    before = model.get_weights()
    recalibrate_batchnorm(model, inputs, batch_size=10)
    changed = [
        spec.key
        for spec, old, new in zip(
            template_of(model).weights, before, model.get_weights(), strict=True
        )
        if not np.array_equal(old, new)
    ]
    assert all("moving_" in key for key in changed)
    assert bool(changed) == (name.rpartition(":")[2] in ("nested", "subclassed", "shared_layers"))


def test_the_same_seed_gives_the_same_weights_and_another_place_others() -> None:
    config = config_for("mlp")
    assert weights_sha256(initial_weights(config, SPEC, "a")) == weights_sha256(
        initial_weights(config, SPEC, "a")
    )
    assert weights_sha256(initial_weights(config, SPEC, "a")) != weights_sha256(
        initial_weights(config, SPEC, "b")
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("two_heads", r"gives list; .* expected shape \(n, 4\)"),
        ("five_classes", r"gives shape \(n, 5\); .* has 4 classes"),
        ("other_size", r"can't take inputs of shape \(8, 8, 3\)"),
        ("no_model", "returned str, expected an uncompiled keras.Model"),
        ("broken", "RuntimeError: no luck with tiny"),
    ],
)
def test_models_that_do_not_fit_are_refused(name: str, said: str) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        build_model(config_for(f"{__name__}:{name}"), SPEC, "x")
    assert "\n" not in str(caught.value)


def test_a_model_that_no_memory_holds() -> None:
    config = config_for("mlp")
    config.model.hidden_units = 2**40
    with pytest.raises(ModelError, match=r"model\.name='mlp' can't be built: .*make it smaller"):
        build_model(config, SPEC, "x")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nosuchpackage.models:f", "nosuchpackage"),
        (f"{__name__}:missing", "'missing' is not there; "),
        (f"{__name__}:SPEC", "is not a function"),
        ("mobilenet", "did you mean 'mobilenet_v2'"),
    ],
)
def test_names_that_lead_nowhere(name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        build_model(config_for(name), SPEC, "x")


def test_imagenet_weights_and_their_conditions(tmp_path: Path) -> None:
    config = config_for("mobilenet_v2")
    config.model.init = "imagenet"
    grey = DataSpec("grey", (28, 28, 1), "uint8", (0.0, 255.0), ("a", "b"))
    with pytest.raises(ModelError, match="3 channels, 'grey' has 1"):
        build_model(config, grey, "x")
    config.model.weights_path = str(tmp_path / "none.h5")
    with pytest.raises(ModelError, match="is not there"):
        build_model(config, SPEC, "x")
    (tmp_path / "none.h5").write_bytes(b"not HDF5")
    with pytest.raises(ModelError, match="weights_path"):
        build_model(config, SPEC, "x")


def test_a_saved_model_is_where_a_run_starts(tmp_path: Path) -> None:
    config = config_for("mlp")
    model = build_model(config, SPEC, "somewhere else")
    model.save(tmp_path / "saved.keras")
    config.model.init = str(tmp_path / "saved.keras")
    assert weights_sha256(initial_weights(config, SPEC, "shared")) == weights_sha256(
        model.get_weights()
    )
    config.model.hidden_units = 5
    with pytest.raises(ModelError, match="does not fit the model"):
        initial_weights(config, SPEC, "shared")
    config.model.init = "nowhere.keras"
    with pytest.raises(ModelError, match="is not there"):
        initial_weights(config, SPEC, "shared")


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet50"])
@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3)])
def test_the_deep_models_take_any_size(name: str, shape: tuple[int, int, int]) -> None:
    spec = DataSpec("any", shape, "uint8", (0.0, 255.0), ("a", "b", "c"))
    model = build_model(config_for(name), spec, "x")
    weights = model.get_weights()
    assert weights_sha256(average_weights([weights, weights])) == weights_sha256(weights)
    assert model.output_shape == (None, 3)


def test_imagenet_weights_from_a_file_are_loaded(tmp_path: Path) -> None:
    donor = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg"
    )
    donor.save_weights(tmp_path / "mobilenet_no_top.weights.h5")
    config = config_for("mobilenet_v2")
    config.model.init = "imagenet"
    config.model.weights_path = str(tmp_path / "mobilenet_no_top.weights.h5")
    spec = DataSpec("any", (32, 32, 3), "uint8", (0.0, 255.0), ("a", "b"))
    loaded = initial_weights(config, spec, "x")
    for mine, theirs in zip(loaded, donor.get_weights(), strict=False):
        np.testing.assert_array_equal(mine, theirs)
