// SPDX-License-Identifier: MIT
/*
 * Memory that is not to be had, once: the first allocation of a call fails, then
 * the second, until the call gets through untouched. Each time the call succeeds
 * all the same or ends with a clean error, has then changed nothing, and succeeds
 * when it is tried again. Needs a kernel with fault injection. PDT_STEP=WORDS: only the
 * calls that have these in their name.
 */
#include "pdt.h"

#include <fcntl.h>
#include <linux/udmabuf.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Two of them and more fit the card, and their blocks are not all of one size */
#define SIZE		(PDT_MIB + 3 * PDT_PAGE)
/* No call is to need more allocations */
#define MOST		20000u
#define MANY_OPS	300

/**
 * struct scene - what a step works on
 */
struct scene {
	/** @fd: a file of the card's */
	int fd;
	/** @other: another one */
	int other;
	/** @buf: holds a pattern, when the step wants a buffer */
	struct pdt_buffer buf;
	/** @dmabuf: @buf exported, or somebody else's; -1 */
	int dmabuf;
	/** @syncobj: one of @fd's */
	uint32_t syncobj;
	/** @made: the handle that the step made */
	uint32_t made;
	/** @made_fd: the file that it opened */
	int made_fd;
	/** @made_map: what it mapped */
	void *made_map;
	/** @crowd_fd: whose buffers fill VRAM */
	int crowd_fd;
	/** @crowd: buffers that fill VRAM */
	struct pdt_buffer *crowd;
	/** @crowd_count: how many */
	size_t crowd_count;
	/** @errors: of the manager that is in ERROR */
	uint64_t errors;
	/** @step: what is being done */
	const struct step *step;
};

/**
 * struct step - a call, and what it needs
 */
struct step {
	/** @name: for messages */
	const char *name;
	/** @where: a buffer there first; 0 for none */
	uint32_t where;
	/** @prepare: what else is needed */
	int (*prepare)(struct scene *s);
	/** @act: the call */
	int (*act)(struct scene *s);
	/** @refused: what holds when the call has failed; or NULL */
	void (*refused)(struct scene *s);
	/** @undo: whatever the call has made */
	void (*undo)(struct scene *s);
	/** @domains: what @act wants */
	uint32_t domains;
	/** @flags: what @act wants */
	uint32_t flags;
	/** @text: what @act wants */
	const char *text;
	/** @no_copy: nothing is copied from or to the caller's memory in it */
	bool no_copy;
};

static int act_open(struct scene *s)
{
	s->made_fd = open(pdt_render_path(), O_RDWR | O_CLOEXEC);
	return s->made_fd < 0 ? -errno : 0;
}

static void undo_fd(struct scene *s)
{
	close(s->made_fd);
}

static int act_create(struct scene *s)
{
	return pdt_create(s->fd, SIZE, s->step->domains, s->step->flags, &s->made);
}

static void undo_create(struct scene *s)
{
	assert_ok(pdt_destroy(s->fd, s->made));
}

/* VRAM full of buffers that can go elsewhere */
static int prepare_crowd(struct scene *s)
{
	struct drm_pddgpu_memory_stats stats;
	int rc = pdt_stats(s->crowd_fd, &stats);

	if (rc)
		return rc;
	if (!s->crowd) {
		s->crowd_count = stats.vram_total / PDT_MIB;
		s->crowd = calloc(s->crowd_count, sizeof(*s->crowd));
		for (size_t i = 0; i < s->crowd_count; i++) {
			rc = pdt_buffer_create(s->crowd_fd, &s->crowd[i], PDT_MIB, PDT_BOTH, 0);
			if (rc)
				return rc;
			pdt_buffer_fill(&s->crowd[i], i);
		}
	}
	for (size_t i = 0; i < s->crowd_count && !rc; i++)
		rc = pdt_set_domain(s->crowd_fd, s->crowd[i].handle, PDT_BOTH, NULL);
	return rc;
}

static int act_map(struct scene *s)
{
	return pdt_mmap(s->fd, s->buf.handle, s->buf.size, &s->made_map);
}

static void undo_map(struct scene *s)
{
	munmap(s->made_map, SIZE);
}

static sigjmp_buf on_bus_error;

static void bus_error(int number)
{
	(void)number;
	siglongjmp(on_bus_error, 1);
}

