"""From one model to a folder of files: converts, compares, measures, bundles."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras

from ecavg_tf.config import Limits
from ecavg_tf.core.class_names import fault_of
from ecavg_tf.core.errors import ExportError, brief, full_disk
from ecavg_tf.core.exports import Cost, Exported, Verdict
from ecavg_tf.core.files import file_sha256, write_bytes
from ecavg_tf.core.template import Array
from ecavg_tf.core.two_classes import of_one_output, output_kind
from ecavg_tf.data.dataset import DataSpec
from ecavg_tf.events import Listener, Note, silent
from ecavg_tf.models.inputs import for_model
from ecavg_tf.models.output_kind import has_one_output
from ecavg_tf.models.rescaling import takes_tokens
from export.climbing import Climbed, climb_for
from export.delivering.bundling import bundle_file
from export.delivering.earlier_files import (
    FAILED,
    SAID,
    UNPROVED,
    check_nothing_foreign,
    earlier_names,
    file_names,
    remove,
    unchanged_files,
    write_record,
)
from export.keras_answers import KerasAnswers
from export.making.convert import Converter, gives_fitted_logits
from export.making.converting_process import ConversionError, FixedBatchOnly
from export.making.formats import Variant
from export.making.front import Front, front_of
from export.making.precision import computed_in_float32
from export.proving.cost import cost_sheet
from export.proving.gate import Reference
from export.proving.seen import References
from export.reading.metadata import Description
from export.subject import Subject, key_of

# The converter leaves the versions of int8 on operators of 16 bits, which say nothing of the
# runtime that has them; this is the oldest that such a file was replayed on.
_INT16_REPLAYED = "2.14.0"
_PROBES = 8  # examples that tell whether a model is still the same function of its weights


@dataclass
class Exporter:
    """Exports models of one architecture, one after the other.

    Files of equal weights are converted once: edges that take the global model over
    have the model that the server has.

    Attributes:
        model: the Keras model; a subject's weights are those that are set on it.
        spec: what its inputs are, and its classes.
        logits: whether it gives logits.
        limits: what files must keep to.
        latency_s: seconds to spend on each latency.
        fresh: makes every wanted file, also those that are there already: anybody could have
            put them there, so an export that signs must not use them.
        listener: told of files of earlier exports that are removed.
        plain_alone: tries no other way where a plain quantized file does not pass.
    """

    model: keras.Model
    spec: DataSpec
    logits: bool
    limits: Limits = field(default_factory=Limits)
    latency_s: float = 0.05
    fresh: bool = False
    listener: Listener = silent
    plain_alone: bool = False
    _converted: dict[tuple[str, Variant], bytes] = field(default_factory=dict)
    _keras: KerasAnswers = field(init=False)
    _front: Front | None = field(default=None, init=False)
    _tokens: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._keras = KerasAnswers(self.model, self.logits)
        self._tokens = takes_tokens(self.model, self.spec)
        self._front = None if self._tokens else front_of(self.model)

    def export(
        self, subject: Subject, wanted: tuple[Variant, ...], folder: Path
    ) -> tuple[Exported, ...]:
        """Makes the wanted files of the model as it is set now, or finds them made already.

        Args:
            subject: whose model it is, with its examples.
            wanted: which files.
            folder: where to, named as the subject; files that no export made stay.

        Returns:
            One entry a file, refused ones and skipped ones included.

        Raises:
            ExportError: the model answers no probabilities, the name of a class fits no file of
                labels, or a file that no export made lies where one is to be written.
            ConfigError: it answers logits and was not said to, or the other way round.
        """
        if fault := fault_of(self.spec.classes):
            raise ExportError(fault)
        with computed_in_float32(self.model):  # in half, probabilities need not sum to 1
            return self._exported(subject, wanted, folder)

    def _exported(
        self, subject: Subject, wanted: tuple[Variant, ...], folder: Path
    ) -> tuple[Exported, ...]:
        key, answers = (
            key_of(subject, self.spec, self.limits, logits=self.logits),
            self._keras.probed(subject.inputs),
        )
        known, ours = unchanged_files(folder, key, answers), earlier_names(folder)
        missing = [v for v in wanted if self.fresh or v.value not in known]
        check_nothing_foreign(folder, missing, ours)
        if not known:  # another model's files, or an older export's, must not look delivered
            self._remove_all(folder, ours, missing)
        if missing:
            for variant in missing:
                known.pop(variant.value, None)
                ours.update(file_names(variant))
            # Written first, so that files of an interrupted export are recognized later.
            write_record(folder, key, answers, known.values(), ours)
            references = self._keras.references(subject)
            dtype = "int32" if self._tokens else "float32"
            with Converter(
                self.model, self.spec.input_shape, dtype=dtype, front=self._front
            ) as converter:
                for variant in missing:
                    row = self._export(subject, variant, converter, references, folder)
                    known[variant.value] = row
            rows = [known[variant.value] for variant in Variant if variant.value in known]
            write_record(folder, key, answers, rows, _held(folder, ours))
        return tuple(known[variant.value] for variant in wanted)

    def _remove_all(self, folder: Path, ours: Collection[str], again: Collection[Variant]) -> None:
        removed = remove(folder, ours)
        kept = {name for variant in again for name in file_names(variant)}
        gone = sorted(name for name in removed if name not in kept)
        if gone:
            self.listener(
                Note(
                    f"{folder}: removed {', '.join(gone)}: of an earlier export (another model, "
                    "other examples, limits or packages), or damaged since"
                )
            )

    def _export(
        self,
        subject: Subject,
        variant: Variant,
        converter: Converter,
        references: References,
        folder: Path,
    ) -> Exported:
        remove(folder, file_names(variant))
        row = Exported(
            subject.name, subject.round, subject.weights_sha256, variant.value, "skipped",
            (subject.no_calibration,),
        )  # fmt: skip
        if variant.calibrated and subject.calibration is None:
            return row
        description = self._description(subject, variant, references.test)
        try:
            climbed = climb_for(
                subject,
                variant,
                converter,
                references,
                description,
                lambda: self._convert(subject, variant, converter),
                limits=self.limits,
                plain_alone=self.plain_alone or self._unread(description),
                listener=self.listener,
            )
        except Exception as error:  # of this format: the others may be possible
            if full_disk(error) is not None:
                raise
            return replace(row, **_not_made(error, folder / (variant.value + SAID)))
        row = replace(
            row,
            output_kind=description.output_kind,
            calibration=_source(subject, converter) if variant.calibrated else None,
        )
        return self._written(row, climbed, description, references.test, folder)

    def _written(
        self,
        row: Exported,
        climbed: Climbed,
        description: Description,
        reference: Reference,
        folder: Path,
    ) -> Exported:
        """Writes a file under the name that its verdict gives it, and its bundle if it has one."""
        content, found, variant = climbed.content, climbed.found, Variant(row.variant)
        accepted = found.verdict is Verdict.UNDECIDED and self.limits.accept_unproved
        delivered = found.verdict is Verdict.PASSED or accepted
        kept = FAILED if found.verdict is Verdict.FAILED else UNPROVED
        name = row.variant + (".tflite" if delivered else kept)
        write_bytes(folder / name, content)
        row = replace(
            row,
            status=found.verdict.value,
            reasons=found.reasons,
            file=f"{row.model}/{name}",
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
            parity=found.parity,
            proved_as=found.proved_as,
            way=climbed.way if variant.quantized else None,
            attempts=climbed.attempts if variant.quantized else (),
        )
        if found.parity is None:
            return row
        cost = self._cost(content, reference.inputs[0])
        if variant is Variant.INT16X8:
            cost = replace(cost, min_runtime=_INT16_REPLAYED)
        row = replace(row, cost=cost)
        if not delivered or variant is Variant.MASTER:
            return row
        bundle = f"{row.variant}.bundle.zip"
        bundle_file(folder / bundle, content, variant, description, found, cost, reference)
        return replace(
            row, bundle=f"{row.model}/{bundle}", bundle_sha256=file_sha256(folder / bundle)
        )

    def _description(self, subject: Subject, variant: Variant, reference: Reference) -> Description:
        return Description(
            self.spec.classes,
            self.spec.dtype,
            self.spec.value_range,
            self._output_kind(variant, reference),
            dict(subject.origin),
            self.spec.declared,
            self._front.scaling if self._front and variant is Variant.INT8 else None,
            self.spec.columns,
        )

    def _unread(self, description: Description) -> bool:
        """The other ways read nets that take raw values and end in a number a class."""
        unread = self._tokens or self._front is not None
        return unread or of_one_output(description.output_kind)

    def _cost(self, content: bytes, example: Array) -> Cost:
        return cost_sheet(
            content,
            example,
            seconds=self.latency_s,
            keras_latencies=self._keras.latencies(example, self.latency_s),
        )

    def _convert(self, subject: Subject, variant: Variant, converter: Converter) -> bytes:
        if variant.calibrated and subject.calibration is not None:
            return converter.convert(variant, subject.calibration.inputs)
        place = (subject.weights_sha256, variant)
        if place not in self._converted:
            if any(sha256 != subject.weights_sha256 for sha256, _ in self._converted):
                self._converted.clear()  # one model's files are enough to keep
            self._converted[place] = converter.convert(variant)
        return self._converted[place]

    def _output_kind(self, variant: Variant, reference: Reference) -> str:
        fitted = variant is Variant.INT8 and gives_fitted_logits(self.model)
        one = has_one_output(self.model, for_model(reference.inputs[:1]))
        return output_kind(logits=self.logits or fitted, one_output=one)


def _held(folder: Path, names: Collection[str]) -> set[str]:
    """The names of files that are there, and of the signatures that these may get later."""
    there = {name for name in names if (folder / name).exists()}
    return there | {name for name in names if name.removesuffix(".sig") in there}


def _source(subject: Subject, converter: Converter) -> str | None:
    if subject.calibration is None:
        return None
    left_out = f", {converter.left_out} outliers left out" if converter.left_out else ""
    return subject.calibration.source + left_out


def _not_made(error: Exception, log: Path) -> dict[str, Any]:
    """A row's status and reasons where there is no file; all that was said goes to ``log``."""
    if isinstance(error, ConversionError) and error.said:
        write_bytes(log, error.said.encode())
    kind = type(error).__name__
    why = str(error) if isinstance(error, ExportError) else f"{kind}: {brief(error)}"
    status = "skipped" if isinstance(error, FixedBatchOnly) else "failed"
    return {"status": status, "reasons": (why,)}
