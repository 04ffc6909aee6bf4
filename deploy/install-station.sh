#!/bin/sh
# Puts the station agent on the box of a cabinet; run again, upgrades it. docs: deploy/README.md
set -eu
program=install-station
source=$(cd "$(dirname "$0")/.." && pwd)

# shellcheck source=deploy/debian.sh
. "$source/deploy/debian.sh"
# shellcheck source=deploy/station/undo.sh
. "$source/deploy/station/undo.sh"
# shellcheck source=deploy/station/places.sh
. "$source/deploy/station/places.sh"
# shellcheck source=deploy/station/release.sh
. "$source/deploy/station/release.sh"
# shellcheck source=deploy/station/service.sh
. "$source/deploy/station/service.sh"
# shellcheck source=deploy/station/words.sh
. "$source/deploy/station/words.sh"
# shellcheck source=deploy/station/uninstall.sh
. "$source/deploy/station/uninstall.sh"

usage() {
    cat <<'TEXT'
sudo deploy/install-station.sh [--cabinet ID] [--config FILE]     installs, or upgrades to the version of this folder
sudo deploy/install-station.sh --uninstall [--purge]

  --cabinet ID      this box's cabinet, as the centre knows it; written into a new configuration
  --config FILE     becomes /etc/carshare/station.toml, unless there is one already
  --wheelhouse DIR  take the packages of requirements/station.txt from this folder: no network is needed
  --python PROGRAM  the Python to build upon (3.11 or newer; /usr/bin/python3)
  --root DIR        stage into this folder, for an image; this system is left alone
  --uninstall       remove the program; configuration, keys and journal stay
  --purge           with --uninstall: those too, after a question
TEXT
}

# needs_value OPTION COUNT: something has to stand behind an option
needs_value() {
    [ "$2" -ge 2 ] || fail "$1: expected a value behind it; --help lists the options"
}

read_options() {
    cabinet="" config="" wheelhouse="" python=/usr/bin/python3 root="" uninstall="" purge=""
    while [ $# -gt 0 ]; do
        case $1 in
        --uninstall) uninstall=yes && shift && continue ;;
        --purge) purge=yes && shift && continue ;;
        --help | -h) usage && exit 0 ;;
        esac
        case $1 in
        --cabinet | --config | --wheelhouse | --python | --root) needs_value "$1" $# ;;
        *) fail "unknown option $1; --help lists the options" ;;
        esac
        case $1 in
        --cabinet) cabinet=$2 ;;
        --config) config=$2 ;;
        --wheelhouse) wheelhouse=$2 ;;
        --python) python=$2 ;;
        --root) root=$2 ;;
        esac
        shift 2
    done
}

check_options() {
    if [ -n "$cabinet" ]; then
        printf '%s\n' "$cabinet" | LC_ALL=C grep -Eqx '[a-z0-9][a-z0-9-]{1,39}' ||
            fail "--cabinet $cabinet: expected 2 to 40 of a-z, 0-9 and -, not beginning with -"
    fi
    [ -z "$config" ] || [ -r "$config" ] || fail "--config $config: expected a file that can be read"
    [ -z "$wheelhouse" ] || ls "$wheelhouse"/*.whl >/dev/null 2>&1 ||
        fail "--wheelhouse $wheelhouse: expected a folder with wheels; deploy/README.md says how to make one"
    [ -z "$purge" ] || [ -n "$uninstall" ] || fail "--purge: expected --uninstall before it"
    case $root in *\'*) fail "--root $root: expected a path without quotation marks" ;; esac
    [ -z "$root" ] || [ -d "$root" ] || fail "--root $root: expected a folder"
    [ -z "$root" ] || root=$(cd "$root" && pwd)
    [ "$root" != / ] || fail "--root /: that is this system; expected another folder, or no --root"
    [ -n "$root" ] || [ "$(id -u)" = 0 ] || fail "expected to be run by root (sudo), or with --root DIR"
}

# What stops before anything is changed.
check_target() {
    [ ! -d "$opt/bin" ] || [ -L "$opt/bin" ] ||
        fail "$opt/bin: is there and was not made by this; expected no such folder"
    [ -f "$etc/station.toml" ] || return 0
    [ -z "$config" ] || cmp -s "$config" "$etc/station.toml" ||
        fail "--config $config: $etc/station.toml is another one and is not overwritten; move it away first"
    [ -z "$cabinet" ] || [ "$cabinet" = "$(configured cabinet)" ] ||
        fail "--cabinet $cabinet: $etc/station.toml says cabinet = \"$(configured cabinet)\" and is not overwritten"
}

read_options "$@"
check_options
name_places
if [ -n "$uninstall" ]; then
    remove_station
    exit 0
fi
check_target
begin
install_needed
before=$(current_release)
build_release
make_users_and_folders
try_release
make_configuration
make_key
install_files
switch_to_release
is_good=""
check_configuration
run_service
finished
remove_old_releases
say_what_is_done
