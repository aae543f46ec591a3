"""Changes that keep a file's hashes, lengths and checksums right, so that readers look further.

Each takes the bytes of a file and a random generator, and returns other bytes.
"""

import hashlib
import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any

Mutate = Callable[[bytes], bytes]  # any change of bytes, as the fuzzer makes them

_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 127, 255, 2**31 - 1, 2**31, -(2**31), 2**53, 2**53 + 1),
    *(2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**310, 0.5, -0.0, 1e-310, 1e300, 1.7e308),
    *(float("nan"), float("inf"), -float("inf")),
    *(
        "",
        "x",
        "[/x]",
        "[red]",
        "\x1b[2J",
        "\ud800",
        "a\nb",
        "../../x",
        "/etc/passwd",
        "\0",
        "é" * 300,
    ),
    *([], {}, [[]], [{}], {"": None}, [0] * 20, [[[[[[[[[]]]]]]]]], "x" * 5000),
)


def mutated_json(content: bytes, rng: random.Random) -> bytes:
    """JSON with one or a few places changed; what is no JSON stays as it is."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return content
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        value = mutated_value(value, rng)
    return json.dumps(value).encode("utf-8", "surrogatepass")


def mutated_value(value: Any, rng: random.Random) -> Any:
    """A JSON value with one place changed."""
    places: list[tuple[Any, Any]] = []
    waiting: list[Any] = [value]
    while waiting and len(places) < 5000:
        at = waiting.pop()
        keys = at.keys() if isinstance(at, dict) else range(len(at)) if isinstance(at, list) else ()
        for key in keys:
            places.append((at, key))
            waiting.append(at[key])
    if not places:
        return rng.choice(_VALUES)
    holder, key = rng.choice(places)
    match rng.randrange(8):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, list):
            holder.insert(rng.randint(0, len(holder)), holder[key])
        case 1:
            holder[rng.choice(("", "x", "edge", str(key) + "x"))] = holder.pop(key)
        case 2:
            other, place = rng.choice(places)
            if _depth(other[place]) < 20:
                holder[key] = json.loads(json.dumps(other[place]))
        case 3 if type(holder[key]) is int:
            holder[key] += rng.choice((-1, 1, -256, 2**31))
        case 4 if isinstance(holder[key], str):
            at = rng.randint(0, len(holder[key]))
            holder[key] = (
                holder[key][:at] + rng.choice(("\x1b", "[/x]", "\n", "é", "/")) + holder[key][at:]
            )
        case _:
            holder[key] = json.loads(json.dumps(rng.choice(_VALUES)))
    return value


def _depth(value: Any) -> int:
    members = (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    )
    return 1 + max(map(_depth, members), default=0)


def mutated_tensors(
    content: bytes,
    rng: random.Random,
    mutate: Mutate,
    key: str,
    seal: Callable[[bytes], bytes] = lambda file: file,
) -> bytes:
    """A safetensors file with a change in its header, in its metadata, or in its arrays.

    Args:
        content: the file.
        rng: what is changed.
        mutate: changes bytes.
        key: of the metadata's entry, which holds JSON as a text.
        seal: writes the hash anew that the file has of itself.
    """
    length = int.from_bytes(content[:8], "little")
    header, body = content[8 : 8 + length], content[8 + length :]
    try:
        parsed = json.loads(header)
        inner = parsed["__metadata__"][key].encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return mutate(content)
    match rng.randrange(5):
        case 0:
            body = mutate(body)
        case 1:
            header = mutated_json(header, rng)
        case 2:
            return (
                struct.pack("<Q", max(0, length + rng.choice((-8, -1, 1, 8, 2**24, 2**62))))
                + content[8:]
            )
        case _:
            parsed["__metadata__"][key] = mutated_json(inner, rng).decode("utf-8", "surrogatepass")
            header = json.dumps(parsed).encode("utf-8", "surrogatepass")
    header += b" " * (-len(header) % 8)
    return seal(struct.pack("<Q", len(header)) + header + body)


def mutated_zip(
    content: bytes,
    rng: random.Random,
    mutate: Mutate,
    change: Callable[[str, bytes], bytes],
    mend: Callable[[dict[str, bytes]], Mapping[str, bytes]] = lambda members: members,
) -> bytes:
    """A zip with a member changed, left out, or renamed, or with a change of its directory.

    Args:
        content: the file.
        rng: what is changed.
        mutate: changes bytes.
        change: changes one member, by its name.
        mend: makes the members fit each other again, by hashes.
    """
    members = unzipped(content)
    if not members:
        return mutate(content)
    name = rng.choice(sorted(members))
    match rng.randrange(10):
        case 0:
            del members[name]
        case 1:
            members[rng.choice(("x", "../x", "/x", "", "a/b", name + "x", "é"))] = members.pop(name)
        case 2:
            at = content.rfind(b"PK\x01\x02", 0, rng.randint(1, len(content)))
            at = max(0, at)
            return content[:at] + mutate(content[at : at + 46]) + content[at + 46 :]
        case 3:
            at = max(0, content.rfind(b"PK\x05\x06"))
            return content[:at] + mutate(content[at:])
        case _:
            members[name] = change(name, members[name])
    kind = zipfile.ZIP_DEFLATED if rng.randrange(8) == 0 else zipfile.ZIP_STORED
    return zipped(mend(members), kind)


def unzipped(content: bytes) -> dict[str, bytes]:
    """The members of a sound zip; of any other, none."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > 2**22:
                return {}
            return {entry.filename: archive.read(entry) for entry in archive.infolist()}
    except Exception:  # zipfile raises many kinds
        return {}


