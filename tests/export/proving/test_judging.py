"""The gate's two questions: is it the float model, and is a tuned one as good?"""

import numpy as np
import pytest
from numpy.typing import NDArray

from ecavg_tf.config import Format, Limits
from ecavg_tf.core.bundles.bundle import TensorSpec
from ecavg_tf.core.exports import ProvedAs, Verdict
from export.proving.gate import Reference
from export.proving.judging import Judgement, Seen, judge, judge_tuned

FLOAT = TensorSpec((1, 10), "float32")
INT8 = TensorSpec((1, 10), "int8", 0.1, 0)
Floats = NDArray[np.float64]


def keras_says(n: int, seed: int = 0, sure: float = 4.0) -> Floats:
    """Probabilities of a classifier that is mostly sure, shape (n, 10)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 10))
    logits[np.arange(n), rng.integers(0, 10, n)] += sure
    raised: Floats = np.exp(logits)
    return raised / raised.sum(axis=1, keepdims=True)


def known(said: Floats, accuracy: float = 0.9, seed: int = 0, words: str = "tests") -> Reference:
    """A reference whose labels are Keras' own but for some."""
    rng = np.random.default_rng(seed)
    labels = said.argmax(axis=1)
    wrong = rng.random(len(said)) > accuracy
    labels = np.where(wrong, (labels + 1) % 10, labels)
    return Reference(np.zeros((len(said), 1)), said, labels, f"{len(said)} {words}")


def flipped(said: Floats, share: float, seed: int = 1) -> Floats:
    """The best class changes places with another one on so many examples, near ties or not."""
    rng = np.random.default_rng(seed)
    changed = said.copy()
    for at in rng.choice(len(said), round(share * len(said)), replace=False):
        best = said[at].argmax()
        other = (best + rng.integers(1, 10)) % 10
        changed[at, [best, other]] = said[at, [other, best]]
    return changed


def int8(reference: Reference, answers: Floats, seen: Seen | None = None) -> Judgement:
    return judge(reference, answers, Format.INT8, INT8, Limits(), logits=True, seen=seen)


def test_the_same_answers_pass_and_say_as_what() -> None:
    said = keras_says(400)
    judged = int8(known(said), said)
    assert (judged.verdict, judged.reasons) == (Verdict.PASSED, ())
    assert judged.proved_as is ProvedAs.QUANTIZED
    assert [claim.what for claim in judged.parity.claims] == [
        "labels that differ", "difference of probabilities", "accuracy lost",
    ]  # fmt: skip
    of_float = judge(known(said), said, Format.FLOAT32, FLOAT, Limits(), logits=False)
    assert of_float.proved_as is ProvedAs.FLOAT


@pytest.mark.parametrize("n", [400, 1500, 4000])
def test_five_of_a_hundred_labels_flipped_fail(n: int) -> None:
    said = keras_says(n)
    judged = int8(known(said), flipped(said, 0.05))
    assert judged.verdict is Verdict.FAILED
    assert any("accuracy changes by -" in reason for reason in judged.reasons)


def test_flips_do_not_pass_with_few_test_examples_and_many_seen_ones() -> None:
    test, train = keras_says(24), keras_says(800, seed=5)
    seen = Seen(known(train, words="seen"), flipped(train, 0.05))
    judged = int8(known(test), flipped(test, 0.05), seen)
    assert judged.verdict is not Verdict.PASSED
    # and where the seen ones are right, what the test examples show is not hidden
    judged = int8(known(test), flipped(test, 0.5), Seen(known(train), train))
    assert judged.verdict is Verdict.FAILED


def test_few_test_examples_are_joined_by_seen_ones() -> None:
    test, train = keras_says(24), keras_says(300, seed=5)
    alone = int8(known(test), test)
    assert alone.verdict is Verdict.UNDECIDED
    assert any("24 examples, 149 needed to show that at most 2 points" in r for r in alone.reasons)
    joined = int8(known(test), test, Seen(known(train, words="seen"), train))
    assert joined.verdict is Verdict.PASSED
    _, accuracy = [c for c in joined.parity.claims if c.what.startswith("accuracy")]
    assert (accuracy.n, accuracy.examples) == (324, "24 tests and 300 seen")
    assert (accuracy.what, accuracy.level) == ("accuracy lost, at most", 0.05)


