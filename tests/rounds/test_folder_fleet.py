"""The server's end of a folder, with edges that are late, greedy, or not who they say."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from messages_for_tests import decided, lay_reply

from ecavg_tf.config import ServerConfig
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.probe import as_probe
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import EXCHANGE, FINISH, Request, Shipped
from ecavg_tf.core.messages.update_file import UpdateInfo, write_update
from ecavg_tf.core.template import Role, Template, WeightSpec
from ecavg_tf.data.dataset import DataSpec, Examples
from ecavg_tf.data.pooled import write_pooled
from ecavg_tf.events import Event
from ecavg_tf.rounds.folder_fleet import FolderFleet
from server.collect import Collected, collect

TEMPLATE = Template((WeightSpec("w", (2,), "float32", Role.TRAINABLE),))
SPEC = DataSpec("tiny", (2, 2, 1), "uint8", (0.0, 16.0), ("a", "b"))
EDGE = "edge-00"


def silent(event: Event) -> None:
    del event


def fleet(folder: Path) -> FolderFleet:
    return FolderFleet(
        folder, (EDGE,), run_id="run", template=TEMPLATE, config={}, timeout_s=0.3, listener=silent
    )


def asked(kind: str = EXCHANGE, number: int = 1) -> Request:
    return Request(kind, "run", number, TEMPLATE, Shipped([np.zeros(2, np.float32)]))


def update_file(folder: Path, **changes: Any) -> Path:
    info = UpdateInfo(1, EDGE, 4, (2, 2), TEMPLATE.sha256, {})
    path = folder / "update.safetensors"
    write_update(path, replace(info, **changes), {"w": np.ones(2, np.float32)})
    return path


def decision(edge: str = EDGE, number: int = 1) -> dict[str, Any]:
    return decided(edge, number).to_json()


def exchange(tmp_path: Path, body: dict[str, Any], number: int = 1) -> Reply | NoReply:
    """What the server makes of a reply with ``body``."""
    served = fleet(tmp_path / "exchange")
    box = Mailbox(tmp_path / "exchange" / EDGE)
    lay_reply(box, asked(number=number), body, update_file(tmp_path).read_bytes())
    (answer,) = served.exchange(number, Shipped([np.zeros(2, np.float32)]), [EDGE], [])
    return answer


def test_a_model_whose_answers_are_nan_is_shipped_without_a_probe(tmp_path: Path) -> None:
    """Weights may be finite and their softmax not: the run ended with a traceback."""
    served = fleet(tmp_path / "exchange")
    served._probe_of = lambda _: as_probe(np.full((8, 2), np.nan))
    (answer,) = served.exchange(1, Shipped([np.zeros(2, np.float32)]), [EDGE], [])
    assert isinstance(answer, NoReply)
    request = Mailbox(tmp_path / "exchange" / EDGE).unanswered()
    assert request is not None
    assert request.probe is None


def test_a_sound_reply(tmp_path: Path) -> None:
    answer = exchange(tmp_path, {"decision": None, "seconds": {"pretrain": 1.0}})
    assert isinstance(answer, Reply)
    assert answer.update.is_file()
    boxes = (tmp_path / "exchange" / EDGE).rglob("0001-*")
    assert answer.sizes and sum(answer.sizes) == sum(path.stat().st_size for path in boxes)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            {"decision": decision("edge-01"), "seconds": {}},
            "it decided for 'edge-01' in round 1, expected 'edge-00' in round 1",
        ),
        ({"decision": decision(number=7), "seconds": {}}, "it decided for 'edge-00' in round 7"),
        (
            {"decision": None, "seconds": {"pretrain": "soon"}},
            "seconds.pretrain is 'soon', expected a number from 0",
        ),
        ({"decision": None, "seconds": {"pretrain": 10**400}}, "seconds.pretrain is 1000"),
        ({"decision": None, "seconds": {"pretrain": -1}}, "seconds.pretrain is -1"),
        ({"decision": None, "seconds": 3}, "body.seconds is 3, expected an object"),
        ({"seconds": {}}, "body.decision is missing"),
        ({"decision": {"round": 1}, "seconds": {}}, "body.decision.edge is missing"),
    ],
)
def test_a_reply_that_is_not_sound_is_no_reply(
    tmp_path: Path, body: dict[str, Any], said: str
) -> None:
    answer = exchange(tmp_path, body, number=2)
    assert isinstance(answer, NoReply)
    assert said in answer.reason


def test_a_last_decision_for_somebody_else(tmp_path: Path) -> None:
    served = fleet(tmp_path / "exchange")
    box = Mailbox(tmp_path / "exchange" / EDGE)
    model = Shipped([np.zeros(2, np.float32)])
    lay_reply(box, asked(FINISH), {"decision": decision("edge-01")})
    (answer,) = served.finish(1, model)
    assert isinstance(answer, NoReply)
    lay_reply(box, asked(FINISH), {"decision": None})
    (answer,) = served.finish(1, model)
    assert isinstance(answer, NoReply)
    assert "body.decision is None, expected what it decided" in answer.reason
    lay_reply(box, asked(FINISH), {"decision": decision()})
    (answer,) = served.finish(1, model)
    assert answer == Reply(EDGE, 1, None, None, decided(EDGE), {})


def test_a_request_says_whether_pooled_data_is_still_wanted(tmp_path: Path) -> None:
    served = fleet(tmp_path / "exchange")
    box = Mailbox(tmp_path / "exchange" / EDGE)
    for number, wanted in ((1, [EDGE]), (2, [EDGE]), (3, [])):  # nothing came in time
        served.exchange(number, Shipped([np.zeros(2, np.float32)]), [EDGE], wanted)
        received = box.unanswered()
        assert received is not None
        assert received.round == number  # not the rounds that are over
        assert received.pooled_wanted == bool(wanted)


def collected(tmp_path: Path, config: ServerConfig, examples: Examples) -> Collected:
    pooled = tmp_path / "sent.safetensors"
    write_pooled(pooled, EDGE, examples)
    reply = Reply(EDGE, 1, update_file(tmp_path), pooled, None, {})
    return collect(
        [reply],
        TEMPLATE,
        SPEC,
        round_number=1,
        updates_folder=tmp_path / "updates",
        pooled_folder=tmp_path / "pooled",
        config=config,
    )


def test_the_server_keeps_to_what_was_agreed(tmp_path: Path) -> None:
    examples = Examples(np.zeros((4, 2, 2, 1), np.uint8), np.array([0, 0, 1, 1]))
    taken = collected(tmp_path, ServerConfig(), examples)
    assert taken.pooled_bytes == (tmp_path / "pooled" / f"{EDGE}.safetensors").stat().st_size
    (tmp_path / "pooled" / f"{EDGE}.safetensors").unlink()

    for config in (ServerConfig(pool=False), ServerConfig(pool_edges="edge-01")):
        taken = collected(tmp_path, config, examples)
        assert taken.pooled_bytes == 0
        assert len(taken.updates) == 1
        assert list((tmp_path / "pooled").glob("*.safetensors")) == []

    taken = collected(tmp_path, ServerConfig(pool_bytes=15), examples)
    assert "pools 16 bytes, server.pool_bytes is 15" in taken.refused[0].reason
    assert list((tmp_path / "pooled").glob("*.safetensors")) == []


def test_what_is_refused_leaves_no_file(tmp_path: Path) -> None:
    reply = Reply(EDGE, 1, update_file(tmp_path, round=9), None, None, {})
    result = collect(
        [reply],
        TEMPLATE,
        SPEC,
        round_number=1,
        updates_folder=tmp_path / "updates",
        pooled_folder=tmp_path / "pooled",
        config=ServerConfig(),
    )
    assert result.refused[0].edge == EDGE
    assert list((tmp_path / "updates").iterdir()) == []


def test_an_answer_without_an_update_is_refused(tmp_path: Path) -> None:
    """A fleet of another kind than a folder may let one through."""
    result = collect(
        [Reply(EDGE, 1, None, None, None, {})],
        TEMPLATE,
        SPEC,
        round_number=1,
        updates_folder=tmp_path / "updates",
        pooled_folder=tmp_path / "pooled",
        config=ServerConfig(),
    )
    assert result.updates == ()
    assert result.refused[0].reason == "its reply has no update"
