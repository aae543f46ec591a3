"""The config: every field is checked once, by a message that says how to mend it."""

import enum
import re
from typing import Any

import pytest

from ecavg_tf.config import (
    Config,
    DataConfig,
    FleetKind,
    Output,
    PartitionKind,
    Schedule,
    Weighting,
    with_fields,
)
from ecavg_tf.config.checks import guess, one_of, validated
from ecavg_tf.config.fields import flatten
from ecavg_tf.core.errors import ConfigError

LOWER_BOUNDS = [
    ("seed", 0),
    ("rounds", 1),
    ("edges_per_round", 0),
    ("data.train_examples", 0),
    ("data.test_examples", 0),
    ("data.image_size", 0),
    ("partition.num_edges", 1),
    ("partition.shards_per_edge", 1),
    ("partition.min_examples", 1),
    ("model.hidden_units", 1),
    ("edge.epochs", 1),
    ("edge.weight_decay", 0),
    ("server.epochs", 0),
    ("server.pool_bytes", 0),
    ("server.weight_decay", 0),
]
ABOVE_ZERO = ["edge.learning_rate", "server.learning_rate", "fleet.timeout_s", "partition.alpha"]
NUMBERS = [name for name, value in flatten(Config()) if type(value) in (int, float)]
FLOATS = [name for name, value in flatten(Config()) if type(value) is float]


def changed(name: str, value: Any) -> Config:
    """The default config with one field set."""
    return with_fields(Config(), {name: value})


def test_the_default_is_valid_and_comes_back_itself() -> None:
    config = Config()
    assert validated(config) is config


def test_two_configs_share_no_part() -> None:
    one, other = Config(), Config()
    one.edge.epochs = 99
    assert other == Config()


@pytest.mark.parametrize(("name", "lowest"), LOWER_BOUNDS)
def test_a_number_below_its_bound_is_refused_by_name(name: str, lowest: int) -> None:
    with pytest.raises(ConfigError) as caught:
        changed(name, lowest - 1)
    assert str(caught.value) == f"{name} is {lowest - 1}; it must be at least {lowest}"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("name", "lowest"), LOWER_BOUNDS)
def test_a_number_at_its_bound_is_accepted(name: str, lowest: int) -> None:
    assert dict(flatten(changed(name, lowest)))[name] == lowest


@pytest.mark.parametrize("name", NUMBERS)
def test_no_number_of_the_config_may_be_negative(name: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(name)} is -1"):
        changed(name, -1)


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_number_of_the_config_may_be_other_than_finite(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(name)} is {value}"):
        changed(name, value)


@pytest.mark.parametrize("value", [2, 4, -1])
def test_images_have_one_or_three_channels(value: int) -> None:
    with pytest.raises(ConfigError, match=rf"data\.channels is {value}; valid: 0, 1, 3"):
        changed("data.channels", value)


@pytest.mark.parametrize("name", ABOVE_ZERO)
@pytest.mark.parametrize("value", [0.0, 0, -1e-3, float("nan"), float("inf"), -float("inf")])
def test_a_rate_that_is_not_above_zero_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{name} is {value}; it must be a number above 0"):
        changed(name, value)


@pytest.mark.parametrize("name", ABOVE_ZERO)
@pytest.mark.parametrize("value", [1e-9, 1, 1e6])
def test_a_rate_above_zero_is_accepted_as_float_or_int(name: str, value: float) -> None:
    assert dict(flatten(changed(name, value)))[name] == getattr(value, "value", value)


@pytest.mark.parametrize("value", [-0.1, 1.0, 1, 1.5, float("nan"), float("inf")])
def test_a_guard_fraction_outside_its_range_is_refused(value: float) -> None:
    with pytest.raises(ConfigError, match=r"partition\.guard_fraction"):
        changed("partition.guard_fraction", value)


@pytest.mark.parametrize("value", [0.0, 0, 0.5, 0.999])
def test_a_guard_fraction_in_its_range_is_accepted(value: float) -> None:
    assert changed("partition.guard_fraction", value).partition.guard_fraction == value


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "value",
    [10**400, -(10**400), 1 << 20_000, 2**63],
    ids=["1e400", "-1e400", "beyond text", "2**63"],
)
def test_a_number_that_no_library_holds_is_refused(name: str, value: int) -> None:
    """A letter or a config file may hold any whole number."""
    with pytest.raises(ConfigError, match=f"^{re.escape(name)} has more than 18 digits; give a"):
        changed(name, value)


@pytest.mark.parametrize("name", ["edge.batch_size", "server.batch_size"])
def test_a_batch_that_tensorflow_can_not_count_is_refused(name: str) -> None:
    assert dict(flatten(changed(name, 2**30)))[name] == 2**30
    for value in (0, 2**62):
        words = f"^{name} is {value}; it must be at least 1 and at most {2**30}$"
        with pytest.raises(ConfigError, match=words):
            changed(name, value)


