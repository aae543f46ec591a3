"""Refuses TensorFlow in a forked process: its threads are missing there, and it would hang."""

import os
import sys

from ecavg_tf.core.errors import InstallationError

_LEFT_BEHIND = False


def check_not_forked() -> None:
    """Refuses to train or convert where that would never end.

    Raises:
        InstallationError: this process was forked from one that had used TensorFlow.
    """
    if _LEFT_BEHIND:
        raise InstallationError(
            "this process was forked from one that had used TensorFlow, whose threads it lacks: "
            "it could wait for ever; start it with multiprocessing.get_context('spawn'), or fork "
            "before TensorFlow is used"
        )


def _look_back() -> None:
    """Imported alone, TensorFlow has no threads yet; with its context they start."""
    global _LEFT_BEHIND
    module = sys.modules.get("tensorflow.python.eager.context")
    context = getattr(module, "_context", None)
    _LEFT_BEHIND = _LEFT_BEHIND or bool(getattr(context, "_initialized", False))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_look_back)
