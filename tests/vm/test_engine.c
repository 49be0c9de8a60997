// SPDX-License-Identifier: MIT
/*
 * Engines that hang, fault, and get lost: what was to be moved is moved, and one
 * user's broken job is nobody else's. Its VM loads the driver with a short
 * job_timeout_ms.
 */
#include "pdt.h"

#include <fcntl.h>
#include <linux/sync_file.h>
#include <sys/stat.h>
#include <unistd.h>

#define USER	0
#define PAGING	1

static void control(const char *format, unsigned int engine)
{
	char command[64], answer[256];

	snprintf(command, sizeof(command), format, engine);
	assert_ok(pdt_control(command, answer, sizeof(answer)));
}

/* How a syncobj's fence ended: 1, or a negative errno */
static int fence_status(int fd, uint32_t syncobj)
{
	struct drm_syncobj_handle args = {
		.handle = syncobj,
		.flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE,
		.fd = -1,
	};
	struct sync_file_info info = { 0 };
	int rc = pdt_ioctl(fd, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &args);

	if (rc)
		return rc;
	rc = pdt_ioctl(args.fd, SYNC_IOC_FILE_INFO, &info);
	close(args.fd);
	return rc ? rc : info.status;
}

static void check_good_job(int fd, struct pdt_buffer *buf, uint32_t pattern)
{
	struct drm_pddgpu_submit_op op = pdt_fill(buf->handle, 0, buf->size, pattern);

	assert_ok(pdt_submit(fd, &op, 1));
	assert_ok(pdt_wait_idle(fd, buf->handle, 60000));
	for (uint64_t i = 0; i < buf->size / 4; i += 100)
		assert_int_equal(((uint32_t *)buf->map)[i], pattern);
}

/* A job that hangs is dropped with an error; those behind it run. */
static void hung_job_fails_alone(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op op;
	struct pdt_buffer a, b;
	uint32_t first, second;

	assert_ok(pdt_buffer_create(s->fd, &a, PDT_MIB, PDT_VRAM, 0));
	assert_ok(pdt_buffer_create(s->fd, &b, PDT_MIB, PDT_GTT, 0));
	assert_ok(pdt_wait_idle(s->fd, a.handle, 60000));
	assert_ok(pdt_syncobj_create(s->fd, &first));
	assert_ok(pdt_syncobj_create(s->fd, &second));

	control("hang %u", USER);
	op = pdt_fill(a.handle, 0, PDT_MIB, 0xaaaaaaaa);
	assert_ok(pdt_submit_sync(s->fd, &op, 1, 0, 0, first, 0));
	op = pdt_fill(b.handle, 0, PDT_MIB, 0xbbbbbbbb);
	assert_ok(pdt_submit_sync(s->fd, &op, 1, 0, 0, second, 0));
	assert_ok(pdt_syncobj_wait(s->fd, second, 0, 60000));
	assert_int_equal(fence_status(s->fd, first), -ETIME);
	assert_int_equal(fence_status(s->fd, second), 1);
	assert_int_equal(((uint32_t *)b.map)[7], 0xbbbbbbbb);
	assert_true(pdt_log_wait(&s->log, "engine 0 hangs in a job of test_engine"));

	check_good_job(s->fd, &a, 0x12345678);
	assert_ok(pdt_syncobj_destroy(s->fd, first));
	assert_ok(pdt_syncobj_destroy(s->fd, second));
	pdt_buffer_destroy(s->fd, &a);
	pdt_buffer_destroy(s->fd, &b);
}

static void faulting_job_fails_alone(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op op;
	struct pdt_buffer a, b;
	uint32_t first;

	assert_ok(pdt_buffer_create(s->fd, &a, PDT_MIB, PDT_GTT, 0));
	assert_ok(pdt_buffer_create(s->fd, &b, PDT_MIB, PDT_VRAM, 0));
	assert_ok(pdt_wait_idle(s->fd, b.handle, 60000));
	assert_ok(pdt_syncobj_create(s->fd, &first));

	control("fault %u", USER);
	op = pdt_fill(a.handle, 0, PDT_MIB, 1);
	assert_ok(pdt_submit_sync(s->fd, &op, 1, 0, 0, first, 0));
	assert_ok(pdt_syncobj_wait(s->fd, first, 0, 60000));
	assert_int_equal(fence_status(s->fd, first), -EIO);
	assert_true(pdt_log_wait(&s->log, "engine 0: injected fault"));
	check_good_job(s->fd, &a, 2);
	check_good_job(s->fd, &b, 3);

	assert_ok(pdt_syncobj_destroy(s->fd, first));
	pdt_buffer_destroy(s->fd, &a);
	pdt_buffer_destroy(s->fd, &b);
}

