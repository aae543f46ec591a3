"""The parts of the config that say what edges send, and what the server makes of it."""

from dataclasses import dataclass

from ecavg_tf.config.choices import Align, DoubtfulLabels, Weighting


@dataclass
class PrivacyConfig:
    """What an edge does to its update before it sends it.

    Attributes:
        dp_clip: the largest norm that the change of an update may have; longer ones are
            shortened before they are sent; 0: any.
        dp_noise_multiplier: standard deviation of the Gaussian noise that an edge adds to its
            update, in units of ``dp_clip``; 0: none.
        dp_delta: the delta at which the epsilon of the noised updates is told.
    """

    dp_clip: float = 0.0
    dp_noise_multiplier: float = 0.0
    dp_delta: float = 1e-5


@dataclass
class CollectConfig:
    """What the server asks its edges for, and how it combines that.

    Attributes:
        weighting: ``examples`` or ``uniform`` (the paper's).
        combine: how updates become the averaged model: ``average``, ``start`` (leave them out:
            fine-tune what the round started from), ``median``, ``trimmed_mean``,
            ``geometric_median`` or ``multi_krum`` (safe from a minority), ``clipped`` (no update
            is longer than the median), ``auto`` (short probes on pooled data that is held out
            choose between the average, the best edge and the round's start), ``soup`` (the mean
            of those edges' models that pooled data which is held out wants in it), or a function
            ``pkg.module:function``.
        align: ``apart``: where edges started from weights of their own (round 1 with
            ``model.init=independent``), the channels of each update are renamed so that it lies
            close to the others; ``off``: never.
        head_by_class: average each class of the last layer over the edges in proportion to their
            examples of that class.
        trim: for ``trimmed_mean``: the share of edges left out at either end; for
            ``multi_krum``: the share left out; in [0, 0.5).
        pool: ask the edges for their training data, once.
        pool_edges: names of the edges that consent, separated by commas; empty: all.
        pool_bytes: how many bytes of examples each edge may upload; 0: all it has.
        pool_fraction: the share of its training examples that each edge uploads, in (0, 1].
        max_update_ratio: an update's change over what is usual among the others; 0: any.
        max_examples_ratio: examples that an edge counts for without having pooled them, over
            the median of the others'; 0: any.
        influence_examples: pooled examples that tell what each update does to the average; 0: none.
        doubtful_labels: pooled examples whose label a model of the other edges finds
            implausible: ``keep``, ``drop`` (the server does not train on them), or ``drop_edge``
            (on none of an edge that has far more of them than the others).
    """

    weighting: Weighting = Weighting.EXAMPLES
    combine: str = "average"
    align: Align = Align.OFF
    head_by_class: bool = False
    trim: float = 0.2
    recalibrate: bool = True  # as in FitConfig; written here for its place in the order
    pool: bool = True
    pool_edges: str = ""
    pool_bytes: int = 0
    pool_fraction: float = 1.0
    max_update_ratio: float = 10.0
    max_examples_ratio: float = 10.0
    influence_examples: int = 256
    doubtful_labels: DoubtfulLabels = DoubtfulLabels.KEEP
