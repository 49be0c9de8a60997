# SPDX-License-Identifier: MIT
#
# `make demo` and `make test` do everything, from a fresh Debian machine on.

# Given on the command line or in the environment; see `make help`.
export KERNEL KDIR PDDGPU_CACHE TIMEOUT PDT_SLOW

ifneq ($(words $(CURDIR)),1)
$(error A kernel module cannot be built in a folder with a blank in its path: $(CURDIR))
endif

JOBS := $(shell nproc)

help:
	@sed -n 's/^#: //p' Makefile

#: make demo     leak video memory on purpose in a VM, and see it noticed
#: make test     every test: checks, the device, the harness, the driver in VMs
#: make test-debug  the tests in VMs on a kernel that watches: KASAN, lockdep,
#:               kmemleak and more; see docs/testing.md. Builds it the first time
#: make kernels  build for several kernels, test each a little, print a table
#: make soak     hours of hangs, resets, sleeps, removals and fuzzing
#: make coverage as test-debug, and say which lines of the driver ran
#: make bench    measure the driver in a VM, beside others: see docs/bench.md
#: make leak-bench  measure how often leaks are told from what is in use: see
#:               docs/leak-bench.md; DEVICE=1: on a card in a VM
#: make fuzz-ioctl  fuzz the driver in a VM: see tests/fuzz/ioctl/README.md
#: make shell    a shell in a VM with the driver loaded
#: make pictures run the commands of the docs, and draw their pictures anew
#: make device   build the device program, build/device/pddgpu-device
#: make module   build the driver, build/module/<release>/pddgpu.ko
#: make fuzz-device  fuzz the device program; TIME=SECONDS or COUNT=PACKETS
#: make check    style and static checks only
#: make lib      build libpddgpu, in build/lib
#: make tools    build the pddgpu command, in build/tools
#: make deb      Debian packages, in build/deb
#: make test-packages  install them in clean Debian 12 and 13; needs root
#: make install  install what people use: libpddgpu, pddgpu, the driver's source for
#:               DKMS, a service, alert rules; PREFIX=/usr/local DESTDIR=
#:               LIBDIR= INCLUDEDIR=
#: make setup    install the Debian packages that building and testing need
#: make clean    remove what was built (not the cache of kernels)
#:
#: KERNEL=6.12     the VM's kernel: a version, or a Debian suite, such as
#:                 trixie-backports; its compiler is fetched too if need be
#: KDIR=DIR        a kernel tree built by yourself instead
#: PDDGPU_CACHE=DIR  where kernels are kept (~/.cache/pddgpu)
#: KERNELS= TESTS=  for make kernels: names as for KERNEL, programs of tests/vm
#: BENCH=OPTIONS   for make bench, such as --quick; for make leak-bench: --seed 7 --explain
#: TIME= COUNT= SEED=  for make fuzz-ioctl: seconds, ioctls, random numbers
#: TIMEOUT=SECONDS   time limit of one VM (demo 120, test 900, bench 600, else 300)

setup:
	@scripts/setup

device: setup
	@$(MAKE) --no-print-directory -s -j$(JOBS) -C device

module: setup
	@scripts/build-module driver build/module/%r

example: setup
	@$(MAKE) --no-print-directory -s -C examples

lib: setup
	@$(MAKE) --no-print-directory -s -j$(JOBS) -C lib

tools: lib
	@$(MAKE) --no-print-directory -s -j$(JOBS) -C tools

# All that the tests in VMs need
build: device module example tools
	@$(MAKE) --no-print-directory -s -j$(JOBS) -C tests/vm
	@$(MAKE) --no-print-directory -s -j$(JOBS) -C tests/fuzz/ioctl

demo: device module example
	@exec scripts/demo

test: setup
	@scripts/test

soak: setup
	@exec scripts/test --soak

test-debug: setup
	@exec scripts/test-debug

coverage: setup
	@exec scripts/test-debug --coverage

check: setup
	@scripts/check

kernels: setup
	@exec scripts/kernels $(KERNELS) $(if $(TESTS),-- $(TESTS))

bench: device module tools
	@$(MAKE) --no-print-directory -s -C bench
	@exec scripts/bench $(BENCH)

leak-bench: lib $(if $(DEVICE),device module)
	@$(MAKE) --no-print-directory -s -j$(JOBS) -C bench/leak
	@exec scripts/leak-bench $(if $(DEVICE),--vm) $(BENCH)

fuzz-device: setup
	@scripts/fuzz-device $(if $(TIME),--time $(TIME)) $(if $(COUNT),--count $(COUNT))

fuzz-ioctl: build
	@exec scripts/fuzz-ioctl $(TIME:%=--time %) $(COUNT:%=--count %) \
		$(SEED:%=--seed %) $(FUZZ)

shell: device module example tools
	@exec scripts/shell

pictures: build
	@exec tests/docs/run --pictures

# Only what is for programs; the driver is a module, and is built for a kernel.
install:
	@$(MAKE) --no-print-directory -s -C lib install
	@$(MAKE) --no-print-directory -s -C tools install
	@$(MAKE) --no-print-directory -s -C packaging install

deb:
	@scripts/setup deb
	@$(MAKE) --no-print-directory -s -C packaging deb

test-packages:
	@scripts/setup packages
	@scripts/test-packages

clean:
	rm -rf build

.PHONY: help setup fuzz-device device module example lib tools install deb test-packages build demo test soak test-debug coverage check kernels bench leak-bench fuzz-ioctl shell pictures clean
