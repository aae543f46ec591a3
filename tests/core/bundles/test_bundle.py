import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bundles_for_tests import INFO, made, rewritten

from ecavg_tf.core.bundles import archive as archives
from ecavg_tf.core.bundles import bundle as bundles
from ecavg_tf.core.bundles.bundle import read_bundle, write_bundle
from ecavg_tf.core.errors import ExportError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "b.zip", made())
    return tmp_path / "b.zip"


def test_what_is_written_is_read(path: Path) -> None:
    found = read_bundle(path)
    assert found.info == INFO
    assert found.model == made().model
    np.testing.assert_array_equal(found.golden_inputs, made().golden_inputs)
    np.testing.assert_array_equal(found.golden_outputs, made().golden_outputs)


def test_the_same_bundle_is_the_same_bytes(path: Path, tmp_path: Path) -> None:
    write_bundle(tmp_path / "again.zip", made())
    assert (tmp_path / "again.zip").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("part", bundles.PARTS)
def test_a_flipped_byte_is_named(path: Path, part: str) -> None:
    with zipfile.ZipFile(path) as archive:
        content = bytearray(archive.read(part))
    content[len(content) // 2] ^= 1
    with pytest.raises(ExportError, match=f"{part} is not what bundle.json lists"):
        read_bundle(rewritten(path, **{part: bytes(content)}))


def test_every_flipped_byte_of_the_file_is_caught_or_harmless(path: Path) -> None:
    original = path.read_bytes()
    for at in range(0, len(original), 7):
        damaged = bytearray(original)
        damaged[at] ^= 0x10
        path.write_bytes(bytes(damaged))
        try:
            found = read_bundle(path)
        except ExportError:
            continue
        # Times and the like: whatever was read is what was written.
        assert found.info == INFO
        assert found.model == made().model


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_bundle(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ExportError, match="can't be read"):
        read_bundle(path)


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/b", "..\\evil", ".hidden"])
def test_a_path_is_refused(path: Path, name: str) -> None:
    with pytest.raises(ExportError, match="has a path"):
        read_bundle(rewritten(path, **{name: b"x"}))


def test_unknown_missing_and_duplicate_members(path: Path) -> None:
    content = path.read_bytes()
    with pytest.raises(ExportError, match=r"'notes.txt' is unknown"):
        read_bundle(rewritten(path, **{"notes.txt": b"x"}))
    path.write_bytes(content)
    with pytest.raises(ExportError, match=r"lacks labels.txt"):
        read_bundle(rewritten(path, **{"labels.txt": None}))
    path.write_bytes(content)
    with pytest.warns(UserWarning), zipfile.ZipFile(path, "a") as archive:
        archives.add_members(archive, {"labels.txt": b"dog\ncat\n"})
    with pytest.raises(ExportError, match=r"'labels.txt' is there twice"):
        read_bundle(path)


def test_a_link_is_refused(path: Path) -> None:
    members = dict.fromkeys((bundles.MANIFEST, *bundles.PARTS[1:]), b"x")
    with zipfile.ZipFile(path, "w") as archive:
        archives.add_members(archive, members)
        link = zipfile.ZipInfo("model.tflite")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(ExportError, match=r"'model.tflite' is a link"):
        read_bundle(path)


def test_a_zip_bomb_is_not_unpacked(path: Path) -> None:
    members = dict.fromkeys((bundles.MANIFEST, *bundles.PARTS[1:]), b"x")
    with zipfile.ZipFile(path, "w") as archive:
        archives.add_members(archive, members)
        archive.writestr("model.tflite", b"\0" * 10**7, zipfile.ZIP_DEFLATED)
    with pytest.raises(ExportError, match="is compressed"):
        read_bundle(path)


def test_an_over_large_member_is_not_read(path: Path) -> None:
    with pytest.raises(ExportError, match=r"'labels.txt' unpacks to .* at most"):
        read_bundle(rewritten(path, **{"labels.txt": b"x" * (bundles.LARGEST["labels.txt"] + 1)}))


def test_a_member_that_states_more_than_it_holds(path: Path) -> None:
    """The zip's directory lies about the model's size, the bundle is small."""
    content = bytearray(path.read_bytes())
    at = content.rindex(b"model.tflite") - 46  # its entry in the central directory
    content[at + 20 : at + 28] = (10**9).to_bytes(4, "little") * 2
    path.write_bytes(bytes(content))
    with pytest.raises(ExportError, match="larger than the bundle"):
        read_bundle(path)


@pytest.mark.parametrize(("at", "more", "said"), [(8, 1, "is encrypted"), (20, -1, "is damaged")])
def test_a_member_that_zipfile_refuses(path: Path, at: int, more: int, said: str) -> None:
    """Its entry in the directory says that it is encrypted, or two sizes."""
    content = bytearray(path.read_bytes())
    content[content.rindex(b"model.tflite") - 46 + at] += more
    path.write_bytes(bytes(content))
    with pytest.raises(ExportError, match=said):
        read_bundle(path)


def test_pickles_are_not_read(path: Path) -> None:
    import hashlib
    import pickle

    evil = b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    evil = evil.ljust(127) + b"\n" + pickle.dumps([1])
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read(bundles.MANIFEST))
    manifest["parts"]["golden_inputs.npy"] = {
        "sha256": hashlib.sha256(evil).hexdigest(),
        "bytes": len(evil),
    }
    changes = {bundles.MANIFEST: json.dumps(manifest).encode(), "golden_inputs.npy": evil}
    with pytest.raises(ExportError, match=r"golden_inputs.npy is no array"):
        read_bundle(rewritten(path, **changes))


