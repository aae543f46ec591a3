"""An edge's last local model, from the files that the edge of a run kept."""

from pathlib import Path

import numpy as np
import pytest

from ecavg_tf.core.errors import WorkdirError
from ecavg_tf.core.files import file_sha256, write_json
from ecavg_tf.core.messages.update_file import UpdateInfo, write_update
from ecavg_tf.core.template import Role, Template, WeightSpec, weights_sha256
from export.jobs.local_models import locals_of
from export.jobs.subjects import Found

TEMPLATE = Template(
    (
        WeightSpec("frozen", (2,), "float32", Role.STATISTIC, True),
        WeightSpec("kernel", (2,), "float32", Role.TRAINABLE),
    )
)
FROZEN = np.array([7, 8], np.float32)
MISSING = [FROZEN, np.zeros(2, np.float32)]


def weights(last: float) -> list[np.ndarray]:
    return [FROZEN, np.array([1, last], np.float32)]


def run(path: Path, **kept: float) -> Found:
    """A run whose edge kept these models, by file name, and named them in replies."""
    write_json(path / "template.json", TEMPLATE.to_json())
    edge = path / "edges" / "edge-00"
    for name, last in kept.items():
        kind, number = name.split("_")
        file = edge / f"{kind}-{number}.safetensors"
        info = UpdateInfo(int(number), "edge-00", 1, (1,), TEMPLATE.sha256, {})
        write_update(file, info, {"kernel": weights(last)[1]})
        reply = edge / f"reply-{number}.json"
        said = {"update_sha256": "0" * 64} if kind == "local" else {}
        write_json(reply, {**said, f"{kind}_sha256": file_sha256(file)})
    return Found("edge-00", edge, "accepted", 2, weights_sha256(weights(5)))


def test_it_is_the_last_update_with_what_edges_do_not_send(tmp_path: Path) -> None:
    accepted = run(tmp_path, update_0001=2, update_0002=3)
    (found,) = locals_of(tmp_path, [accepted], MISSING)
    assert found.weights is not None
    assert [each.tolist() for each in found.weights] == [[7, 8], [1, 3]]
    assert (found.name, found.round) == ("edge-00", 2)
    assert found.weights_sha256 == weights_sha256(weights(3))


def test_where_updates_have_noise_it_is_the_model_without(tmp_path: Path) -> None:
    (found,) = locals_of(tmp_path, [run(tmp_path, local_0002=4)], MISSING)
    assert found.weights_sha256 == weights_sha256(weights(4))


def test_the_accepted_model_is_not_shown_twice(tmp_path: Path) -> None:
    assert list(locals_of(tmp_path, [run(tmp_path, update_0002=5)], MISSING)) == []
    assert list(locals_of(tmp_path, [run(tmp_path / "none")], MISSING)) == []


def test_a_damaged_one_is_told(tmp_path: Path) -> None:
    accepted = run(tmp_path, update_0002=3)
    with (accepted.folder / "update-0002.safetensors").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(WorkdirError, match=r"update-0002\.safetensors is damaged .*reply-0002"):
        list(locals_of(tmp_path, [accepted], MISSING))
