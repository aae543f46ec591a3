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
            updates.append(_take_update(reply, template, spec, round_number, updates_folder))
        except UpdateRefused as error:
            refused.append(Refusal(error.edge, error.reason))
    return Collected(tuple(updates), tuple(refused))


def _take_pooled(reply: Reply, spec: DataSpec, folder: Path) -> None:
    """Pooled data is sent once, so it is kept even if the update beside it is refused."""
    if reply.pooled is None:
        return
    copy = _copy(reply.pooled, folder, reply.edge)
    try:
        read_pooled(copy, reply.edge, spec)
    except ValueError as error:
        copy.unlink()
        raise UpdateRefused(reply.edge, str(error)) from error


def _take_update(
    reply: Reply, template: Template, spec: DataSpec, round_number: int, folder: Path
) -> Update:
    """Checks our own copy: what an edge still holds could change after the check."""
    copy = _copy(reply.update, folder, reply.edge)
    try:
        update = Update(copy)
        check_update(
            update,
            template,
            edge=reply.edge,
            round_number=round_number,
            num_classes=spec.num_classes,
        )
    except ValueError as error:
        copy.unlink()
        reason = error.reason if isinstance(error, UpdateRefused) else str(error)
        raise UpdateRefused(reply.edge, reason) from error
    return update


def _copy(source: Path, folder: Path, edge: str) -> Path:
    target = folder / f"{edge}.safetensors"
    try:
        with atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)
    except FileNotFoundError as error:
        raise UpdateRefused(edge, f"its file {source.name} is gone") from error
    return target
