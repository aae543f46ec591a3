"""An edge's own folder: what it needs to go on after any interruption.

Files carry the number of their round and are never changed in place. A reply file is
written last and makes its round's files count; only then are older ones removed. So
an exchange that was cut off is done again from the same state, to the same bits, and
one that was answered is answered the same way again.
"""

import contextlib
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from ecavg_tf.core.errors import WorkdirError, brief, one_line
from ecavg_tf.core.fields import Fields
from ecavg_tf.core.files import atomic_path, file_sha256, link_or_copy, read_json, write_json
from ecavg_tf.core.messages.reply import Reply
from ecavg_tf.core.messages.tensor_rest import REST, read_whole, save_without
from ecavg_tf.core.messages.update_file import TensorFile
from ecavg_tf.core.scores import Decision
from ecavg_tf.core.template import Array, Template
from edge.participating.accepted import check_accepted, numbered

_OWNER = "owner.json"
_NOISE_KEY, _KEY_BYTES = "noise.key", 32


class EdgeStore:
    """Files of one edge in one run.

    Args:
        folder: the edge's folder; made when missing.
        edge: the edge's name.
        run_id: the run it belongs to.
        shared: on the server's machine, where the global model of a round lies as arrays, which
            edges that take it give a second name instead of a copy.

    Raises:
        WorkdirError: the folder holds another run, or another edge.
    """

    def __init__(
        self,
        folder: Path,
        edge: str,
        run_id: str,
        shared: Callable[[int], Path] | None = None,
    ) -> None:
        self.folder = folder
        self._shared = shared
        self.edge = edge
        owner = folder / _OWNER
        mine = {"edge": edge, "run_id": run_id}
        if not owner.exists():
            write_json(owner, mine)
        elif (found := read_json(owner)) != mine:
            theirs, ours = (
                one_line(f"{each.get('edge')} of run {each.get('run_id')}")
                for each in (found, mine)
            )
            raise WorkdirError(
                f"{folder} belongs to {theirs}, not to {ours}; give it an empty folder (--workdir; "
                "on a device --state)"
            )

    def update_path(self, round_number: int) -> Path:
        """Where the update of a round is written."""
        return self._path("update", round_number)

    def local_path(self, round_number: int) -> Path:
        """Where the local model of a round is written, if the update is not that model itself."""
        return self._path("local", round_number)

    def noise_key(self) -> bytes:
        """Random bytes that only this edge has, for the noise of its updates; made once.

        Raises:
            WorkdirError: the file is damaged.
        """
        path = self.folder / _NOISE_KEY
        if not path.exists():
            with atomic_path(path) as temporary:
                temporary.chmod(0o600)
                temporary.write_bytes(secrets.token_bytes(_KEY_BYTES))
        key = path.read_bytes()
        if len(key) != _KEY_BYTES:
            fault = f"it has {len(key)} bytes, expected {_KEY_BYTES}"
            raise WorkdirError(f"{path} is damaged: {fault}; begin again with an empty folder")
        return key

    @property
    def pooled_path(self) -> Path:
        """Where the pooled data is written."""
        return self.folder / "pooled.safetensors"

    def commit(self, reply: Reply, start_sha256: str | None, asked_sha256: str = "") -> None:
        """Makes a round's files count, then removes what it supersedes.

        Args:
            reply: the reply.
            start_sha256: hash of the weights that it began with.
            asked_sha256: hash of all that was asked.
        """
        local = self.local_path(reply.round)
        write_json(
            self._path("reply", reply.round),
            {
                "start_sha256": start_sha256,
                "asked_sha256": asked_sha256,
                "update_sha256": None if reply.update is None else file_sha256(reply.update),
                **({"local_sha256": file_sha256(local)} if local.exists() else {}),
                "decision": None if reply.decision is None else reply.decision.to_json(),
                "seconds": dict(reply.seconds),
            },
        )
        for pattern, keep_from in (
            ("accepted", reply.round - 1),
            ("update", reply.round),
            ("local", reply.round),
            ("global", reply.round),
            ("reply", reply.round),
        ):
            found = numbered(self.folder, pattern)
            needed = set() if pattern in ("accepted", "reply") else _rests(self.folder)
            for number, path in found.items():
                # An edge that sat rounds out keeps the last model that it accepted.
                old = number < (keep_from if pattern == "global" else min(keep_from, max(found)))
                if old and path.name not in needed:
                    path.unlink()

    def reply(
        self, round_number: int, start_sha256: str | None, asked_sha256: str = ""
    ) -> Reply | None:
        """The reply already given to this round, if there is one to what is asked now.

        Raises:
            WorkdirError: it was given to another start, or its noise would be drawn twice.
        """
        path = self._path("reply", round_number)
        if not path.exists():
            return None
        fields = Fields(read_json(path))
        try:
            if fields.get("start_sha256") != start_sha256:
                raise WorkdirError(
                    f"{self.edge} answered round {round_number} already, but from another start "
                    f"model: the server began this run again after {self.folder} was written; use "
                    "an empty folder"
                )
            if fields.values.get("asked_sha256", asked_sha256) != asked_sha256:
                if self.local_path(round_number).exists():
                    raise WorkdirError(
                        f"{self.edge} answered round {round_number} already, to a request with "
                        "other settings, and its noise must not be drawn twice: one of the two "
                        "was changed on its way; use an empty folder"
                    )
                return None
            return Reply(
                edge=self.edge,
                round=round_number,
                update=self._sound_update(round_number),
                pooled=None,
                decision=fields.maybe("decision", Decision.field),
                seconds=fields.inner("seconds").values,
            )
        except ValueError as error:
            raise WorkdirError(f"{path} is damaged: {error}") from error

    def decided(self, round_number: int) -> Decision | None:
        """The decision in the reply that was given to this round, whatever was asked.

        Raises:
            WorkdirError: the reply is damaged.
        """
        path = self._path("reply", round_number)
        if not path.exists():
            return None
        try:
            return Fields(read_json(path)).maybe("decision", Decision.field)
        except ValueError as error:
            raise WorkdirError(f"{path} is damaged: {error}") from error

    def last_update(self, before: int) -> Path | None:
        """The newest local model that counts, of a round before ``before``: its update file.

        Where updates have noise, it is the model without it.
        """
        numbers = [n for n in self._numbers("reply") if n < before]
        return self._sound_update(numbers[-1], "local") if numbers else None

    def _sound_update(self, round_number: int, kind: str = "update") -> Path:
        """The update of a reply, if it is what it was when the reply was given.

        Args:
            round_number: whose.
            kind: ``local``: the model before noise was added, where that was kept.

        Raises:
            WorkdirError: it is missing or damaged, or the reply is.
        """
        reply = self._path("reply", round_number)
        fields = Fields(read_json(reply))
        kind = kind if f"{kind}_sha256" in fields.values else "update"
        path = self._path(kind, round_number)
        try:
            # Older versions wrote no hash.
            known = f"{kind}_sha256" in fields.values
            expected = fields.maybe(f"{kind}_sha256", Fields.sha256) if known else None
        except ValueError as error:
            raise WorkdirError(f"{reply} is damaged: {error}") from error
        if not path.is_file() or (expected is not None and file_sha256(path) != expected):
            raise WorkdirError(
                f"{path} is missing or damaged: it is not what {reply.name} names; restore it from "
                "a copy, or begin again with an empty folder"
            )
        return path

    def last_accepted(
        self, before: int, template: Template, missing: Sequence[Array]
    ) -> list[Array] | None:
        """Weights accepted last, from the global model of a round before ``before``.

        Raises:
            WorkdirError: they are damaged, or missing though the edge has told what it accepted.
        """
        numbers = [n for n in self._numbers("accepted") if n < before]
        self._check_there(before, numbers)
        if not numbers:
            return None
        path = self._path("accepted", numbers[-1])
        try:
            said, named = read_whole(path)
            weights = template.listed(named, missing)
            if named.keys() == {spec.key for spec in template.weights}:
                check_accepted(said, weights)
            return weights
        except (ValueError, KeyError, TypeError) as error:
            raise WorkdirError(
                f"{path} is damaged ({brief(error)}); restore it from a "
                "copy, or begin again with an empty folder"
            ) from error

    def _check_there(self, before: int, accepted: Sequence[int]) -> None:
        """The newest reply tells a decision, whose model stays until there is a newer one."""
        replies = [n for n in self._numbers("reply") if n <= before]
        if not replies:
            return
        path = self._path("reply", replies[-1])
        try:
            decided = Fields(read_json(path)).maybe("decision", Decision.field)
        except ValueError as error:
            raise WorkdirError(f"{path} is damaged: {error}") from error
        if decided is not None and decided.round < before and decided.round not in accepted:
            raise WorkdirError(
                f"{self._path('accepted', decided.round)} is missing, and {self.edge} accepted it; "
                "restore it from a copy, or begin again with an empty folder"
            )

    def save_accepted(self, decision: Decision, named: dict[str, Array]) -> None:
        """Writes the accepted weights of a round, with the decision they come from.

        What the edge's last update holds is not stored again.
        """
        numbers = [n for n in self._numbers("reply") if n <= decision.round]
        update = self.update_path(numbers[-1]) if numbers else None
        older = self._global(decision) or update
        save_without(self._path("accepted", decision.round), named, decision.to_json(), older)

    def _global(self, decision: Decision) -> Path | None:
        """The round's global model in this folder, if it is what the edge takes."""
        path = None if self._shared is None else self._shared(decision.round)
        if path is None or decision.accepted.rung not in ("global", "prior") or not path.exists():
            return None
        link_or_copy(path, self._path("global", decision.round))
        return self._path("global", decision.round)

    def finished(self, round_number: int) -> Decision | None:
        """The decision given to ``finish``, if it was given already."""
        path = self._path("finish", round_number)
        try:
            return Decision.from_json(read_json(path)) if path.exists() else None
        except ValueError as error:
            raise WorkdirError(f"{path} is damaged: {error}") from error

    def save_finished(self, decision: Decision) -> None:
        """Makes the last decision count, once the accepted model is saved."""
        write_json(self._path("finish", decision.round), decision.to_json())

    def _path(self, kind: str, number: int) -> Path:
        ending = "json" if kind in ("reply", "finish") else "safetensors"
        return self.folder / f"{kind}-{number:04d}.{ending}"

    def _numbers(self, kind: str) -> list[int]:
        return sorted(numbered(self.folder, kind))


def run_of(folder: Path) -> str | None:
    """The id of the run that an edge's folder belongs to; None: to none.

    Raises:
        WorkdirError: the folder does not say so in words that can be read.
    """
    owner = folder / _OWNER
    return str(read_json(owner).get("run_id")) if owner.exists() else None


def has_answered(folder: Path, run_id: str) -> bool:
    """Whether an edge's folder holds an answer that it gave in this run."""
    return folder.is_dir() and run_of(folder) == run_id and bool(numbered(folder, "reply"))


def is_of_a_run(folder: Path) -> bool:
    """Whether an edge's folder belongs to a run."""
    return (folder / _OWNER).exists()


def _rests(folder: Path) -> set[str]:
    """Names of the updates that hold a part of accepted models; of a damaged one nobody knows."""
    found = set()
    for path in numbered(folder, "accepted").values():
        with contextlib.suppress(ValueError):
            found.add(str(TensorFile(path).metadata.get(REST)))
    return found
