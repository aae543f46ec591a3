"""``join``: keeps a Flower node and a warm edge process up on this machine."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ecavg_tf.core.errors import ConfigError, RoundError, disk_errors
from ecavg_tf.core.flower import (
    Supervised,
    check_flower,
    check_insecure,
    environment,
    free_port,
    program,
    shown,
    split_address,
)
from edge.carrying.places import Places
from edge.carrying.reaching import check_reachable
from edge.device.checkpoint import locked

_LOOK_S = 0.5
_LAST_THINGS_S = 600.0  # for an edge process whose run is over
_REFUSED = "[code: 2004]"  # Flower's words for a key that is not registered
# After an error that Flower does not try again, its node hangs: its other threads don't end.
_LAST_WORDS = (
    "SSL/TLS handshake error", "Giving up reconnection", "Client error '", "Server error '"
)  # fmt: skip
_AGAIN_S = 30.0  # between two tries to say why no server answers


@dataclass(frozen=True)
class JoinOrder:
    """What the user asked for.

    Attributes:
        server: ``HOST:PORT``.
        edge: the edge's name.
        state: the folder for all that it keeps.
        ca: the authority's certificate; None: without TLS, on this machine.
        key: the edge's private key.
        device: whether the edge trains a file without TensorFlow.
        arguments: of the edge process: ``--data`` and so on.
    """

    server: str
    edge: str
    state: Path
    ca: Path | None
    key: Path | None
    device: bool
    arguments: tuple[str, ...]


class Join:
    """One edge on this machine.

    Args:
        order: what the user asked for.
    """

    def __init__(self, order: JoinOrder) -> None:
        check_flower()
        self._order = order
        self._host, self._port = split_address("--server", order.server)
        self._check_keys()
        self._home = order.state / "flower"
        self._places = Places(order.edge, order.state)
        self._serves: Path | None = None
        self._edge: Supervised | None = None
        self._over_since: float | None = None
        self._node = Supervised(
            "flower-supernode",
            self.node_words,
            environment(self._home),
            order.state / "supernode.log",
            _tell,
            {_REFUSED: f"the server refuses this key: has it edges/{order.edge}.pub?"},
            _LAST_WORDS,
        )

    def _check_keys(self) -> None:
        order = self._order
        if order.ca is None:
            check_insecure("--server", self._host)
            print("INSECURE: no TLS and no key; for a try on this machine only.",
                  file=sys.stderr, flush=True)  # fmt: skip
            return
        for flag, path in (("--ca", order.ca), ("--key", order.key)):
            if path is None or not path.is_file():
                raise ConfigError(
                    f"{flag}={path} is not there; the server's owner makes it with 'ecavg certs'"
                )

    def node_words(self) -> list[str]:
        """The command of Flower's node."""
        order = self._order
        config = f'edge="{order.edge}" state="{order.state}"'
        words = [program("flower-supernode"), "--superlink", order.server]
        words += ["--node-config", config, "--port", str(free_port())]
        if order.ca is None:
            return [*words, "--insecure"]
        return [
            *words, "--root-certificates", str(order.ca),
            "--auth-supernode-private-key", str(order.key),
        ]  # fmt: skip

    def edge_words(self, place: Path) -> list[str]:
        """The command of the edge process, which serves one run's mailbox."""
        order = self._order
        command = ["edge", "train"] if order.device else ["ecavg_tf", "edge"]
        return [
            sys.executable, "-m", *command, f"--edge={order.edge}",
            f"--exchange={self._places.exchange(place)}", f"--state={self._places.kept(place)}",
            *([] if order.key is None else [f"--sign={order.key}"]), *order.arguments,
        ]  # fmt: skip

    def run(self) -> None:
        """Keeps both up until it is stopped.

        Raises:
            ECAvgError: the server refuses this machine, or the folder can't be used.
        """
        with disk_errors(self._order.state):
            self._order.state.mkdir(parents=True, exist_ok=True)
            with locked(self._order.state, "--state"):
                try:
                    self._run()
                finally:
                    self._node.stop()
                    if self._edge is not None:
                        self._edge.stop()

    def _run(self) -> None:
        said, look = "", 0.0
        while True:
            if not said and look:
                self._node.look()
            elif time.monotonic() >= look:
                said, look = self._said(said), time.monotonic() + _AGAIN_S
            self._look_after_edge()
            time.sleep(_LOOK_S)

    def _said(self, before: str) -> str:
        """Why no server answers, which is printed; empty: one does, and the node is started."""
        try:
            check_reachable(self._host, self._port, self._order.ca)
        except RoundError as error:
            if str(error) != before:
                _tell(f"{error} It is tried again.")
            return str(error)
        _tell(f"starts Flower's node; by hand:\n  {shown(self.node_words(), self._home)}")
        return ""

    def _look_after_edge(self) -> None:
        if self._edge is not None and self._edge.look() == 0 and self._serves is not None:
            kept = self._places.kept(self._serves)
            _tell(f"{self._serves.name} is over; what was accepted is in {kept}")
            self._serves = self._edge = None
        place = self._places.served()
        if place != self._serves and not self._ends():
            self._serve(place)

    def _ends(self) -> bool:
        """Whether the edge process does its last things: its run is over, and it ends by itself."""
        if self._edge is None or self._serves is None or not self._places.over(self._serves):
            self._over_since = None
            return False
        self._over_since = self._over_since or time.monotonic()
        return time.monotonic() - self._over_since < _LAST_THINGS_S

    def _serve(self, place: Path) -> None:
        if self._edge is not None:
            self._edge.stop()
        self._serves = place
        words = self.edge_words(place)
        self._edge = Supervised(
            f"the process of {self._order.edge}",
            lambda: words,
            environment(self._home),
            place / "edge.log",
            _tell,
        )
        _tell(f"{self._order.edge} serves {place.name}; what it says: {place / 'edge.log'}")


def join(order: JoinOrder) -> int:
    """Keeps an edge up until it is stopped."""
    Join(order).run()
    return 0


def _tell(text: str) -> None:
    print(text, flush=True)


def edge_arguments(data: str, label_column: str, timeout_s: float, *, pool: bool) -> Sequence[str]:
    """The arguments of the edge process that say what it has."""
    words = [f"--data={data}", f"--label-column={label_column}", f"--timeout={timeout_s:g}"]
    return (*words, "--pool") if pool else tuple(words)
