"""Letters: files in pieces, hashed whole at both ends, taken up again where a line was cut."""

import json
from pathlib import Path

import pytest

from ecavg_tf.core.messages import letters
from ecavg_tf.core.messages.letters import Letter, Piece, Shelf, decode_letter, encode_letter

CONTENT = bytes(range(256)) * 40  # 10,240 bytes


@pytest.fixture
def shelves(tmp_path: Path) -> tuple[Shelf, Shelf]:
    for name in ("from", "to"):
        (tmp_path / name).mkdir()
    (tmp_path / "from" / "0001-update.safetensors").write_bytes(CONTENT)
    return Shelf(tmp_path / "from"), Shelf(tmp_path / "to")


def test_a_letter_comes_back_as_it_was_written() -> None:
    piece = Piece("a.json", "0" * 64, 10, 4, b"abcdef")
    text, data = encode_letter(Letter({"wait_s": 1.5}, [piece, piece]))
    letter = decode_letter(text, data)
    assert (letter.told["wait_s"], list(letter.pieces)) == (1.5, [piece, piece])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"protocol": 2}, r"the other end has ecavg-tf .* \(protocol 2\), .* the same version on"),
        ({"version": "9.9"}, r"the other end has ecavg-tf 9\.9"),
        ({"pieces": [["../a", "0" * 64, 3, 0, 3]]}, "a file's name without folders"),
        ({"pieces": [[".a", "0" * 64, 3, 0, 3]]}, "a file's name without folders"),
        ({"pieces": [["a", "0" * 64, 3, 1, 3]]}, "a part of the file"),
        ({"pieces": [["a", "0" * 64, 3, 0, 3], ["a"]]}, "of a piece"),
        ({"pieces": []}, "its pieces have 0 bytes, 3 came"),
        ({"pieces": [["a", "no hash", 3, 0, 3]]}, "sha256"),
    ],
)
def test_a_letter_that_is_none_of_ours_is_refused(changes: dict[str, object], said: str) -> None:
    text, data = encode_letter(Letter({}, [Piece("a", "0" * 64, 3, 0, b"abc")]))
    with pytest.raises(ValueError, match=said):
        decode_letter(json.dumps({**json.loads(text), **changes}), data)


def test_a_file_travels_in_pieces_and_appears_whole(shelves: tuple[Shelf, Shelf]) -> None:
    source, target = shelves
    name, turns = "0001-update.safetensors", 0
    while name not in target.files():
        pieces, left = source.cut([name], target.parts(), room=3000)
        assert left == (turns < 3)
        for piece in pieces:
            assert len(piece.data) <= 3000
            target.take(piece)
        turns += 1
    assert turns == 4  # of 10,240 bytes
    assert (target.folder / name).read_bytes() == CONTENT
    assert target.parts() == {}


def test_a_broken_transfer_goes_on_where_it_stopped(shelves: tuple[Shelf, Shelf]) -> None:
    source, target = shelves
    name = "0001-update.safetensors"
    pieces, _ = source.cut([name], {}, room=6000)
    target.take(pieces[0])
    again = Shelf(target.folder)  # another process
    assert again.parts()[name] == (source.files()[name], 6000)
    assert not again.take(pieces[0])  # the same piece, twice: passed over
    pieces, left = source.cut([name], again.parts())
    assert (pieces[0].offset, left) == (6000, False)
    assert again.take(pieces[0])
    assert (again.folder / name).read_bytes() == CONTENT


def test_a_file_that_was_damaged_on_its_way_never_appears(shelves: tuple[Shelf, Shelf]) -> None:
    source, target = shelves
    name = "0001-update.safetensors"
    first, second = (source.piece(name, source.files()[name], at, 6000) for at in (0, 6000))
    target.take(Piece(name, first.sha256, first.size, 0, b"x" + first.data[1:]))
    with pytest.raises(ValueError, match=r"damaged on its way \(SHA-256\); it is sent again"):
        target.take(second)
    assert (target.files(), target.parts()) == ({}, {})
    target.take(first)
    assert target.take(second)


def test_a_file_that_changed_meanwhile_begins_again(shelves: tuple[Shelf, Shelf]) -> None:
    source, target = shelves
    name = "0001-update.safetensors"
    target.take(source.cut([name], {}, room=6000)[0][0])
    (source.folder / name).write_bytes(CONTENT[::-1])
    pieces, _ = source.cut([name], target.parts())
    assert pieces[0].offset == 0
    assert target.take(pieces[0])
    assert (target.folder / name).read_bytes() == CONTENT[::-1]


def test_a_removed_file_is_forgotten_unless_it_is_another_by_now(
    shelves: tuple[Shelf, Shelf],
) -> None:
    source, _ = shelves
    name = "0001-update.safetensors"
    source.forget({name: "0" * 64, "absent": "1" * 64})
    assert name in source.files()
    source.forget(source.files())
    assert source.files() == {}


def test_links_and_temporary_files_stay_where_they_are(shelves: tuple[Shelf, Shelf]) -> None:
    source, _ = shelves
    (source.folder / "link.json").symlink_to("/etc/hostname")
    (source.folder / ".ecavg-0123456789abcdef-a.json").write_text("{}")
    assert set(source.files()) == {"0001-update.safetensors"}


def test_the_room_of_a_letter_fits_flowers_messages() -> None:
    assert letters.ROOM <= 64 * 2**20
