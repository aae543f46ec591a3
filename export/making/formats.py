"""The formats a model is exported in, and the files made of each."""

from dataclasses import replace
from enum import StrEnum

from ecavg_tf.config import ExportConfig, Format
from ecavg_tf.config.checks import one_of


class Variant(StrEnum):
    """A file: a format at batch 1, or the master, float32 with a dynamic batch.

    A file of a fixed batch can't be resized, so there are both.
    """

    MASTER = "float32-batch"
    FLOAT32 = "float32"
    FLOAT16 = "float16"
    DYNAMIC = "dynamic"
    INT8 = "int8"
    INT16X8 = "int16x8"

    @property
    def kind(self) -> Format:
        """Its format."""
        return Format.FLOAT32 if self is Variant.MASTER else Format(self.value)

    @property
    def batch(self) -> int | None:
        """Its batch size; None: any."""
        return None if self is Variant.MASTER else 1

    @property
    def quantized(self) -> bool:
        """Whether it stores weights in 8 bits."""
        return self is Variant.DYNAMIC or self.calibrated

    @property
    def calibrated(self) -> bool:
        """Whether its ranges are measured on examples."""
        return self in (Variant.INT8, Variant.INT16X8)


def parse_formats(text: str) -> tuple[Format, ...]:
    """Reads ``float32,int8``; duplicates count once, the order is fixed.

    Raises:
        ConfigError: a word is not a format, or no format is given.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names or [""]:
        one_of("formats", name, tuple(Format))
    return tuple(format_ for format_ in Format if format_ in names)


def as_asked(settings: ExportConfig, formats: str, *, accept_unproved: bool) -> ExportConfig:
    """The settings of one export: those of a run, and what its caller asks for.

    Args:
        settings: stay as they are.
        formats: separated by commas; empty: those of the settings.
        accept_unproved: delivers files that too few examples prove, whatever the settings say.
    """
    return replace(
        settings,
        formats=formats or settings.formats,
        accept_unproved=accept_unproved or settings.accept_unproved,
    )


def variants(formats: tuple[Format, ...]) -> tuple[Variant, ...]:
    """The files of formats; float32 comes as master and at batch 1."""
    return tuple(variant for variant in Variant if variant.kind in formats)
