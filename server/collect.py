"""Collecting replies: every update is checked before anything is averaged."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecavg_tf.config import ServerConfig
from ecavg_tf.core.errors import RoundError, UpdateRefused
from ecavg_tf.core.files import copy_regular, link_or_copy
from ecavg_tf.core.findings import Influence
from ecavg_tf.core.messages.reply import NoReply, Reply
from ecavg_tf.core.messages.update_file import (
    Update,
    UpdateInfo,
    check_update,
    largest_pooled_file,
    largest_update,
)
from ecavg_tf.core.template import Array, Template
from ecavg_tf.data.consent import consenting, most_pooled
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.data.pooled import (
    bytes_taken,
    count_pooled,
    largest_pooled,
    pooled_path,
    read_pooled,
    record_pooled,
)
from ecavg_tf.results import Refused
from server.screen import below_zero, doubted, oversized


@dataclass(frozen=True)
class Collected:
    """The updates that arrived, and those that were refused.

    Attributes:
        updates: accepted updates, in edge-id order.
        refused: who answered what can't be used.
        absent: who did not answer in time.
        pooled_bytes: size of the pooled data that was taken.
        notes: what the user should know of what was accepted.
        influence: what each accepted update does to the average.
    """

    updates: tuple[Update, ...]
    refused: tuple[Refused, ...]
    pooled_bytes: int
    absent: tuple[Refused, ...] = ()
    notes: tuple[str, ...] = ()
    influence: tuple[Influence, ...] = ()


def collect(
    replies: Sequence[Reply | NoReply],
    template: Template,
    spec: DataSpec,
    *,
    round_number: int,
    updates_folder: Path,
    pooled_folder: Path,
    config: ServerConfig,
    base: Sequence[Array] = (),
    variances: Collection[int] = (),
    links: bool = False,
) -> Collected:
    """Checks replies and takes what is sound into the run directory.

    Args:
        replies: one a participant.
        template: the run's template.
        spec: what pooled data must look like.
        round_number: the current round.
        updates_folder: where accepted updates go.
        pooled_folder: where pooled data goes.
        config: whose data may be pooled, how much, and what updates may be like.
        base: the model that the round started from, in template order; empty: unknown, and
            nobody compares the sizes of updates.
        variances: which of the template's weights are variances.
        links: whether the edges are this program's own, so that nobody changes their files: an
            update is then one file under two names.
    """
    updates: list[Update] = []
    refused: list[Refused] = []
    absent: list[Refused] = []
    pooled: list[str] = []
    most = largest_pooled_file(len(replies))
    for reply in sorted(replies, key=lambda reply: reply.edge):
        try:
            if isinstance(reply, NoReply) and reply.absent:
                absent.append(Refused(reply.edge, reply.reason))
                continue
            if isinstance(reply, NoReply):
                raise UpdateRefused(reply.edge, reply.reason)
            update = _take_update(reply, template, updates_folder, links=links)
            if _take_pooled(reply, update.info, spec, pooled_folder, config, most):
                pooled.append(reply.edge)
            _check_update(reply, update, template, spec, round_number)
            if (fault := below_zero(update, template, variances)) is not None:
                raise UpdateRefused(reply.edge, fault)
            updates.append(update)
        except UpdateRefused as error:
            _update_path(updates_folder, reply.edge).unlink(missing_ok=True)
            refused.append(Refused(error.edge, error.reason))
    record_pooled(pooled_folder, pooled, round_number)
    updates = _screened(updates, refused, template, base, config)
    shown = {each.info.edge: count_pooled(pooled_folder, each.info.edge) for each in updates}
    notes = _credit(updates, shown, config)
    refused.sort(key=lambda each: each.edge)
    taken = bytes_taken(pooled_folder, round_number)
    return Collected(tuple(updates), tuple(refused), taken, tuple(absent), notes)


def check_quorum(number: int, collected: Collected, quorum: int) -> None:
    """Ends a round to which too few edges have contributed.

    Args:
        number: the round, from 1.
        collected: what came.
        quorum: how many updates are wanted.

    Raises:
        RoundError: there are fewer, with what became of the others.
    """
    without = (*collected.refused, *collected.absent)
    reasons = "; ".join(f"{edge.edge}: {edge.reason}" for edge in without)
    if not collected.updates:
        raise RoundError(f"round {number}: no update was accepted ({reasons})")
    if len(collected.updates) < quorum:
        raise RoundError(
            f"round {number}: {len(collected.updates)} of the {quorum} updates that fleet.quorum "
            f"wants ({reasons}); start the missing edges, and the same command goes on with this "
            "round"
        )


def _screened(
    updates: Sequence[Update],
    refused: list[Refused],
    template: Template,
    base: Sequence[Array],
    config: ServerConfig,
) -> list[Update]:
    """The updates that could be honest; the others go to ``refused``."""
    faults = oversized(updates, template, base, config.max_update_ratio) if base else {}
    for update in updates:
        if update.info.edge in faults:
            update.path.unlink()
    refused += [Refused(edge, reason) for edge, reason in faults.items()]
    return [update for update in updates if update.info.edge not in faults]


def _credit(
    updates: Sequence[Update], shown: Mapping[str, int], config: ServerConfig
) -> tuple[str, ...]:
    """Gives each update the examples that it counts for; returns who counts for fewer."""
    notes = []
    found = doubted(updates, shown, config.max_examples_ratio)
    for update in updates:
        if update.info.edge in found:
            update.credit, note = found[update.info.edge]
            notes.append(note)
    return tuple(notes)


def _take_pooled(
    reply: Reply,
    info: UpdateInfo,
    spec: DataSpec,
    folder: Path,
    config: ServerConfig,
    most: int,
) -> bool:
    """Takes pooled data, if there is any, even if the update beside it is refused."""
    if reply.pooled is None or not consenting(config, reply.edge):
        return False
    copy = pooled_path(folder, reply.edge)
    _copy(reply.pooled, copy, reply, min(most, largest_pooled(info.examples, spec)))
    try:
        examples = read_pooled(copy, reply.edge, spec)
        if config.pool_bytes and examples.inputs.nbytes > config.pool_bytes:
            raise ValueError(
                f"it pools {examples.inputs.nbytes} bytes, server.pool_bytes is {config.pool_bytes}"
            )
        _check_claim(info, examples.class_counts(spec.num_classes), spec)
        if len(examples) > most_pooled(config, info.examples):
            raise ValueError(
                f"it pools {len(examples)} of its {info.examples} examples, "
                f"server.pool_fraction is {config.pool_fraction}"
            )
    except ValueError as error:
        copy.unlink()
        raise UpdateRefused(reply.edge, str(error)) from error
    return True


def _check_claim(info: UpdateInfo, pooled: Sequence[float], spec: DataSpec) -> None:
    """An edge pools examples that it trained on: never more of a class than its update counts."""
    claimed = info.class_counts
    if len(claimed) != spec.num_classes:
        return  # the update is refused for it
    more = np.flatnonzero(np.asarray(pooled) > np.asarray(claimed, np.float64))
    if len(more):
        label = int(more[0])
        raise ValueError(
            f"it pools {pooled[label]:g} examples of class {spec.classes[label]!r}, its update "
            f"counts {claimed[label]}"
        )


def _update_path(folder: Path, edge: str) -> Path:
    return folder / f"{edge}.safetensors"


def _take_update(reply: Reply, template: Template, folder: Path, *, links: bool) -> Update:
    """Opens our own copy: what an edge still holds could change after the check."""
    if reply.update is None:
        raise UpdateRefused(reply.edge, "its reply has no update")
    copy = _update_path(folder, reply.edge)
    if links:
        link_or_copy(reply.update, copy)
    else:
        _copy(reply.update, copy, reply, largest_update(template))
    try:
        return Update(copy)
    except ValueError as error:
        raise UpdateRefused(reply.edge, str(error)) from error


def _check_update(
    reply: Reply, update: Update, template: Template, spec: DataSpec, round_number: int
) -> None:
    try:
        check_update(
            update,
            template,
            edge=reply.edge,
            round_number=round_number,
            num_classes=spec.num_classes,
        )
    except UpdateRefused:
        raise
    except ValueError as error:
        raise UpdateRefused(reply.edge, str(error)) from error


def _copy(source: Path, target: Path, reply: Reply, most: int | None) -> None:
    """Copies a file of a reply once, and only as the reply named it."""
    name = "update" if source == reply.update else "pooled"
    try:
        copy_regular(source, target, most, reply.hashes.get(name))
    except ValueError as error:
        raise UpdateRefused(reply.edge, f"its {name} file is refused: {error}") from error
