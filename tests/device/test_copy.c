// SPDX-License-Identifier: MIT
/* The COPY packet, against a model that does the same with memmove(). */
#include <string.h>

#include "rig.h"

#define V	PDDGPU_PTE_VALID
#define W	PDDGPU_PTE_WRITABLE
#define S	PDDGPU_PTE_SYSTEM
#define LEAF	PDDGPU_PTE_LEAF

#define SRC	(VRAM_START + RIG_DATA)
#define HIGH	(4 * GIB)
#define LOWMEM	(8 * MIB)

/*
 * The model's memory: pieces of GPU addresses, one behind the other. Pages of
 * the aperture are shuffled over low RAM, high RAM and VRAM.
 */
#define SHUFFLED	96ull			/* pages at GTT_START */
#define LEAF_ADDR	(GTT_START + 4 * MIB)
#define PIECE_MAX	(2 * MIB)

static const struct piece {
	uint64_t addr;
	uint64_t bytes;
	uint64_t model;		/* offset in the model */
} pieces[] = {
	{ VRAM_START + 3 * MIB, MIB, 0 },
	/* Half of it visible, half not */
	{ VRAM_START + 14 * MIB + 512 * KIB, MIB, MIB },
	{ VRAM_START + 24 * MIB, MIB, 2 * MIB },
	{ GTT_START, SHUFFLED * 4096, 3 * MIB },
	{ LEAF_ADDR, 2 * MIB, 4 * MIB },
};

#define PIECES		ARRAY_SIZE(pieces)
#define MODEL_BYTES	(6 * MIB)

static void map_pieces(struct rig *rig, uint64_t *seed)
{
	uint64_t entry[SHUFFLED];

	for (uint64_t i = 0; i < SHUFFLED; i++) {
		if (i % 3 == 0)
			entry[i] = V | W | S | (MIB + i * 4096);
		else if (i % 3 == 1)
			entry[i] = V | W | S | (HIGH + i * 4096);
		else
			entry[i] = V | W | (5 * MIB + i * 4096);
	}
	for (uint64_t i = SHUFFLED - 1; i; i--) {
		uint64_t k = random_below(seed, i + 1), swap = entry[i];

		entry[i] = entry[k];
		entry[k] = swap;
	}
	for (uint64_t i = 0; i < SHUFFLED; i++)
		map_entry(rig, GTT_START + i * 4096, entry[i]);
	map_leaf(rig, LEAF_ADDR, V | W | S | LEAF | (HIGH + 2 * MIB));
	flush_tlb(rig);
}

/* Give the model and the memory the same random bytes. */
static void seed_pieces(struct rig *rig, uint8_t *model, uint64_t *seed)
{
	for (uint64_t i = 0; i < MODEL_BYTES; i += 8) {
		uint64_t value = random64(seed);

		memcpy(model + i, &value, 8);
	}
	for (size_t i = 0; i < PIECES; i++) {
		/* Through a place that the CPU reaches */
		for (uint64_t done = 0; done < pieces[i].bytes; ) {
			uint64_t n = pieces[i].bytes - done;

			if (n > MIB)
				n = MIB;
			memcpy(rig->vram + RIG_DATA, model + pieces[i].model + done, n);
			copy(rig, SRC, pieces[i].addr + done, n);
			done += n;
		}
	}
}

static void compare_pieces(struct rig *rig, const uint8_t *model)
{
	for (size_t i = 0; i < PIECES; i++) {
		for (uint64_t done = 0; done < pieces[i].bytes; ) {
			uint64_t n = pieces[i].bytes - done;

			if (n > MIB)
				n = MIB;
			copy(rig, pieces[i].addr + done, SRC, n);
			assert_memory_equal(rig->vram + RIG_DATA,
					    model + pieces[i].model + done, n);
			done += n;
		}
	}
}

struct place {
	uint64_t addr;
	uint64_t model;
	uint64_t room;
};

static struct place random_place(uint64_t *seed, uint64_t room)
{
	const struct piece *piece = &pieces[random_below(seed, PIECES)];
	uint64_t offset;

	if (room > piece->bytes)
		room = piece->bytes;
	offset = random_below(seed, piece->bytes - room + 1);
	return (struct place) { piece->addr + offset, piece->model + offset, room };
}

