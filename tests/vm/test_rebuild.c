// SPDX-License-Identifier: MIT
/*
 * What is in VRAM when the manager's record is rebuilt: nobody reads another's bytes
 * after it, also where memory is being cleared at that moment or VRAM gets lost, and
 * buffers say that they were lost when they were. What hangs the engine is over when
 * job_timeout_ms is; where that is long, when the test says so.
 */
#include "pdt.h"

#include <pthread.h>
#include <unistd.h>

#define MOST	512
#define WINDOW	(24 * PDT_MIB)
#define SIZE	(2 * PDT_MIB)
/* In the part that the CPU reaches */
#define VISIBLE	PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED
/* More than a recovery waits for */
#define LONG_MS	20000

static struct pdt_buffer ballast[MOST], bufs[MOST], glass;

static void control(const char *command)
{
	char answer[256];

	assert_ok(pdt_control(command, answer, sizeof(answer)));
}

static uint64_t health(const char *name)
{
	char *text = pdt_debugfs_read("health");
	uint64_t value = 0;

	assert_non_null(text);
	assert_ok(pdt_number_of(text, name, &value));
	free(text);
	return value;
}

static uint64_t figure(const char *name)
{
	uint64_t value;

	assert_ok(pdt_vram_mm(name, &value));
	return value;
}

static uint64_t vram_free(int fd)
{
	struct drm_pddgpu_memory_stats stats;

	assert_ok(pdt_stats(fd, &stats));
	return stats.vram_free;
}

/* Freeing may be delayed: until so much is free, and no more */
static void wait_for_free(int fd, uint64_t bytes)
{
	uint64_t end = pdt_now_ms() + 20000;

	while (vram_free(fd) != bytes && pdt_now_ms() < end)
		pdt_sleep_ms(5);
	assert_u64(vram_free(fd), bytes);
}

static int setup(void **state)
{
	struct pdt_state *s;
	int rc = pdt_setup(state);

	if (rc)
		return rc;
	s = *state;
	if (pdt_glass_create(s->fd, &glass) || pdt_debugfs_write("recover_count", "0"))
		return -1;
	return 0;
}

static int teardown(void **state)
{
	static const char *const words[][2] = {
		{ "inject_error", "vram off" }, { "recover", "device" }, { "check", "device" },
	};
	struct pdt_state *s = *state;
	char answer[64];
	int rc = pdt_control("clear", answer, sizeof(answer));

	rc |= pdt_control("unhang 1", answer, sizeof(answer));
	rc |= pdt_parameter("clear_freed", "1");
	for (size_t i = 0; i < PDT_ARRAY_SIZE(words) && !rc; i++)
		rc = pdt_debugfs_write(words[i][0], words[i][1]);
	if (rc)
		fprintf(stderr, "# not well again: %s\n", strerror(-rc));
	pdt_buffer_destroy(s->fd, &glass);
	return pdt_teardown(state) || pdt_settings_restore() || rc ? -1 : 0;
}

static void check_zeros(int fd, const struct pdt_buffer *buf)
{
	assert_ok(pdt_glass_zero_check(fd, &glass, buf->handle, buf->size, buf->size));
}

static void free_all(int fd, struct pdt_buffer *all, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pdt_buffer_destroy(fd, &all[i]);
}

/* Nobody's but a window of VRAM */
static size_t leave_window(int fd)
{
	uint64_t left;
	size_t n = 0;

	while ((left = vram_free(fd)) > WINDOW) {
		uint64_t size = left - WINDOW < 32 * PDT_MIB ? left - WINDOW : 32 * PDT_MIB;

		assert_true(n < MOST);
		ballast[n] = (struct pdt_buffer) { .size = size };
		assert_ok(pdt_create(fd, size, PDT_VRAM, 0, &ballast[n++].handle));
	}
	return n;
}

/* All that is left of VRAM; returns how many buffers that are */
static size_t take_all(int fd, uint64_t *bytes)
{
	int err;
	size_t n = pdt_fill_domain(fd, bufs, MOST, 4 * PDT_MIB, PDT_VRAM, &err);

	assert_int_equal(err, -ENOMEM);
	*bytes = 0;
	for (size_t i = 0; i < n; i++)
		*bytes += bufs[i].size;
	assert_u64(vram_free(fd), 0);
	return n;
}

