"""The gate can fail: every fault is caught and named."""

import re
from dataclasses import replace

import numpy as np
import pytest
from exports_for_tests import described, description, digits, model, plain, reference

from ecavg_tf.config import ExportConfig, Format, Limits
from ecavg_tf.core.bundles.bundle import TensorSpec
from ecavg_tf.core.bundles.quantization import softmax
from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.exports import Verdict
from ecavg_tf.core.two_classes import class_columns
from export.making.convert import Converter
from export.making.formats import Variant
from export.proving.file_proof import prove_file
from export.proving.gate import (
    Reference,
    compare,
    paired_change,
    wilson,
)
from export.proving.interpreter import LiteModel
from export.proving.judging import judge
from export.reading.metadata import attach

FLOAT = TensorSpec((1, 2), "float32")


def reasons(content: bytes, variant: Variant) -> str:
    found = prove_file(content, variant, description(variant), reference(), Limits())
    return "; ".join(found.reasons)


@pytest.mark.parametrize("variant", [Variant.FLOAT32, Variant.FLOAT16, Variant.INT8])
def test_a_corrupted_weight_buffer(variant: Variant) -> None:
    content = bytearray(plain(variant))
    kernel = model().layers[-1].kernel.numpy().T
    stored = {
        Variant.FLOAT32: kernel.astype("<f4").tobytes(),
        Variant.FLOAT16: kernel.astype("<f2").tobytes(),
    }
    if variant is Variant.INT8:
        at = content.index(weights_int8(content))
    else:
        at = content.index(stored[variant])
    for offset in range(at, at + 1400):
        content[offset] ^= 0x81  # signs and last digits: no NaN
    assert "labels agree with Keras' on" in reasons(
        attach(bytes(content), description(variant)), variant
    )


def weights_int8(content: bytes | bytearray) -> bytes:
    """The head's int8 weights: centred, scaled by output channel to 127, as stored."""
    kernel = model().layers[-1].kernel.numpy().T
    centred = kernel - kernel.mean(axis=0, keepdims=True)
    scale = np.abs(centred).max(axis=1, keepdims=True) / 127
    for guess in (scale, np.full_like(scale, np.abs(centred).max() / 127)):
        row = np.round(centred / guess).astype(np.int8)[0, :12].tobytes()
        if bytes(content).find(row) >= 0:
            return row
    raise AssertionError("the head's weights are not in the file")


def test_a_wrong_calibration_range() -> None:
    wrong = digits().train.inputs[:100].astype("float32") / 16  # rescaled: the model does that
    with Converter(model(), (8, 8, 1)) as converter:
        content = converter.convert(Variant.INT8, wrong)
    said = reasons(attach(content, description(Variant.INT8)), Variant.INT8)
    assert "its input covers 0 to 1, the examples run from 0 to 16" in said
    assert "another range" in said


def test_swapped_labels() -> None:
    right = description(Variant.FLOAT32)
    classes = ("1", "0", *right.classes[2:])
    content = attach(plain(Variant.FLOAT32), replace(right, classes=classes))
    assert reasons(content, Variant.FLOAT32) == (
        "its labels are swapped: label 0 is '1', expected '0'"
    )


def test_swapped_outputs() -> None:
    """The weights of two classes exchanged: labels are right, answers are not."""
    head = model().layers[-1]
    kernel, bias = head.kernel.numpy(), head.bias.numpy()
    order = [1, 0, *range(2, 10)]
    head.kernel.assign(kernel[:, order])
    head.bias.assign(bias[order])
    try:
        with Converter(model(), (8, 8, 1)) as converter:
            content = converter.convert(Variant.FLOAT32)
    finally:
        head.kernel.assign(kernel)
        head.bias.assign(bias)
    said = reasons(attach(content, description(Variant.FLOAT32)), Variant.FLOAT32)
    assert "a probability differs by" in said
    assert "accuracy changes by" in said


def test_shuffled_scales() -> None:
    """The channels of each kernel exchange their scales: a converter's fault."""
    content = bytes(plain(Variant.INT8))
    for each in LiteModel(content)._interpreter.get_tensor_details():
        scales = each["quantization_parameters"]["scales"]
        if each["dtype"] is np.int8 and len(scales) > 1:
            stored = scales.astype("<f4").tobytes()
            assert stored in content
            content = content.replace(stored, np.roll(scales, 3).astype("<f4").tobytes())
    assert content != plain(Variant.INT8)
    found = prove_file(
        attach(content, description(Variant.INT8)),
        Variant.INT8, description(Variant.INT8), reference(), Limits(),
    )  # fmt: skip
    assert found.verdict is Verdict.FAILED
    assert any("labels agree with Keras' on" in reason for reason in found.reasons)


def test_another_edges_model() -> None:
    """A sound file beside a model that learned the same classes from other examples."""
    train, test = digits().train, digits().test
    means = np.stack([train.inputs[train.labels == k].mean(axis=0) for k in range(10)])
    distances = ((test.inputs[:, None].astype(float) - means) ** 2).mean(axis=(2, 3, 4))
    other = Reference(test.inputs, softmax(-distances), test.labels, "test examples")
    found = prove_file(
        described(Variant.INT8), Variant.INT8, description(Variant.INT8), other, Limits()
    )
    assert found.verdict is Verdict.FAILED
    assert any("labels agree with Keras' on" in reason for reason in found.reasons)


