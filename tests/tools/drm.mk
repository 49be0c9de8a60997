# SPDX-License-Identifier: MIT
#
# Unit tests and fuzzers of what top, watch, record and replay stand on; part of the
# Makefile beside it. Unit tests are linked with the objects of the command.
UNITS := $(patsubst %.c,$(BUILD)/%,$(wildcard unit_*.c))
FUZZERS := $(patsubst %.c,$(BUILD)/%,$(wildcard fuzz_*.c))
FUZZED := $(addprefix $(TOP)/tools/,names.c fdinfo.c history.c player.c rows.c json.c text.c \
	out.c table.c sample_json.c top_size.c)
CLANG ?= clang

units: $(UNITS) $(FUZZERS)

$(BUILD)/unit_%: unit_%.c $(wildcard *.h) command $(BUILD)/fake.o
	@echo "  CC    $@"
	@$(CC) $(CFLAGS) $(FAKE_CFLAGS) -o $@ $< \
		$(filter-out %/pddgpu.o,$(wildcard $(BUILD)/command.objects/*.o)) $(BUILD)/fake.o \
		$(shell pkg-config --libs jansson ncursesw libdrm libudev libdw libelf cmocka) -lm -pthread

$(BUILD)/fuzz_%: fuzz_%.c $(FUZZED) $(wildcard $(TOP)/tools/*.h) | $(BUILD)
	@echo "  CLANG $@"
	@$(CLANG) -g -O1 -std=gnu11 -D_GNU_SOURCE -I$(TOP)/tools $(LIB_CFLAGS) \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		-o $@ $< $(FUZZED) $(shell pkg-config --cflags --libs jansson) -lm

.PHONY: units
