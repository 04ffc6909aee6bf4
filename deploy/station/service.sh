# shellcheck shell=sh
# The unit, the rules for serial ports, and the running service.

install_files() {
    put "$source/deploy/systemd/station-agent.service" "$unit" 644
    put "$source/deploy/udev/70-carshare-serial.rules" "$rules" 644
    if [ "$(readlink "$program_link" 2>/dev/null)" != /opt/carshare/bin/station-agent ]; then
        if [ -e "$program_link" ] || [ -L "$program_link" ]; then
            fail "$program_link: is there and was not made by this; expected no such file"
        fi
        make_folder "$(dirname "$program_link")"
        undoable "rm -f '$program_link'"
        ln -s /opt/carshare/bin/station-agent "$program_link"
    fi
}

# check_configuration: sets is_good, and `complaints` where it is not; a staged tree's paths are not this system's
check_configuration() {
    complaints=""
    [ -z "$root" ] || return 0
    if complaints=$(check_with "$release"); then
        is_good=yes
    fi
}

# run_service: enabled and running where its configuration is good; a system that does not run is enabled only
run_service() {
    [ -z "$root" ] || return 0
    [ -z "$live" ] || [ -z "$changed" ] || reload
    [ -n "$is_good" ] || return 0
    systemctl is-enabled --quiet station-agent 2>/dev/null || {
        undoable 'systemctl disable --quiet station-agent'
        systemctl enable --quiet station-agent || fail "systemctl enable station-agent failed"
    }
    [ -n "$live" ] || return 0
    if [ -z "$changed" ] && systemctl is-active --quiet station-agent; then
        return 0
    fi
    undoable 'systemctl stop station-agent' # the first step back
    # It returns when the agent has said that it is ready, or could not become so.
    systemctl restart station-agent || fail "the service did not become ready:
$(journalctl --unit station-agent --lines 15 --no-pager --output cat 2>/dev/null)"
}

reload() {
    systemctl daemon-reload || fail "systemctl daemon-reload failed"
    [ -S /run/udev/control ] || return 0 # nothing handles devices here: a container
    udevadm control --reload
    udevadm trigger --action=change --subsystem-match=tty --subsystem-match=usb-serial
}
