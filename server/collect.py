"""Collecting replies: every update is checked before anything is averaged."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ecavg_tf.config import ServerConfig
from ecavg_tf.core.errors import UpdateRefused
from ecavg_tf.core.files import atomic_path
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.update_file import Update, check_update
from ecavg_tf.core.template import Template
from ecavg_tf.data.consent import consenting
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.data.pooled import read_pooled
from ecavg_tf.results import Refused


@dataclass(frozen=True)
class Collected:
    """What came in.

    Attributes:
        updates: accepted updates, in edge-id order.
        refused: who answered what can't be used.
        absent: who did not answer in time.
        pooled_bytes: size of the pooled data that was taken.
    """

    updates: tuple[Update, ...]
    refused: tuple[Refused, ...]
    pooled_bytes: int
    absent: tuple[Refused, ...] = ()


def collect(
    replies: Sequence[Reply | NoReply],
    template: Template,
    spec: DataSpec,
    *,
    round_number: int,
    updates_folder: Path,
    pooled_folder: Path,
    config: ServerConfig,
) -> Collected:
    """Checks replies and takes what is sound into the run directory.

    Args:
        replies: one a participant.
        template: the run's template.
        spec: what pooled data must look like.
        round_number: the current round.
        updates_folder: where accepted updates go.
        pooled_folder: where pooled data goes.
        config: whose data may be pooled, and how much.
    """
    updates: list[Update] = []
    refused: list[Refused] = []
    absent: list[Refused] = []
    pooled_bytes = 0
    for reply in sorted(replies, key=lambda reply: reply.edge):
        try:
            if isinstance(reply, NoReply) and reply.absent:
                absent.append(Refused(reply.edge, reply.reason))
                continue
            if isinstance(reply, NoReply):
                raise UpdateRefused(reply.edge, reply.reason)
            pooled_bytes += _take_pooled(reply, spec, pooled_folder, config)
            updates.append(_take_update(reply, template, spec, round_number, updates_folder))
        except UpdateRefused as error:
            refused.append(Refused(error.edge, error.reason))
    return Collected(tuple(updates), tuple(refused), pooled_bytes, tuple(absent))


def _take_pooled(reply: Reply, spec: DataSpec, folder: Path, config: ServerConfig) -> int:
    """Takes pooled data, even if the update beside it is refused; returns its bytes."""
    if reply.pooled is None or not consenting(config, reply.edge):
        return 0
    copy = _copy(reply.pooled, folder, reply.edge)
    try:
        examples = read_pooled(copy, reply.edge, spec)
        if config.pool_bytes and examples.images.nbytes > config.pool_bytes:
            raise ValueError(
                f"it pools {examples.images.nbytes} bytes, server.pool_bytes is {config.pool_bytes}"
            )
    except ValueError as error:
        copy.unlink()
        raise UpdateRefused(reply.edge, str(error)) from error
    return copy.stat().st_size


def _take_update(
    reply: Reply, template: Template, spec: DataSpec, round_number: int, folder: Path
) -> Update:
    """Checks our own copy: what an edge still holds could change after the check."""
    if reply.update is None:
        raise UpdateRefused(reply.edge, "its reply has no update")
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
    except (FileNotFoundError, IsADirectoryError, shutil.SpecialFileError) as error:
        raise UpdateRefused(
            edge, f"its file {source.name} is missing, or is not a regular file"
        ) from error
    return target
