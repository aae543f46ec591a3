"""Where an edge that many runs may ask keeps each run: ``STATE/run-0001`` and so on."""

from pathlib import Path

from ecavg_tf.core.errors import RoundError
from ecavg_tf.core.files import read_json, write_json
from ecavg_tf.core.messages.mailbox import Mailbox

_CURRENT = "current.json"
_RUN = "run.json"


class Places:
    """The runs of one edge.

    Args:
        edge: its name.
        state: the folder with all of them.
    """

    def __init__(self, edge: str, state: Path) -> None:
        self.edge = edge
        self._state = state

    def exchange(self, place: Path) -> Path:
        """The exchange folder of a run."""
        return place / "exchange"

    def kept(self, place: Path) -> Path:
        """What the edge keeps of a run."""
        return place / "kept"

    def mailbox(self, place: Path) -> Mailbox:
        """The edge's mailbox in a run."""
        return Mailbox(self.exchange(place) / self.edge)

    def over(self, place: Path) -> bool:
        """Whether the edge has answered the last request of the run."""
        return self.mailbox(place).over()

    def run_id(self, place: Path) -> str | None:
        """The run that has a place; None: none yet."""
        path = self.exchange(place) / _RUN
        return str(read_json(path).get("run_id")) if path.exists() else None

    def served(self) -> Path:
        """The place whose mailbox is to be served: the current run's, else a free one."""
        current = self._current()
        return current if current is not None and not self.over(current) else self._free()

    def place_of(self, run: dict[str, object]) -> Path:
        """The place of a run, which it has from now on.

        Args:
            run: what the server's ``run.json`` says.

        Raises:
            RoundError: another run that is not over has the edge.
        """
        run_id, current = str(run.get("run_id")), self._current()
        known = next((place for place in self._all() if self.run_id(place) == run_id), None)
        busy = current is not None and current != known and not self.over(current)
        if known is not None and busy and current is not None:
            raise RoundError(
                f"{self.edge} serves run {self.run_id(current)} by now; when that is over, it "
                "serves this one again"
            )
        place = known
        if place is None:
            place = self._free()
            self.serve(place)  # before it is the run's, or another would be made for serving
        path = self.exchange(place) / _RUN
        if not path.exists() or read_json(path) != run:
            write_json(path, run)
        return place

    def serve(self, place: Path) -> None:
        """Makes a place the current one."""
        if self._current() != place:
            write_json(self._state / _CURRENT, {"place": place.name})

    def _current(self) -> Path | None:
        path = self._state / _CURRENT
        if not path.exists():
            return None
        return self._state / Path(str(read_json(path).get("place"))).name

    def _all(self) -> list[Path]:
        return sorted(self._state.glob("run-[0-9]*"))

    def _free(self) -> Path:
        """A place without a run; it is made where there is none."""
        places = self._all()
        for place in places:
            if self.run_id(place) is None:
                return place
        last = int(places[-1].name.partition("-")[2]) if places else 0
        place = self._state / f"run-{last + 1:04d}"
        self.mailbox(place)
        return place
