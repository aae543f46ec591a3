"""What a model answers must be what the export was told; odd Keras files get one line."""

import functools
import re
from pathlib import Path

import keras
import numpy as np
import pytest

import export
from ecavg_tf.cli import main
from ecavg_tf.core.bundles.bundle import read_bundle
from ecavg_tf.core.errors import ConfigError, ExportError
from export.making.convert import Converter
from export.making.formats import Variant
from export.proving.declared_output import checked_probabilities, random_inputs

layers = keras.layers


def saved(folder: Path, *ends: keras.layers.Layer) -> Path:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), *ends])
    model.save(folder / "mine.keras")
    return folder / "mine.keras"


def test_logits_that_were_not_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, bundle = saved(tmp_path, layers.Dense(10)), "mine-export/mine/float32.bundle.zip"
    words = ["export", str(file), "--formats=float32", "--value-range=0,16"]
    for more in ([], ["--data=digits"]):
        assert main([*words, *more]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "these are no probabilities" in line and "--logits" in line
        assert not (tmp_path / bundle).exists()
    assert main([*words, "--logits"]) == 0
    assert read_bundle(tmp_path / bundle).info.output_kind == "logits"


def test_probabilities_said_to_be_logits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = saved(tmp_path, layers.Dense(10, activation="softmax"))
    assert main(["export", str(file), "--formats=float32", "--logits"]) == 2
    assert "are probabilities and were said to be logits" in capsys.readouterr().err


def test_sigmoids(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = saved(tmp_path, layers.Dense(10, activation="sigmoid"))
    assert main(["export", str(file), "--formats=float32", "--value-range=0,1"]) == 8
    (line,) = capsys.readouterr().err.splitlines()
    assert "classifiers whose outputs sum to 1" in line


def two_outputs(kind: type) -> keras.Model:
    image = keras.Input((8, 8, 1))
    flat = layers.Flatten()(image)
    one, two = layers.Dense(3, name="one")(flat), layers.Dense(2, name="two")(flat)
    return keras.Model(image, [one, two] if kind is list else {"one": one, "two": two})


def two_inputs() -> keras.Model:
    inputs = [keras.Input((8, 8, 1)), keras.Input((8, 8, 1))]
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(layers.Add()(inputs))))


def three_axes() -> keras.Model:
    return keras.Sequential([keras.Input((8, 8, 1)), layers.Dense(3, activation="softmax")])


def any_size() -> keras.Model:
    head = [layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax")]
    return keras.Sequential([keras.Input((None, None, 1)), *head])


@pytest.mark.filterwarnings("ignore")  # Keras', of a model that is not built
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (functools.partial(two_outputs, list), "expected one input of a fixed size and one output"),
        (functools.partial(two_outputs, dict), "expected one input of a fixed size and one output"),
        (two_inputs, "expected one input of a fixed size and one output"),
        (three_axes, "output (n, classes) of probabilities"),
        (lambda: keras.Sequential([layers.Flatten(), layers.Dense(3)]), "is not built"),
        (any_size, "keras.Sequential([keras.Input((SIZE, SIZE, 1)), model])"),
    ],
)
def test_keras_files_that_are_no_classifiers(
    make: functools.partial[keras.Model],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "mine.keras"
    make().save(file)
    for more in ([], ["--data=digits"], ["--trainable=head", "--data=digits"]):
        assert main(["export", str(file), *more]) == 8
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line


@pytest.mark.parametrize("words", ["0,inf", "-inf,0", "nan,1", "3,3"])
def test_ranges_that_are_none(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(tmp_path / "mine.keras"), f"--value-range={words}"]) == 2
    assert "LOW must be below HIGH, both finite" in capsys.readouterr().err
    low, high = (float(word) for word in words.split(","))
    with pytest.raises(ConfigError, match="expected two finite numbers"):
        random_inputs((2,), 3, (low, high))


def net(*, units: int = 3, activation: str | None = None) -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((5,)), layers.Dense(units, activation=activation)])


