"""The edge's end of a run over a folder."""

from collections.abc import Sequence
from pathlib import Path

from ecavg_tf.config import Config
from ecavg_tf.config.fields import shared_fields
from ecavg_tf.core.errors import ConfigError, WorkdirError, disk_errors
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.data.partition import edge_names
from ecavg_tf.events import Listener, silent
from ecavg_tf.rounds.workers import make_workers
from ecavg_tf.task import Assembly
from edge.participating.folder_agent import Post, serve
from export.jobs.run import export_edges, raise_if_failed


def serve_edges(
    config: Config, edges: Sequence[str], workdir: Path, *, listener: Listener = silent
) -> None:
    """Serves edges from this process until the run ends.

    Args:
        config: a validated config, the server's.
        edges: names of the edges that live here.
        workdir: where they keep their files.
        listener: told of stages and answers.

    Raises:
        ECAvgError: with one line that says how to mend it.
    """
    known = edge_names(config.partition.num_edges)
    for edge in edges:
        if edge not in known:
            raise ConfigError(f"no edge {edge!r} in this config; valid: {', '.join(known)}")
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        boxes = {edge: Mailbox(Path(config.fleet.folder) / edge) for edge in edges}
    except OSError as error:
        raise WorkdirError(f"{error.filename} can't be written: {error.strerror}") from error
    assembly = Assembly(config, workdir, listener)
    assembly.check()
    assembly.tell_notes()
    workers = make_workers(config, assembly, workdir, listener, edges)
    posts = {worker.edge: Post(worker, boxes[worker.edge]) for worker in workers}
    with disk_errors(workdir):
        serve(
            posts,
            config=shared_fields(config),
            timeout_s=config.fleet.timeout_s,
            listener=listener,
        )
        if config.export.enabled:
            raise_if_failed(export_edges(config, workdir, assembly, edges, listener))
