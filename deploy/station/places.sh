# shellcheck shell=sh
# Where everything lies, what the system has to have, and the box's own files: made once, never overwritten.

name_places() {
    opt=$root/opt/carshare
    etc=$root/etc/carshare
    state=$root/var/lib/carshare
    unit=$root/etc/systemd/system/station-agent.service
    rules=$root/etc/udev/rules.d/70-carshare-serial.rules
    sysusers=$root/etc/sysusers.d/carshare-station.conf
    program_link=$root/usr/local/bin/station-agent
    live="" changed=""
    [ -n "$root" ] || [ ! -d /run/systemd/system ] || live=yes
}

# configured FIELD: a text in the configuration, whatever table it is in; the agent checks it, not this
configured() {
    sed -n "s/^$1 *= *\"\([^\"]*\)\".*/\1/p" "$etc/station.toml" 2>/dev/null | head -n 1
}

# Debian packages that are missing; a staged system is somebody else's
install_needed() {
    [ -z "$root" ] || return 0
    missing=""
    command -v systemd-sysusers >/dev/null 2>&1 || missing="$missing systemd"
    command -v setpriv >/dev/null 2>&1 || missing="$missing util-linux"
    [ -e /etc/ssl/certs/ca-certificates.crt ] || missing="$missing ca-certificates"
    has_time_client || missing="$missing systemd-timesyncd"
    if [ "$python" = /usr/bin/python3 ]; then
        [ -x "$python" ] || missing="$missing python3"
        "$python" -c 'import ensurepip, venv' >/dev/null 2>&1 || missing="$missing python3-venv"
    fi
    # shellcheck disable=SC2086  # a list of package names
    [ -z "$missing" ] || install_packages $missing
}

# A box sets its clock by the network; installing one client would remove another.
has_time_client() {
    [ ! -e /lib/systemd/systemd-timesyncd ] || return 0
    for client in chronyd ntpd openntpd ntpsec; do
        ! command -v $client >/dev/null 2>&1 || return 0
    done
    return 1
}

make_users_and_folders() {
    put "$source/deploy/station/carshare-station.sysusers" "$sysusers" 644
    if [ "$(id -u)" = 0 ]; then
        command -v systemd-sysusers >/dev/null 2>&1 || fail "systemd-sysusers is missing: install Debian's systemd"
        known=$(agent_ids 2>/dev/null) || known=""
        systemd-sysusers ${root:+"--root=$root"} carshare-station.conf || fail "the user station-agent was not made"
        [ -n "$known" ] || [ -n "$root" ] || undoable 'userdel station-agent 2>/dev/null'
    fi
    make_folder "$etc"
    own "$etc" group 750
    make_folder "$state"
    own "$state" agent 700
}

make_configuration() {
    [ ! -e "$etc/station.toml" ] || return 0
    undoable "rm -f '$etc/station.toml' '$etc/station.toml.new'"
    if [ -n "$config" ]; then
        cat "$config" >"$etc/station.toml.new"
    else
        sed "s/^cabinet = \"\"/cabinet = \"$cabinet\"/" "$source/deploy/station/station.toml" >"$etc/station.toml.new"
    fi
    own "$etc/station.toml.new" group 640
    mv "$etc/station.toml.new" "$etc/station.toml"
}

# An image is for many boxes unless it names one: a key that is on two boxes is no key.
make_key() {
    public_key=""
    key=$(configured signing_key_file)
    case $key in
    "") return 0 ;; # the check of the configuration says so
    /*) key=$root$key ;;
    *) key=$etc/$key ;;
    esac
    if [ ! -e "$key" ]; then
        [ -n "$live$cabinet$config" ] || return 0
        undoable "rm -f '$key'"
    fi
    public_key=$("$release/bin/python" -I -m station_agent signing-key "$key") || fail "the box has no signing key"
    own "$key" agent 600
}
