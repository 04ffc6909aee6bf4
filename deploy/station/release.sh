# shellcheck shell=sh
# A release: one virtual environment in $opt/releases, named by version and content; $opt/bin leads to the present one.

SPACE_MB=300 # one release is 65 MB, two are kept, and pip unpacks beside them

# current_release: the folder that the link leads to; nothing where there is none
current_release() {
    [ -L "$opt/bin" ] || return 0
    dirname "$opt/$(readlink "$opt/bin")"
}

# name_release: the same sources, packages, drivers and Python have the same name, so that nothing is built twice
name_release() {
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        fail "--python $python: expected Python 3.11 or newer"
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$source/pyproject.toml" | head -n 1)
    content=$({
        cd "$source" || exit 1
        find contract runtime station_agent dispatcher simulator -type f ! -path '*/__pycache__/*' | LC_ALL=C sort |
            tr '\n' '\0' | xargs -0 sha256sum pyproject.toml requirements/station.txt
        [ ! -f "$etc/drivers.txt" ] || cat "$etc/drivers.txt"
        "$python" -c 'import sys; print(sys.base_prefix, sys.version)'
    } | sha256sum | cut -c 1-12)
    release=$opt/releases/$version-$content
}

build_release() {
    name_release
    if [ -e "$release/complete" ]; then
        return 0
    fi
    rm -rf "$release" # of an attempt that was cut off
    make_folder "$opt/releases"
    free_mb=$(($(df -Pk "$opt" | awk 'NR == 2 { print $4 }') / 1024))
    [ "$free_mb" -ge $SPACE_MB ] || fail "$opt: $free_mb MB are free, expected $SPACE_MB"
    undoable "rm -rf '$release'"
    printf '%s: building %s\n' "$program" "$release"
    "$python" -m venv "$release" || fail "--python $python: cannot make a virtual environment"
    pip install --require-hashes --only-binary=:all: -r "$source/requirements/station.txt" ||
        fail "the packages of requirements/station.txt could not be installed: is the network there, or the
    wheelhouse whole? Is this a 64-bit system?"
    pip install --no-deps --no-build-isolation --no-index "$source" || fail "$source could not be installed"
    install_drivers
    "$release/bin/python" -m compileall -q ${root:+-s "$root"} "$release/lib" >/dev/null || true # some is for others
    # The scripts name their Python: as it will be called on the box.
    [ -z "$root" ] || sed -i "1s|^#!$root/|#!/|" "$release"/bin/*
    sync # the link must not be on the card before what it leads to
    date -u +%Y-%m-%dT%H:%M:%SZ >"$release/complete"
}

# install_drivers: other people's, in every release; what they bring must leave this project's own packages as locked
install_drivers() {
    [ -f "$etc/drivers.txt" ] || return 0
    pip install -r "$etc/drivers.txt" || fail "$etc/drivers.txt: its packages could not be installed"
    pip install --require-hashes --only-binary=:all: -r "$source/requirements/station.txt" ||
        fail "$etc/drivers.txt: the packages of requirements/station.txt do not go with it"
    "$release/bin/python" -m pip --disable-pip-version-check check ||
        fail "$etc/drivers.txt: its packages need other versions than requirements/station.txt has"
}

pip() {
    verb=$1
    shift
    "$release/bin/python" -m pip "$verb" --quiet --disable-pip-version-check --no-compile \
        ${wheelhouse:+--no-index --find-links "$wheelhouse"} "$@"
}

# agent_of RELEASE ARGUMENT...: the agent as the service runs it; in a staged tree, as whoever stages it
agent_of() {
    its_python=$1/bin/python
    shift
    if [ -n "$root" ]; then
        "$its_python" -I -m station_agent "$@"
    else
        setpriv --reuid=station-agent --regid=station-agent --init-groups --reset-env \
            "$its_python" -I -m station_agent "$@"
    fi
}

# try_release: a version that cannot start, or that refuses what the one before it takes, is not switched to
try_release() {
    said=$(cd / && agent_of "$release" --version 2>&1) || fail "this version does not start (a damaged card? then
    remove $release and run this again):
$said"
    if [ -n "$root" ] || [ -z "$before" ] || [ "$before" = "$release" ] || [ ! -e "$etc/station.toml" ]; then
        return 0
    fi
    said=$(check_with "$release") || ! check_with "$before" >/dev/null ||
        fail "this version refuses the configuration that the one before it takes:
$said"
}

# check_with RELEASE: what it says of the box's configuration and keys
check_with() {
    (cd / && agent_of "$1" check-config --config "$etc/station.toml" 2>&1)
}

# switch_to_release: one rename, so that there is no instant without a program
switch_to_release() {
    if [ "$before" = "$release" ]; then
        return 0
    fi
    changed=yes
    if [ -n "$before" ]; then
        undoable "link_to '$before'"
    else
        undoable "rm -f '$opt/bin'"
    fi
    link_to "$release"
}

link_to() {
    ln -sfn "releases/$(basename "$1")/bin" "$opt/bin.new"
    mv -T "$opt/bin.new" "$opt/bin"
}

# remove_old_releases: this one and the one before it stay
remove_old_releases() {
    for old in "$opt/releases"/*; do
        case $old in
        "$release") ;;
        "$before") ;;
        *) [ -n "$before" ] && [ "$before" != "$release" ] && rm -rf "$old" ;;
        esac
    done
    return 0
}
