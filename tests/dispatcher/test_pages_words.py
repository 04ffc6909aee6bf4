"""The catalogues: the same phrases in both languages, all of them used, none of them missing."""

import re
import string
from collections.abc import Iterator, Mapping
from dataclasses import fields
from operator import attrgetter
from pathlib import Path

import pytest

import dispatcher.pages
from dispatcher.api.problems import PROBLEMS
from dispatcher.core.incidents import IncidentKind
from dispatcher.pages.words import WORDS
from dispatcher.pages.words.catalogue import KindWords, Language, Words
from dispatcher.pages.words.desk import DeskWords

FOLDER = Path(dispatcher.pages.__file__).parent
NAMES = [field.name for field in fields(Words) if field.name != "desk"]
NAMES += [f"desk.{field.name}" for field in fields(DeskWords)]


def test_no_phrase_is_unused() -> None:
    files = [path for path in FOLDER.rglob("*") if path.suffix in {".html", ".py"} and path.parent.name != "words"]
    text = "".join(path.read_text() for path in files)
    assert [name for name in NAMES if not re.search(rf"\b(w|words)\.{re.escape(name)}\b", text)] == []


def test_no_phrase_of_the_scripts_is_unused_and_none_is_missing() -> None:
    text = "".join(path.read_text() for path in FOLDER.glob("static/*.js"))
    said = set(re.findall(r"words\.said\.(\w+)", text))
    assert [set(words.script) for words in WORDS.values()] == [said, said]


@pytest.mark.parametrize("language", Language)
def test_every_kind_and_every_reason_has_its_words(language: Language) -> None:
    words = WORDS[language]
    assert set(words.kinds) == set(IncidentKind)
    assert set(words.reasons) == set(PROBLEMS)


def _phrases(words: Words) -> Iterator[tuple[str, str]]:
    """Every phrase by where it stands."""
    for name in NAMES:
        value = attrgetter(name)(words)
        if isinstance(value, Mapping):
            for key, inner in value.items():
                parts = (inner.name, inner.by_itself, inner.advice) if isinstance(inner, KindWords) else (inner,)
                yield from ((f"{name}.{key}.{number}", text) for number, text in enumerate(parts))
        elif isinstance(value, tuple):
            yield from ((f"{name}.{number}", text) for number, text in enumerate(value))
        else:
            yield name, value


def _gaps(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_both_languages_say_the_same_things_with_the_same_gaps() -> None:
    french, english = (dict(_phrases(WORDS[language])) for language in (Language.FR, Language.EN))
    assert french.keys() == english.keys()
    assert [name for name in french if not french[name].strip() or not english[name].strip()] == []
    assert [name for name in french if _gaps(french[name]) != _gaps(english[name])] == []


def test_french_is_french() -> None:
    """A phrase that was copied and forgotten is the same in both; these few really are."""
    french, english = (dict(_phrases(WORDS[language])) for language in (Language.FR, Language.EN))
    same = {name for name in french if french[name] == english[name]}
    names = {"language_names.fr.0", "language_names.en.0", "severities.urgent.0", "stations", "purposes.garage.0"}
    assert same <= {"minutes", "hours", "day", *names}