def test_seen_examples_do_not_count_where_test_examples_are_enough() -> None:
    test, train = keras_says(1000), keras_says(300, seed=5)
    joined = int8(known(test), test, Seen(known(train), train))
    assert {claim.n for claim in joined.parity.claims} <= {1000, 1000 - joined.parity.ties}


def test_labels_that_differ_on_seen_examples_are_no_loss_of_accuracy() -> None:
    test, train = keras_says(24), keras_says(800, seed=5)
    judged = int8(known(test), test, Seen(known(train), flipped(train, 0.05)))
    accuracy = [claim for claim in judged.parity.claims if claim.what.startswith("accuracy")]
    assert [claim.verdict for claim in accuracy] == [Verdict.UNDECIDED] * 2
    assert any("24 examples, 183 needed" in reason for reason in judged.reasons)


def test_two_ways_to_show_accuracy_share_the_level() -> None:
    test, train = keras_says(400), keras_says(300, seed=5)
    judged = int8(known(test), test, Seen(known(train), train))
    levels = [claim.level for claim in judged.parity.claims if claim.what.startswith("accuracy")]
    assert levels == [0.025, 0.025]


def test_near_ties_of_a_float_file_are_those_that_its_probabilities_allow() -> None:
    """One label of 893 differs where the best two classes are nearly equal."""
    said = keras_says(893)
    said[7] = [0.451, 0.446, *np.full(8, 0.103 / 8)]
    answers = said.copy()
    answers[7, :2] = [0.447, 0.450]
    judged = judge(known(said), answers, Format.FLOAT16, FLOAT, Limits(), logits=False)
    assert (judged.verdict, judged.reasons) == (Verdict.PASSED, ())
    assert judged.parity.agreement == 1.0
    assert judged.parity.agreement_all < 1.0
    said[7, :2] = [0.48, 0.417]  # farther apart than two probabilities may move
    judged = judge(known(said), answers, Format.FLOAT16, FLOAT, Limits(), logits=False)
    assert judged.verdict is Verdict.FAILED


def test_a_third_class_is_no_tie() -> None:
    said = np.tile([0.4, 0.39, 0.1, *np.full(7, 0.11 / 7)], (200, 1))
    answers = said[:, [2, 1, 0, *range(3, 10)]]
    judged = int8(Reference(np.zeros((200, 1)), said, None, "tests"), answers)
    assert judged.verdict is Verdict.FAILED
    assert any("labels agree with Keras' on 0.00 %" in reason for reason in judged.reasons)


def test_without_labels_agreement_is_shown_and_accuracy_is_not_claimed() -> None:
    said = keras_says(100)
    judged = int8(Reference(np.zeros((100, 1)), said, None, "tests"), said)
    assert judged.verdict is Verdict.PASSED
    assert not any("accuracy" in claim.what for claim in judged.parity.claims)


def tuned(
    reference: Reference, own: Floats, answers: Floats, limits: Limits | None = None
) -> Judgement:
    return judge_tuned(reference, own, answers, Format.INT8, INT8, limits or Limits(), logits=True)


def test_a_tuned_file_need_not_agree_with_the_float_model() -> None:
    said = keras_says(2000)
    reference = known(said, accuracy=0.6)
    assert reference.labels is not None
    own = said.copy()
    learned = (said.argmax(axis=1) != reference.labels) & (np.arange(2000) % 5 == 0)
    right, best = reference.labels[learned], said.argmax(axis=1)[learned]
    own[learned, right], own[learned, best] = said[learned, best], said[learned, right]
    assert int8(reference, own).verdict is Verdict.FAILED
    judged = tuned(reference, own, own)
    assert (judged.verdict, judged.reasons) == (Verdict.PASSED, ())
    assert judged.proved_as is ProvedAs.TUNED
    assert judged.parity.accuracy_change is not None
    assert judged.parity.accuracy_change > 0.05


def test_a_tuned_file_must_be_its_own_model() -> None:
    said = keras_says(2000)
    judged = tuned(known(said), said, flipped(said, 0.05))
    assert judged.verdict is Verdict.FAILED
    assert any("its own model's" in reason for reason in judged.reasons)


