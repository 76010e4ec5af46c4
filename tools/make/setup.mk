# SPDX-License-Identifier: Apache-2.0
# What must be installed: the packages for building and running, those for testing, and how they come.

# Packages for `make setup run` and its like. Git brings Perl, and a clone's owner has git.
LIGHT_GOALS := all run run-linux run-guest cockpit check-policy clean help
LIGHT := make gcc-aarch64-linux-gnu binutils-aarch64-linux-gnu qemu-system-arm ipxe-qemu \
	python3 python3-yaml python3-jinja2 python3-pyelftools python3-libfdt python3-urwid
# Ubuntu has no browser that runs without its snap daemon: there report and trace are not looked at. Chrome's trace viewer is
# no part of Chromium any more, but one of Go's tools brings it along.
BROWSER = $(if $(filter debian,$(shell sed -n 's/^ID=//p' /etc/os-release)),chromium golang-src)
# libFuzzer is a package of its own but on Ubuntu 22.04, where clang brings it.
FUZZER = clang $(if $(filter jammy,$(shell sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)),,libclang-rt-dev)
FULL_ONLY = git gcc libc6-dev $(if $(shell command -v npm),,npm) pre-commit python3-pytest python3-pytest-xdist python3-hypothesis \
	python3-pexpect python3-pyte python3-jsonschema python3-setuptools python3-wheel python3-pip device-tree-compiler ccache clang-tidy \
	cppcheck shellcheck flake8 mypy gdb-multiarch strace debootstrap zsh zstd lz4 e2fsprogs u-boot-qemu u-boot-tools $(FUZZER) $(BROWSER)
OTHER_GOALS := $(filter-out setup,$(MAKECMDGOALS))
PACKAGES = $(LIGHT) $(if $(and $(OTHER_GOALS),$(if $(filter-out $(LIGHT_GOALS),$(OTHER_GOALS)),,light)),,$(FULL_ONLY))

.PHONY: setup
setup: ## install what is missing (Debian or Ubuntu; as root or by sudo): `setup run` for building and running, `setup` for all
	@tools/make/setup.sh $(PACKAGES)
