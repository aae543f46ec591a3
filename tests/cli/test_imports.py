"""What answers at once loads nothing heavy."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "sklearn", "tensorflow_datasets", "matplotlib")


def modules_of(package: str) -> str:
    """Code that imports every module of a package, command lines and Flower's apps aside."""
    found = importlib.import_module(package)
    names = [m.name for m in pkgutil.walk_packages(found.__path__, f"{package}.")]
    return "; ".join(
        f"import {name}" for name in names if not name.endswith(("__main__", "flower_app"))
    )


def loaded_after(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has after running ``code``."""
    script = f"import sys\n{code}\nprint('\\n'.join({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import ecavg_tf, edge, server, export",
        "from ecavg_tf.cli import main; main(['--help'])",
        "from ecavg_tf.cli import main; main(['run', '--help'])",
        "from ecavg_tf.cli import main; main(['run', '--config=nothing.py'])",
        "from ecavg_tf.cli import main; main(['edge', '--help'])",
        "import ecavg_tf.rounds.joining",  # an edge learns the model from its first request
        "from ecavg_tf.cli import main; main(['export', 'nowhere'])",
        "from ecavg_tf.cli import main; main(['export', 'nowhere.keras', '--trainable=head'])",
        "import ecavg_tf; ecavg_tf.average_weights; ecavg_tf.Config",
    ],
)
def test_no_tensorflow(code: str) -> None:
    assert not loaded_after(code) & set(HEAVY)


@pytest.mark.parametrize("package", ["ecavg_tf.core", "ecavg_tf.config", "edge"])
def test_what_a_device_takes_along_loads_no_tensorflow(package: str) -> None:
    code = modules_of(package)
    if package == "edge":
        code += (
            "\nedge.device.runtime.find_runtime().interpreter; import ai_edge_litert.interpreter"
        )
    unwanted = {*HEAVY, "absl", "ml_collections", "cattrs", "rich", "scipy"}
    assert not loaded_after(code) & unwanted


def test_flowers_client_process_loads_nothing_that_trains() -> None:
    pytest.importorskip("flwr", reason="the extra 'fleet' is not installed")
    loaded = loaded_after("import edge.carrying.flower_app")
    assert "flwr" in loaded
    assert not loaded & {*HEAVY, "absl", "ml_collections", "cattrs", "scipy"}


def test_predicting_on_a_device_needs_no_safetensors() -> None:
    names = ("cli", "commands", "device.check", "device.replay", "predict", "predicting.inputs")
    assert "safetensors" not in loaded_after("; ".join(f"import edge.{name}" for name in names))


@pytest.mark.slow
def test_a_run_loads_nothing_that_only_some_runs_need() -> None:
    code = "from ecavg_tf.quiet import import_tensorflow; import_tensorflow(); "
    loaded = loaded_after(code + "import ecavg_tf.rounds.loop, ecavg_tf.live")
    assert not loaded & {"tensorflow_datasets", "jinja2", "tensorboard", "flwr"}
