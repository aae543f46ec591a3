"""Builds away from the checkout; everything else is in setup.cfg and pyproject.toml.

setuptools would leave a folder build/ here, and the next wheel would take along what is in it.
"""

import atexit
import tempfile

from setuptools import setup

scratch = tempfile.TemporaryDirectory()
atexit.register(scratch.cleanup)
setup(options={"build": {"build_base": scratch.name}})
