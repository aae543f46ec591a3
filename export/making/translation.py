"""The converter's errors in words: which layer it can't convert, and what to do."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ecavg_tf.config import Format
from export.child_process import End
from export.making.converting_process import ConversionError, FixedBatchOnly
from export.making.formats import Variant

_LOST = re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op")
_PLACE = re.compile(r'fused\["\w*:?", "([^"@]*)')
_LAYER = re.compile(r"layer_(\d+)")
_DYNAMIC = re.compile(r"TensorList\w+' op requires element_shape to be static")
_RANGE = "scale out of expressed type range"  # the last words before the converter crashes
_NAMED = 3


@dataclass(frozen=True)
class Layer:
    """A layer as the user knows it.

    Attributes:
        name: its name.
        kind: its class.
        unrolls: whether it has the argument ``unroll``.
    """

    name: str
    kind: str
    unrolls: bool = False

    def __str__(self) -> str:
        return f"layer {self.name!r} ({self.kind})"


def translated(
    error: ConversionError,
    variant: Variant,
    layers: Sequence[Layer],
    loops: Sequence[str],
    crashes_at: Layer | None = None,
) -> ConversionError:
    """The same error in one line that names the layer and what to do.

    Args:
        error: what the converter said, or how it ended.
        variant: the file that was to be made.
        layers: of the model, in the order of the numbers in their scopes, ``layer_N``.
        loops: scopes of the graph's loops.
        crashes_at: the last layer of the shortest beginning that ends the converter, too.
    """
    if error.end is not None:
        told = _crashed(error, variant, layers, loops, crashes_at)
        return ConversionError(told, error.said, error.end)
    said = str(error)
    lost = _lost(said, layers)
    if lost:
        return ConversionError(
            f"{_joined(lost)}; build the model without, or leave {variant.kind} out", error.said
        )
    if _DYNAMIC.search(said) and variant.batch is None:
        at = _found(_at(said), layers) or "a layer"
        return FixedBatchOnly(
            f"{at} is a loop, which TFLite has for a fixed batch alone: use {Format.FLOAT32}, of "
            "batch 1, or build the layer with unroll=True and load its weights",
            error.said,
        )
    found = _found(_at(said), layers)
    where = "" if found is None else f"{found}: "
    return ConversionError(
        f"{where}{variant.kind} needs operators that TFLite has not built in: {_plain(said)}",
        error.said,
    )


def _crashed(
    error: ConversionError,
    variant: Variant,
    layers: Sequence[Layer],
    loops: Sequence[str],
    at: Layer | None,
) -> str:
    model = "this model" if at is None else f"this model at {at}"
    if error.end is End.TOO_LARGE:
        return (
            f"the converter fails on {variant.kind} of this model ({error}, which is all that this "
            f"machine has free); end other programs that hold memory, or leave {variant.kind} out"
        )
    if _RANGE in error.said:
        return (
            f"the converter fails on {variant.kind} of {model} ({error}): a value inside it "
            "overflows on the calibration examples, or is always 0 (as exp of large numbers does, "
            "which softplus and mish compute); rescale the inputs in the model, or leave "
            f"{variant.kind} out"
        )
    rolled = list(dict.fromkeys(layer for scope in loops if (layer := _found(scope, layers))))
    if not rolled:
        return (
            f"the converter fails on {variant.kind} of {model} ({error}); leave "
            f"{variant.kind} out, and please report it with your model"
        )
    names = " and ".join(str(layer) for layer in rolled[:_NAMED])
    unroll = any(layer.unrolls for layer in rolled)
    cure = "build it with unroll=True and load its weights, or " if unroll else ""
    return (
        f"the converter fails on {variant.kind} of {names}, which is a loop ({error}); {cure}"
        f"leave {variant.kind} out"
    )


def _lost(said: str, layers: Sequence[Layer]) -> list[tuple[str, str]]:
    """Layers with the operators that TFLite lacks, each pair once."""
    found: dict[tuple[str, str], None] = {}
    for line in said.splitlines():
        missing = _LOST.search(line)
        if missing:
            layer = _found(_at(line), layers)
            found[str(layer) if layer else "the model", missing[1]] = None
    return list(found)


def _joined(lost: Sequence[tuple[str, str]]) -> str:
    told = [f"{layer} has no TFLite operator (tf.{name})" for layer, name in lost[:_NAMED]]
    more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
    return ", ".join(told) + more


def _at(said: str) -> str:
    """The innermost scope that the first located line names."""
    place = _PLACE.search(said)
    return "" if place is None else place[1]


def _found(scope: str, layers: Sequence[Layer]) -> Layer | None:
    numbers = [int(number) for number in _LAYER.findall(scope)]
    return layers[numbers[-1]] if numbers and numbers[-1] < len(layers) else None


def _plain(said: str) -> str:
    """The first line, without the places that MLIR puts before what it says."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    first = lines[0] if lines else "the converter does not say which"
    return first.rsplit(")): ", 1)[-1].removeprefix("<unknown>:0: error: ")[:200]
