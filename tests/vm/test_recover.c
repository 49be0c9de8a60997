// SPDX-License-Identifier: MIT
/* Recovery while threads make, move, use and free buffers, under pressure too. */
#include "pdt.h"

#include <stdatomic.h>
#include <unistd.h>

#define THREADS	6
#define KEPT	6
#define ERRORS	100
/* Errors among requests that VRAM has room for */
#define SUDDEN	300

static const char *const faults[] = {
	"vram lost", "gtt lost", "vram account", "gtt account", "vram free", "gtt free",
	"vram alloc", "gtt alloc", "vram recover", "gtt recover",
};

struct load {
	/* Set when it is over */
	atomic_bool stop;
	/* Buffers made, and requests that an error ended */
	atomic_ulong made, refused;
	/* Bytes of a buffer, at most */
	uint64_t most;
};

/* What may be said while there are errors, and where there is no room */
static bool may_say(struct load *load, int rc)
{
	if (rc == -EIO)
		load->refused++;
	return !rc || rc == -EIO || rc == -ENOMEM;
}

static int use(int fd, struct pdt_buffer *buf, struct load *load, uint64_t *random)
{
	static const uint32_t domains[] = { PDT_VRAM, PDT_GTT, PDT_BOTH, PDT_BOTH | PDT_CPU };
	struct drm_pddgpu_submit_op op;
	uint32_t now;
	int rc;

	child_check(!pdt_buffer_check(buf));
	switch (pdt_random(random) % 4) {
	case 0:
		rc = pdt_set_domain(fd, buf->handle, domains[pdt_random(random) % 4], &now);
		child_check(may_say(load, rc));
		break;
	case 1:
		op = pdt_fill(buf->handle, 0, buf->size, 0x11111111);
		child_check(may_say(load, pdt_submit(fd, &op, 1)));
		child_check(!pdt_wait_idle(fd, buf->handle, 60000));
		pdt_buffer_fill(buf, pdt_random(random));
		break;
	}
	return 0;
}

/* Keeps a few buffers, of which one after the other is used, or replaced. */
static int work(void *arg, unsigned int index)
{
	static const uint32_t domains[] = { PDT_VRAM, PDT_GTT, PDT_BOTH, PDT_BOTH | PDT_CPU };
	struct pdt_buffer bufs[KEPT] = { 0 };
	uint64_t random = pdt_seed(index + 1) + index;
	struct load *load = arg;
	int fd = pdt_open(), rc;

	child_check(fd >= 0);
	while (!load->stop) {
		struct pdt_buffer *buf = &bufs[pdt_random(&random) % KEPT];
		uint64_t size = PDT_PAGE + pdt_random(&random) % load->most;

		if (buf->map && pdt_random(&random) % 4) {
			child_check(!use(fd, buf, load, &random));
			continue;
		}
		if (buf->map) {
			child_check(!pdt_buffer_check(buf));
			pdt_buffer_destroy(fd, buf);
		}
		rc = pdt_buffer_create(fd, buf, pdt_pages(size),
				       domains[pdt_random(&random) % 4], 0);
		child_check(may_say(load, rc));
		if (rc) {
			memset(buf, 0, sizeof(*buf));
			continue;
		}
		child_check(pdt_zero_check(buf->map, buf->size) < 0);
		pdt_buffer_fill(buf, pdt_random(&random));
		load->made++;
	}
	for (size_t i = 0; i < KEPT; i++) {
		if (bufs[i].map) {
			child_check(!pdt_buffer_check(&bufs[i]));
			pdt_buffer_destroy(fd, &bufs[i]);
		}
	}
	close(fd);
	return 0;
}

/* Errors, and recoveries by hand, in between those that happen by themselves */
static int spoil(uint64_t *random)
{
	int rc;

	for (int i = 0; i < ERRORS; i++) {
		const char *fault = faults[pdt_random(random) % PDT_ARRAY_SIZE(faults)];

		rc = pdt_debugfs_write("inject_error", fault);
		child_check(!rc || rc == -ENOSPC || rc == -EBUSY);
		pdt_sleep_ms(pdt_random(random) % 10);
		if (pdt_random(random) % 2) {
			rc = pdt_debugfs_write("check", "device");
			child_check(!rc || rc == -EIO);
		}
		pdt_sleep_ms(pdt_random(random) % 10);
		if (pdt_random(random) % 4) {
			rc = pdt_debugfs_write("recover", "device");
			child_check(!rc || rc == -ENOMEM);
		}
	}
	child_check(!pdt_debugfs_write("inject_error", "vram off"));
	child_check(!pdt_debugfs_write("inject_error", "gtt off"));
	/* What the others still touch may have to move for it. */
	child_check(!pdt_debugfs_write("recover", "device"));
	return 0;
}

