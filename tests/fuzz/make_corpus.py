"""Makes the fuzzers' corpus anew: small files of a real run, and scikit-learn's digits as data.

    python tests/fuzz/make_corpus.py        # about a minute

The run is one of four hidden units, with a server and two edges in processes of their own.
"""

import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

from ecavg_tf.core.messages.device_lines import head_lines
from ecavg_tf.core.messages.inputs import Inputs
from ecavg_tf.data.server_data import keep_spec, spec_of
from ecavg_tf.rounds.joined_task import JoinedTask

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

from fuzz_device import HEAD  # noqa: E402
from fuzz_mutations import parts_mended, unzipped, zipped  # noqa: E402
from fuzz_trees import Entry, packed  # noqa: E402

DIGITS = Inputs("digits", (8, 8, 1), "uint8", (0.0, 16.0), tuple("0123456789"))
_MODEL_KEPT = 64  # bytes of a bundle's model; no reader of bundles looks into it
_ROWS = 2  # exported files that results tell of: to show more takes longer
_RUN_ID = "0" * 32
_FIELDS = {
    "rounds": 2,
    "data.train_examples": 80,
    "data.test_examples": 40,
    "model.hidden_units": 4,
    "edge.epochs": 1,
    "server.epochs": 1,
    "fleet.kind": "folder",
    "fleet.folder": "exchange",
    "fleet.training_file": "dense",
    "export.formats": "float32,int8",
    "export.accept_unproved": "true",
}


def main() -> None:
    """Writes all corpora."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        _train(home)
        run, edge = home / "run", home / "e0" / "edge-00"
        box = home / "exchange" / "edge-00"
        _write("update", {
            "update": run / "rounds/0001/updates/edge-00.safetensors",
            "pooled": edge / "pooled.safetensors",
            "accepted": edge / "accepted-0002.safetensors",
            "checkpoint": _checkpoint(home, run / "rounds/0001/updates/edge-00.safetensors"),
        })  # fmt: skip
        run_id = _run_id(run)
        _write("messages", {
            "exchange": box / "inbox/0002-exchange.safetensors",
            "finish": box / "inbox/0002-finish.safetensors",
            "exchange-reply": _told(box / "outbox/0002-exchange.json", run_id),
            "finish-reply": _told(box / "outbox/0002-finish.json", run_id),
            "owner": box / "outbox/owner.json",
            "hello-reply": _hello(),
        })  # fmt: skip
        exports = home / "e0/exports/edge-00"
        _write(
            "bundle", {name: _cut(exports / f"{name}.bundle.zip") for name in ("float32", "int8")}
        )
        _write("training_bundle", {"dense": _cut(next((run / "training").glob("*.zip")))})
        training = next((run / "training").glob("*.zip"))
        _write("tflite", {
            "float32": exports / "float32.tflite",
            "dynamic-batch": exports / "float32-batch.tflite",
            "int8": exports / "int8.tflite",
            "training": unzipped(training.read_bytes())["model.tflite"],
        })  # fmt: skip
        _write("run_directory", {"run": packed(_run_entries(run, edge))})
    _write("device", _device())
    digits = load_digits()
    images, labels = digits.images[:40].astype(np.uint8), digits.target[:40].astype(np.int64)
    _write("npz", _npz(images, labels))
    _write("csv", _csv(images, labels))
    _write("images", {"train-test": packed(_pictures(images, labels, divided=True)),
                      "by-class": packed(_pictures(images, labels, divided=False))})  # fmt: skip


def _device() -> dict[str, bytes]:
    """A head as lines, and what a host knows of it."""
    draw = np.random.default_rng(0)
    empty = HEAD.expected
    kernel, bias = (
        draw.normal(size=each.shape).astype("f4") for each in (empty.kernel, empty.bias)
    )
    head = replace(empty, class_counts=(1,) * 10, kernel=kernel, bias=bias)
    return {
        "lines": f"arena: 1 of 2 bytes used\n{head_lines(head)}".encode(),
        "head": json.dumps(HEAD.to_json()).encode(),
    }


def _train(home: Path) -> None:
    """A server and two edges."""
    ecavg = [str(Path(sys.executable).parent / "ecavg")]
    fields = [f"--config={ROOT / 'configs/two_edges.py'}"]
    fields += [f"--config.{name}={value}" for name, value in _FIELDS.items()]
    commands = [[*ecavg, "run", *fields, "--workdir=run"]]
    commands += [
        [*ecavg, "edge", *fields, f"--edge=edge-{n:02d}", f"--workdir=e{n}"] for n in range(2)
    ]
    running = [
        subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL) for command in commands
    ]
    codes = [process.wait() for process in running]
    if any(codes):
        raise SystemExit(f"the run failed: {codes}")


def _write(target: str, files: Mapping[str, Path | bytes]) -> None:
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in files.items():
        content = file if isinstance(file, bytes) else file.read_bytes()
        (folder / name).write_bytes(content)
        print(f"{target}/{name}: {len(content)} bytes")


def _checkpoint(home: Path, update: Path) -> bytes:
    from ecavg_tf.core.checkpoint import Checkpoint, State
    from ecavg_tf.core.messages.update_file import TensorFile

    stored = TensorFile(update)
    keys = json.loads((home / "run/template.json").read_text())["weights"]
    path = home / "checkpoint.safetensors"
    weights = tuple(stored[each["key"]] for each in keys)
    Checkpoint(path).save("fit", 2, State(weights, (), 6.0))
    return path.read_bytes()


def _told(file: Path, run_id: str) -> bytes:
    """A file of the run that the targets ask for."""
    content = file.read_bytes().replace(run_id.encode(), _RUN_ID.encode())
    if file.name not in ("results.json", "export.json"):
        return content
    said = json.loads(content)
    files = "exports" if "exports" in said else "files"
    return json.dumps(said | {files: said[files][:_ROWS]}, indent=2).encode()


def _hello() -> bytes:
    """An edge's answer to the greeting of a server without data."""
    body = {"description": {"inputs": asdict(DIGITS), "ranged": True, "named": False}}
    return json.dumps({"run_id": _RUN_ID, "error": None, "files": {}, "body": body}).encode()


