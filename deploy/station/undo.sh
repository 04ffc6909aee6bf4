# shellcheck shell=sh
# What was done is undone, newest first, unless the whole succeeds.
# The steps are kept as text for `eval`; no path has a quotation mark in it (see check_options).

begin() {
    umask 022
    unset PYTHONPATH PYTHONHOME # of whoever runs this: the environments are their own
    if [ -z "$root" ]; then
        exec 9>/run/lock/carshare-install
        flock -n 9 || fail "another one of these runs: wait for its end"
    fi
    undo="" kept=$(mktemp -d) kept_count=0
    trap 'undo_all' EXIT
    trap 'exit 1' HUP INT TERM
    [ -n "$live" ] || return 0
    systemctl is-active --quiet station-agent && undoable 'systemctl start station-agent' # the last step back
    undoable 'systemctl daemon-reload'
}

# undoable COMMAND: to be run, should a later step fail
undoable() {
    undo="$1
$undo"
}

finished() {
    undo=""
}

undo_all() {
    set +e
    if [ -n "$undo" ]; then
        printf '%s: nothing is changed: everything is put back\n' "$program" >&2
        eval "$undo"
    fi
    rm -rf "$kept"
}

# put FILE TARGET MODE: a file in its place, nobody ever sees half of it; `changed` is set where it was not there so
put() {
    if cmp -s "$1" "$2" && [ "$(stat -c %a "$2")" = "$3" ]; then
        return 0
    fi
    changed=yes
    make_folder "$(dirname "$2")"
    if [ -e "$2" ]; then
        kept_count=$((kept_count + 1))
        cp -p "$2" "$kept/$kept_count"
        undoable "cp -p '$kept/$kept_count' '$2'"
    else
        undoable "rm -f '$2'"
    fi
    install -m "$3" "$1" "$2.new"
    mv -f "$2.new" "$2"
}

# make_folder FOLDER: with those above it
make_folder() {
    [ ! -d "$1" ] || return 0
    make_folder "$(dirname "$1")"
    mkdir "$1"
    undoable "rmdir '$1' 2>/dev/null"
}

# own FILE OWNER MODE: OWNER is `agent`, `group` (root's, for the agent to read) or `root`
own() {
    chmod "$3" "$1"
    [ "$(id -u)" = 0 ] || return 0 # staged by somebody else: the owners come with the box
    case $2 in
    agent) chown "$(agent_ids)" "$1" ;;
    group) chown "0:$(agent_ids | cut -d: -f2)" "$1" ;;
    root) chown 0:0 "$1" ;;
    esac
}

# agent_ids: user and group of the service, as numbers: a staged system has its own
agent_ids() {
    awk -F: '$1 == "station-agent" { print $3 ":" $4 }' "$root/etc/passwd"
}
