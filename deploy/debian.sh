# shellcheck shell=sh
# What the shell scripts of this folder share: how they end, and how they install Debian packages. $program is set.

fail() {
    printf '%s: %s\n' "${program:?}" "$*" >&2
    exit 1
}

# may_install: whether this account may install Debian packages; sets as_root to how
may_install() {
    as_root=""
    command -v apt-get >/dev/null 2>&1 || return 1
    [ "$(id -u)" = 0 ] && return 0
    as_root="sudo -n"
    sudo -n true 2>/dev/null
}

# install_packages PACKAGE...: Debian packages, as root or through a sudo that asks for no password
install_packages() {
    if ! may_install; then
        command -v apt-get >/dev/null 2>&1 ||
            fail "missing here: $*. This is no Debian: install their like by hand, then run this again."
        fail "missing here: $*. This account may not install packages; ask somebody who may to run
    apt-get install $*
and then run this again."
    fi
    printf '%s: installing the Debian packages %s\n' "$program" "$*"
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update >/dev/null ||
        fail "apt-get update failed: is the network there?"
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null ||
        fail "apt-get install $* failed"
}
