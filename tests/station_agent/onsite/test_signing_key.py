import os
import stat
from pathlib import Path

import pytest

from contract.envelope import private_key_from_pem, public_key_text
from runtime.config import ConfigError
from station_agent.cli import main
from station_agent.onsite.signing_key import signing_key


def test_a_key_is_made_once_for_its_owners_eyes(tmp_path: Path) -> None:
    path = tmp_path / "signing-key.pem"
    public = signing_key(path, os.urandom)
    pem = path.read_bytes()
    assert public == public_key_text(private_key_from_pem(pem))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert signing_key(path, os.urandom) == public
    assert path.read_bytes() == pem


def test_two_boxes_have_two_keys(tmp_path: Path) -> None:
    assert signing_key(tmp_path / "one", os.urandom) != signing_key(tmp_path / "other", os.urandom)


def test_half_a_key_from_a_power_cut_is_no_key(tmp_path: Path) -> None:
    path, half = tmp_path / "signing-key.pem", tmp_path / "signing-key.pem.new"
    half.write_bytes(b"-----BEGIN")
    public = signing_key(path, os.urandom)
    assert public == public_key_text(private_key_from_pem(path.read_bytes()))
    assert not half.exists()


def test_what_is_no_key_is_named_and_left(tmp_path: Path) -> None:
    path = tmp_path / "signing-key.pem"
    path.write_bytes(b"lost")
    with pytest.raises(ConfigError, match=r"signing-key\.pem: .*; it was left as it is"):
        signing_key(path, os.urandom)
    assert path.read_bytes() == b"lost"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere/key: cannot be used: No such file or directory"):
        signing_key(tmp_path / "nowhere" / "key", os.urandom)


def test_the_command_prints_the_public_half_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "key"
    assert main(["signing-key", str(path)]) == 0
    assert capsys.readouterr().out == f"{signing_key(path, os.urandom)}\n"
    assert main(["signing-key", str(tmp_path)]) == 2
    assert "Is a directory" in capsys.readouterr().err
