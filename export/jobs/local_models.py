"""The local models that edges of a run trained last: what they had before the server's came."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ecavg_tf.core.errors import WorkdirError, brief
from ecavg_tf.core.files import file_sha256, read_json
from ecavg_tf.core.messages.update_file import Update
from ecavg_tf.core.template import Array, Template, weights_sha256
from export.jobs.subjects import Found

_REPLY = "reply-*.json"


def locals_of(path: Path, accepted: Sequence[Found], missing: Sequence[Array]) -> Iterator[Found]:
    """The last local model of each edge, where it is another model than the accepted one.

    Args:
        path: the run directory.
        accepted: the edges' accepted models.
        missing: weights, in template order, that edges do not send: they are frozen.

    Raises:
        WorkdirError: one is damaged.
    """
    template = Template.from_json(read_json(path / "template.json"))
    for found in accepted:
        replies = sorted(found.folder.glob(_REPLY), key=lambda file: (len(file.name), file))
        if not replies:
            continue
        round_number, weights = _weights(replies[-1], template, missing)
        sha256 = weights_sha256(weights)
        if sha256 != found.weights_sha256:
            yield replace(found, round=round_number, weights_sha256=sha256, weights=tuple(weights))


def _weights(reply: Path, template: Template, missing: Sequence[Array]) -> tuple[int, list[Array]]:
    """The round of a reply, and the local model that the edge had then.

    Where updates have noise, the edge kept its model without it beside the update.
    """
    number = reply.stem.removeprefix("reply-")
    said = read_json(reply)
    kind = "local" if "local_sha256" in said else "update"
    file = reply.with_name(f"{kind}-{number}.safetensors")
    try:
        expected = said.get(f"{kind}_sha256")
        if expected is not None and file_sha256(file) != expected:
            raise ValueError(f"it is not what {reply.name} names")
        named = {spec.key: array for spec, array in Update(file).items(template)}
        return int(number), template.listed(named, missing)
    except (OSError, ValueError) as error:
        raise WorkdirError(
            f"{file} is damaged ({brief(error)}); restore it from a copy, or leave the local "
            "models out with --edge=global"
        ) from error
