"""What Keras says of an error, in its own words, without what surrounds them."""

import re

from ecavg_tf.core.errors import printable

_LONGEST = 400
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_WHERE = re.compile(r"Exception encountered when calling (\S+)\.call\(\)\.?")
_PLACES = re.compile(r"\{\{function_node [^}]*\}\}\s*|\s*\[Op:\w+\]( name:)?")
_UNKNOWN = re.compile(r"Could not locate (class|function) '([^']*)'")
_AUTOGRAPH = "in user code:"
_REASON = "Exception encountered: "
_LAMBDA = "Python lambda"
_ARGUMENTS = re.compile(r"Arguments received by [^\n]*\.call\(\)")


def explained(error: BaseException) -> str:
    """The reason in one line, with the layer that gave it.

    Keras begins with "Exception encountered when calling X.call()." and ends with all
    arguments; what the layer said stands between.
    """
    text = _PLACES.sub("", _COLOURS.sub("", str(error)))
    if text.startswith(_AUTOGRAPH):  # the lines of code come first
        text = text.rpartition(f"\n    {type(error).__name__}: ")[2]
    layers = _WHERE.findall(text)
    text = _ARGUMENTS.split(_WHERE.sub("", text))[0]
    said = " ".join(printable(text).split()).strip() or type(error).__name__
    said = said if len(said) <= _LONGEST else said[:_LONGEST] + "…"
    return f"{said} (in {layers[-1]})" if layers else said


def why_not_loaded(error: BaseException) -> str:
    """Why ``keras.models.load_model`` fails, and what to do, in one line.

    Keras' own words begin with what can't be restored, its whole config, and end with the reason.
    """
    said = str(error)
    if unknown := _UNKNOWN.search(said):
        return (
            f"its {unknown[1]} {unknown[2]!r} is not known here: if it is yours, import it in "
            "Python, load the model there and call export.to_tflite(model, …); if it is Keras', "
            "the file was saved by another version of Keras"
        )
    if _LAMBDA in said:
        return (
            "it holds a Python lambda, which could do anything, so it is not run; if you trust the "
            "file, load it in Python with keras.models.load_model(…, safe_mode=False) and call "
            "export.to_tflite(model, …)"
        )
    return explained(ValueError(said.rpartition(_REASON)[2]))
