"""What answers at once loads nothing heavy."""

import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "sklearn", "tensorflow_datasets", "matplotlib")
CORE = (
    "anatomy", "archive", "averaging", "bounds", "bundle", "commands", "errors", "exports",
    "fields", "files", "guard", "letter", "mailbox", "numpy_files", "predictions", "prior", "probe",
    "quantization", "scores", "scoring", "seeds", "stderr", "template", "training_bundle",
    "update_file",
)  # fmt: skip


def loaded_after(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has after running ``code``."""
    script = f"import sys\n{code}\nprint('\\n'.join({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import ecavg_tf, edge, server, export",
        "from ecavg_tf.cli import main; main(['--help'])",
        "from ecavg_tf.cli import main; main(['run', '--help'])",
        "from ecavg_tf.cli import main; main(['run', '--config=nothing.py'])",
        "from ecavg_tf.cli import main; main(['export', 'nowhere'])",
        "from ecavg_tf.cli import main; main(['export', 'nowhere.keras', '--trainable=head'])",
        "import ecavg_tf; ecavg_tf.average_weights; ecavg_tf.Config",
    ],
)
def test_no_tensorflow(code: str) -> None:
    assert not loaded_after(code) & set(HEAVY)


def test_the_light_core_needs_numpy_and_safetensors_alone() -> None:
    code = "; ".join(f"import ecavg_tf.core.{name}" for name in CORE)
    unwanted = {*HEAVY, "absl", "ml_collections", "cattrs", "rich"}
    assert not loaded_after(code) & unwanted


def test_every_core_module_is_named_here() -> None:
    import pkgutil

    import ecavg_tf.core

    assert {module.name for module in pkgutil.iter_modules(ecavg_tf.core.__path__)} == set(CORE)


DEVICE = (
    "agent", "check", "check_training", "checkpoint", "child", "cli", "commands", "images",
    "kept_bundles", "learner", "local_data", "predict", "probabilities", "ready", "replay",
    "replay_training", "runtime", "settings", "state_model", "training_command",
    "training_model", "worker",
)  # fmt: skip


def test_the_device_half_loads_no_tensorflow() -> None:
    code = "; ".join(f"import edge.{name}" for name in DEVICE)
    code += "; edge.runtime.find_runtime().interpreter" + "; import ai_edge_litert.interpreter"
    unwanted = {*HEAVY, "absl", "ml_collections", "cattrs", "rich", "scipy"}
    assert not loaded_after(code) & unwanted


def test_predicting_on_a_device_needs_no_safetensors() -> None:
    names = ("check", "cli", "commands", "images", "predict", "replay")
    assert "safetensors" not in loaded_after("; ".join(f"import edge.{name}" for name in names))