#define PIECES	1000

/* Hundreds of pieces that do not adjoin: several jobs of the hardware's */
static void make_pieces(struct drm_pddgpu_submit_op *ops, size_t count, uint32_t handle,
			uint32_t pattern)
{
	for (size_t i = 0; i < count; i++)
		ops[i] = pdt_fill(handle, 8 * i, 4, pattern);
}

/* What gets on takes its time: longer than a hang, and nobody minds. */
static void slow_job_is_not_hung(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op ops[40];
	struct pdt_buffer a;
	uint32_t syncobj;
	uint64_t start;

	assert_ok(pdt_buffer_create(s->fd, &a, PDT_PAGE, PDT_GTT, 0));
	assert_ok(pdt_syncobj_create(s->fd, &syncobj));
	make_pieces(ops, PDT_ARRAY_SIZE(ops), a.handle, 0x77777777);
	control("delay %u", 30000);
	start = pdt_now_ms();
	assert_ok(pdt_submit_sync(s->fd, ops, PDT_ARRAY_SIZE(ops), 0, 0, syncobj, 0));
	assert_ok(pdt_syncobj_wait(s->fd, syncobj, 0, 60000));
	control("delay %u", 0);
	assert_true(pdt_now_ms() - start > 3 * 300);
	assert_int_equal(fence_status(s->fd, syncobj), 1);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(ops); i++)
		assert_int_equal(((uint32_t *)a.map)[2 * i], 0x77777777);
	assert_int_equal(pdt_log_count(&s->log, "hangs"), 0);
	assert_ok(pdt_syncobj_destroy(s->fd, syncobj));
	pdt_buffer_destroy(s->fd, &a);
}

/* A job that fails at its beginning has failed, and its end does not run. */
static void large_job_fails_as_a_whole(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op *ops = calloc(PIECES, sizeof(*ops));
	const uint32_t *words;
	struct pdt_buffer a;
	uint32_t syncobj;

	assert_non_null(ops);
	assert_ok(pdt_buffer_create(s->fd, &a, PIECES * 8, PDT_GTT, 0));
	words = a.map;
	assert_ok(pdt_syncobj_create(s->fd, &syncobj));
	make_pieces(ops, PIECES, a.handle, 0x99999999);
	control("fault %u", USER);
	assert_ok(pdt_submit_sync(s->fd, ops, PIECES, 0, 0, syncobj, 0));
	assert_ok(pdt_syncobj_wait(s->fd, syncobj, 0, 60000));
	assert_int_equal(fence_status(s->fd, syncobj), -EIO);
	assert_ok(pdt_wait_idle(s->fd, a.handle, 60000));
	assert_int_equal(words[2 * (PIECES - 1)], 0);

	assert_ok(pdt_submit_sync(s->fd, ops, PIECES, 0, 0, syncobj, 0));
	assert_ok(pdt_syncobj_wait(s->fd, syncobj, 0, 60000));
	assert_int_equal(fence_status(s->fd, syncobj), 1);
	for (size_t i = 0; i < PIECES; i++)
		assert_int_equal(words[2 * i], 0x99999999);
	assert_ok(pdt_syncobj_destroy(s->fd, syncobj));
	pdt_buffer_destroy(s->fd, &a);
	free(ops);
}

static int coredump_read_as_user(void *arg)
{
	const char *path = arg;

	child_check(!pdt_become_user(1000));
	child_check(open(path, O_RDONLY) < 0 && errno == EACCES);
	return 0;
}

static void assert_says(const char *text, const char *format, ...)
{
	char line[128];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (!strstr(text, line))
		fail_msg("no \"%s\" in:\n%s", line, text);
}