static void random_copy(struct rig *rig, uint8_t *model, uint64_t *seed)
{
	static const uint64_t limits[] = { 16, 300, 9000, 70000, 400000 };
	struct place src, dst;
	uint64_t bytes = 1 + random_below(seed, limits[random_below(seed, 5)]);

	src = random_place(seed, bytes);
	if (random_below(seed, 3)) {
		dst = random_place(seed, src.room);
	} else {
		/* Near by, so that they overlap */
		const struct piece *piece = pieces;
		uint64_t shift = random_below(seed, 9000);

		while (src.addr - piece->addr >= piece->bytes)
			piece++;
		dst = src;
		if (random_below(seed, 2) && src.addr - piece->addr >= shift) {
			dst.addr -= shift;
			dst.model -= shift;
		} else if (piece->addr + piece->bytes - src.addr - src.room >= shift) {
			dst.addr += shift;
			dst.model += shift;
		}
	}
	emit_copy(rig, 0, src.addr, dst.addr, dst.room);
	memmove(model + dst.model, model + src.model, dst.room);
}

static void test_random_copies(void **state)
{
	struct rig *rig = *state;
	static uint8_t model[MODEL_BYTES];
	uint64_t seed = 0xc0ffee;

	map_pieces(rig, &seed);
	seed_pieces(rig, model, &seed);
	for (int i = 0; i < 10; i++) {
		for (int k = 0; k < 120; k++) {
			random_copy(rig, model, &seed);
			if (k % 16 == 0)
				submit(rig, 0);
		}
		finish(rig, 0);
		compare_pieces(rig, model);
	}
	assert_int_equal(counter(rig, "faults"), 0);
}

/* Every alignment of either side, and the bytes next to it left alone */
static void test_alignments(void **state)
{
	static const uint64_t sizes[] = { 1, 2, 3, 7, 8, 9, 64, 4095, 4096, 4097 };
	struct rig *rig = *state;
	uint8_t *src = rig->vram + RIG_DATA, *dst = src + 64 * KIB;
	uint8_t want[16 * KIB];

	for (int i = 0; i < 8192; i++)
		src[i] = i * 31 + i / 256;
	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		for (int a = 0; a < 8; a++) {
			for (int b = 0; b < 8; b += 1 + a % 2) {
				memset(dst, 0xee, sizeof(want));
				memset(want, 0xee, sizeof(want));
				copy(rig, SRC + a, SRC + 64 * KIB + 8 + b, sizes[s]);
				memcpy(want + 8 + b, src + a, sizes[s]);
				assert_memory_equal(dst, want, sizeof(want));
			}
		}
	}
}

static void check_overlap(struct rig *rig, uint64_t base, int64_t shift, uint64_t bytes)
{
	static uint8_t model[PIECE_MAX];
	uint64_t src = shift < 0 ? -shift : 0, dst = shift < 0 ? 0 : shift;
	uint64_t all = bytes + (shift < 0 ? -shift : shift);

	assert_true(all <= PIECE_MAX);
	for (uint64_t i = 0; i < all; i++)
		model[i] = i ^ i >> 8 ^ i >> 13;
	memcpy(rig->vram + RIG_DATA + 4 * MIB, model, all);
	copy(rig, SRC + 4 * MIB, base, all);
	copy(rig, base + src, base + dst, bytes);
	memmove(model + dst, model + src, bytes);
	copy(rig, base, SRC + 4 * MIB, all);
	assert_memory_equal(rig->vram + RIG_DATA + 4 * MIB, model, all);
}

static void test_overlaps(void **state)
{
	static const int64_t shifts[] = { 0, 1, 7, 8, 63, 4095, 4096, 5000, 70000 };
	struct rig *rig = *state;
	uint64_t seed = 77;

	map_pieces(rig, &seed);
	for (size_t i = 0; i < ARRAY_SIZE(shifts); i++) {
		for (int sign = -1; sign <= 1; sign += 2) {
			check_overlap(rig, VRAM_START + 24 * MIB + 3, sign * shifts[i], 150000);
			check_overlap(rig, GTT_START + 5, sign * shifts[i], 150000);
			check_overlap(rig, LEAF_ADDR + 4090, sign * shifts[i], MIB);
		}
	}
	/* Over several of the chunks between which a reset may come */
	check_overlap(rig, VRAM_START + 24 * MIB, 4096, PIECE_MAX - 4096);
}

