// SPDX-License-Identifier: MIT
/*
 * Every fault that the card can be made to have, before every call of what a
 * program usually does. Its VM loads the driver with a short job_timeout_ms.
 */
#include "pdt.h"

#include <sys/mman.h>
#include <unistd.h>

#define SIZE	(PDT_MIB + 3 * PDT_PAGE)
#define SEED	77

/**
 * struct program - what the program has
 */
struct program {
	/** @fd: a file of the card's */
	int fd;
	/** @other: another one */
	int other;
	/** @a: in VRAM, of a pattern */
	struct pdt_buffer a;
	/** @b: in the GTT: zeros, then @a's copy if its job did not fail */
	struct pdt_buffer b;
	/** @dmabuf: @b exported */
	int dmabuf;
	/** @imported: @other's handle of it */
	uint32_t imported;
	/** @syncobj: of the job */
	uint32_t syncobj;
};

static int call_open(struct program *p)
{
	p->fd = pdt_open();
	return p->fd < 0 ? p->fd : 0;
}

static int call_open_other(struct program *p)
{
	p->other = pdt_open();
	return p->other < 0 ? p->other : 0;
}

static int call_create_a(struct program *p)
{
	return pdt_buffer_create(p->fd, &p->a, SIZE, PDT_VRAM, 0);
}

static int call_write_a(struct program *p)
{
	pdt_buffer_fill(&p->a, SEED);
	return 0;
}

static int call_create_b(struct program *p)
{
	return pdt_buffer_create(p->fd, &p->b, SIZE, PDT_GTT, 0);
}

static int call_syncobj(struct program *p)
{
	return pdt_syncobj_create(p->fd, &p->syncobj);
}

static int call_submit(struct program *p)
{
	struct drm_pddgpu_submit_op op = pdt_copy(p->b.handle, 0, p->a.handle, 0, SIZE);

	return pdt_submit_sync(p->fd, &op, 1, 0, 0, p->syncobj, 0);
}

static int call_wait(struct program *p)
{
	return pdt_wait_idle(p->fd, p->b.handle, 60000);
}

static int call_syncobj_wait(struct program *p)
{
	return pdt_syncobj_wait(p->fd, p->syncobj, 0, 60000);
}

static int call_move_out(struct program *p)
{
	return pdt_set_domain(p->fd, p->a.handle, PDT_GTT, NULL);
}

static int call_move_on(struct program *p)
{
	return pdt_set_domain(p->fd, p->a.handle, PDT_CPU, NULL);
}

static int call_move_back(struct program *p)
{
	return pdt_set_domain(p->fd, p->a.handle, PDT_VRAM, NULL);
}

static int call_export(struct program *p)
{
	return pdt_export(p->fd, p->b.handle, &p->dmabuf);
}

static int call_import(struct program *p)
{
	return pdt_import(p->other, p->dmabuf, &p->imported);
}

static int call_destroy_import(struct program *p)
{
	return pdt_destroy(p->other, p->imported);
}

static int call_read_a(struct program *p)
{
	return pdt_buffer_check(&p->a);
}

/* Zeros where the job has failed, which it may have done in the middle. */
static int call_read_b(struct program *p)
{
	const unsigned char *a = p->a.map, *b = p->b.map;

	for (uint64_t i = 0; i < SIZE; i++)
		if (b[i] && b[i] != a[i])
			return -EILSEQ;
	return 0;
}

static int call_unmap(struct program *p)
{
	munmap(p->a.map, SIZE);
	p->a.map = NULL;
	return 0;
}

static int call_destroy_a(struct program *p)
{
	return pdt_destroy(p->fd, p->a.handle);
}

static int call_close(struct program *p)
{
	if (p->b.map)
		munmap(p->b.map, SIZE);
	close(p->dmabuf);
	close(p->other);
	close(p->fd);
	return 0;
}

/**
 * struct call - one of the program's calls
 */
