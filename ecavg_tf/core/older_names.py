"""Files that earlier versions wrote call inputs images; they are read under today's names."""

from collections.abc import Mapping
from typing import Any

_TODAY = {"images": "inputs", "images_dtype": "inputs_dtype", "image_shape": "input_shape"}


def with_names_of_today(values: Mapping[str, Any]) -> dict[str, Any]:
    """An object of a JSON file whose fields have today's names; those that have them stay."""
    return {
        name if _TODAY.get(name, name) in values else _TODAY.get(name, name): value
        for name, value in values.items()
    }
