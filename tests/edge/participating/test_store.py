"""An edge's folder: an answer is given again, and pruning keeps what decisions need."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.messages.reply import Reply
from ecavg_tf.core.messages.update_file import TensorFile, save_tensors
from ecavg_tf.core.scores import Accepted, Decision, Rung, Score
from ecavg_tf.core.template import Array, Role, Template, WeightSpec, weights_sha256
from edge.participating.accepted import newest_accepted
from edge.participating.store import EdgeStore

EDGE, RUN = "edge-05", "run-a"
TEMPLATE = Template(
    (
        WeightSpec("kernel", (2,), "float32", Role.TRAINABLE),
        WeightSpec("seed", (2,), "uint32", Role.STATE, omittable=True),
    )
)


def open_store(folder: Path) -> EdgeStore:
    return EdgeStore(folder, EDGE, RUN)


def decision(round_number: int) -> Decision:
    half, most = Score(0.5, 1.25, 10), Score(0.9, 0.125, 8)
    return Decision(
        round=round_number,
        edge=EDGE,
        examples=6,
        class_counts=(1, 2, 3),
        rungs=(
            Rung("global", None, most, half),
            Rung("blend", 0.25, None, half, select=-0.5, certify={"bound": 0.01}),
        ),
        accepted=Accepted(
            "global", None, most, half, weights_sha256(weights(round_number)), {"policy": "guarded"}
        ),
        seconds=1.5,
    )


def weights(value: float) -> list[Array]:
    return [np.full(2, value, np.float32), np.array([7, 8], np.uint32)]


def play(store: EdgeStore, round_number: int, *, decided: bool = True) -> Reply:
    """One exchange as an edge does it, with files that name their round."""
    made = decision(round_number - 1) if decided and round_number > 1 else None
    if made is not None:
        store.save_accepted(made, TEMPLATE.named(weights(made.round)))
    store.update_path(round_number).write_text(f"update of round {round_number}")
    reply = Reply(
        edge=EDGE,
        round=round_number,
        update=store.update_path(round_number),
        pooled=None,
        decision=made,
        seconds={"pretrain": 2.5, "evaluate": 0.5},
    )
    store.commit(reply, f"start-{round_number}")
    return reply


def accepted_before(store: EdgeStore, before: int) -> float | None:
    found = store.last_accepted(before, TEMPLATE, weights(-1.0))
    return None if found is None else float(found[0][0])


def test_a_fresh_folder_has_no_answers(tmp_path: Path) -> None:
    store = open_store(tmp_path / "edge")
    assert store.reply(1, "start-1") is None
    assert store.last_update(before=10) is None
    assert accepted_before(store, 10) is None
    assert store.finished(1) is None


def test_an_answer_is_given_again_equal_after_a_restart(tmp_path: Path) -> None:
    first = play(open_store(tmp_path), 1)
    assert open_store(tmp_path).reply(1, "start-1") == first
    second = play(open_store(tmp_path), 2)
    assert open_store(tmp_path).reply(2, "start-2") == second
    assert second.decision == decision(1)


def test_an_own_start_is_a_start_of_its_own(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.update_path(1).write_text("update")
    reply = Reply(EDGE, 1, store.update_path(1), None, None, {})
    store.commit(reply, None)
    assert store.reply(1, None) == reply
    with pytest.raises(WorkdirError):
        store.reply(1, "start-1")


def test_another_start_for_an_answered_round_is_refused_by_name(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    play(store, 1)
    with pytest.raises(WorkdirError, match=f"{EDGE} answered round 1 already, but from") as caught:
        store.reply(1, "another start")
    assert str(tmp_path) in str(caught.value)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(("edge", "run"), [("edge-06", RUN), (EDGE, "run-b")])
def test_a_folder_of_another_run_or_edge_is_refused_by_name(
    tmp_path: Path, edge: str, run: str
) -> None:
    play(open_store(tmp_path), 1)
    with pytest.raises(WorkdirError) as caught:
        EdgeStore(tmp_path, edge, run)
    for word in (str(tmp_path), EDGE, RUN, edge, run):
        assert word in str(caught.value)
    assert open_store(tmp_path).reply(1, "start-1") is not None


@pytest.mark.parametrize("content", ["", "{", "[]", "5"])
def test_a_damaged_owner_file_is_refused(tmp_path: Path, content: str) -> None:
    open_store(tmp_path)
    (tmp_path / "owner.json").write_text(content)
    with pytest.raises(WorkdirError, match=r"owner\.json"):
        open_store(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"start_sha256": "start-1"}'])
def test_a_damaged_reply_is_an_error_that_names_the_file(tmp_path: Path, content: str) -> None:
    play(open_store(tmp_path), 1)
    (tmp_path / "reply-0001.json").write_text(content)
    with pytest.raises(WorkdirError, match=r"reply-0001\.json"):
        open_store(tmp_path).reply(1, "start-1")


def test_an_update_counts_only_once_its_round_is_answered(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    play(store, 1)
    store.update_path(2).write_text("cut off before the reply")
    assert store.last_update(before=3) == store.update_path(1)
    assert store.reply(2, "start-2") is None


def test_pruning_keeps_what_the_next_decision_needs(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for round_number in range(1, 6):
        play(store, round_number)
        # The next exchange decides on this round's global model: it needs the local
        # model of this round, and what was accepted from the round before.
        update = store.last_update(before=round_number + 1)
        assert update is not None
        assert update.read_text() == f"update of round {round_number}"
        expected = float(round_number - 1) if round_number > 1 else None
        assert accepted_before(store, round_number) == expected
        assert store.reply(round_number, f"start-{round_number}") is not None


def test_pruning_removes_the_rest_so_the_folder_does_not_grow(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    counts = []
    for round_number in range(1, 8):
        play(store, round_number)
        counts.append(len(list(tmp_path.iterdir())))
    assert counts[3:] == [counts[2]] * 4
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "accepted-0006.safetensors",
        "owner.json",
        "reply-0007.json",
        "update-0007.safetensors",
    ]


def test_an_exchange_that_was_cut_off_is_decided_again_from_the_same_state(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    play(store, 1)
    play(store, 2)
    state = (store.last_update(before=3), accepted_before(store, 2))
    store.save_accepted(decision(2), TEMPLATE.named(weights(2.0)))
    store.update_path(3).write_text("cut off before the reply")
    again = open_store(tmp_path)
    assert (again.last_update(before=3), accepted_before(again, 2)) == state
    assert state == (store.update_path(2), 1.0)


def test_an_edge_that_sat_rounds_out_keeps_its_last_accepted_model(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    play(store, 1)
    play(store, 2)
    play(store, 6, decided=False)
    assert accepted_before(store, 6) == 1.0
    play(store, 9)
    assert store.last_update(before=10) == store.update_path(9)
    assert accepted_before(store, 9) == 8.0


def test_pooled_data_is_not_pruned(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.pooled_path.write_text("pooled data")
    for round_number in range(1, 5):
        play(store, round_number)
    assert store.pooled_path.read_text() == "pooled data"


def test_rounds_are_ordered_by_number_also_beyond_four_digits(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for round_number in (9_999, 10_000):
        play(store, round_number)
    assert store.last_update(before=20_000) == store.update_path(10_000)
    assert accepted_before(store, 20_000) == 9_999.0


def test_accepted_weights_survive_and_what_is_absent_is_taken_from_the_other(
    tmp_path: Path,
) -> None:
    store = open_store(tmp_path)
    store.save_accepted(decision(1), {"kernel": np.array([1.5, 2.5], np.float32)})
    found = store.last_accepted(2, TEMPLATE, weights(-1.0))
    assert found is not None
    np.testing.assert_array_equal(found[0], [1.5, 2.5])
    np.testing.assert_array_equal(found[1], [7, 8])
    assert store.last_accepted(1, TEMPLATE, weights(-1.0)) is None


def flip(path: Path, at: int = -1) -> None:
    """Turns one bit over, as a worn memory card does."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("damage", [flip, Path.unlink])
