# The short names of this repository's jobs.

.PHONY: archive build image boot boot-all boot-k3s boot-kubernetes lifetime test lint docs bench fuzz base install release

# The command, optimised.
build:
	cargo build --release --locked --package imgforge

# A flashable image from a real base: the README's first command. NODE=examples/node.yaml adds users and disks.
IMAGE ?= out/images/k8s-master-1.img
image:
	scripts/install-dependencies image
	$(MAKE) build
	scripts/make-base virt-arm64
	mkdir -p out/images
	target/release/imgforge build --board virt-arm64 --role master --hostname k8s-master-1 \
		$(if $(NODE),--node $(NODE)) --store out/store --output $(IMAGE)
	@echo
	@echo "Boot it in QEMU:   make boot        (Ctrl-a x leaves)"
	@echo "For a board:       target/release/imgforge build --board rk3328 --role master, then imgforge flash IMAGE"

# Boots an image on this terminal: make boot IMAGE=path
boot: install
	scripts/boot-image $(IMAGE)

# Release images of virt-arm64, whose base is made here; CI does the same for all boards. RELEASE_KEY=FINGERPRINT signs.
release:
	scripts/install-dependencies image
	$(MAKE) build
	scripts/release local

# What every change must pass: the README's second command.
test: install base
	tests/firstboot/run
	scripts/test

# Our packages against dpkg, apt and the archive's signatures, with packages from the Debian mirror.
archive: install
	cargo test --release --locked --package imgforge-debian --test mirror

# The boots that take too long for every change.
boot-all: install base
	cargo test --locked --package imgforge-tests --test boot --test boot_all -- --nocapture

# A server and two 32-bit agents of k3s, for which a stand-in stands.
boot-k3s: install base
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

# Speed and memory, as ratios to what people would run instead.
bench: install base build
	scripts/bench
	scripts/bench-packages
	scripts/bench-cluster

# Coverage-guided fuzzing of every parser of foreign bytes, so many seconds each; then the tests' own fuzzing, and dash's
# judgement of what is said of scripts, longer than usual.
FUZZ_SECONDS ?= 600
fuzz: install
	scripts/fuzz $(FUZZ_SECONDS)
	FUZZ_SECONDS=60 PROPTEST_CASES=20000 cargo test --release --workspace --locked -- fuzz against_dash

# Base images in the vendors' layouts, in out/bases.
base:
	scripts/install-dependencies image
	scripts/make-base

# Debian packages that making bases and running the tests need.
install:
	scripts/install-dependencies test
