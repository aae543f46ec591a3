"""What an edge answers: a small JSON object, beside the files that it names."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ecavg_tf.core.errors import one_line
from ecavg_tf.core.fields import Fields
from ecavg_tf.core.messages.description import Description
from ecavg_tf.core.messages.owner import Owner
from ecavg_tf.core.messages.request import EXCHANGE, HELLO, Request
from ecavg_tf.core.scores import Decision

FILES = ("update", "pooled")  # what a reply may bring along


@dataclass(frozen=True)
class Reply:
    """What an edge answers to one request.

    Attributes:
        edge: name of the edge.
        round: the round it answers.
        update: its update file; None in the answer to ``finish`` and ``hello``.
        pooled: the file with its pooled data, where it was wanted and the edge consents.
        decision: what it decided on a global model: to ``exchange`` on that of the round
            before (None in round 1), to ``finish`` on that of this round.
        seconds: time it took, by ``pretrain`` and ``evaluate``.
        hashes: SHA-256 of its files by their names in ``FILES``, where they were carried.
        owner: the state folder that answers; None: unknown, as in the server's own process.
        description: what its data is, in the answer to ``hello``.
        sizes: bytes of the files of the request and of the answer, where they were carried.
    """

    edge: str
    round: int
    update: Path | None
    pooled: Path | None
    decision: Decision | None
    seconds: Mapping[str, float]
    hashes: Mapping[str, str] = field(default_factory=dict, compare=False)
    owner: Owner | None = None
    description: Description | None = None
    sizes: tuple[int, int] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class NoReply:
    """An edge that did not answer, or not as it should.

    Attributes:
        edge: its name.
        reason: why there is nothing to use, as one printable line.
        absent: whether nothing came at all before the deadline.
        sizes: as those of a reply.
    """

    edge: str
    reason: str
    absent: bool = False
    sizes: tuple[int, int] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", one_line(self.reason))


def encode_reply(
    request: Request,
    reply: Reply | NoReply,
    hashes: Mapping[str, str],
    owner: Owner | None = None,
) -> dict[str, Any]:
    """A reply as a JSON object.

    Args:
        request: what it answers.
        reply: the answer.
        hashes: SHA-256 of the files that go along, by their names in ``FILES``.
        owner: the state folder that answers, if that is known.
    """
    body: dict[str, Any] = {}
    if isinstance(reply, Reply) and reply.description is not None:
        body["description"] = asdict(reply.description)
    elif isinstance(reply, Reply):
        body["decision"] = None if reply.decision is None else reply.decision.to_json()
        if request.kind == EXCHANGE:
            body["seconds"] = dict(reply.seconds)
    error = reply.reason if isinstance(reply, NoReply) else None
    told = {"run_id": request.run_id, "error": error, "files": dict(hashes), "body": body}
    return told if owner is None else told | {"owner": asdict(owner)}


def decode_reply(
    value: Any, request: Request, edge: str, files: Mapping[str, Path]
) -> tuple[Reply | NoReply, dict[str, str]]:
    """Reads what ``encode_reply`` made.

    Args:
        value: the JSON object.
        request: what was asked.
        edge: who was asked.
        files: where the files lie that may go along, by their names in ``FILES``.

    Returns:
        The reply, and the SHA-256 of each file that belongs to it.

    Raises:
        ValueError: it is no reply, or not one of this edge to this request.
    """
    fields = Fields.of(value)
    run_id, body, named = fields.text("run_id"), fields.inner("body"), fields.inner("files")
    if run_id != request.run_id:
        raise ValueError(f"it belongs to run {run_id!r}, this is run {request.run_id!r}")
    named.only(FILES)
    hashes = {name: named.sha256(name) for name in named.values}
    error = fields.maybe("error", Fields.text)
    if error is not None:
        return NoReply(edge, error), hashes
    reply = _decoded(body, request, edge, {name: files[name] for name in hashes})
    if "owner" in fields.values:
        reply = replace(reply, owner=Owner.field(fields, "owner"))
    return replace(reply, hashes=hashes), hashes


def _decoded(body: Fields, request: Request, edge: str, files: Mapping[str, Path]) -> Reply:
    if request.kind == HELLO:
        description = Description.field(body, "description")
        return Reply(edge, request.round, None, None, None, {}, description=description)
    exchange = request.kind == EXCHANGE
    if exchange and "update" not in files:
        raise ValueError("it has no update")
    decision = body.maybe("decision", Decision.field)
    if decision is None and not exchange:
        raise body.refuse("decision", "what it decided")
    decides_on = request.round - 1 if exchange else request.round
    if decision is not None and (decision.edge, decision.round) != (edge, decides_on):
        raise ValueError(
            f"it decided for {decision.edge!r} in round {decision.round}, expected {edge!r} in "
            f"round {decides_on}"
        )
    times = body.inner("seconds") if exchange else Fields({})
    return Reply(
        edge=edge,
        round=request.round,
        update=files.get("update"),
        pooled=files.get("pooled"),
        decision=decision,
        seconds={name: times.number(name, 0) for name in times.values},
    )
