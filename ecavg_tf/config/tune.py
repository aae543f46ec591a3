"""What ``export.tune`` asks for."""

from ecavg_tf.core.errors import ConfigError

AUTO = "auto"
AUTO_TUNE_EPOCHS = 3


def tune_epochs(word: str) -> int:
    """How many epochs ``export.tune`` asks for; 0: none.

    Raises:
        ConfigError: it is neither a word that is known nor a number from 1.
    """
    if word in (AUTO, "off"):
        return AUTO_TUNE_EPOCHS if word == AUTO else 0
    if word.isascii() and word.isdigit() and 1 <= int(word) <= 1000:
        return int(word)
    raise ConfigError(f"export.tune={word!r}; expected auto, off, or a number of epochs from 1")
