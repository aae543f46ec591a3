"""Updates and claims that no honest edge makes: refused or held back by name."""

from pathlib import Path

import numpy as np
import pytest
from screen_for_tests import BASE, TEMPLATE, updates, write

from ecavg_tf.config import ServerConfig
from ecavg_tf.core.messages.reply import Reply
from ecavg_tf.core.messages.update_file import (
    Update,
    UpdateInfo,
    largest_pooled_file,
    write_update,
)
from ecavg_tf.core.template import Role, Template, WeightSpec
from ecavg_tf.data.dataset import DataSpec, Examples
from ecavg_tf.data.pooled import write_pooled
from server.collect import Collected, collect
from server.combine import combine
from server.screen import Size, doubted, oversized, size_of

SPEC = DataSpec("tiny", (2, 2, 1), "uint8", (0.0, 16.0), ("a", "b"))


def test_sizes_by_hand(tmp_path: Path) -> None:
    (one,) = updates(tmp_path, (6.0, 8.0))
    assert size_of(one, TEMPLATE, BASE) == Size(5.0, 1.0)


def test_a_scalar_is_measured_as_any_other_weight(tmp_path: Path) -> None:
    template = Template((WeightSpec("temperature", (), "float32", Role.TRAINABLE),))
    info = UpdateInfo(1, "a", 2, (1, 1), template.sha256, {})
    write_update(tmp_path / "a", info, {"temperature": np.array(4.0, np.float32)})
    base = [np.array(1.0, np.float32)]
    assert size_of(Update(tmp_path / "a"), template, base) == Size(3.0, 0.0)


def test_an_update_many_times_the_others_is_refused_by_name(tmp_path: Path) -> None:
    """Changes of norm 1, 2 and 100: the last is 66.7 times the median of the first two."""
    sent = updates(tmp_path, (4.0, 4.0), (3.0, 6.0), (103.0, 4.0))
    assert oversized(sent, TEMPLATE, BASE, 10) == {
        "c": "its update changes the model by 100 (norm), 66.7 times what is usual among the "
        "others; at most 10 times that is taken (server.max_update_ratio)"
    }
    assert oversized(sent, TEMPLATE, BASE, 67) == {}
    assert oversized(sent, TEMPLATE, BASE, 0) == {}


def test_edges_that_hardly_learn_any_more_are_no_measure(tmp_path: Path) -> None:
    """A change of 4.9 among changes of 0: the start's norm is 5, and its size is usual."""
    assert (
        oversized(updates(tmp_path, (3.0, 4.0), (3.0, 4.0), (7.9, 4.0)), TEMPLATE, BASE, 10) == {}
    )


def test_two_of_five_that_shout_are_found(tmp_path: Path) -> None:
    loud = updates(tmp_path, (4.0, 4.0), (4.0, 4.0), (4.0, 4.0), (1e10, 0.0), (-1e10, 0.0))
    assert set(oversized(loud, TEMPLATE, BASE, 10)) == {"d", "e"}


def test_too_few_to_compare_have_the_start_as_measure(tmp_path: Path) -> None:
    found = oversized(updates(tmp_path, (1e30, 4.0), (43.0, 4.0)), TEMPLATE, BASE, 10)
    assert set(found) == {"a"}
    assert "changes the model by 1e+30 (norm), and the model that the round" in found["a"]


def test_statistics_out_of_all_proportion(tmp_path: Path) -> None:
    """A variance may differ by the square: 100 times is taken, 101 times is not."""
    sent = [
        Update(write(tmp_path, name, (3.0, 4.0), variance))
        for name, variance in {"a": 1, "b": 1, "c": 100}.items()
    ]
    assert oversized(sent, TEMPLATE, BASE, 10) == {}
    sent[2] = Update(write(tmp_path, "c", (3.0, 4.0), 101))
    assert (
        "its statistics (norm 101) are 101 times the others'"
        in oversized(sent, TEMPLATE, BASE, 10)["c"]
    )


def test_a_variance_below_zero_is_none(tmp_path: Path) -> None:
    """A small one: its length is usual, and where nothing is pooled nobody measures its harm."""
    paths = [write(tmp_path, name, (3.0, 5.0)) for name in "abc"]
    paths.append(write(tmp_path, "d", (3.0, 5.0), -1.0))
    paths.append(write(tmp_path, "e", (3.0, 5.0), -1e-9))  # what rounding may leave
    taken = collected(tmp_path, paths)
    assert [(each.edge, each.reason) for each in taken.refused] == [
        ("d", "its update has -1 in 'variance', a variance, which is never below 0")
    ]
    assert [each.info.edge for each in taken.updates] == ["a", "b", "c", "e"]


