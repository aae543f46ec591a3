"""Names of rules and policies are those of the registries, and of users' functions."""

import pytest

from ecavg_tf.config import Config, with_fields
from ecavg_tf.core.errors import ConfigError
from ecavg_tf.rounds.registries import check_names
from edge.deciding.policies import POLICIES
from server.combine import COMBINES

FIELDS = [("server.combine", COMBINES), ("update.policy", POLICIES)]


@pytest.mark.parametrize(("field", "registry"), FIELDS)
def test_an_entry_is_all_that_a_name_needs(
    monkeypatch: pytest.MonkeyPatch, field: str, registry: dict[str, object]
) -> None:
    config = with_fields(Config(), {field: "zzz"})
    valid = ", ".join([*registry, "pkg.module:function"])
    with pytest.raises(ConfigError) as caught:
        check_names(config)
    assert str(caught.value) == f"{field} is 'zzz'; valid: {valid}"
    assert caught.value.exit_code == 2
    monkeypatch.setitem(registry, "zzz", next(iter(registry.values())))
    check_names(config)
    with pytest.raises(ConfigError, match=r"valid: .*zzz.* \(did you mean 'zzz'\?\)"):
        check_names(with_fields(Config(), {field: "zzzz"}))


@pytest.mark.parametrize(("field", "registry"), FIELDS)
@pytest.mark.parametrize("name", ["a:b:c", ":f", "a b:c", ""])
def test_what_is_neither_a_name_nor_a_function_is_refused(
    field: str, registry: dict[str, object], name: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{field} is {name!r}; valid: {next(iter(registry))}"):
        check_names(with_fields(Config(), {field: name}))


@pytest.mark.parametrize(("field", "registry"), FIELDS)
def test_a_users_function_is_not_imported_yet(field: str, registry: dict[str, object]) -> None:
    assert "nosuch:function" not in registry
    check_names(with_fields(Config(), {field: "nosuch:function"}))
