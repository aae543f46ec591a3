"""The same federated averaging as Flower's own Keras example writes it, in its simulation.

Run by flower_simulation.py with an interpreter that has ``flwr[simulation]`` and TensorFlow; it
knows nothing of this project.
"""

import argparse
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation

parser = argparse.ArgumentParser()
parser.add_argument("--data", type=Path, required=True, help="a folder with N.npz and test.npz")
parser.add_argument("--model", choices=("mlp", "mobilenet_v2"), required=True)
parser.add_argument("--edges", type=int, required=True)
parser.add_argument("--rounds", type=int, required=True)
parser.add_argument("--epochs", type=int, required=True)
parser.add_argument("--cpus", type=int, required=True)
arguments = parser.parse_args()
HERE = vars(arguments)


def load_model(name: str, shape: tuple[int, ...]) -> Any:
    """The task's model, compiled."""
    import keras

    inputs = keras.Input(shape)
    values = keras.layers.Rescaling(1 / 255)(inputs)
    if name == "mlp":
        values = keras.layers.Dense(128, "relu")(keras.layers.Flatten()(values))
        outputs = keras.layers.Dense(10, "softmax")(values)
    else:
        net = keras.applications.MobileNetV2(shape, weights=None, classes=10)
        outputs = net(2 * values - 1)
    model = keras.Model(inputs, outputs)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def load_data(folder: Path, name: str) -> tuple[Any, Any]:
    """Inputs and labels of an edge or of the test set."""
    with np.load(folder / f"{name}.npz") as stored:
        return stored["x"], stored["y"]


def make_client(here: dict[str, Any]) -> ClientApp:
    """What every edge runs."""
    client = ClientApp()

    @client.train()
    def train(message: Message, context: Context) -> Message:
        x, y = load_data(here["data"], str(context.node_config["partition-id"]))
        model = load_model(here["model"], x.shape[1:])
        model.set_weights(message.content["arrays"].to_numpy_ndarrays())
        model.fit(x, y, epochs=here["epochs"], batch_size=32, verbose=0)
        content = {
            "arrays": ArrayRecord(model.get_weights()),
            "metrics": MetricRecord({"num-examples": len(x)}),
        }
        return Message(RecordDict(content), reply_to=message)

    return client


server = ServerApp()


@server.main()
def main(grid: Grid, context: Context) -> None:
    """All rounds, and the global model's accuracy after each."""
    del context
    x, y = load_data(HERE["data"], "test")
    model = load_model(HERE["model"], x.shape[1:])

    def evaluate(number: int, arrays: ArrayRecord) -> MetricRecord:
        model.set_weights(arrays.to_numpy_ndarrays())
        _, accuracy = model.evaluate(x, y, batch_size=256, verbose=0)
        if number == HERE["rounds"]:
            print(f"\ncell:{accuracy}", flush=True)
        return MetricRecord({"accuracy": float(accuracy)})

    strategy = FedAvg(fraction_evaluate=0.0, min_available_nodes=HERE["edges"])
    strategy.start(grid, ArrayRecord(model.get_weights()), HERE["rounds"], evaluate_fn=evaluate)


if __name__ == "__main__":
    run_simulation(
        server,
        make_client(HERE),
        HERE["edges"],
        backend_config={"client_resources": {"num_cpus": HERE["cpus"], "num_gpus": 0.0}},
    )
