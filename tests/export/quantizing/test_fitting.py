"""Fitted weights: on their grid, right in the mean, and the same in the file."""

from functools import cache

import numpy as np
import pytest
from exports_for_tests import digits
from nets_for_tests import calibration, depthwise, held_out

from ecavg_tf.config import Format, Limits
from ecavg_tf.core.bundles.quantization import softmax
from ecavg_tf.core.exports import Verdict
from ecavg_tf.core.template import Array
from export.making.convert import Converter
from export.making.formats import Variant
from export.making.head import fit_range
from export.proving.gate import Reference
from export.proving.interpreter import LiteModel
from export.proving.judging import judge_tuned
from export.quantizing.ending import giving_fitted_logits, giving_logits
from export.quantizing.fitting import fitted_net, nearest_net, rounding_of
from export.quantizing.grid import largest, matrix
from export.quantizing.net import Net
from export.quantizing.reading import read_net
from export.quantizing.tuning import Tuning, tuned_net
from export.quantizing.weights_only import computing_in_float


@cache
def net() -> Net:
    return read_net(depthwise(), (8, 8, 1))


@cache
def int8_net() -> Net:
    logits = np.asarray(giving_logits(net()).run(calibration())[-1])
    return giving_fitted_logits(net(), fit_range(logits))


@cache
def fitted(format_: Format) -> Net:
    start = int8_net() if format_ is Format.INT8 else net()
    return fitted_net(start, calibration(), format_)


def file_of(made: Net, variant: Variant) -> bytes:
    with Converter(depthwise(), (8, 8, 1)) as converter:
        images = calibration() if variant is Variant.INT8 else None
        return converter.convert_net(made, variant, images)


def own_answers(made: Net) -> Array:
    rounded = rounding_of(made, calibration(), Format.INT8)
    return softmax(np.asarray(made.run(held_out(), rounded)[-1]))


def test_kernels_are_on_their_grid() -> None:
    for _, operation in fitted(Format.INT8).linears():
        weights = matrix(operation)
        steps = weights / (largest(weights, together=False) / 127)
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)


def test_bias_correction_takes_the_mean_error() -> None:
    """The mean of each logit over the calibration examples: nearest is off, fitted is not."""
    exact = np.asarray(giving_logits(net()).run(calibration())[-1]).mean(axis=0)
    rounded = rounding_of(net(), calibration(), Format.INT8)
    off = [
        np.abs(
            np.asarray(giving_logits(made).run(calibration(), rounded)[-1]).mean(axis=0) - exact
        ).max()
        for made in (nearest_net(net(), Format.INT8), fitted_net(net(), calibration(), Format.INT8))
    ]
    assert off[1] < 0.5 * off[0]


def test_a_net_answers_nearer_to_the_float_model_than_one_rounded_to_the_nearest() -> None:
    exact = np.asarray(net().run(held_out())[-1])
    off = [
        np.abs(np.asarray(made.run(held_out())[-1]) - exact).mean()
        for made in (nearest_net(net(), Format.INT8), fitted_net(net(), calibration(), Format.INT8))
    ]
    assert off[1] < off[0]


@pytest.mark.slow
def test_the_int8_file_is_the_net_that_imitates_it_and_the_same_each_time() -> None:
    content = file_of(fitted(Format.INT8), Variant.INT8)
    given = LiteModel(content, logits=True).probabilities(held_out())
    own = own_answers(fitted(Format.INT8))
    assert np.abs(given - own).max(axis=1).mean() < 0.01
    again = fitted_net(int8_net(), calibration(), Format.INT8)
    assert file_of(again, Variant.INT8) == content


def test_a_dynamic_file_that_computes_in_float_is_the_fitted_net() -> None:
    content = file_of(fitted(Format.DYNAMIC), Variant.DYNAMIC)
    unpacked = computing_in_float(content)
    assert len(unpacked) < len(content) + 1000
    wanted = np.asarray(fitted(Format.DYNAMIC).run(held_out())[-1])
    given = LiteModel(unpacked).probabilities(held_out())
    np.testing.assert_allclose(given, wanted, atol=1e-5)
    rounded = LiteModel(content).probabilities(held_out())
    assert np.abs(rounded - wanted).max() > 1e-4


@pytest.mark.slow
def test_a_tuned_file_is_its_own_model_and_the_same_each_time() -> None:
    said: list[object] = []
    tuning = Tuning(digits().train.inputs[:320], "320 training examples", 2, seed=0)
    nets = [
        tuned_net(int8_net(), fitted(Format.INT8), calibration(), tuning, said.append)
        for _ in range(2)
    ]
    for old, new in zip(nets[0].operations, nets[1].operations, strict=True):
        for one, other in zip(old.weights, new.weights, strict=True):
            np.testing.assert_array_equal(one, other)
    assert "2 epochs" in str(said[0])
    model = LiteModel(content := file_of(nets[0], Variant.INT8), logits=True)
    assert content
    probabilities = np.asarray(depthwise()(held_out()), np.float64)
    reference = Reference(held_out(), probabilities, digits().test.labels, "test examples")
    judged = judge_tuned(
        reference, own_answers(nets[0]), model.probabilities(held_out()), Format.INT8, model.output,
        Limits(), logits=True,
    )  # fmt: skip
    assert judged.verdict is not Verdict.FAILED, judged.reasons
