# shellcheck shell=sh disable=SC2034,SC2153 # variables shared with those who read this file
# What the stages of the first boot are made of: where things lie, how a state is recorded, how to wait and to fail.
# Read by `stage` (the runner) and by imgforge-status. The contract is docs/first-boot.md in imgforge's sources.

ROOT=${IMGFORGE_ROOT:-} # another root file system: for tests
LIB=${IMGFORGE_LIB:-/usr/lib/imgforge}
ETC=$ROOT/etc/imgforge
STAMPS=$ROOT/var/lib/imgforge/stages # survive a reboot: the stage's work is done
STATES=$ROOT/run/imgforge/stages     # do not: what the stage is doing since power-on
LOGS=$ROOT/var/log/imgforge
CERTIFICATES=$ROOT/var/lib/imgforge/metrics/certificates.prom # a master's, and when they end: lines for Prometheus
BACKUP=$ROOT/var/lib/imgforge/metrics/backup.prom             # its last snapshot of etcd, and when it was: the same

STAGES='grow clock storage packages scripts kernel images kubeadm addons ready' # in the order they run
LONGEST_DELAY=120 # seconds between two attempts
LOG_LIMIT=262144  # bytes; an older log is kept once
ADMIN=$ROOT/etc/kubernetes/admin.conf # a master's kubeconfig that may do everything

# Another engine than kubeadm has other stages.
if [ -f "$LIB/engine" ]; then
    # shellcheck source=overlays/k3s/node/root/usr/lib/imgforge/engine
    . "$LIB/engine"
fi

now() { date +%s; }

have() { command -v "$1" >/dev/null 2>&1; }

# say MESSAGE: one line for the console and the journal.
say() { printf 'imgforge: [%s] %s\n' "$STAGE" "$1"; }

# load_node: what imgforge wrote about this node, as variables IMGFORGE_*.
load_node() {
    # shellcheck source=/dev/null
    . "$ETC/node.env"
}

# write_whole FILE: standard input becomes FILE; after a power cut it is there whole, or not at all.
write_whole() {
    mkdir -p "${1%/*}"
    cat >"$1.tmp"
    sync "$1.tmp"
    mv "$1.tmp" "$1"
    sync "${1%/*}"
}

# record STATE MESSAGE [NEXT_RETRY]: what this stage is doing now. NEXT_RETRY in seconds since 1970.
record() { state_lines "$@" | write_whole "$STATES/$STAGE"; }

# stamp MESSAGE: this stage's work is done, and all it wrote is on the disk.
stamp() {
    sync
    state_lines 'done' "$1" | write_whole "$STAMPS/$STAGE"
}

is_stamped() { [ -f "$STAMPS/$STAGE" ]; }

state_lines() {
    printf 'state=%s\nsince=%s\nmessage=%s\nretry_at=%s\n' "$1" "$(now)" "$(printf %s "$2" | tr '\n' ' ')" "${3-}"
}

# is_enabled NAME: whether the stage is part of this node's first boot.
is_enabled() { [ -L "$ROOT/etc/systemd/system/imgforge-first-boot.target.wants/imgforge-$1.service" ]; }

# read_state NAME: sets state, since, message, retry_at. What happened since power-on outweighs the stamp.
read_state() {
    state=pending since='' message='' retry_at=''
    is_enabled "$1" || state='not configured'
    for file in "$STAMPS/$1" "$STATES/$1"; do
        [ -f "$file" ] || continue
        while IFS='=' read -r key value; do
            case $key in
            state) state=$value ;;
            since) since=$value ;;
            message) message=$value ;;
            retry_at) retry_at=$value ;;
            esac
        done <"$file"
    done
}

# read_backup: sets backup (the last snapshot's file) and backup_time (when it was taken, in seconds since 1970); nothing where none was.
read_backup() {
    backup='' backup_time=''
    [ -r "$BACKUP" ] || return 0
    while read -r name seconds; do
        case $name in
        imgforge_backup_time_seconds*) backup=${name#*\"} backup_time=$seconds ;;
        esac
    done <"$BACKUP"
    backup=${backup%\"*}
}

# fail MESSAGE: ends the stage; it is tried again at the next boot, or by `systemctl restart`.
fail() {
    record failed "$1"
    say "FAILED: $1"
    REPORTED=yes
    exit 1
}

# not_configured WHY: ends the stage well. Nothing is stamped: the next boot looks again.
not_configured() {
    record 'not configured' "$1"
    say "not configured: $1"
    exit 0
}

# wait_and_retry MESSAGE: waits twice as long each time, up to LONGEST_DELAY.
attempt=0
delay=5
wait_and_retry() {
    attempt=$((attempt + 1))
    delay=$((delay * 2))
    [ "$delay" -le "$LONGEST_DELAY" ] || delay=$LONGEST_DELAY
    record waiting "$1" "$(($(now) + delay))"
    say "$1; attempt $((attempt + 1)) in $delay s"
    sleep "$delay"
    record running "attempt $((attempt + 1))"
}

# logged COMMAND...: runs it with its output in the stage's log, which only root may read: kubeadm prints tokens.
logged() {
    mkdir -p "$LOGS"
    log=$LOGS/$STAGE.log
    if [ -f "$log" ] && [ "$(wc -c <"$log")" -gt "$LOG_LIMIT" ]; then mv "$log" "$log.1"; fi
    (umask 077 && printf '%s: %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*" >>"$log")
    "$@" >>"$log" 2>&1
}

# last_words: what the last command in the stage's log said was wrong: kubeadm's `[ERROR` lines, all of them; or else its last
# line that says something, and is none of those that ADVICE stands for.
last_words() {
    # shellcheck disable=SC2016 # ${…} is sed's
    output=$(sed -n -e '/^[0-9-]*T[0-9:]*Z: /h' -e '/^[0-9-]*T[0-9:]*Z: /!H' -e '${x;p;}' "$LOGS/$STAGE.log")
    # shellcheck disable=SC2016
    errors=$(printf '%s\n' "$output" | sed -n 's/^[[:space:]]*\[ERROR /[ERROR /p' | sed -n 'H;${x;s/^\n//;s/\n/; /g;p;}')
    if [ -n "$errors" ]; then
        printf '%s\n' "$errors"
    else
        printf '%s\n' "$output" | sed -n "/$ADVICE/!{/[^[:space:]]/h;};\${x;s/^[[:space:]]*//;p;}"
    fi
}

# start_enabled_services: what is enabled but was held back, or is new, starts now and not at the next boot. Each target by its name:
# systemd passes over what a target wants that is reached already, if it is only asked for the target above it.
start_enabled_services() {
    systemctl --no-block start multi-user.target sockets.target timers.target paths.target default.target
}