struct call {
	/** @name: for messages */
	const char *name;
	/** @make: the call */
	int (*make)(struct program *p);
};

static const struct call calls[] = {
	{ "open", call_open },
	{ "open another", call_open_other },
	{ "create in VRAM", call_create_a },
	{ "write", call_write_a },
	{ "create in the GTT", call_create_b },
	{ "make a syncobj", call_syncobj },
	{ "submit", call_submit },
	{ "wait for the buffer", call_wait },
	{ "wait for the syncobj", call_syncobj_wait },
	{ "move to the GTT", call_move_out },
	{ "move to CPU memory", call_move_on },
	{ "export", call_export },
	{ "import", call_import },
	{ "move to VRAM", call_move_back },
	{ "read", call_read_a },
	{ "read the copy", call_read_b },
	{ "destroy the import", call_destroy_import },
	{ "unmap", call_unmap },
	{ "destroy", call_destroy_a },
	{ "close", call_close },
};

/**
 * struct fault - what the card is made to do
 */
struct fault {
	/** @name: for messages */
	const char *name;
	/** @commands: of the control channel */
	const char *commands[4];
};

static const struct fault faults[] = {
	{ "the users' engine hangs", { "hang 0" } },
	{ "the paging engine hangs", { "hang 1" } },
	{ "both engines hang", { "hang 0", "hang 1" } },
	{ "the users' engine faults", { "fault 0" } },
	{ "the paging engine faults", { "fault 1" } },
	{ "interrupts get lost", { "drop-interrupts 5" } },
	{ "packets take long", { "delay 3000" } },
	{ "it hangs, and its reset fails", { "fail-reset 1", "hang 0" } },
	{ "the other hangs, and its reset fails", { "fail-reset 1", "hang 1" } },
	{ "it faults, and two resets fail", { "fail-reset 2", "fault 1" } },
};

static void control(const char *command)
{
	char answer[256];

	assert_ok(pdt_control(command, answer, sizeof(answer)));
}

static void fault_before(const struct fault *fault, size_t index)
{
	struct program p = { .fd = -1, .other = -1, .dmabuf = -1 };

	for (size_t i = 0; i < PDT_ARRAY_SIZE(calls); i++) {
		int rc;

		for (size_t k = 0; i == index && k < PDT_ARRAY_SIZE(fault->commands); k++)
			if (fault->commands[k])
				control(fault->commands[k]);
		rc = calls[i].make(&p);
		if (rc)
			fail_msg("%s before call %zu: %s: %s", fault->name, index + 1,
				 calls[i].name, strerror(-rc));
	}
}

/* A chip whose resets have failed is reset again and again, for a second or two */
static void wait_for_engines(void)
{
	uint64_t end = pdt_now_ms() + 20000 * pdt_slow(), lost = 1;

	while (lost) {
		char *text = pdt_debugfs_read("reset");

		assert_non_null(text);
		assert_ok(pdt_number_of(text, "engines_lost", &lost));
		free(text);
		assert_true(pdt_now_ms() < end);
		pdt_sleep_ms(5);
	}
}

/* No call fails by it, no data is lost, and the card goes on afterwards. */
static void every_fault_before_every_call(void **state)
{
	struct pdt_state *s = *state;
	uint64_t began;

	for (size_t f = 0; f < PDT_ARRAY_SIZE(faults); f++) {
		began = pdt_now_ms();
		for (size_t i = 0; i < PDT_ARRAY_SIZE(calls); i++) {
			fault_before(&faults[f], i);
			control("clear");
			wait_for_engines();
		}
		/* Without one it is as if there had been none. */
		fault_before(&faults[f], PDT_ARRAY_SIZE(calls));
		if (!pdt_level_wait(s->fd, &s->before))
			fail_msg("%s: something is left", faults[f].name);
		printf("# %s: %llu ms\n", faults[f].name,
		       (unsigned long long)(pdt_now_ms() - began));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(every_fault_before_every_call),
	};

	return pdt_run_tests("faults", tests);
}
