"""What the page holds by which a tab takes part."""

import json
import re
from pathlib import PurePosixPath

from export.web.contents import INDEX, policy_of
from export.web.joining import FILES, WORKER, joining_contents


def test_everything_that_the_page_asks_for_is_there() -> None:
    contents = joining_contents()
    html = contents[INDEX].decode()
    named = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert named
    assert set(named) <= set(contents)
    for name, content in contents.items():
        if name.endswith(".js") and name.startswith("page/"):
            for target in re.findall(r'(?:from|import\() ?"(\.[^"]+)"', content.decode()):
                parts: list[str] = []
                for part in (PurePosixPath(name).parent / target).parts:
                    parts = parts[:-1] if part == ".." else [*parts, part]
                assert "/".join(parts) in contents, f"{name} imports {target}"


def test_the_worker_keeps_all_of_it_and_its_version_follows_the_files() -> None:
    contents = joining_contents()
    listed = re.fullmatch(r"self\.PAGE = (.*);\n", contents[FILES].decode())
    assert listed is not None
    said = json.loads(listed[1])
    assert set(said["files"]) == set(contents) - {WORKER, FILES}
    assert INDEX in said["files"]
    assert said["version"] == json.loads(listed[1])["version"]
    assert len(said["version"]) == 64
    assert "worker-src" not in policy_of(contents[INDEX])  # script-src 'self' lets it in
