"""Where the repository and its parts lie, however deep a test lies in ``tests``."""

from pathlib import Path

SUPPORT = Path(__file__).parent
ROOT = SUPPORT.parent.parent
