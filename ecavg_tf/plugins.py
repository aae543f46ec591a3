"""Extension points: a function by its name, ``pkg.module:function``."""

import importlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ecavg_tf.config.checks import one_of
from ecavg_tf.core.errors import ConfigError

PLUGIN = "pkg.module:function"


def is_plugin(name: str) -> bool:
    """Whether a name is that of a user's function."""
    module, colon, function = name.partition(":")
    parts = module.split(".")
    return bool(colon) and function.isidentifier() and all(map(str.isidentifier, parts))


def check_name(field: str, name: str, registry: Iterable[str]) -> None:
    """Raises a ``ConfigError`` unless a name is in the registry, or a user's function's."""
    if not is_plugin(name):
        one_of(field, name, (*registry, PLUGIN))


def load_function(field: str, name: str) -> Callable[..., Any]:
    """Imports a user's function.

    Args:
        field: the config field that names it, for the error.
        name: ``pkg.module:function``.

    Raises:
        ConfigError: it is not there, or not a function.
    """
    module_name, _, function_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ConfigError(
            f"{field}={name!r}: {error}; modules are looked for where Python looks, "
            "and in the current directory"
        ) from error
    except Exception as error:  # whatever the user's module raises
        raise ConfigError(
            f"{field}={name!r}: importing {module_name} fails: {type(error).__name__}: {error}"
        ) from error
    function = getattr(module, function_name, None)
    if not callable(function):
        has = "is not a function" if function is not None else "is not there"
        found = module.__file__ or next(iter(module.__path__), None)  # a folder has no file
        raise ConfigError(f"{field}={name!r}: {function_name!r} {has}; {module_name} is {found}")
    loaded: Callable[..., Any] = function
    return loaded


def find_users_modules() -> None:
    """Lets a command find modules in the current directory, behind everything installed."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
