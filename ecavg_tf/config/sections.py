"""The configuration of a run: typed fields and their choices.

A config file returns a ``Config``; the command line overrides single fields of it
(``--config.edge.epochs=3``). Overrides assign, so the classes can't be frozen:
``config.checks.validated`` checks once, and from there on everybody treats a config as
read-only.
"""

from dataclasses import dataclass, field

from ecavg_tf.config.baseline_section import BaselineConfig
from ecavg_tf.config.choices import (
    ClassWeights,
    GuardRule,
    JitCompile,
    LevelFor,
    Output,
    PartitionKind,
    PoolEpochs,
    PoolRate,
    Rescale,
    Schedule,
    Trains,
)
from ecavg_tf.config.exchanged_section import CollectConfig, PrivacyConfig
from ecavg_tf.config.export_section import ExportConfig
from ecavg_tf.config.fleet_section import FleetConfig


@dataclass
class DataConfig:
    """Which data set the run uses.

    Attributes:
        name: ``digits`` (embedded), a TFDS image-classification set (``cifar10``), an
            ``.npz`` or ``.csv`` file, a folder of images by class (``./photos``) or of edges
            (``hospitals``), or a function (``pkg.module:function``). It may be a test set alone.
        spec: for a server without training data: ``first-edge`` (the data is as the first edge
            says), or a JSON file that says it; empty: it is as ``name``.
        data_dir: a prepared TFDS directory; empty: ``TFDS_DATA_DIR`` or TFDS' default.
        train_examples: stratified limit on training examples; 0: all.
        test_examples: stratified limit on test examples; 0: all.
        image_size: for folders and TFDS: resize to this height and width; 0: as they are.
        channels: for folders and TFDS: 1 (grey) or 3 (colour); 0: as they are.
        label_column: for ``.csv`` files: the name of the column with the labels.
    """

    name: str = "digits"
    spec: str = ""
    data_dir: str = ""
    train_examples: int = 0
    test_examples: int = 0
    image_size: int = 0
    channels: int = 0
    label_column: str = "label"


@dataclass
class PartitionConfig:
    """Which edge has which examples.

    Attributes:
        kind: ``iid``, ``classes`` (each class lives on one edge), ``dirichlet`` (label mixes
            drawn from a Dirichlet distribution), ``shards`` (pieces of the sorted labels) or
            ``key`` (the data says which edge an example belongs to).
        num_edges: how many edges.
        alpha: concentration of ``dirichlet``; small: few classes an edge, large: iid.
        shards_per_edge: pieces an edge gets, for ``shards``.
        min_examples: a ``dirichlet`` draw that leaves an edge with fewer is drawn again.
        guard_fraction: share of an edge's examples that it holds out and never
            uploads, in [0, 1).
        key: for ``key``: an array in the ``.npz``, a column of the ``.csv``, or a TFDS feature,
            with the edges' names.
    """

    kind: PartitionKind = PartitionKind.IID
    num_edges: int = 2
    alpha: float = 0.5
    shards_per_edge: int = 2
    min_examples: int = 10
    guard_fraction: float = 0.2
    key: str = "edge"


@dataclass
class ModelConfig:
    """Which model the run trains.

    Attributes:
        name: ``mlp``, ``conv1d`` (for signals), ``mobilenet_v2``, ``resnet50``, or a function
            that gives an uncompiled keras.Model (``pkg.module:function``).
        hidden_units: width of the MLP's hidden layer.
        init: ``shared`` (all edges start from the same weights), ``independent``,
            ``imagenet``, or a ``.keras`` file.
        weights_path: Keras' own ImageNet weights file, where there is no network.
        output: ``probabilities`` or ``logits``; built-in models give probabilities.
        train: ``all`` layers, or the ``head`` (the last layer) on a frozen backbone. Edges
            may leave frozen weights out of their updates.
        rescale: for a function's model: ``auto`` puts a layer before it that rescales inputs
            from the data set's value range to 0..1, unless it does so itself; ``off`` leaves
            it as it is. The layer is exported with the model.
    """

    name: str = "mlp"
    hidden_units: int = 128
    init: str = "shared"
    weights_path: str = ""
    output: Output = Output.PROBABILITIES
    train: Trains = Trains.ALL
    rescale: Rescale = Rescale.OFF


