"""How an edge decides on the global model. A new policy is a function in ``POLICIES``."""

from collections.abc import Callable

from ecavg_tf.core.errors import RoundError
from ecavg_tf.core.scores import is_plain
from ecavg_tf.plugins import is_plugin, load_function
from edge.deciding.guarded import guarded
from edge.policy import Candidate, Choice, Situation


def replace(situation: Situation) -> Choice:
    """The ECAvg paper's update: the edge takes the global weights, whatever they do."""
    candidate = Candidate("global", situation.global_model)
    others = () if situation.local is None else (Candidate("local", situation.local),)
    return Choice((candidate, *others), candidate, {"policy": "replace"})


POLICIES: dict[str, Callable[[Situation], Choice]] = {"guarded": guarded, "replace": replace}


def choose(name: str, situation: Situation) -> Choice:
    """Asks a policy by its name, or a user's ``pkg.module:function``.

    Raises:
        ConfigError: the user's function is not there.
        RoundError: it fails, or returns something else than a ``Choice``.
    """
    if not is_plugin(name):
        return POLICIES[name](situation)
    function = load_function("update.policy", name)
    try:
        choice = function(situation)
    except Exception as error:  # whatever the user's function raises
        raise RoundError(
            f"update.policy={name!r} fails: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(choice, Choice):
        raise RoundError(
            f"update.policy={name!r} returned {type(choice).__name__}, expected edge.policy.Choice"
        )
    if not is_plain(dict(choice.evidence)):
        raise RoundError(
            f"update.policy={name!r}: its evidence must be plain JSON of at most five levels, "
            "with finite numbers"
        )
    return choice