def test_a_tuned_file_that_loses_accuracy_fails_and_is_undecided_with_few_examples() -> None:
    said = keras_says(4000)
    worse = flipped(said, 0.05)
    assert tuned(known(said), worse, worse).verdict is Verdict.FAILED
    few = keras_says(24)
    judged = tuned(known(few), few, few)
    assert judged.verdict is Verdict.UNDECIDED
    assert any("24 examples, 149 needed" in reason for reason in judged.reasons)
    unlabelled = Reference(np.zeros((2000, 1)), said[:2000], None, "tests")
    assert tuned(unlabelled, said[:2000], said[:2000]).verdict is Verdict.UNDECIDED


def looked_twice(
    n: int, share: float, more: int, more_share: float, seen: int = 0, level: float = 0.05
) -> tuple[Judgement, int]:
    """A file that is judged with further examples at hand, and how often those were asked for."""
    test, train, first = keras_says(n), keras_says(more, seed=5), keras_says(seen or 1, seed=6)
    asked: list[int] = []

    def further() -> Seen:
        asked.append(1)
        return Seen(known(train, words="further"), flipped(train, more_share))

    limits = Limits(max_accuracy_loss=0.9, max_mean_difference_int8=0.9)
    joined = Seen(known(first, words="seen"), flipped(first, share)) if seen else None
    judged = judge(
        known(test), flipped(test, share), Format.INT8, INT8, limits,
        logits=True, seen=joined, further=further, level=level,
    )  # fmt: skip
    return judged, len(asked)


def test_what_test_examples_leave_open_further_ones_decide() -> None:
    judged, asked = looked_twice(1500, 0.06, 8000, 0.06)
    assert (judged.verdict, asked) == (Verdict.PASSED, 1)
    labels = judged.parity.claims[0]
    assert labels.examples == "1500 tests and 8000 further"
    assert labels.n > 9000
    assert labels.level == pytest.approx(0.9 * 0.05)
    assert judged.parity.n == 1500


def test_a_first_look_that_decides_is_the_only_one() -> None:
    judged, asked = looked_twice(4000, 0.02, 8000, 0.02)
    assert (judged.verdict, asked) == (Verdict.PASSED, 0)
    assert judged.parity.claims[0].level == pytest.approx(0.1 * 0.05)
    judged, asked = looked_twice(4000, 0.12, 8000, 0.0)
    assert (judged.verdict, asked) == (Verdict.FAILED, 0)


def test_examples_that_flatter_a_file_prove_nothing() -> None:
    judged, asked = looked_twice(1500, 0.065, 8000, 0.03)
    assert (judged.verdict, asked) == (Verdict.UNDECIDED, 1)
    assert judged.parity.claims[0].n <= 1500
    # nor do others count where the test examples alone are over the limit
    judged, asked = looked_twice(400, 0.075, 8000, 0.06, seen=1000)
    assert (judged.verdict is not Verdict.PASSED, asked) == (True, 0)


def test_few_test_examples_and_many_further_ones_show_the_accuracy() -> None:
    test, first, train = (keras_says(n, seed=n) for n in (24, 1000, 6000))
    seen = Seen(known(first, words="seen"), flipped(first, 0.013))
    about = (known(test), test, Format.INT8, INT8, Limits())
    assert judge(*about, logits=True, seen=seen).verdict is Verdict.UNDECIDED
    further = Seen(known(train, words="further"), flipped(train, 0.013))
    judged = judge(*about, logits=True, seen=seen, further=lambda: further)
    assert judged.verdict is Verdict.PASSED
    accuracy = judged.parity.claims[-1]
    assert accuracy.examples == "24 tests and 1000 seen and 6000 further"
    assert accuracy.level == pytest.approx(0.9 * 0.05)  # 24 show nothing: this way has all of it


@pytest.mark.parametrize(("n", "seen"), [(24, 1000), (400, 1000), (1500, 0)])
def test_flipped_labels_do_not_pass_a_second_look(n: int, seen: int) -> None:
    test, first, train = (keras_says(count, seed=count) for count in (n, seen or 1, 8000))
    joined = Seen(known(first, words="seen"), flipped(first, 0.05)) if seen else None
    judged = judge(
        known(test), flipped(test, 0.05), Format.INT8, INT8, Limits(), logits=True,
        seen=joined, further=lambda: Seen(known(train), flipped(train, 0.05)),
    )  # fmt: skip
    assert judged.verdict is not Verdict.PASSED
