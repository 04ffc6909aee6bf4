"""The command `dispatcher`: what it writes, and one clear line with exit status 2 for everything wrong."""

import json
import re
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from contract.credentials import cabinet_digest_key
from contract.envelope import private_key_from_pem, public_key_text
from dispatcher.api.scopes import Scope
from dispatcher.api.token_file import read_tokens
from dispatcher.cli import main
from dispatcher.config import load_config, read_keys
from dispatcher.store.migrate import pending
from runtime.config import ConfigError
from tests.dispatcher.network import NETWORK, TestClock

TEMPLATE = """\
namespace = "carshare"

[database]
url = "sqlite:///dispatcher.db"

[http]
port = 0
tokens_file = "keys/tokens"

[keys]
dispatcher_id = "centre"
signing_key_file = "keys/signing-key.pem"
digest_secret_file = "keys/digest-secret"
origin_key_file = "keys/origin-key"
"""

Output = tuple[int, str, str]
Run = Callable[..., Output]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object) -> Output:
        try:
            status = main([str(argument) for argument in arguments], clock=TestClock())
        except SystemExit as ended:
            status = int(ended.code or 0)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def folder(tmp_path: Path, run: Run) -> Path:
    """A configured dispatcher, its database not yet made."""
    status, _, _ = run("new-keys", tmp_path / "keys")
    assert status == 0
    (tmp_path / "dispatcher.toml").write_text(TEMPLATE)
    (tmp_path / "network.json").write_text(json.dumps(NETWORK), encoding="utf-8")
    return tmp_path


def _config(folder: Path) -> tuple[str, Path]:
    return "--config", folder / "dispatcher.toml"


def _fails(output: Output, pattern: str) -> None:
    """Exit status 2, nothing but one line that matches."""
    status, out, err = output
    assert (status, out) == (2, ""), output
    assert re.fullmatch(rf"dispatcher[^\n]*: {pattern}\n", err), err


# --- keys


def test_new_keys_are_ones_that_the_configuration_takes(folder: Path) -> None:
    config = load_config(folder / "dispatcher.toml")
    keys = read_keys(config.keys)
    pem = (folder / "keys" / "signing-key.pem").read_bytes()
    assert public_key_text(keys.public_key) == public_key_text(private_key_from_pem(pem))
    assert keys.signer.subject == "centre"
    assert len(keys.digest_secret) == 32


def test_new_keys_are_readable_by_their_owner_only(folder: Path) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder / "keys").iterdir()}
    assert modes == {"signing-key.pem": 0o600, "digest-secret": 0o600, "origin-key": 0o600, "tokens": 0o600}


def test_the_first_token_is_shown_once_and_kept_as_its_hash(tmp_path: Path, run: Run) -> None:
    _, out, _ = run("new-keys", tmp_path / "keys")
    token = re.search(r"API token, shown this once: (\S+)", out)
    assert token is not None
    line = f"first {sha256(token[1].encode()).hexdigest()} {','.join(sorted(Scope))} never"
    assert line in out
    text = (tmp_path / "keys" / "tokens").read_text()
    assert [kept for kept in text.splitlines() if not kept.startswith("#")] == [line]
    assert token[1] not in text
    (first,) = read_tokens(tmp_path / "keys" / "tokens")
    assert (first.name, first.scopes, first.expires_ms) == ("first", frozenset(Scope), None)


def test_keys_that_are_there_are_not_overwritten(folder: Path, run: Run) -> None:
    before = (folder / "keys" / "signing-key.pem").read_bytes()
    status, out, err = run("new-keys", folder / "keys")
    assert (status, out) == (2, "")
    assert err.count("is there already, and is not overwritten") == 4
    assert (folder / "keys" / "signing-key.pem").read_bytes() == before


def test_a_folder_that_cannot_be_made_is_named(folder: Path, run: Run) -> None:
    _fails(run("new-keys", folder / "network.json" / "keys"), ".*network.json.*: cannot be written: .*")


# --- the database and imports


