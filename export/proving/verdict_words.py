"""A claim about a file that was not shown, as one line for people."""

from ecavg_tf.core.exports import Claim, Parity, Verdict


def told(claim: Claim, parity: Parity) -> str:
    """Why a claim holds a file back.

    Args:
        claim: one that did not pass.
        parity: the file's comparison with its Keras model.
    """
    if claim.verdict is Verdict.FAILED:
        return _broken(claim, parity)
    if claim.needed is None:
        return f"no number of examples like these {claim.n} shows that {_wanted(claim)}"
    return (
        f"{claim.n} examples, {claim.needed} needed to show that {_wanted(claim)} "
        f"({_found(claim)}; {claim.examples})"
    )


def _broken(claim: Claim, parity: Parity) -> str:
    if claim.what.startswith("accuracy"):
        return (
            f"accuracy changes by {-100 * claim.estimate:+.1f} points (95 % interval "
            f"{100 * (parity.accuracy_change_low or 0.0):+.1f} to "
            f"{100 * (parity.accuracy_change_high or 0.0):+.1f}), "
            f"at most {100 * claim.limit:g} may be lost"
        )
    if claim.what.startswith("labels"):
        return (
            f"labels agree with {_whose(claim)} on {100 * (1 - claim.estimate):.2f} % of "
            f"{claim.n} examples (ties aside), at least {100 * (1 - claim.limit):g} % is needed"
        )
    return (
        f"probabilities differ by {claim.estimate:.2g} from {_whose(claim)}, examples' largest "
        f"differences on average; at most {claim.limit:.2g} is allowed"
    )


def _wanted(claim: Claim) -> str:
    if claim.what.startswith("accuracy"):
        return f"at most {100 * claim.limit:g} points of accuracy are lost"
    if claim.what.startswith("labels"):
        return f"at least {100 * (1 - claim.limit):g} % of labels agree with {_whose(claim)}"
    return f"probabilities differ by at most {claim.limit:.2g} from {_whose(claim)} on average"


def _found(claim: Claim) -> str:
    found, bound = (f"{100 * abs(value):.2g}" for value in (claim.estimate, claim.bound))
    if claim.what.startswith("accuracy"):
        off = "won" if claim.estimate < 0 else "lost"
        return f"{found} points are {off}, and a loss of up to {bound} can't be excluded"
    if claim.what.startswith("labels"):
        return f"{found} % differ, and up to {bound} can't be excluded"
    return f"they differ by {claim.estimate:.2g}, and up to {claim.bound:.2g} can't be excluded"


def _whose(claim: Claim) -> str:
    return "its own model's" if "own model" in claim.what else "Keras'"
