# shellcheck shell=sh disable=SC2034,SC2153,SC2154 # variables shared with those who read this file
# k3s on this node, and whose its data is. Read by the stage k3s and by k3s-prepare, after stage.sh.
# The data may be the last copy of a cluster. Nothing here, and nobody who reads this, ever deletes it.

CARD=$ETC/k3s                 # what the card brings for k3s' folder
DATA=$ROOT/var/lib/rancher/k3s
MARKER=$DATA/server/imgforge-cluster # whose data lies beside it: lines `key=value`
PROBLEM=$ROOT/run/imgforge/k3s.problem # why k3s must not start yet
SNAPSHOT=$ROOT/var/lib/imgforge/restore/snapshot # of etcd, from which a card starts that brings it (`imgforge build --restore`)
RESTORED=$DATA/server/imgforge-restored  # the SHA-256 of the snapshot that the data comes from
RESTORING=$DATA/server/imgforge-restoring # the same, as long as k3s makes data of it
USED=$ROOT/var/lib/imgforge/restore/used       # on the card: its snapshot has been made into data
SQLITE=$DATA/server/db/state.db                # the objects, where no etcd keeps them
LAID=$DATA/imgforge/images-of                  # the card whose archives of images are here
OTHERS=$CARD/masters              # on each of several masters, where the rest of them are: lines HOST:PORT
IDENTITY=$CARD/masters.kubeconfig # as whom it asks them
JOIN=$ROOT/etc/rancher/k3s/config.yaml.d/50-imgforge-join.yaml # by which of them k3s finds the cluster
case $IMGFORGE_ROLE in
master) UNIT=k3s.service KIND=server ;;
*) UNIT=k3s-agent.service KIND=agent ;;
esac

# field NAME FILE: the value of a line `NAME=value`.
field() { sed -n "s/^$1=//p" "$2"; }

has_data() { [ -e "$SQLITE" ] || [ -e "$DATA/server/db/etcd" ]; }

# objection: why the card may not go on with the data that is here, and what to do. Nothing: it may.
objection() {
    moved="move $DATA/server away, or attach the right disk"
    if ! has_data; then
        return
    elif [ ! -e "$MARKER" ]; then
        echo "k3s' data of an earlier cluster is in $DATA/server, and nothing beside it says whose it is: $moved"
    elif [ -z "$(field authority "$MARKER")" ] || [ -z "$(field node "$MARKER")" ] || ! is_release "$(field release "$MARKER")"; then
        echo "$MARKER is not whole, so nobody knows whose the data is: $moved"
    elif [ "$(field authority "$MARKER")" != "$(field authority "$CARD/cluster")" ]; then
        echo "k3s' data in $DATA/server is of another cluster, $(field cluster "$MARKER"): $moved"
    elif [ "$(field node "$MARKER")" != "$IMGFORGE_HOSTNAME" ]; then
        echo "k3s' data in $DATA/server is of the master $(field node "$MARKER") of this cluster: $moved"
    elif is_member && [ -e "$SQLITE" ]; then
        echo "k3s was cut off as it made etcd's data of SQLite's: move $DATA/server/db/etcd away, and it begins again"
    elif is_member && moved_house; then
        echo "etcd's member in $DATA/server is known at $(field address "$MARKER"), and the card gives the node $(field address "$CARD/cluster"): give it the old address; or, if other masters have the data, move $DATA/server/db away, and it joins them anew"
    elif brings_snapshot && ! comes_from_snapshot; then
        echo "k3s' data is in $DATA/server, and this card brings a snapshot: nothing is overwritten. To go on with the data, remove $SNAPSHOT; to go back to the snapshot, move $DATA/server away"
    elif [ -e "$RESTORING" ] && ! brings_snapshot; then
        echo "k3s was cut off as it made the data in $DATA/server of a snapshot, and this card brings none: put in the card that does, or $moved"
    else
        skew "$(field release "$MARKER")" "$(field release "$CARD/cluster")"
    fi
}

# is_member: etcd has begun here; k3s goes on with it, and whom to join is no question any more. One that the others have taken out
# k3s marks, and moves aside at its next start.
is_member() { [ -d "$DATA/server/db/etcd/member/wal" ] && [ ! -e "$DATA/server/db/etcd/tombstone" ]; }

moved_house() {
    before=$(field address "$MARKER") now=$(field address "$CARD/cluster")
    [ -n "$before" ] && [ -n "$now" ] && [ "$before" != "$now" ]
}

# is_release TEXT: a minor release, 1.36.
is_release() {
    case $1 in
    *.*.* | *[!0-9.]* | *. | .*) return 1 ;;
    *.*) ;;
    *) return 1 ;;
    esac
}

brings_snapshot() { [ -f "$SNAPSHOT" ] && [ ! -e "$USED" ]; }

hash_of_snapshot() { sha256sum <"$SNAPSHOT" | sed 's/ .*//'; }

# comes_from_snapshot: the data is of this one, or of an attempt that was cut off.
comes_from_snapshot() { cat "$RESTORED" "$RESTORING" 2>/dev/null | grep -qxF "$(hash_of_snapshot)"; }

# skew OF_DATA OF_CARD: the data goes from one minor release to the next, and never back.
skew() {
    steps=$((${2#*.} - ${1#*.}))
    if [ "$steps" -lt 0 ]; then
        echo "k3s' data in $DATA/server is of Kubernetes $1, newer than the card's $2: write a card with $1"
    elif [ "$steps" -gt 1 ]; then
        echo "k3s' data in $DATA/server is of Kubernetes $1, and the card's $2 is more than one minor release later: write a card with 1.$((${1#*.} + 1)) first"
    fi
}

# lay SOURCE TARGET MODE: a file of the card in k3s' folder; after a power cut it is there whole, or as it was.
lay() {
    if [ -e "$2" ] && [ "$(sha256sum <"$1")" = "$(sha256sum <"$2")" ]; then return; fi
    mkdir -p "${2%/*}" "$DATA/imgforge"
    cp "$1" "$DATA/imgforge/unfinished"
    chmod "$3" "$DATA/imgforge/unfinished"
    sync "$DATA/imgforge/unfinished"
    mv "$DATA/imgforge/unfinished" "$2"
}