def test_migrate_makes_the_database_and_has_nothing_to_do_afterwards(folder: Path, run: Run) -> None:
    status, out, _ = run("migrate", *_config(folder))
    assert status == 0
    assert out.startswith("applied 0001")
    assert pending(load_config(folder / "dispatcher.toml").database.url) == ()
    assert run("migrate", *_config(folder)) == (0, "nothing to do: the database is up to date\n", "")


def test_the_database_lies_beside_the_configuration_wherever_the_program_is_started(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    run("migrate", *_config(folder))
    assert (folder / "dispatcher.db").exists()


def test_an_import_says_what_it_did_and_the_second_time_that_nothing_changed(folder: Path, run: Run) -> None:
    run("migrate", *_config(folder))
    status, out, _ = run("import", *_config(folder), folder / "network.json")
    assert status == 0
    assert "members: 6 added, 0 changed, 0 unchanged\n" in out
    assert out.endswith("imported\n")
    _, again, _ = run("import", *_config(folder), folder / "network.json")
    assert "members: 0 added, 0 changed, 6 unchanged\n" in again


def test_a_checked_import_writes_nothing(folder: Path, run: Run) -> None:
    run("migrate", *_config(folder))
    for _ in range(2):
        status, out, _ = run("import", *_config(folder), "--check", folder / "network.json")
        assert status == 0
        assert "members: 6 added" in out
        assert out.endswith("checked, nothing was written\n")


def test_bad_rows_are_each_a_line_and_nothing_is_imported(folder: Path, run: Run) -> None:
    run("migrate", *_config(folder))
    (folder / "members.csv").write_text("id,name,standing\nm-1,A,actif\nm-2,B,active\nm 3,C,active\n")
    status, out, err = run("import", *_config(folder), folder / "network.json", folder / "members.csv")
    assert (status, out) == (2, "")
    lines = err.splitlines()
    assert len(lines) == 3
    assert f"{folder / 'members.csv'}:2: standing = 'actif': expected" in lines[0]
    assert f"{folder / 'members.csv'}:4: id = 'm 3': expected" in lines[1]
    assert lines[2] == "dispatcher: nothing was imported; faults: 2"
    assert "0 unchanged" in run("import", *_config(folder), folder / "network.json")[1]


def test_an_import_needs_a_database_that_is_up_to_date(folder: Path, run: Run) -> None:
    output = run("import", *_config(folder), folder / "network.json")
    _fails(output, ".*dispatcher.db: the database is not there or not up to date: run `dispatcher migrate`")
    assert not (folder / "dispatcher.db").exists()


def test_a_file_that_is_no_database_is_said_to_be_so(folder: Path, run: Run) -> None:
    (folder / "dispatcher.db").write_text("this is a letter, not a database" * 100)
    for command in (("migrate",), ("import", folder / "network.json")):
        _fails(run(command[0], *_config(folder), *command[1:]), "the database refuses: file is not a database")


# --- vouching for rows


def _forge(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "dispatcher.db")) as connection, connection:
        connection.execute(statement)


def test_rows_that_nobody_signed_stop_the_program_until_an_operator_vouches_for_them(
    folder: Path, run: Run
) -> None:
    run("migrate", *_config(folder))
    run("import", *_config(folder), folder / "network.json")
    for statement in ("UPDATE members SET origin = NULL", "DELETE FROM meta"):  # as a migration finds it
        _forge(folder, statement)
    nobody = (
        ".*origin_key_file: nobody has vouched for the rows of this database yet: see `dispatcher vouch --help`"
    )
    _fails(run("import", *_config(folder), folder / "network.json"), nobody)
    _fails(_as_a_program("serve", *_config(folder)), nobody)
    status, out, _ = run("vouch", *_config(folder), "--check")
    assert status == 0
    assert "members: 6 unsigned, 0 changed, 0 in order\n  members/m-alix is unsigned\n" in out
    assert out.endswith("checked, nothing was signed\n")
    _, out, _ = run("vouch", *_config(folder))
    assert "members: 6 unsigned, 0 changed, 0 in order\nbadges: 0 unsigned, 0 changed, 3 in order\n" in out
    assert out.endswith("signed: all of it counts as written by this program\n")
    assert "0 changed, 6 unchanged" in run("import", *_config(folder), folder / "network.json")[1]


