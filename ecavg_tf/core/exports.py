"""The outcome of an export, as results.json has it: one row for each file."""

from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """What the examples say of a file.

    Attributes:
        PASSED: they show that it keeps to every limit.
        FAILED: it breaks a limit.
        UNDECIDED: too few examples show it, either way.
    """

    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"


class ProvedAs(StrEnum):
    """What a file was held against, and so what its proof says that it is.

    Attributes:
        FLOAT: a float file must be the Keras model.
        QUANTIZED: a quantized file that must be the Keras model, too.
        TUNED: its weights were tuned for int8: it is another model, held against its own
            fake-quant model; against the Keras model only its accuracy counts.
    """

    FLOAT = "the float model"
    QUANTIZED = "the float model, quantized"
    TUNED = "another model, tuned for int8"


@dataclass(frozen=True)
class Claim:
    """Something that a sample of examples must show of a file.

    Attributes:
        what: ``accuracy lost``, ``labels that differ`` or ``difference of probabilities``.
        examples: what the examples are, in words.
        n: how many.
        estimate: the mean over them, in [-1, 1].
        bound: one-sided upper confidence bound of the true mean.
        level: chance that the bound is below the true mean.
        limit: what the bound may be at most. 0: no bound can be, so the estimate counts.
        verdict: whether they show it.
        needed: about how many examples would; None where they do, or where no number would.
    """

    what: str
    examples: str
    n: int
    estimate: float
    bound: float
    level: float
    limit: float
    verdict: Verdict
    needed: int | None = None


@dataclass(frozen=True)
class Proportion:
    """A share with its 95 % Wilson interval.

    Attributes:
        value: in [0, 1].
        low: lower end of the interval.
        high: upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Parity:
    """A file compared with its Keras model, on the same examples.

    Attributes:
        inputs: what they are, in words.
        n: how many.
        max_difference: largest absolute difference of a probability.
        mean_difference: mean over examples of each example's largest difference.
        agreement: share of examples with the same best class, ties aside.
        agreement_all: the same share of all examples.
        ties: examples whose two best classes Keras holds closer than ``tie_margin``.
        tie_margin: what the file's output can't tell apart, in ``tie_unit``.
        tie_unit: ``probability`` or ``nats``.
        keras_accuracy: None without labels.
        file_accuracy: None without labels.
        accuracy_change: file minus Keras, in [-1, 1]; None without labels.
        accuracy_change_low: lower end of its paired 95 % interval.
        accuracy_change_high: upper end.
        claims: what was to be shown, and whether it was.
    """

    inputs: str
    n: int
    max_difference: float
    mean_difference: float
    agreement: float
    agreement_all: float
    ties: int
    tie_margin: float
    tie_unit: str
    keras_accuracy: Proportion | None = None
    file_accuracy: Proportion | None = None
    accuracy_change: float | None = None
    accuracy_change_low: float | None = None
    accuracy_change_high: float | None = None
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True)
class Latency:
    """Time for one example, in milliseconds.

    Attributes:
        what: ``file, 1 thread``, ``file, 2 threads``, ``Keras predict``, ``Keras model(x)``.
        median_ms: median.
        p95_ms: 95th percentile.
        runs: how many were timed.
    """

    what: str
    median_ms: float
    p95_ms: float
    runs: int


@dataclass(frozen=True)
class Operator:
    """An operator that a runtime must have.

    Attributes:
        name: as in the TFLite schema, or "CUSTOM:name".
        version: version of the operator.
        count: how often the file uses it, in all its graphs.
    """

    name: str
    version: int
    count: int


@dataclass(frozen=True)
class Cost:
    """A file's cost sheet.

    Attributes:
        parameters: elements of its constant tensors.
        macs: multiply-accumulates of one inference.
        peak_activation_bytes: largest sum of live activations.
        min_runtime: oldest TFLite runtime that can run it; None when not known.
        operators: the operators it uses.
        latencies: of the file, and of Keras.
        float_operators: names of those that an int8 file computes in float32: they have no form
            for 8 bits.
    """

    parameters: int
    macs: int
    peak_activation_bytes: int
    min_runtime: str | None
    operators: tuple[Operator, ...]
    latencies: tuple[Latency, ...] = ()
    float_operators: tuple[str, ...] = ()


@dataclass(frozen=True)
class Attempt:
    """One way in which a quantized file was made, and what the gate said of it.

    Attributes:
        way: ``plain``, ``fitted``, ``weights-only`` or ``tuned``.
        status: as of a file.
        seconds: for making and comparing it.
        reasons: why it did not pass, a line each.
        agreement: share of labels equal to Keras', ties aside; None where it was not made.
        mean_difference: mean over examples of each one's largest difference of a probability.
        accuracy_change: file minus Keras, in [-1, 1]; None without labels.
    """

    way: str
    status: str
    seconds: float
    reasons: tuple[str, ...] = ()
    agreement: float | None = None
    mean_difference: float | None = None
    accuracy_change: float | None = None


@dataclass(frozen=True)
class Exported:
    """One file that was made, refused or skipped.

    Attributes:
        model: an edge's name, ``global``, or a file's name.
        round: whose model it is; None when it comes from no run.
        weights_sha256: hash of the model's weights.
        variant: ``float32-batch`` (the master), ``float32``, ``float16``, ``dynamic`` or
            ``int8``.
        status: ``passed``, ``failed``, ``undecided`` or ``skipped``.
        reasons: why it did not pass, a line each.
        file: the file's name under the export folder; None when it was not made.
        sha256: its hash.
        size_bytes: its size.
        bundle: the bundle's name under the export folder, where there is one.
        bundle_sha256: its hash.
        output_kind: ``probabilities`` or ``logits``.
        calibration: what int8's ranges were measured on, in words.
        parity: the comparison with Keras.
        cost: the cost sheet.
        proved_as: what it was held against, see ``ProvedAs``; None where it was not.
    """

    model: str
    round: int | None
    weights_sha256: str
    variant: str
    status: str
    reasons: tuple[str, ...] = field(default_factory=tuple)
    file: str | None = None
    sha256: str | None = None
    size_bytes: int | None = None
    bundle: str | None = None
    bundle_sha256: str | None = None
    output_kind: str | None = None
    calibration: str | None = None
    parity: Parity | None = None
    cost: Cost | None = None
    proved_as: ProvedAs | None = None
    way: str | None = None
    attempts: tuple[Attempt, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the gate refused it."""
        return self.status == Verdict.FAILED

    @property
    def undecided(self) -> bool:
        """Whether too few examples prove it."""
        return self.status == Verdict.UNDECIDED

    @property
    def delivered(self) -> bool:
        """Whether it has the name, and mostly the bundle, that devices take."""
        return self.file is not None and self.file.endswith(f"{self.variant}.tflite")