/* The first touch of each page; a failure must not end it. */
static int act_touch(struct scene *s)
{
	const struct sigaction catch = { .sa_handler = bus_error };
	struct sigaction old;
	int rc = 0;

	sigaction(SIGBUS, &catch, &old);
	if (sigsetjmp(on_bus_error, 1))
		rc = -EFAULT;
	for (uint64_t at = 0; !rc && at < SIZE; at += 16 * PDT_PAGE)
		((volatile char *)s->made_map)[at] += 0;
	sigaction(SIGBUS, &old, NULL);
	return rc ? -EIO : 0;
}

static int act_move(struct scene *s)
{
	return pdt_set_domain_flags(s->fd, s->buf.handle, s->step->domains, s->step->flags,
				    NULL);
}

static int prepare_syncobj(struct scene *s)
{
	return pdt_syncobj_create(s->fd, &s->syncobj);
}

static int act_submit(struct scene *s)
{
	struct drm_pddgpu_submit_op op = pdt_fill(s->made, 0, SIZE, 0x11111111);

	return pdt_submit_sync(s->fd, &op, 1, 0, 0, s->syncobj, 0);
}

static int act_submit_many(struct scene *s)
{
	struct drm_pddgpu_submit_op ops[MANY_OPS];

	for (unsigned int i = 0; i < MANY_OPS; i++)
		ops[i] = pdt_copy(s->made, i * 64, s->buf.handle, i * 128, 64);
	return pdt_submit_sync(s->fd, ops, MANY_OPS, 0, 0, s->syncobj, 7);
}

static int prepare_submit(struct scene *s)
{
	int rc = prepare_syncobj(s);

	return rc ? rc : pdt_create(s->fd, SIZE, PDT_GTT, 0, &s->made);
}

static void undo_submit(struct scene *s)
{
	assert_ok(pdt_wait_idle(s->fd, s->made, 60000));
	assert_ok(pdt_syncobj_wait(s->fd, s->syncobj, s->step->flags, 60000));
	assert_ok(pdt_syncobj_destroy(s->fd, s->syncobj));
	undo_create(s);
}

static int prepare_wait(struct scene *s)
{
	struct drm_pddgpu_submit_op op = pdt_fill(s->made, 0, SIZE, 0);
	int rc = pdt_create(s->fd, SIZE, PDT_GTT, 0, &s->made);

	op.dst_handle = s->made;
	return rc ? rc : pdt_submit(s->fd, &op, 1);
}

static int act_wait(struct scene *s)
{
	return pdt_wait_idle(s->fd, s->made, 60000);
}

static int act_export(struct scene *s)
{
	return pdt_export(s->fd, s->buf.handle, &s->made_fd);
}

static int prepare_import(struct scene *s)
{
	return pdt_export(s->fd, s->buf.handle, &s->dmabuf);
}

static int act_import(struct scene *s)
{
	return pdt_import(s->other, s->dmabuf, &s->made);
}

static void undo_import(struct scene *s)
{
	assert_ok(pdt_destroy(s->other, s->made));
	close(s->dmabuf);
}

/* Pages of a process, as a dma-buf of the kernel's */
static int prepare_foreign(struct scene *s)
{
	struct udmabuf_create args = { .size = 16 * PDT_PAGE };
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	int mem = memfd_create("foreign", MFD_ALLOW_SEALING);

	if (dev < 0)
		return -errno;
	if (ftruncate(mem, (off_t)args.size) || fcntl(mem, F_ADD_SEALS, F_SEAL_SHRINK))
		return -errno;
	args.memfd = (uint32_t)mem;
	s->dmabuf = ioctl(dev, UDMABUF_CREATE, &args);
	close(mem);
	close(dev);
	return s->dmabuf < 0 ? -errno : 0;
}

static int act_map_dmabuf(struct scene *s)
{
	s->made_map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, s->dmabuf, 0);
	return s->made_map == MAP_FAILED ? -errno : 0;
}

static void undo_map_dmabuf(struct scene *s)
{
	undo_map(s);
	close(s->dmabuf);
}

static int act_label(struct scene *s)
{
	return pdt_set_label(s->fd, s->buf.handle, s->step->text);
}

