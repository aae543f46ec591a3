"""A tab decides with Python's numbers: its guard beside ``ecavg_tf.core.deciding``."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from learning_for_tests import evaluated, served_modules
from numpy.typing import NDArray
from web_for_tests import chromium

from ecavg_tf.core.deciding.bounds import mcnemar_mid_p, mean_lower_bound, shift_to_zero
from ecavg_tf.core.deciding.guard import Outcome, decide, halves, worst_gain
from ecavg_tf.core.deciding.jointly import decide_jointly
from ecavg_tf.core.deciding.predictions import Predictions
from ecavg_tf.core.deciding.prior import prior_shift, same_mix
from ecavg_tf.core.files import canonical_json
from ecavg_tf.core.seeds import epoch_order, uniforms

pytestmark = pytest.mark.slow

CLOSE = 1e-9


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    session = chromium()
    with served_modules() as address:
        session.set_script_timeout(300)
        session.get(address)
        yield session
        session.quit()


def differences(found: Any, expected: Any) -> list[float]:
    """Of all numbers of two values of plain JSON, whose other members must be equal."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        return [each for key in expected for each in differences(found[key], expected[key])]
    if isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        return [
            each
            for one, other in zip(found, expected, strict=True)
            for each in differences(one, other)
        ]
    if isinstance(expected, float) and found is not None:
        return [abs(found - expected)]
    assert found == expected
    return []


def test_orders_and_uniform_numbers(browser: Any) -> None:
    body = """
    const { epochOrder, uniforms } = await load("seeds");
    const found = [];
    for (const [n, seed, round, who, epoch] of given[0]) found.push([
        Array.from(await epochOrder(n, seed, round, who, epoch)),
        Array.from(await uniforms(n, seed, "x", who, round))]);
    return found;"""
    draws = np.random.default_rng(0)
    names = ["edge-00", "Łódź 🏭", 'a"b\\c\n\x7f', "server"]
    cases = [
        [int(n), int(seed), int(turn), names[int(turn) % 4], int(epoch)]
        for n, seed, turn, epoch in draws.integers(0, [300, 2**40, 50, 9], (200, 4))
    ]
    for case, (order, drawn) in zip(cases, evaluated(browser, body, cases), strict=True):
        n, seed, turn, who, epoch = case
        assert order == epoch_order(n, seed, turn, who, epoch).tolist()
        assert drawn == uniforms(n, seed, "x", who, turn).tolist()


def test_canonical_json(browser: Any) -> None:
    body = """
    const { Real, canonicalJson } = await load("canonical_json");
    return given[0].map((value) =>
        canonicalJson({ z: [new Real(value)], a: null, "é\\u0001": true }));"""
    draws = np.random.default_rng(0)
    powers = draws.uniform(-30, 30, 300)
    values = [0.0, 1.0, -1.0, 1e16, 9999999999999998.0, 1e-4, 9e-5, 5e-324, 1.7e308, 123456.0]
    values += (draws.choice([-1, 1], 300) * 10**powers).tolist()
    expected = [canonical_json({"z": [value], "a": None, "é\x01": True}) for value in values]
    assert evaluated(browser, body, values) == expected


def gains(draws: np.random.Generator, n: int, classes: int) -> NDArray[np.float64]:
    """Differences of smoothed log-likelihoods, some of them with many equal values."""
    lowest = worst_gain(classes)
    values = draws.normal(draws.uniform(-0.1, 0.3), draws.uniform(0.01, 1.5), n)
    values = np.where(draws.uniform(size=n) < draws.uniform(), values, 0.0)
    return np.clip(values, lowest, -lowest)


def test_bounds(browser: Any) -> None:
    body = """
    const { meanLowerBound, shiftToZero, mcnemarMidP } = await load("bounds");
    return given[0].map(([values, lowest, level, losses, wins]) => [
        meanLowerBound(values, lowest, level), shiftToZero(values, lowest, level),
        mcnemarMidP(losses, wins)]);"""
    draws = np.random.default_rng(1)
    cases, expected = [], []
    for _ in range(400):
        classes, n = int(draws.integers(2, 101)), int(draws.integers(1, 400))
        values, lowest = gains(draws, n, classes), worst_gain(classes)
        level = float(10 ** draws.uniform(-5, np.log10(0.5)))
        losses, wins = (int(each) for each in draws.integers(0, draws.integers(1, 3000), 2))
        cases.append([values.tolist(), lowest, level, losses, wins])
        expected.append(
            [
                mean_lower_bound(values, lowest, level),
                shift_to_zero(values, lowest, level),
                mcnemar_mid_p(losses, wins),
            ]
        )
    off = differences(evaluated(browser, body, cases), expected)
    print(f"bounds of {len(cases)} samples: largest difference {max(off):.2g}")
    assert max(off) < CLOSE


