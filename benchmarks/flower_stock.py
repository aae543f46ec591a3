"""Flower's own federated averaging, whose clients import TensorFlow and send back what they got.

flower_exchange.py runs it on the same nodes as ours, to compare; it knows nothing of this project.
"""

import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

client = ClientApp()
server = ServerApp()
SETTLES = 6  # seconds in which the processes of an exchange end


def train(message: Message, context: Context) -> Message:
    """As Flower's Keras example: TensorFlow is imported in the process of the message."""
    import tensorflow  # noqa: F401

    del context
    content = {"arrays": message.content["arrays"], "metrics": MetricRecord({"num-examples": 1})}
    return Message(RecordDict(content), reply_to=message)


def main(grid: Grid, context: Context) -> None:
    """Rounds with weights of each size: seconds, CPU seconds and memory of the nodes."""
    order = json.loads(Path(str(context.run_config["order"])).read_text())
    rows: list[list[float]] = []
    for size in order["megabytes"]:
        values = np.random.default_rng(0).standard_normal(int(size * 1e6 / 4)).astype(np.float32)
        strategy = FedAvg(fraction_evaluate=0.0, min_available_nodes=len(order["nodes"]))
        for _ in range(order["repeats"]):
            rows.append([size, *_round(grid, strategy, values, list(order["nodes"].values()))])
            Path(order["results"]).write_text(json.dumps(rows))
    Path(order["results"] + ".done").write_text("{}")


def _round(grid: Grid, strategy: FedAvg, values: np.ndarray, nodes: list[int]) -> list[float]:
    before = [used(node)[0] for node in nodes]
    start = time.monotonic()
    strategy.start(grid, ArrayRecord([values]), num_rounds=1)
    seconds = time.monotonic() - start
    time.sleep(SETTLES)
    cpu = [used(node)[0] - was for node, was in zip(nodes, before, strict=True)]
    return [seconds, statistics.mean(cpu), max(used(node)[1] for node in nodes)]


def used(session: int) -> tuple[float, float]:
    """CPU seconds so far, and resident megabytes, of all processes of a session."""
    seconds = memory = 0.0
    ticks: Callable[[str], int] = os.sysconf
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[3]) == session:
            seconds += sum(map(int, words[11:15])) / ticks("SC_CLK_TCK")
            memory += int(words[21]) * ticks("SC_PAGE_SIZE") / 1e6
    return seconds, memory


client.train()(train)
server.main()(main)
