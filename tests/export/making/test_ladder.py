"""A tuned file is tried where it can be shown to be its own model."""

import numpy as np
import pytest
from exports_for_tests import digits
from nets_for_tests import calibration, depthwise

from ecavg_tf.config import Limits
from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.template import Array
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.events import Event, Note
from export.making import kernels, ladder
from export.making.convert import Converter
from export.making.formats import Variant
from export.making.kernels import Disagreement, kernels_disagree
from export.making.ladder import Ladder, Way
from export.quantizing.tuning import Tuning
from export.subject import Subject, key_of


def ways_of(*, asked: bool = False, said: list[Event] | None = None) -> list[Way]:
    images = np.asarray(digits().train.inputs[:100], np.float32)
    tuning = Tuning(images, "100 training examples", 3, seed=0, asked=asked)
    listener = (said if said is not None else []).append
    with Converter(depthwise(), (8, 8, 1)) as converter:
        converter.convert(Variant.INT8, calibration())  # which fits the range of the logits
        made = Ladder(converter, Variant.INT8, calibration(), tuning, listener)
        found = []
        for way, make in made.ways(lambda content: content):
            found.append(way)
            if way is Way.FITTED:
                make()
        assert made.open_ways() == len(found)
    return found


def test_kernels_agree_on_a_small_net() -> None:
    with Converter(depthwise(), (8, 8, 1)) as converter:
        content = converter.convert(Variant.INT8, calibration())
    found = kernels_disagree(content, calibration())
    assert found.of == 100
    assert not found.shows_more_than(0.02)
    assert ways_of() == [Way.FITTED, Way.TUNED]


def test_where_kernels_disagree_only_a_user_has_it_tuned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder, "kernels_disagree", lambda *_: Disagreement(8, 100))
    said: list[Event] = []
    assert ways_of(said=said) == [Way.FITTED]
    note = said[-1]
    assert isinstance(note, Note)
    assert "give other labels for 8 of 100 calibration examples" in note.text
    assert "export.tune=3 tries it" in note.text
    assert ways_of(asked=True) == [Way.FITTED, Way.TUNED]


def test_a_number_of_epochs_that_a_user_gives_is_another_export() -> None:
    """Else the rows of an earlier export would be found, and nothing tried."""
    images = np.zeros((2, 8, 8, 1), np.float32)
    spec = DataSpec("x", (8, 8, 1), "float32", (0.0, 1.0), ("a", "b"))
    keys = {
        key_of(
            Subject("a", "", {}, None, images, None, "", Tuning(images, "", 3, 0, asked=asked)),
            spec,
            Limits(),
            logits=False,
        )
        for asked in (False, True)
    }
    assert len(keys) == 2


def test_kernels_that_can_not_be_compared_rule_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def crashes(*_: object) -> Disagreement:
        raise ExportError("the file crashes")

    monkeypatch.setattr(ladder, "kernels_disagree", crashes)
    assert ways_of() == [Way.FITTED, Way.TUNED]


def test_ties_are_no_disagreement(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of four examples: alike, other label, tied in one, tied in both."""
    fast = np.array([[9, 0], [9, 0], [5, 5], [5, 5]], np.int8)
    reference = np.array([[8, 0], [0, 9], [4, 5], [5, 5]], np.int8)

    def outputs(*_: object, **kernels_: bool) -> Array:
        return reference if kernels_["reference"] else fast

    monkeypatch.setattr(kernels, "first_outputs", outputs)
    with Converter(depthwise(), (8, 8, 1)) as converter:
        content = converter.convert(Variant.INT8, calibration())
    assert kernels_disagree(content, calibration()[:4]) == Disagreement(1, 4)


def test_few_examples_show_little() -> None:
    """Of 100 with 2 % each, 5 or more differ with 5.08 %, and 6 or more with 1.55 %."""
    assert not Disagreement(5, 100).shows_more_than(0.02)
    assert Disagreement(6, 100).shows_more_than(0.02)
    assert not Disagreement(0, 400).shows_more_than(0.02)
    assert not Disagreement(1, 20).shows_more_than(0.02)
