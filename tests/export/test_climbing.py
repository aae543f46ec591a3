"""The ways are tried in their order; the first that passes is kept."""

from collections.abc import Callable

import pytest

from ecavg_tf.core.errors import ExportError
from ecavg_tf.core.exports import Verdict
from export.climbing import Climbed, climb
from export.making.ladder import Made, Way
from export.proving.file_proof import FileProof


def climbed(verdicts: dict[Way, Verdict | None]) -> tuple[Climbed, list[str]]:
    """Files whose content is their way; a verdict None: it can't be made."""
    said: list[str] = []

    def make(way: Way) -> Callable[[], Made]:
        def made() -> Made:
            if verdicts[way] is None:
                raise ExportError(f"no {way}")
            return Made(way.encode())

        return made

    def prove(made: Made, way: Way) -> FileProof:
        assert made.content == way.encode()
        verdict = verdicts[way]
        assert verdict is not None
        return FileProof(() if verdict is Verdict.PASSED else ("off",), verdict)

    others = ((way, make(way)) for way in list(verdicts)[1:])
    found = climb("edge", make(Way.PLAIN), others, prove, lambda event: said.append(str(event)))
    return found, said


def test_a_plain_file_that_passes_is_the_only_one() -> None:
    found, said = climbed({Way.PLAIN: Verdict.PASSED, Way.FITTED: Verdict.PASSED})
    assert (found.content, found.way, len(found.attempts), said) == (b"plain", Way.PLAIN, 1, [])


def test_the_first_that_passes() -> None:
    ways = {Way.PLAIN: Verdict.FAILED, Way.FITTED: None, Way.TUNED: Verdict.PASSED}
    found, said = climbed(ways)
    assert (found.content, found.way) == (b"tuned", Way.TUNED)
    assert [each.status for each in found.attempts] == ["failed", "failed", "passed"]
    assert found.attempts[1].reasons == ("no fitted",)
    assert "plain file did not pass, trying fitted" in said[0]


def test_where_none_passes_an_undecided_one_comes_before_a_failed_one() -> None:
    ways = {Way.PLAIN: Verdict.FAILED, Way.FITTED: Verdict.UNDECIDED, Way.TUNED: Verdict.FAILED}
    assert climbed(ways)[0].way is Way.FITTED
    assert climbed({Way.PLAIN: Verdict.FAILED, Way.FITTED: Verdict.FAILED})[0].way is Way.PLAIN


def test_a_plain_file_that_can_not_be_made_ends_it() -> None:
    with pytest.raises(ExportError, match="no plain"):
        climbed({Way.PLAIN: None, Way.FITTED: Verdict.PASSED})
