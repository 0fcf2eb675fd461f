# The short names of this repository's jobs.

.PHONY: archive build image boot boot-all boot-k3s boot-kubernetes lifetime test lint docs site bench fuzz base install install-test-dependencies deb test-deb release

# The command, optimised.
build:
	@scripts/compile

# The command, its manual pages and completions, as `make build` left them: make install PREFIX=/usr/local
PREFIX ?= /usr/local
install:
	DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) scripts/install-files

# The same as a Debian package in out/deb, from a binary that runs on any Linux: make deb TARGET=aarch64-unknown-linux-musl
TARGET ?= $(shell uname -m)-unknown-linux-musl
deb:
	cargo build --release --locked --package imgforge --target $(TARGET)
	scripts/make-deb target/$(TARGET)/release/imgforge

# Installs that package in Debian 12 and 13, and builds an image there.
test-deb: deb
	scripts/install-dependencies image
	scripts/make-base virt-arm64
	scripts/test-deb out/deb/imgforge_*_$(shell dpkg --print-architecture).deb

# An image from a real base that one can log in to: the README's first command. BOARD=rpi4 is for a card; NODE=my-node.yaml has
# other settings.
BOARD ?= virt-arm64
IMAGE ?= out/images/k8s-master-1.img
image:
	@NODE=$(NODE) scripts/first-image $(BOARD) $(IMAGE)

# Boots an image on this terminal: make boot IMAGE=path. Its ssh is at port 2222 of this machine.
SSH ?= 2222
boot:
	@scripts/install-dependencies boot
	scripts/boot-image --ssh $(SSH) $(IMAGE)

# Release images of virt-arm64, whose base is made here; CI does the same for all boards. RELEASE_KEY=FINGERPRINT signs.
release:
	scripts/install-dependencies image
	$(MAKE) build
	scripts/release local

# What every change must pass: the README's second command.
test: install-test-dependencies base
	scripts/test

# Our packages against dpkg, apt and the archive's signatures, with packages from the Debian mirror.
archive: install-test-dependencies
	cargo test --release --locked --package imgforge-debian --test mirror

# The boots that take too long for every change.
boot-all: install-test-dependencies base
	cargo test --locked --package imgforge-tests --test boot --test boot_all --test boot_cluster --test boot_wifi \
		--test boot_settings -- --nocapture

# A server and two 32-bit agents of k3s, for which a stand-in stands.
boot-k3s: install-test-dependencies base
	cargo test --locked --package imgforge-tests --test boot_k3s -- --nocapture

# Real Kubernetes on two emulated boards. The first run builds it: ten minutes.
boot-kubernetes: base
	scripts/install-dependencies kubernetes
	scripts/make-kubernetes
	cargo test --locked --package imgforge-tests --test boot_kubernetes -- --nocapture --test-threads 1

# The life of a cluster with Kubernetes' own programs on this machine: power cuts, new cards, certificates, a restore. Needs root.
# The first run builds them: ten minutes. LIFETIME="cuts-in-init first-birthday" runs these only.
lifetime: base build
	scripts/install-dependencies kubernetes
	scripts/make-kubernetes native
	tests/lifetime/run $(LIFETIME)

# What CI checks besides the tests.
lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	scripts/deny
	scripts/lint-shell

# Manual pages, schemas and docs/rules.md, generated from the code.
docs:
	IMGFORGE_WRITE_DOCS=1 cargo test --locked --package imgforge --test it generated

# The pages as a site, in out/site.
site:
	scripts/site

# Speed and memory, as ratios to what people would run instead.
bench: install-test-dependencies base build
	scripts/bench
	scripts/bench-packages
	scripts/bench-cluster
	scripts/bench-growth

# Coverage-guided fuzzing of every parser of foreign bytes, so many seconds each; then the tests' own fuzzing, and dash's
# judgement of what is said of scripts, longer than usual.
FUZZ_SECONDS ?= 600
fuzz: install-test-dependencies
	scripts/fuzz $(FUZZ_SECONDS)
	FUZZ_SECONDS=60 PROPTEST_CASES=20000 cargo test --release --workspace --locked -- fuzz against_dash

# Base images in the vendors' layouts, in out/bases.
base:
	scripts/install-dependencies image
	scripts/make-base

# Debian packages that making bases and running the tests need.
install-test-dependencies:
	scripts/install-dependencies test
