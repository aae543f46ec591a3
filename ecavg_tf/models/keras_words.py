"""What Keras says of an error, in its own words, without what surrounds them."""

import re

from ecavg_tf.core.errors import printable

_LONGEST = 400
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_WHERE = re.compile(r"Exception encountered when calling (\S+)\.call\(\)\.?")
_PLACES = re.compile(r"\{\{function_node [^}]*\}\}\s*|\s*\[Op:\w+\]( name:)?")
_ARGUMENTS = re.compile(r"Arguments received by [^\n]*\.call\(\)")


def explained(error: BaseException) -> str:
    """The reason in one line, with the layer that gave it.

    Keras begins with "Exception encountered when calling X.call()." and ends with all
    arguments; what the layer said stands between.
    """
    text = _PLACES.sub("", _COLOURS.sub("", str(error)))
    layers = _WHERE.findall(text)
    text = _ARGUMENTS.split(_WHERE.sub("", text))[0]
    said = " ".join(printable(text).split()).strip() or type(error).__name__
    said = said if len(said) <= _LONGEST else said[:_LONGEST] + "…"
    return f"{said} (in {layers[-1]})" if layers else said