def test_more_edges_a_round_than_edges_are_refused() -> None:
    assert changed("edges_per_round", 2).edges_per_round == 2
    with pytest.raises(ConfigError, match=r"edges_per_round is 3, but partition\.num_edges is 2"):
        changed("edges_per_round", 3)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("seed", "0", "int"),
        ("seed", None, "int"),
        ("rounds", 1.0, "int"),
        ("rounds", True, "int"),
        ("data.name", 5, "str"),
        ("data.data_dir", None, "str"),
        ("partition.num_edges", "2", "int"),
        ("partition.num_edges", [2], "int"),
        ("partition.guard_fraction", "0.2", "float"),
        ("partition.guard_fraction", False, "float"),
        ("model.name", None, "str"),
        ("edge.learning_rate", "1e-3", "float"),
        ("edge.learning_rate", True, "float"),
        ("edge.recalibrate", 1, "bool"),
        ("edge.recalibrate", "false", "bool"),
        ("server.pool", None, "bool"),
        ("fleet.timeout_s", "3600", "float"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_by_its_dotted_name(
    name: str, value: Any, expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        changed(name, value)
    assert str(caught.value) == f"{name} is {value!r}; expected {expected}"


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("partition.kind", "idd", PartitionKind),
        ("server.weighting", "examples,uniform", Weighting),
        ("fleet.kind", "", FleetKind),
        ("model.output", "LOGITS", Output),
        ("edge.schedule", "cos", Schedule),
        ("model.output", Weighting.UNIFORM, Output),
        ("partition.kind", None, PartitionKind),
    ],
)
def test_what_is_no_member_of_a_choice_is_answered_with_the_members(
    name: str, value: Any, kind: type[enum.Enum]
) -> None:
    with pytest.raises(ConfigError) as caught:
        changed(name, value)
    text = str(caught.value)
    members = ", ".join(member.value for member in kind)
    assert text.startswith(f"{name} is {value!r}; valid: {members}")


@pytest.mark.parametrize(
    ("name", "word", "member"),
    [
        ("partition.kind", "dirichlet", PartitionKind.DIRICHLET),
        ("edge.schedule", "cosine", Schedule.COSINE),
    ],
)
def test_a_choice_may_be_given_by_its_word(name: str, word: str, member: enum.Enum) -> None:
    assert dict(flatten(changed(name, word)))[name] == member.value
    group, field = name.split(".")
    assert getattr(getattr(changed(name, word), group), field) is member


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("partition.kind", PartitionKind.CLASSES),
        ("server.weighting", Weighting.UNIFORM),
        ("model.output", Output.LOGITS),
        ("model.init", "independent"),
        ("model.init", "saved/start.keras"),
        ("update.policy", "mine.policies:keep"),
        ("server.combine", "start"),
        ("server.combine", "mine.combining:median"),
        ("data.channels", 3),
    ],
)
def test_every_other_choice_is_accepted(name: str, value: Any) -> None:
    assert dict(flatten(changed(name, value)))[name] == getattr(value, "value", value)


@pytest.mark.parametrize("value", [{}, None, DataConfig(), "edge"])
def test_a_part_of_another_kind_is_refused(value: Any) -> None:
    config = Config()
    config.edge = value
    with pytest.raises(ConfigError, match=r"edge is .*; expected EdgeConfig\(…\)"):
        validated(config)


@pytest.mark.parametrize(("part", "wrong", "right"), [("edge", "epoch", "epochs")])
def test_a_field_that_does_not_exist_is_refused_with_a_guess(
    part: str, wrong: str, right: str
) -> None:
    """A config file assigns freely; a misspelt field would be a setting without effect."""
    config = Config()
    setattr(getattr(config, part), wrong, 5)
    with pytest.raises(ConfigError, match=right):
        validated(config)


def test_a_misspelt_word_is_answered_with_the_choices_and_a_guess() -> None:
    with pytest.raises(ConfigError) as caught:
        changed("model.init", "share")
    assert "model.init is 'share'" in str(caught.value)
    assert "shared" in str(caught.value)
    assert "independent" in str(caught.value)
    assert "did you mean 'shared'?" in str(caught.value)


def test_a_folder_fleet_needs_a_folder() -> None:
    config = Config()
    config.fleet.kind = FleetKind.FOLDER
    with pytest.raises(ConfigError, match=r"--config\.fleet\.folder=DIR"):
        validated(config)
    config.fleet.folder = "exchange"
    validated(config)


def test_guesses_are_made_only_for_what_is_close() -> None:
    assert guess("epoch", ["epochs", "batch_size"]) == " (did you mean 'epochs'?)"
    assert guess("zzz", ["epochs", "batch_size"]) == ""
    assert guess("epoch", iter(["batch_size", "epochs"])) == " (did you mean 'epochs'?)"
    assert guess("epoch", []) == ""


def test_one_of_accepts_exactly_its_choices() -> None:
    one_of("model.init", "shared", ("shared", "independent"))
    with pytest.raises(ConfigError, match=r"model\.init is 'Shared'"):
        one_of("model.init", "Shared", ("shared", "independent"))
