"""A server's request to an edge, as one file that tells when it was damaged."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ecavg_tf.core.files import (
    canonical_json,
)
from ecavg_tf.core.messages.probe import Probe
from ecavg_tf.core.messages.update_file import TensorFile, save_tensors
from ecavg_tf.core.scores import is_number
from ecavg_tf.core.template import Array, Template, weights_sha256


@dataclass(frozen=True)
class NamedFile:
    """A file that lies beside letters, under its own name.

    Attributes:
        name: its name in the inbox.
        sha256: hash of its bytes.
    """

    name: str
    sha256: str


@dataclass(frozen=True)
class Letter:
    """A request as it lies in an inbox.

    Attributes:
        kind: ``exchange`` or ``finish``.
        round: the round, from 1.
        run_id: which run it belongs to.
        template: the run's template.
        weights: weights in template order; None: start from your own.
        config: the server's config, fields by dotted names.
        pooled_wanted: whether the server still lacks the edge's pooled data.
        trained_on: effective examples of each class behind ``weights``; None: unknown.
        training_file: the training bundle for edges without TensorFlow; None: there is none.
        probe: what the model answers to ``core.probe``'s images, for an edge that brings its
            own training bundle; None: unknown.
    """

    kind: str
    round: int
    run_id: str
    template: Template
    weights: list[Array] | None
    config: Mapping[str, Any] = field(default_factory=dict)
    pooled_wanted: bool = False
    trained_on: tuple[float, ...] | None = None
    training_file: NamedFile | None = None
    probe: Probe | None = None


def write_letter(path: Path, letter: Letter) -> None:
    """Writes a request, whole or not at all."""
    named = {} if letter.weights is None else letter.template.named(letter.weights)
    metadata = {
        "kind": letter.kind,
        "round": letter.round,
        "run_id": letter.run_id,
        "template": letter.template.to_json(),
        "own_start": letter.weights is None,
        "config": dict(letter.config),
        "pooled_wanted": letter.pooled_wanted,
        "trained_on": letter.trained_on,
    }
    if letter.training_file is not None:
        metadata["training_file"] = asdict(letter.training_file)
    if letter.probe is not None:
        metadata["probe"] = letter.probe
    metadata["sha256"] = _seal(metadata, letter.weights)
    save_tensors(path, named, metadata)


def read_letter(stored: TensorFile) -> Letter:
    """Reads a request.

    Raises:
        ValueError: it is not one of ours, or was changed on its way.
    """
    fields, name = stored.metadata, stored.path.name
    try:
        template = Template.from_json(fields["template"])
        weights = None if fields["own_start"] else [stored[spec.key] for spec in template.weights]
        letter = Letter(
            kind=str(fields["kind"]),
            round=int(fields["round"]),
            run_id=str(fields["run_id"]),
            template=template,
            weights=weights,
            config=dict(fields["config"]),
            pooled_wanted=bool(fields["pooled_wanted"]),
            trained_on=_counts(fields["trained_on"]),
            training_file=_named_file(fields.get("training_file")),
            probe=_probe(fields.get("probe")),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{name} is not a request: {error!r}") from error
    for spec, array in zip(template.weights, weights or (), strict=False):
        if (array.shape, array.dtype.name) != (spec.shape, spec.dtype):
            raise ValueError(f"{name}: weight {spec.key} does not fit the template")
    if fields.get("sha256") != _seal(fields, weights):
        raise ValueError(
            f"{name} is damaged: it is not what the server wrote; remove it, and the server, "
            "started again, writes it anew"
        )
    return letter


def _seal(fields: Mapping[str, Any], weights: list[Array] | None) -> str:
    """A hash of all that a request says: one flipped bit of a weight can ruin a model."""
    told = {name: value for name, value in fields.items() if name != "sha256"}
    content = [weights_sha256(weights or ()), told]
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def _named_file(value: Any) -> NamedFile | None:
    if value is None:
        return None
    file = NamedFile(str(value["name"]), str(value["sha256"]))
    if Path(file.name).name != file.name:
        raise TypeError(f"training file {file.name!r}")
    return file


def _probe(value: Any) -> Probe | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(
        isinstance(row, list) and all(is_number(number) for number in row) for row in value
    ):
        raise TypeError(f"probe {value!r:.80}")
    return tuple(tuple(float(number) for number in row) for row in value)


def _counts(value: Any) -> tuple[float, ...] | None:
    """Effective examples of each class, which may be fractions."""
    if value is None:
        return None
    if not isinstance(value, list) or not all(is_number(n) and n >= 0 for n in value):
        raise TypeError(f"class counts {value!r:.80}")
    return tuple(value)
