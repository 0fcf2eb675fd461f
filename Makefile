# The short names of this repository's jobs.

.PHONY: install base boot

# Debian packages that making bases and running the tests need.
install:
	scripts/install-dependencies test

# Base images in the vendors' layouts, in out/bases.
base:
	scripts/install-dependencies image
	scripts/make-base

# Boots an image on this terminal: make boot IMAGE=path
IMAGE ?= out/bases/virt-arm64.img.xz
boot:
	scripts/boot-image $(IMAGE)
