"""What an exchange over Flower costs, beside the training.

    python benchmarks/flower_exchange.py --megabytes=0.1,9,95 --repeats=3

One SuperLink with TLS and keys and three SuperNodes on this machine. An edge is a thread here
that answers every request at once with an update of the same size, so all that is measured is
the carrying: seconds from the request's file in the server's folder until the last edge's reply
is whole, CPU seconds of each edge's node and of the processes that it starts, and resident
memory of these. Beside it stand a plain copy of the same bytes there and back, and Flower's own
federated averaging on the same nodes, whose clients import TensorFlow (flower_stock.py).
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from flower_stock import SETTLES, used

from ecavg_tf.core.files import write_json
from ecavg_tf.core.flower import Supervised, environment, free_port, program
from ecavg_tf.core.messages.mailbox import Mailbox
from ecavg_tf.core.messages.reply import Reply
from ecavg_tf.core.messages.request import EXCHANGE, Request, Shipped
from ecavg_tf.core.template import Role, Template, WeightSpec
from edge.carrying.places import Places

EDGES = ("east", "north", "south")


def server(grid: Any, context: Any) -> None:
    """The ServerApp: one request a size and repeat, and what it took."""
    from server.carrying.courier import Courier
    from server.carrying.grid import GridPost

    order = json.loads(Path(str(context.run_config["order"])).read_text())
    exchange = Path(order["exchange"])
    courier = Courier(GridPost(grid), exchange, print)
    write_json(exchange / "run.json", {"run_id": "bench", "open": True})
    boxes = {edge: Mailbox(exchange / edge) for edge in EDGES}
    threading.Thread(target=courier.run, args=(threading.Event(),), daemon=True).start()
    rows: list[Any] = []
    number = 0
    for size in order["megabytes"]:
        values = int(size * 1e6 / 4)
        template = Template((WeightSpec("kernel", (values,), "float32", Role.TRAINABLE),))
        weights = np.random.default_rng(0).standard_normal(values).astype(np.float32)
        for _ in range(order["repeats"] + (not rows)):
            number += 1
            request = Request(EXCHANGE, "bench", number, template, Shipped([weights]))
            before = {edge: used(order["nodes"][edge]) for edge in EDGES}
            start = time.monotonic()
            for box in boxes.values():
                box.send(request)
            while not all(isinstance(box.answer(request), Reply) for box in boxes.values()):
                time.sleep(0.05)
            seconds = time.monotonic() - start
            time.sleep(SETTLES)
            cpu = [used(order["nodes"][edge])[0] - before[edge][0] for edge in EDGES]
            memory = max(used(order["nodes"][edge])[1] for edge in EDGES)
            # The first one finds nothing warm: the handshake and Flower's start are in it.
            rows.append([size if rows else 0.0, seconds, statistics.mean(cpu), memory])
            write_json(Path(order["results"]), rows)
    write_json(Path(order["results"] + ".done"), {})


def _answer(places: Places, stop: threading.Event, update: Path) -> None:
    """An edge that answers every request with weights of the same size."""
    while not stop.wait(0.05):
        box = places.mailbox(places.served())
        request = box.unanswered()
        if request is not None:
            shutil.copyfile(box.inbox / f"{request.round:04d}-exchange.safetensors", update)
            bare = replace(request, model=Shipped(None))
            box.reply(bare, Reply(places.edge, request.round, update, None, None, {}))


def main() -> None:
    """Starts everything, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", default="0.1,9,95")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    sizes = [float(size) for size in given.megabytes.split(",")]
    with tempfile.TemporaryDirectory() as name:
        both = _measured(Path(name), sizes, given.repeats)
        print("| MB | carrier | s an exchange | CPU s an edge | resident MB of a node |")
        print("|---|---|---|---|---|")
        for size in sizes:
            for carrier, rows in both.items():
                found = [row for row in rows if row[0] == size]
                middle = [statistics.median(column) for column in zip(*found, strict=True)][1:]
                print(f"| {size:g} | {carrier} | {middle[0]:.1f} | {middle[1]:.2f} | "
                      f"{middle[2]:.0f} |")  # fmt: skip
            print(f"| {size:g} | a plain copy | {_copy(Path(name), size):.2f} | – | – |")


