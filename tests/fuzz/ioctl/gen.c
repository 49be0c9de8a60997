// SPDX-License-Identifier: MIT
/* Programs out of a number, and out of other programs */
#include "fuzz.h"

#include <fcntl.h>

/* Neighbouring seeds have nothing in common */
static uint64_t begin(uint64_t seed)
{
	uint64_t x = (seed + 1) * 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return (x ^ (x >> 31)) | 1;
}

static uint64_t below(uint64_t *random, uint64_t bound)
{
	uint64_t number = pdt_random(random) >> 16;

	return bound ? number % bound : 0;
}

static bool one_in(uint64_t *random, uint64_t bound)
{
	return !below(random, bound);
}

#define PICK(random, ...) ({							\
	static const uint64_t of_[] = { __VA_ARGS__ };				\
	of_[below(random, PDT_ARRAY_SIZE(of_))];				\
})

/* Any number, with those that break things among them */
static uint64_t any(uint64_t *random)
{
	switch (below(random, 6)) {
	case 0:
		return below(random, 16);
	case 1:
		return PICK(random, ~0ULL, ~0ULL - 1, ~0ULL - 4095, 1ULL << 63, INT64_MAX,
			    UINT32_MAX, 1ULL << 32, 1ULL << 31, INT32_MAX, 0, 4095, 4097);
	case 2:
		return 1ULL << below(random, 64);
	case 3:
		return (1ULL << below(random, 64)) - 1;
	case 4:
		return below(random, 100000);
	default:
		return pdt_random(random);
	}
}

static uint64_t size(uint64_t *random)
{
	uint64_t way = below(random, 100);

	if (way < 45)
		return PDT_PAGE * (1 + below(random, 4));
	if (way < 60)
		return below(random, 3 * PDT_PAGE);
	if (way < 82)
		return PDT_PAGE * (1 + below(random, 64));
	if (way < 83)
		return PICK(random, PDT_MIB, PDT_MIB - PDT_PAGE, PDT_MIB + PDT_PAGE, 2 * PDT_MIB);
	if (way < 97)
		return PDT_PAGE * (1 + below(random, 2));
	/* What takes long to make and to clear is rare; what cannot be made is not */
	if (one_in(random, 20))
		return PICK(random, 16 * PDT_MIB, 32 * PDT_MIB, 64 * PDT_MIB, 128 * PDT_MIB,
			    255 * PDT_MIB, 256 * PDT_MIB, PDT_GIB, 8 * PDT_GIB) +
		       PDT_PAGE * below(random, 3) - PDT_PAGE;
	return any(random) | PDT_GIB;
}

static uint64_t offset(uint64_t *random)
{
	uint64_t way = below(random, 100);

	if (way < 45)
		return 0;
	if (way < 75)
		return 4 * below(random, 1024);
	if (way < 85)
		return PDT_PAGE * below(random, 16);
	if (way < 96)
		return below(random, 8192);
	return any(random);
}

static uint64_t bytes(uint64_t *random)
{
	uint64_t way = below(random, 100);

	if (way < 50)
		return 4 * (1 + below(random, 1024));
	if (way < 75)
		return 1 + below(random, 5000);
	if (way < 90)
		return PDT_PAGE * (1 + below(random, 8));
	if (way < 96)
		return PDT_PAGE * (1 + below(random, 300));
	return any(random);
}

static uint64_t file(uint64_t *random)
{
	return one_in(random, 16) ? below(random, FZ_FILES) : below(random, 4) / 3;
}

/* A slot: few are used, so that calls meet; or a number */
static uint64_t handle(uint64_t *random)
{
	uint64_t way = below(random, 100);

	if (way < 95)
		return below(random, 3);
	if (way < 97)
		return below(random, FZ_HANDLES);
	if (way < 99)
		return FZ_LITERAL | below(random, 24);
	return FZ_LITERAL | (uint32_t)any(random);
}

