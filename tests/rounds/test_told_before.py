"""What a user is told before the first round."""

from dataclasses import replace

import pytest

from ecavg_tf.config import Config, UpdateConfig
from ecavg_tf.rounds.told_before import few_to_decide_with


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ([100, 2000], []),
        ([], []),
        (
            # At 5 % it takes 5 wins without a loss: 2**-5 < .05 < 2**-4; 5 of 40 are 12.5 %.
            [40, 110, 61],
            [
                "2 edges hold out fewer than 100 examples to decide with, the fewest 40: by "
                "accuracy these show only gains of 12.5 points or more; to show 2 points takes 250 "
                "examples: raise partition.guard_fraction, or give these edges more data"
            ],
        ),
        (
            [4, 500],
            [
                "one edge holds out fewer than 100 examples to decide with, the fewest 4: by "
                "accuracy these can't show any gain (it takes 5); raise partition.guard_fraction, "
                "or give these edges more data"
            ],
        ),
    ],
)
def test_few_examples_to_decide_with(sizes: list[int], said: list[str]) -> None:
    assert list(few_to_decide_with(Config(), sizes)) == said


def test_a_stricter_level_takes_more() -> None:
    strict = replace(Config(), update=UpdateConfig(level=0.001))
    (line,) = few_to_decide_with(strict, [50])
    assert "gains of 20.0 points or more" in line  # 10 wins: 2**-10 < .001 < 2**-9
