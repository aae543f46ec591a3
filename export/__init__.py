"""Keras model to verified ``.tflite`` files; importing this package loads no TensorFlow."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from export.api import File, to_tflite

__all__ = ["File", "to_tflite"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'export' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module("export.api"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