/* What asks, and what goes: nothing of it may fail for want of memory. */
static int act_ask(struct scene *s)
{
	struct drm_pddgpu_memory_stats stats;
	struct drm_pddgpu_ownership own[3];
	struct drm_pddgpu_gem_info info;
	struct drm_pddgpu_device_info device;
	struct drm_pddgpu_object object;
	struct drm_pddgpu_site site;
	int rc = pdt_stats(s->fd, &stats);

	if (!rc)
		rc = pdt_device_info(s->fd, &device);
	if (!rc)
		rc = pdt_ownership(s->fd, own);
	rc = rc ? rc : pdt_object(s->fd, s->buf.handle, &object);
	rc = rc ? rc : pdt_site(s->fd, object.site, &site);
	return rc ? rc : pdt_info(s->fd, s->buf.handle, &info);
}

static int prepare_create(struct scene *s)
{
	return pdt_create(s->fd, SIZE, s->step->domains, 0, &s->made);
}

static int act_destroy(struct scene *s)
{
	return pdt_destroy(s->fd, s->made);
}

static int prepare_file(struct scene *s)
{
	s->made_fd = pdt_open();
	return s->made_fd < 0 ? s->made_fd
			      : pdt_create(s->made_fd, SIZE, s->step->domains, 0, &s->made);
}

static int act_close(struct scene *s)
{
	close(s->made_fd);
	return 0;
}

static int act_read_debugfs(struct scene *s)
{
	char text[512];
	int fd = open(pdt_debugfs_path(s->step->text), O_RDONLY | O_CLOEXEC), rc = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		n = read(fd, text, sizeof(text));
	} while (n > 0);
	if (n < 0)
		rc = -errno;
	close(fd);
	return rc;
}

static int act_leak_check(struct scene *s)
{
	(void)s;
	return pdt_debugfs_write("trigger_leak_check", "1");
}

static int act_page_out(struct scene *s)
{
	(void)s;
	return pdt_debugfs_write("page_out", "vram 1M");
}

/* A line of health: a number of @step's manager, or where its words begin */
static uint64_t health(const struct step *step, const char *what, char *words, size_t room)
{
	char *text = pdt_debugfs_read("health"), name[64], *at;
	uint64_t value = 0;

	assert_non_null(text);
	snprintf(name, sizeof(name), "%s_%s: ", step->text, what);
	at = strstr(text, name);
	assert_non_null(at);
	at += strlen(name);
	if (words)
		snprintf(words, room, "%.*s", (int)strcspn(at, "\n"), at);
	else
		value = strtoull(at, NULL, 10);
	free(text);
	return value;
}

static int spoil(struct scene *s)
{
	char text[32];
	int rc;

	snprintf(text, sizeof(text), "%s account", s->step->text);
	rc = pdt_debugfs_write("inject_error", text);
	if (!rc && pdt_debugfs_write("check", s->step->text) != -EIO)
		rc = -EPROTO;
	return rc;
}

/*
 * A manager's record is wrong, which it has noticed; one buffer is older than its
 * allocator, one is not.
 */
static int prepare_error(struct scene *s)
{
	int rc = pdt_debugfs_write("recover_count", "0");

	if (!rc)
		rc = spoil(s);
	if (!rc)
		rc = pdt_debugfs_write("recover", s->step->text);
	if (!rc)
		rc = pdt_create(s->fd, SIZE, s->step->domains, 0, &s->made);
	if (!rc)
		rc = spoil(s);
	s->errors = health(s->step, "errors", NULL, 0);
	return rc;
}

static int act_recover(struct scene *s)
{
	return pdt_debugfs_write("recover", s->step->text);
}

/* It is in ERROR still, says why, and gives out nothing */
static void refused_recover(struct scene *s)
{
	char words[128];
	uint32_t handle;

	assert_u64(health(s->step, "healthy", NULL, 0), 0);
	health(s->step, "state", words, sizeof(words));
	assert_string_equal(words, "ERROR");
	health(s->step, "cause", words, sizeof(words));
	assert_true(strlen(words) > 10);
	assert_u64(health(s->step, "errors", NULL, 0), s->errors);
	assert_err(EIO, pdt_create(s->fd, PDT_PAGE, s->step->domains, 0, &handle));
	assert_err(EIO, pdt_debugfs_write("check", s->step->text));
}

static void undo_recover(struct scene *s)
{
	assert_u64(health(s->step, "healthy", NULL, 0), 1);
	assert_ok(pdt_debugfs_write("check", s->step->text));
	undo_create(s);
	assert_ok(pdt_debugfs_write("check", s->step->text));
}

static int act_check(struct scene *s)
{
	return pdt_debugfs_write("check", s->step->text);
}

/* To have no memory for a look at it is not an error of the record */
static void refused_check(struct scene *s)
{
	assert_u64(health(s->step, "healthy", NULL, 0), 1);
}

