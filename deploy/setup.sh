#!/bin/sh
# Sets up what the Makefile's targets need: `setup.sh run` for the demo, `setup.sh dev` for checks and tests,
# `setup.sh fuzz` for the fuzzer alone, `setup.sh benchmark` for what the benchmarks run.
# Does nothing, and needs no network, where all is in place. Installs Debian packages where it may; where it
# may not, it says exactly which are missing.
set -eu
cd "$(dirname "$0")/.."
wanted=$1
program=setup
python=${PYTHON:-python3}

# shellcheck source=deploy/debian.sh
. deploy/debian.sh

# borrow_pip FOLDER: Debian takes pip out of venv; who may not install python3-venv can still unpack its pip
borrow_pip() {
    borrowed=$(mktemp -d)
    if (cd "$borrowed" && apt-get -qq download python3-pip-whl && dpkg-deb -x python3-pip-whl_*.deb .) >/dev/null 2>&1 &&
        "$python" -m venv --without-pip "$1" &&
        "$1/bin/python" "$(echo "$borrowed"/usr/share/python-wheels/pip-*.whl)/pip" install --quiet --no-index \
            --find-links "$borrowed/usr/share/python-wheels" pip; then
        rm -rf "$borrowed"
    else
        rm -rf "$borrowed" "$1"
        install_packages python3-venv
    fi
}

command -v "$python" >/dev/null 2>&1 || install_packages python3 python3-venv
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version) is too old, expected 3.11 or newer; name another with make PYTHON=..."

if [ "$wanted" = dev ]; then
    missing=""
    PATH="$PATH:/usr/sbin:/sbin" command -v mosquitto >/dev/null 2>&1 || missing="$missing mosquitto"
    command -v mosquitto_sub >/dev/null 2>&1 || missing="$missing mosquitto-clients"
    [ -n "$(find /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" ] || command -v initdb >/dev/null 2>&1 ||
        missing="$missing postgresql"
    command -v systemd-analyze >/dev/null 2>&1 || missing="$missing systemd"
    command -v shellcheck >/dev/null 2>&1 || missing="$missing shellcheck"
    command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
    [ -n "$(find /usr/share/fonts/truetype -name '*.ttf' 2>/dev/null | head -n 1)" ] || missing="$missing fonts-dejavu-core"
    command -v prometheus >/dev/null 2>&1 && command -v promtool >/dev/null 2>&1 || missing="$missing prometheus"
    command -v amtool >/dev/null 2>&1 || missing="$missing prometheus-alertmanager"
    # shellcheck disable=SC2086  # a list of package names
    [ -z "$missing" ] || install_packages $missing
fi

# environment FOLDER LOCK: a virtual environment that holds exactly a lock
environment() {
    folder=$1 lock=$2
    stamp="$folder/.installed-from"
    # `dev` holds all that `run` holds: what is installed for tests also serves the demo
    for good in "$lock" ${3:+"$3"}; do
        if [ -f "$stamp" ] && cmp -s "$stamp" "$good"; then
            return 0
        fi
    done
    printf 'setup: %s from %s\n' "$folder" "$lock"
    if [ ! -x "$folder/bin/python" ]; then
        "$python" -c 'import ensurepip, venv' 2>/dev/null || ! may_install || install_packages python3-venv
        if "$python" -c 'import ensurepip' 2>/dev/null; then
            "$python" -m venv "$folder" || fail "cannot make $folder"
        else
            borrow_pip "$folder"
        fi
    fi
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock" ||
        fail "the packages of $lock could not be installed: is the network there?"
    if [ "$folder" = .venv ] || [ "$folder" = .venv-run ]; then
        "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
            --no-index -e . || fail "this project could not be installed into $folder"
    fi
    cp "$lock" "$stamp"
}

# wheelhouse FOLDER LOCK: the packages of a lock, for tests that install them without a network
wheelhouse() {
    cmp -s "$1/.made-from" "$2" && return 0
    printf 'setup: %s from %s\n' "$1" "$2"
    rm -rf "$1"
    .venv/bin/python -m pip download --quiet --disable-pip-version-check --require-hashes --only-binary=:all: \
        --dest "$1" -r "$2" || fail "the packages of $2 could not be brought: is the network there?"
    cp "$2" "$1/.made-from"
}

# the fuzzer comes as wheels for Linux on x86-64 only; elsewhere its tests are skipped
fuzzer() {
    environment .venv-fuzz requirements/fuzz.txt
}

case $wanted in
dev)
    environment .venv requirements/dev.txt
    environment .venv-libosdp requirements/peer-libosdp.txt
    environment .venv-osdp requirements/peer-osdp.txt
    environment .venv-api requirements/peer-api.txt
    wheelhouse .wheels requirements/station.txt
    [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ] || fuzzer
    ;;
fuzz)
    fuzzer
    ;;
benchmark)
    # the agent as it is installed: what is in .venv for developers alone costs memory
    environment .venv requirements/dev.txt
    environment .venv-run requirements/run.txt
    ;;
*)
    environment .venv requirements/run.txt requirements/dev.txt
    ;;
esac