def _copy(folder: Path, size: float) -> float:
    """Seconds for the same bytes to three edges and back."""
    source, target = folder / "from", folder / "to"
    source.write_bytes(os.urandom(int(size * 1e6)))
    start = time.monotonic()
    for _ in range(2 * len(EDGES)):
        shutil.copyfile(source, target)
    return time.monotonic() - start


def _measured(folder: Path, sizes: list[float], repeats: int) -> dict[str, list[list[float]]]:
    port, stop = free_port(), threading.Event()
    words = [sys.executable, "-m", "ecavg_tf"]
    subprocess.run([*words, "certs", f"--out={folder / 'certs'}", "--host=localhost",
                    f"--edges={','.join(EDGES)}"], check=True)  # fmt: skip
    # The ServerApp is this file, so the server must find it.
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    serve = subprocess.Popen([*words, "serve", f"--certs={folder / 'certs'}", f"--port={port}",
                              f"--state={folder / 'served'}"],
                             env={**os.environ, "PYTHONPATH": path})  # fmt: skip
    nodes: dict[str, Supervised] = {}
    try:
        record = folder / "served" / "keys.json"
        while not record.exists() or len(json.loads(record.read_text())) < len(EDGES):
            time.sleep(0.5)
        for edge in EDGES:
            state = folder / edge
            state.mkdir()
            command = [
                program("flower-supernode"), "--superlink", f"localhost:{port}", "--node-config",
                f'edge="{edge}" state="{state}"', "--port", str(free_port()),
                "--root-certificates", str(folder / "certs" / "ca.pem"),
                "--auth-supernode-private-key", str(folder / "certs" / "edges" / f"{edge}.key"),
            ]  # fmt: skip
            env = {**environment(state / "flower"), "PYTHONPATH": path}
            node = Supervised(edge, lambda c=command: c, env, state / "log", print)  # type: ignore[misc]
            node.look()
            nodes[edge] = node
            arguments = (Places(edge, state), stop, folder / f"{edge}.update")
            threading.Thread(target=_answer, args=arguments, daemon=True).start()
        numbers = {edge: node.pid for edge, node in nodes.items()}
        what = {"exchange": str(folder / "exchange"), "megabytes": sizes, "repeats": repeats,
                "nodes": numbers}  # fmt: skip
        env = {**environment(folder / "served" / "flower"), "PYTHONPATH": path}
        return {
            "ours": _submitted(folder, "flower_exchange_app", what, env, nodes),
            "Flower's FedAvg": _submitted(folder, "flower_stock_app", what, env, nodes),
        }
    finally:
        stop.set()
        for node in nodes.values():
            node.stop()
        serve.terminate()
        serve.wait(timeout=60)


def _submitted(
    folder: Path,
    app: str,
    what: Mapping[str, Any],
    env: Mapping[str, str],
    nodes: Mapping[str, Supervised],
) -> list[list[float]]:
    """Runs an app on the nodes and gives what it has measured."""
    results, order = folder / f"{app}.json", folder / f"{app}-order.json"
    write_json(order, {**what, "results": str(results)})
    subprocess.run(
        [program("flwr"), "run", str(Path(__file__).parent / app), "ecavg",
         "--run-config", f'order="{order}"'],
        env=dict(env), check=True,
    )  # fmt: skip
    while not Path(f"{results}.done").exists():
        time.sleep(1)
        for node in nodes.values():
            node.look()
    found: list[list[float]] = json.loads(results.read_text())
    return found


if __name__ == "__main__":
    main()
else:
    from flwr.serverapp import ServerApp

    app = ServerApp()
    app.main()(server)
