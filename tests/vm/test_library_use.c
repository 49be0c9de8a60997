// SPDX-License-Identifier: MIT
/* libpddgpu on a real card: what it does beyond the ioctls, and its examples. */
#include "pdt.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pddgpu.h>

/* The test's own device, which the fixture's levels are about */
static struct pddgpu_device *open_card(void)
{
	struct pddgpu_device *dev = NULL;

	assert_ok(pddgpu_open(NULL, &dev));
	return dev;
}

static struct pddgpu_bo *make(struct pddgpu_device *dev, uint64_t size, uint32_t domains)
{
	struct pddgpu_bo *bo = NULL;

	assert_ok(pddgpu_bo_create(dev, size, domains, 0, &bo));
	return bo;
}

static void names(void **state)
{
	struct pddgpu_device_id id, more[4];
	struct pddgpu_device *dev;
	const char *forms[5];

	(void)state;
	assert_int_equal(pddgpu_list(more, 4), 1);
	id = more[0];
	assert_string_equal(id.pci, pdt_pci_name());
	assert_string_equal(id.render, pdt_render_path());
	forms[0] = id.pci;
	forms[1] = id.pci + 5;
	forms[2] = id.render;
	forms[3] = id.primary;
	forms[4] = strrchr(id.primary, '/') + 1;
	for (size_t i = 0; i < PDT_ARRAY_SIZE(forms); i++) {
		assert_ok(pddgpu_open(forms[i], &dev));
		assert_memory_equal(pddgpu_id(dev), &id, sizeof(id));
		pddgpu_close(dev);
	}
	assert_err(ENODEV, pddgpu_open("/dev/null", &dev));
	assert_err(ENOENT, pddgpu_open("0000:00:1e.7", &dev));
	/* Some other device of the machine's */
	assert_err(ENODEV, pddgpu_open("0000:00:00.0", &dev));
}

/* The same figures as by the ioctls */
static void queries(void **state)
{
	struct pdt_state *s = *state;
	struct pddgpu_device *dev = open_card();
	struct drm_pddgpu_device_info info, info2;
	struct drm_pddgpu_memory_stats stats, stats2;
	struct drm_pddgpu_domain_usage usage[3];
	struct drm_pddgpu_ownership own[3];
	struct drm_pddgpu_segment segments[8];
	int ret;

	assert_ok(pddgpu_query_info(dev, &info));
	assert_ok(pdt_device_info(s->fd, &info2));
	assert_memory_equal(&info, &info2, sizeof(info));
	assert_ok(pddgpu_query_stats(dev, &stats));
	assert_ok(pdt_stats(s->fd, &stats2));
	assert_memory_equal(&stats, &stats2, sizeof(stats));
	assert_ok(pddgpu_query_usage(dev, usage));
	assert_int_equal(usage[PDDGPU_REGION_VRAM].domain, PDT_VRAM);
	assert_int_equal(usage[PDDGPU_REGION_CPU].domain, PDT_CPU);
	assert_u64(usage[PDDGPU_REGION_VRAM].used, stats.vram_used);
	assert_in_range(pddgpu_query_segments(dev, segments, 8), 2, 8);
	assert_u64(segments[0].size, info.vram_size);
	assert_err(EOPNOTSUPP, pddgpu_query(dev, 1000, &info, sizeof(info)));
	ret = pddgpu_query_ownership(dev, own);
	if (ret != -EOPNOTSUPP) {
		assert_ok(ret);
		for (int i = 0; i < PDDGPU_REGIONS; i++) {
			assert_int_equal(own[i].domain, usage[i].domain);
			assert_u64(own[i].used, own[i].live + own[i].orphan + own[i].zombie +
				   own[i].kernel);
		}
	}
	pddgpu_close(dev);
}

