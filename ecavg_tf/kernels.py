"""TensorFlow's kernels: with oneDNN or without, which it reads from the environment as it loads.

On processors with AVX-512 oneDNN is the faster choice or no slower. Elsewhere it makes ResNet50
about three times faster and MobileNetV2 about three times slower, and TensorFlow leaves it off.
So it is decided by model and processor (``docs/performance.md`` has the table), before TensorFlow
is imported. Child processes inherit the choice.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecavg_tf.core.files import read_json
from ecavg_tf.events import Detail, Note

VARIABLE = "TF_ENABLE_ONEDNN_OPTS"
_WIDE = "avx512f"
# With any of these TensorFlow takes oneDNN by itself.
_NEURAL = {"avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16"}

# Whether oneDNN is on, by model: on processors with AVX-512, and on others.
_BY_MODEL: Mapping[str, tuple[bool, bool]] = {
    "mobilenet_v2": (True, False),
    "resnet50": (True, True),
}


@dataclass
class _Said:
    words: str = ""
    decided: bool = False
    event: type[Note] | type[Detail] = Detail


_said = _Said()


def choose_kernels(model: str, run: Path | None = None) -> None:
    """Decides for a model, unless the user, an earlier start of the run or an import has decided.

    Args:
        model: the config's ``model.name``.
        run: the run directory, which may hold an environment of before.
    """
    if "tensorflow" in sys.modules:
        _said.words = kernels_words()
        return
    if _said.decided:
        return
    if os.environ.get(VARIABLE) is not None:
        _said.words = f"TensorFlow's kernels are as {VARIABLE}={os.environ[VARIABLE]} has them"
        return
    before, known = _of_run(run), _BY_MODEL.get(model)
    flags = _processor_flags()
    if before is not None:
        on, why = before, "as this run has begun"
    elif known is not None and flags:
        wide = _WIDE in flags
        on = known[0] if wide else known[1]
        why = f"for {model} on a processor with{'' if wide else 'out'} AVX-512"
    else:
        _said.words = "TensorFlow chooses its kernels itself"
        return
    os.environ[VARIABLE] = str(int(on))
    _said.decided = True
    _said.event = Detail if on == bool(flags & _NEURAL) else Note
    _said.words = (
        f"TensorFlow computes with{'' if on else 'out'} oneDNN, {why}; {VARIABLE} changes it, "
        "and the bits"
    )


def users_choice() -> str | None:
    """What the user has set; None: nothing, whatever ``choose_kernels`` has set since."""
    return None if _said.decided else os.environ.get(VARIABLE)


def kernels_event() -> Note | Detail:
    """What was decided; for the log alone, unless it is not what TensorFlow does by itself."""
    return _said.event(kernels_words())


def kernels_words() -> str:
    """What was decided, a sentence."""
    return _said.words or "TensorFlow was imported already, and its kernels stay as they are"


def onednn_in_force() -> bool | None:
    """Whether TensorFlow, which is imported, computes with oneDNN; None: it does not say."""
    try:
        from tensorflow.python.util import _pywrap_util_port

        return bool(_pywrap_util_port.IsMklEnabled())
    except (ImportError, AttributeError):
        return None


def _of_run(run: Path | None) -> bool | None:
    """What a run directory says of its start; a damaged one is told of where it is opened."""
    if run is None or not (run / "environment.json").is_file():
        return None
    try:
        values: Any = read_json(run / "environment.json")
    except Exception:  # told of later, with its remedy
        return None
    found = values.get("onednn") if isinstance(values, dict) else None
    return found if isinstance(found, bool) else None


def _processor_flags() -> frozenset[str]:
    """What the processor can do; empty where Linux on x86 does not say it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    flags = next((line for line in lines if line.startswith("flags")), "")
    return frozenset(flags.partition(":")[2].split())