static void check_coredump(struct pdt_state *s, const struct pdt_buffer *buf, bool hang)
{
	const uint64_t at = 3 * PDT_PAGE;
	struct drm_pddgpu_gem_info info;
	struct drm_pddgpu_submit_op op;
	char path[128], *text;
	struct stat st;

	assert_ok(pdt_info(s->fd, buf->handle, &info));
	control(hang ? "hang %u" : "fault %u", USER);
	op = pdt_fill(buf->handle, at, PDT_PAGE, 0xdddddddd);
	assert_ok(pdt_submit(s->fd, &op, 1));
	assert_ok(pdt_wait_idle(s->fd, buf->handle, 60000));
	assert_true(pdt_coredump_wait(path, sizeof(path), true));

	assert_ok(stat(path, &st) ? -errno : 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(st.st_mode & 077, 0);
	assert_ok(pdt_run(coredump_read_as_user, path));
	text = pdt_file_read(path);
	assert_non_null(text);
	assert_says(text, "engine: 0\n");
	assert_says(text, "owner: test_engine pid %d client ", getpid());
	assert_says(text, "0: fill %#llx (handle %u offset %#llx) with 0xdddddddd bytes 0x1000",
		    (unsigned long long)(info.offset + at), buf->handle,
		    (unsigned long long)at);
	if (hang) {
		assert_says(text, "fault: none, the engine hangs\n");
	} else {
		assert_says(text, "fault: injected fault, write, level 0\n");
		assert_says(text, "address: %#llx\n", (unsigned long long)(info.offset + at));
		assert_says(text, "buffer: handle %u offset %#llx\n", buf->handle,
			    (unsigned long long)at);
	}
	/* The page tables are asked for what is in the aperture. */
	if (!hang && info.domain == PDT_GTT)
		assert_says(text, "entry of level 2: ");
	else
		assert_null(strstr(text, "entry of level"));
	free(text);
	pdt_coredump_free();
}

/* New jobs put off the scheduler's own look at the one that hangs. */
static void hang_is_seen_behind_new_jobs(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op op;
	struct pdt_buffer a;
	uint64_t start;
	uint32_t first;

	assert_ok(pdt_buffer_create(s->fd, &a, PDT_MIB, PDT_GTT, 0));
	assert_ok(pdt_syncobj_create(s->fd, &first));
	control("hang %u", USER);
	op = pdt_fill(a.handle, 0, PDT_PAGE, 5);
	start = pdt_now_ms();
	assert_ok(pdt_submit_sync(s->fd, &op, 1, 0, 0, first, 0));
	while (pdt_syncobj_wait(s->fd, first, 0, 50)) {
		if (pdt_now_ms() - start > 5000 * pdt_slow())
			fail_msg("the hung job was not given up");
		assert_ok(pdt_submit(s->fd, &op, 1));
	}
	assert_int_equal(fence_status(s->fd, first), -ETIME);
	check_good_job(s->fd, &a, 6);
	assert_int_equal(pdt_log_count(&s->log, "engine 0 hangs"), 1);
	assert_ok(pdt_syncobj_destroy(s->fd, first));
	pdt_buffer_destroy(s->fd, &a);
}

/* What stopped an engine is kept for root, once, until it is taken away. */
static void coredump_is_kept(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer a, b;
	char line[128];

	pdt_coredump_free();
	assert_ok(pdt_buffer_create(s->fd, &a, PDT_MIB, PDT_GTT, 0));
	assert_ok(pdt_buffer_create(s->fd, &b, PDT_MIB, PDT_VRAM, 0));
	assert_ok(pdt_wait_idle(s->fd, b.handle, 60000));
	check_coredump(s, &a, false);
	snprintf(line, sizeof(line), ", buffer handle %u offset 0x3000", a.handle);
	assert_true(pdt_log_wait(&s->log, line));
	check_coredump(s, &b, false);
	check_coredump(s, &a, true);
	check_good_job(s->fd, &a, 9);
	pdt_buffer_destroy(s->fd, &a);
	pdt_buffer_destroy(s->fd, &b);
}

/* There and back again, whatever happens to the engine on the way */
static void move_around(struct pdt_state *s, const char *what, uint64_t seed)
{
	static const uint32_t places[] = { PDT_GTT, PDT_VRAM, PDT_GTT, PDT_VRAM };
	struct pdt_buffer buf;
	uint32_t now;

	assert_ok(pdt_buffer_create(s->fd, &buf, 3 * PDT_MIB + PDT_PAGE, PDT_VRAM, 0));
	pdt_buffer_fill(&buf, seed);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(places); i++) {
		if (what)
			control(what, PAGING);
		assert_ok(pdt_set_domain(s->fd, buf.handle, places[i], &now));
		assert_int_equal(now, places[i]);
		assert_ok(pdt_buffer_check(&buf));
	}
	pdt_buffer_destroy(s->fd, &buf);
}

static void moves_survive_a_hang(void **state)
{
	move_around(*state, "hang %u", 11);
}

