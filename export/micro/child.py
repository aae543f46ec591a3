"""The process that tflite-micro may crash: one model, many arenas, JSON lines in and out.

It is run as a script (``python -P child.py FOLDER``) and imports nothing of this project,
so that it starts fast and on any layout. FOLDER holds ``model.tflite``. Requests are
``{"arena": bytes}`` (does it work with so much?), ``{"arena": bytes, "inputs": true}`` (run all
examples of ``in.npy``; outputs go to ``out.npy``, both int8), and ``{"arena": bytes, "steps": n,
"fed": …}`` (training steps, see ``_steps``).
"""

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

import numpy as np


def main() -> None:
    """Answers requests until its input ends."""
    folder = Path(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # crashes are expected: no dumps
    # What the C++ side prints must not mix with answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    from tflite_micro.python.tflite_micro import runtime

    model = (folder / "model.tflite").read_bytes()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = _run(runtime, model, folder, request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


def _run(runtime: Any, model: bytes, folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=request["arena"])
    if "steps" in request:
        return _steps(interpreter, folder, request)
    if not request.get("inputs"):
        for number in range(request["ports"]):
            port = interpreter.get_input_details(number)
            interpreter.set_input(np.zeros(port["shape"], port["dtype"]), number)
        interpreter.invoke()
        interpreter.print_allocations()
        return {"ok": True}
    shape = interpreter.get_input_details(0)["shape"]
    outputs = []
    for image in np.load(folder / "in.npy", allow_pickle=False):
        interpreter.set_input(image.reshape(shape), 0)
        interpreter.invoke()
        outputs.append(interpreter.get_output(0).reshape(-1).copy())
    np.save(folder / "out.npy", np.stack(outputs), allow_pickle=False)
    return {"ok": True}


def _steps(interpreter: Any, folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Runs some steps; what one gives goes into the next.

    ``in.npz`` holds an array of shape (m, …) for each input, under its number: step ``s`` takes
    row ``s % m``. ``fed`` names the outputs that an input gets from the second step on. Every
    output of every step goes to ``out.npz``, under the output's number, shape (steps, …).
    """
    fed = {int(given): int(made) for given, made in request["fed"].items()}
    with np.load(folder / "in.npz", allow_pickle=False) as stored:
        inputs = {int(name): stored[name] for name in stored}
    made: list[dict[int, Any]] = []
    for step in range(request["steps"]):
        for number, rows in inputs.items():
            again = made and number in fed
            value = made[-1][fed[number]] if again else rows[step % len(rows)]
            interpreter.set_input(np.ascontiguousarray(value).reshape(rows.shape[1:]), number)
        interpreter.invoke()
        outputs = range(request["outputs"])
        made.append({number: np.array(interpreter.get_output(number)) for number in outputs})
    each = {str(number): np.stack([one[number] for one in made]) for number in made[0]}
    np.savez(folder / "out.npz", **each)  # type: ignore[arg-type]
    return {"ok": True}


if __name__ == "__main__":
    main()
