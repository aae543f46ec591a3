"""One set of rules for pictures: training and a device read them alike, or both refuse them."""

import io
import itertools
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ecavg_tf.config import DataConfig
from ecavg_tf.core.errors import DataError
from ecavg_tf.core.pictures import read_picture
from ecavg_tf.data.sources import load_data
from edge.predicting.inputs import Wanted, load_inputs

RNG = np.random.default_rng(0)
SIDE = 9
COLOUR = Image.fromarray(RNG.integers(0, 256, (SIDE, SIDE, 3), np.uint8))
FORMATS = {"png": "PNG", "jpg": "JPEG", "bmp": "BMP", "gif": "GIF", "webp": "WEBP", "tif": "TIFF"}
PLAIN = ("1", "L", "P", "RGB", "CMYK")
REFUSED = {
    **dict.fromkeys(("LA", "RGBA"), "is transparent"),
    **dict.fromkeys(("I", "F", "I;16"), "more than 8 bits"),
    "LAB": "has pixels of kind LAB",
}
TURNED = "says in its EXIF data that it is turned"


def picture(mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(RNG.integers(0, 4096, (SIDE, SIDE), np.uint16))
    if mode == "LAB":
        return Image.merge("LAB", COLOUR.split())
    return COLOUR.convert(mode)


def trained_on(folder: Path, content: bytes, name: str, channels: int) -> np.ndarray | str:
    for place in ("a", "b"):
        (folder / place).mkdir(parents=True, exist_ok=True)
        for number in range(3):
            (folder / place / f"{number}{name}").write_bytes(content)
    try:
        return load_data(DataConfig(name=str(folder), channels=channels), seed=0).train.inputs[0]
    except DataError as error:
        return str(error)


def predicted_from(path: Path, channels: int) -> np.ndarray | str:
    wanted = Wanted((SIDE, SIDE, channels), "uint8", (0.0, 255.0))
    try:
        ((_, image),) = load_inputs([str(path)], wanted)
    except DataError as error:
        return str(error)
    return image[0]


def both(folder: Path, content: bytes, name: str = ".png", channels: int = 3) -> np.ndarray | str:
    """What training and a device make of a picture; they must agree."""
    trained = trained_on(folder, content, name, channels)
    predicted = predicted_from(folder / "a" / f"0{name}", channels)
    if isinstance(trained, str):
        assert trained == predicted
        assert "\n" not in trained
    else:
        np.testing.assert_array_equal(trained, predicted)
    return trained


def saved(image: Image.Image, kind: str, **options: object) -> bytes | None:
    stream = io.BytesIO()
    try:
        image.save(stream, kind, **options)
    except (OSError, KeyError, ValueError):  # that format has no such pixels
        return None
    return stream.getvalue()


@pytest.mark.parametrize("suffix", FORMATS)
def test_formats_depths_and_channels(tmp_path: Path, suffix: str) -> None:
    seen = 0
    for mode, channels in itertools.product((*PLAIN, *REFUSED), (1, 3)):
        content = saved(picture(mode), FORMATS[suffix])
        if content is None:
            continue
        found = both(tmp_path / f"{mode}{channels}", content, f".{suffix}", channels)
        stored = Image.open(io.BytesIO(content))
        if stored.mode in REFUSED or "transparency" in stored.info:
            assert isinstance(found, str)
            assert REFUSED.get(stored.mode, "is transparent") in found
        else:
            assert isinstance(found, np.ndarray), found
            assert found.shape == (SIDE, SIDE, channels)
        seen += 1
    assert seen >= 8


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif"])
def test_orientations(tmp_path: Path, suffix: str) -> None:
    for orientation in (0, 1, 2, 3, 6, 8, 9):
        exif = Image.Exif()
        exif[0x112] = orientation
        content = saved(COLOUR, FORMATS[suffix], exif=exif)
        assert content is not None
        found = both(tmp_path / str(orientation), content, f".{suffix}")
        assert (isinstance(found, str) and TURNED in found) == (2 <= orientation <= 8)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    depth: int,
    colour: int,
    row: bytes,
    extra: bytes = b"",
    side: int = SIDE,
    before: bytes = b"",
) -> bytes:
    header = before + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress((b"\0" + row) * SIDE))
    return b"\x89PNG\r\n\x1a\n" + header + extra + body + chunk(b"IEND", b"")


def tiff16() -> bytes:
    """Colour of 16 bits, which Pillow reads as 8 and can't write."""
    tags = [(256, 3, 1, SIDE), (257, 3, 1, SIDE), (258, 3, 3, 122), (259, 3, 1, 1), (262, 3, 1, 2)]
    tags += [(273, 4, 1, 128), (277, 3, 1, 3), (278, 3, 1, SIDE), (279, 4, 1, SIDE * SIDE * 6)]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    return head.ljust(122, b"\0") + struct.pack("<HHH", 16, 16, 16) + bytes(SIDE * SIDE * 6)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (png(16, 2, bytes(6 * SIDE)), "more than 8 bits"),
        (png(16, 0, bytes(2 * SIDE)), "more than 8 bits"),
        (tiff16(), "more than 8 bits"),
        (png(8, 2, bytes(3 * SIDE), chunk(b"tRNS", bytes(6))), "is transparent"),
        (png(8, 2, bytes(3 * SIDE), chunk(b"iCCP", b"")), "no picture that can be read"),
        (png(8, 2, bytes(3 * SIDE), before=chunk(b"iCCP", b"")), "no picture that can be read"),
        (png(8, 2, bytes(3 * SIDE), before=chunk(b"tIME", bytes(7))), "chunk is not IHDR"),
        (png(8, 2, bytes(3 * SIDE), side=100_000), "no picture that can be read"),
        (b"", "no picture that can be read"),
        (b"no picture", "it is no PNG, JPEG, BMP, GIF, WEBP or TIFF file"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "it is no PNG"),
    ],
)
def test_what_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    found = both(tmp_path, content)
    assert isinstance(found, str)
    assert said in found


def test_damaged_pictures_never_end_in_a_traceback(tmp_path: Path) -> None:
    refused = 0
    for kind in FORMATS.values():
        whole = saved(COLOUR, kind)
        assert whole is not None
        for cut in range(8):
            damaged = bytearray(whole[: len(whole) * (cut + 1) // 8])
            damaged[int(RNG.integers(len(damaged)))] ^= 255
            (tmp_path / "p").write_bytes(damaged)
            try:
                assert read_picture(tmp_path / "p", 3).shape[2] == 3
            except DataError as error:
                assert "\n" not in str(error)
                refused += 1
    assert refused >= 30


def test_names_do_not_matter_and_the_first_frame_counts(tmp_path: Path) -> None:
    first = np.asarray(COLOUR)
    frames = {"save_all": True, "append_images": [Image.new("RGB", COLOUR.size)]}
    for kind, options in {"PNG": {}, "TIFF": {}, "WEBP": {"lossless": True}}.items():
        content = saved(COLOUR, kind, **frames, **options)
        assert content is not None
        np.testing.assert_array_equal(both(tmp_path / kind, content, ".jpg"), first)


def test_as_the_picture_is(tmp_path: Path) -> None:
    for mode, channels in {"1": 1, "L": 1, "P": 3, "RGB": 3}.items():
        picture(mode).save(tmp_path / "p.png")
        assert read_picture(tmp_path / "p.png").shape == (SIDE, SIDE, channels)