/* How much of a buffer's first bytes is as @pattern, as the chip finds them */
static bool chip_finds(uint64_t offset, uint32_t pattern)
{
	uint32_t words[256];

	assert_ok(pdt_control_peek(offset, words, sizeof(words)));
	for (size_t i = 0; i < PDT_ARRAY_SIZE(words); i++) {
		if (words[i] != pattern)
			return false;
	}
	return true;
}

/*
 * The window is full of what one has written when its record is spoilt. After the
 * recovery another one gets all of the window, thus each of those pages, and has not
 * a byte of it; where nothing has cleared it meanwhile, the chip still finds it there.
 */
static void window_changes_hands(struct pdt_state *s, bool cleared, const char *fault)
{
	struct pdt_buffer secret = { .size = PDT_MIB };
	struct drm_pddgpu_gem_info info;
	uint64_t bytes, again;
	size_t n;

	wait_for_free(s->fd, WINDOW);
	assert_ok(pdt_parameter("clear_freed", cleared ? "1" : "0"));
	assert_ok(pdt_create(s->fd, secret.size, PDT_VRAM, PDDGPU_GEM_CREATE_VRAM_CONTIGUOUS,
			     &secret.handle));
	assert_ok(pdt_info(s->fd, secret.handle, &info));
	n = take_all(s->fd, &bytes);
	for (size_t i = 0; i < n; i++)
		assert_ok(pdt_spoil(s->fd, bufs[i].handle, bufs[i].size, 0x5ec2e700));
	assert_ok(pdt_spoil(s->fd, secret.handle, secret.size, 0x5ec2e700));

	/* There must be a free page for one to get lost */
	pdt_buffer_destroy(s->fd, &secret);
	assert_ok(pdt_debugfs_write("inject_error", fault));
	free_all(s->fd, bufs, n);
	wait_for_free(s->fd, WINDOW);
	if (health("vram_healthy"))
		assert_err(EIO, pdt_debugfs_write("check", "vram"));
	assert_ok(pdt_debugfs_write("recover", "vram"));
	if (!cleared)
		assert_true(chip_finds(info.offset, 0x5ec2e700));

	n = take_all(s->fd, &again);
	assert_u64(again, WINDOW);
	assert_u64(bytes + PDT_MIB, WINDOW);
	for (size_t i = 0; i < n; i++)
		check_zeros(s->fd, &bufs[i]);
	assert_true(chip_finds(info.offset, 0));
	free_all(s->fd, bufs, n);
	assert_ok(pdt_debugfs_write("check", "vram"));
}

static void no_one_elses_bytes(void **state)
{
	struct pdt_state *s = *state;
	size_t n = leave_window(s->fd);

	for (unsigned int i = 0; i < 4; i++)
		window_changes_hands(s, i / 2, i % 2 ? "vram free" : "vram lost");
	free_all(s->fd, ballast, n);
}

/* What is clear before it, and what is not, of the same buffers */
static void clear_is_forgotten(void **state)
{
	struct pdt_state *s = *state;
	size_t n = leave_window(s->fd), count;
	uint64_t bytes, end;

	wait_for_free(s->fd, WINDOW);
	count = take_all(s->fd, &bytes);
	for (size_t i = 0; i < count; i++)
		assert_ok(pdt_spoil(s->fd, bufs[i].handle, bufs[i].size, 0xc1ea2000));
	/* Half of it is cleared, the other half not */
	for (size_t i = 0; i < count; i += 2)
		pdt_buffer_destroy(s->fd, &bufs[i]);
	for (end = pdt_now_ms() + 20000; figure("to_clear") || figure("clearing");
	     pdt_sleep_ms(20))
		assert_true(pdt_now_ms() < end);
	assert_ok(pdt_parameter("clear_freed", "0"));
	for (size_t i = 1; i < count; i += 2)
		pdt_buffer_destroy(s->fd, &bufs[i]);
	wait_for_free(s->fd, WINDOW);
	assert_true(figure("clear") > 0 && figure("to_clear") > 0);

	assert_ok(pdt_debugfs_write("inject_error", "vram account"));
	assert_err(EIO, pdt_debugfs_write("check", "vram"));
	assert_ok(pdt_debugfs_write("recover", "vram"));
	assert_u64(figure("clear"), 0);
	assert_true(figure("to_clear") > 0);
	assert_u64(figure("dirty"), WINDOW);
	count = take_all(s->fd, &end);
	assert_u64(end, bytes);
	for (size_t i = 0; i < count; i++)
		check_zeros(s->fd, &bufs[i]);
	free_all(s->fd, bufs, count);
	free_all(s->fd, ballast, n);
}

