"""Edges that come by themselves to a server that doesn't know them."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ecavg_tf.config import Config, FleetKind, TrainingFile
from ecavg_tf.config.fields import shared_fields
from ecavg_tf.config.presence import WaitFor
from ecavg_tf.core.errors import DataError, RoundError
from ecavg_tf.core.messages.description import Description
from ecavg_tf.core.messages.inputs import Inputs
from ecavg_tf.core.messages.mailbox import POLL_S, Mailbox
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.request import HELLO, Request, Shipped
from ecavg_tf.core.messages.signature import EdgeKeys
from ecavg_tf.core.paths import user_path
from ecavg_tf.core.template import Template
from ecavg_tf.data.edge_sources import check_edge_names
from ecavg_tf.events import Listener, Note, StageStarted
from ecavg_tf.rounds.exchange_folder import how_to_start, take_exchange_folder

GREETING = Request(HELLO, "", 0, Template(()), Shipped(None))


class Arrivals:
    """Greets every edge that makes its mailbox in an exchange folder, and hears what data it has.

    Args:
        folder: the exchange folder.
        run_id: names the run.
        config: what edges must agree with, fields by dotted names.
        inputs: what the data of all edges must be; None: the first edge will say it.
        listener: told who came, and who was refused.
        keys: the edges' public keys: only whose key is there may come; None: anybody may.
    """

    def __init__(
        self,
        folder: Path,
        run_id: str,
        config: Mapping[str, Any],
        inputs: Inputs | None,
        listener: Listener,
        keys: EdgeKeys | None = None,
    ) -> None:
        self._folder = folder
        self._keys = keys
        self._request = replace(
            GREETING, run_id=run_id, config=config, inputs=inputs, signed=keys is not None
        )
        self._listener = listener
        self._boxes: dict[str, Mailbox] = {}
        self._told: dict[str, str] = {}
        self.came: dict[str, Description] = {}

    def look(self) -> None:
        """Greets who is new, and reads what has been answered since the last look."""
        for path in sorted(self._folder.iterdir()):
            if path.name not in self.came and (path / "outbox").is_dir():
                try:
                    self._look(path)
                except (OSError, ValueError, DataError) as error:
                    self._tell(path.name, str(error))

    def _look(self, path: Path) -> None:
        edge = path.name
        if edge not in self._boxes:
            check_edge_names([*self._boxes, edge])
            box = Mailbox(path, keys=self._keys)
            box.check_boxes()
            box.send(self._request)
            self._boxes[edge] = box
        self._boxes[edge].check_boxes()
        answer = self._boxes[edge].answer(self._request)
        if isinstance(answer, NoReply):
            self._tell(edge, answer.reason)
        elif isinstance(answer, Reply) and answer.description is not None:
            self._hear(edge, answer.description)

    def _hear(self, edge: str, description: Description) -> None:
        task = self._request.inputs
        why = None if task is None else description.disagreement(task)
        if why is None:
            self.came[edge] = description
            if task is not None:  # else it is told what all need to know of it
                self._listener(Note(f"{edge} has come"))
        elif edge not in self._told:  # it was asked before anybody knew the task: it must know why
            self._boxes[edge].ask_again(self._request)
            self._tell(edge, why)

    def _tell(self, edge: str, why: str) -> None:
        if self._told.get(edge) != why:
            self._told[edge] = why
            self._listener(Note(f"refused {edge}: {why}"))


def wait_for(arrivals: Arrivals, wanted: WaitFor, config: Config, listener: Listener) -> str:
    """Waits until those who are wanted before round 1 have come, or the time is up.

    Args:
        arrivals: who has come.
        wanted: who is waited for.
        config: the run's config.
        listener: told who is waited for.

    Returns:
        Who is still missing, in words; empty: nobody.
    """
    fleet, told = config.fleet, ""
    deadline = time.monotonic() + fleet.timeout_s
    while True:
        arrivals.look()
        lacking = wanted.missing(sorted(arrivals.came))
        if not lacking or time.monotonic() >= deadline:
            return lacking
        if lacking != told:
            listener(StageStarted(1, "wait", lacking))
        if not told:
            uses_file = fleet.training_file is not TrainingFile.NONE
            network = fleet.kind is FleetKind.FLOWER
            folder = user_path(fleet.folder)
            signed = bool(fleet.edge_keys)
            command = how_to_start(folder, training_file=uses_file, network=network, signed=signed)
            listener(Note(f"an edge is started with: {command.format(edge='NAME')}"))
        told = lacking
        time.sleep(POLL_S)


def first_description(config: Config, run_id: str, listener: Listener) -> tuple[str, Inputs]:
    """Waits for the first edge, and hears what the data of this run is.

    Args:
        config: the run's config.
        run_id: names the run.
        listener: told who is waited for.

    Returns:
        The edge's name, and what the data of all edges must be.

    Raises:
        RoundError: no edge came in time.
        WorkdirError: the exchange folder can't be used.
    """
    folder = user_path(config.fleet.folder)
    take_exchange_folder(folder, run_id, takes_more=True)
    keys = EdgeKeys.of(config.fleet.edge_keys)
    arrivals = Arrivals(folder, run_id, shared_fields(config), None, listener, keys)
    wait_for(arrivals, WaitFor(1), config, listener)
    if not arrivals.came:
        raise RoundError(
            f"no edge came to {folder} within {config.fleet.timeout_s:g} s (fleet.timeout_s) to "
            "say what its data is (data.spec=first-edge); start one, and the same command goes on"
        )
    first = min(arrivals.came)
    return first, arrivals.came[first].as_inputs(first)
