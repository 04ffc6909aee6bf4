"""Once set up, neither setting up nor the demo needs a network: both run where there is none but loopback."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 90  # both take 10 s together; the demo's own patience with its verdict is 45 s

# in a network namespace of its own: brings loopback up, as it is anywhere else, then becomes the command
AFTER_LOOPBACK = """
import fcntl, os, socket, struct, sys
SIOCSIFFLAGS, IFF_UP = 0x8914, 1  # netdevice(7)
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
os.execvp(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture(scope="module")
def namespace() -> list[str]:
    """The command that runs another one without a network. Skips where this account may not make namespaces."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare (Debian: util-linux) is not here: no network can be taken away")
    # root may as it is; others in a user namespace, whose capabilities bring loopback up
    for user in ([], ["--map-current-user", "--keep-caps"]):
        command = [unshare, "--net", *user]
        tried = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
        if tried.returncode == 0:
            return [*command, sys.executable, "-c", AFTER_LOOPBACK]
    pytest.skip(f"this account may not make a network namespace: {tried.stderr.strip()}")


def offline(namespace: list[str], *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHON": sys.executable}
    return subprocess.run(
        [*namespace, *command],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT_S,
    )  # fmt: skip


def test_the_network_is_really_away_and_loopback_is_there(namespace: list[str]) -> None:
    loopback = "s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname()).close()"
    assert offline(namespace, sys.executable, "-c", f"import socket; {loopback}").returncode == 0
    outside = "socket.create_connection(('192.0.2.1', 443))"  # RFC 5737: nobody's, and no route leads there
    done = offline(namespace, sys.executable, "-c", f"import socket; {outside}")
    assert "Network is unreachable" in done.stderr


def test_setting_up_a_second_time_does_nothing_and_needs_no_network(namespace: list[str]) -> None:
    assert (ROOT / ".venv" / ".installed-from").exists(), (
        "the first time is `make setup-dev`, also run by `make test`"
    )
    done = offline(namespace, "deploy/setup.sh", "dev")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_demo_runs_without_a_network(namespace: list[str]) -> None:
    demo = ["-m", "simulator", "demo", "--stations", "1", "--for", "3", "--speed", "60", "--http-port", "0"]
    done = offline(namespace, sys.executable, *demo)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "held   picture converges" in done.stdout
