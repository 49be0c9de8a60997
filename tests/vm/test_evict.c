// SPDX-License-Identifier: MIT
/* evict_vram and evict_gtt: reading them empties a segment, as amdgpu's do. */
#include "pdt.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE	(64 * PDT_PAGE)

static int restore(void **state)
{
	char answer[256];

	pdt_control("clear", answer, sizeof(answer));
	return pdt_teardown(state);
}

#define evict_test(f) cmocka_unit_test_setup_teardown(f, pdt_setup, restore)

/* What a file shows: 0 or a negative errno, which is not the reading's own */
static int evict(const char *file)
{
	char *text = pdt_debugfs_read(file), *end;
	long result;

	assert_non_null(text);
	result = strtol(text, &end, 10);
	if (end == text || strcmp(end, "\n"))
		fail_msg("%s: %s", file, text);
	free(text);
	return (int)result;
}

static void for_root_to_read(void **state)
{
	static const char *const files[] = { "evict_vram", "evict_gtt" };

	(void)state;
	for (size_t i = 0; i < PDT_ARRAY_SIZE(files); i++) {
		struct stat st;

		assert_int_equal(stat(pdt_debugfs_path(files[i]), &st), 0);
		assert_int_equal(st.st_mode & 07777, 0400);
		/* Root is not stopped by a file's mode. */
		assert_int_equal(open(pdt_debugfs_path(files[i]), O_WRONLY), -1);
		assert_int_equal(errno, EACCES);
		assert_int_equal(open(pdt_debugfs_path(files[i]), O_RDWR), -1);
		assert_int_equal(errno, EACCES);
	}
}

static void nothing_to_evict(void **state)
{
	(void)state;
	assert_int_equal(evict("evict_vram"), 0);
	assert_int_equal(evict("evict_gtt"), 0);
}

static void vram_then_gtt(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	struct pdt_buffer bufs[4];
	static const uint32_t domains[] = {
		PDT_BOTH, PDT_BOTH | PDT_CPU, PDT_VRAM | PDT_CPU, PDT_GTT | PDT_CPU,
	};

	for (size_t i = 0; i < PDT_ARRAY_SIZE(bufs); i++) {
		assert_ok(pdt_buffer_create(s->fd, &bufs[i], SIZE, domains[i], 0));
		pdt_buffer_fill(&bufs[i], i + 1);
	}
	assert_int_equal(evict("evict_vram"), 0);
	assert_ok(pdt_stats(s->fd, &stats));
	assert_u64(stats.vram_used, s->before.vram_used);
	assert_int_equal(pdt_domain(s->fd, bufs[0].handle), PDT_GTT);
	assert_int_equal(pdt_domain(s->fd, bufs[2].handle), PDT_CPU);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(bufs); i++)
		assert_ok(pdt_buffer_check(&bufs[i]));

	/* The first may live in no other domain that is preferred less. */
	assert_int_equal(evict("evict_gtt"), -EBUSY);
	assert_int_equal(pdt_domain(s->fd, bufs[0].handle), PDT_GTT);
	assert_int_equal(pdt_domain(s->fd, bufs[1].handle), PDT_CPU);
	assert_int_equal(pdt_domain(s->fd, bufs[3].handle), PDT_CPU);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(bufs); i++) {
		assert_ok(pdt_buffer_check(&bufs[i]));
		pdt_buffer_destroy(s->fd, &bufs[i]);
	}
}

/* What may live nowhere else stays, and so does what somebody keeps where it is. */
static void what_stays(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer alone, kept, goes;

	assert_ok(pdt_buffer_create(s->fd, &alone, SIZE, PDT_VRAM, 0));
	assert_ok(pdt_buffer_create(s->fd, &goes, SIZE, PDT_BOTH, 0));
	pdt_buffer_fill(&alone, 1);
	pdt_buffer_fill(&goes, 2);
	assert_int_equal(evict("evict_vram"), -EBUSY);
	assert_int_equal(pdt_domain(s->fd, alone.handle), PDT_VRAM);
	assert_int_equal(pdt_domain(s->fd, goes.handle), PDT_GTT);
	assert_ok(pdt_buffer_check(&alone));
	assert_ok(pdt_buffer_check(&goes));
	pdt_buffer_destroy(s->fd, &alone);
	pdt_buffer_destroy(s->fd, &goes);

	/* Nothing pageable is left then, and that is all that is asked. */
	assert_ok(pdt_buffer_create(s->fd, &kept, SIZE, PDT_BOTH,
				    PDDGPU_GEM_CREATE_UNPAGEABLE));
	pdt_buffer_fill(&kept, 3);
	assert_int_equal(pdt_domain(s->fd, kept.handle), PDT_VRAM);
	assert_int_equal(evict("evict_vram"), 0);
	assert_int_equal(pdt_domain(s->fd, kept.handle), PDT_VRAM);
	assert_ok(pdt_buffer_check(&kept));
	pdt_buffer_destroy(s->fd, &kept);
}

