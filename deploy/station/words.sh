# shellcheck shell=sh
# What is said in the end: what is done, and what a person has to do next.

say_what_is_done() {
    name=$(basename "$release")
    if [ -z "$before" ]; then
        say "$name is installed."
    elif [ "$before" = "$release" ]; then
        say "$name was installed already${changed:+; its files are as they should be again}."
    else
        say "$name is installed; $(basename "$before") is kept beside it."
    fi
    if [ -n "$live" ] && [ -n "$is_good" ]; then
        say "The service runs: station-agent monitor --config /etc/carshare/station.toml shows the cabinet."
    elif [ -n "$live" ]; then
        say_what_is_missing
    elif [ -n "$is_good" ]; then
        say "No system runs here; the service is enabled, and starts when it does."
    else
        say_what_an_image_needs
    fi
    [ -z "$public_key" ] || say_how_to_register
}

say() {
    printf '%s: %s\n' "$program" "$*"
}

say_what_is_missing() {
    say "The service is not started: the configuration is not good yet."
    printf '%s\n' "$complaints" | sed 's/^/    /'
    cat <<TEXT

What to do next, as root:
  1. Fill in /etc/carshare/station.toml.
  2. Put the key of this cabinet's badges into /etc/carshare/badge-digest.key; the centre prints it:
         dispatcher badge-key --config dispatcher.toml --cabinet ID
     and it is put in place, pasted and ended with Ctrl-D, by
         install -m 600 -o station-agent /dev/stdin /etc/carshare/badge-digest.key
  3. Make an empty key file for each OSDP reader; pairing it fills that (docs/pairing.md):
         install -m 600 -o station-agent /dev/null /etc/carshare/entrance.scbk
         station-agent pair-reader entrance --config /etc/carshare/station.toml
  4. Look whether all devices answer:
         station-agent doctor --config /etc/carshare/station.toml
  5. Run this once more: it starts the service when
         station-agent check-config --config /etc/carshare/station.toml
     finds nothing wrong.
TEXT
}

say_what_an_image_needs() {
    say "No system runs ${root:+in }${root:-here}. When it does, run this again there, from the same sources: it needs no"
    say "network then, makes the key of that box, checks its configuration and starts the service."
}

say_how_to_register() {
    its_cabinet=$(configured cabinet)
    say "This box's public key, for the entry of its cabinet in the file that \`dispatcher import\` reads:"
    printf '    {"id": "%s", ..., "public_key": "%s"}\n' "${its_cabinet:-ID}" "$public_key"
}
