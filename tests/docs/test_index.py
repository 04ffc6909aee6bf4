"""Whoever looks for a document finds it: the index names each once, by its kind."""

import re
from collections import Counter

from tests.docs.commands import ROOT

DOCS = ROOT / "docs"
LINK = re.compile(r"\]\(([^)#]+)\)")


def linked() -> Counter[str]:
    return Counter(LINK.findall((DOCS / "README.md").read_text(encoding="utf-8")))


def test_every_document_is_in_the_index_once() -> None:
    there = {str(file.relative_to(DOCS)) for folder in (DOCS, DOCS / "papers") for file in folder.glob("*.md")}
    index = linked()
    assert {name: index[name] for name in there - {"README.md"} if index[name] != 1} == {}


def test_each_folder_of_many_pages_is_in_the_index() -> None:
    folders = {"alerts/", "decisions/README.md", "runbooks/", "schemas/", "examples/"}
    assert folders - linked().keys() == set()


def test_the_first_page_leads_to_the_index() -> None:
    assert "docs/README.md" in LINK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
