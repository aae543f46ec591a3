"""Edges on other machines: server and edges are processes that Flower connects."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("flwr", reason="the extra 'fleet' is not installed")
from flower_for_tests import Field, bits

from ecavg_tf.cli.submit import APP
from ecavg_tf.core.files import read_json
from ecavg_tf.results import load_results
from server.carrying.superlink import flwr

pytestmark = pytest.mark.slow
THREE = ("east", "north", "south")


@pytest.fixture
def fields() -> Iterator[list[Field]]:
    made: list[Field] = []
    yield made
    for field in made:
        field.stop()


def test_one_round_of_two_edges(fields: list[Field], tmp_path: Path) -> None:
    field = Field(tmp_path, ("east", "north"), rounds=1, epochs=1)
    fields.append(field)
    field.all_up("--config.fleet.edge_keys=certs/edges")  # every reply is signed
    far = field.end()
    assert far.rounds[0].refused == ()
    reply = read_json(tmp_path / "far" / "exchange" / "east" / "outbox" / "0001-finish.json")
    assert set(reply["signature"]) == {"key", "value"}
    assert far.rounds[0].participants == ("east", "north")
    assert bits(far) == bits(field.near())


def test_three_edges_give_the_bits_of_one_process(fields: list[Field], tmp_path: Path) -> None:
    field = Field(tmp_path, THREE, rounds=3)
    fields.append(field)
    field.all_up()
    far = field.end()
    assert [played.participants for played in far.rounds] == [THREE] * 3
    assert all(played.refused == played.absent == () for played in far.rounds)
    assert bits(far) == bits(field.near())
    for edge in THREE:
        field.wait(edge, "run-0001 is over")
        field.wait(edge, f"{edge} serves run-0002")  # warm for the next run
        log = (tmp_path / "state" / edge / "run-0001" / "edge.log").read_text()
        assert log.count("waits for requests") == 1  # TensorFlow was started once


def test_who_does_not_belong_is_kept_out(fields: list[Field], tmp_path: Path) -> None:
    field = Field(tmp_path, ("east",))
    fields.append(field)
    field.serve()
    other = Field(tmp_path / "other", ("north",))
    other.port = field.port
    fields.append(other)
    ca = tmp_path / "certs" / "ca.pem"
    other.join("north", f"--ca={ca}")  # a key that is not registered
    other.wait("north", "the server refuses this key")
    field.certs("--edges=south")
    (tmp_path / "certs" / "edges" / "south.pub").unlink()
    for words, said, code in (
        ([], "was not signed by --ca=", 2),  # the other's authority
        (["--ca=nowhere"], "--ca=", 2),
        (["--key=nowhere"], "--key=", 2),
        ([f"--ca={ca}", "--server=127.0.0.2:1"], "no server answers at 127.0.0.2:1", None),
        (["--insecure", "--server=learn.example.org:9092"], "--insecure", 2),
    ):
        other.start("refused", "join", f"--server=localhost:{field.port}", "--edge=north",
                    "--data=data/north.npz", "--state=state/refused",
                    "--ca=certs/ca.pem", "--key=certs/edges/north.key", *words)  # fmt: skip
        other.wait("refused", said)
        if code is not None:
            assert other.running["refused"].wait(timeout=100) == code, other.printed("refused")
        other.running["refused"].terminate()
        other.running.pop("refused").wait(timeout=100)
        (other.folder / "refused.out").unlink()


def test_an_edge_without_tensorflow_takes_part(fields: list[Field], tmp_path: Path) -> None:
    field = Field(tmp_path, THREE, rounds=2, epochs=12)
    fields.append(field)
    near = []
    for seed in range(3):
        field.start("near", "run", "--config=conf.py", f"--workdir=near-{seed}",
                    f"--config.seed={seed}", "--config.data.name=data")  # fmt: skip
        assert field.running.pop("near").wait(timeout=400) == 0, field.printed("near")
        near.append(load_results(tmp_path / f"near-{seed}").rounds[-1].server.global_.all.accuracy)
    field.serve()
    for edge in THREE:
        field.join(edge, *(["--device"] if edge == "south" else []))
    field.run("--config.fleet.training_file=dense")
    played = field.end().rounds[-1]
    assert {each.edge for each in played.edges} == set(THREE)
    assert abs(played.server.global_.all.accuracy - near[0]) <= max(max(near) - min(near), 0.02)
    log = (tmp_path / "state" / "south" / "run-0001" / "edge.log").read_text()
    assert "tensorflow" not in log.lower()


def test_flowers_own_command_starts_a_run(fields: list[Field], tmp_path: Path) -> None:
    field = Field(tmp_path, ("east",), rounds=1, epochs=1)
    fields.append(field)
    field.serve()
    field.join("east")
    home = tmp_path / "served" / "flower"
    run = "--config=conf.py --workdir=far --config.fleet.kind=flower --config.fleet.server=served"
    run += " --config.data.spec=first-edge"
    words = ["run", str(APP), "ecavg", "--run-config", f'run="{run}" folder="{tmp_path}"']
    number = str(flwr(home, words)["run-id"])
    deadline = time.monotonic() + 300
    while (
        status := flwr(home, ["ls", "ecavg", "--run-id", number])["runs"][0]["status"]
    ) != "finished:completed":
        assert not status.startswith("finished"), status
        assert time.monotonic() < deadline
        time.sleep(2)
    assert load_results(tmp_path / "far").status == "finished"
