"""Runs bundles in tflite-runtime 2.14, in an environment that has it and numpy alone.

    python tests/old_runtime.py FOLDER

Not a test module: ``.ci/run`` starts it with another Python. It ends with 1 when a file
does not load, or differs from its golden outputs by more than the bundle allows.
"""

import sys
from importlib import metadata
from pathlib import Path

import numpy as np
from tflite_runtime.interpreter import Interpreter

sys.path.insert(0, str(Path(__file__).parent.parent))

from ecavg_tf.core.bundles.bundle import Bundle, read_bundle


def answers(bundle: Bundle) -> np.ndarray:
    """The file's probabilities for its golden inputs, shape (k, classes)."""
    interpreter = Interpreter(model_content=bundle.model, num_threads=1)
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    (wanted,) = interpreter.get_output_details()
    into, out = bundle.info.input, bundle.info.output
    found = []
    for image in bundle.golden_inputs:
        real = image[np.newaxis].astype(np.float32)
        if into.scale is not None:
            steps = np.round(real / np.float32(into.scale)) + into.zero_point
            real = np.clip(steps, -128, 127)
        interpreter.set_tensor(given["index"], real.astype(into.dtype))
        interpreter.invoke()
        output = interpreter.get_tensor(wanted["index"])[0].astype(np.float32)
        if out.scale is not None:
            output = (output - out.zero_point) * out.scale
        if bundle.info.output_kind == "logits":
            output = np.exp(output - output.max())
            output /= output.sum()
        found.append(output)
    return np.stack(found)


def check(path: Path) -> bool:
    """Compares a bundle's file with its golden outputs and prints one line."""
    bundle = read_bundle(path)
    found = answers(bundle)
    difference = float(np.abs(found - bundle.golden_outputs).max())
    same = float((found.argmax(axis=1) == bundle.golden_outputs.argmax(axis=1)).mean())
    allowed = bundle.info.tolerance
    sound = difference <= allowed["max_difference"] and same >= allowed["label_agreement"]
    print(
        f"{path.parent.name}/{bundle.info.format}: {len(found)} golden examples, largest "
        f"difference {difference:.2g} (at most {allowed['max_difference']:g}), labels agree on "
        f"{100 * same:.0f} %, needs {bundle.info.min_runtime}: {'ok' if sound else 'FAILED'}"
    )
    return sound


def main() -> int:
    """Checks every bundle in the folder; all four formats must be there."""
    bundles = sorted(Path(sys.argv[1]).glob("*/*.bundle.zip"))  # training files lie above
    print(f"tflite-runtime {metadata.version('tflite-runtime')}, numpy {np.__version__}")
    sound = [check(path) for path in bundles]
    formats = {path.name.split(".")[0] for path in bundles}
    missing = {"float32", "float16", "dynamic", "int8"} - formats
    if missing:
        print(f"FAILED: no bundle of {', '.join(sorted(missing))}")
    return 0 if all(sound) and not missing else 1


if __name__ == "__main__":
    sys.exit(main())