def test_an_update_that_is_not_what_was_answered_is_named(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    store = open_store(tmp_path)
    play(store, 1)
    damage(store.update_path(1))
    line = r"update-0001\.safetensors is missing or damaged: .* restore it from a copy, or begin"
    with pytest.raises(WorkdirError, match=line):
        store.reply(1, "start-1")
    with pytest.raises(WorkdirError, match=line):
        store.last_update(before=3)


def test_an_answer_of_an_older_version_has_no_hash(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    play(store, 1)
    reply = json.loads((tmp_path / "reply-0001.json").read_text())
    del reply["update_sha256"]
    (tmp_path / "reply-0001.json").write_text(json.dumps(reply))
    assert store.last_update(before=2) == store.update_path(1)


def test_a_bit_of_an_accepted_model_is_missed(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.save_accepted(decision(1), TEMPLATE.named(weights(1.0)))
    flip(tmp_path / "accepted-0001.safetensors")
    with pytest.raises(WorkdirError, match=r"accepted-0001\.safetensors is damaged"):
        accepted_before(store, 2)


def test_an_accepted_model_that_is_gone_is_missed(tmp_path: Path) -> None:
    """Else the edge would decide as one that never accepted anything."""
    store = open_store(tmp_path)
    for round_number in (1, 2, 3):
        play(store, round_number)
    (tmp_path / "accepted-0002.safetensors").unlink()
    with pytest.raises(WorkdirError, match=r"accepted-0002\.safetensors is missing, and edge-05"):
        accepted_before(store, 3)
    assert accepted_before(store, 2) is None  # it was superseded


def test_an_older_model_is_never_taken_for_the_one_that_is_gone(tmp_path: Path) -> None:
    """By a prediction, or by the check at the end of a run, which blamed the model's layers."""
    store = open_store(tmp_path)
    assert newest_accepted(tmp_path) is None
    for round_number in (1, 2, 3):
        play(store, round_number)
    store.save_accepted(decision(3), TEMPLATE.named(weights(3.0)))
    assert newest_accepted(tmp_path) == tmp_path / "accepted-0003.safetensors"
    store.save_finished(decision(3))
    (tmp_path / "accepted-0003.safetensors").unlink()
    with pytest.raises(WorkdirError, match=r"accepted-0003\.safetensors is missing, and .*restore"):
        newest_accepted(tmp_path)
    (tmp_path / "finish-0003.json").unlink()
    assert newest_accepted(tmp_path) == tmp_path / "accepted-0002.safetensors"
    (tmp_path / "accepted-0002.safetensors").unlink()
    with pytest.raises(WorkdirError, match=r"accepted-0002\.safetensors is missing"):
        newest_accepted(tmp_path)


def test_the_global_model_is_not_stored_again_by_each_edge(tmp_path: Path) -> None:
    lies = tmp_path / "rounds.safetensors"
    save_tensors(lies, TEMPLATE.named(weights(2.0)), {})
    store = EdgeStore(tmp_path / "edge", "edge-00", "run", {2: lies}.__getitem__)
    made = decision(2)
    taken = replace(made, accepted=replace(made.accepted, rung="global"))
    store.save_accepted(taken, TEMPLATE.named(weights(2.0)))
    link = store.folder / "global-0002.safetensors"
    assert link.stat().st_ino == lies.stat().st_ino
    lies.unlink()
    assert accepted_before(store, 3) == 2.0
    assert TensorFile(store.folder / "accepted-0002.safetensors").keys == frozenset()


def test_a_reply_is_given_again_to_what_was_asked_and_to_nothing_else(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    made = play(store, 1)
    store.commit(made, "start-1", "asked")
    again = store.reply(1, "start-1", "asked")
    assert again is not None
    assert again.update == made.update
    assert store.reply(1, "start-1", "something else") is None


def test_what_was_decided_stands_whatever_is_asked_later(tmp_path: Path) -> None:
    """What it was decided from is gone: decided again, it would be without a guard."""
    store = open_store(tmp_path)
    assert store.decided(1) is None
    for round_number in (1, 2, 3):
        made = play(store, round_number)
    assert store.last_update(before=3) is None
    assert store.decided(3) == made.decision
    (tmp_path / "reply-0003.json").write_text("{}")
    with pytest.raises(WorkdirError, match=r"reply-0003\.json is damaged"):
        store.decided(3)


def test_noise_is_not_drawn_twice_for_two_requests_of_a_round(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    made = play(store, 1)
    store.local_path(1).write_text("the local model, without noise")
    store.commit(made, "start-1", "asked")
    assert store.reply(1, "start-1", "asked") is not None
    with pytest.raises(WorkdirError, match="its noise must not be drawn twice"):
        store.reply(1, "start-1", "something else")
