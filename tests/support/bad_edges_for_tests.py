"""Data functions of edges that a test holds up, or has answer wrongly.

A test copies this file into the folder of its edges. There, as long as ``hold-north-2`` lies there,
north does not begin to train in round 2; and in a round that ``lies.json`` names, it does
not answer as it should. All else of the edge's process is as it always is.
"""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import EXCHANGE, Request
from ecavg_tf.core.messages.update_file import Update, UpdateInfo, write_update
from ecavg_tf.training.trainer import KerasTrainer

HERE = Path(__file__).parent
LIES = HERE / "lies.json"
Weights = dict[str, np.ndarray[Any, Any]]


def lie_in(number: int) -> str | None:
    return json.loads(LIES.read_text()).get(str(number)) if LIES.exists() else None


def falsified(lie: str, info: UpdateInfo, weights: Weights) -> tuple[UpdateInfo, Weights]:
    """An update that says something else."""
    first = min(weights)
    if lie == "nan":
        weights[first].flat[0] = np.nan
    elif lie == "shape":
        weights[first] = weights[first][:-1]
    elif lie == "model":
        info = replace(info, template_sha256="0" * 64)
    elif lie == "yesterday":
        info = replace(info, round=info.round - 1)
    return info, weights


def edge(name: str) -> dict[str, Any]:
    """The edge's data; from now on its process does what the test says."""
    fit, reply = KerasTrainer.fit, Mailbox.reply

    def fit_when_let(self: KerasTrainer, *given: Any, round_number: int, who: str) -> Any:
        while (HERE / f"hold-{name}-{round_number}").exists():
            time.sleep(0.1)
        if name == "north" and lie_in(round_number) == "raise":
            raise RuntimeError("the trainer broke")
        return fit(self, *given, round_number=round_number, who=who)

    def reply_wrongly(self: Mailbox, request: Request, answer: Reply | NoReply) -> None:
        lie = lie_in(request.round) if name == "north" and request.kind == EXCHANGE else None
        if lie is not None and isinstance(answer, Reply):
            sent = Update(answer.update)
            weights = {key: np.array(sent[key]) for key in sorted(sent.keys)}
            path = answer.update.with_name("falsified.safetensors")
            write_update(path, *falsified(lie, sent.info, weights))
            answer = replace(answer, update=path)
        reply(self, request, answer)

    changed: list[tuple[type, str, Callable[..., Any]]] = [
        (KerasTrainer, "fit", fit_when_let),
        (Mailbox, "reply", reply_wrongly),
    ]
    for owner, method, new in changed:
        setattr(owner, method, new)
    with np.load(HERE / "data" / f"{name}.npz") as arrays:
        return dict(arrays)


def east() -> dict[str, Any]:
    return edge("east")


def north() -> dict[str, Any]:
    return edge("north")
