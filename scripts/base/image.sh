# The steps every base's recipe is made of; sourced inside fakeroot, never run.
# Sizes are in 512-byte sectors where a name says so, in bytes elsewhere.
# shellcheck shell=bash
# shellcheck source=scripts/base/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# root_tree PARTS DIR: the installed Debian tree with the kernel's modules.
root_tree() {
    mkdir -p "$2"
    tar -C "$2" --numeric-owner -xpf "$1/root.tar" --exclude='./dev/*'
    tar -C "$2" --numeric-owner -xpf "$1/modules.tar"
}

# lay FROM DIR: copies the files of FROM over DIR as root's, whatever the checkout's umask; links stay links.
lay() {
    tar -C "$1" --sort=name --owner=0 --group=0 --mode='u+rw,go=rX' --mtime=@"$SOURCE_DATE_EPOCH" -cf - . |
        tar -C "$2" --numeric-owner --no-overwrite-dir -xpf -
}

# lay_own DIR: what the base of the recipe, in $here, has of its own and without what others have.
lay_own() {
    # shellcheck disable=SC2154,SC2086 # the recipe's and its base.conf's, with wildcards
    (cd "$1" && rm -f -- ${without:-})
    # shellcheck disable=SC2154
    [ ! -d "$here/root" ] || lay "$here/root" "$1"
}

# give DIR/PATH MODE: writes standard input there.
give() {
    install -D -m "$2" /dev/stdin "$1"
}

# root_sectors DIR PERCENT EXTRA_MIB: PERCENT of what DIR will use in ext4 and EXTRA_MIB, rounded up to 4 MiB.
# Counted from sizes: what `du` says depends on this machine's file system.
root_sectors() {
    local kib
    kib=$(find "$1" -type f -printf '%i %s\n' -o -type d -printf '%i 1\n' | sort -u |
        awk '{ blocks += int(($2 + 4095) / 4096) } END { print blocks * 4 }')
    echo $((((kib * $2 / 100 + $3 * 1024) / 4096 + 1) * 8192))
}

# partition IMAGE SECTORS LAYOUT: a new sparse image with the partition table that the sfdisk script LAYOUT describes.
# Vendors' tables are made by parted, which leaves code for a PC in an MBR and gives one without any a new disk id when it
# changes it. This code is ours: it tells the PC's firmware to try elsewhere, and stops.
partition() {
    rm -f "$1"
    truncate -s $(($2 * 512)) "$1"
    sfdisk --quiet "$1" <"$3"
    if grep -q '^label: dos' "$3"; then printf '\315\030\364\353\375' | dd of="$1" conv=notrunc status=none; fi
}

# make_ext4 IMAGE START SECTORS TYPE UUID LABEL DIR: the tree DIR as a file system of a type of mke2fs.conf.
make_ext4() {
    local image=$1 start=$2 sectors=$3 type=$4 uuid=$5 label=$6 dir=$7
    find "$dir" -newermt @"$SOURCE_DATE_EPOCH" -exec touch -h -d @"$SOURCE_DATE_EPOCH" {} +
    # The hash seed is an id like the UUID: fixed, or directories differ from build to build.
    MKE2FS_CONFIG=$bases/mke2fs.conf mke2fs -q -F -t ext4 -T "$type" -U "$uuid" -L "$label" \
        -E "offset=$((start * 512)),hash_seed=$uuid,root_owner=0:0" -d "$dir" "$image" $((sectors / 2))k
    fix_times "$image?offset=$((start * 512))"
}

# mke2fs -d copies the time this machine changed and read each file; in the image they are the file's own time.
fix_times() {
    local last
    last=$(dumpe2fs -h "$1" 2>/dev/null | awk '/^Inode count/ { all = $3 } /^Free inodes/ { print all - $3 }')
    for inode in 2 $(seq 11 "$last"); do
        printf 'sif <%s> ctime @%s\nsif <%s> atime @%s\nsif <%s> crtime @%s\n' \
            "$inode" "$SOURCE_DATE_EPOCH" "$inode" "$SOURCE_DATE_EPOCH" "$inode" "$SOURCE_DATE_EPOCH"
    done | debugfs -w -f /dev/stdin "$1" >/dev/null 2>&1
}

# make_fat32 IMAGE START SECTORS ID LABEL DIR: the tree DIR as a FAT32 file system of 512-byte clusters.
make_fat32() {
    local image=$1 start=$2 sectors=$3 id=$4 label=$5 dir=$6 path
    # The warning that the file goes on behind the file system is no news.
    mkfs.fat --invariant -F 32 -s 1 -i "$id" -n "$label" --offset "$start" "$image" $((sectors / 2)) >/dev/null 2>&1
    find "$dir" -exec touch -d @"$SOURCE_DATE_EPOCH" {} +
    # One by one: mcopy -s would take them in the order of the host's directory.
    (cd "$dir" && find . -mindepth 1 -printf '%y %P\n' | sort -k2) | while read -r kind path; do
        case $kind in
        d) mmd -i "$image@@$((start * 512))" "::$path" ;;
        *) mcopy -m -Q -i "$image@@$((start * 512))" "$dir/$path" "::$path" ;;
        esac
    done
}

# start_of IMAGE N / sectors_of IMAGE N: where partition N lies.
start_of() { partition_field "$1" "$2" start; }
sectors_of() { partition_field "$1" "$2" size; }
partition_field() {
    sfdisk --dump "$1" | sed -n "s/^$(printf '%s' "$1" | sed 's/[.[\*^$/]/\\&/g')$2 :.*$3= *\([0-9]*\).*/\1/p"
}

# set_password DIR USER PASSWORD: as `passwd` would, but with a fixed salt.
set_password() {
    local hash
    # shellcheck disable=SC2016 # the dollar signs are crypt(3)'s
    hash=$(perl -e 'print crypt($ARGV[0], q($6$imgforge$))' "$3")
    sed -i "s|^$2:[^:]*:|$2:$hash:|" "$1/etc/shadow"
}

# ssh_off DIR: as if the administrator had run `systemctl disable ssh`.
ssh_off() {
    rm -f "$1"/etc/systemd/system/*.wants/ssh.s* "$1/etc/systemd/system/sshd.service"
}
