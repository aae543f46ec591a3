"""Checks that Python finds this project's ``edge``, ``server`` and ``export``: common names."""

import importlib.util
from pathlib import Path

import ecavg_tf
from ecavg_tf.core.errors import InstallationError

PACKAGES = ("edge", "server", "export")


def check_packages() -> None:
    """Makes sure that our packages are the ones that ``import`` would find.

    Raises:
        InstallationError: a foreign file is in the way; it is named.
    """
    home = Path(ecavg_tf.__file__).resolve().parent.parent
    for name in PACKAGES:
        expected = home / name / "__init__.py"
        try:
            spec = importlib.util.find_spec(name)
        except ValueError:  # a module made by hand, which has no spec
            spec = None
        found = None if spec is None else spec.origin
        if found is None or Path(found).resolve() != expected:
            what = "nothing" if spec is None else found or "a folder without __init__.py"
            raise InstallationError(
                f"'import {name}' finds {what}, expected {expected}; rename or move the "
                "foreign file, or start from another directory"
            )
