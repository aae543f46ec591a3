"""The SuperLink's command, its connection and its keys, without Flower."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ecavg_tf.core.errors import WorkdirError
from server.carrying import superlink
from server.carrying.superlink import SuperLink, check_served


@pytest.fixture
def link(tmp_path: Path) -> SuperLink:
    edges = tmp_path / "certs" / "edges"
    edges.mkdir(parents=True)
    for name in ("north", "south"):
        (edges / f"{name}.pub").write_text(f"key of {name}")
    (tmp_path / "state").mkdir()
    return SuperLink(tmp_path / "state", tmp_path / "certs", "127.0.0.1", 9092)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What Flower is asked; it answers with a number for each key."""
    commands: list[list[str]] = []

    def flwr(home: Path, words: Sequence[str]) -> dict[str, Any]:
        assert home.name == "flower"
        commands.append([Path(word).name for word in words])
        return {"node-id": len(commands)}

    monkeypatch.setattr(superlink, "flwr", flwr)
    return commands


def test_it_starts_with_tls_and_keys_and_installs_nothing(link: SuperLink) -> None:
    words = link.words()
    assert Path(words[0]).name == "flower-superlink"
    for flag in (
        "--ssl-certfile",
        "--ssl-keyfile",
        "--ssl-ca-certfile",
        "--database",
        "--enable-supernode-auth",
        "--disable-runtime-dependency-installation",
    ):
        assert flag in words
    assert "--insecure" not in words


def test_keys_are_registered_once_and_changed_and_taken_away(
    link: SuperLink, asked: list[list[str]]
) -> None:
    said: list[str] = []
    link.register_keys(said.append)
    assert asked == [
        ["supernode", "register", f"{name}.pub", "ecavg", "--name", name]
        for name in ("north", "south")
    ]
    link.register_keys(said.append)
    assert len(asked) == 2
    certs = link.certs
    assert certs is not None
    (certs / "edges" / "north.pub").write_text("another key")
    (certs / "edges" / "south.pub").unlink()
    link.register_keys(said.append)
    assert asked[2:] == [
        ["supernode", "unregister", "1", "ecavg"],
        ["supernode", "unregister", "2", "ecavg"],
        ["supernode", "register", "north.pub", "ecavg", "--name", "north"],
    ]
    assert said[2:4] == [
        "the former key of north is valid no more",
        "the former key of south is valid no more",
    ]


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_runs_reach_it_on_this_machine(link: SuperLink, host: str) -> None:
    SuperLink(link.state, link.certs, host, 9092).write_connection()
    text = (link.state / "flower" / "config.toml").read_text()
    assert 'address = "127.0.0.1:9092"' in text
    assert "ca.pem" in text
    check_served(link.state)


def test_a_folder_of_no_server_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(WorkdirError, match="is not the state of a server; start one with 'ecavg s"):
        check_served(tmp_path)


def test_the_app_folder_holds_a_pyproject_and_nothing_else() -> None:
    folder = Path(superlink.__file__).parent / "app"
    assert [path.name for path in folder.iterdir()] == ["pyproject.toml"]