def collected(folder: Path, paths: list[Path], pooled: dict[str, Path] | None = None) -> Collected:
    replies = [Reply(p.name, 1, p, (pooled or {}).get(p.name), None, {}) for p in paths]
    return collect(
        replies,
        TEMPLATE,
        SPEC,
        round_number=1,
        updates_folder=folder / "updates",
        pooled_folder=folder / "pooled",
        config=ServerConfig(),
        base=BASE,
        variances=[1],
    )


@pytest.mark.parametrize("value", [1e4, 1e10, 1e30, 3e38])
def test_the_round_goes_on_without_a_hostile_update(tmp_path: Path, value: float) -> None:
    paths = [write(tmp_path, name, (3.0, 5.0)) for name in "abc"]
    paths.append(write(tmp_path, "d", (value, -value)))
    taken = collected(tmp_path, paths)
    assert [each.edge for each in taken.refused] == ["d"]
    assert sorted(p.name for p in (tmp_path / "updates").iterdir()) == [
        f"{name}.safetensors" for name in "abc"
    ]
    made = combine(taken.updates, TEMPLATE, BASE, ServerConfig())
    np.testing.assert_array_equal(made.weights[0], [3.0, 5.0])


def test_a_claim_of_all_the_weight(tmp_path: Path) -> None:
    """4 and 4 examples against 2**53: the third edge counts for 40, not for everything."""
    paths = [write(tmp_path, name, (3.0, 4.0)) for name in "ab"]
    paths.append(write(tmp_path, "c", (3.0, 8.8), counts=(2**53 - 1, 1)))
    taken = collected(tmp_path, paths)
    assert [each.credit for each in taken.updates] == [4, 4, 40]
    assert [each.info.examples for each in taken.updates] == [4, 4, 2**53]
    (note,) = taken.notes
    assert note.startswith("c says that it has 9,007,199,254,740,992 examples, 2.25e+15 times")
    assert note.endswith("and pooled 0: it counts for 40 (server.max_examples_ratio)")
    made = combine(taken.updates, TEMPLATE, BASE, ServerConfig())
    np.testing.assert_allclose(made.weights[0], [3.0, 8.0])


def test_a_claim_that_pooled_data_shows_is_taken(tmp_path: Path) -> None:
    sent = [Update(write(tmp_path, "a", (3.0, 4.0))), Update(write(tmp_path, "b", (3.0, 4.0)))]
    sent.append(Update(write(tmp_path, "c", (3.0, 4.0), counts=(90, 10))))
    assert doubted(sent, {"c": 100}, 10) == {}
    assert doubted(sent, {"c": 50}, 10)["c"][0] == 50
    assert doubted(sent, {"c": 30}, 10)["c"][0] == 40
    assert doubted(sent, {}, 0) == {}
    assert doubted(sent[2:], {}, 10) == {}


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([0, 0, 0], "it pools 3 examples of class 'a', its update counts 2"),
        ([0, 1] * 9, "it pools 9 examples of class 'a', its update counts 2"),
    ],
)
def test_more_pooled_than_claimed(tmp_path: Path, labels: list[int], said: str) -> None:
    file = tmp_path / "sent.safetensors"
    write_pooled(file, "a", Examples(np.zeros((len(labels), 2, 2, 1), np.uint8), np.array(labels)))
    taken = collected(tmp_path, [write(tmp_path, "a", (3.0, 4.0))], {"a": file})
    assert taken.refused[0].reason == said
    assert list((tmp_path / "pooled").iterdir()) == []
    assert list((tmp_path / "updates").iterdir()) == []


def test_a_sparse_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "sent.safetensors"
    with file.open("wb") as stream:
        stream.truncate(2**40)
    taken = collected(tmp_path, [write(tmp_path, "a", (3.0, 4.0))], {"a": file})
    assert taken.refused[0].reason == (
        "its pooled file is refused: sent.safetensors has 1099511627776 bytes, at most 65584 are "
        "allowed"
    )


def test_a_claim_of_countless_examples_takes_no_more_than_a_share_of_the_memory(
    tmp_path: Path,
) -> None:
    """The claim allows any file: its zeros would be copied to the disk, and then into memory."""
    file = tmp_path / "sent.safetensors"
    most = largest_pooled_file(2)
    assert largest_pooled_file(4) == most // 2
    with file.open("wb") as stream:
        stream.truncate(most + 1)
    paths = [
        write(tmp_path, "a", (3.0, 4.0), counts=(2**52, 2**52)),
        write(tmp_path, "b", (3.0, 4.0)),
    ]
    taken = collected(tmp_path, paths, {"a": file})
    assert [each.info.edge for each in taken.updates] == ["b"]
    (refused,) = taken.refused
    assert refused.reason.endswith(f"has {most + 1} bytes, at most {most} are allowed")
    assert list((tmp_path / "pooled").iterdir()) == []
