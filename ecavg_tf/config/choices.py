"""The values that config fields can take, under the words that users type."""

import enum


class PartitionKind(enum.Enum):
    """How examples are divided among edges."""

    IID = "iid"
    CLASSES = "classes"
    DIRICHLET = "dirichlet"
    SHARDS = "shards"
    KEY = "key"


class Weighting(enum.Enum):
    """How much an edge's update counts in the average."""

    EXAMPLES = "examples"
    UNIFORM = "uniform"


class ClassWeights(enum.Enum):
    """What an example's class weighs in an edge's training."""

    NONE = "none"
    BALANCED = "balanced"


class DoubtfulLabels(enum.Enum):
    """What becomes of pooled examples whose label a model of the other edges finds implausible."""

    KEEP = "keep"
    DROP = "drop"
    DROP_EDGE = "drop_edge"


class Schedule(enum.Enum):
    """How the learning rate changes over the epochs of one fit."""

    CONSTANT = "constant"
    COSINE = "cosine"


class Align(enum.Enum):
    """Whether the channels of updates are renamed before they are averaged."""

    OFF = "off"
    APART = "apart"


class PoolRate(enum.Enum):
    """How the server's learning rate follows the size of the pool."""

    AS_GIVEN = "as_given"
    ROOT = "root"


class PoolEpochs(enum.Enum):
    """How the server's epochs follow the size of the pool."""

    AS_GIVEN = "as_given"
    FULL = "full"


class JitCompile(enum.Enum):
    """Whether XLA compiles the training steps."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class LevelFor(enum.Enum):
    """Which error rate the guard's level limits."""

    DECISION = "decision"
    EDGE = "edge"
    RUN = "run"


class GuardRule(enum.Enum):
    """How the guard uses its held-out examples."""

    TOGETHER = "together"
    HALVES = "halves"


class FleetKind(enum.Enum):
    """How the server reaches edges."""

    LOCAL = "local"
    FOLDER = "folder"
    FLOWER = "flower"


class Trains(enum.Enum):
    """Which layers are trained, on edges and on the server."""

    ALL = "all"
    HEAD = "head"


class TrainingFile(enum.Enum):
    """What edges without TensorFlow train."""

    NONE = "none"
    HEAD = "head"
    DENSE = "dense"


class Format(enum.StrEnum):
    """How an exported file stores weights and computes.

    ``float32`` as Keras does; ``float16`` stores weights in half precision; ``dynamic``
    stores them in 8 bits and computes activations' ranges as it goes; ``int8`` is 8 bits
    throughout, input and output included; ``int16x8`` likewise, with activations of 16 bits.
    """

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    DYNAMIC = "dynamic"
    INT8 = "int8"
    INT16X8 = "int16x8"


class Output(enum.Enum):
    """What a model's last layer gives."""

    PROBABILITIES = "probabilities"
    LOGITS = "logits"


class Rescale(enum.Enum):
    """Whether a user's own model gets a layer that rescales its inputs."""

    OFF = "off"
    AUTO = "auto"
