"""The process that tflite-micro may crash: one model, many arenas, JSON lines in and out.

It is run as a script (``python -P child.py FOLDER``) and imports nothing of this project,
so that it starts fast and on any layout. FOLDER holds ``model.tflite``; images come in
``in.npy`` and outputs go to ``out.npy``, both int8. Requests are ``{"arena": bytes}``
(does it work with so much?) and ``{"arena": bytes, "images": true}`` (run them all).
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
    shape = interpreter.get_input_details(0)["shape"]
    if not request.get("inputs"):
        interpreter.set_input(np.zeros(shape, np.int8), 0)
        interpreter.invoke()
        interpreter.print_allocations()
        return {"ok": True}
    outputs = []
    for image in np.load(folder / "in.npy", allow_pickle=False):
        interpreter.set_input(image.reshape(shape), 0)
        interpreter.invoke()
        outputs.append(interpreter.get_output(0).reshape(-1).copy())
    np.save(folder / "out.npy", np.stack(outputs), allow_pickle=False)
    return {"ok": True}


if __name__ == "__main__":
    main()