def test_a_row_that_somebody_changed_is_named_and_no_badges_number(folder: Path, run: Run) -> None:
    run("migrate", *_config(folder))
    run("import", *_config(folder), folder / "network.json")
    _forge(folder, "UPDATE badges SET credential = 'calypso:00000000000000FF' WHERE id = 'b-alix'")
    _, out, _ = run("vouch", *_config(folder), "--check")
    assert "  badges/b-alix is changed past its signature\n" in out
    assert "calypso" not in out


def test_another_origin_key_is_refused_before_it_takes_every_right_away(folder: Path, run: Run) -> None:
    run("migrate", *_config(folder))
    run("import", *_config(folder), folder / "network.json")
    (folder / "keys" / "origin-key").write_text("ab" * 32)
    other = ".*origin_key_file: expected the key that the rows of this database were signed with; .*"
    _fails(run("import", *_config(folder), folder / "network.json"), other)
    _fails(_as_a_program("serve", *_config(folder)), other)


def test_a_badge_key_is_the_one_that_the_dispatcher_digests_with(folder: Path, run: Run) -> None:
    run("migrate", *_config(folder))
    run("import", *_config(folder), folder / "network.json")
    secret = bytes.fromhex((folder / "keys" / "digest-secret").read_text())
    status, out, _ = run("badge-key", *_config(folder), "--cabinet", "gare-1")
    assert (status, out) == (0, f"{cabinet_digest_key(secret, 'gare-1').hex()}\n")


def test_a_badge_key_is_given_for_known_cabinets_only(folder: Path, run: Run) -> None:
    run("migrate", *_config(folder))
    output = run("badge-key", *_config(folder), "--cabinet", "gare-2")
    _fails(output, "--cabinet 'gare-2': expected the id of an imported cabinet")


def test_a_member_is_given_out_as_json_and_that_is_recorded(folder: Path, run: Run) -> None:
    run("migrate", *_config(folder))
    run("import", *_config(folder), folder / "network.json")
    status, out, _ = run("member", "export", *_config(folder), "--reason", "asked by letter", "m-alix")
    assert status == 0
    document = json.loads(out)
    assert document["member"]["name"] == "Alix Dumont"
    assert [(entry["author"], entry["reason"]) for entry in document["audit"]] == [
        ("command-line", "asked by letter")
    ]


def test_nobody_is_given_out_who_is_no_member_and_nothing_is_recorded(folder: Path, run: Run) -> None:
    run("migrate", *_config(folder))
    run("import", *_config(folder), folder / "network.json")
    _fails(
        run("member", "export", *_config(folder), "--reason", "x", "m-no"), "ID 'm-no': expected the id of a member"
    )
    run("member", "export", *_config(folder), "--reason", "asked by letter", "m-alix")
    with sqlite3.connect(folder / "dispatcher.db") as database:
        assert database.execute("SELECT subject FROM audit").fetchall() == [("m-alix",)]


def test_a_backup_is_made_put_back_and_the_network_is_there(folder: Path, run: Run) -> None:
    run("migrate", *_config(folder))
    run("import", *_config(folder), folder / "network.json")
    status, out, _ = run("backup", *_config(folder), "--prune", folder / "backup")
    assert (status, out.startswith(f"wrote {folder / 'backup'}: ")) == (0, True)
    _fails(run("restore", *_config(folder), folder / "backup"), ".*dispatcher.db: expected no database there; .*")
    for left in folder.glob("dispatcher.db*"):
        left.unlink()
    status, out, _ = run("restore", *_config(folder), folder / "backup")
    assert status == 0
    assert "0 members erased again; 0 bookings hold" in out
    assert "warning: no database.erasures_file" in out
    assert "0 changed, 6 unchanged" in run("import", *_config(folder), folder / "network.json")[1]


def test_a_backup_under_another_origin_key_is_not_put_back(folder: Path, run: Run) -> None:
    run("migrate", *_config(folder))
    run("import", *_config(folder), folder / "network.json")
    run("backup", *_config(folder), folder / "backup")
    (folder / "keys" / "origin-key").write_text("ab" * 32)
    for left in folder.glob("dispatcher.db*"):
        left.unlink()
    _fails(run("restore", *_config(folder), folder / "backup"), ".*origin_key_file: expected the key .*")
    assert not list(folder.glob("dispatcher.db"))


