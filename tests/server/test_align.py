"""Weight matching, on models whose right answer is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from updates_for_tests import INFO

from ecavg_tf.core.messages.update_file import Update, write_update
from ecavg_tf.core.permuting import Groups, Touch, all_renamed
from ecavg_tf.core.template import Array, Role, Template, WeightSpec
from server.aggregate import average_updates
from server.align import aligned, matched

SHAPES = ((5, 8), (8,), (8, 6), (6,), (6, 3), (3,))
GROUPS = Groups(
    (8, 6),
    (
        *(Touch(0, 1, 0), Touch(1, 0, 0), Touch(2, 0, 0)),
        *(Touch(2, 1, 1), Touch(3, 0, 1), Touch(4, 0, 1)),
    ),
)
ALL = range(len(SHAPES))
SHAPED = list(enumerate(SHAPES))
TEMPLATE = Template(
    (
        *(WeightSpec(f"w{at}", shape, "float32", Role.TRAINABLE) for at, shape in SHAPED),
        WeightSpec("seed", (2,), "uint32", Role.STATE),
    )
)  # fmt: skip


def model(seed: int) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(np.float32) for shape in SHAPES]


def outputs(weights: list[Array], inputs: Array) -> Array:
    hidden = np.maximum(inputs @ weights[0] + weights[1], 0)
    hidden = np.maximum(hidden @ weights[2] + weights[3], 0)
    return np.asarray(hidden @ weights[4] + weights[5])


def test_a_renamed_model_is_found_again() -> None:
    reference, rng = model(0), np.random.default_rng(1)
    other = all_renamed(reference, GROUPS, [rng.permutation(size) for size in GROUPS.sizes])
    found = matched(reference, other, GROUPS, ALL, seed=0)
    for one, two in zip(all_renamed(other, GROUPS, found), reference, strict=True):
        np.testing.assert_array_equal(one, two)


def test_one_hidden_layer_is_matched_exactly_by_hand() -> None:
    groups = Groups((3,), (Touch(0, 1, 0), Touch(1, 0, 0)))
    reference = [np.array([[1.0, 0.0, 0.0]]), np.array([[0.0], [1.0], [0.0]])]
    other = [np.array([[0.0, 0.0, 1.0]]), np.array([[2.0], [0.0], [0.0]])]
    (found,) = matched(reference, other, groups, (0, 1), seed=0)
    assert found[0] == 2  # the one with the incoming weight
    assert found[1] == 0  # the one with the outgoing weight
    # The right channel need not be the nearest of its own: all of them are matched together.
    greedy = [np.array([[3.0, 2.0]]), np.array([[0.0], [0.0]])]
    (found,) = matched(
        greedy, [np.array([[2.0, 9.0]]), np.zeros((2, 1))],
        Groups((2,), (Touch(0, 1, 0), Touch(1, 0, 0))), (0, 1), seed=0,
    )  # fmt: skip
    assert found.tolist() == [1, 0]


def test_matching_only_brings_models_closer_and_changes_no_outputs() -> None:
    reference, other = model(2), model(3)
    found = matched(reference, other, GROUPS, ALL, seed=0)
    renamed = all_renamed(other, GROUPS, found)

    def distance(one: list[Array]) -> float:
        return float(sum(((a - b) ** 2).sum() for a, b in zip(one, reference, strict=True)))

    assert distance(renamed) < distance(other)
    inputs = np.random.default_rng(4).normal(size=(7, 5))
    np.testing.assert_allclose(outputs(renamed, inputs), outputs(other, inputs), rtol=1e-5)


def test_a_flatten_gives_a_channel_once_a_pixel() -> None:
    groups = Groups((3,), (Touch(0, 1, 0), Touch(1, 0, 0, outer=4)))
    rng = np.random.default_rng(5)
    reference = [rng.normal(size=(2, 3)), rng.normal(size=(12, 2))]
    other = all_renamed(reference, groups, [np.array([2, 0, 1])])
    np.testing.assert_array_equal(
        other[1].reshape(4, 3, 2), reference[1].reshape(4, 3, 2)[:, [2, 0, 1]]
    )
    found = matched(reference, other, groups, (0, 1), seed=0)
    np.testing.assert_array_equal(all_renamed(other, groups, found)[1], reference[1])


@pytest.mark.parametrize("edges", [2, 3])
def test_updates_that_are_one_model_renamed_average_to_it(tmp_path: Path, edges: int) -> None:
    reference, rng = model(6), np.random.default_rng(7)
    seed = np.array([1, 2], np.uint32)
    base = [*(np.zeros_like(array) for array in reference), seed]
    updates = []
    for at in range(edges):
        new = [rng.permutation(size) if at else np.arange(size) for size in GROUPS.sizes]
        path = tmp_path / f"edge-0{at}.safetensors"
        sent = [*all_renamed(reference, GROUPS, new), seed]
        write_update(path, replace(INFO, edge=f"edge-0{at}"), TEMPLATE.named(sent))
        updates.append(Update(path))
    updates[-1].credit = 2.0
    made = aligned(updates, TEMPLATE, base, GROUPS, seed=0)
    assert [each.info.edge for each in made] == [each.info.edge for each in updates]
    assert made[-1].credit == 2.0
    average = average_updates(made, TEMPLATE, base, [1.0] * edges)
    for one, two in zip(average, [*reference, seed], strict=True):
        np.testing.assert_array_equal(one, two)
