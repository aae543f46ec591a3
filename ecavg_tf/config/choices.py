"""The choices that config fields have, by the words that users type."""

import enum


class PartitionKind(enum.Enum):
    """How examples are dealt out to edges."""

    IID = "iid"
    CLASSES = "classes"
    DIRICHLET = "dirichlet"
    SHARDS = "shards"


class Weighting(enum.Enum):
    """What an edge's update weighs in the average."""

    EXAMPLES = "examples"
    UNIFORM = "uniform"


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


class Output(enum.Enum):
    """What a model's last layer gives."""

    PROBABILITIES = "probabilities"
    LOGITS = "logits"


class Rescale(enum.Enum):
    """Whether a model of people's own gets a layer that rescales its images."""

    OFF = "off"
    AUTO = "auto"
