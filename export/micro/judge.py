"""Judges whether a model fits a board's flash and RAM, from what it needs of both."""

import re
from dataclasses import dataclass

from ecavg_tf.core.errors import ConfigError
from ecavg_tf.core.template import Array
from export.micro.interpreter import MicroRun, run_in_micro
from export.micro.sources import arena_with_margin

# What is not the model's: allowances, not measurements. A firmware of its own may need more.
RUNTIME_FLASH = 128 * 1024
RUNTIME_RAM = 8 * 1024

_UNITS = {"": 1, "K": 1024, "M": 1024**2}


@dataclass(frozen=True)
class Board:
    """What is needed of a board, and what it has.

    Attributes:
        flash_needed: bytes.
        ram_needed: bytes.
        flash: of the board, in bytes.
        ram: of the board, in bytes.
    """

    flash_needed: int
    ram_needed: int
    flash: int
    ram: int

    @property
    def fits(self) -> bool:
        """Whether both fit."""
        return self.flash_needed <= self.flash and self.ram_needed <= self.ram

    @property
    def words(self) -> str:
        """Whether it fits, and what lacks."""
        over = [
            f"{what} lacks {needed - there:,} bytes"
            for what, needed, there in (
                ("flash", self.flash_needed, self.flash),
                ("RAM", self.ram_needed, self.ram),
            )
            if needed > there
        ]
        said = " and ".join(over) or "it fits, as far as the model and the allowances go"
        return f"{'no' if over else 'yes'}: {said}"


@dataclass(frozen=True)
class MicroVerdict:
    """Whether a model fits a board.

    Attributes:
        run: the proof in the tflite-micro interpreter.
        model_bytes: flash for the model, exact.
        arena_bytes: RAM for the arena: measured, with margin.
        flash: what the board has, in bytes.
        ram: what the board has, in bytes.
    """

    run: MicroRun
    model_bytes: int
    arena_bytes: int
    flash: int
    ram: int

    @property
    def flash_needed(self) -> int:
        """The model and an allowance for tflite-micro's code, in bytes."""
        return self.model_bytes + RUNTIME_FLASH

    @property
    def ram_needed(self) -> int:
        """The arena and an allowance for stack and runtime objects, in bytes."""
        return self.arena_bytes + RUNTIME_RAM

    @property
    def fits(self) -> bool:
        """Whether both fit."""
        return self._board.fits

    @property
    def _board(self) -> Board:
        return Board(self.flash_needed, self.ram_needed, self.flash, self.ram)

    def lines(self) -> tuple[str, ...]:
        """The verdict for people: what is needed, of what, and what was counted."""
        run = self.run
        return (
            self._board.words,
            f"flash  {self.flash_needed:,} of {self.flash:,} bytes: the model {self.model_bytes:,}"
            f" and an allowance of {RUNTIME_FLASH:,} for tflite-micro's code",
            f"RAM    {self.ram_needed:,} of {self.ram:,} bytes: the arena {self.arena_bytes:,} "
            f"({run.arena.needed:,} measured on x86-64, and margin) and an allowance of "
            f"{RUNTIME_RAM:,} for stack and objects",
            f"labels equal to those of LiteRT's reference kernels: {run.reference_agreement:.3f}, "
            f"of its default ones: {run.agreement:.3f}; tied: {run.ties:.3f}; "
            f"{len(run.outputs)} examples",
        )


def judge(tflite: bytes, inputs: Array, *, flash: int, ram: int) -> MicroVerdict:
    """Runs a file in tflite-micro and compares what it needs with what a board has.

    Args:
        tflite: a full-int8 file.
        inputs: raw values as the Keras model takes them, shape (n, …); at least one.
        flash: of the board, in bytes, all of it free.
        ram: of the board, in bytes, all of it free.

    Raises:
        ExportError: the file can't run there; the line names operator, type or size.
        InstallationError: there is no tflite-micro interpreter here.
    """
    run = run_in_micro(tflite, inputs)
    return MicroVerdict(run, len(tflite), arena_with_margin(run.arena.needed), flash, ram)


def parse_size(text: str) -> int:
    """Bytes from what data sheets say: "65536", "256K", "1M" (K = 1,024 bytes).

    Raises:
        ConfigError: it is not a size.
    """
    found = re.fullmatch(r"([0-9]{1,15})([KM]?)(i?B)?", text.strip(), re.IGNORECASE | re.ASCII)
    size = int(found[1]) * _UNITS[found[2].upper()] if found else 0
    if size == 0:
        raise ConfigError(
            f"{text!r} is no memory size; expected a positive whole number of bytes, "
            "or one with K or M, like 65536, 256K or 1M"
        )
    return size
