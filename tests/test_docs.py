"""The generated parts of the documents are what the code says, and the check for it can fail."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def check(root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "docs" / "generate.py"), "--check"]
    path = {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, env=path)


def test_the_generated_documents_are_current() -> None:
    done = check(ROOT)
    assert (done.stderr, done.returncode) == ("", 0)


def test_a_stale_a_missing_and_a_foreign_file_are_each_named(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    bookings = tmp_path / "docs" / "bookings.md"
    bookings.write_text(bookings.read_text().replace("key_taken", "key_stolen", 1))
    asyncapi = tmp_path / "docs" / "asyncapi.json"
    asyncapi.write_text(asyncapi.read_text().replace('"retain": true', '"retain": false', 1))
    drivers = tmp_path / "docs" / "drivers.md"
    drivers.write_text(drivers.read_text().replace("class WiegandReader", "class OtherReader", 1))
    (tmp_path / "docs" / "configuration.md").unlink()
    (tmp_path / "docs" / "schemas" / "hologram.schema.json").write_text("{}")
    done = check(tmp_path)
    assert done.returncode == 1
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == [
        "docs/asyncapi.json",
        "docs/bookings.md",
        "docs/configuration.md",
        "docs/drivers.md",
        "docs/schemas/hologram.schema.json",
    ]


def test_links_between_documents_lead_somewhere() -> None:
    links = [
        (document, target)
        for document in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
        if "://" not in target
    ]
    assert links, "there are links to look at"
    assert [link for link in links if not (link[0].parent / link[1]).exists()] == []