def situation(draws: np.random.Generator, n: int, classes: int) -> list[Predictions]:
    """Candidates that resemble each other, as models of one round do; some are better."""
    count = int(draws.integers(2, 9))
    common = draws.normal(1, 1.5, n)
    found = []
    for _ in range(count):
        logits = common + draws.normal(draws.uniform(-0.3, 0.6), draws.uniform(0, 1), n)
        likelihood = 1 / (1 + (classes - 1) * np.exp(-logits))
        found.append(Predictions(np.log(np.clip(likelihood, 1e-7, 1)), likelihood > 0.5))
    return found


def told(outcome: Outcome) -> dict[str, Any]:
    return {**asdict(outcome), "reason": outcome.reason.value}


def given_cases(count: int, seed: int, most: int) -> list[dict[str, Any]]:
    draws = np.random.default_rng(seed)
    cases = []
    for case in range(count):
        n = int(draws.integers(0, 4) if case % 10 == 0 else draws.integers(4, most))
        classes = int(draws.integers(2, 20))
        candidates = situation(draws, n, classes)
        kept = int(draws.integers(0, 3)) if case % 8 == 0 else int(draws.integers(1, 3))
        baselines = list(range(max(1, len(candidates) - kept), len(candidates)))
        labels = draws.integers(0, classes, n)
        level = float(draws.choice([0.05, 0.05 / 3, 0.001, 0.5, 0.05 / 60]))
        given = {"candidates": candidates, "baselines": baselines, "labels": labels}
        cases.append({**given, "classes": classes, "level": level, "seed": case})
    return cases


def plain(case: dict[str, Any]) -> dict[str, Any]:
    return {
        **case,
        "labels": case["labels"].tolist(),
        "candidates": [
            [each.log_likelihood.tolist(), each.correct.astype(int).tolist()]
            for each in case["candidates"]
        ],
    }


READ = """
const { Predictions } = await load("predictions");
const read = (candidates) => candidates.map(([likelihood, correct]) =>
    new Predictions(Float64Array.from(likelihood), Uint8Array.from(correct)));
"""


def test_the_rule_of_two_halves(browser: Any) -> None:
    body = (
        READ
        + """
    const { decide, halves } = await load("guard");
    const found = [];
    for (const { candidates, baselines, labels, classes, level, seed } of given[0]) {
        const dealt = await halves(labels, seed, "édge");
        found.push({ ...dealt,
            ...decide(read(candidates), baselines, { ...dealt, classes, level }),
            certifies: dealt.certifying });
    }
    return found;"""
    )
    cases, off, reasons = given_cases(300, 2, 300), [], set()
    answers = evaluated(browser, body, [plain(case) for case in cases])
    for case, found in zip(cases, answers, strict=True):
        selecting, certifying = halves(case["labels"], case["seed"], "édge")
        outcome = decide(
            case["candidates"],
            case["baselines"],
            selecting=selecting,
            certifying=certifying,
            num_classes=case["classes"],
            level=case["level"],
        )
        assert found.pop("selecting") == selecting.tolist()
        assert found.pop("certifies") == certifying.tolist()
        off += differences(found, told(outcome))
        reasons.add(outcome.reason)
    print(f"{len(cases)} decisions by halves: largest difference {max(off):.2g}")
    assert max(off) < CLOSE
    assert len(reasons) >= 5, reasons


def test_the_rule_that_tests_all_together(browser: Any) -> None:
    body = (
        READ
        + """
    const { decideJointly } = await load("jointly");
    const { pauses } = await load("training_model");
    const found = [];
    for (const { candidates, baselines, ...others } of given[0]) {
        const more = { ...others, edge: "édge", pause: pauses() };
        found.push(await decideJointly(read(candidates), baselines, more));
    }
    return found;"""
    )
    cases, off, reasons = given_cases(200, 3, 120), [], set()
    answers = evaluated(browser, body, [plain(case) for case in cases])
    for case, found in zip(cases, answers, strict=True):
        outcome = decide_jointly(
            case["candidates"],
            case["baselines"],
            num_classes=case["classes"],
            level=case["level"],
            seed=case["seed"],
            edge="édge",
        )
        off += differences(found, told(outcome))
        reasons.add(outcome.reason)
    print(f"{len(cases)} decisions together: largest difference {max(off):.2g}")
    assert max(off) < CLOSE
    assert len(reasons) >= 5, reasons


def test_the_label_prior(browser: Any) -> None:
    body = """
    const { isSameMix, priorShift } = await load("prior");
    return given[0].map(([one, other]) => [isSameMix(one, other), priorShift(one, other)]);"""
    draws = np.random.default_rng(4)
    cases = []
    for case in range(300):
        shares = draws.dirichlet(np.full(draws.integers(2, 12), 0.7))
        other = shares if case % 2 else draws.dirichlet(np.full(len(shares), 0.7))
        counts = draws.multinomial(draws.integers(0, 400), shares), draws.multinomial(300, other)
        cases.append([counts[0].tolist(), (counts[1] * 1.5).tolist()])
    found = evaluated(browser, body, cases)
    expected = [[same_mix(*case), prior_shift(*case).tolist()] for case in cases]
    assert {same for same, _ in expected} == {True, False}
    assert max(differences(found, expected)) < CLOSE
