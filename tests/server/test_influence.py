"""What each update does to the average, and who is named or refused for it."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from screen_for_tests import BASE, TEMPLATE, updates

from ecavg_tf.config import DoubtfulLabels
from ecavg_tf.core.deciding.predictions import Predictions
from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import Examples
from server.aggregate import average_updates
from server.doubts import doubts, without
from server.influence import Round, drawn, excluded, findings, influences, means_without_each
from server.labels import stands_out

MANY = (50, 50)
RIGHT, WRONG = math.log(0.9), math.log(0.001)


def examples(labels: Sequence[int], wrong: int = 0) -> Examples:
    """The first ``wrong`` of them have labels that every model finds wrong."""
    inputs = (np.arange(len(labels)) < wrong).astype(float)
    return Examples(inputs[:, np.newaxis], np.array(labels, np.int64))


def near(target: tuple[float, float]) -> "Score":
    return Score(np.array(target))


class Score:
    """A model is good where its kernel is near a target; inputs of 1 have wrong labels."""

    def __init__(self, target: Array) -> None:
        self.target = target

    def __call__(self, few: Examples, weights: Sequence[Array]) -> Predictions:
        loss = float(np.square(weights[0] - self.target).sum())
        odd = few.inputs[:, 0] == 1
        return Predictions(np.where(odd, WRONG, -loss), ~odd)


def given(sent: list[Update], pooled: dict[str, Examples], target: tuple[float, float]) -> Round:
    return Round(sent, TEMPLATE, BASE, [1.0] * len(sent), [], pooled, near(target))


def test_the_mean_of_the_others_by_hand(tmp_path: Path) -> None:
    sent = updates(tmp_path, (4.0, 4.0), (3.0, 6.0), (2.0, 5.0))
    round_ = Round(sent, TEMPLATE, BASE, [1.0, 2.0, 1.0], [], {}, near((0, 0)))
    mean = average_updates(sent, TEMPLATE, BASE, [1.0, 2.0, 1.0])
    rest = list(means_without_each(round_, mean))
    np.testing.assert_allclose(
        [one[0] for one in rest], [[8 / 3, 17 / 3], [3, 4.5], [10 / 3, 16 / 3]]
    )
    assert all(one[2].tolist() == [0] for one in rest)  # state is the start's


def test_losses_with_and_without_by_hand(tmp_path: Path) -> None:
    """Two edges at the target and one 3 away: the mean is 1 away, without it 0, without an
    honest one 1.5."""
    sent = updates(tmp_path, (4.0, 4.0), (4.0, 4.0), (1.0, 4.0))
    pooled = {edge: examples([0, 0]) for edge in "abc"}
    measured = influences(given(sent, pooled, (4.0, 4.0)))
    assert [one.loss_with for one in measured] == pytest.approx([1.0] * 3)
    assert [one.loss_without for one in measured] == pytest.approx([2.25, 2.25, 0.0])


def test_each_model_is_scored_once(tmp_path: Path) -> None:
    """The mean of all and three of two edges each, on three edges' examples; the start is not
    asked for where the mean is no worse than a guess."""
    score, asked = near((4.0, 4.0)), []

    def counted(few: Examples, weights: Sequence[Array]) -> Predictions:
        asked.append(few)
        return score(few, weights)

    sent = updates(tmp_path, (4.0, 4.0), (4.0, 4.0), (5.0, 4.0))
    pooled = {edge: examples([0, 0]) for edge in "abc"}
    round_ = Round(sent, TEMPLATE, BASE, [1.0] * 3, [], pooled, counted)
    assert excluded(round_, influences(round_)) == {}
    assert len(asked) == 4 * 3


def test_without_pooled_data_lengths_and_angles_are_measured(tmp_path: Path) -> None:
    (one, *_) = influences(given(updates(tmp_path, (4.0, 4.0), (5.0, 4.0)), {}, (0, 0)))
    assert (one.norm, one.cosine, one.loss_with, one.judged) == (1.0, 1.0, None, None)


def test_who_points_against_the_others_is_named(tmp_path: Path) -> None:
    sent = updates(tmp_path, (4.0, 4.0), (4.0, 4.5), (4.0, 3.5), (2.0, 4.0))
    round_ = given(sent, {}, (0, 0))
    (line,) = findings(round_, influences(round_))
    assert line.startswith("d stands out: its update points against the others' (cosine -1.00")
    assert line.endswith("It was not left out")


def test_a_long_update_with_little_in_common_is_named(tmp_path: Path) -> None:
    """The others change by (1, 0), (1, .5) and (1, -.5): their median cosine is .76."""
    honest = ((4.0, 4.0), (4.0, 4.5), (4.0, 3.5))
    round_ = given(updates(tmp_path / "long", *honest, (3.3, 8.0)), {}, (0, 0))
    (line,) = findings(round_, influences(round_))
    assert line.startswith(
        "d stands out: its update has little in common with the others' (cosine 0.07, the others' "
        "to each other 0.76), and is 3.6 times as long"
    )
    round_ = given(updates(tmp_path / "short", *honest, (3.05, 5.0)), {}, (0, 0))
    assert findings(round_, influences(round_)) == ()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("edges", [1, 2, 3])
def test_among_few_edges_nobody_stands_out(tmp_path: Path, edges: int) -> None:
    """One edge has no others to be compared with; a median of nothing is no number."""
    sent = updates(tmp_path, *[(4.0, 4.0), (4.0, 40.0), (4.0, 4.5)][:edges])
    round_ = given(sent, {}, (0, 0))
    assert findings(round_, influences(round_)) == ()


def test_edges_that_all_pull_in_directions_of_their_own_are_not_named(tmp_path: Path) -> None:
    sent = updates(tmp_path, (4.0, 4.0), (2.0, 4.0), (3.0, 5.0), (3.0, 3.0))
    round_ = given(sent, {}, (0, 0))
    assert findings(round_, influences(round_)) == ()


def test_who_harms_the_average_is_named(tmp_path: Path) -> None:
    sent = updates(tmp_path, (4.0, 4.0), (4.0, 4.1), (4.0, 3.9), (4.0, 4.0), (5.0, 4.0))
    pooled = {edge: examples([0, 0]) for edge in "abcde"}
    round_ = given(sent, pooled, (4.0, 4.0))
    (line,) = findings(round_, influences(round_))
    assert line.startswith("e stands out: without it, the average's loss on pooled examples falls")


def test_who_pools_odd_labels_is_named(tmp_path: Path) -> None:
    """20 of 40 labels of an edge are wrong, 1 of 40 of each other's."""
    sent = updates(tmp_path, *[(4.0, 4.0)] * 4, counts=MANY)
    pooled = {edge: examples([1, 0] * 20, wrong=1) for edge in "abc"}
    pooled["d"] = examples([1, 0] * 20, wrong=20)
    round_ = given(sent, pooled, (4.0, 4.0))
    measured = influences(round_)
    assert (measured[3].judged, measured[3].implausible) == (40, 20)
    assert measured[3].implausible_others == pytest.approx(1 / 40)
    (line,) = findings(round_, measured)
    assert "finds 20 of 40 labels that it pooled implausible (50 %, of the others' 2 %)" in line


