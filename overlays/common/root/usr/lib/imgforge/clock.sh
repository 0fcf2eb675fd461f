# shellcheck shell=sh disable=SC2154 # variables shared with those who read this file
# The clock. Read by the stages clock and kubeadm, after stage.sh.

SYNCHRONIZED=$ROOT/run/systemd/timesync/synchronized
TOO_LATE=$((IMGFORGE_EPOCH + 20 * 365 * 86400)) # nobody is believed who says that it is later than this

is_synchronized() {
    [ -e "$SYNCHRONIZED" ] || [ "$(timedatectl show -p NTPSynchronized --value 2>/dev/null)" = yes ]
}

# not_before SECONDS WHY: the clock goes forward to that time, and never back.
not_before() {
    early=$(now)
    if [ "$early" -ge "$1" ] || [ "$1" -ge "$TOO_LATE" ]; then return 0; fi
    date -u -s "@$1" >/dev/null
    say "the clock was at $early, before $2: set to $1"
}