static int one_of_them(void *arg, unsigned int index)
{
	struct load *load = arg;
	uint64_t random = pdt_seed(99);
	int rc;

	if (index)
		return work(load, index);
	rc = spoil(&random);
	load->stop = true;
	return rc;
}

static uint64_t figure(const char *name)
{
	char *text = pdt_debugfs_read("health");
	uint64_t value = 0;

	assert_non_null(text);
	assert_ok(pdt_number_of(text, name, &value));
	free(text);
	return value;
}

static void run(struct pdt_state *s, uint64_t most, const char *count)
{
	uint64_t vram = figure("vram_recoveries"), gtt = figure("gtt_recoveries");
	struct load load = { .most = most };

	assert_ok(pdt_debugfs_write("recover_count", count));
	assert_ok(pdt_debugfs_write("recover_delay", "5"));
	assert_int_equal(pdt_threads(THREADS + 1, one_of_them, &load), 0);
	printf("# %lu buffers, %lu refused; %llu and %llu recoveries\n", load.made,
	       load.refused, (unsigned long long)(figure("vram_recoveries") - vram),
	       (unsigned long long)(figure("gtt_recoveries") - gtt));
	assert_true(figure("vram_recoveries") > vram + 5);
	assert_true(figure("gtt_recoveries") > gtt + 5);
	assert_true(pdt_level_wait(s->fd, &s->before));
	assert_ok(pdt_debugfs_write("check", "device"));
	assert_u64(figure("vram_buffers"), 0);
	assert_u64(figure("gtt_buffers"), 0);
	assert_ok(pdt_settings_restore());
}

static void with_room(void **state)
{
	run(*state, 256 * PDT_KIB, "0");
}

/* More than VRAM has, so that each request evicts */
static void with_evictions(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;

	assert_ok(pdt_stats(s->fd, &stats));
	if (stats.vram_total > 64 * PDT_MIB)
		pdt_skip("too much VRAM to fill it again and again");
	run(s, stats.vram_total / (THREADS * KEPT / 4), "100");
}

static int err_and_recover(void)
{
	uint64_t end;
	int rc;

	for (unsigned int i = 0; i < pdt_many(SUDDEN); i++) {
		child_check(!pdt_debugfs_write("inject_error", "vram account"));
		child_check(pdt_debugfs_write("check", "vram") == -EIO);
		end = pdt_now_ms() + 60000;
		do {
			/* What is being cleared may not have come back yet */
			rc = pdt_debugfs_write("recover", "vram");
		} while (rc == -EBUSY && pdt_now_ms() < end);
		child_check(!rc);
	}
	return 0;
}

/* Where there is room an error is said to be one, though it may be over by then. */
static int wants_a_page(void *arg, unsigned int index)
{
	struct load *load = arg;
	uint32_t handle;
	int fd, rc;

	if (!index) {
		rc = err_and_recover();
		load->stop = true;
		return rc;
	}
	fd = pdt_open();
	child_check(fd >= 0);
	while (!load->stop) {
		rc = pdt_create(fd, PDT_PAGE, PDT_VRAM, PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED,
				&handle);
		child_check(!rc || rc == -EIO);
		if (!rc)
			child_check(!pdt_destroy(fd, handle));
		load->made += !rc;
		load->refused += !!rc;
	}
	close(fd);
	return 0;
}

static void room_is_not_denied(void **state)
{
	struct pdt_state *s = *state;
	struct load load = { 0 };

	assert_ok(pdt_debugfs_write("recover_count", "0"));
	assert_int_equal(pdt_threads(THREADS + 1, wants_a_page, &load), 0);
	printf("# %lu buffers, %lu refused\n", load.made, load.refused);
	assert_true(pdt_level_wait(s->fd, &s->before));
	assert_ok(pdt_settings_restore());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(with_room),
		pdt_test(with_evictions),
		pdt_test(room_is_not_denied),
	};

	return pdt_run_tests("recover", tests);
}
