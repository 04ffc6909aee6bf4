from pathlib import Path

import pytest

from runtime.config import ConfigError, Settings, load_toml
from runtime.paths import LocalFile, NewFile


class Program(Settings):
    key: LocalFile | None = None
    journal: NewFile | None = None


def read(folder: Path, text: str) -> Program:
    (folder / "program.toml").write_text(text)
    return load_toml(folder / "program.toml", Program)


def test_relative_paths_start_at_the_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "key").touch()
    program = read(tmp_path, 'key = "key"\njournal = "journal.sqlite"\n')
    assert (program.key, program.journal) == (tmp_path / "key", tmp_path / "journal.sqlite")


def test_they_do_so_when_the_file_itself_is_named_relatively(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").touch()
    (tmp_path / "program.toml").write_text('key = "key"\n')
    monkeypatch.chdir(tmp_path)
    assert load_toml(Path("program.toml"), Program).key == tmp_path / "key"


def test_absolute_paths_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "key").touch()
    assert read(tmp_path, f'key = "{tmp_path / "key"}"\n').key == tmp_path / "key"


def test_what_must_be_there_and_is_not_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="key = 'no': expected a file; there is none at"):
        read(tmp_path, 'key = "no"\n')
    with pytest.raises(ConfigError, match=r"journal = 'no/journal': expected a path in a folder that exists"):
        read(tmp_path, 'journal = "no/journal"\n')
