"""The choices that config fields have, by the words that users type."""

import enum


class PartitionKind(enum.Enum):
    """How examples are dealt out to edges."""

    IID = "iid"
    CLASSES = "classes"
    DIRICHLET = "dirichlet"
    SHARDS = "shards"
    KEY = "key"


class Weighting(enum.Enum):
    """What an edge's update weighs in the average."""

    EXAMPLES = "examples"
    UNIFORM = "uniform"


class ClassWeights(enum.Enum):
    """What an example's class weighs in an edge's training."""

    NONE = "none"
    BALANCED = "balanced"


class Schedule(enum.Enum):
    """How the learning rate goes over the epochs of one fit."""

    CONSTANT = "constant"
    COSINE = "cosine"


class LevelFor(enum.Enum):
    """What the guard's level is the error rate of."""

    DECISION = "decision"
    EDGE = "edge"
    RUN = "run"


class FleetKind(enum.Enum):
    """How edges are reached."""

    LOCAL = "local"
    FOLDER = "folder"


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
    throughout, input and output included.
    """

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    DYNAMIC = "dynamic"
    INT8 = "int8"


class Output(enum.Enum):
    """What a model's last layer gives."""

    PROBABILITIES = "probabilities"
    LOGITS = "logits"


class Rescale(enum.Enum):
    """Whether a model of people's own gets a layer that rescales its images."""

    OFF = "off"
    AUTO = "auto"
