"""What an edge answers when it is asked again."""

from dataclasses import replace
from pathlib import Path

from messages_for_tests import decided
from screen_for_tests import BASE, TEMPLATE
from worker_for_tests import new_worker

from ecavg_tf.core.messages.reply import Reply
from ecavg_tf.core.messages.request import EXCHANGE, NamedFile, Request, Shipped
from edge.participating.store import EdgeStore


def test_an_edge_that_is_asked_in_other_words_trains_again_and_keeps_its_decision(
    tmp_path: Path,
) -> None:
    """What it had decided from is gone, so a new decision had no guard."""
    request = Request(EXCHANGE, "run", 2, TEMPLATE, Shipped(BASE))
    store, made = EdgeStore(tmp_path, "a", "run"), decided("a", 1)
    store.update_path(2).write_bytes(b"an update")
    reply = Reply("a", 2, store.update_path(2), None, made, {})
    store.commit(reply, request.model.sha256, request.work_sha256)
    worker = new_worker(tmp_path)
    assert worker.answer(request).decision == made
    other = replace(request, training_file=NamedFile("training.zip", "a" * 64))
    again = worker.answer(other)
    assert again.decision == made
    assert again.update is not None
    assert again.update.read_bytes() != b"an update"
    assert store.reply(2, other.model.sha256, other.work_sha256) is not None