/* Two names of the same memory: nothing is promised but that it ends. */
static void test_aliases(void **state)
{
	struct rig *rig = *state;

	map_leaf(rig, GTT_START, V | W | LEAF | 4 * MIB);
	map_leaf(rig, GTT_START + 2 * MIB, V | W | LEAF | 4 * MIB);
	flush_tlb(rig);
	copy(rig, GTT_START, GTT_START + 2 * MIB, 2 * MIB);
	copy(rig, GTT_START, VRAM_START + 4 * MIB + 100, MIB);
	copy(rig, VRAM_START + 4 * MIB + 100, GTT_START, MIB);
	assert_int_equal(counter(rig, "faults"), 0);
}

/* What lies before the missing page is copied, the fault names its first byte. */
static void test_fault_inside(void **state)
{
	struct rig *rig = *state;

	for (int i = 0; i < 4; i++)
		map_entry(rig, GTT_START + i * 4096, i == 2 ? 0 : V | W | S | (i * 8192));
	memset(rig->vram + RIG_DATA, 0x77, 16384);
	emit_copy(rig, 0, SRC, GTT_START + 100, 16000);
	submit(rig, 0);
	expect_fault(rig, 0, PDDGPU_FAULT_INVALID_ENTRY, 3, true, GTT_START + 8192);
	assert_int_equal(rig->ram[99], 0);
	assert_int_equal(rig->ram[100], 0x77);
	assert_int_equal(rig->ram[8192 + 4095], 0x77);
	assert_int_equal(rig->ram[3 * 8192], 0);
}

static void test_ends(void **state)
{
	struct rig *rig = *state;
	const uint64_t end = VRAM_START + 32 * MIB;
	const struct {
		uint64_t src, dst, bytes;
		bool write;
		uint64_t fault;
	} cases[] = {
		{ end - 8, SRC, 16, false, end },
		{ SRC, end - 4096, 8192, true, end },
		{ end - 1, SRC, 4 * GIB, false, end },
		{ ~0ull - 7, SRC, 16, false, ~0ull - 7 },
		{ SRC, ~0ull - 7, 16, true, ~0ull - 7 },
		{ SRC, ~0ull, 4 * GIB, true, ~0ull },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		emit_copy(rig, 0, cases[i].src, cases[i].dst, cases[i].bytes);
		submit(rig, 0);
		expect_fault(rig, 0, PDDGPU_FAULT_OUT_OF_RANGE, 0, cases[i].write,
			     cases[i].fault);
		reset_engine(rig, 0);
		ack_fault(rig);
	}
	/* Nothing is nowhere: no access, so no fault */
	copy(rig, 0, ~0ull, 0);
	copy(rig, end, 5, 0);
}

static void test_both_engines(void **state)
{
	struct rig *rig = *state;

	for (uint32_t i = 0; i < 40; i++) {
		for (int engine = 0; engine < 2; engine++) {
			uint64_t at = VRAM_START + (4 + 4 * engine) * MIB;

			emit_fill(rig, engine, at, 0x1000 * (engine + 1) + i, MIB);
			emit_copy(rig, engine, at, at + MIB, MIB);
			emit_copy(rig, engine, at + MIB, at + 2 * MIB + 4, MIB);
			submit(rig, engine);
		}
		for (int engine = 0; engine < 2; engine++) {
			finish(rig, engine);
			for (uint64_t k = 0; k < MIB; k += 65536)
				assert_int_equal(*(uint32_t *)(rig->vram + 4 +
						 (6 + 4 * engine) * MIB + k),
						 0x1000 * (engine + 1) + i);
		}
	}
	assert_int_equal(counter(rig, "copies"), 160);
	assert_int_equal(counter(rig, "bytes_copied"), 160 * MIB);
	assert_int_equal(counter(rig, "bytes_filled"), 80 * MIB);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_alignments, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_overlaps, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_random_copies, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_aliases, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_fault_inside, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_ends, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_both_engines, rig_setup_on, rig_teardown),
};

int run_copy_tests(int *total)
{
	return RUN_GROUP("copies", tests, total);
}
