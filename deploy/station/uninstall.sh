# shellcheck shell=sh
# Takes the program away. What only this box has, its facts and its keys, goes with --purge and a typed word alone.

remove_station() {
    [ -n "$purge" ] && confirm_purge
    if [ -n "$live" ]; then
        systemctl disable --now --quiet station-agent 2>/dev/null || true
    elif [ -z "$root" ]; then
        systemctl disable --quiet station-agent 2>/dev/null || true
    fi
    rm -f "$unit" "$rules"
    [ "$(readlink "$program_link" 2>/dev/null)" != /opt/carshare/bin/station-agent ] || rm -f "$program_link"
    [ ! -L "$opt/bin" ] || rm -f "$opt/bin"
    rm -rf "$opt/releases"
    rmdir "$opt" 2>/dev/null || true # somebody else's things stay
    [ -z "$live" ] || systemctl daemon-reload
    if [ -z "$purge" ]; then
        printf '%s: removed. Configuration and keys stay in %s, the journal in %s.\n' "$program" "$etc" "$state"
        return 0
    fi
    rm -rf "$etc" "$state"
    rm -f "$sysusers"
    [ -n "$root" ] || userdel station-agent 2>/dev/null || true
    printf '%s: removed, with configuration, keys and journal.\n' "$program"
}

# confirm_purge: facts that the centre has not acknowledged are nowhere else
confirm_purge() {
    word=$(configured cabinet)
    word=${word:-purge}
    printf 'This deletes %s and %s: the keys of this box, and whatever its journal holds that\n' "$etc" "$state"
    printf 'the centre has not heard yet. None of it can be brought back. Type %s to go on: ' "$word"
    read -r answer || answer=""
    [ "$answer" = "$word" ] || fail "nothing was removed: expected $word"
}