static uint64_t sync_handle(uint64_t *random)
{
	return below(random, 100) < 94 ? below(random, 2) :
	       FZ_LITERAL | (one_in(random, 2) ? below(random, 8) : (uint32_t)any(random));
}

static uint64_t domains(uint64_t *random)
{
	return one_in(random, 40) ? any(random) :
	       PICK(random, 4, 4, 4, 6, 6, 6, 7, 7, 2, 2, 3, 1, 5);
}

static uint64_t create_flags(uint64_t *random)
{
	uint64_t flags = 0;

	if (one_in(random, 2))
		return 0;
	if (one_in(random, 20))
		return any(random);
	for (unsigned int bit = 0; bit < 7; bit++)
		flags |= bit != 3 && one_in(random, 4) ? 1ULL << bit : 0;
	return flags;
}

static uint64_t ioctl_number(uint64_t *random)
{
	switch (below(random, 4)) {
	case 0:
		return DRM_COMMAND_BASE + below(random, 10);
	case 1:
		return 0xbf + below(random, 0x12);
	case 2:
		return below(random, 0x10);
	default:
		return below(random, 256);
	}
}

static uint64_t pointer(uint64_t *random)
{
	uint64_t how = one_in(random, 30) ? below(random, FZ_POINTERS) : FZ_GOOD;

	/* Some keep what is staged; some name a mapping */
	return how + FZ_POINTERS * below(random, FZ_MAPS) + (one_in(random, 8) ? 0x100 : 0);
}

static uint64_t query_size(uint64_t *random)
{
	return one_in(random, 8) ? any(random) :
	       PICK(random, 0, 0, 1, 8, 64, 80, 72, 120, 176, 960, 968, 1024, 4096, 65536,
		    65537);
}

static uint64_t more(uint64_t *random)
{
	return one_in(random, 60) ?
	       PICK(random, 1, 2, 16, 1023, 1024, 1025, 1 << 20, (1 << 20) + 1, UINT32_MAX,
		    1U << 31) : 0;
}

static uint64_t simple(char type, uint64_t *random)
{
	switch (type) {
	case 'H':
		return below(random, one_in(random, 8) ? FZ_HANDLES : 3);
	case 'S':
		return below(random, 2);
	case 'd':
	case 'D':
		return below(random, one_in(random, 8) ? FZ_FDS : 3);
	case 'w':
	case 'W':
		return below(random, one_in(random, 8) ? FZ_MAPS : 3);
	case '1':
		return below(random, 2);
	case '2':
		return below(random, 256);
	case 'Q':
		return PDDGPU_QUERY_OBJECTS + below(random, 3);
	case 'A':
		return one_in(random, 4) ? any(random) :
		       PICK(random, 0, 0, 0, 1, 2, 17, 18, 30, 4112, UINT64_MAX, UINT64_MAX - 1);
	case 'T':
		return one_in(random, 30) ? any(random) :
		       PICK(random, 152, 152, 152, 144, 144, 8, 16, 0, 7, 1024, 1032);
	case 'r':
		return PICK(random, 3, 3, 3, 3, 1, 1, 2, 0, 7);
	case 'e':
		return FZ_OTHER + below(random, 2);
	case 'O':
		return one_in(random, 30) ? any(random) : 1 + below(random, 2);
	case 'P':
		return one_in(random, 3) ? (uint32_t)any(random) : 0;
	case 'j':
		return PICK(random, O_RDWR | O_CLOEXEC, O_RDWR | O_CLOEXEC, O_CLOEXEC, O_RDWR, 0,
			    0x1000, UINT32_MAX);
	case 'Y':
		return one_in(random, 16) ? any(random) : !one_in(random, 5);
	case 'y':
		return one_in(random, 30) ? any(random) : PICK(random, 0, 1, 1, 1, 1, 2, 3, 4, 5);
	default:
		return any(random);
	}
}

