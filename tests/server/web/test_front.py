"""The front to an exchange folder, over real sockets: the same files as by the folder itself."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from front_for_tests import (
    OWNER,
    PAGE,
    POLICY,
    Asker,
    exchanged,
    fronted,
    outbox,
    refused,
    reply_json,
)
from messages_for_tests import asked, decided

from ecavg_tf.core.flower import free_port
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.owner import Owner
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import FINISH
from export.web.contents import INDEX


def test_an_exchange_through_it_leaves_the_same_files_as_one_by_the_folder(
    exchange: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "training-0123456789abcdef.bundle.zip"
    bundle.write_bytes(b"a training file" * 9)
    by_folder, told = Mailbox(tmp_path / "folder" / "north"), list[str]()
    with fronted(exchange, told=told) as askers:
        north = askers["north"]
        box = Mailbox(exchange / "north")
        assert north("run").json == {"run_id": "run-a", "edge": "north", "over": False}
        assert north("request").status == 204
        request = asked()
        request = dataclasses.replace(request, training_file=box.put_file(bundle))
        box.send(request)
        by_folder.send(request)
        waiting = north("request").json
        names = [file["name"] for file in waiting["files"]]
        assert names == ["0001-exchange.safetensors", bundle.name]
        for file in waiting["files"]:
            body = north(f"files/{file['name']}").body
            assert body == (box.inbox / file["name"]).read_bytes()
            assert (len(body), hashlib.sha256(body).hexdigest()) == (file["bytes"], file["sha256"])
        some = north(f"files/{bundle.name}", headers={"Range": "bytes=2-6"})
        assert (some.status, some.body) == (206, b"train")
        reply = exchanged(tmp_path, request)
        assert reply.update is not None
        put = north.put(f"reply/{waiting['id']}/update", reply.update.read_bytes())
        assert (put.status, outbox(exchange)) == (204, {})
        assert north.put(f"reply/{waiting['id']}", reply_json(request, reply)).status == 204
        by_folder.claim(Owner(**OWNER))
        by_folder.reply(request, reply)
        assert outbox(exchange) == outbox(tmp_path / "folder")
        answer = box.answer(request)
        assert isinstance(answer, Reply)
        assert (answer.update, answer.owner) == (
            box.outbox / "0001-update.safetensors", Owner(**OWNER)
        )  # fmt: skip
        assert north("request").status == 204
        last = asked(1, FINISH)
        box.send(last)
        done = Reply("north", 1, None, None, decided("north"), {})
        assert north(f"files/{bundle.name}").status == 200  # the model before may need it
        refused(north("files/0001-exchange.safetensors"), 404, "has no file")
        assert north.put(f"reply/{north.waiting()}", reply_json(last, done)).status == 204
        assert north("run").json["over"] is True
    assert [line.rpartition("-")[0] for line in told] == [
        "north answered 0001-exchange", "north answered 0001-finish"
    ]  # fmt: skip
    assert not list((tmp_path / "state" / "uploads" / "north").iterdir())


def test_a_reply_is_taken_once(north: Asker, exchange: Path, tmp_path: Path) -> None:
    box, request = Mailbox(exchange / "north"), asked()
    box.send(request)
    old = north.waiting()
    body = reply_json(request, exchanged(tmp_path, request))
    refused(north.put(f"reply/{old}", body), 400, "its update file has not come; send it first")
    assert north.put(f"reply/{old}/update", b"another one").status == 204
    refused(north.put(f"reply/{old}", body), 400, "its update file has another SHA-256")
    assert north.put(f"reply/{old}/update", b"an update").status == 204
    assert outbox(exchange) == {}
    assert north.put(f"reply/{old}", body).status == 204
    taken = outbox(exchange)
    refused(north.put(f"reply/{old}", body), 409, "does not wait for a reply of north")
    refused(north.put(f"reply/{old}/update", b"later"), 409, "does not wait")
    assert outbox(exchange) == taken
    box.send(asked(2))
    refused(north.put(f"reply/{old}", body), 409, "does not wait")
    new = north.waiting()
    refused(north.put(f"reply/{new}", body), 400, "its update file has not come")
    box.ask_again(dataclasses.replace(asked(2), pooled_wanted=True))
    assert north.waiting() != new
    refused(north.put(f"reply/{new}/update", b"an update"), 409, "does not wait")
    assert outbox(exchange) == taken


def test_only_one_browser_answers_for_an_edge(north: Asker, exchange: Path, tmp_path: Path) -> None:
    box = Mailbox(exchange / "north")
    for number, state, status in ((1, "aa" * 16, 204), (2, "bb" * 16, 409), (2, "aa" * 16, 204)):
        request = asked(number)
        box.send(request)
        reply = exchanged(tmp_path, request)
        at = f"reply/{north.waiting()}"
        assert north.put(f"{at}/update", b"an update").status == 204
        answer = north.put(at, reply_json(request, reply, state=state))
        assert answer.status == status, answer
        if status == 409:
            refused(answer, 409, "the name north belongs to a browser, which answered first")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"run_id": "run-b"}, "it belongs to run 'run-b', this is run 'run-a'"),
        ({"owner": None}, "owner is None, expected an object"),
        ({"owner": {**OWNER, "where": 7}}, "owner.where is 7"),
        ({"files": {}}, "it has no update"),
        ({"files": {"update": "x"}}, "files.update"),
        ({"files": {"../x": "ab" * 32}}, "files.../x is unknown"),
        ({"files": {"update": "ab" * 32, "pooled": "ab" * 32}}, "asks for no pooled file"),
        ({"body": {"decision": None}}, "body.seconds is missing"),
    ],
)
def test_a_reply_that_is_none_is_refused_in_one_line(
    north: Asker, exchange: Path, tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    request = asked()
    Mailbox(exchange / "north").send(request)
    at = f"reply/{north.waiting()}"
    assert north.put(f"{at}/update", b"an update").status == 204
    told = json.loads(reply_json(request, exchanged(tmp_path, request)))
    refused(north.put(at, json.dumps(told | changed)), 400, said)
    refused(north.put(at, b"\xff"), 400, "this is no reply to 0001-exchange-")
    refused(north.put(at, b"[]"), 400, "expected an object")
    refused(north.put(f"{at}/pooled", b"x"), 400, "asks for no pooled file")
    refused(north.put(f"{at}/other", b"x"), 404, "a reply brings update and pooled")
    assert outbox(exchange) == {}


def test_what_keeps_an_edge_from_answering_reaches_the_server(north: Asker, exchange: Path) -> None:
    box, request = Mailbox(exchange / "north"), asked()
    box.send(request)
    told = {"run_id": "run-a", "error": "no examples", "files": {}, "body": {}, "owner": OWNER}
    assert north.put(f"reply/{north.waiting()}", json.dumps(told)).status == 204
    assert box.answer(request) == NoReply("north", "no examples")


def test_the_page_and_every_answer_have_strict_headers(north: Asker) -> None:
    index, script = north("/", headers={"Authorization": ""}), north("/page/main.js")
    assert (index.body, script.body) == (PAGE[INDEX], PAGE["page/main.js"])
    assert index.headers["content-type"] == "text/html; charset=utf-8"
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    denied = north("run", headers={"Authorization": ""})
    for answer in (index, script, denied, north("run"), north("none"), north("run", method="PUT")):
        said = answer.headers
        assert said["content-security-policy"] == f"{POLICY}; frame-ancestors 'none'"
        assert said["x-content-type-options"] == "nosniff"
        assert said["referrer-policy"] == "no-referrer"
        assert said["cache-control"] == "no-store"
        assert said["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in said
    head = north("/", method="HEAD")
    assert (head.status, head.body) == (200, b"")


def test_a_request_that_is_not_whole_waits_and_a_changed_one_is_told(
    north: Asker, exchange: Path
) -> None:
    box = Mailbox(exchange / "north")
    box.send(asked())
    path = box.inbox / "0001-exchange.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    assert north("request").status == 204
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    refused(north("request"), 503, "is damaged: it is not what the server wrote")


def test_a_proxy_may_show_it_under_an_address_of_its_own(exchange: Path) -> None:
    port = free_port()
    with fronted(exchange, address="https://Learn.example.org/", port=port) as askers:
        public = askers["north"]
        assert public.origin == "https://learn.example.org"
        near = dataclasses.replace(public, origin=f"http://127.0.0.1:{port}")
        passed_on = {"Host": "learn.example.org", "Origin": public.origin}
        assert near("run", headers=passed_on).status == 200
        assert near("run").status == 200  # a proxy that names this server itself
        refused(near("run", headers={"Host": "learn.example.org:444"}), 403, "addresses")