/**
 * struct recovery - one, in a thread of its own
 */
struct recovery {
	/** @thread: its thread */
	pthread_t thread;
	/** @rc: what it came to */
	int rc;
	/** @over: it has */
	volatile bool over;
};

static void *recover(void *arg)
{
	struct recovery *r = arg;

	r->rc = pdt_debugfs_write("recover", "vram");
	r->over = true;
	return NULL;
}

/* The engine hangs at clearing, the manager is in ERROR, and somebody recovers it */
static void recover_while_clearing(struct pdt_state *s, struct recovery *r)
{
	struct pdt_buffer old = { .size = 8 * PDT_MIB };
	uint64_t end = pdt_now_ms() + 20000 * pdt_slow();

	assert_ok(pdt_create(s->fd, old.size, PDT_VRAM, 0, &old.handle));
	assert_ok(pdt_spoil(s->fd, old.handle, old.size, 0x01d01d01));
	for (; figure("clearing"); pdt_sleep_ms(5))
		assert_true(pdt_now_ms() < end);
	control("hang 1");
	pdt_buffer_destroy(s->fd, &old);
	for (; !figure("clearing"); pdt_sleep_ms(1))
		assert_true(pdt_now_ms() < end);
	assert_ok(pdt_debugfs_write("inject_error", "vram account"));
	assert_err(EIO, pdt_debugfs_write("check", "vram"));
	*r = (struct recovery) { 0 };
	assert_int_equal(pthread_create(&r->thread, NULL, recover, r), 0);
}

static void assert_recovered(struct recovery *r)
{
	pthread_join(r->thread, NULL);
	assert_ok(r->rc);
	assert_u64(health("vram_healthy"), 1);
	/* It may have begun anew, and comes to its end */
	for (uint64_t end = pdt_now_ms() + 20000 * pdt_slow(); figure("clearing"); pdt_sleep_ms(5))
		assert_true(pdt_now_ms() < end);
	assert_ok(pdt_debugfs_write("check", "vram"));
}

static bool hangs_for_long(void)
{
	char *text = pdt_file_read("/sys/module/pddgpu/parameters/job_timeout_ms");
	bool is = text && strtoul(text, NULL, 10) >= LONG_MS;

	free(text);
	return is;
}

/* New buffers are zeros, wherever they come from */
static void assert_all_zeros(int fd)
{
	uint64_t bytes;
	size_t n = leave_window(fd), count = take_all(fd, &bytes);

	/* As much as there was room for */
	assert_true(count > 0);
	for (size_t i = 0; i < count; i++) {
		check_zeros(fd, &bufs[i]);
		assert_false(pdt_vram_lost(fd, bufs[i].handle));
	}
	free_all(fd, bufs, count);
	free_all(fd, ballast, n);
}

/* What is being cleared is waited for, and nobody else has to wait with it. */
static void while_clearing(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer kept, other;
	struct recovery r;

	assert_ok(pdt_buffer_create(s->fd, &kept, SIZE, PDT_VRAM, VISIBLE));
	pdt_buffer_fill(&kept, 1);
	recover_while_clearing(s, &r);
	if (hangs_for_long()) {
		pdt_sleep_ms(300);
		assert_false(r.over);
		assert_true(figure("clearing") > 0);
	}
	assert_ok(pdt_buffer_create(s->fd, &other, SIZE, PDT_BOTH, 0));
	pdt_buffer_fill(&other, 2);
	if (hangs_for_long()) {
		assert_int_equal(pdt_domain(s->fd, other.handle), PDT_GTT);
		assert_u64(health("vram_healthy"), 0);
		control("unhang 1");
	}
	assert_recovered(&r);
	assert_ok(pdt_buffer_check(&kept));
	assert_ok(pdt_buffer_check(&other));
	assert_false(pdt_vram_lost(s->fd, kept.handle));
	assert_all_zeros(s->fd);
	pdt_buffer_destroy(s->fd, &other);
	pdt_buffer_destroy(s->fd, &kept);
}

