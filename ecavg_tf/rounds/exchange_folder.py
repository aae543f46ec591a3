"""The folder over which a server and its edges exchange files."""

import shlex
from pathlib import Path

from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.files import TEMPORARY_PREFIX, read_json, write_json
from ecavg_tf.core.paths import user_path

RUN = "run.json"


def how_to_start(
    folder: Path, *, training_file: bool, network: bool = False, signed: bool = False
) -> str:
    """The command that starts an edge, with a place for its name.

    Args:
        folder: the exchange folder.
        training_file: whether the server sends out a file that edges train.
        network: whether a network carries the folder to other machines.
        signed: whether replies must be signed; over a network they always are.
    """
    if network:
        program = "python -m edge" if training_file else "ecavg"
        device = " --device" if training_file else ""
        return f"{program} join --server=HOST:PORT --edge={{edge}} --data=FILE --state=DIR{device}"
    where = shlex.quote(str(folder)).replace("{", "{{").replace("}", "}}")
    program = "python -m edge train" if training_file else "ecavg edge"
    sign = " --sign={edge}.key" if signed else ""
    return f"{program} --edge={{edge}} --exchange={where} --data=FILE --state=DIR{sign}"


def check_exchange_folder(folder: str | Path, run_id: str | None) -> None:
    """An exchange folder belongs to one run: stale replies are never taken for new ones.

    Args:
        folder: the exchange folder.
        run_id: the run that wants it; None: one that has no name yet.

    Raises:
        WorkdirError: it is another run's, or holds something else.
    """
    folder = user_path(folder)
    owner = folder / RUN
    if not owner.exists():
        # Edges that were started before the server have made their empty mailboxes.
        files = (path for path in folder.rglob("*") if path.is_file())
        strangers = sorted(p.name for p in files if not p.name.startswith(TEMPORARY_PREFIX))
        if strangers:
            raise WorkdirError(
                f"{folder} holds {strangers[0]}; give the run an exchange folder of its own"
            )
        return
    found = read_json(owner).get("run_id")
    if found != run_id:
        raise WorkdirError(
            f"{folder} is the exchange folder of run {found}; give this run a folder of its own"
        )


def take_exchange_folder(folder: Path, run_id: str, *, takes_more: bool) -> None:
    """Takes an exchange folder for a run, and says whether edges may come that nobody knows.

    Raises:
        WorkdirError: it is another run's, or can't be written.
    """
    try:
        check_exchange_folder(folder, run_id)
        write_json(folder / RUN, {"run_id": run_id} | ({"open": True} if takes_more else {}))
    except OSError as error:
        raise WorkdirError(f"{folder} can't be written: {error.strerror}") from error