# --- wrong input


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        ((), ".*COMMAND.*"),
        (("fly",), ".*'fly'.*"),
        (("serve",), ".*--config.*"),
        (("import", "--config", "x"), ".*FILE.*"),
        (("migrate", "--config", "x", "--force"), ".*--force.*"),
        (("badge-key", "--config", "x"), ".*--cabinet.*"),
    ],
)
def test_wrong_arguments_are_one_line(run: Run, arguments: tuple[str, ...], pattern: str) -> None:
    _fails(run(*arguments), pattern)


@pytest.mark.parametrize("command", ["serve", "migrate"])
def test_a_configuration_that_is_not_there_is_named(run: Run, tmp_path: Path, command: str) -> None:
    _fails(run(command, "--config", tmp_path / "none.toml"), ".*none.toml: there is no such file")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('"carshare"', '"Car Share"', "namespace = 'Car Share': .*"),
        ("sqlite:///dispatcher.db", "sqlite://", "database.url = 'sqlite://': expected an SQLAlchemy URL .*"),
        ("sqlite:///dispatcher.db", "mysql://host/db", "database.url = 'mysql://host/db': expected .*"),
        ("sqlite:///dispatcher.db", "dispatcher.db", "database.url = 'dispatcher.db': expected .*"),
        (
            "sqlite:///dispatcher.db",
            "sqlite:///none/dispatcher.db",
            "database.url = .*: expected a file in a folder that exists; .*",
        ),
        ("port = 0", "port = 70000", "http.port = 70000: .*"),
        ("port = 0", 'host = "0.0.0.0"', "http: .*can be reached from other machines.*"),
        ("port = 0", 'certificate_file = "keys/tokens"', "http: certificate_file and key_file go together"),
        ("keys/tokens", "keys/none", "http.tokens_file = .*"),
        ("[keys]", "[rules]\nbooking_grid_min = 7\n[keys]", "rules: booking_grid_min 7: expected .*"),
        ("[keys]", "[rules]\nbooking_gird_min = 15\n[keys]", ".*did you mean booking_grid_min.*"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value_and_what_was_expected(
    folder: Path, run: Run, old: str, new: str, fault: str
) -> None:
    path = folder / "dispatcher.toml"
    path.write_text(TEMPLATE.replace(old, new))
    _fails(run("migrate", *_config(folder)), f"{re.escape(str(path))}: {fault}")


@pytest.mark.parametrize(
    ("file", "content", "pattern"),
    [
        ("signing-key.pem", "no key", "expected an unencrypted PEM private key"),
        ("digest-secret", "12ab", "(secret, not shown): expected 64 hexadecimal digits"),
        ("digest-secret", "é" * 64, "expected ASCII text"),
        ("origin-key", "12ab", "(secret, not shown): expected 64 hexadecimal digits"),
    ],
)
def test_a_wrong_secret_is_named_and_not_shown(folder: Path, file: str, content: str, pattern: str) -> None:
    config = load_config(folder / "dispatcher.toml")
    (folder / "keys" / file).write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        read_keys(config.keys)
    (fault,) = refused.value.faults
    assert fault.startswith(f"{folder / 'keys' / file}: ")
    assert pattern in fault
    assert "12ab" not in fault


def _as_a_program(*arguments: object) -> Output:
    command = [sys.executable, "-m", "dispatcher", *(str(argument) for argument in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stdout, done.stderr


def test_serve_stops_with_a_line_when_a_secret_is_wrong(folder: Path) -> None:
    (folder / "keys" / "digest-secret").write_text("12ab")
    output = _as_a_program("serve", *_config(folder))  # apart: it sets up the logs of its process
    _fails(output, ".*digest-secret: .*expected 64 hexadecimal digits in lower case")


def test_the_package_runs_as_a_program(tmp_path: Path) -> None:
    output = _as_a_program("migrate", "--config", tmp_path / "none.toml")
    assert output == (2, "", f"dispatcher: {tmp_path / 'none.toml'}: there is no such file\n")