static void buffers(void **state)
{
	struct pddgpu_device *dev = open_card();
	struct pddgpu_bo *bo = NULL, *hidden;
	struct pddgpu_bo_info info;
	void *map, *same;

	(void)state;
	assert_err(EINVAL, pddgpu_bo_create(dev, 0, PDT_VRAM, 0, &bo));
	assert_err(EINVAL, pddgpu_bo_create(dev, 1, 8, 0, &bo));
	assert_err(E2BIG, pddgpu_bo_create(dev, 1ULL << 60, PDT_VRAM, 0, &bo));
	assert_err(EINVAL, pddgpu_bo_create_aligned(dev, 1, 3, PDT_VRAM, 0, &bo));
	assert_null(bo);
	assert_ok(pddgpu_bo_create_aligned(dev, 5000, 65536, PDT_BOTH, 0, &bo));
	assert_u64(pddgpu_bo_size(bo), 8192);
	assert_ok(pddgpu_bo_map(bo, &map));
	assert_int_equal(pdt_zero_check(map, 8192), -1);
	pdt_pattern_fill(map, 8192, 1);
	assert_ok(pddgpu_bo_get_info(bo, &info));
	assert_u64(info.size, 8192);
	assert_int_equal(info.domain, PDT_VRAM);
	assert_u64(info.gpu_address % 65536, 0);
	assert_ok(pddgpu_bo_set_domain(bo, PDT_CPU, 0));
	assert_ok(pddgpu_bo_get_info(bo, &info));
	assert_int_equal(info.domain, PDT_CPU);
	assert_u64(info.gpu_address, 0);
	assert_ok(pddgpu_bo_map(bo, &same));
	assert_ptr_equal(map, same);
	assert_int_equal(pdt_pattern_check(map, 8192, 1), -1);
	assert_ok(pddgpu_bo_wait(bo, 0, 0));
	assert_ok(pddgpu_bo_wait(bo, INT64_MAX, PDDGPU_GEM_WAIT_WRITERS));
	assert_err(EINVAL, pddgpu_bo_wait(bo, -1, 0x80));
	assert_ok(pddgpu_bo_create(dev, 4096, PDT_GTT, PDDGPU_GEM_CREATE_NO_CPU_ACCESS, &hidden));
	assert_err(EACCES, pddgpu_bo_map(hidden, &same));
	pddgpu_bo_free(hidden);
	pddgpu_bo_free(bo);
	pddgpu_close(dev);
}

static void sharing(void **state)
{
	struct pddgpu_device *dev = open_card(), *other = open_card();
	struct pddgpu_bo *bo = make(dev, 65536, PDT_GTT), *same, *theirs, *again;
	void *map, *their_map;
	int fd;

	(void)state;
	assert_ok(pddgpu_bo_export(bo, &fd));
	assert_int_not_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	assert_ok(pddgpu_bo_import(dev, fd, &same));
	assert_ptr_equal(same, bo);
	assert_ok(pddgpu_bo_import(other, fd, &theirs));
	assert_ok(pddgpu_bo_import(other, fd, &again));
	assert_ptr_equal(theirs, again);
	assert_ptr_not_equal(theirs, bo);
	assert_u64(pddgpu_bo_size(theirs), 65536);
	close(fd);
	assert_ok(pddgpu_bo_map(theirs, &their_map));
	assert_ok(pddgpu_bo_map(bo, &map));
	pdt_pattern_fill(map, 65536, 3);
	pddgpu_bo_free(bo);
	pddgpu_bo_free(same);
	pddgpu_close(dev);
	pddgpu_bo_free(again);
	assert_int_equal(pdt_pattern_check(their_map, 65536, 3), -1);
	pddgpu_bo_free(theirs);
	assert_err(EINVAL, pddgpu_bo_import(other, STDIN_FILENO, &bo));
	pddgpu_close(other);
}

/* Jobs: once more, in order by a syncobj, refused, and one that faults */
static void jobs(void **state)
{
	struct pdt_state *s = *state;
	struct pddgpu_device *dev = open_card();
	struct pddgpu_bo *a = make(dev, PDT_MIB, PDT_VRAM), *b = make(dev, PDT_MIB, PDT_GTT);
	struct pddgpu_job *first, *second;
	uint32_t syncobj, *map;
	char answer[256];
	int error = 5;

	assert_ok(pddgpu_bo_map(b, (void **)&map));
	assert_ok(pdt_syncobj_create(pddgpu_fd(dev), &syncobj));
	assert_ok(pddgpu_job_create(dev, &first));
	assert_ok(pddgpu_job_create(dev, &second));
	assert_ok(pddgpu_job_fill(first, a, 0, PDT_MIB, 0xaaaa));
	assert_ok(pddgpu_job_signal(first, syncobj, 7));
	assert_ok(pddgpu_job_copy(second, b, 0, a, 0, PDT_MIB));
	assert_ok(pddgpu_job_wait_for(second, syncobj, 7));
	assert_ok(pddgpu_job_submit(first));
	assert_ok(pddgpu_job_submit(second));
	assert_ok(pddgpu_job_wait(second, -1, &error));
	assert_int_equal(error, 0);
	assert_int_equal(map[PDT_MIB / 4 - 1], 0xaaaa);
	assert_ok(pdt_syncobj_destroy(pddgpu_fd(dev), syncobj));
	assert_err(ENOENT, pddgpu_job_submit(second));

	pddgpu_job_reset(second);
	assert_ok(pddgpu_job_fill(second, b, PDT_MIB - 4, 8, 1));
	assert_err(EINVAL, pddgpu_job_submit(second));
	/* What was submitted before is still what is waited for. */
	assert_ok(pddgpu_job_wait(second, 0, &error));

	assert_ok(pddgpu_bo_wait(a, -1, 0));
	assert_ok(pdt_control("fault 0", answer, sizeof(answer)));
	pddgpu_job_reset(second);
	assert_ok(pddgpu_job_fill(second, b, 0, 4096, 2));
	assert_ok(pddgpu_job_submit(second));
	assert_ok(pddgpu_job_wait(second, 60000000000, &error));
	assert_int_equal(error, -EIO);
	assert_err(EIO, pddgpu_job_wait(second, -1, NULL));
	assert_ok(pddgpu_job_submit(second));
	assert_ok(pddgpu_job_wait(second, -1, NULL));
	assert_int_equal(map[1023], 2);
	assert_true(pdt_log_wait(&s->log, "engine 0: injected fault"));
	pdt_coredump_free();
	pddgpu_job_free(first);
	pddgpu_job_free(second);
	pddgpu_bo_free(a);
	pddgpu_bo_free(b);
	pddgpu_close(dev);
}

