"""Each rung on a real Keras model."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from ecavg_tf.config import EdgeConfig
from ecavg_tf.core.deciding.prior import prior_shift
from ecavg_tf.core.template import Array, weights_sha256
from ecavg_tf.data.dataset import EdgeData, Examples
from ecavg_tf.training.compiled import Compilation, CompiledModel
from ecavg_tf.training.evaluation import KerasScorer
from ecavg_tf.training.trainer import KerasTrainer
from edge.deciding.bench import EdgeBench
from edge.deciding.guarded import guarded
from edge.deciding.rungs import NEVER_TRAINED, RUNGS
from edge.policy import Situation

RNG = np.random.default_rng(0)
COUNTS, TRAINED_ON = (30, 10, 0), (40.0, 40.0, 40.0)


def examples(n: int) -> Examples:
    labels = np.sort(np.arange(n) % 4 // 3).astype(np.int64)  # three of class 0 for one of 1
    inputs = RNG.integers(0, 9, (n, 4, 4, 1)) + 7 * labels[:, None, None, None]
    return Examples(inputs.astype(np.uint8), labels)


def model(bias: bool = True, batchnorm: bool = True) -> keras.Model:
    keras.utils.set_random_seed(1)
    norm = [keras.layers.BatchNormalization()] if batchnorm else []
    return keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            keras.layers.Conv2D(4, 3),
            *norm,
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax", use_bias=bias),
        ]
    )


def situation(bias: bool = True, batchnorm: bool = True) -> Situation:
    built = model(bias, batchnorm)
    config = EdgeConfig()
    compiled = CompiledModel(built, Compilation.of(config), input_shape=(4, 4, 1), logits=False)
    trainer = KerasTrainer(compiled, config, seed=0)
    data = EdgeData("edge-00", examples(40), examples(24))
    bench = EdgeBench(data, trainer, KerasScorer(built, data.guard, logits=False), 1)
    return Situation(
        global_model=perturbed(built.get_weights()),
        local=perturbed(built.get_weights()),
        previous=None,
        bench=bench,
        edge="edge-00",
        seed=0,
        class_counts=COUNTS,
        trained_on=TRAINED_ON,
        level=0.05,
    )


def perturbed(weights: list[Array]) -> list[Array]:
    return [w + RNG.normal(0, 0.1, w.shape).astype(w.dtype) ** 2 for w in weights]


@pytest.mark.parametrize("activation", ["sigmoid", None])
def test_prior_shifts_the_one_bias_of_two_classes(activation: str | None) -> None:
    keras.utils.set_random_seed(1)
    head = keras.layers.Dense(1, activation)
    built = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), head])
    config, logits = EdgeConfig(), activation is None
    compiled = CompiledModel(built, Compilation.of(config), input_shape=(4, 4, 1), logits=logits)
    data = EdgeData("edge-00", examples(40), examples(24))
    scorer = KerasScorer(built, data.guard, logits=logits)
    bench = EdgeBench(data, KerasTrainer(compiled, config, seed=0), scorer, 1)
    weights = [weight / 20 for weight in perturbed(built.get_weights())]
    here = replace(
        situation(), bench=bench, global_model=weights, class_counts=(30, 10), trained_on=(9, 29)
    )
    (made,) = RUNGS["prior"](here)
    # Laplace: the edge has 31 to 11, the model saw 10 to 30, so odds fall to 10/30 * 11/31.
    shift = np.log(11 / 31) - np.log(30 / 10)
    np.testing.assert_allclose(made.weights[1], weights[1] + shift, rtol=1e-6)
    np.testing.assert_array_equal(made.weights[0], weights[0])
    before, after = (
        np.where(data.guard.labels == 1, 1, -1)
        * np.log(1 / np.expm1(-bench.on_guard(each).log_likelihood))
        for each in (weights, made.weights)
    )
    np.testing.assert_allclose(after - before, shift, atol=1e-4)


def test_prior_shifts_the_bias_and_so_the_odds() -> None:
    here = situation()
    (candidate,) = RUNGS["prior"](here)
    assert not isinstance(candidate, str)
    shift = prior_shift(COUNTS, TRAINED_ON)
    np.testing.assert_allclose(candidate.weights[-1], here.global_model[-1] + shift, rtol=1e-6)
    for one, other in zip(candidate.weights[:-1], here.global_model[:-1], strict=True):
        assert one is other
    built = model()
    outputs = []
    for weights in (here.global_model, candidate.weights):
        built.set_weights(weights)
        outputs.append(np.asarray(built(here.bench.guard.inputs.astype("float32"))))
    expected = outputs[0] * np.exp(shift)
    np.testing.assert_allclose(
        outputs[1], expected / expected.sum(axis=1, keepdims=True), atol=1e-5
    )


@pytest.mark.parametrize(
    ("here", "said"),
    [
        (situation(bias=False), "no weight was found"),
        (replace(situation(), trained_on=None), "does not know"),
        (replace(situation(), trained_on=(300.0, 100.0, 0.0)), "label mix is the one"),
    ],
    ids=["no bias", "unknown mix", "same mix"],
)
def test_prior_is_absent_with_a_reason(here: Situation, said: str) -> None:
    reason = RUNGS["prior"](here)
    assert isinstance(reason, str)
    assert said in reason


def test_blend_mixes_and_recalibrates() -> None:
    here = situation()
    made = RUNGS["blend"](here)
    assert not isinstance(made, str)
    assert [candidate.alpha for candidate in made] == [0.25, 0.5, 0.75]
    assert here.local is not None
    kernel = 0.25 * here.global_model[0] + 0.75 * here.local[0]
    np.testing.assert_allclose(made[0].weights[0], kernel, atol=1e-6)
    mean_between = 0.25 * here.global_model[4] + 0.75 * here.local[4]
    assert not np.allclose(made[0].weights[4], mean_between, atol=1e-3)  # a moving mean


def test_blend_without_batchnorm_needs_no_recalibration() -> None:
    here = situation(batchnorm=False)
    (quarter, *_) = RUNGS["blend"](here)
    assert not isinstance(quarter, str)
    assert here.local is not None
    for mixed, one, other in zip(quarter.weights, here.global_model, here.local, strict=True):
        np.testing.assert_allclose(mixed, 0.25 * one + 0.75 * other, atol=1e-6)


def test_local_head_and_local_batchnorm_transplant_what_they_name() -> None:
    here = situation()
    assert here.local is not None
    for rung, taken in (("local-head", {6, 7}), ("local-batchnorm", {2, 3})):
        (candidate,) = RUNGS[rung](here)
        assert not isinstance(candidate, str)
        for index, array in enumerate(candidate.weights):
            if index in (4, 5) and rung == "local-batchnorm":
                continue  # statistics are re-estimated
            source = here.local if index in taken else here.global_model
            np.testing.assert_array_equal(array, source[index])


def test_rungs_that_a_model_or_an_edge_cannot_have() -> None:
    assert "no BatchNorm" in str(RUNGS["local-batchnorm"](situation(batchnorm=False)))
    untrained = replace(situation(), local=None)
    for rung in ("blend", "local-head", "local-batchnorm"):
        assert RUNGS[rung](untrained) == NEVER_TRAINED


def test_no_rung_changes_what_the_edge_has() -> None:
    here = situation()
    assert here.local is not None
    before = weights_sha256(here.global_model), weights_sha256(here.local)
    choice = guarded(here)
    assert (weights_sha256(here.global_model), weights_sha256(here.local)) == before
    assert [c.rung for c in choice.candidates] == [
        "global", "prior", "blend", "blend", "blend", "local-head", "local-batchnorm", "local",
    ]  # fmt: skip
    assert guarded(here).evidence == choice.evidence


def test_a_change_of_what_was_deployed_is_measured_whatever_the_base() -> None:
    here = situation()
    poor = [np.zeros_like(array) for array in here.global_model]
    poor[-1] = np.array([0, 0, 9], np.float32)  # sure of a class that the edge never sees
    choice = guarded(replace(here, previous=poor, local=here.global_model))
    assert choice.accepted.rung != "previous"
    since = choice.evidence["since_previous"]
    assert since["n"] == 24  # all that it holds out
    assert since["accuracy_bound"] <= since["accuracy_change"]
