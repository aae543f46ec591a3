"""``ecavg export --target=micro --trainable=head``."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from ecavg_tf.cli.export_checks import check_source
from ecavg_tf.core.errors import ConfigError, ExportError
from ecavg_tf.core.table import LABEL

if TYPE_CHECKING:
    from export.jobs.micro_head import MicroHeadFiles

_OTHERS = (
    *("state", "edge", "formats", "value-range", "accept-unproved", "output", "logits"),
    "momentum",
)

_BATCH = 16  # examples a step


def export_micro_head_files(source: Path, values: flags.FlagValues) -> int:
    """Checks the flags, makes the files, prints what they need and how to use them."""
    from export.delivering.signing import load_private_key, sign
    from export.micro.judge import parse_size
    from export.micro.manifest import SOURCES
    from export.micro.process import require_interpreter

    _check(values)
    flash, ram = values["flash"].value, values["ram"].value
    for size in filter(None, (flash, ram)):
        parse_size(size)
    require_interpreter()
    check_source(source)
    key = load_private_key(values["sign"].value) if values["sign"].value else None

    from ecavg_tf.plugins import find_users_modules
    from ecavg_tf.quiet import import_tensorflow

    import_tensorflow(run=source)
    find_users_modules()
    from ecavg_tf.live import PlainLines
    from export.jobs.micro_head import export_micro_head

    files = export_micro_head(
        source,
        batch=values["batch-size"].value or _BATCH,
        data=values["data"].value,
        label_column=values["label-column"].value or LABEL,
        out=values["out"].value,
        listener=PlainLines(),
    )
    if key is not None:
        sign(files.folder / SOURCES, key)
    _tell(files)
    if flash:
        _judge(files, flash, ram)
    return 0


def _check(values: flags.FlagValues) -> None:
    if values["trainable"].value != "head":
        raise ConfigError(
            f"--target=micro --trainable={values['trainable'].value}: a microcontroller trains "
            "the last layer alone; give --trainable=head"
        )
    if values["optimizer"].value.lower() not in ("", "sgd"):
        raise ConfigError(
            f"--optimizer={values['optimizer'].value}: a microcontroller trains with sgd; leave it "
            "out"
        )
    for name in _OTHERS:
        if values[name].present:
            raise ConfigError(
                f"--{name} does not go with --target=micro --trainable=head, which makes one "
                "backbone and one file that trains with plain sgd: leave it out"
            )
    if bool(values["flash"].value) != bool(values["ram"].value):
        raise ConfigError("give both --flash and --ram, or neither")


def _tell(files: "MicroHeadFiles") -> None:
    made, proven = files.made, files.proven
    run, shape = proven.backbone, made.shape
    if run is not None and made.backbone is not None:
        print(
            f"backbone       {len(made.backbone):,} bytes, arena {run.arena.needed:,}; int8 in, "
            f"{shape.features:,} int8 features out"
        )
    else:
        print(f"no backbone    the head takes the {shape.features:,} raw values as they are")
    print(
        f"training file  {len(made.training):,} bytes, arena {proven.steps.arena.needed:,}; "
        f"{shape.batch} examples a step; differs from Keras by {proven.difference:.1g}"
    )
    print(
        f"head           {4 * (made.kernel.size + made.bias.size):,} bytes of weights; on the "
        f"device's features labels as Keras on {100 * proven.agreement:.1f} % of "
        f"{proven.examples} examples"
    )
    print(f"sources in {files.folder}; weights to the device and back:")
    head = shlex.quote(str(files.folder / "head.json"))
    print(f"  python -m edge micro-weights {head} --exchange=DIR --edge=NAME")
    print(f"  python -m edge micro-update {head} LINES --exchange=DIR --edge=NAME --state=DIR")


def _judge(files: "MicroHeadFiles", flash: str, ram: str) -> None:
    from export.micro.judge import RUNTIME_FLASH, RUNTIME_RAM, Board, parse_size
    from export.micro.sources import arena_with_margin

    made, proven = files.made, files.proven
    weights = 4 * (made.kernel.size + made.bias.size + made.shape.classes)
    arenas = [proven.steps.arena.needed]
    if proven.backbone is not None:
        arenas.append(proven.backbone.arena.needed)
    reserved = sum(map(arena_with_margin, arenas))
    models = len(made.training) + len(made.backbone or b"")
    board = Board(
        models + weights + RUNTIME_FLASH,
        reserved + 2 * weights + RUNTIME_RAM,
        parse_size(flash),
        parse_size(ram),
    )
    print(board.words)
    print(
        f"flash  {board.flash_needed:,} of {board.flash:,} bytes: the files {models:,}, the "
        f"weights {weights:,}, and an allowance of {RUNTIME_FLASH:,} for tflite-micro's code"
    )
    print(
        f"RAM    {board.ram_needed:,} of {board.ram:,} bytes: the arenas {reserved:,}, the weights "
        f"twice {2 * weights:,}, and an allowance of {RUNTIME_RAM:,} for stack and objects; the "
        f"examples come on top, {proven.features.itemsize * made.shape.features:,} bytes each"
    )
    if not board.fits:
        raise ExportError(f"{files.folder} will not fit flash {flash} and RAM {ram}")
