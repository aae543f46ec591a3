"""Names and texts in a terminal exactly as they are: no markup, no terminal codes."""

from rich.text import Text

from ecavg_tf.core.errors import printable


def plain(text: str, style: str = "") -> Text:
    """A text as rich shall print it: a name such as ``[red]`` is a name."""
    return Text(printable(text), style=style)
