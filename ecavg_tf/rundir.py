"""The run directory: everything a run leaves behind, and all it needs to resume."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from ecavg_tf import environment
from ecavg_tf.baseline import read_alone, read_pooled_only
from ecavg_tf.config import Config
from ecavg_tf.config.fields import to_dict
from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.exports import Exported
from ecavg_tf.core.fields import Fields
from ecavg_tf.core.files import (
    TEMPORARY_PREFIX,
    load_json,
    read_json,
    read_whole,
    remove_leftovers,
    write_json,
    write_text,
)
from ecavg_tf.core.locks import lock_folder
from ecavg_tf.core.paths import check_current_folder, user_path
from ecavg_tf.core.scores import Decision
from ecavg_tf.core.streams import keep_descriptors
from ecavg_tf.core.template import Template
from ecavg_tf.decided import with_decisions, with_finish_sizes
from ecavg_tf.results import (
    SCHEMA_VERSION,
    RoundResult,
    RunResults,
    load_results,
    round_from_json,
    to_json,
)
from ecavg_tf.results_csv import COSTS, EXPORTS, SCORES, as_csv, cost_rows, export_rows, score_rows
from ecavg_tf.resuming import check_continues

_PARTS = (
    "rounds",
    "edges",
    "pooled",
    "training",
    "baseline",
    "task.json",
    "template.json",
    "owners.json",
    "results.json",
    "results.csv",
    "costs.csv",
    "exports.csv",
    "epochs.csv",
    "report.html",
)  # what a run writes, beside its config, environment and log

# What a run makes in its directory. An exchange folder that somebody put there is the edges', too.
_FOLDERS = ("baseline", "checkpoints", "edges", "exports", "plots", "pooled", "rounds", "training")


class RunDirectory:
    """A run's directory.

    Args:
        path: the directory; made when missing.
        config: the run's config.

    Raises:
        WorkdirError: it can't be written, is not a run directory, or holds another config.
    """

    def __init__(self, path: str | Path, config: Config) -> None:
        keep_descriptors()
        self.path = user_path(path)
        if not self.path.is_absolute():
            check_current_folder()
        self.config = to_dict(config)
        self.environment: dict[str, Any] = {}
        self._lock_file: IO[str] | None = None
        self.notes: list[str] = []
        self.exists = self._look()

    def finished(self) -> RunResults | None:
        """The results, if the run came to its end."""
        if not (self.exists and (self.path / "results.json").exists()):
            return None
        try:
            said = Fields.of(load_json(read_whole(self.path / "results.json")))
            said.whole("schema_version")
        except (OSError, ValueError):  # what it says is in the rounds' own files, too
            return None
        results = load_results(self.path)
        over = results.status == "finished" and len(results.rounds) >= self.config["rounds"]
        return results if over else None

    def open(self) -> None:
        """Makes the directory, or takes it up again; ``notes`` then tell what changed."""
        if self._lock_file is not None:
            return
        self._lock()
        if not self.exists:
            self.exists = self._look()  # another process may have begun here, and have ended
        remove_leftovers(self.path, _FOLDERS)
        now = environment.describe()
        if self.exists:
            self.environment = environment.read(self.path / "environment.json")
            changed = environment.differences(self.environment, now)
            self.notes += [f"since this run began, bits may differ: {line}" for line in changed]
            if read_json(self.path / "config.json") != self.config:
                self._write("config.json", self.config)
            return
        if (self.path / "config.json").exists():
            self._clear()
        self.environment = now
        self._write("environment.json", now)
        self._write("config.json", self.config)

    def _lock(self) -> None:
        """Two processes on one directory would undo each other's work."""
        try:
            self._lock_file = lock_folder(self.path)
        except BlockingIOError as error:
            raise WorkdirError(f"another process is running in {self.path}") from error
        except OSError as error:
            raise WorkdirError(
                f"{self.path} can't be written ({error.strerror}); choose another --workdir"
            ) from error

    def close(self) -> None:
        """Lets another process have the directory."""
        if self._lock_file is not None:
            self._lock_file.close()
            self._lock_file = None

    def _write(self, name: str, value: dict[str, Any]) -> None:
        try:
            write_json(self.path / name, value)
        except OSError as error:
            raise WorkdirError(
                f"{self.path} can't be written ({error.strerror}); choose another --workdir"
            ) from error

    def _look(self) -> bool:
        """Whether a run is already here."""
        if self.path.exists() and not self.path.is_dir():
            raise WorkdirError(f"{self.path} is a file, --workdir needs a directory")
        config_file = self.path / "config.json"
        here_before = config_file.exists() and self._continues(read_json(config_file))
        ancestor = next(p for p in (self.path, *self.path.absolute().parents) if p.exists())
        if not os.access(ancestor, os.W_OK | os.X_OK):
            raise WorkdirError(f"{ancestor} can't be written; choose another --workdir")
        if config_file.exists():
            return here_before
        # A start that was cut off leaves nothing that counts; a stranger's files do.
        here = {item.name for item in self.path.iterdir()} if self.path.exists() else set()
        strangers = {name for name in here if not name.startswith(TEMPORARY_PREFIX)}
        data = user_path(self.config["data"]["name"])  # which a script may have given
        strangers -= {"environment.json", "log.txt", data.name if data.parent == self.path else ""}
        if strangers:
            raise WorkdirError(
                f"{self.path} is not empty and not a run directory "
                f"(it holds {min(strangers)!r}); choose another --workdir"
            )
        return False

    def _continues(self, stored: dict[str, Any]) -> bool:
        try:
            check_continues(self.path, stored, self.config)
        except WorkdirError as error:
            if self._is_owned():
                raise
            self.notes.append(f"begins anew: the run before failed in its first round ({error})")
            return False
        return True

    def _is_owned(self) -> bool:
        """Whether the run here came anywhere: one that failed in its first round did not."""
        if self.round(1).joinpath("metrics.json").exists():
            return True
        try:
            return bool(read_json(self.path / "results.json").get("status") != "failed")
        except FileNotFoundError:
            return False
        except (OSError, WorkdirError):
            return True

    def _clear(self) -> None:
        """Removes what a run left that failed in its first round; its config goes last."""
        for name in (*_PARTS, "environment.json", "config.json"):
            part = self.path / name
            if part.is_dir() and not part.is_symlink():
                shutil.rmtree(part)
            else:
                part.unlink(missing_ok=True)

    @property
    def run_id(self) -> str:
        """Names the run in messages to edges."""
        return str(self.environment["run_id"])

    @property
    def pooled(self) -> Path:
        """Folder of pooled data."""
        return self.path / "pooled"

    @property
    def edges(self) -> Path:
        """Folder of the edges that live in this process."""
        return self.path / "edges"

    def round(self, number: int) -> Path:
        """Folder of a round."""
        return self.path / "rounds" / f"{number:04d}"

    def template(self, fresh: Template) -> Template:
        """The run's template: the stored one, or ``fresh``, which is stored then."""
        path = self.path / "template.json"
        if not path.exists():
            write_json(path, fresh.to_json())
            return fresh
        try:
            return Template.from_json(read_json(path))
        except ValueError as error:
            raise WorkdirError(f"{path} is damaged: {error}") from error

    def finish_round(self, result: RoundResult) -> None:
        """Writes the round's metrics: from here on the round is finished."""
        write_json(self.round(result.round) / "metrics.json", to_json(result))

    def add_decisions(self, number: int, decisions: Iterable[Decision]) -> list[str]:
        """Keeps decisions made on the global model of a round; a recorded one stays.

        Returns:
            Names of the edges whose recorded decision is another one.
        """
        fresh = {decision.edge: decision for decision in decisions}
        known = self.decisions(number)
        changed = [
            name
            for name in sorted(known.keys() & fresh.keys())
            if known[name].accepted.weights_sha256 != fresh[name].accepted.weights_sha256
        ]
        merged = {name: decision.to_json() for name, decision in {**fresh, **known}.items()}
        write_json(self.round(number) / "decisions.json", dict(sorted(merged.items())))
        return changed

    def decisions(self, number: int) -> dict[str, Decision]:
        """Decisions made on the global model of a round so far."""
        path = self.round(number) / "decisions.json"
        if not path.exists():
            return {}
        try:
            return {name: Decision.from_json(value) for name, value in read_json(path).items()}
        except ValueError as error:
            raise WorkdirError(f"{path} is damaged: {error}") from error

    def rounds(self) -> list[RoundResult]:
        """All finished rounds, in order, with the decisions known so far."""
        found: list[RoundResult] = []
        while (path := self.round(len(found) + 1) / "metrics.json").exists():
            try:
                result = round_from_json(read_json(path))
            except ValueError as error:
                raise WorkdirError(f"{path} is damaged: {error}") from error
            decided = with_decisions(result, self.decisions(result.round))
            found.append(with_finish_sizes(decided, self.round(result.round)))
        for result in found[:-1]:  # the next round's exchange recorded what edges decided on it
            path = self.round(result.round) / "decisions.json"
            if not path.exists():
                raise WorkdirError(
                    f"{path} is missing, but round {result.round + 1} is finished; restore it from "
                    "a copy, or begin again in another --workdir"
                )
        return found

    def write_results(
        self, status: str, classes: tuple[str, ...], exports: tuple[Exported, ...] = ()
    ) -> RunResults:
        """Writes results.json, results.csv, costs.csv and, after an export, exports.csv."""
        results = RunResults(
            schema_version=SCHEMA_VERSION,
            status=status,
            config=self.config,
            environment=self.environment,
            classes=classes,
            rounds=tuple(self.rounds()),
            exports=exports,
            alone=read_alone(self.path),
            pooled_only=read_pooled_only(self.path),
        )
        write_json(self.path / "results.json", to_json(results))
        write_text(self.path / "results.csv", as_csv(SCORES, score_rows(results)))
        write_text(self.path / "costs.csv", as_csv(COSTS, cost_rows(results)))
        if exports:
            write_text(self.path / "exports.csv", as_csv(EXPORTS, export_rows(results)))
        return results