def test_another_schema_and_nonsense(path: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read(bundles.MANIFEST))
    content = path.read_bytes()
    manifest["schema_version"] = 9
    changed = json.dumps(manifest).encode()
    with pytest.raises(ExportError, match="schema version 9"):
        read_bundle(rewritten(path, **{bundles.MANIFEST: changed}))
    for nonsense in (b"[]", b"{", b'{"schema_version": 1}', b'{"schema_version": 1, "parts": 3}'):
        path.write_bytes(content)
        with pytest.raises(ExportError, match=r"bundle\.json"):
            read_bundle(rewritten(path, **{bundles.MANIFEST: nonsense}))
    with pytest.raises(ExportError, match="is not there"):
        read_bundle(tmp_path / "nowhere.zip")


def told(path: Path, **fields: object) -> Path:
    """The bundle with other fields in its manifest; ``input__dtype`` is a field of ``input``."""
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read(bundles.MANIFEST))
    for name, value in fields.items():
        *outer, last = name.split("__")
        place = manifest[outer[0]] if outer else manifest
        place[last] = value
    return rewritten(path, **{bundles.MANIFEST: json.dumps(manifest).encode()})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("format", "int4", "float32 or float16 or dynamic or int8"),
        ("format", ["int8"], "float32 or"),
        ("tolerance__max_difference", 1e9, "a number from 0 to 0.15"),
        ("tolerance__max_difference", 0.2, "a number from 0 to 0.15"),
        ("tolerance__max_difference", -0.1, "a number from 0"),
        ("tolerance__max_difference", 10**400, "a number from 0"),
        ("tolerance__max_difference", "0.1", "a number from 0"),
        ("tolerance__max_difference", True, "a number from 0"),
        ("tolerance__label_agreement", 0.0, "a number from 0.75 to 1"),
        ("tolerance__label_agreement", None, "a number from 0.75"),
        ("tolerance", [], "an object"),
        ("output_kind", "values", "probabilities or logits"),
        ("output_kind", 3, "probabilities or logits"),
        ("min_runtime", "two", "a release such as 2.14.0"),
        ("min_runtime", 2.14, "a release such as 2.14.0"),
        ("inputs_dtype", "object", "bool or uint8"),
        ("value_range", [1, 0], "the lowest first"),
        ("value_range", [0, "x"], "a finite number"),
        ("classes", "cat", "a list of texts"),
        ("classes", ["cat", "\ud800"], "a list of texts"),
        ("origin", "edge-00", "an object"),
        ("operators", [["ADD", "1", 1]], "a list of [name, version, count]"),
        ("input__shape", [1, -2, 2, 1], "a list of sizes"),
        ("input__dtype", "|O", "bool or uint8"),
        ("input__scale", 0, "a number above 0"),
        ("output__zero_point", 0.5, "a whole number"),
    ],
)
def test_a_field_that_is_not_what_it_must_be(
    path: Path, name: str, value: object, expected: str
) -> None:
    said = (
        rf"bundle\.json is not sound: {name.replace('__', '.')} is .*expected {re.escape(expected)}"
    )
    with pytest.raises(ExportError, match=said):
        read_bundle(told(path, **{name: value}))


def test_fields_that_are_missing_or_unknown(path: Path) -> None:
    content = path.read_bytes()
    with pytest.raises(ExportError, match=r"tolerance\.most is unknown"):
        read_bundle(told(path, tolerance__most=1))
    path.write_bytes(content)
    with pytest.raises(ExportError, match=r"sound: \[2J is unknown"):
        read_bundle(told(path, **{"\x1b[2J": 1}))
    path.write_bytes(content)
    with pytest.raises(ExportError, match=r"tolerance\.label_agreement is missing"):
        read_bundle(told(path, tolerance={"max_difference": 0.1}))
    path.write_bytes(content)
    assert read_bundle(told(path, min_runtime=None)).info.min_runtime is None


@pytest.mark.parametrize("outputs", [np.full((3, 2), np.nan, np.float32), np.zeros((3, 2), int)])
def test_golden_outputs_must_be_finite(tmp_path: Path, outputs: np.ndarray) -> None:
    write_bundle(tmp_path / "b.zip", replace(made(), golden_outputs=outputs))
    with pytest.raises(ExportError, match="no finite numbers"):
        read_bundle(tmp_path / "b.zip")


def test_there_must_be_golden_pairs(tmp_path: Path) -> None:
    none = replace(
        made(), golden_inputs=made().golden_inputs[:0], golden_outputs=made().golden_outputs[:0]
    )
    write_bundle(tmp_path / "b.zip", none)
    with pytest.raises(ExportError, match="don't fit"):
        read_bundle(tmp_path / "b.zip")


def test_golden_outputs_must_fit(tmp_path: Path) -> None:
    wrong = replace(made(), golden_outputs=np.zeros((3, 5), np.float32))
    write_bundle(tmp_path / "b.zip", wrong)
    with pytest.raises(ExportError, match="don't fit 2 classes"):
        read_bundle(tmp_path / "b.zip")