#define VRAM_GTT_CPU	(PDT_VRAM | PDT_GTT | PDT_CPU)

static const struct step steps[] = {
	{ .name = "open the card", .act = act_open, .undo = undo_fd },
	{ .name = "create in VRAM", .act = act_create, .undo = undo_create, .domains = PDT_VRAM },
	{ .name = "create in one piece", .act = act_create, .undo = undo_create,
	  .domains = PDT_VRAM, .flags = PDDGPU_GEM_CREATE_VRAM_CONTIGUOUS },
	{ .name = "create, unpageable", .act = act_create, .undo = undo_create, .domains = PDT_VRAM,
	  .flags = PDDGPU_GEM_CREATE_UNPAGEABLE },
	{ .name = "create in the GTT", .act = act_create, .undo = undo_create, .domains = PDT_GTT },
	{ .name = "create in CPU memory", .act = act_create, .undo = undo_create,
	  .domains = PDT_CPU },
	{ .name = "create, write-combined", .act = act_create, .undo = undo_create,
	  .domains = PDT_GTT, .flags = PDT_USWC },
	{ .name = "create where it is full", .prepare = prepare_crowd, .act = act_create,
	  .undo = undo_create, .domains = PDT_VRAM },
	{ .name = "map", .where = PDT_VRAM, .act = act_map, .undo = undo_map },
	{ .name = "touch VRAM", .where = PDT_VRAM, .prepare = act_map, .act = act_touch,
	  .undo = undo_map, .no_copy = true },
	{ .name = "touch the GTT", .where = PDT_GTT, .prepare = act_map, .act = act_touch,
	  .undo = undo_map, .no_copy = true },
	{ .name = "touch CPU memory", .where = PDT_CPU, .prepare = act_map, .act = act_touch,
	  .undo = undo_map, .no_copy = true },
	{ .name = "move VRAM to GTT", .where = PDT_VRAM, .act = act_move, .domains = PDT_GTT },
	{ .name = "move GTT to VRAM", .where = PDT_GTT, .act = act_move, .domains = PDT_VRAM },
	{ .name = "move VRAM to CPU", .where = PDT_VRAM, .act = act_move, .domains = PDT_CPU },
	{ .name = "move CPU to VRAM", .where = PDT_CPU, .act = act_move, .domains = PDT_VRAM },
	{ .name = "move GTT to CPU", .where = PDT_GTT, .act = act_move, .domains = PDT_CPU },
	{ .name = "move CPU to GTT", .where = PDT_CPU, .act = act_move, .domains = PDT_GTT },
	{ .name = "submit", .where = PDT_VRAM, .prepare = prepare_submit, .act = act_submit,
	  .undo = undo_submit },
	{ .name = "submit many, with a timeline", .where = PDT_VRAM, .prepare = prepare_submit,
	  .act = act_submit_many, .undo = undo_submit, .flags = 7 },
	{ .name = "wait", .prepare = prepare_wait, .act = act_wait, .undo = undo_create },
	{ .name = "export", .where = PDT_GTT, .act = act_export, .undo = undo_fd },
	{ .name = "import", .where = PDT_VRAM, .prepare = prepare_import, .act = act_import,
	  .undo = undo_import },
	{ .name = "import what is not ours", .prepare = prepare_foreign, .act = act_import,
	  .undo = undo_import },
	{ .name = "map a dma-buf", .where = PDT_VRAM, .prepare = prepare_import,
	  .act = act_map_dmabuf, .undo = undo_map_dmabuf, .no_copy = true },
	{ .name = "ask", .where = PDT_VRAM, .act = act_ask },
	{ .name = "label", .where = PDT_VRAM, .act = act_label, .text = "x" },
	{ .name = "destroy", .prepare = prepare_create, .act = act_destroy, .domains = PDT_VRAM },
	{ .name = "close a file", .prepare = prepare_file, .act = act_close,
	  .domains = VRAM_GTT_CPU, .no_copy = true },
	{ .name = "read sites", .where = PDT_VRAM, .act = act_read_debugfs, .text = "leak_sites" },
	{ .name = "read leak_objects", .where = PDT_VRAM, .act = act_read_debugfs,
	  .text = "leak_objects" },
	{ .name = "read owners", .where = PDT_VRAM, .act = act_read_debugfs, .text = "owners" },
	{ .name = "read vram_blocks", .where = PDT_VRAM, .act = act_read_debugfs,
	  .text = "vram_blocks" },
	{ .name = "read gem_info", .where = PDT_VRAM, .act = act_read_debugfs,
	  .text = "gem_info" },
	{ .name = "read residency", .where = PDT_VRAM, .act = act_read_debugfs,
	  .text = "residency" },
	{ .name = "read memory_stats", .where = PDT_VRAM, .act = act_read_debugfs,
	  .text = "memory_stats" },
	{ .name = "check for leaks", .where = PDT_VRAM, .act = act_leak_check },
	{ .name = "page out", .where = PDT_BOTH, .act = act_page_out },
	{ .name = "check VRAM's record", .where = PDT_VRAM, .act = act_check,
	  .refused = refused_check, .text = "vram" },
	{ .name = "recover VRAM", .where = PDT_VRAM, .prepare = prepare_error, .act = act_recover,
	  .refused = refused_recover, .undo = undo_recover, .domains = PDT_VRAM, .text = "vram" },
	{ .name = "recover the GTT", .where = PDT_GTT, .prepare = prepare_error,
	  .act = act_recover, .refused = refused_recover, .undo = undo_recover,
	  .domains = PDT_GTT, .text = "gtt" },
};

