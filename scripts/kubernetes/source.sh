# The sources of Kubernetes 1.20 and a compiler for them, from Debian; sourced with `out` set, where the folder `work` comes and goes.
# The compiler and everything else come from the same suite, so that no program depends on the machine's.
# shellcheck shell=bash

# shellcheck source=scripts/kubernetes/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

release=v1.20.2
suite=bookworm

work=$out/work
rm -rf "$work"
mkdir -p "$work/tools" "$work/path/src/k8s.io"
trap 'rm -rf "$work"' EXIT

download $suite "$(dpkg --print-architecture)" "$work/download" '
    apt_get download golang-1.19-go golang-1.19-src golang-github-modern-go-reflect2-dev &&
    apt_get --download-only source kubernetes'
for package in "$work"/download/*.deb; do dpkg-deb --extract "$package" "$work/tools"; done
tree=$work/path/src/k8s.io/kubernetes
dpkg-source --no-check --extract "$work"/download/kubernetes_*.dsc "$tree" >"$work/source.log"

export GOROOT=$work/tools/usr/lib/go-1.19 GOPATH=$work/path GOCACHE=$out/cache
# The package has no modules' sums; its vendored code is found by the old rules.
export GO111MODULE=off GOPROXY=off GOTOOLCHAIN=local CGO_ENABLED=0
go=$GOROOT/bin/go

# The vendored reflect2 reads the run-time's memory as it was before Go 1.18, and crashes when a configuration is written.
reflect2=$tree/vendor/github.com/modern-go/reflect2
rm "$reflect2"/*.go "$reflect2"/*.s
cp "$work"/tools/usr/share/gocode/src/github.com/modern-go/reflect2/*.{go,s} "$reflect2/"
rm -f "$reflect2"/*_test.go

# Debian leaves out what the project generates: the descriptions of all types. The generator's complaints about them are
# the ones that the project knows of, or what it read is not what the project has.
generate_openapi() {
    "$go" build -o "$work/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
    grep -rl --include='*.go' '+k8s:openapi-gen=' cmd pkg plugin vendor/k8s.io/*/ |
        grep -Ev '^vendor/k8s.io/(code-generator|sample-apiserver|kube-openapi|gengo)/|_test\.go$' |
        xargs -n1 dirname | sort -u | sed 's,^,k8s.io/kubernetes/,' >"$work/described"
    "$work/openapi-gen" --go-header-file vendor/k8s.io/code-generator/hack/boilerplate.go.txt \
        --input-dirs "$(paste -sd, "$work/described")" --output-package k8s.io/kubernetes/pkg/generated/openapi \
        --output-file-base zz_generated.openapi --report-filename "$work/complaints"
    cmp "$work/complaints" api/api-rules/violation_exceptions.list
}

# build ARCHITECTURE FOLDER PROGRAM...
build() {
    local architecture=$1 folder=$2 program version=k8s.io/kubernetes/vendor/k8s.io
    shift 2
    mkdir -p "$out/$folder"
    local facts=''
    for package in "$version/component-base/version" "$version/client-go/pkg/version"; do
        facts+=" -X $package.gitVersion=$release -X $package.gitMajor=1 -X $package.gitMinor=20"
    done
    for program; do set -- "$@" "./cmd/$program" && shift; done
    GOARCH=$architecture "$go" build -trimpath -tags 'providerless dockerless' -ldflags "-s -w$facts" \
        -o "$out/$folder/" "$@"
}

cd "$tree"
generate_openapi
