"""A full disk is one line that names the place, whoever writes, and leaves nothing half-written."""

import contextlib
import errno
import re
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from paths_for_tests import ROOT

from ecavg_tf.core.checkpoint import Checkpoint, State
from ecavg_tf.core.commands import exit_code_of
from ecavg_tf.core.errors import (
    ConfigError,
    DataError,
    InstallationError,
    ModelError,
    RoundError,
    WorkdirError,
    disk_errors,
    disk_fault,
    full_disk,
)
from ecavg_tf.core.files import atomic_path, write_bytes
from ecavg_tf.core.messages.update_file import save_tensors
from ecavg_tf.data.dataset import Examples
from ecavg_tf.data.pooled import write_pooled
from ecavg_tf.models.saving import save_model

ROOM = 20_000  # bytes that a file may have
LARGE = np.random.default_rng(0).normal(size=(100, 100)).astype(np.float32)


class Undescribed(keras.Model):
    """Has no ``get_config``, so that its weights alone are saved."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(100)
        self.build((None, 100))

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.dense.build(shape)

    def get_config(self) -> dict[str, object]:
        raise NotImplementedError


@contextlib.contextmanager
def no_room() -> Iterator[None]:
    """The system refuses to write more than ``ROOM`` bytes into any file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def described(path: Path) -> None:
    model = keras.Sequential([keras.Input((100,)), keras.layers.Dense(100)])
    save_model(model, path.parent, path.name.removesuffix(".keras"))


WRITERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "update": ("a.safetensors", lambda path: save_tensors(path, {"kernel": LARGE}, {})),
    "pooled": (
        "a.safetensors",
        lambda path: write_pooled(path, "edge-00", Examples(LARGE, np.zeros(100, np.int64))),
    ),
    "checkpoint": (
        "a.safetensors",
        lambda path: Checkpoint(path).save("key", 1, State((LARGE,), (LARGE,), 1.0)),
    ),
    "bytes": ("a.json", lambda path: write_bytes(path, bytes(10 * ROOM))),
    "keras": ("a.keras", described),
    "weights": ("a.weights.h5", lambda path: save_model(Undescribed(), path.parent, "a")),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_one_line_with_the_place(tmp_path: Path, name: str) -> None:
    file, write = WRITERS[name]
    path = tmp_path / file
    path.write_text("as it was")
    with no_room(), pytest.raises(WorkdirError) as refused, disk_errors("the folder"):
        write(path)
    assert str(refused.value).startswith(f"{path} can't be written: the file is larger than")
    assert "run the same command again" in str(refused.value)
    assert path.read_text() == "as it was"
    assert list(tmp_path.iterdir()) == [path]


def test_a_copy_that_finds_no_room_names_the_target(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "there" / "target"
    source.write_bytes(bytes(10 * ROOM))
    with no_room(), pytest.raises(OSError, match="target") as refused, atomic_path(target) as part:
        shutil.copyfile(source, part)
    assert refused.value.filename == str(target)
    assert not list(target.parent.iterdir())


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError("I/O error: No space left on device (os error 28)"), errno.ENOSPC),
        (RuntimeError("write failed: errno = 122, error message = 'Disk quota'"), errno.EDQUOT),
        (OSError(errno.ENOENT, "No such file"), None),
        (ValueError("shape (28,)"), None),
    ],
)
def test_libraries_say_it_in_their_own_words(error: Exception, code: int | None) -> None:
    assert full_disk(error) == code


def test_an_error_on_top_does_not_hide_it() -> None:
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            raise ValueError("can't close an archive that is written to") from None
    except ValueError as error:
        assert full_disk(error) == errno.ENOSPC


def test_every_command_line_ends_with_exit_code_4(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> int:
        raise OSError(errno.ENOSPC, "No space left on device", "runs/a/model.keras")

    assert exit_code_of(command, "ecavg") == 4
    assert capsys.readouterr().err == (
        "ecavg: runs/a/model.keras can't be written: the disk is full (No space left on device); "
        "make room and run the same command again: what is finished is kept\n"
    )


def test_a_device_s_service_is_not_started_again_and_again() -> None:
    """It can't mend a full disk by itself: a person must make room."""
    unit = (ROOT / "edge" / "ecavg-edge.service").read_text()
    (codes,) = re.findall(r"^RestartPreventExitStatus=(.*)$", unit, re.MULTILINE)
    needs_a_person = (ConfigError, DataError, WorkdirError, InstallationError, ModelError)
    assert {str(error.exit_code) for error in needs_a_person} <= set(codes.split())
    assert str(RoundError.exit_code) not in codes.split()  # the server may come back


def test_other_faults_of_a_disk_keep_their_words() -> None:
    fault = disk_fault(OSError(errno.EROFS, "Read-only file system", "a"))
    assert str(fault) == "a: Read-only file system; finished rounds are kept"