def _cut(bundle: Path) -> bytes:
    """A bundle with a short model, and hashes that fit it."""
    members = unzipped(bundle.read_bytes())
    members["model.tflite"] = members["model.tflite"][:_MODEL_KEPT]
    return zipped(parts_mended(members))


def _run_entries(run: Path, edge: Path) -> list[Entry]:
    """A run directory's texts, and an edge's folder as a run in one process has it."""
    names = ["config.json", "environment.json", "template.json", "results.json", "owners.json"]
    names += [str(path.relative_to(run)) for path in sorted(run.glob("rounds/*/*.json"))]
    names += ["pooled/taken.json", "exports/global/export.json"]
    found = {name: run / name for name in names}
    names = ["owner.json", "state.json", "reply-0002.json", "finish-0002.json"]
    found |= {f"edges/edge-00/{name}": edge / name for name in names}
    found["edges/edge-00/update-0002.safetensors"] = edge / "update-0002.safetensors"
    run_id = _run_id(run)
    entries = [Entry(name, _told(path, run_id)) for name, path in found.items()]
    keep_spec(run, spec_of(DIGITS), "edge-00")
    JoinedTask(
        json.loads((run / "config.json").read_text()), DIGITS, Path("own.npz"), "label"
    ).save(edge)
    entries.append(Entry("task.json", (run / "task.json").read_bytes()))
    return [*entries, Entry("edges/edge-00/task.json", (edge / "task.json").read_bytes())]


def _run_id(run: Path) -> str:
    """What a run is called in its messages."""
    return str(json.loads((run / "environment.json").read_text())["run_id"])


def _npz(images: NDArray[Any], labels: NDArray[Any]) -> dict[str, bytes]:
    plain = {
        "x_train": images[:12],
        "y_train": labels[:12],
        "x_test": images[12:18],
        "y_test": labels[12:18],
    }
    named = {
        "classes": np.array(list("0123456789")),
        "value_range": np.array([0.0, 16.0]),
        "group": np.arange(12),
        "edge": np.array(["a", "b"] * 6),
    }
    rows = {f"x_{part}": _rows(plain[f"x_{part}"])[:, :4] for part in ("train", "test")}
    table = {**plain, **rows, "columns": np.array(list("abcd"))}
    made = {}
    for name, arrays in {"plain": plain, "named": plain | named, "table": table}.items():
        stream = io.BytesIO()
        np.savez(stream, **arrays)  # type: ignore[arg-type]
        made[name] = zipped(unzipped(stream.getvalue()))  # without the time of day
    stream = io.BytesIO()
    np.save(stream, images[:4])
    return {**made, "array": stream.getvalue()}


def _rows(images: NDArray[Any]) -> NDArray[np.float32]:
    return images.reshape(len(images), -1).astype(np.float32)


def _csv(images: NDArray[Any], labels: NDArray[Any]) -> dict[str, bytes]:
    header = ["p0", "p1", "p2", "p3"]
    examples = list(
        zip(images[:20].reshape(20, -1)[:, 18:22].tolist(), labels.tolist()[:20], strict=True)
    )
    plain = [[*header, "label"], *([*row, label] for row, label in examples)]
    named: list[list[str | int]] = [["label", "edge", "group", *header]]
    named += [
        [f"digit {label}", f"edge-{at % 2}", at // 2, *row]
        for at, (row, label) in enumerate(examples)
    ]
    return {
        "plain": "\n".join(",".join(map(str, row)) for row in plain).encode(),
        "named": "\r\n".join(";".join(f'"{cell}"' for cell in row) for row in named).encode(),
    }


def _pictures(images: NDArray[Any], labels: NDArray[Any], *, divided: bool) -> list[Entry]:
    """Ten digits of two classes, in every kind of file that is read."""
    kinds = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
    entries = []
    chosen = np.flatnonzero(labels < 2)[:12]
    for at, number in enumerate(chosen.tolist()):
        kind = kinds[at % len(kinds)] if divided else "PNG"
        stream = io.BytesIO()
        Image.fromarray(images[number] * 15).save(stream, kind)
        split = ("train/", "test/")[at // 6] if divided else ""
        entries.append(Entry(f"{split}{labels[number]}/{at}.{kind.lower()}", stream.getvalue()))
    return entries


if __name__ == "__main__":
    main()