/* What does not come back is not waited for longer than 10 s, and nothing has changed. */
static void clearing_never_ends(void **state)
{
	struct pdt_state *s = *state;
	uint64_t failed = health("vram_recoveries_failed"), begun = pdt_now_ms();
	struct pdt_buffer kept;
	struct recovery r;

	if (!hangs_for_long())
		pdt_skip("the engine is reset too soon");
	assert_ok(pdt_buffer_create(s->fd, &kept, SIZE, PDT_VRAM, VISIBLE));
	pdt_buffer_fill(&kept, 3);
	recover_while_clearing(s, &r);
	pthread_join(r.thread, NULL);
	assert_int_equal(r.rc, -EBUSY);
	assert_true(pdt_now_ms() - begun >= 9900);
	assert_u64(health("vram_healthy"), 0);
	assert_u64(health("vram_recoveries_failed"), failed + 1);
	assert_true(figure("clearing") > 0);
	assert_ok(pdt_buffer_check(&kept));
	control("unhang 1");
	assert_ok(pdt_debugfs_write("recover", "vram"));
	assert_u64(health("vram_healthy"), 1);
	assert_ok(pdt_buffer_check(&kept));
	assert_all_zeros(s->fd);
	pdt_buffer_destroy(s->fd, &kept);
}

/* Of all that there was in VRAM and elsewhere when VRAM was lost */
static void assert_lost(struct pdt_state *s, struct pdt_buffer *vram, struct pdt_buffer *gtt,
			struct pdt_buffer *left)
{
	assert_true(pdt_vram_lost(s->fd, vram->handle));
	assert_false(pdt_vram_lost(s->fd, gtt->handle));
	assert_false(pdt_vram_lost(s->fd, left->handle));
	assert_int_equal(pdt_zero_check(vram->map, vram->size), -1);
	assert_ok(pdt_buffer_check(gtt));
	assert_ok(pdt_buffer_check(left));
}

/*
 * VRAM is lost before a recovery, between the error and it, while it waits, and after
 * it. What was in VRAM then says so, once; what was not, and what is new, does not.
 */
static void vram_is_lost(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer vram, gtt, left;
	struct recovery r;
	uint32_t now;

	for (unsigned int when = 0; when < 4; when++) {
		assert_ok(pdt_buffer_create(s->fd, &vram, SIZE, PDT_VRAM, VISIBLE));
		assert_ok(pdt_buffer_create(s->fd, &gtt, SIZE, PDT_GTT, 0));
		assert_ok(pdt_buffer_create(s->fd, &left, SIZE, PDT_BOTH, 0));
		pdt_buffer_fill(&vram, 10 + when);
		pdt_buffer_fill(&gtt, 20 + when);
		pdt_buffer_fill(&left, 30 + when);
		assert_ok(pdt_set_domain(s->fd, left.handle, PDT_GTT, &now));
		control("lose-vram");
		if (when == 0)
			assert_ok(pdt_reset_chip());
		if (when == 2) {
			recover_while_clearing(s, &r);
			assert_ok(pdt_reset_chip());
			assert_recovered(&r);
		} else {
			assert_ok(pdt_debugfs_write("inject_error", "vram account"));
			assert_err(EIO, pdt_debugfs_write("check", "vram"));
			if (when == 1)
				assert_ok(pdt_reset_chip());
			assert_ok(pdt_debugfs_write("recover", "vram"));
		}
		if (when == 3) {
			assert_ok(pdt_buffer_check(&vram));
			assert_false(pdt_vram_lost(s->fd, vram.handle));
			assert_ok(pdt_reset_chip());
		}
		assert_lost(s, &vram, &gtt, &left);
		assert_all_zeros(s->fd);
		/* Told once, and what is written from now on is there */
		assert_ok(pdt_vram_lost_seen(s->fd, vram.handle, PDT_VRAM));
		pdt_buffer_fill(&vram, 40 + when);
		assert_ok(pdt_debugfs_write("inject_error", "vram account"));
		assert_err(EIO, pdt_debugfs_write("check", "vram"));
		assert_ok(pdt_debugfs_write("recover", "vram"));
		assert_false(pdt_vram_lost(s->fd, vram.handle));
		assert_ok(pdt_buffer_check(&vram));
		pdt_buffer_destroy(s->fd, &vram);
		pdt_buffer_destroy(s->fd, &gtt);
		pdt_buffer_destroy(s->fd, &left);
	}
}

#define rebuild_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		rebuild_test(no_one_elses_bytes),
		rebuild_test(clear_is_forgotten),
		rebuild_test(while_clearing),
		rebuild_test(clearing_never_ends),
		rebuild_test(vram_is_lost),
	};

	return pdt_run_tests("rebuild", tests);
}
