"""Conversion: what the files are."""

import keras
import numpy as np
import pytest
from exports_for_tests import described, description, digits, model, plain, reference

from ecavg_tf.config import Format, Limits
from ecavg_tf.core.bundles.quantization import softmax
from ecavg_tf.core.errors import ConfigError, ExportError
from ecavg_tf.data.dataset import Examples
from export.making.calibration import draw
from export.making.convert import Converter
from export.making.formats import Variant, parse_formats, variants
from export.making.head import LogitRange, fit_range, fitted, head_of, typical
from export.proving.cost import cost_sheet
from export.proving.file_proof import prove_file
from export.proving.interpreter import LiteModel
from export.reading.flatmodel import read_flatmodel
from export.reading.metadata import attach, read_description


@pytest.mark.parametrize("variant", Variant)
def test_every_file_passes_its_gate(variant: Variant) -> None:
    found = prove_file(described(variant), variant, description(variant), reference(), Limits())
    assert found.reasons == ()
    assert found.parity is not None
    assert found.parity.keras_accuracy is not None
    assert found.parity.keras_accuracy.value > 0.9
    assert found.parity.n == len(digits().test)


def test_converting_twice_gives_identical_bytes() -> None:
    calibration = draw(digits().train, 100, 0, "training examples").inputs
    with Converter(model(), (8, 8, 1)) as converter:
        for variant in (Variant.FLOAT32, Variant.INT8):
            assert converter.convert(variant, calibration) == plain(variant)


def test_a_model_built_again_gives_identical_bytes() -> None:
    """Keras names its layers otherwise the second time."""
    again = keras.models.clone_model(model())
    again = keras.Sequential([keras.Input((8, 8, 1)), *map(renamed, again.layers)], name="other")
    again.set_weights(model().get_weights())
    with Converter(again, (8, 8, 1)) as converter:
        assert converter.convert(Variant.FLOAT32) == plain(Variant.FLOAT32)
    assert again.name == "other"


def renamed(layer: keras.layers.Layer) -> keras.layers.Layer:
    return type(layer).from_config({**layer.get_config(), "name": f"{layer.name}_of_old"})


def test_int8_is_int8_at_both_ends_and_the_model_is_as_before() -> None:
    before = [array.copy() for array in model().get_weights()]
    lite = LiteModel(plain(Variant.INT8), logits=True)
    assert (lite.input.dtype, lite.output.dtype) == ("int8", "int8")
    assert lite.input.shape == (1, 8, 8, 1)
    assert lite.input.scale == pytest.approx(16 / 255)
    for old, new in zip(before, model().get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_master_takes_any_batch() -> None:
    lite = LiteModel(plain(Variant.MASTER))
    assert lite.input.shape == (-1, 8, 8, 1)
    many = lite.probabilities(digits().test.inputs[:70])
    np.testing.assert_allclose(many, reference().probabilities[:70], atol=1e-5)
    np.testing.assert_allclose(lite.probabilities(digits().test.inputs[:1]), many[:1], atol=1e-6)


def test_builtin_operators_that_runtime_2_14_has() -> None:
    for variant in Variant:
        facts = read_flatmodel(plain(variant))
        assert not any(op.name.startswith(("CUSTOM", "Flex")) for op in facts.operators)
        versions = {op.name: op.version for op in facts.operators}
        assert versions["FULLY_CONNECTED"] < 12, variant
        assert facts.min_runtime is not None
        assert tuple(map(int, facts.min_runtime.split("."))) <= (2, 14, 0)


def test_labels_and_origin_travel_inside() -> None:
    assert read_description(described(Variant.INT8)) == description(Variant.INT8)
    assert described(Variant.INT8) == described(Variant.INT8)
    with pytest.raises(ExportError, match="can't be read"):
        read_description(plain(Variant.INT8))


def test_the_cost_sheet() -> None:
    sheet = cost_sheet(plain(Variant.FLOAT32), digits().test.inputs[0], seconds=0.001)
    assert sheet.macs == 6 * 6 * 8 * 9 + 6 * 6 * 8 * 10
    assert [latency.what for latency in sheet.latencies] == ["file, 1 thread", "file, 2 threads"]
    assert all(0 < t.median_ms <= t.p95_ms and t.runs >= 10 for t in sheet.latencies)


def test_formats_by_name() -> None:
    assert parse_formats("int8, float32,int8") == (Format.FLOAT32, Format.INT8)
    assert variants((Format.FLOAT32,)) == (Variant.MASTER, Variant.FLOAT32)
    with pytest.raises(ConfigError, match=r"'int4'; valid: float32.*did you mean 'int8'"):
        parse_formats("int4")
    with pytest.raises(ConfigError, match="valid"):
        parse_formats("")


def test_calibration_is_seeded_and_stratified() -> None:
    labels = np.repeat(np.arange(2), [30, 10])
    examples = Examples(np.arange(40, dtype=np.uint8).reshape(40, 1, 1, 1), labels)
    chosen = draw(examples, 8, 0, "own images", "edge-00")
    assert chosen.source == "8 of 40 own images"
    assert (chosen.inputs.ravel() >= 30).sum() == 2
    again = draw(examples, 8, 0, "own images", "edge-00")
    np.testing.assert_array_equal(chosen.inputs, again.inputs)
    assert len(draw(examples, 99, 0, "own images").inputs) == 40


def test_the_logits_range_leaves_out_what_cannot_win() -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 2, (200, 10))
    logits[::7, 3] -= 200  # outliers far below: a step of 0.8 nats if they counted
    limits = fit_range(logits)
    assert limits.high - limits.low < 30
    assert limits.high >= np.percentile(logits.max(axis=1) - logits.mean(axis=1), 50)


def test_far_outliers_do_not_calibrate() -> None:
    logits = np.random.default_rng(0).normal(0, 1, (100, 10))
    assert typical(logits).all()
    logits[3] *= 50
    assert np.flatnonzero(~typical(logits)).tolist() == [3]
    assert typical(np.zeros((5, 3))).all()


def test_an_outlier_among_calibration_images_does_not_spoil_int8() -> None:
    inputs = draw(digits().train, 100, 0, "training examples").inputs.astype("float32")
    inputs[7] *= 40
    with Converter(model(), (8, 8, 1)) as converter:
        content = attach(converter.convert(Variant.INT8, inputs), description(Variant.INT8))
        assert converter.left_out >= 1
    found = prove_file(content, Variant.INT8, description(Variant.INT8), reference(), Limits())
    assert found.reasons == ()


def test_a_fitted_head_gives_the_same_probabilities() -> None:
    head = head_of(model())
    assert head is not None
    inputs = digits().test.inputs[:20].astype("float32")
    with fitted(head, LogitRange(-100.0, 100.0)):
        np.testing.assert_allclose(
            softmax(np.asarray(model()(inputs))), reference().probabilities[:20], atol=1e-4
        )
    np.testing.assert_allclose(
        np.asarray(model()(inputs)), reference().probabilities[:20], atol=1e-5
    )


def test_softmax_by_hand() -> None:
    np.testing.assert_allclose(softmax(np.log([[1.0, 3.0]])), [[0.25, 0.75]])