static void on_signal(int number)
{
	(void)number;
}

static int read_slowly(void *arg)
{
	struct sigaction action = { .sa_handler = on_signal };
	char text[16];
	ssize_t n;
	int fd;

	(void)arg;
	/* Without SA_RESTART: it is to end. */
	child_check(!sigaction(SIGALRM, &action, NULL));
	fd = open(pdt_debugfs_path("evict_vram"), O_RDONLY);
	child_check(fd >= 0);
	alarm(1);
	n = read(fd, text, sizeof(text));
	child_check(n == -1 && errno == EINTR);
	close(fd);
	return 0;
}

/* It waits for jobs, which may take any time; a signal ends that. */
static void a_signal_ends_it(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op op;
	char answer[256];
	struct pdt_buffer buf;
	int sync;

	assert_ok(pdt_buffer_create(s->fd, &buf, SIZE, PDT_BOTH, 0));
	assert_ok(pdt_wait_idle(s->fd, buf.handle, 10000));
	op = pdt_fill(buf.handle, 0, SIZE, 7);
	/* Slow, but within the time of a hang */
	assert_ok(pdt_control("delay 3000000", answer, sizeof(answer)));
	assert_ok(pdt_submit_fence(s->fd, &op, 1, &sync));
	assert_int_equal(pdt_run(read_slowly, NULL), 0);
	/* The job goes on meanwhile. */
	assert_int_equal(pdt_fence_fd_wait(sync, 0), 0);
	assert_ok(pdt_control("clear", answer, sizeof(answer)));
	assert_int_equal(pdt_fence_fd_wait(sync, 20000), 1);
	close(sync);
	assert_int_equal(evict("evict_vram"), 0);
	assert_int_equal(pdt_domain(s->fd, buf.handle), PDT_GTT);
	assert_int_equal(((uint32_t *)buf.map)[SIZE / 4 - 1], 7);
	pdt_buffer_destroy(s->fd, &buf);
}

struct users {
	struct pdt_buffer bufs[4];
	int fd;
	volatile bool over;
};

static void *use_them(void *arg)
{
	struct users *users = arg;

	while (!users->over) {
		for (size_t i = 0; i < PDT_ARRAY_SIZE(users->bufs); i++)
			if (pdt_set_domain(users->fd, users->bufs[i].handle, PDT_BOTH, NULL))
				return arg;
	}
	return NULL;
}

/* Who brings his buffers back all the time does not keep it going for ever. */
static void while_they_come_back(void **state)
{
	struct pdt_state *s = *state;
	struct users users = { .fd = s->fd };
	pthread_t thread;
	void *failed;

	for (size_t i = 0; i < PDT_ARRAY_SIZE(users.bufs); i++) {
		assert_ok(pdt_buffer_create(s->fd, &users.bufs[i], SIZE, PDT_BOTH, 0));
		pdt_buffer_fill(&users.bufs[i], i);
	}
	assert_int_equal(pthread_create(&thread, NULL, use_them, &users), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(evict("evict_vram"), 0);
	users.over = true;
	pthread_join(thread, &failed);
	assert_null(failed);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(users.bufs); i++) {
		assert_ok(pdt_buffer_check(&users.bufs[i]));
		pdt_buffer_destroy(s->fd, &users.bufs[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		evict_test(for_root_to_read),
		evict_test(nothing_to_evict),
		evict_test(vram_then_gtt),
		evict_test(what_stays),
		evict_test(a_signal_ends_it),
		evict_test(while_they_come_back),
	};

	return pdt_run_tests("evict", tests);
}
