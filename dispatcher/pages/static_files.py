"""What the pages load: style, scripts, icon, under an address with the digest of all of them, kept for a year."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from dispatcher.pages.words import WORDS
from dispatcher.pages.words.catalogue import Language

FOLDER = Path(__file__).parent / "static"
PREFIX = "/static"
DIGEST_CHARACTERS = 12  # 48 bits: told apart are the few versions that one browser has seen
MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
)


@dataclass(frozen=True, slots=True)
class StaticFile:
    body: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class StaticFiles:
    digest: str
    files: Mapping[str, StaticFile]

    def address(self, name: str) -> str:
        """The path of a file; scripts find one another beside it."""
        assert name in self.files, name
        return f"{PREFIX}/{self.digest}/{name}"


@cache
def static_files() -> StaticFiles:
    """Those of this program, read once."""
    bodies = {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.suffix in MEDIA_TYPES}
    bodies |= {f"words-{language}.js": _words_module(language) for language in Language}
    digest = hashlib.sha256()
    for name, body in bodies.items():
        digest.update(f"{name} {len(body)} ".encode() + body)
    files = {name: StaticFile(body, MEDIA_TYPES[Path(name).suffix]) for name, body in bodies.items()}
    return StaticFiles(digest.hexdigest()[:DIGEST_CHARACTERS], MappingProxyType(files))


def _words_module(language: Language) -> bytes:
    """What scripts say, as a module of theirs."""
    words = WORDS[language]
    of_boxes = {str(reason): text for reason, text in words.desk.station_reasons.items()}
    reasons = of_boxes | {str(reason): text for reason, text in words.reasons.items()}
    said = {"said": dict(words.script), "reasons": reasons}
    return f"export default {json.dumps(said, ensure_ascii=False, sort_keys=True)};\n".encode()
