"""Collecting replies: every update is checked before anything is averaged."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ecavg_tf.core.errors import UpdateRefused
from ecavg_tf.core.files import atomic_path
from ecavg_tf.core.template import Template
from ecavg_tf.core.update_file import Update, check_update
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.data.pooled import read_pooled
from ecavg_tf.fleet import NoReply, Reply


@dataclass(frozen=True)
class Refusal:
    """An edge that the round went on without, and why."""

    edge: str
    reason: str


@dataclass(frozen=True)
class Collected:
    """What came in: accepted updates in edge-id order, and who was refused."""

    updates: tuple[Update, ...]
    refused: tuple[Refusal, ...]


def collect(
    replies: Sequence[Reply | NoReply],
    template: Template,
    spec: DataSpec,
    *,
    round_number: int,
    updates_folder: Path,
    pooled_folder: Path,
) -> Collected:
    """Checks replies and takes what is sound into the run directory.

    Args:
        replies: one a participant.
        template: the run's template.
        spec: what pooled data must look like.
        round_number: the current round.
        updates_folder: where accepted updates go.
        pooled_folder: where pooled data goes.
    """
    updates: list[Update] = []
    refused: list[Refusal] = []
    for reply in sorted(replies, key=lambda reply: reply.edge):
        try:
            if isinstance(reply, NoReply):
                raise UpdateRefused(reply.edge, reply.reason)
            _take_pooled(reply, spec, pooled_folder)
            _check(reply, template, spec, round_number)
            updates.append(Update(_copy(reply.update, updates_folder, reply.edge)))
        except UpdateRefused as error:
            refused.append(Refusal(error.edge, error.reason))
    return Collected(tuple(updates), tuple(refused))


def _take_pooled(reply: Reply, spec: DataSpec, folder: Path) -> None:
    """Pooled data is sent once, so it is kept even if the update beside it is refused."""
    if reply.pooled is None:
        return
    try:
        read_pooled(reply.pooled, reply.edge, spec)
    except ValueError as error:
        raise UpdateRefused(reply.edge, str(error)) from error
    _copy(reply.pooled, folder, reply.edge)


def _check(reply: Reply, template: Template, spec: DataSpec, round_number: int) -> None:
    try:
        update = Update(reply.update)
    except ValueError as error:
        raise UpdateRefused(reply.edge, str(error)) from error
    check_update(
        update,
        template,
        edge=reply.edge,
        round_number=round_number,
        num_classes=spec.num_classes,
    )


def _copy(source: Path, folder: Path, edge: str) -> Path:
    target = folder / f"{edge}.safetensors"
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
    return target
