# What the scripts of this folder share; sourced, never run.
# shellcheck shell=bash

# shellcheck source=scripts/base/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../base/common.sh"

# download SUITE ARCHITECTURE DIR COMMAND: runs COMMAND, which calls apt_get, in DIR with an apt of that suite and architecture
# that shares nothing with the machine but the mirror and the keyring.
download() {
    local mirror
    # shellcheck disable=SC2016 # the dollar signs are apt's
    mirror=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' |
        sed -n 's/^Debian|Debian|//p' | head -n1)
    mkdir -p "$3"
    # shellcheck disable=SC2016 # expanded by the hooks' own shell
    mmdebstrap --quiet --variant=custom --architectures="$2" --components=main \
        --aptopt='Acquire::Languages "none"' \
        --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
        --setup-hook='sed -n "s/^deb /deb-src /p" "$1/etc/apt/sources.list" >"$1/etc/apt/sources.list.d/source.list"' \
        --customize-hook='export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
            apt_get() { apt-get -qq -o APT::Sandbox::User=root "$@"; }
            mkdir "$1/download" && cd "$1/download" && '"$4" \
        --customize-hook="sync-out /download $3" \
        "$1" /dev/null ${mirror:+"$mirror"}
}
