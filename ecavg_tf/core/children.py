"""What a process does first that runs what is not proved yet."""

import contextlib
import resource
from pathlib import Path


def ends_first() -> None:
    """Where memory runs out, the system ends this process, no other one; a crash leaves no dump."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):  # another system than Linux
        Path("/proc/self/oom_score_adj").write_text("1000")