/* An argument of a type: see the cases */
static uint64_t argument(char type, uint64_t *random)
{
	switch (type) {
	case 'f':
		return file(random);
	case 'h':
		return handle(random);
	case 's':
		return sync_handle(random);
	case 'z':
		return size(random);
	case 'a':
		return one_in(random, 8) ? 1ULL << below(random, 32) :
		       one_in(random, 40) ? any(random) : 0;
	case 'm':
		return domains(random);
	case 'c':
		return create_flags(random);
	case 'g':
		return one_in(random, 30) ? any(random) : below(random, 8) & below(random, 8);
	case 'p':
		return one_in(random, 60) ? any(random) : 0;
	case 't':
		return any(random);
	case 'n':
		return one_in(random, 20) ? any(random) : 1 + below(random, 2);
	case 'o':
		return offset(random);
	case 'b':
		return bytes(random);
	case 'l':
		return one_in(random, 8) ? size(random) : PDT_PAGE * (1 + below(random, 2));
	case 'i':
		return one_in(random, 2) ? 0 : one_in(random, 20) ? any(random) :
		       1 + below(random, 8);
	case 'q':
		return one_in(random, 20) ? any(random) : below(random, 9);
	case 'x':
		return query_size(random);
	case 'u':
		return pointer(random);
	case 'N':
		return more(random);
	case 'k':
		return ioctl_number(random);
	case 'V':
		return one_in(random, 20) ? any(random) :
		       one_in(random, 8) ? FZ_LITERAL | below(random, 8) : 0;
	default:
		return simple(type, random);
	}
}

static void add(struct fz_program *program, const char *name, uint32_t lane,
		uint64_t *random)
{
	struct fz_call *call = &program->call[program->count];

	if (program->count == FZ_CALLS)
		return;
	memset(call, 0, sizeof(*call));
	call->kind = (uint32_t)fz_kind_find(name);
	call->lane = lane;
	for (size_t arg = 0; fz_kinds[call->kind].types[arg]; arg++)
		call->arg[arg] = argument(fz_kinds[call->kind].types[arg], random);
	/* Mostly what can be right: zeros where a fill wants them */
	if (!strcmp(name, "add_op") && call->arg[0] == PDDGPU_SUBMIT_FILL &&
	    !one_in(random, 20)) {
		call->arg[3] &= ~3ULL;
		call->arg[4] = FZ_LITERAL;
		call->arg[5] = 0;
		call->arg[6] = (call->arg[6] + 3) & ~3ULL;
	} else if (!strcmp(name, "add_op") && !one_in(random, 20)) {
		call->arg[1] = 0;
	}
	program->count++;
}

static const char *any_kind(uint64_t *random)
{
	static unsigned int total;
	unsigned int sum = 0;
	uint64_t at;

	for (unsigned int i = 0; !total && i < fz_kind_count; i++)
		sum += fz_kinds[i].weight;
	if (!total)
		total = sum;
	at = below(random, total);
	for (unsigned int i = 0;; i++) {
		if (at < fz_kinds[i].weight)
			return fz_kinds[i].name;
		at -= fz_kinds[i].weight;
	}
}

/* A call with what it needs before it */
static void add_some(struct fz_program *program, uint32_t lanes, uint64_t *random)
{
	const char *name = any_kind(random);
	uint32_t lane = (uint32_t)below(random, lanes);

	if (!strcmp(name, "submit")) {
		for (uint64_t n = one_in(random, 6) ? below(random, 6) : 1; n; n--)
			add(program, "add_op", lane, random);
		for (uint64_t n = one_in(random, 3) ? 1 + below(random, 2) : 0; n; n--)
			add(program, "add_sync", lane, random);
	}
	add(program, name, lane, random);
}

