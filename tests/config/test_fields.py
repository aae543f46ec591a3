"""A config's fields by their dotted names, as JSON, and changed in a copy."""

import dataclasses
import enum
import json
from typing import Any

import pytest

import ecavg_tf
from ecavg_tf.config import (
    Config,
    EdgeConfig,
    FitConfig,
    Limits,
    PartitionKind,
    Weighting,
    with_fields,
)
from ecavg_tf.config.fields import flatten, flatten_dict, shared_fields, to_dict
from ecavg_tf.core.errors import ConfigError


def changed(name: str, value: Any) -> Config:
    """The default config with one field set."""
    return with_fields(Config(), {name: value})


def test_flattened_and_nested_forms_agree() -> None:
    config = changed("partition.kind", PartitionKind.CLASSES)
    assert dict(flatten(config)) == flatten_dict(to_dict(config))
    assert list(dict(flatten(config))) == list(flatten_dict(to_dict(config)))


def test_the_forms_hold_every_field_by_its_dotted_name() -> None:
    flat = dict(flatten(changed("server.weighting", Weighting.UNIFORM)))
    assert flat["seed"] == 0
    assert flat["partition.num_edges"] == 2
    assert flat["server.weighting"] == "uniform"
    assert to_dict(changed("edge.epochs", 7))["edge"]["epochs"] == 7
    assert not any(isinstance(value, enum.Enum) for value in flat.values())


def test_the_nested_form_survives_json() -> None:
    nested = to_dict(Config())
    assert json.loads(json.dumps(nested)) == nested


def test_a_changed_field_changes_its_own_entry_alone() -> None:
    default = dict(flatten(Config()))
    other = dict(flatten(changed("edge.batch_size", 8)))
    assert {name for name in default if default[name] != other[name]} == {"edge.batch_size"}


def test_fields_are_changed_in_a_copy() -> None:
    first = with_fields(Config(), {"edge.epochs": 5, "seed": 7, "partition.kind": "classes"})
    second = with_fields(first, {"edge.epochs": 6})
    assert (first.edge.epochs, second.edge.epochs) == (5, 6)
    assert (second.seed, second.partition.kind) == (7, PartitionKind.CLASSES)
    assert with_fields(Config(), {}) == Config()
    assert ecavg_tf.with_fields is with_fields


def test_any_config_comes_back_from_its_dotted_names() -> None:
    config = changed("server.weighting", Weighting.UNIFORM)
    assert with_fields(Config(), dict(flatten(config))) == config


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("edge.epoch", r"no config field 'edge\.epoch' \(did you mean 'edge\.epochs'\?\)"),
        ("edge.learning-rate", r"did you mean 'edge\.learning_rate'\?"),
        ("edge", r"no config field 'edge'.*; valid: edge\.epochs, "),
        ("edge.epochs.more", "no config field"),
        ("__class__", "no config field"),
    ],
)
def test_a_dotted_name_that_is_no_field_is_answered_with_a_guess(name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        with_fields(Config(), {name: 3})


def test_a_guess_among_words_of_an_enum_is_a_plain_word() -> None:
    with pytest.raises(ConfigError, match=r"valid: float32, .* \(did you mean 'float32'\?\)"):
        changed("export.formats", "float3")


def test_edges_and_server_share_the_fields_of_a_fit() -> None:
    shared = [item.name for item in dataclasses.fields(FitConfig)]
    edge = [item.name for item in dataclasses.fields(EdgeConfig)]
    assert edge == [*shared, "dp_clip", "dp_noise_multiplier", "dp_delta", "class_weights"]
    assert list(to_dict(Config())["server"]) == [
        *(
            "weighting",
            "combine",
            "align",
            "head_by_class",
            "trim",
            "recalibrate",
            "pool",
            "pool_edges",
            "pool_bytes",
        ),
        *("pool_fraction", "max_update_ratio", "max_examples_ratio", "influence_examples"),
        "doubtful_labels",
        *(name for name in shared if name != "recalibrate"),
        *("rate_warmup", "rate_for_pool", "epochs_for_pool", "probe_examples", "distill"),
        *("tail_epochs", "warmup_epochs", "warmup_data"),
    ]


def test_a_server_may_ask_for_baselines_without_its_edges() -> None:
    assert shared_fields(changed("baseline.pooled", True)) == shared_fields(Config())
    assert shared_fields(changed("server.epochs", 7)) != shared_fields(Config())


def test_the_limits_of_the_gate_are_those_of_the_config() -> None:
    assert isinstance(Config().export, Limits)
    assert list(to_dict(Config())["export"]) == [
        *("enabled", "formats", "calibration_examples", "parity_examples", "tune"),
        *(item.name for item in dataclasses.fields(Limits)),
        "latency_s",
    ]
    assert {name: to_dict(Config())["export"][name] for name in vars(Limits())} == vars(Limits())
