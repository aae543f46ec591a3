"""Makes a quantized file in one way after the other, until the gate lets one pass."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ecavg_tf.config import Limits
from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.exports import Attempt, Verdict
from ecavg_tf.events import Listener, Note
from export.making.convert import Converter
from export.making.converting_process import FileCrash
from export.making.formats import Variant
from export.making.ladder import Ladder, Made, Way
from export.proving.claims import level_of
from export.proving.file_proof import FileProof, prove_file
from export.proving.seen import References
from export.reading.metadata import Description, attach
from export.subject import Subject

Prove = Callable[[Made, Way], FileProof]


@dataclass(frozen=True)
class Climbed:
    """What came of it.

    Attributes:
        content: the file's bytes: the first that passed, else the first that is undecided, else
            the plain one.
        found: what proving it found.
        way: how it was made.
        attempts: all that was tried.
    """

    content: bytes
    found: FileProof
    way: Way
    attempts: tuple[Attempt, ...]


def climb_for(
    subject: Subject,
    variant: Variant,
    converter: Converter,
    references: References,
    description: Description,
    convert: Callable[[], bytes],
    *,
    limits: Limits,
    plain_alone: bool,
    listener: Listener,
) -> Climbed:
    """A file of a model, made in the first way that passes.

    Args:
        subject: the model, with its examples.
        variant: which file.
        converter: of the model.
        references: test examples, and seen ones, with Keras' answers.
        description: what is written into the file.
        convert: makes the plain file, without the description.
        limits: what the file must keep to.
        plain_alone: whether no other way is open to this model.
        listener: told of every step.

    Raises:
        ExportError: the plain file can't be made.
    """
    test, ladder = references.test, None
    calibration = None if subject.calibration is None else subject.calibration.inputs
    if variant.quantized and subject.calibration is not None and not plain_alone:
        ladder = Ladder(converter, variant, subject.calibration.inputs, subject.tuning, listener)

    def prove(made: Made, way: Way) -> FileProof:
        others = 0
        if ladder is not None:
            others = int(ladder.open) if way is Way.PLAIN else ladder.open_ways()
        level = level_of(way is Way.PLAIN, others)
        calibrated = variant.calibrated or way is not Way.PLAIN
        own = None if made.own is None else made.own(test.inputs)
        found = prove_file(
            made.content,
            variant,
            description,
            test,
            limits,
            seen=references.seen(calibrated=calibrated),
            further=references.further(calibrated=calibrated) if variant.quantized else None,
            tuned=own,
            level=level,
        )
        if found.crash is None or way is not Way.PLAIN:
            return found
        named = converter.naming(found.crash, variant, calibration, test.inputs)
        return replace(found, reasons=(*found.reasons[:-1], str(named)))

    def plain() -> Made:
        try:
            return Made(attach(convert(), description))
        except FileCrash as crash:
            raise converter.naming(crash, variant, calibration, test.inputs) from crash

    others: Iterator[tuple[Way, Callable[[], Made]]] = iter(())
    if ladder is not None:
        others = ladder.ways(lambda content: attach(content, description))
    what = f"{subject.name}, {variant}"
    return climb(what, plain, others, prove, listener)


def climb(
    what: str,
    plain: Callable[[], Made],
    others: Iterator[tuple[Way, Callable[[], Made]]],
    prove: Prove,
    listener: Listener,
) -> Climbed:
    """Tries the ways in their order, and stops at the first file that passes.

    Args:
        what: whose file it is, and which, in words.
        plain: makes the plain file.
        others: the ways after it; each may raise ``ExportError``, then the next is tried.
        prove: the gate, of a file with the way it was made in.
        listener: told of every step.

    Raises:
        ExportError: the plain file can't be made.
    """
    content, found, attempt = _tried(Way.PLAIN, plain, prove)
    best, attempts = (content, found, Way.PLAIN), [attempt]
    while attempts[-1].status != Verdict.PASSED and (following := next(others, None)):
        way, make = following
        listener(Note(f"{what}: the {attempts[-1].way} file did not pass, trying {way}"))
        began = time.monotonic()
        try:
            content, found, attempt = _tried(way, make, prove)
        except ExportError as error:
            spent = round(time.monotonic() - began, 1)
            attempts.append(Attempt(way, "failed", spent, (str(error),)))
            continue
        attempts.append(attempt)
        undecided = found.verdict is Verdict.UNDECIDED and best[1].verdict is Verdict.FAILED
        if found.verdict is Verdict.PASSED or undecided:
            best = (content, found, way)
    return Climbed(*best, tuple(attempts))


def _tried(way: Way, make: Callable[[], Made], prove: Prove) -> tuple[bytes, FileProof, Attempt]:
    began = time.monotonic()
    made = make()
    found = prove(made, way)
    seconds = round(time.monotonic() - began, 1)
    attempt = Attempt(way, found.verdict.value, seconds, found.reasons)
    if found.parity is not None:
        attempt = Attempt(
            way,
            found.verdict.value,
            seconds,
            found.reasons,
            found.parity.agreement,
            found.parity.mean_difference,
            found.parity.accuracy_change,
        )
    return made.content, found, attempt