def test_classes_that_no_other_edge_has_are_not_judged(tmp_path: Path) -> None:
    sent = updates(tmp_path, *[(4.0, 4.0)] * 3, counts=(50, 0))
    pooled = {edge: examples([0] * 20) for edge in "ab"} | {"c": examples([1] * 20, wrong=20)}
    measured = influences(given(sent, pooled, (4.0, 4.0)))
    assert (measured[2].judged, measured[2].implausible) == (0, 0)


def test_classes_that_the_others_model_does_not_know_are_not_judged(tmp_path: Path) -> None:
    """The others have had enough of class 1, and their model finds 3 of 4 of it wrong."""
    sent = updates(tmp_path, *[(4.0, 4.0)] * 3, counts=MANY)
    pooled = {edge: examples([1, 1, 1, 1, 0, 0], wrong=3) for edge in "ab"}
    pooled["c"] = examples([1] * 20 + [0] * 7, wrong=21)
    measured = influences(given(sent, pooled, (4.0, 4.0)))
    assert (measured[2].judged, measured[2].implausible) == (7, 1)
    assert measured[2].implausible_others == 0


def test_an_edge_stands_out_by_hand() -> None:
    """Fisher's exact test, one-sided: 9 of 20 against 0 of 20 has 0.0006, 8 of 20 0.0016."""
    assert stands_out(20, 9, 0.0)
    assert not stands_out(20, 8, 0.0)
    assert not stands_out(1000, 90, 0.0)  # less than a tenth
    assert not stands_out(1000, 250, 0.1)  # less than three times the others'
    assert not stands_out(0, 0, 0.0)


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        (DoubtfulLabels.KEEP, {"a": 60, "b": 60, "c": 60, "d": 40}),
        (DoubtfulLabels.DROP, {"a": 59, "b": 59, "c": 59, "d": 20}),
        (DoubtfulLabels.DROP_EDGE, {"a": 60, "b": 60, "c": 60}),
    ],
)
def test_doubtful_labels_are_left_out(
    tmp_path: Path, rule: DoubtfulLabels, left: dict[str, int]
) -> None:
    """d sent no update this time: the mean of all others judges what it pooled before."""
    sent = updates(tmp_path, *[(4.0, 4.0)] * 3, counts=MANY)
    pooled = {edge: examples([1, 0] * 30, wrong=1) for edge in "abc"}
    pooled["d"] = examples([1, 0] * 20, wrong=20)
    found = doubts(given(sent, pooled, (4.0, 4.0)), pooled, rule)
    kept = without(pooled, found)
    assert {edge: len(examples) for edge, examples in kept.items()} == left
    if rule is not DoubtfulLabels.KEEP:
        assert kept.get("d", examples([])).inputs.sum() == 0  # those that are wrong are gone
        assert str(found[-1]) == (
            f"{40 - left.get('d', 0)} of the 40 examples that d pooled are left out: a model of "
            "the others finds 20 of 40 labels implausible, of the others' labels 2 % "
            "(server.doubtful_labels)"
        )


