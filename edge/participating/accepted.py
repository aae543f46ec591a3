"""The accepted models in an edge's folder, as others read them: nothing is changed."""

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecavg_tf.core.errors import WorkdirError, brief
from ecavg_tf.core.fields import Fields
from ecavg_tf.core.files import read_json
from ecavg_tf.core.messages.tensor_rest import read_whole
from ecavg_tf.core.scores import Decision
from ecavg_tf.core.template import Array, weights_sha256

_NUMBERED = r"-(\d{4,})\.(?:safetensors|json)"


@dataclass(frozen=True)
class AcceptedModel:
    """A model as an edge's folder holds it.

    Attributes:
        round: whose global model the edge decided on.
        rung: what it took.
        weights: in template order.
    """

    round: int
    rung: str
    weights: list[Array]


def accepted_files(folder: Path) -> list[Path]:
    """The accepted models in an edge's folder, which is only looked at, oldest first."""
    return list(numbered(folder, "accepted").values())


def newest_accepted(folder: Path) -> Path | None:
    """The accepted model of an edge's last decision; None: it has not decided yet.

    Raises:
        WorkdirError: the file is gone. An older one is not what the edge runs.
    """
    files, told = accepted_files(folder), [0]
    told += numbered(folder, "finish")
    for path in list(numbered(folder, "reply").values())[-1:]:
        with contextlib.suppress(WorkdirError, ValueError):  # not needed to read the model
            decision = Fields(read_json(path)).maybe("decision", Decision.field)
            told.append(0 if decision is None else decision.round)
    last = max(numbered(folder, "accepted"), default=0)
    if last < max(told):
        raise WorkdirError(
            f"{folder / f'accepted-{max(told):04d}.safetensors'} is missing, and {folder.name} "
            "accepted it; restore it from a copy"
        )
    return files[-1] if files else None


def read_accepted(path: Path) -> AcceptedModel:
    """Reads an accepted model and compares it with the hash in its decision.

    Raises:
        WorkdirError: it is damaged.
    """
    try:
        said, named = read_whole(path)
        weights = list(named.values())
        check_accepted(said, weights)
        return AcceptedModel(int(said["round"]), str(said["accepted"]["rung"]), weights)
    except (KeyError, TypeError, ValueError) as error:
        raise WorkdirError(
            f"{path} is damaged ({brief(error)}); restore it from a copy, or begin again with an "
            "empty folder"
        ) from error


def check_accepted(said: Mapping[str, Any], weights: Sequence[Array]) -> None:
    """Raises a ``ValueError`` if these are not the weights of a decision."""
    if weights_sha256(weights) != said["accepted"]["weights_sha256"]:
        raise ValueError("its weights are not those that were accepted")


def numbered(folder: Path, kind: str) -> dict[int, Path]:
    """The files of a kind in an edge's folder, by their round, in that order."""
    found = {path: re.fullmatch(kind + _NUMBERED, path.name) for path in folder.iterdir()}
    by_round = {int(match[1]): path for path, match in found.items() if match}
    return dict(sorted(by_round.items()))