def test_to_tflite_and_what_it_is_told() -> None:
    inputs = np.random.default_rng(0).normal(size=(40, 5)).astype("float32")
    with pytest.raises(ConfigError, match=r"output is 'foo'; valid: .*values"):
        export.to_tflite(net(), inputs, "float32", output="foo")
    with pytest.raises(ConfigError, match="output='logits'"):
        export.to_tflite(net(), inputs, "float32", output="probabilities")
    with pytest.raises(ConfigError, match=r"sigmoid.*output='values'"):
        export.to_tflite(net(activation="sigmoid"), inputs, "float32")
    with pytest.raises(ConfigError, match="are probabilities and were said to be logits"):
        export.to_tflite(net(units=1, activation="sigmoid"), inputs, "float32", output="logits")
    kinds = [
        (net(units=1), "logits", "logit_of_second"),
        (net(units=1), None, "values"),
    ]
    for model, output, kind in kinds:
        made = export.to_tflite(model, inputs, "float32", output=output)
        assert made["float32"].output_kind == kind
    with pytest.raises(ConfigError, match="two finite numbers"):
        export.to_tflite(net(), formats="float32", value_range=(0, float("inf")))
    made = export.to_tflite(net(activation="sigmoid"), inputs, "float32", output="values")
    assert made["float32"].output_kind == "values"


def test_probabilities_by_hand() -> None:
    rows = np.array([[0.25, 0.7505], [1.0, 0.0]])
    np.testing.assert_array_equal(checked_probabilities(rows, logits=False), rows)
    found = checked_probabilities(np.log([[1.0, 3.0]]), logits=True)
    np.testing.assert_allclose(found, [[0.25, 0.75]])
    for wrong in (np.nan, np.inf):
        with pytest.raises(ExportError, match=r"not finite .* for 1 of 2 inputs"):
            checked_probabilities(np.array([[wrong, 1.0], [0.5, 0.5]]), logits=False)
    with pytest.raises(ConfigError, match=r"run from -0\.1 to 1\.1"):
        checked_probabilities(np.array([[-0.1, 1.1]]), logits=False)
    with pytest.raises(ExportError, match=r"sum to 0\.9 to 1\.4"):
        checked_probabilities(np.array([[0.5, 0.9], [0.5, 0.4]]), logits=False)


def test_weights_of_nan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = saved(tmp_path, layers.Dense(10, activation="softmax"))
    model = keras.models.load_model(file)
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    model.save(file)
    for more in (["--formats=int8", "--data=digits"], ["--formats=float32"]):
        assert main(["export", str(file), *more]) == 8
        (line,) = capsys.readouterr().err.splitlines()
        assert "the model's answers are not finite" in line
    inputs = np.random.default_rng(0).uniform(size=(20, 8, 8, 1)).astype("float32")
    for output in (None, "probabilities", "values"):
        with pytest.raises(ExportError, match=r"not finite .* for 20 of 20 inputs"):
            export.to_tflite(model, inputs, "int8", output=output)


def test_calibration_images_that_overflow() -> None:
    inputs = np.ones((20, 5), np.float32)
    inputs[3] = np.nan
    model, variant = net(activation="softmax"), Variant.INT8
    with (
        Converter(model, (5,)) as converter,
        pytest.raises(ExportError, match=r"not finite .* for 1 of 20 calibration examples"),
    ):
        converter.convert(variant, inputs)


@pytest.mark.slow
def test_a_format_that_can_not_be_made_stops_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keras.utils.set_random_seed(0)
    ends = (layers.Reshape((8, 8)), layers.LSTM(8), layers.Dense(10, activation="softmax"))
    words = ["export", str(saved(tmp_path, *ends)), "--formats=float32", "--value-range=-1,1"]
    folder = tmp_path / "mine-export" / "mine"
    for _ in range(2):  # made before, or not
        assert main(words) == 0
        printed = capsys.readouterr().out
        assert re.search(
            r"mine, float32-batch skipped: layer 'lstm\w*' \(LSTM\) is a loop", printed
        )
        names = {path.name for path in folder.iterdir()}
        said = "float32-batch.converter.txt"  # all that the converter said
        assert names == {"export.json", "float32.tflite", "float32.bundle.zip", said}