@pytest.mark.parametrize("variant", list(Variant))
def test_right_labels_with_wrong_probabilities(variant: Variant) -> None:
    """A head that is half as sure: no label changes."""
    head = model().layers[-1]
    kernel, bias = head.kernel.numpy(), head.bias.numpy()
    head.kernel.assign(kernel / 4)
    head.bias.assign(bias / 4)
    try:
        with Converter(model(), (8, 8, 1)) as converter:
            inputs = digits().train.inputs[:100].astype("float32")
            content = converter.convert(variant, inputs if variant.calibrated else None)
    finally:
        head.kernel.assign(kernel)
        head.bias.assign(bias)
    said = reasons(attach(content, description(variant)), variant)
    assert re.search(r"(a probability differs|probabilities differ) by 0\.\d+ from Keras'", said)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file(share: float) -> None:
    whole = described(Variant.FLOAT32)
    said = reasons(whole[: int(share * len(whole))], Variant.FLOAT32)
    assert "the description inside the file can't be read" in said
    if share < 0.9:
        assert "LiteRT refuses the file" in said


def test_a_wrong_origin_is_named() -> None:
    other = replace(description(Variant.FLOAT32), origin={"edge": "edge-07"})
    content = attach(plain(Variant.FLOAT32), other)
    assert "not that of the model" in reasons(content, Variant.FLOAT32)


def test_wilson_by_hand() -> None:
    # 9 of 10: (0.9 + z²/20 ± z·sqrt(0.9·0.1/10 + z²/400)) / (1 + z²/10) with z = 1.96
    found = wilson(9, 10)
    assert found.value == 0.9
    assert found.low == pytest.approx(0.5958, abs=1e-4)
    assert found.high == pytest.approx(0.9821, abs=1e-4)
    assert wilson(5, 5).high == 1.0
    assert wilson(0, 5).low == 0.0


def test_the_paired_change_counts_only_differences() -> None:
    before = np.array([True] * 90 + [False] * 10)
    change, low, high = paired_change(before, before)
    assert change == 0
    assert low == pytest.approx(-high)
    after = before.copy()
    after[:4] = False  # 4 lost, none gained
    change, low, high = paired_change(before, after)
    assert change == pytest.approx(-0.04)
    # b = 0.5, c = 4.5, m = 102: (b - c)/m ± 1.96·sqrt(5 - 16/102)/102
    assert low == pytest.approx(-4 / 102 - 1.95996 * np.sqrt(5 - 16 / 102) / 102, abs=1e-6)
    assert high == pytest.approx(-4 / 102 + 1.95996 * np.sqrt(5 - 16 / 102) / 102, abs=1e-6)


def test_ties_by_hand() -> None:
    keras_says = np.array([[0.5, 0.499999], [0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    file_says = np.array([[0.4, 0.6], [0.8, 0.2], [0.9, 0.1], [0.6, 0.4]])
    known = Reference(np.zeros((4, 1)), keras_says, np.array([0, 0, 1, 0]), "four")
    parity = compare(known, file_says, Format.FLOAT32, FLOAT, logits=False)
    assert (parity.ties, parity.agreement, parity.agreement_all) == (1, 2 / 3, 0.5)
    assert parity.max_difference == pytest.approx(0.7)
    assert parity.keras_accuracy is not None and parity.file_accuracy is not None
    assert (parity.keras_accuracy.value, parity.file_accuracy.value) == (1.0, 0.5)
    judged = judge(known, file_says, Format.FLOAT32, FLOAT, Limits(), logits=False)
    assert judged.verdict is Verdict.FAILED
    assert len(judged.reasons) == 3
    quantized = TensorSpec((1, 2), "int8", 1.0, 0)
    # ln(0.6/0.4) = 0.41 nats is below a step of 1.0, ln 9 and ln 4 are above
    parity = compare(known, file_says, Format.INT8, quantized, logits=True)
    assert (parity.ties, parity.tie_margin, parity.tie_unit) == (2, 1.0, "nats")


def test_ties_of_one_output() -> None:
    # Of a sigmoid in steps of 0.1, 0.55 and 0.45 are half a step from a half; 0.65 is not.
    keras_says = class_columns(np.array([[0.55], [0.45], [0.65]]), logits=False)
    known = Reference(np.zeros((3, 1)), keras_says, None, "three")
    sigmoid = TensorSpec((1, 1), "int8", 0.1, -128)
    parity = compare(known, keras_says, Format.INT8, sigmoid, logits=False)
    assert (parity.ties, parity.tie_margin, parity.tie_unit) == (2, 0.2, "probability")
    # Their logits are 0.2, -0.2 and 0.62.
    logit = TensorSpec((1, 1), "int8", 0.3, 0)
    parity = compare(known, keras_says, Format.INT8, logit, logits=True)
    assert (parity.ties, parity.tie_margin, parity.tie_unit) == (2, 0.3, "nats")


def test_a_file_that_can_tell_nothing_apart_proves_nothing() -> None:
    same = np.full((10, 2), 0.5)
    known = Reference(np.zeros((10, 1)), same, None, "ten")
    parity = compare(known, same, Format.FLOAT32, FLOAT, logits=False)
    assert parity.keras_accuracy is None
    (said,) = judge(known, same, Format.FLOAT32, FLOAT, Limits(), logits=False).reasons
    assert "nothing is proved (at most 50 % may be)" in said
    all_ties = ExportConfig(max_ties=1.0)
    assert judge(known, same, Format.FLOAT32, FLOAT, all_ties, logits=False).reasons == ()


def test_one_column_is_no_classes() -> None:
    known = Reference(np.zeros((3, 1)), np.full((3, 1), 0.5), None, "three")
    with pytest.raises(ExportError, match=r"\(3, 1\); expected \(n, classes\), 2 or more"):
        compare(known, known.probabilities, Format.FLOAT32, FLOAT, logits=False)
