"""``ecavg export --target=micro``: does the int8 file run on a board, and its sources."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ecavg_tf.core.bundles.bundle import read_bundle
from ecavg_tf.core.bundles.scaling import rescaled
from ecavg_tf.core.errors import ConfigError, ExportError, disk_errors
from ecavg_tf.core.exports import Exported
from ecavg_tf.live import PlainLines
from export.delivering.signing import sign
from export.micro.interpreter import run_in_micro
from export.micro.judge import judge, parse_size
from export.micro.manifest import SOURCES
from export.micro.process import require_interpreter
from export.micro.sources import write_sources

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def check_flags(formats: str, flash: str, ram: str) -> None:
    """Checks the flags before minutes of work.

    Raises:
        ConfigError: a size is not a number of bytes, one of the two is missing, or int8 is
            left out.
    """
    for size in filter(None, (flash, ram)):
        parse_size(size)
    require_interpreter()
    if bool(flash) != bool(ram):
        raise ConfigError("give both --flash and --ram, or neither")
    if formats and "int8" not in formats.split(","):
        raise ConfigError(f"--target=micro runs int8, --formats is {formats!r}")


def for_micro(
    exports: Sequence[Exported],
    folder: Path,
    flash: str,
    ram: str,
    key: "Ed25519PrivateKey | None" = None,
) -> None:
    """Proves every int8 file in tflite-micro, writes its sources and prints the verdict.

    Args:
        exports: what was exported.
        folder: the export folder.
        flash: of the board, like ``1M``; empty: no verdict.
        ram: likewise.
        key: signs the sources; None: nothing is signed.

    Raises:
        ExportError: there is no int8 file, it can't run there, or it does not fit.
    """
    rows = [row for row in exports if row.variant == "int8" and row.bundle is not None]
    if not rows:
        raise ExportError("--target=micro needs an int8 file that passed its gate; there is none")
    too_large = []
    for row in rows:
        bundle = read_bundle(folder / str(row.bundle))
        scaling = bundle.info.feature_scaling
        inputs = rescaled(scaling, bundle.golden_inputs)
        sources = folder / row.model / "micro"
        print(f"{row.model}, int8 in tflite-micro, {len(bundle.golden_inputs)} golden examples:")
        if flash:
            verdict = judge(
                bundle.model,
                inputs,
                flash=parse_size(flash),
                ram=parse_size(ram),
            )
            run = verdict.run
            print("".join(f"  {line}\n" for line in verdict.lines()), end="")
            if not verdict.fits:
                too_large.append(row.model)
        else:
            run = run_in_micro(bundle.model, inputs)
            print(f"  arena {run.arena.needed:,} bytes; labels as in LiteRT: {run.agreement:.3f}")
        with disk_errors(sources):
            info = bundle.info
            write_sources(
                sources,
                bundle.model,
                info.classes,
                run,
                PlainLines(),
                info.origin,
                scaling=scaling,
                columns=info.columns or (),
            )
            if key is not None:
                sign(sources / SOURCES, key)
        print(f"  sources in {sources}")
    if too_large:
        raise ExportError(f"{', '.join(too_large)} will not fit flash {flash} and RAM {ram}")
