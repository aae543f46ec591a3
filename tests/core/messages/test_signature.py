"""Signed replies: what a carrier changes, repeats or makes up is found out."""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from messages_for_tests import asked, decided, reply, weights

from ecavg_tf.core.errors import ConfigError, RoundError
from ecavg_tf.core.messages.description import Description
from ecavg_tf.core.messages.inputs import Inputs
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import (
    FINISH,
    HELLO,
    NamedFile,
    Request,
    Shipped,
    write_request,
)
from ecavg_tf.core.messages.signature import EdgeKeys, SigningKey
from ecavg_tf.core.template import Template
from ecavg_tf.events import silent
from edge.participating.serving import Served, answer_newest

pytest.importorskip("cryptography")
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from server.carrying.certificates import make_edge_key

EDGE = "north"
REPLY = "0001-exchange.json"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder with the keys of two edges."""
    for edge in (EDGE, "south"):
        make_edge_key(tmp_path / "keys", edge)
    return tmp_path / "keys"


def ends(tmp_path: Path, keys: Path, signer: str = EDGE) -> tuple[Mailbox, Mailbox]:
    """One mailbox as the edge and as the server have it."""
    folder = tmp_path / "exchange" / EDGE
    key = SigningKey.load(keys / f"{signer}.key")
    return Mailbox(folder, key=key), Mailbox(folder, keys=EdgeKeys(keys))


def test_a_signed_reply_is_taken_as_it_was_written(tmp_path: Path, keys: Path) -> None:
    at_edge, at_server = ends(tmp_path, keys)
    for request in (asked(1), asked(2), asked(2, FINISH)):
        reply(at_edge, request, tmp_path)
        assert at_server.answer(request) == Mailbox(tmp_path / "exchange" / EDGE).answer(request)
        assert isinstance(at_server.answer(request), Reply)


def changed_body(told: dict[str, Any]) -> None:
    told["body"]["seconds"]["pretrain"] = 1.0


def changed_file(told: dict[str, Any]) -> None:
    told["files"]["update"] = "0" * 64


def changed_run(told: dict[str, Any]) -> None:
    told["run_id"] = "run-b"


@pytest.mark.parametrize("change", [changed_body, changed_file, changed_run])
def test_what_a_carrier_changes_is_found_out(
    tmp_path: Path, keys: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    at_edge, at_server = ends(tmp_path, keys)
    reply(at_edge, asked(), tmp_path)
    path = at_edge.outbox / REPLY
    told = json.loads(path.read_text())
    change(told)
    path.write_text(json.dumps(told))
    with pytest.raises(ValueError, match="its signature does not fit: the reply, or what north"):
        at_server.answer(asked())


def test_a_server_that_starts_again_leaves_a_reply_that_is_being_copied(
    tmp_path: Path, keys: Path
) -> None:
    at_edge, at_server = ends(tmp_path, keys)
    request = replace(asked(), signed=True)
    at_server.send(request)
    reply(at_edge, request, tmp_path)
    path = at_server.outbox / "0001-exchange.json"
    content = path.read_bytes()
    with path.open("wb") as copied:
        copied.write(content[:100])
        copied.flush()
        at_server.send(request)
        copied.write(content[100:])
    assert isinstance(at_server.answer(request), Reply)


def test_another_update_does_not_belong_to_a_signed_reply(tmp_path: Path, keys: Path) -> None:
    at_edge, at_server = ends(tmp_path, keys)
    reply(at_edge, asked(), tmp_path)
    (at_edge.outbox / "0001-update.safetensors").write_bytes(b"an update of some bytes")
    assert at_server.answer(asked()) is None  # it waits for the one that was signed


def test_a_reply_counts_for_the_request_that_it_answers_alone(tmp_path: Path, keys: Path) -> None:
    at_edge, at_server = ends(tmp_path, keys)
    reply(at_edge, asked(1), tmp_path)
    for name in ("exchange.json", "update.safetensors"):  # yesterday's, under today's name
        shutil.copy(at_edge.outbox / f"0001-{name}", at_edge.outbox / f"0002-{name}")
    with pytest.raises(ValueError, match="its signature does not fit"):
        at_server.answer(asked(2))


def test_a_reply_of_another_edge_is_none_of_this_one(tmp_path: Path, keys: Path) -> None:
    at_edge, at_server = ends(tmp_path, keys, signer="south")
    reply(at_edge, asked(), tmp_path)
    with pytest.raises(ValueError, match=r"another key than north\.pub signed it"):
        at_server.answer(asked())


@pytest.mark.parametrize("value", ["", "AAAA", "no base64!", "AA==" * 3000])
def test_no_signature_is_a_signature(tmp_path: Path, keys: Path, value: str) -> None:
    at_edge, at_server = ends(tmp_path, keys)
    reply(at_edge, asked(), tmp_path)
    path = at_edge.outbox / REPLY
    told = json.loads(path.read_text())
    told["signature"]["value"] = value
    path.write_text(json.dumps(told))
    with pytest.raises(ValueError, match=REPLY):
        at_server.answer(asked())


def test_a_reply_without_a_signature_says_how_to_sign(tmp_path: Path, keys: Path) -> None:
    _, at_server = ends(tmp_path, keys)
    reply(at_server, asked(), tmp_path)
    with pytest.raises(ValueError, match=r"start north with --sign=north\.key"):
        at_server.answer(asked())


def test_an_edge_whose_key_is_not_there_is_named(tmp_path: Path, keys: Path) -> None:
    at_edge, at_server = ends(tmp_path, keys)
    reply(at_edge, asked(), tmp_path)
    (keys / "north.pub").unlink()
    with pytest.raises(ValueError, match=r"no key of it: .*north\.pub is not there"):
        at_server.answer(asked())
    (keys / "north.pub").write_text("ssh-rsa nothing")
    with pytest.raises(ValueError, match=r"north\.pub can't be read"):
        at_server.answer(asked())


def test_an_error_needs_no_signature(tmp_path: Path, keys: Path) -> None:
    _, at_server = ends(tmp_path, keys)
    at_server.reply(asked(), NoReply(EDGE, "the data is missing"))
    assert at_server.answer(asked()) == NoReply(EDGE, "the data is missing")


def test_an_edge_with_another_key_answers_again(tmp_path: Path, keys: Path) -> None:
    wrong, at_server = ends(tmp_path, keys, signer="south")
    at_server.send(asked())
    reply(wrong, asked(), tmp_path)
    assert wrong.unanswered() is None
    right, _ = ends(tmp_path, keys)
    assert right.unanswered() is not None
    reply(right, asked(), tmp_path)
    assert right.unanswered() is None
    assert isinstance(at_server.answer(asked()), Reply)


SETTINGS = {"edge.learning_rate": 1e-3, "edge.dp_clip": 1, "rounds": 3, "baseline.alone": False}
INPUTS = Inputs("task", (2, 2, 1), "uint8", (0.0, 16.0), ("cat", "dog"))
FULL = replace(
    asked(),
    model=Shipped(weights(), (3, 4)),
    config=SETTINGS,
    inputs=INPUTS,
    training_file=NamedFile("training.zip", "a" * 64),
    probe=[[0.25, 0.75]],
)


@pytest.mark.parametrize(
    "change",
    [
        {"model": Shipped(weights(2.0), (3, 4))},
        {"model": Shipped(weights(), (4, 3))},
        {"config": SETTINGS | {"edge.dp_clip": 0}},
        {"inputs": replace(INPUTS, classes=("dog", "cat"))},
        {"training_file": NamedFile("training.zip", "b" * 64)},
    ],
)
def test_an_answer_to_anything_else_than_was_asked_is_found_out(
    tmp_path: Path, keys: Path, change: dict[str, Any]
) -> None:
    """Whoever carries a request can write its hash anew; what it says is bound by the signature."""
    at_edge, at_server = ends(tmp_path, keys)
    write_request(at_edge.inbox / "0001-exchange.safetensors", replace(FULL, **change))
    received = at_edge.unanswered()
    assert received is not None
    reply(at_edge, received, tmp_path)
    with pytest.raises(ValueError, match="or what north was sent, was changed on its way"):
        at_server.answer(FULL)


def test_a_probe_that_another_cpu_rounds_otherwise_is_no_other_question(
    tmp_path: Path, keys: Path
) -> None:
    """A server that goes on elsewhere refused every reply of the round, at every start."""
    at_edge, at_server = ends(tmp_path, keys)
    at_server.send(FULL)
    received = at_edge.unanswered()
    assert received is not None
    reply(at_edge, received, tmp_path)
    again = replace(FULL, probe=[[0.25 + 1e-8, 0.75 - 1e-8]])
    at_server.send(again)
    assert isinstance(at_server.answer(again), Reply)


def test_what_may_change_when_a_run_goes_on_changes_no_answer(tmp_path: Path, keys: Path) -> None:
    at_edge, at_server = ends(tmp_path, keys)
    at_server.send(FULL)
    received = at_edge.unanswered()
    assert received is not None
    reply(at_edge, received, tmp_path)
    more = SETTINGS | {"rounds": 5, "baseline.alone": True}
    later = replace(FULL, config=more, pooled_wanted=True, signed=True)
    assert isinstance(at_server.answer(later), Reply)
    late = replace(FULL, model=Shipped(None, (3, 4)), weights_sha256=FULL.model.sha256)
    assert isinstance(at_server.answer(late), Reply)


def test_a_greeting_that_is_asked_anew_with_the_inputs_has_its_answer(
    tmp_path: Path, keys: Path
) -> None:
    """As with data.spec=first-edge: the first edge says what the inputs are."""
    at_edge, at_server = ends(tmp_path, keys)
    hello = Request(HELLO, "run-a", 0, Template(()), Shipped(None), signed=True)
    description = Description(INPUTS, ranged=True, named=True)
    answer = Reply(EDGE, 0, None, None, None, {}, description=description)
    at_edge.reply(hello, answer)
    later = replace(hello, inputs=INPUTS)
    at_server.send(later)
    assert at_server.answer(later) == answer


def test_a_bad_reply_that_lies_there_does_not_mute_an_edge(tmp_path: Path, keys: Path) -> None:
    at_edge, at_server = ends(tmp_path, keys)
    (at_edge.outbox / REPLY).write_text("{}")
    at_server.send(asked())
    assert at_server.answer(asked()) is None
    reply(at_edge, asked(), tmp_path)
    at_server.send(asked())  # as a resumed run does
    assert isinstance(at_server.answer(asked()), Reply)


def served(box: Mailbox) -> Served:
    def answer(request: Request) -> Reply:
        return Reply(EDGE, request.round, None, None, decided(EDGE, request.round), {})

    return Served(box, answer)


def test_an_edge_without_a_key_does_not_train_for_nothing(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / EDGE)
    box.send(asked(1, FINISH))
    box.send(replace(asked(1, FINISH), signed=True))  # the run was resumed with keys
    with pytest.raises(ConfigError, match=r"signed replies only; start north with --sign=north"):
        answer_newest(served(box), silent)
    answer = box.answer(asked(1, FINISH))
    assert isinstance(answer, NoReply)
    assert "--sign=north.key" in answer.reason
    box.send(asked(1, FINISH))  # and without them again
    assert answer_newest(served(box), silent)


def test_an_edge_goes_on_with_the_settings_that_it_began_with(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / EDGE)
    edge = served(box)
    for number, config in ((1, SETTINGS), (2, SETTINGS | {"rounds": 9})):
        box.send(replace(asked(number, FINISH), config=config))
        assert answer_newest(edge, silent)
    box.send(replace(asked(3, FINISH), config=SETTINGS | {"edge.learning_rate": 50.0}))
    with pytest.raises(RoundError, match="round 3 comes with other settings than north began"):
        answer_newest(edge, silent)


def test_evidence_with_whole_numbers_for_names_is_signed_as_it_is_read(
    tmp_path: Path, keys: Path
) -> None:
    at_edge, at_server = ends(tmp_path, keys)
    decision = decided(EDGE, 1)
    evidence: Any = {10: 1, 2: 2}
    accepted = replace(decision.accepted, evidence=evidence)
    at_edge.reply(
        asked(1, FINISH),
        Reply(EDGE, 1, None, None, replace(decision, accepted=accepted), {}),
    )
    assert isinstance(at_server.answer(asked(1, FINISH)), Reply)


def test_a_key_may_be_a_link_and_is_looked_for_before_anybody_trains(
    tmp_path: Path, keys: Path
) -> None:
    (tmp_path / "links").mkdir()
    for name in ("north.key", "north.pub"):
        (tmp_path / "links" / name).symlink_to(keys / name)
    at_edge, at_server = ends(tmp_path, tmp_path / "links")
    reply(at_edge, asked(), tmp_path)
    assert isinstance(at_server.answer(asked()), Reply)
    EdgeKeys(keys).check_there(["north", "south"])
    with pytest.raises(ConfigError, match=r"fleet\.edge_keys=.*: east: .*east\.pub is not there"):
        EdgeKeys(keys).check_there(["north", "east"])


def test_keys_of_ssh_keygen_and_ed25519_sign(tmp_path: Path, keys: Path) -> None:
    made = ed25519.Ed25519PrivateKey.generate()
    form = serialization.PrivateFormat.OpenSSH
    nothing = serialization.NoEncryption()
    (keys / "north.key").write_bytes(made.private_bytes(serialization.Encoding.PEM, form, nothing))
    public = made.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    (keys / "north.pub").write_bytes(public + b" a comment\n")
    at_edge, at_server = ends(tmp_path, keys)
    reply(at_edge, asked(), tmp_path)
    assert isinstance(at_server.answer(asked()), Reply)
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed: its key was not tried")
    words = ["ssh-keygen", "-q", "-t", "ecdsa", "-b", "384", "-N", "", "-f", str(keys / "ssh.key")]
    subprocess.run(words, check=True, timeout=60)
    (keys / "ssh.key").replace(keys / "north.key")
    (keys / "ssh.key.pub").replace(keys / "north.pub")
    at_edge, at_server = ends(tmp_path, keys)
    reply(at_edge, asked(), tmp_path)
    assert isinstance(at_server.answer(asked()), Reply)


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, password: bytes = b"") -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        encryption = serialization.BestAvailableEncryption(password)
    form = serialization.PrivateFormat.OpenSSH
    return key.private_bytes(serialization.Encoding.PEM, form, encryption)


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"nothing",
        pem(rsa.generate_private_key(65537, 2048)),
        pem(ec.generate_private_key(ec.SECP384R1()))[:80],
    ],
)
def test_what_is_no_key_is_refused_in_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "some.key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"^--sign=.*some\.key.*expected an OpenSSH key") as error:
        SigningKey.load(path)
    assert "\n" not in str(error.value)


def test_a_folder_without_keys_is_refused_before_a_run(tmp_path: Path) -> None:
    assert EdgeKeys.of("") is None
    with pytest.raises(ConfigError, match=r"fleet\.edge_keys=.*holds no NAME\.pub"):
        EdgeKeys.of(str(tmp_path))