@dataclass
class FitConfig:
    """The settings of one fit that edges and server have in common.

    Attributes:
        epochs: passes over the examples.
        batch_size: examples a step.
        optimizer: a Keras optimizer's name.
        learning_rate: its learning rate.
        schedule: ``constant``, or ``cosine`` (epoch by epoch, towards 0).
        weight_decay: decoupled weight decay; 0: none.
        augment: flip and shift the training inputs, which must be pictures.
        callbacks: functions ``pkg.module:function``, separated by commas, that are called with
            (round, who) for every fit and return a keras.callbacks.Callback.
        patience: early stopping: a fit ends after so many epochs in which the loss on
            held-out examples did not fall, and its best epoch counts; 0: all epochs.
        stop_fraction: the share of the fit's examples that is held out for that.
        recalibrate: re-estimate BatchNorm statistics after training.
        recalibrate_examples: on how many examples, drawn from the seed; 0: all.
        steps_per_execution: batches that TensorFlow trains on at a time, which changes cost and
            no bit; 0: 1 to 64, by the model's size.
        jit_compile: whether XLA compiles the training: ``auto`` (on a GPU), ``on`` or ``off``;
            it changes bits, and takes seconds before it pays.
    """

    epochs: int = 3
    batch_size: int = 32
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    schedule: Schedule = Schedule.CONSTANT
    weight_decay: float = 0.0
    augment: bool = False
    callbacks: str = ""
    patience: int = 0
    stop_fraction: float = 0.1
    recalibrate: bool = True
    recalibrate_examples: int = 256
    steps_per_execution: int = 0
    jit_compile: JitCompile = JitCompile.AUTO


@dataclass
class EdgeConfig(PrivacyConfig, FitConfig):  # the last base's fields come first
    """Local training, per round.

    Attributes:
        epochs: passes over the edge's train set.
        class_weights: ``none``, or ``balanced``: each class of an edge weighs the same in its
            training, however many examples it has.
    """

    class_weights: ClassWeights = ClassWeights.NONE


@dataclass
class ServerConfig(FitConfig, CollectConfig):  # the last base's fields come first
    """Averaging and fine-tuning, per round.

    Attributes:
        epochs: passes over the pooled data; 0: federated averaging.
        schedule: ``constant`` or ``cosine``.
        callbacks: as for edges.
        recalibrate: re-estimate BatchNorm statistics after averaging and fine-tuning.
        rate_warmup: share of a fit's steps over which the learning rate rises from 0, in [0, 1).
        rate_for_pool: ``as_given``, or ``root``: the learning rate is multiplied by the root of
            the share of the edges' examples that is pooled.
        epochs_for_pool: ``as_given``, or ``full``: an epoch is as many examples as the round's
            edges trained on; with a fifth of them pooled, five passes over the pool. A hundred
            passes at most.
        probe_examples: for ``combine=auto``: examples that each candidate is tried on.
        distill: the share, in [0, 1], that the edges' models have together in what the fine-tuning
            learns of a pooled example; its label has the rest.
        tail_epochs: the mean of the weights after the last epochs, so many, is the fine-tuned
            model; 0: the last epoch alone.
        warmup_epochs: passes over ``warmup_data`` before round 1; 0: none.
        warmup_data: a data set as ``data.name`` names one; empty: what the edges agree to pool,
            which takes edges in this process (``fleet.kind=local``).
    """

    rate_warmup: float = 0.0
    rate_for_pool: PoolRate = PoolRate.AS_GIVEN
    epochs_for_pool: PoolEpochs = PoolEpochs.AS_GIVEN
    probe_examples: int = 2000
    distill: float = 0.0
    tail_epochs: int = 0
    warmup_epochs: int = 0
    warmup_data: str = ""


@dataclass
class UpdateConfig:
    """How an edge decides whether to take the global model.

    Attributes:
        policy: ``guarded`` (take what the edge's held-out data certifies as better, else keep
            what it has), ``replace`` (the paper's: always take the global model), or a
            function ``pkg.module:function``.
        rule: for ``guarded``: ``together`` (all candidates are tested at once on the whole guard
            set), or ``halves`` (one half of it selects a candidate, the other tests that one).
        level: for ``guarded``: chance of taking a model that is no better in expected
            (smoothed) log-likelihood, in (0, 0.5].
        level_for: what has that chance: each ``decision``, all rounds of an ``edge``
            together, or the whole ``run`` (the level is divided over its decisions).
    """

    policy: str = "guarded"
    rule: GuardRule = GuardRule.TOGETHER
    level: float = 0.05
    level_for: LevelFor = LevelFor.DECISION


@dataclass
class Config:
    """A run of ECAvg.

    Attributes:
        seed: every random choice is derived from it.
        rounds: how many rounds.
        edges_per_round: how many edges take part in a round; 0: all.
        tensorboard: write TensorBoard logs of every fit into the run directory.
        keep_rounds: the last rounds whose models stay; 0: all of up to 8 MiB, two of larger ones.
        keep_updates: keep what edges sent, too, once a round is decided.
    """

    seed: int = 0
    rounds: int = 1
    edges_per_round: int = 0
    tensorboard: bool = False
    keep_rounds: int = 0
    keep_updates: bool = False
    data: DataConfig = field(default_factory=DataConfig)
    partition: PartitionConfig = field(default_factory=PartitionConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    edge: EdgeConfig = field(default_factory=EdgeConfig)
    server: ServerConfig = field(default_factory=ServerConfig)
    update: UpdateConfig = field(default_factory=UpdateConfig)
    fleet: FleetConfig = field(default_factory=FleetConfig)
    export: ExportConfig = field(default_factory=ExportConfig)
    baseline: BaselineConfig = field(default_factory=BaselineConfig)
