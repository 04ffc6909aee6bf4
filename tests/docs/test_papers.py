"""The papers on personal data say what the program does, and the notice the same in both languages."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dispatcher.core.retention import Retention
from dispatcher.store.limits import LIMITS
from tests.docs.commands import ROOT

PAPERS = ROOT / "docs" / "papers"
GENERATED = re.compile(r"<!-- limits: .*?<!-- end -->", re.DOTALL)
LIMITED = re.compile(r"^\| how long[^|]*\|(.*)\|$", re.MULTILINE)
PAGE = re.compile(rb"/Type\s*/Page\b")


def activities() -> str:
    """What the register says by hand of how long things are kept."""
    return " ".join(LIMITED.findall(GENERATED.sub("", (PAPERS / "register.md").read_text(encoding="utf-8"))))


def notice(language: str) -> str:
    text = (PAPERS / "notice.html").read_text(encoding="utf-8")
    (section,) = re.findall(rf'<section lang="{language}">(.*?)</section>', text, re.DOTALL)
    return str(section)


def test_each_limit_belongs_to_an_activity_of_the_register() -> None:
    named = set(re.findall(r"`(\w+)`", activities()))
    assert {limit.name for limit in LIMITS} == named, "put it where docs/papers/register.md says how long"


def test_the_notice_says_the_same_in_both_languages() -> None:
    french, english = notice("fr"), notice("en")
    for part in (r"<h2>", r"<li>", r"\[[^\]]+\]"):
        assert len(re.findall(part, french)) == len(re.findall(part, english)), part
    periods = re.findall(r"(\d+) jours", french)
    assert periods == re.findall(r"(\d+) days", english)
    assert str(Retention().who_held_days) in periods


@pytest.mark.long
def test_the_notice_is_one_sheet_of_a4(tmp_path: Path) -> None:
    sheet = tmp_path / "notice.pdf"
    chromium = [shutil.which("chromium") or "chromium", "--headless", "--no-sandbox", "--disable-gpu"]
    subprocess.run(
        [*chromium, f"--user-data-dir={tmp_path}", f"--print-to-pdf={sheet}", str(PAPERS / "notice.html")],
        check=True,
        capture_output=True,
        timeout=60,
    )
    printed = sheet.read_bytes()
    assert len(PAGE.findall(printed)) == 1
    (width, height), *_ = re.findall(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", printed)
    assert (round(float(width)), round(float(height))) == (595, 842)
