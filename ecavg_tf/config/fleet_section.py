"""The config's section on how edges are reached, and how long anybody waits."""

from dataclasses import dataclass

from ecavg_tf.config.choices import FleetKind, TrainingFile
from ecavg_tf.core.commands import EDGE_TIMEOUT_S


@dataclass
class FleetConfig:
    """How edges are reached.

    Attributes:
        kind: ``local`` (this process), ``folder`` (``ecavg edge`` elsewhere) or ``flower``
            (``ecavg join`` on other machines).
        folder: the exchange folder, for ``folder``; for ``flower`` it is ``WORKDIR/exchange``.
        server: for ``flower``: the ``--state`` of ``ecavg serve`` on this machine.
        quorum: sound updates that a round needs; with fewer it stops, and can be resumed.
        wait_for: for a server without training data: how many edges must have come before round
            1, or which (names, separated by commas); empty: ``quorum`` edges.
        presence: rounds that edges take part in, ``NAME:FIRST`` or ``NAME:FIRST-LAST``, separated
            by commas; edges that are not named take part in all.
        timeout_s: seconds from a request until edges without an answer are absent: later rounds
            don't wait for them until they answer again.
        edge_timeout_s: seconds without a request before ``ecavg edge`` gives up.
        edge_keys: for ``folder`` and ``flower``: a folder with the edges' public keys,
            ``NAME.pub``, as ``ecavg certs`` makes them in ``edges``; only replies that the edge's
            own key signed are taken; empty: signatures are not looked at.
        workers: for ``local``: how many processes the edges train in, each with one thread, so that
            bits do not depend on how many; 0: in this process, with all its threads.
        training_file: for ``folder`` and ``flower``: ship a file that edges without TensorFlow
            train (``python -m edge train``): the ``head`` (the last layer), all ``dense`` layers at
            the model's end, or ``none``. If the server changes other layers, a new file goes
            out each round; with ``model.train=head`` one is enough.
    """

    kind: FleetKind = FleetKind.LOCAL
    folder: str = ""
    server: str = ""
    quorum: int = 1
    wait_for: str = ""
    presence: str = ""
    timeout_s: float = 3600.0
    edge_timeout_s: float = EDGE_TIMEOUT_S
    edge_keys: str = ""
    workers: int = 0
    training_file: TrainingFile = TrainingFile.NONE