def zipped(members: Mapping[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    """A zip of members, with a fixed time."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", kind) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content, kind)
    return stream.getvalue()


def parts_mended(members: dict[str, bytes]) -> dict[str, bytes]:
    """A bundle's members with the hashes that its manifest must list of them."""
    try:
        manifest = json.loads(members["bundle.json"])
        for name in manifest["parts"]:
            content = members[name]
            manifest["parts"][name] = {
                "sha256": hashlib.sha256(content).hexdigest(),
                "bytes": len(content),
            }
        if "labels.txt" in members and all(isinstance(each, str) for each in manifest["classes"]):
            labels = "".join(f"{each}\n" for each in manifest["classes"]).encode()
            members["labels.txt"] = labels
            manifest["parts"]["labels.txt"] = {
                "sha256": hashlib.sha256(labels).hexdigest(),
                "bytes": len(labels),
            }
        members["bundle.json"] = json.dumps(manifest).encode()
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    return members


_DESCRIPTIONS = (
    *("<f4", ">f4", "<f8", "<f2", "|u1", "|i1", "<i8", "<u8", "|b1", "<c8", "|O", "|V0", "|S0"),
    *("|S5", "<U0", "<U3", "<U99999999", "<M8[s]", "<m8", "<f16", "|V8", "<i3", "x", ""),
)
_SIZES = (0, 1, 2, -1, 3, 64, 2**31, 2**62, 2**63, 10**30)


def mutated_npy(content: bytes, rng: random.Random, mutate: Mutate) -> bytes:
    """An ``.npy`` file with a change in its header or in its values."""
    length = int.from_bytes(content[8:10], "little")
    header, body = content[10 : 10 + length].decode("latin1"), content[10 + length :]
    try:
        said: dict[str, Any] = dict(_evaluated(header))
        sizes = list(said["shape"])
    except (KeyError, ValueError, TypeError):
        return mutate(content)
    match rng.randrange(6):
        case 0:
            body = mutate(body)
        case 1:
            said["descr"] = rng.choice(_DESCRIPTIONS)
        case 2:
            sizes = sizes or [1]
            sizes[rng.randrange(len(sizes))] = rng.choice(_SIZES)
            said["shape"] = tuple(sizes)
        case 3:
            extra = tuple(rng.choice(_SIZES[:6]) for _ in range(rng.choice((1, 2, 40))))
            said["shape"] = rng.choice(((), extra, (*sizes, 1), tuple(sizes[1:])))
        case 4:
            said["fortran_order"] = rng.choice((True, 1, None, "x"))
        case _:
            header = mutate(header.encode("latin1")).decode("latin1")
            said = {}
    text = (repr(said) if said else header).encode("latin1", "replace")[: 2**16 - 1]
    return content[:8] + struct.pack("<H", len(text)) + text + body


def _evaluated(header: str) -> Any:
    import ast

    try:
        return ast.literal_eval(header.strip())
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError("no header") from error


def mutated_png(content: bytes, rng: random.Random, mutate: Mutate) -> bytes:
    """A PNG with a change in one chunk, its checksum right."""
    chunks = []
    at = 8
    while at + 12 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        chunks.append([content[at + 4 : at + 8], content[at + 8 : at + 8 + size]])
        at += 12 + size
    if not content.startswith(b"\x89PNG") or not chunks:
        return mutate(content)
    chosen = rng.randrange(len(chunks))
    match rng.randrange(6):
        case 0:
            kinds = (
                b"iCCP",
                b"tRNS",
                b"gAMA",
                b"eXIf",
                b"PLTE",
                b"acTL",
                b"zTXt",
                b"IEND",
                b"IHDR",
            )
            chunks.insert(chosen + 1, [rng.choice(kinds), mutate(chunks[chosen][1])[:200]])
        case 1:
            del chunks[chosen]
        case 2:
            size = rng.choice((0, 1, 8, 4000, 2**16, 2**31 - 1))
            place = rng.choice((0, 4))
            head = chunks[0][1]
            chunks[0][1] = head[:place] + struct.pack(">I", size) + head[place + 4 :]
        case 3:
            spot = rng.randint(8, 12)
            head = chunks[0][1]
            value = rng.choice(
                (b"\0", b"\1", b"\2", b"\3", b"\4", b"\6", b"\x08", b"\x10", b"\xff")
            )
            chunks[0][1] = head[:spot] + value + head[spot + 1 :]
        case _:
            chunks[chosen][1] = mutate(chunks[chosen][1])
    made = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return content[:8] + made


_CELLS = (
    *(
        "",
        "nan",
        "inf",
        "-inf",
        "1e400",
        "1e-400",
        "1_0",
        "١",
        '"',
        '""',
        '"a',
        'a"b',
        "0x1f",
        " 1 ",
    ),
    *("9" * 400, "\0", "\r", "\n", ";", "\t", "﻿", "[/x]", "x" * 300, "é", "label", "1,5", "-0"),
)


def mutated_table(content: bytes, rng: random.Random, mutate: Mutate) -> bytes:
    """A CSV file with a cell, a row or a column changed."""
    rows = [line.split(b",") for line in content.split(b"\n")]
    at = rng.randrange(len(rows))
    cell = rng.randrange(len(rows[at]))
    match rng.randrange(7):
        case 0:
            rows.insert(at, list(rows[rng.randrange(len(rows))]))
        case 1:
            del rows[at]
        case 2:
            rows[at].insert(cell, rng.choice(_CELLS).encode())
        case 3:
            for row in rows:
                del row[cell : cell + 1]
        case 4:
            rows[0][rng.randrange(len(rows[0]))] = rng.choice(_CELLS).encode()
        case 5:
            rows[at][cell] = mutate(rows[at][cell])
        case _:
            rows[at][cell] = rng.choice(_CELLS).encode()
    return rng.choice((b"\n", b"\n", b"\n", b"\r\n", b"\r")).join(map(b",".join, rows))


_WORDS = (0, 1, 2, 3, 4, 8, 16, 127, 255, 2**15, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


def mutated_words(content: bytes, rng: random.Random, mutate: Mutate) -> bytes:
    """A flatbuffer with an offset, a length or a number of it changed, where those lie."""
    if len(content) < 16 or rng.randrange(4) == 0:
        return mutate(content)
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5))):
        size = rng.choice((1, 2, 4, 4))
        at = rng.randrange(len(changed) // size) * size
        old = int.from_bytes(changed[at : at + size], "little")
        new = rng.choice(
            (*_WORDS, old + 4, old - 4, old + 1, old - 1, old * 2, rng.randrange(len(content)))
        )
        changed[at : at + size] = (new % 256**size).to_bytes(size, "little")
    return bytes(changed)
