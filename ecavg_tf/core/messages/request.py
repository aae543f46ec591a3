"""What a server asks of an edge, as one file that tells when it was damaged."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ecavg_tf.core.fields import Fields
from ecavg_tf.core.files import canonical_json
from ecavg_tf.core.messages.inputs import Inputs
from ecavg_tf.core.messages.probe import Probe
from ecavg_tf.core.messages.update_file import TensorFile, save_tensors
from ecavg_tf.core.template import Array, Template, weights_sha256

_MAY_CHANGE = ("rounds", "baseline.")  # when a run goes on; see ``ecavg_tf.resuming``
HELLO, EXCHANGE, FINISH = "hello", "exchange", "finish"
# Where there is none.
_LEFT_OUT = {"training_file": None, "probe": None, "inputs": None, "signed": False}


@dataclass(frozen=True)
class Shipped:
    """The model that the server sends out.

    Attributes:
        weights: in template order; None: each edge starts from its own.
        trained_on: effective examples of each class that the model was trained on, shape
            (classes,); None if that is not known.
    """

    weights: Sequence[Array] | None
    trained_on: tuple[float, ...] | None = None

    @cached_property
    def sha256(self) -> str | None:
        """Hash of the weights; None: there are none."""
        return None if self.weights is None else weights_sha256(self.weights)


@dataclass(frozen=True)
class NamedFile:
    """A file that goes along with a request, under its own name.

    Attributes:
        name: its name in the inbox.
        sha256: hash of its bytes.
    """

    name: str
    sha256: str


@dataclass(frozen=True)
class Request:
    """What the server asks an edge, by whichever fleet it is sent.

    Attributes:
        kind: ``hello`` (say what your data is; round 0), ``exchange`` (decide, train, answer) or
            ``finish`` (decide).
        run_id: which run it belongs to.
        round: the round, from 1; 0 for ``hello``.
        template: the run's template.
        model: the start, or the last global model.
        pooled_wanted: whether the server still lacks the edge's pooled data.
        config: the server's config, fields by dotted names; empty: the edge lives in the
            server's process.
        training_file: the training bundle for edges without TensorFlow; None: there is none.
        probe: what the model answers to ``core.probe``'s inputs, for an edge that brings its
            own training bundle; None: unknown.
        inputs: what the model takes, for an edge that has no config of its own; None: unknown.
        signed: whether the server takes signed replies only.
        weights_sha256: hash of the weights, where these are not kept; None: they are.
    """

    kind: str
    run_id: str
    round: int
    template: Template
    model: Shipped
    pooled_wanted: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)
    training_file: NamedFile | None = None
    probe: Probe | None = None
    inputs: Inputs | None = None
    signed: bool = False
    weights_sha256: str | None = None

    @cached_property
    def task_sha256(self) -> str:
        """Hash of what all requests of a run have in common: template, settings and inputs."""
        inputs = None if self.inputs is None else asdict(self.inputs)
        fixed = {k: v for k, v in self.config.items() if not k.startswith(_MAY_CHANGE)}
        return _sha256(_as_read([self.template.to_json(), fixed, inputs]))

    @cached_property
    def work_sha256(self) -> str:
        """Hash of all that an answer depends on; whether data is pooled as well does not count.

        Nor does the probe count: it follows from the weights, and another processor rounds it
        differently.
        """
        place = [self.run_id, self.round, self.kind]
        if self.kind == HELLO:  # asked anew once the inputs are known; the answer stays the same
            return _sha256(place)
        told = metadata_of(self)
        own = {name: told.get(name) for name in ("trained_on", "training_file")}
        weights = self.weights_sha256 or self.model.sha256
        return _sha256(_as_read([place, weights, self.task_sha256, own]))


def write_request(path: Path, request: Request) -> None:
    """Writes a request, whole or not at all."""
    weights = request.model.weights
    metadata = metadata_of(request)
    metadata["sha256"] = _seal(metadata, weights)
    save_tensors(path, {} if weights is None else request.template.named(weights), metadata)


def metadata_of(request: Request) -> dict[str, Any]:
    """All that a request says beside its arrays, without its seal."""
    metadata = {
        "kind": request.kind,
        "round": request.round,
        "run_id": request.run_id,
        "template": request.template.to_json(),
        "own_start": request.model.weights is None,
        "config": dict(request.config),
        "pooled_wanted": request.pooled_wanted,
        "trained_on": request.model.trained_on,
    }
    if request.training_file is not None:
        metadata["training_file"] = asdict(request.training_file)
    if request.probe is not None:
        metadata["probe"] = request.probe
    if request.inputs is not None:
        metadata["inputs"] = asdict(request.inputs)
    if request.signed:
        metadata["signed"] = True
    return metadata


def read_request(stored: TensorFile) -> Request:
    """Reads a request.

    Args:
        stored: its file, or its bytes.

    Raises:
        ValueError: it is not one of ours, or was changed on its way.
    """
    try:
        request = _decoded(stored)
    except ValueError as error:
        raise ValueError(f"{stored.name} is not a request: {error}") from error
    if stored.metadata.get("sha256") != _seal(stored.metadata, request.model.weights):
        raise ValueError(
            f"{stored.name} is damaged: it is not what the server wrote; remove it, and the "
            "server, started again, writes it anew"
        )
    return request


def _decoded(stored: TensorFile) -> Request:
    fields = Fields(_LEFT_OUT | stored.metadata)
    template = Template.from_json(fields.get("template"))
    own_start = fields.flag("own_start")
    weights = None if own_start else [stored[spec.key] for spec in template.weights]
    for spec, array in zip(template.weights, weights or (), strict=False):
        if (array.shape, array.dtype.name) != (spec.shape, spec.dtype):
            raise ValueError(f"weight {spec.key} does not fit the template")
    return Request(
        kind=fields.choice("kind", (HELLO, EXCHANGE, FINISH)),
        run_id=fields.text("run_id"),
        round=fields.count("round"),
        template=template,
        model=Shipped(weights, fields.maybe("trained_on", _amounts)),
        pooled_wanted=fields.flag("pooled_wanted"),
        config=fields.inner("config").values,
        training_file=fields.maybe("training_file", _named_file),
        probe=fields.maybe("probe", _probe),
        inputs=fields.maybe("inputs", Inputs.field),
        signed=fields.flag("signed"),
    )


def _seal(fields: Mapping[str, Any], weights: Sequence[Array] | None) -> str:
    """A hash of all that a request says: one flipped bit of a weight can ruin a model."""
    told = {name: value for name, value in fields.items() if name != "sha256"}
    content = [weights_sha256(weights or ()), told]
    return _sha256(content)


def _sha256(content: Any) -> str:
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def _as_read(value: Any) -> Any:
    """The same for who wrote a request and for who reads it: 1 and 1.0, tuples and lists."""
    if isinstance(value, Mapping):
        return {name: _as_read(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_as_read(each) for each in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _named_file(fields: Fields, name: str) -> NamedFile:
    file = fields.inner(name)
    if Path(file.text("name")).name != file.text("name"):
        raise file.refuse("name", "a file's name without folders")
    return NamedFile(file.text("name"), file.sha256("sha256"))


def _probe(fields: Fields, name: str) -> Probe:
    return fields.each(name, lambda rows, at: rows.each(at, Fields.number))


def _amounts(fields: Fields, name: str) -> tuple[float, ...]:
    """Effective examples of each class, which may be fractions."""
    return fields.each(name, lambda counts, at: counts.number(at, 0))
