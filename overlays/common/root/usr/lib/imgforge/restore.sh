# shellcheck shell=sh disable=SC2034,SC2154 # variables shared with those who read this file
# A first master's card that brings a snapshot of etcd (`imgforge build --restore`): etcd's data is made of it, once, where none is.
# Read by the stage kubeadm, after cluster.sh. The snapshot stays on the card: what a power cut leaves half made is made again.

# shellcheck source=overlays/common/root/usr/lib/imgforge/runtime
. "$LIB/runtime"

SNAPSHOT=$ROOT/var/lib/imgforge/restore/snapshot
TOOL=$ROOT/var/lib/imgforge/restore/tool # etcd's own
RESTORED=$ETCD/imgforge-restored         # the SHA-256 of the snapshot that etcd's data comes from
UNFINISHED=$ETCD/imgforge-restore.unfinished
# Whoever saw the cluster after the snapshot has seen later revisions than it has, and would take no notice of what happens
# until they come again: the count goes on far beyond.
BUMP='--bump-revision 1000000000 --mark-compacted'

brings_snapshot() { [ -f "$SNAPSHOT" ]; }

hash_of_snapshot() { sha256sum <"$SNAPSHOT" | sed 's/ .*//'; }

# Which of the two is wanted nobody here knows.
refuse_to_overwrite() {
    if ! brings_snapshot || [ ! -e "$ETCD/member" ]; then return 0; fi
    if has_etcd_data && [ "$(cat "$RESTORED" 2>/dev/null)" = "$(hash_of_snapshot)" ]; then return 0; fi
    fail "etcd's data is in $ETCD, and this card brings a snapshot: nothing is overwritten. To go on with the data, remove $SNAPSHOT; to go back to the snapshot, move $ETCD/member away; then: systemctl restart imgforge-kubeadm"
}

# Sets problem where it is not what the last command said.
restore() {
    say "etcd's data is restored from the card's snapshot; $LOGS/kubeadm.log"
    documents=$(master_documents) || return 1
    logged systemctl stop kubelet || return 1
    forget_files
    lay_shared_files || return 1
    find_peer_url && fetch_tool || return 1
    rm -rf "$UNFINISHED"
    # Another cluster than before for etcd: members of the old one that are still switched on are none of this one.
    set -- --data-dir "$UNFINISHED" --name "$IMGFORGE_HOSTNAME" --initial-advertise-peer-urls "$url" \
        --initial-cluster "$IMGFORGE_HOSTNAME=$url" --initial-cluster-token "$(hash_of_snapshot)-$(now)"
    # shellcheck disable=SC2086 # words
    if knows_bump; then set -- "$@" $BUMP; fi
    logged env ETCDCTL_API=3 "$TOOL" snapshot restore "$SNAPSHOT" "$@" || return 1
    sync
    hash_of_snapshot | write_whole "$RESTORED" && claim || return 1
    logged mv "$UNFINISHED/member" "$ETCD/member" && sync "$ETCD" || return 1
    rm -rf "$UNFINISHED" "$TOOL"
}

knows_bump() {
    case $(env ETCDCTL_API=3 "$TOOL" snapshot restore --help 2>&1) in
    *--bump-revision*) ;;
    *) return 1 ;;
    esac
}

# find_peer_url: sets url, where other members will reach this one, as kubeadm will tell it to etcd. What kubeadm writes for that
# goes again: without data etcd would begin a new cluster.
find_peer_url() {
    kubeadm_phase etcd local || return 1
    url=$(sed -n 's/^ *- --initial-advertise-peer-urls=//p' "$ETCD_POD")
    rm -f "$ETCD_POD"
    [ -n "$url" ] || { problem="kubeadm does not say at which address etcd is to be" && return 1; }
}

# The tool comes out of the image that etcd's pod will run; etcdctl restores as well before etcd 3.6, and there is no etcdutl.
fetch_tool() {
    image=$(kubeadm config images list --config "$documents" 2>/dev/null | grep '/etcd:') || image=''
    [ -n "$image" ] || { problem="kubeadm names no image of etcd" && return 1; }
    take_tool || { logged crictl pull "$image" && take_tool; } || return 1
    chmod 0700 "$TOOL"
}

take_tool() {
    for name in etcdutl etcdctl; do
        rm -f "$TOOL"
        logged take_out "$image" "/usr/local/bin/$name" "$TOOL" && return
    done
    return 1
}