/* A job that does nothing but wait for another, and say so */
static void empty_job(void **state)
{
	struct pddgpu_device *dev = open_card();
	struct pddgpu_bo *bo = make(dev, PDT_MIB, PDT_VRAM);
	struct pddgpu_job *work, *empty;
	uint32_t done, both;
	int error = 5;

	(void)state;
	assert_ok(pdt_syncobj_create(pddgpu_fd(dev), &done));
	assert_ok(pdt_syncobj_create(pddgpu_fd(dev), &both));
	assert_ok(pddgpu_job_create(dev, &work));
	assert_ok(pddgpu_job_create(dev, &empty));
	assert_ok(pddgpu_job_fill(work, bo, 0, PDT_MIB, 1));
	assert_ok(pddgpu_job_signal(work, done, 0));
	assert_ok(pddgpu_job_wait_for(empty, done, 0));
	assert_ok(pddgpu_job_signal(empty, both, 3));
	/* Nobody has submitted what it is to wait for. */
	assert_err(EINVAL, pddgpu_job_submit(empty));
	assert_err(EINVAL, pddgpu_job_wait(empty, 0, &error));
	assert_ok(pddgpu_job_submit(work));
	assert_ok(pddgpu_job_submit(empty));
	assert_ok(pddgpu_job_wait(empty, -1, &error));
	assert_int_equal(error, 0);
	assert_ok(pddgpu_bo_wait(bo, 0, 0));
	assert_ok(pdt_syncobj_wait(pddgpu_fd(dev), both, 3, 0));
	assert_ok(pdt_syncobj_destroy(pddgpu_fd(dev), done));
	assert_ok(pdt_syncobj_destroy(pddgpu_fd(dev), both));
	pddgpu_job_free(work);
	pddgpu_job_free(empty);
	pddgpu_bo_free(bo);
	pddgpu_close(dev);
}

static void on_alarm(int number)
{
	(void)number;
}

/* A signal every millisecond ends no call. */
static void signals(void **state)
{
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, off = { 0 };
	struct sigaction action = { .sa_handler = on_alarm };
	struct pddgpu_device *dev = open_card();
	struct pddgpu_bo *a = make(dev, 8 * PDT_MIB, PDT_VRAM);
	struct pddgpu_bo *b = make(dev, 8 * PDT_MIB, PDT_GTT), *bo;
	struct pddgpu_job *job;
	uint32_t *map;

	(void)state;
	assert_ok(pddgpu_job_create(dev, &job));
	assert_ok(pddgpu_job_copy(job, b, 0, a, 0, 8 * PDT_MIB));
	assert_ok(pddgpu_job_fill(job, a, 0, 8 * PDT_MIB, 77));
	assert_ok(pddgpu_job_copy(job, b, 0, a, 0, 8 * PDT_MIB));
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 20; i++) {
		assert_ok(pddgpu_job_submit(job));
		if (i % 2)
			assert_ok(pddgpu_job_wait(job, -1, NULL));
		else
			assert_ok(pddgpu_bo_wait(b, -1, 0));
		bo = make(dev, PDT_MIB, PDT_VRAM);
		assert_ok(pddgpu_bo_set_domain(bo, PDT_GTT, 0));
		pddgpu_bo_free(bo);
	}
	setitimer(ITIMER_REAL, &off, NULL);
	signal(SIGALRM, SIG_DFL);
	assert_ok(pddgpu_bo_map(b, (void **)&map));
	assert_int_equal(map[2 * PDT_MIB - 1], 77);
	pddgpu_job_free(job);
	pddgpu_bo_free(a);
	pddgpu_bo_free(b);
	pddgpu_close(dev);
}