/* Something to begin with, by the first thread before the others start */
static void set_up(struct fz_program *program, uint64_t *random)
{
	uint64_t buffers = 3 + below(random, 4);
	struct fz_call *call = program->call;

	for (uint64_t n = 0; n < buffers; n++, call++) {
		add(program, "create", 0, random);
		call->arg[0] = n / 3 % 2;
		call->arg[1] = n % 3;
		call->arg[5] &= PDDGPU_GEM_CREATE_MASK;
		call->arg[6] = 0;
	}
	for (uint64_t n = 0; n < below(random, 4); n++, call++) {
		add(program, "sync_create", 0, random);
		call->arg[0] = n / 2;
		call->arg[1] = n % 2;
	}
	for (uint64_t n = 0; n < below(random, 4); n++)
		add(program, "mmap", 0, random);
	if (one_in(random, 2))
		add(program, "export", 0, random);
	if (one_in(random, 4))
		add(program, "foreign", 0, random);
}

/**
 * fz_generate() - a program
 * @program: out
 * @seed: the same gives the same
 */
void fz_generate(struct fz_program *program, uint64_t seed)
{
	uint64_t random = begin(seed);
	uint32_t lanes, length;

	memset(program, 0, sizeof(*program));
	lanes = (uint32_t)PICK(&random, 1, 1, 2, 2, 3, 4);
	length = (uint32_t)(20 + below(&random, FZ_CALLS - 30));
	program->repeat = (uint32_t)PICK(&random, 1, 2, 4, 8, 16, FZ_REPEAT);
	set_up(program, &random);
	while (program->count < length)
		add_some(program, lanes, &random);
}

static void remove_at(struct fz_program *program, uint32_t at)
{
	program->count--;
	memmove(&program->call[at], &program->call[at + 1],
		(program->count - at) * sizeof(program->call[0]));
}

static void change(struct fz_call *call, uint64_t *random)
{
	const char *types = fz_kinds[call->kind].types;
	size_t arg = below(random, strlen(types));

	switch (below(random, 4)) {
	case 0:
		call->arg[arg] ^= 1ULL << below(random, 33);
		break;
	case 1:
		call->lane = (uint32_t)below(random, FZ_LANES);
		break;
	default:
		call->arg[arg] = argument(types[arg], random);
	}
}

/* Calls of another program, at some place */
static void take_calls(struct fz_program *program, const struct fz_program *other,
		       uint64_t *random)
{
	uint32_t from = (uint32_t)below(random, other->count);
	uint32_t count = (uint32_t)(1 + below(random, other->count - from));
	uint32_t at = (uint32_t)below(random, program->count + 1);

	if (count > FZ_CALLS - at)
		count = FZ_CALLS - at;
	if (program->count + count > FZ_CALLS)
		program->count = FZ_CALLS - count;
	if (at > program->count)
		at = program->count;
	memmove(&program->call[at + count], &program->call[at],
		(program->count - at) * sizeof(program->call[0]));
	memcpy(&program->call[at], &other->call[from], count * sizeof(program->call[0]));
	program->count += count;
}

/**
 * fz_mutate() - a variant of a program
 * @program: out
 * @a: the program
 * @b: another, of which it may take a part
 * @seed: the same gives the same
 */
void fz_mutate(struct fz_program *program, const struct fz_program *a,
	       const struct fz_program *b, uint64_t seed)
{
	uint64_t random = begin(seed);

	*program = *a;
	for (uint64_t n = 1 + below(&random, 6); n; n--) {
		uint32_t at = (uint32_t)below(&random, program->count ? program->count : 1);

		switch (below(&random, 9)) {
		case 0:
			if (program->count > 1)
				remove_at(program, at);
			break;
		case 8:
			program->repeat = (uint32_t)PICK(&random, 1, 2, 4, 8, 16, FZ_REPEAT);
			break;
		case 1:
			take_calls(program, b, &random);
			break;
		case 2:
		case 3:
			add_some(program, FZ_LANES, &random);
			/* Not always at the end */
			if (program->count && at < program->count - 1 && one_in(&random, 2)) {
				struct fz_call last = program->call[program->count - 1];

				program->call[program->count - 1] = program->call[at];
				program->call[at] = last;
			}
			break;
		default:
			if (program->count)
				change(&program->call[at], &random);
		}
	}
}
