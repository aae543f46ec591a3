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
from ecavg_tf.core.bundles.bundle import LABELS, OUTPUT_KINDS, label_bytes
from ecavg_tf.core.bundles.scaling import FeatureScaling, told
from ecavg_tf.core.errors import ExportError, brief
from ecavg_tf.core.fields import DTYPES, Fields
from ecavg_tf.core.files import load_json
from ecavg_tf.core.older_names import with_names_of_today
from ecavg_tf.core.zips import open_zip

DESCRIPTION = "ecavg.json"
_LARGEST = 2**22


@dataclass(frozen=True)
class Description:
    """What travels inside the file.

    Attributes:
        classes: labels, in the order of the outputs.
        inputs_dtype: numpy's name of the raw inputs' dtype.
        value_range: lowest and highest raw value; rescaling from it is in the model.
        output_kind: ``probabilities`` or ``logits``.
        origin: run, round, edge, weights_sha256.
        declared: whether values outside the range are refused.
        feature_scaling: what is to be done to raw inputs before; None: nothing.
        columns: names of the inputs, where they are the columns of a table; None: they have
            none, and nothing is written of them.
    """

    classes: tuple[str, ...]
    inputs_dtype: str
    value_range: tuple[float, float]
    output_kind: str
    origin: Mapping[str, Any]
    declared: bool = True
    feature_scaling: FeatureScaling | None = None
    columns: tuple[str, ...] | None = None


def attach(tflite: bytes, description: Description) -> bytes:
    """The file with its description; the same input, the same bytes.

    Raises:
        ExportError: the name of a class is more than a printable line, or two are the same.
    """
    stream = io.BytesIO(tflite)
    said = told(description, asdict(description))
    text = json.dumps(said, indent=2, sort_keys=True, allow_nan=False) + "\n"
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        add_members(archive, {LABELS: label_bytes(description.classes), DESCRIPTION: text.encode()})
    return stream.getvalue()


def read_description(tflite: bytes) -> Description:
    """Reads what ``attach`` wrote.

    Raises:
        ExportError: there is no description, or it is damaged.
    """
    try:
        with open_zip(io.BytesIO(tflite)) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            if set(entries) != {LABELS, DESCRIPTION}:
                raise ValueError(f"it holds {sorted(entries)}")
            if any(entry.file_size > _LARGEST for entry in entries.values()):
                raise ValueError("a member is too large")
            labels = archive.read(LABELS)
            said = Fields.of(load_json(archive.read(DESCRIPTION)))
        description = _described(Fields(with_names_of_today(said.values)))
        if labels != label_bytes(description.classes):
            raise ValueError(f"{LABELS} and {DESCRIPTION} name different classes")
    except Exception as error:  # zipfile raises many kinds
        raise ExportError(
            f"the description inside the file can't be read: {brief(error)}"
        ) from error
    return description


def _described(fields: Fields) -> Description:
    fields.only(Description.__dataclass_fields__)
    there = fields.values.keys()
    return Description(
        classes=fields.texts("classes"),
        inputs_dtype=fields.choice("inputs_dtype", DTYPES),
        value_range=fields.value_range("value_range"),
        output_kind=fields.choice("output_kind", OUTPUT_KINDS),
        origin=fields.inner("origin").values,
        declared="declared" not in there or fields.flag("declared"),
        feature_scaling=FeatureScaling.field(fields, "feature_scaling")
        if "feature_scaling" in there
        else None,
        columns=fields.texts("columns") if "columns" in there else None,
    )
