"""Whatever is damaged, what comes of it is one line."""

import io
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from bundles_for_tests import made, rewritten, trains

from ecavg_tf.core.bundles.archive import npy_bytes, read_array
from ecavg_tf.core.bundles.bundle import MANIFEST, read_bundle, write_bundle
from ecavg_tf.core.bundles.training_bundle import (
    is_training_bundle,
    read_training_bundle,
    write_training_bundle,
)
from ecavg_tf.core.errors import DataError, ExportError
from ecavg_tf.core.numpy_files import read_arrays
from ecavg_tf.data.arrays import load_npz

IMAGES = np.arange(24, dtype=np.uint8).reshape(6, 2, 2, 1)


def flipped(content: bytes, times: int) -> list[bytes]:
    """The content with one byte, or a few, made others; always the same ones."""
    draws = np.random.default_rng(0)
    damaged: list[bytes] = []
    for _ in range(times):
        changed = bytearray(content)
        for at in draws.integers(0, len(content), draws.integers(1, 4)):
            changed[at] ^= int(draws.integers(1, 256))
        damaged.append(bytes(changed))
    return damaged


def saved(save: Callable[..., None]) -> bytes:
    stream = io.BytesIO()
    save(stream, x_train=IMAGES, y_train=np.arange(6), x_test=IMAGES, y_test=np.arange(6))
    return stream.getvalue()


def one_line(error: Exception) -> None:
    assert len(str(error)) < 400
    assert "\n" not in str(error)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("read", [read_arrays, load_npz])
def test_an_npz(tmp_path: Path, save: Callable[..., None], read: Callable[[Path], object]) -> None:
    path = tmp_path / "x.npz"
    for content in flipped(saved(save), 2000):
        path.write_bytes(content)
        try:
            read(path)
        except DataError as error:
            one_line(error)


def test_an_npy(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    for content in flipped(npy_bytes(IMAGES), 2000):
        path.write_bytes(content)
        try:
            read_arrays(path)
        except DataError as error:
            one_line(error)


@pytest.mark.parametrize("shape", ["9" * 12, "9" * 40, "9" * 12 + ", 9" * 12])
def test_a_header_that_claims_more_than_there_is(tmp_path: Path, shape: str) -> None:
    text = "{'descr': '|u1', 'fortran_order': False, 'shape': (" + shape + ",), }"
    content = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + text.ljust(117).encode() + b"\n"
    (tmp_path / "x.npy").write_bytes(content + b"few bytes")
    with pytest.raises(DataError, match="can't be read"):
        read_arrays(tmp_path / "x.npy")
    with pytest.raises(ExportError, match="is no array"):
        read_array(tmp_path, "x.npy", content + b"few bytes")


def test_a_member_that_is_no_array(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("examples.npy", b"no array")
    with pytest.raises(DataError, match="examples is no array"):
        read_arrays(tmp_path / "x.npz")


def test_a_member_of_a_bundle() -> None:
    for content in flipped(npy_bytes(IMAGES), 2000):
        try:
            read_array(Path("b.zip"), "golden_inputs.npy", content)
        except ExportError as error:
            one_line(error)


def test_a_bundle(tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    write_bundle(path, made())
    for content in flipped(path.read_bytes(), 2000):
        path.write_bytes(content)
        is_training_bundle(path)
        try:
            read_bundle(path)
        except ExportError as error:
            one_line(error)


@pytest.mark.parametrize("training", [False, True])
def test_a_manifest(tmp_path: Path, training: bool) -> None:
    """No hash covers ``bundle.json`` itself."""
    path = tmp_path / "b.zip"
    if training:
        write_training_bundle(path, trains())
    else:
        write_bundle(path, made())
    with ZipFile(path) as archive:
        manifest = archive.read(MANIFEST)
    refused = 0
    for content in flipped(manifest, 1000):
        rewritten(path, **{MANIFEST: content})
        try:
            read_training_bundle(path) if training else read_bundle(path)
        except ExportError as error:
            one_line(error)
            refused += 1
    assert refused > 800


def test_a_bundle_whose_directory_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    write_bundle(path, made())
    whole = path.read_bytes()
    at = whole.index(b"PK\x01\x02")
    for end in flipped(whole[at:], 2000):
        path.write_bytes(whole[:at] + end)
        is_training_bundle(path)
        try:
            read_bundle(path)
        except ExportError as error:
            one_line(error)
