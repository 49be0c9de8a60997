# SPDX-License-Identifier: MIT
#
# The fuzzers of the device program; `make fuzz-device` runs them.
#
#   all      for libFuzzer: clang, address and undefined sanitizers
#   replay   to run inputs once more: any compiler, the same sanitizers
#   threads  the same with the engines' threads, under the thread sanitizer
TOP := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/../..)
# Not of those who call this
override BUILD := $(TOP)/build/fuzz-device
CLANG ?= clang

TARGETS := chip line socket options
RIG := device_rig device_report device_model device_packets device_hooks
SOURCES_chip := device_chip $(RIG) device_acts device_ops
SOURCES_line := device_line $(RIG)
SOURCES_socket := device_socket device_report
SOURCES_options := device_options
WRAPPED := mmap pthread_cond_timedwait engine_access_begin mmu_access mmu_run \
	packet_fetch packet_run irq_fence irq_fault irq_engine_reset irq_control \
	irq_power_on
WRAP_chip := $(WRAPPED:%=-Wl,--wrap=%)
WRAP_line := $(WRAP_chip)

# It has a log of its own
DEVICE_options := options
override DEVICE := $(patsubst $(TOP)/device/%.c,%,$(filter-out %/main.c,$(wildcard $(TOP)/device/*.c)))
HEADERS := $(wildcard $(TOP)/device/*.h $(TOP)/tests/fuzz/device_*.h $(TOP)/include/hw/*.h)
FLAGS := -std=gnu11 -g -Wall -Wextra -Werror -D_GNU_SOURCE -pthread -I$(TOP)/include/hw \
	-I$(TOP)/device -I$(TOP)/tests/fuzz -fno-omit-frame-pointer
ASAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined

CC_all := $(CLANG)
FLAGS_all := -O1 $(ASAN)
# What the fuzzer is to find its way through is the device, not its own model
GUIDE_all := -fsanitize=fuzzer-no-link -fno-sanitize-coverage=trace-cmp
LINK_all := $(ASAN) -fsanitize=fuzzer
CC_replay := $(CC)
FLAGS_replay := -O1 $(ASAN)
LINK_replay := $(ASAN)
CC_threads := $(CC)
FLAGS_threads := -O1 -fsanitize=thread -DFUZZ_THREADS
LINK_threads := -fsanitize=thread

vpath %.c $(TOP)/device $(TOP)/tests/fuzz

# programs KIND,TARGETS: one of each target, from objects of its own kind
define programs
$(1): $(2:%=$(BUILD)/$(1)/%)

$(BUILD)/$(1)/%.o: %.c $(HEADERS) $(TOP)/tests/fuzz/device.mk
	@mkdir -p $$(@D)
	@$(CC_$(1)) $(FLAGS) $(FLAGS_$(1)) $$(if $$(findstring /device/,$$<),$(GUIDE_$(1))) \
		-c -o $$@ $$<

$(foreach t,$(2),$(call program,$(1),$(t)))
endef

define program

$(BUILD)/$(1)/$(2): $(patsubst %,$(BUILD)/$(1)/%.o,$(or $(DEVICE_$(2)),$(DEVICE)) $(SOURCES_$(2)) $(if $(filter all,$(1)),,device_replay))
	@echo "  CC    $$@"
	@$(CC_$(1)) -pthread $(LINK_$(1)) $(WRAP_$(2)) -o $$@ $$^

endef

all:
$(eval $(call programs,all,$(TARGETS)))
$(eval $(call programs,replay,$(TARGETS)))
$(eval $(call programs,threads,$(TARGETS)))

.SECONDARY:
.PHONY: all replay threads
