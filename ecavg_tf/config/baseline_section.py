"""The config's section on what a run is compared with."""

from dataclasses import dataclass


@dataclass
class BaselineConfig:
    """What a run is compared with.

    Attributes:
        alone: for ``fleet.kind=local``: after the last round, also train every edge alone, from
            the model that it began with, for as many epochs as it trained in all rounds. It costs
            the edges' training once more; with one round, nothing.
        pooled: after the last round, the server also trains on the pooled data without the edges'
            weights: from the run's start, for as many epochs as it fine-tuned in all rounds.
    """

    alone: bool = False
    pooled: bool = False
