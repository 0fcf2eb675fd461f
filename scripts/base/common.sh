# What the scripts of this folder share; sourced, never run.
# shellcheck shell=bash

# Used by the sourcing scripts.
# shellcheck disable=SC2034
{
    top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
    bases=$top/tests/bases
    suite=trixie
    # Every time stamp of a base that does not come out of a package: 2026-01-01 00:00 UTC.
    export SOURCE_DATE_EPOCH=1767225600
    # The same for mke2fs before 1.47.1.
    export E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH
}
export LC_ALL=C.UTF-8 TZ=UTC
umask 022

# The lines of FILE that are neither comments nor empty.
list_of() {
    sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$1"
}