static void moves_survive_a_fault(void **state)
{
	move_around(*state, "fault %u", 12);
}

/* New buffers are zeros, also when the engine stops while it clears them. */
static void clearing_survives_a_hang(void **state)
{
	struct pdt_state *s = *state;

	for (unsigned int i = 0; i < 3; i++) {
		struct pdt_buffer buf;

		assert_ok(pdt_buffer_create(s->fd, &buf, 2 * PDT_MIB, PDT_VRAM, 0));
		pdt_buffer_fill(&buf, i + 1);
		pdt_buffer_destroy(s->fd, &buf);
		control("hang %u", PAGING);
		assert_ok(pdt_buffer_create(s->fd, &buf, 2 * PDT_MIB, PDT_VRAM, 0));
		assert_ok(pdt_wait_idle(s->fd, buf.handle, 60000));
		assert_int_equal(pdt_zero_check(buf.map, buf.size), -1);
		pdt_buffer_destroy(s->fd, &buf);
	}
}

/*
 * Saves what a job is about to overwrite: done once more, it would save what it has
 * written. So a job in which an engine is lost has failed, and does not run again.
 */
static void lose_engine_in_a_job(struct pdt_state *s)
{
	struct drm_pddgpu_submit_op ops[20];
	struct pdt_buffer a, saved;
	uint32_t syncobj;

	assert_ok(pdt_buffer_create(s->fd, &a, PDT_PAGE, PDT_GTT, 0));
	assert_ok(pdt_buffer_create(s->fd, &saved, PDT_PAGE, PDT_GTT, 0));
	assert_ok(pdt_syncobj_create(s->fd, &syncobj));
	pdt_buffer_fill(&a, 20);
	memset(saved.map, 0, PDT_PAGE);
	ops[0] = pdt_copy(saved.handle, 0, a.handle, 0, PDT_PAGE);
	ops[1] = pdt_fill(a.handle, 0, PDT_PAGE, 0x99999999);
	/* Time enough to let it hang before the end */
	make_pieces(ops + 2, PDT_ARRAY_SIZE(ops) - 2, a.handle, 0x99999999);
	control("delay %u", 100000);
	assert_ok(pdt_submit_sync(s->fd, ops, PDT_ARRAY_SIZE(ops), 0, 0, syncobj, 0));
	/* Nobody moves it, so it can be looked at while the job is at it */
	while (*(volatile uint32_t *)a.map != 0x99999999)
		pdt_sleep_ms(1);
	control("hang %u", USER);
	control("delay %u", 0);
	assert_ok(pdt_syncobj_wait(s->fd, syncobj, 0, 60000));
	assert_true(pdt_log_wait(&s->log, "engine 0 is lost"));
	assert_int_equal(fence_status(s->fd, syncobj), -ETIME);
	pdt_buffer_destroy(s->fd, &a);
	a = saved;
	a.seed = 20;
	assert_ok(pdt_buffer_check(&a));
	assert_ok(pdt_syncobj_destroy(s->fd, syncobj));
	pdt_buffer_destroy(s->fd, &a);
}

/* Engines that cannot be reset: the CPU does their work, and nothing stops. */
static void lost_engines(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer buf;

	assert_ok(pdt_parameter("chip_resets", "0"));
	control("fail-reset %u", 1000);
	control("hang %u", PAGING);
	move_around(s, NULL, 13);
	assert_true(pdt_log_wait(&s->log, "engine 1 is lost"));

	assert_ok(pdt_buffer_create(s->fd, &buf, 5 * PDT_PAGE, PDT_BOTH, 0));
	lose_engine_in_a_job(s);
	check_good_job(s->fd, &buf, 22);
	move_around(s, NULL, 14);
	pdt_buffer_destroy(s->fd, &buf);
	control("fail-reset %u", 0);
	assert_ok(pdt_parameter("chip_resets", "4"));
	assert_ok(pdt_reset_chip());
	assert_true(pdt_log_wait(&s->log, "engine 1 works again"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(hung_job_fails_alone),
		pdt_test(faulting_job_fails_alone),
		pdt_test(hang_is_seen_behind_new_jobs),
		pdt_test(slow_job_is_not_hung),
		pdt_test(large_job_fails_as_a_whole),
		pdt_test(coredump_is_kept),
		pdt_test(moves_survive_a_hang),
		pdt_test(moves_survive_a_fault),
		pdt_test(clearing_survives_a_hang),
		pdt_test(lost_engines),
	};

	return pdt_run_tests("engine", tests);
}