/* Everybody uses one device, and one buffer of it. */
static int in_a_thread(void *arg, unsigned int index)
{
	struct pddgpu_device *dev = arg;
	struct pddgpu_bo *bo, *same;
	struct pddgpu_job *job;
	uint32_t *map;
	int fd;

	for (uint32_t i = 1; i <= 25; i++) {
		child_check(!pddgpu_bo_create(dev, 16384, PDT_BOTH, 0, &bo));
		child_check(!pddgpu_bo_export(bo, &fd));
		child_check(!pddgpu_bo_import(dev, fd, &same) && same == bo);
		pddgpu_bo_free(same);
		close(fd);
		child_check(!pddgpu_job_create(dev, &job));
		child_check(!pddgpu_job_fill(job, bo, 0, 16384, index << 16 | i));
		child_check(!pddgpu_job_submit(job) && !pddgpu_job_wait(job, -1, NULL));
		child_check(!pddgpu_bo_map(bo, (void **)&map));
		child_check(map[0] == (index << 16 | i) && map[4095] == map[0]);
		pddgpu_job_free(job);
		pddgpu_bo_free(bo);
	}
	return 0;
}

static void threads(void **state)
{
	struct pddgpu_device *dev = open_card();

	(void)state;
	assert_int_equal(pdt_threads(8, in_a_thread, dev), 0);
	pddgpu_close(dev);
}

/* A handle is a number below this; more than one page of them */
static void many_buffers(void **state)
{
	struct pddgpu_bo *bos[600], *same;
	struct pddgpu_device *dev = open_card();
	int fds[600];

	(void)state;
	for (int i = 0; i < 600; i++) {
		bos[i] = make(dev, 4096, PDT_GTT);
		assert_ok(pddgpu_bo_export(bos[i], &fds[i]));
	}
	for (int i = 599; i >= 0; i--) {
		assert_ok(pddgpu_bo_import(dev, fds[i], &same));
		assert_ptr_equal(same, bos[i]);
		pddgpu_bo_free(same);
		pddgpu_bo_free(bos[i]);
		close(fds[i]);
	}
	pddgpu_close(dev);
}

/* Runs a program of the examples, as root or not; what it printed */
static char *run(int *status, bool as_user, const char *const argv[])
{
	const char *output = "/tmp/test_library_use.out";
	int fd = open(output, O_RDWR | O_CREAT | O_TRUNC, 0644);
	char *text;
	pid_t pid;

	assert_true(fd >= 0);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		dup2(fd, 1);
		dup2(fd, 2);
		if (as_user && pdt_become_user(1000))
			_exit(126);
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(fd);
	*status = pdt_wait(pid);
	text = pdt_file_read(output);
	unlink(output);
	assert_non_null(text);
	return text;
}

static void examples(void **state)
{
	static const struct {
		const char *program, *says;
	} cases[] = {
		{ "./alloc_map", "Hello from video memory, 1048576 bytes at 0x" },
		{ "./copy", "copied 1048576 bytes: the last word is 0xcafe\n" },
		{ "./share", " reads: written by process " },
	};
	static const char *const no_card[] = { "./copy", "card77", NULL };
	int status;
	char *text;

	(void)state;
	for (size_t i = 0; i < 2 * PDT_ARRAY_SIZE(cases); i++) {
		const char *card = i % 2 ? pdt_pci_name() : NULL;
		const char *const argv[] = { cases[i / 2].program, card, NULL };

		/* Each by an ordinary user too */
		text = run(&status, i % 2, argv);
		if (status || !strstr(text, cases[i / 2].says))
			fail_msg("%s: %d, %s", argv[0], status, text);
		free(text);
	}
	text = run(&status, false, no_card);
	assert_int_equal(status, 1);
	assert_string_equal(text, "copy: there is no such card, buffer or file\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(names),
		pdt_test(queries),
		pdt_test(buffers),
		pdt_test(sharing),
		pdt_test(jobs),
		pdt_test(empty_job),
		pdt_test(signals),
		pdt_test(threads),
		pdt_test(many_buffers),
		pdt_test(examples),
	};

	return pdt_run_tests("library_use", tests);
}
