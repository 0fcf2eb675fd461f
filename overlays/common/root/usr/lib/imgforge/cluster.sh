# shellcheck shell=sh disable=SC2034,SC2153,SC2154 # variables shared with those who read this file
# What a node has of its cluster, and whose it is. Read by the stage kubeadm, renew-certificates and back-up-etcd, after stage.sh.
# etcd's data may be the last copy of a cluster. Nothing here, and nobody who reads this, ever deletes it.

CONFIG=$ETC/kubeadm
KUBERNETES=$ROOT/etc/kubernetes
KUBELET=$ROOT/var/lib/kubelet
ADMIN=$KUBERNETES/admin.conf
ETCD=$ROOT/var/lib/etcd
# Whose data lies beside it. A new card with the same disk learns from this whether it may go on. Lines `key=value`.
MARKER=$ETCD/imgforge-cluster

# field NAME FILE: the first value of that name in a document of ours, a line of YAML; nothing if there is none.
field() { sed -n "/^[- ]*\"\{0,1\}$1\"\{0,1\}:/{s/^[^:]*: *//;s/^[\"']\(.*\)[\"']\$/\1/;p;q;}" "$2"; }

# Whether this node is, or is to be, a master. `$action` is init or join.
is_master() { [ "$action" = init ] || grep -q '^"\{0,1\}controlPlane"\{0,1\}:' "$CONFIG/join.yaml"; }

# The documents that say how a master's files are made: those of `init`. A further master has them as member.yaml.
master_documents() {
    for name in init member; do
        if [ -f "$CONFIG/$name.yaml" ]; then
            echo "$CONFIG/$name.yaml"
            return
        fi
    done
    return 1
}

# etcd has started here. Before it has a log of its own, it is no member with a past.
has_etcd_data() {
    for log in "$ETCD"/member/wal/*.wal; do
        [ ! -e "$log" ] || return 0
    done
    return 1
}

# The minor release of the kubeadm on the card, `1.36`.
card_release() { kubeadm version -o short | sed -n 's/^v\([0-9]*\.[0-9]*\)\..*/\1/p'; }

authority() { sha256sum <"$CONFIG/kubernetes/pki/ca.crt" | sed 's/ .*//'; }

cluster_name() { if documents=$(master_documents); then field clusterName "$documents"; fi; }

# claim: the data beside the marker is this cluster's, last run by this release. On the disk before that release touches it.
claim() {
    [ -f "$CONFIG/kubernetes/pki/ca.crt" ] || return 0 # the authorities are the node's own: no other card has them
    printf 'cluster=%s\nauthority=%s\nrelease=%s\nnode=%s\n' \
        "$(cluster_name)" "$(authority)" "$(card_release)" "$IMGFORGE_HOSTNAME" | write_whole "$MARKER"
}

# objection: why the card may not go on with the data that the marker stands beside, and what to do. Nothing: it may.
objection() {
    cluster='' hash='' data_release='' node=''
    while IFS='=' read -r key value; do
        case $key in
        cluster) cluster=$value ;;
        authority) hash=$value ;;
        release) data_release=$value ;;
        node) node=$value ;;
        esac
    done <"$MARKER"
    moved="move $ETCD/member and $MARKER away, or attach the right disk"
    case $data_release in [0-9]*.*[!0-9]* | [0-9]*[!0-9.]* | [!0-9]* | *.) data_release='' ;; esac
    if [ -z "$hash" ] || [ -z "$data_release" ] || [ -z "$node" ]; then
        echo "$MARKER is not whole, so nobody knows whose etcd's data is: $moved"
    elif [ ! -f "$CONFIG/kubernetes/pki/ca.crt" ] || [ "$hash" != "$(authority)" ]; then
        echo "etcd's data in $ETCD is of another cluster${cluster:+, $cluster}: $moved"
    elif [ "$node" != "$IMGFORGE_HOSTNAME" ]; then
        echo "etcd's data in $ETCD is of the master $node of this cluster: $moved"
    else
        skew_objection "$data_release" "$(card_release)"
    fi
}

# skew_objection OF_DATA OF_CARD: Kubernetes' data goes from one minor release to the next, and never back.
skew_objection() {
    steps=$((${2#*.} - ${1#*.}))
    if [ "${1%%.*}" != "${2%%.*}" ] || [ "$steps" -lt 0 ]; then
        echo "etcd's data in $ETCD is of Kubernetes $1, newer than the card's $2: write a card with $1"
    elif [ "$steps" -gt 1 ]; then
        echo "etcd's data in $ETCD is of Kubernetes $1, and the card's $2 is more than one minor release later: write a card with ${1%%.*}.$((${1#*.} + 1)) first"
    fi
}

# forget_files: what kubeadm makes of the authorities and its documents goes, since a power cut may have left half of a file.
# The authorities stay; so does etcd's static pod where etcd has no data: it alone says whom etcd is to ask for it.
forget_files() {
    rm -f "$KUBERNETES"/*.conf "$KUBELET"/pki/kubelet-client-*
    for file in "$KUBERNETES"/pki/*.* "$KUBERNETES"/pki/etcd/*.* "$KUBERNETES"/manifests/*.yaml; do
        case ${file##*/} in
        ca.* | front-proxy-ca.* | sa.*) continue ;;
        etcd.yaml) has_etcd_data || continue ;;
        esac
        rm -f "$file"
    done
}

# set_aside: etcd starts anew here, and what it had is kept under another name.
set_aside() {
    [ -e "$ETCD/member" ] || return 0
    say "$ETCD/member is kept as member.$(now)"
    mv "$ETCD/member" "$ETCD/member.$(now)"
    rm -f "$MARKER"
    sync "$ETCD"
}

# asks WORDS...: kubectl, with an identity of this node, and its answer in the log.
asks() { logged kubectl --request-timeout=30s "$@"; }

of_the_system() { kubectl --request-timeout=30s --kubeconfig "$ADMIN" --namespace kube-system "$@"; }

# etcdctl_in POD WORDS...: etcd's own tool, as the member in that pod has it.
etcdctl_in() {
    pod=$1
    shift
    of_the_system exec "$pod" -- etcdctl --cacert /etc/kubernetes/pki/etcd/ca.crt \
        --cert /etc/kubernetes/pki/etcd/server.crt --key /etc/kubernetes/pki/etcd/server.key "$@"
}

# ask_as_anybody URL PATH [FLAG...]: what everybody may know. Without any identity kubectl would ask the console for a name; the one in
# this file is nobody's.
ask_as_anybody() {
    url=$1 path=$2
    shift 2
    kubectl --request-timeout=10s --kubeconfig "$LIB/anybody.kubeconfig" --server "$url" --insecure-skip-tls-verify=true \
        "$@" get --raw "$path"
}

# Whether the cluster answers at all, whoever asks. $1 is HOST:PORT.
answers() { logged ask_as_anybody "https://$1" /readyz; }

# The time that the server at $1, HOST:PORT, says it is, in seconds since 1970; nothing if it does not answer. Its certificate is
# not looked at: to a clock that is behind it is not yet valid.
servers_time() {
    # The headers of the answer, which kubectl shows from this level of its log on.
    date=$(ask_as_anybody "https://$1" /readyz --v=8 2>&1 | sed -n 's/.*[[:space:]]Date: \([A-Z][a-z]*, [0-9][0-9A-Za-z: ]* GMT\).*/\1/p')
    if [ -n "$date" ]; then date -u -d "$date" +%s 2>/dev/null || :; fi
}
