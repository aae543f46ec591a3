"""What a host knows of a microcontroller that trains a head: ``head.json`` among its sources."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecavg_tf.core.errors import ExportError, brief
from ecavg_tf.core.fields import Fields
from ecavg_tf.core.files import load_json, read_regular
from ecavg_tf.core.messages.device_lines import DeviceHead, empty_head
from ecavg_tf.core.template import Template

HEAD_JSON = "head.json"
ABOUT = "Written by ecavg-tf: what a host needs to read weights from the device"
_VERSION = 1
_LARGEST = 16 * 2**20  # a deep net's template


@dataclass(frozen=True)
class MicroHead:
    """The head that a device trains, and the model that it belongs to.

    Attributes:
        classes: labels, in the order of the outputs.
        template: the whole model's weights.
        held: positions in the template of the head's kernel and bias.
        frozen_sha256: hash of all other weights, in template order.
        origin: where the model comes from.
    """

    classes: tuple[str, ...]
    template: Template
    held: tuple[int, ...]
    frozen_sha256: str
    origin: Mapping[str, Any]

    @property
    def frozen(self) -> str:
        """The first digits of the hash of all other weights, as lines of a device tell them."""
        return self.frozen_sha256[:16]

    @property
    def expected(self) -> DeviceHead:
        """A head of zeros with the shapes that the device's has."""
        features, units = self.template.weights[self.held[0]].shape
        return empty_head(self.frozen, (features, units), len(self.classes))

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "about": ABOUT,
            "schema_version": _VERSION,
            "classes": list(self.classes),
            "template": self.template.to_json(),
            "held": list(self.held),
            "frozen_sha256": self.frozen_sha256,
            "origin": dict(self.origin),
        }


def read_micro_head(path: Path) -> MicroHead:
    """Reads ``head.json``.

    Raises:
        ExportError: it is missing, or not what an export wrote.
    """
    try:
        return _head(Fields.of(load_json(read_regular(path, _LARGEST))))
    except (OSError, ValueError) as error:
        raise ExportError(
            f"{path} is no {HEAD_JSON} of ecavg export --target=micro --trainable=head: "
            f"{brief(error)}"
        ) from error


def _head(fields: Fields) -> MicroHead:
    fields.only(("about", "schema_version", *MicroHead.__dataclass_fields__))
    fields.whole("schema_version", _VERSION, _VERSION)
    template = Template.from_json(fields.inner("template").values)
    head = MicroHead(
        classes=fields.texts("classes"),
        template=template,
        held=fields.positions("held", len(template.weights)),
        frozen_sha256=fields.sha256("frozen_sha256"),
        origin=fields.inner("origin").values,
    )
    specs = [template.weights[at] for at in head.held]
    units = specs[-1].shape[0] if specs and len(specs[-1].shape) == 1 else 0
    fits = (
        len(specs) == 2
        and len(specs[0].shape) == 2
        and specs[0].shape[1] == units
        and min(specs[0].shape) > 0
        and max(2, units) == len(head.classes)
        and all(spec.dtype == "float32" for spec in specs)
    )
    if not fits:
        raise fields.refuse("held", "the kernel and the bias of a head with these classes")
    return head
