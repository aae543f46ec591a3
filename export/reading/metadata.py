"""Labels, input description and origin inside a ``.tflite``, as a zip at its end.

A flatbuffer is read from its start and a zip from its end, so one file is both; TFLite's
own metadata libraries append labels in the same way. Every runtime still loads it.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ecavg_tf.core.bundles.archive import add_members
from ecavg_tf.core.bundles.bundle import LABELS
from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.files import load_json

DESCRIPTION = "ecavg.json"
_LARGEST = 2**22


@dataclass(frozen=True)
class Description:
    """What travels inside the file.

    Attributes:
        classes: labels, in the order of the outputs.
        inputs_dtype: numpy's name of the raw images' dtype.
        value_range: lowest and highest raw value; rescaling from it is in the model.
        output_kind: ``probabilities`` or ``logits``.
        origin: run, round, edge, weights_sha256.
    """

    classes: tuple[str, ...]
    inputs_dtype: str
    value_range: tuple[float, float]
    output_kind: str
    origin: Mapping[str, Any]


def attach(tflite: bytes, description: Description) -> bytes:
    """The file with its description; the same input, the same bytes."""
    stream = io.BytesIO(tflite)
    text = json.dumps(asdict(description), indent=2, sort_keys=True, allow_nan=False) + "\n"
    labels = "".join(f"{label}\n" for label in description.classes)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        add_members(archive, {LABELS: labels.encode(), DESCRIPTION: text.encode()})
    return stream.getvalue()


def read_description(tflite: bytes) -> Description:
    """Reads what ``attach`` wrote.

    Raises:
        ExportError: there is no description, or it is damaged.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(tflite)) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            if set(entries) != {LABELS, DESCRIPTION}:
                raise ValueError(f"it holds {sorted(entries)}")
            if any(entry.file_size > _LARGEST for entry in entries.values()):
                raise ValueError("a member is too large")
            labels = archive.read(LABELS).decode().splitlines()
            fields = dict(load_json(archive.read(DESCRIPTION)))
        low, high = (float(value) for value in fields.pop("value_range"))
        classes = tuple(str(name) for name in fields.pop("classes"))
        if list(classes) != labels:
            raise ValueError(f"{LABELS} and {DESCRIPTION} name different classes")
        return Description(classes=classes, value_range=(low, high), **fields)
    except (zipfile.BadZipFile, NotImplementedError, KeyError, TypeError, ValueError) as error:
        raise ExportError(f"the description inside the file can't be read: {error}") from error