def test_who_breaks_the_average_is_refused_and_nobody_if_no_absence_mends_it(
    tmp_path: Path,
) -> None:
    pooled = {edge: examples([0]) for edge in "abc"}
    broken = given(updates(tmp_path, (4.0, 4.0), (4.0, 4.0), (16.0, 4.0)), pooled, (4.0, 4.0))
    assert excluded(broken, influences(broken)) == {
        "c": "with its update, the average's loss on pooled examples is 16, and 0 without; the "
        "model that the round started from has 1"
    }
    far = given(updates(tmp_path, (4.0, 9.0), (4.0, 9.0), (16.0, 9.0)), pooled, (4.0, 4.0))
    assert excluded(far, influences(far)) == {}
    sound = given(updates(tmp_path, (4.0, 4.0), (4.0, 4.0), (5.0, 4.0)), pooled, (4.0, 4.0))
    assert excluded(sound, influences(sound)) == {}


def test_few_of_every_edge_and_the_same_ones_each_time() -> None:
    pooled = {"a": examples([0, 1] * 50), "b": examples([0] * 5), "c": examples([])}
    few = drawn(pooled, 40, seed=3)
    assert {edge: len(part) for edge, part in few.items()} == {"a": 13, "b": 5}
    assert drawn(pooled, 0, seed=3) == {}
    np.testing.assert_array_equal(few["a"].labels, drawn(pooled, 40, seed=3)["a"].labels)
