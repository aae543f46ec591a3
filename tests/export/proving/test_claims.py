"""What a sample shows: bounds, three verdicts, and how many examples are needed."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta

from ecavg_tf.core.exports import Claim, Parity, Verdict
from export.proving.claims import LEVEL, least_examples, level_of, lost, show
from export.proving.verdict_words import told


def share(off: int, n: int, limit: float = 0.02) -> tuple[Verdict, float, int | None]:
    claim = show("labels that differ", np.repeat([1.0, 0.0], [off, n - off]), limit, "some")
    assert (claim.n, claim.estimate) == (n, off / n)
    return claim.verdict, claim.bound, claim.needed


@pytest.mark.parametrize(("off", "n"), [(0, 24), (1, 24), (3, 400), (12, 893)])
def test_a_share_has_the_exact_bound_of_clopper_and_pearson(off: int, n: int) -> None:
    exact = beta.ppf(1 - LEVEL, off + 1, n - off)
    assert share(off, n)[1] == pytest.approx(exact, abs=1e-6)


def test_a_file_that_is_right_more_often_loses_nothing() -> None:
    parity = Parity("some", 140, 0.1, 0.01, 1.0, 1.0, 0, 0.0, "probability")
    won = Claim(
        "accuracy lost", "140 test images", 140, -0.0071, 0.021, 0.05, 0.02, Verdict.UNDECIDED, 190
    )
    assert told(won, parity) == (
        "140 examples, 190 needed to show that at most 2 points of accuracy are lost (0.71 points "
        "are won, and a loss of up to 2.1 can't be excluded; 140 test images)"
    )
    assert "0.71 points are lost, and" in told(replace(won, estimate=0.0071), parity)


def test_three_verdicts_by_hand() -> None:
    # 0.98^148 = 0.0503, 0.98^149 = 0.0493: 149 examples show 2 % if not one is off
    assert share(0, 148)[0] is Verdict.UNDECIDED
    assert share(0, 149)[0] is Verdict.PASSED
    assert least_examples(0.02) == 149
    assert share(0, 24)[2] == 149
    # one of 24 is 4 %, and shows nothing: 0.98^24 = 62 % to see none at the limit
    assert share(1, 24)[0] is Verdict.UNDECIDED
    assert share(28, 400)[0] is Verdict.FAILED  # 7 %: the lower bound is 5 %


def test_a_mean_over_the_limit_fails_where_half_the_limit_could_be_shown() -> None:
    verdict, _, needed = share(12, 500)  # 2.4 %
    assert verdict is Verdict.UNDECIDED
    assert needed is not None
    exact = beta.ppf(1 - LEVEL, 0.01 * needed + 1, 0.99 * needed)
    assert exact == pytest.approx(0.02, abs=4e-4)  # 1 % of so many just shows 2 %
    assert share(round(0.024 * needed), needed)[0] is Verdict.FAILED


def test_what_is_needed_at_the_rates_that_were_seen_suffices() -> None:
    verdict, _, needed = share(6, 400)  # 1.5 %
    assert verdict is Verdict.UNDECIDED
    assert needed is not None
    assert share(int(0.015 * needed), needed)[0] is Verdict.PASSED
    assert share(round(0.015 * needed * 0.9) + 1, round(needed * 0.9))[0] is Verdict.UNDECIDED


def test_no_bound_shows_nought_so_the_count_decides() -> None:
    assert share(0, 5, 0.0)[0] is Verdict.PASSED
    assert share(1, 893, 0.0)[0] is Verdict.FAILED


def test_no_examples_show_nothing() -> None:
    claim = show("labels that differ", np.zeros(0), 0.07, "none")
    assert (claim.verdict, claim.bound, claim.needed) == (Verdict.UNDECIDED, 1.0, 42)


def test_an_example_that_is_won_makes_up_for_one_that_is_lost() -> None:
    before = np.array([True, True, False, False])
    after = np.array([True, False, True, False])
    assert lost(before, after).tolist() == [0, 1, -1, 0]
    rest = np.zeros(960)
    balanced = show("accuracy lost", np.r_[np.ones(20), -np.ones(20), rest], 0.02, "", lowest=-1)
    only_lost = show("accuracy lost", np.r_[np.ones(20), np.zeros(20), rest], 0.02, "", lowest=-1)
    assert balanced.verdict is Verdict.PASSED
    # Normal theory: 0 + 1.645 sqrt(0.04 / 1000) = 0.0104; the bound adds one example at worst
    assert 0.0104 < balanced.bound < 0.0125
    assert only_lost.verdict is not Verdict.PASSED


def test_a_quantity_without_steps_is_bounded_from_above() -> None:
    values = np.random.default_rng(0).exponential(0.02, 400)
    claim = show("difference of probabilities", values, 0.05, "")
    assert claim.verdict is Verdict.PASSED
    margin = 1.645 * values.std() / 20
    # beside chance, the bound counts one example that is off by 1, with a weight of up to 3/n
    assert values.mean() + margin < claim.bound < values.mean() + 2 * margin + 3 / 400


def test_all_tries_together_have_the_level_of_one() -> None:
    assert level_of(True, 0) == LEVEL
    assert [level_of(number == 0, 2) for number in range(3)] == [LEVEL / 2, LEVEL / 4, LEVEL / 4]
    assert level_of(True, 1) + level_of(False, 1) == LEVEL