static bool allowed(const struct step *step, int rc)
{
	/* A user's memory that cannot be reached for once is -EFAULT. */
	return rc == -ENOMEM || (rc == -EFAULT && !step->no_copy);
}

/* The step once, with its nth allocation failing; false: it needs fewer. */
static bool sweep_one(struct scene *s, unsigned int n)
{
	const struct step *step = s->step;
	int rc, next;
	bool failed;

	/* Of their own: DRM's core leaves a handle behind that it could not hand over */
	s->fd = pdt_open();
	s->other = pdt_open();
	assert_true(s->fd >= 0 && s->other >= 0);
	if (step->where) {
		assert_ok(pdt_buffer_create(s->fd, &s->buf, SIZE, step->where, 0));
		pdt_buffer_fill(&s->buf, n);
		/* Out of its first set, so that it may be moved everywhere */
		assert_ok(pdt_set_domain(s->fd, s->buf.handle, step->where, NULL));
	}
	if (step->prepare)
		assert_ok(step->prepare(s));

	next = dup(0);
	close(next);
	assert_ok(pdt_fail_nth(n));
	rc = step->act(s);
	failed = pdt_failed_one();
	assert_ok(pdt_fail_nth(0));
	if (rc && (!failed || !allowed(step, rc)))
		fail_msg("%s: allocation %u%s: %s", step->name, n,
			 failed ? " failed" : " would have", strerror(-rc));
	if (rc) {
		/* A file whose number DRM's core could not hand over */
		close(next);
		if (step->where)
			assert_ok(pdt_buffer_check(&s->buf));
		if (step->refused)
			step->refused(s);
		rc = step->act(s);
		if (rc)
			fail_msg("%s: after allocation %u has failed, again: %s", step->name,
				 n, strerror(-rc));
	}
	if (step->undo)
		step->undo(s);
	if (step->where) {
		assert_ok(pdt_buffer_check(&s->buf));
		pdt_buffer_destroy(s->fd, &s->buf);
	}
	close(s->other);
	close(s->fd);
	return failed;
}

static void sweep_step(struct pdt_state *state, const struct step *step)
{
	struct scene s = { .step = step, .crowd_fd = state->fd, .dmabuf = -1, .made_fd = -1 };
	unsigned int n = 1;

	while (sweep_one(&s, n))
		assert_true(++n < MOST);
	printf("# %s: %u allocations\n", step->name, n - 1);
	for (size_t i = 0; i < s.crowd_count; i++) {
		assert_ok(pdt_buffer_check(&s.crowd[i]));
		pdt_buffer_destroy(s.crowd_fd, &s.crowd[i]);
	}
	free(s.crowd);
	if (!pdt_level_wait(state->fd, &state->before))
		fail_msg("%s: something is left", step->name);
}

static void every_allocation_of_every_call(void **state)
{
	const char *only = getenv("PDT_STEP");

	pdt_need_injection();
	for (size_t i = 0; i < PDT_ARRAY_SIZE(steps); i++) {
		if (!only || strstr(steps[i].name, only))
			sweep_step(*state, &steps[i]);
	}
	assert_ok(pdt_settings_restore());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(every_allocation_of_every_call),
	};

	return pdt_run_tests("failnth", tests);
}
