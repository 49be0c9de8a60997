// SPDX-License-Identifier: MIT
/*
 * The managers' states: errors that were asked for are noticed, explained and
 * recovered from, also while threads work; and no buffer loses a byte.
 */
#include "pdt.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define BUFFERS	12

static const struct manager {
	const char *name;
	const char *log;
	uint32_t domain, other;
} managers[] = {
	{ "vram", "VRAM manager", PDT_VRAM, PDT_GTT },
	{ "gtt", "GTT manager", PDT_GTT, PDT_CPU },
};

#define VRAM	(&managers[0])
#define GTT	(&managers[1])

/* A figure of a manager's, or of the device's with NULL */
static uint64_t health(const struct manager *m, const char *what)
{
	char *text = pdt_debugfs_read("health"), name[64];
	uint64_t value = 0;
	int rc;

	assert_non_null(text);
	snprintf(name, sizeof(name), "%s_%s", m ? m->name : "device", what);
	rc = pdt_number_of(text, name, &value);
	free(text);
	if (rc)
		fail_msg("health says nothing of %s", name);
	return value;
}

/* The same for words; until the next call */
static const char *health_words(const struct manager *m, const char *what)
{
	char *text = pdt_debugfs_read("health"), name[64], *at;
	static char words[128];

	assert_non_null(text);
	snprintf(name, sizeof(name), "\n%s_%s: ", m ? m->name : "device", what);
	/* The first line has no newline before it */
	at = strstr(text, m ? name : name + 1);
	assert_non_null(at);
	at += strlen(m ? name : name + 1);
	snprintf(words, sizeof(words), "%.*s", (int)strcspn(at, "\n"), at);
	free(text);
	return words;
}

static void assert_state(const struct manager *m, const char *state)
{
	assert_string_equal(health_words(m, "state"), state);
	assert_u64(health(m, "healthy"), !strcmp(state, "READY"));
}

static void assert_all_ready(void)
{
	assert_state(VRAM, "READY");
	assert_state(GTT, "READY");
	assert_u64(health(NULL, "healthy"), 1);
	assert_ok(pdt_debugfs_write("check", "device"));
}

static void inject(const struct manager *m, const char *fault)
{
	char text[32];

	snprintf(text, sizeof(text), "%s %s", m->name, fault);
	assert_ok(pdt_debugfs_write("inject_error", text));
}

static int one_page(int fd, uint32_t domains)
{
	uint32_t handle;
	int rc = pdt_create(fd, PDT_PAGE, domains, 0, &handle);

	return rc ? rc : pdt_destroy(fd, handle);
}

static bool wait_for(const struct manager *m, const char *what, uint64_t value)
{
	uint64_t end = pdt_now_ms() + 20000;

	while (health(m, what) != value) {
		if (pdt_now_ms() > end)
			return false;
		pdt_sleep_ms(5);
	}
	return true;
}

/* By hand alone, unless a test says something else */
static int setup(void **state)
{
	int rc = pdt_setup(state);

	return rc ? rc : pdt_debugfs_write("recover_count", "0");
}

static int teardown(void **state)
{
	static const char *const words[][2] = {
		{ "inject_error", "vram off" }, { "inject_error", "gtt off" },
		{ "recover", "device" }, { "check", "device" },
	};
	int rc = 0;

	for (size_t i = 0; i < PDT_ARRAY_SIZE(words) && !rc; i++)
		rc = pdt_debugfs_write(words[i][0], words[i][1]);
	if (rc)
		fprintf(stderr, "# not well again: %s\n", strerror(-rc));
	return pdt_teardown(state) || pdt_settings_restore() || rc ? -1 : 0;
}

/* Of many kinds and sizes, with a pattern each */
static void make(struct pdt_state *s, struct pdt_buffer *bufs)
{
	static const struct {
		uint32_t domains, flags;
	} kinds[] = {
		{ PDT_VRAM, 0 },
		{ PDT_BOTH, 0 },
		{ PDT_GTT, 0 },
		{ PDT_VRAM, PDDGPU_GEM_CREATE_VRAM_CONTIGUOUS },
		{ PDT_VRAM, PDDGPU_GEM_CREATE_UNPAGEABLE },
		{ PDT_GTT, PDDGPU_GEM_CREATE_UNPAGEABLE },
	};

	for (size_t i = 0; i < BUFFERS; i++) {
		size_t kind = i % PDT_ARRAY_SIZE(kinds);

		assert_ok(pdt_buffer_create(s->fd, &bufs[i], (37 * i + 5) * PDT_PAGE,
					    kinds[kind].domains, kinds[kind].flags));
		pdt_buffer_fill(&bufs[i], 500 + i);
	}
}

static void check(const struct pdt_buffer *bufs)
{
	for (size_t i = 0; i < BUFFERS; i++)
		assert_ok(pdt_buffer_check(&bufs[i]));
}

static void destroy(struct pdt_state *s, struct pdt_buffer *bufs)
{
	for (size_t i = 0; i < BUFFERS; i++)
		pdt_buffer_destroy(s->fd, &bufs[i]);
	assert_true(pdt_level_wait(s->fd, &s->before));
}

static void ready_from_the_start(void **state)
{
	struct drm_pddgpu_memory_stats stats;
	struct pdt_state *s = *state;
	uint64_t granted;

	assert_string_equal(health_words(NULL, "state"), "READY");
	assert_all_ready();
	for (size_t i = 0; i < PDT_ARRAY_SIZE(managers); i++) {
		const struct manager *m = &managers[i];

		granted = health(m, "allocations");
		assert_ok(one_page(s->fd, m->domain));
		assert_u64(health(m, "allocations"), granted + 1);
		assert_true(pdt_level_wait(s->fd, &s->before));
	}
	assert_ok(pdt_stats(s->fd, &stats));
	assert_u64(health(VRAM, "used_size"), stats.vram_used);
	assert_u64(health(VRAM, "total_size"), stats.vram_total);
	assert_u64(health(GTT, "used_size"), stats.gtt_used);
	assert_u64(health(GTT, "total_size"), stats.gtt_total);
}

static const struct fault {
	const char *name;
	/* A word of the cause */
	const char *word;
	enum { BY_ALLOC, BY_FREE, BY_CHECK } noticed;
	bool gtt_by_check;
} faults[] = {
	{ "lost", "", BY_ALLOC, true },
	{ "account", "in use", BY_ALLOC, false },
	{ "account", "in use", BY_FREE, false },
	{ "account", "", BY_CHECK, false },
	{ "free", "when one was freed", BY_FREE, false },
	{ "alloc", "the allocator said", BY_ALLOC, false },
	{ "lost", "", BY_CHECK, false },
};

/* Bring an error about and see it noticed in the way it should be. */
static void spoil(struct pdt_state *s, const struct manager *m, const struct fault *fault)
{
	bool by_check = fault->noticed == BY_CHECK || (m == GTT && fault->gtt_by_check);
	uint32_t handle;

	assert_ok(pdt_create(s->fd, PDT_PAGE, m->domain, 0, &handle));
	inject(m, fault->name);
	assert_state(m, "READY");
	if (by_check) {
		assert_err(EIO, pdt_debugfs_write("check", m->name));
		assert_ok(pdt_destroy(s->fd, handle));
	} else if (fault->noticed == BY_ALLOC) {
		assert_err(EIO, one_page(s->fd, m->domain));
		assert_ok(pdt_destroy(s->fd, handle));
	} else {
		assert_ok(pdt_destroy(s->fd, handle));
	}
	assert_true(wait_for(m, "healthy", 0));
}

static void use_in_error(struct pdt_state *s, const struct manager *m, struct pdt_buffer *bufs)
{
	struct drm_pddgpu_submit_op op;
	struct pdt_buffer buf;
	uint32_t now;

	/* Nothing is given out, neither to new buffers nor to those that move. */
	assert_err(EIO, one_page(s->fd, m->domain));
	assert_ok(pdt_buffer_create(s->fd, &buf, PDT_MIB, m->domain | m->other, 0));
	pdt_buffer_fill(&buf, 3);
	assert_int_equal(pdt_domain(s->fd, buf.handle), m->other);
	assert_err(EIO, pdt_set_domain(s->fd, buf.handle, m->domain, &now));
	assert_ok(pdt_set_domain(s->fd, buf.handle, m->domain | m->other, &now));
	assert_int_equal(now, m->other);
	assert_ok(pdt_buffer_check(&buf));
	pdt_buffer_destroy(s->fd, &buf);

	/* What is there works: the CPU, jobs, sharing, going elsewhere. */
	check(bufs);
	for (size_t i = 0; i < BUFFERS; i++) {
		op = pdt_fill(bufs[i].handle, PDT_PAGE, PDT_PAGE, 0x22222222);
		assert_ok(pdt_submit(s->fd, &op, 1));
		assert_ok(pdt_wait_idle(s->fd, bufs[i].handle, 10000));
		pdt_buffer_fill(&bufs[i], 600 + i);
	}
	if (m == VRAM) {
		assert_ok(pdt_set_domain(s->fd, bufs[1].handle, PDT_GTT, &now));
		assert_int_equal(now, PDT_GTT);
	}
	check(bufs);
}

/* Each error of each manager, and back to what it was. */
static void error_and_back(struct pdt_state *s, const struct manager *m,
			   const struct fault *fault)
{
	uint64_t errors = health(m, "errors"), recoveries = health(m, "recoveries");
	const struct manager *other = m == VRAM ? GTT : VRAM;
	struct pdt_buffer bufs[BUFFERS];

	pdt_log_restart(&s->log);
	make(s, bufs);
	spoil(s, m, fault);
	assert_state(m, "ERROR");
	assert_state(other, "READY");
	assert_u64(health(NULL, "healthy"), 0);
	assert_string_equal(health_words(NULL, "state"), "READY");
	assert_true(health(m, "errors") > errors);
	assert_true(health(m, "cause_at_ms") > 0);
	assert_true(strlen(health_words(m, "cause")) > 5);
	assert_non_null(strstr(health_words(m, "cause"), fault->word));
	assert_true(pdt_log_wait(&s->log, m->log));
	assert_true(pdt_log_wait(&s->log, "in ERROR: "));

	use_in_error(s, m, bufs);
	assert_state(m, "ERROR");
	assert_ok(pdt_debugfs_write("recover", m->name));
	assert_all_ready();
	assert_true(pdt_log_wait(&s->log, "recovered"));
	assert_u64(health(m, "recoveries"), recoveries + 1);
	assert_true(health(m, "error_ms") > 0);

	check(bufs);
	assert_ok(one_page(s->fd, m->domain));
	destroy(s, bufs);
	assert_all_ready();
	assert_u64(health(m, "buffers"), 0);
}

static void errors_of_vram(void **state)
{
	for (size_t i = 0; i < PDT_ARRAY_SIZE(faults); i++)
		error_and_back(*state, VRAM, &faults[i]);
}

static void errors_of_gtt(void **state)
{
	for (size_t i = 0; i < PDT_ARRAY_SIZE(faults); i++)
		error_and_back(*state, GTT, &faults[i]);
}

/* As many pages as fit, in one buffer after the other */
static uint64_t fill_vram(int fd, uint32_t *handles, size_t max, size_t *count)
{
	uint64_t size = 32 * PDT_MIB, bytes = 0;

	*count = 0;
	while (size >= PDT_PAGE && *count < max) {
		if (pdt_create(fd, size, PDT_VRAM, 0, &handles[*count])) {
			size /= 2;
			continue;
		}
		(*count)++;
		bytes += size;
	}
	return bytes;
}

/*
 * Recovered again and again, with buffers from before each time: nobody's place is
 * given to another, none is missing, and addresses stay.
 */
static void places_are_kept(void **state)
{
	struct drm_pddgpu_gem_info before[BUFFERS], after;
	struct pdt_buffer bufs[BUFFERS], more[3];
	struct pdt_state *s = *state;
	uint32_t handles[600];
	uint64_t fit;
	size_t count;

	make(s, bufs);
	fit = fill_vram(s->fd, handles, PDT_ARRAY_SIZE(handles), &count);
	for (size_t i = 0; i < count; i++)
		assert_ok(pdt_destroy(s->fd, handles[i]));
	for (size_t i = 0; i < BUFFERS; i++)
		assert_ok(pdt_info(s->fd, bufs[i].handle, &before[i]));

	for (size_t round = 0; round < PDT_ARRAY_SIZE(more); round++) {
		inject(VRAM, "lost");
		assert_err(EIO, pdt_debugfs_write("check", "vram"));
		inject(GTT, "lost");
		assert_err(EIO, pdt_debugfs_write("check", "gtt"));
		assert_ok(pdt_debugfs_write("recover", "device"));
		assert_all_ready();
		assert_ok(pdt_buffer_create(s->fd, &more[round], 3 * PDT_MIB, PDT_VRAM, 0));
		assert_int_equal(pdt_zero_check(more[round].map, more[round].size), -1);
		pdt_buffer_fill(&more[round], round);
		/* Half of the old ones go, so that records of every age are mixed. */
		if (round == 1)
			pdt_buffer_destroy(s->fd, &more[0]);
	}
	pdt_buffer_destroy(s->fd, &more[1]);
	assert_ok(pdt_buffer_check(&more[2]));
	pdt_buffer_destroy(s->fd, &more[2]);
	for (size_t i = 0; i < BUFFERS; i++) {
		assert_ok(pdt_info(s->fd, bufs[i].handle, &after));
		assert_u64(after.offset, before[i].offset);
	}
	assert_u64(fill_vram(s->fd, handles, PDT_ARRAY_SIZE(handles), &count), fit);
	check(bufs);
	for (size_t i = 0; i < count; i++)
		assert_ok(pdt_destroy(s->fd, handles[i]));
	destroy(s, bufs);
	assert_all_ready();
}

static void recovers_by_itself(void **state)
{
	struct pdt_state *s = *state;
	char delay[16];

	assert_ok(pdt_debugfs_write("recover_count", "20"));
	assert_ok(pdt_debugfs_write("recover_delay", "50"));
	/* A second altogether, or however long a recovery takes here */
	snprintf(delay, sizeof(delay), "%u", 10 * pdt_slow());
	assert_ok(pdt_debugfs_write("vram_retry_count", "100"));
	assert_ok(pdt_debugfs_write("vram_retry_delay", delay));
	assert_ok(pdt_debugfs_write("gtt_retry_count", "100"));
	assert_ok(pdt_debugfs_write("gtt_retry_delay", delay));
	for (size_t i = 0; i < PDT_ARRAY_SIZE(managers); i++) {
		const struct manager *m = &managers[i];
		uint64_t retries = health(m, "retries"), helped = health(m, "retries_helped");

		/* Worth waiting for: it is about to come. Who asks late finds it there. */
		for (int j = 0; j < 20 && health(m, "retries") == retries; j++) {
			inject(m, "account");
			assert_ok(one_page(s->fd, m->domain));
			assert_state(m, "READY");
		}
		assert_true(health(m, "retries") > retries);
		assert_u64(health(m, "retries_helped"), helped + 1);
	}
	assert_all_ready();
}

/* So often and no oftener; then it waits for somebody who tells it to. */
static void recovery_that_fails(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer bufs[BUFFERS];

	make(s, bufs);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(managers); i++) {
		const struct manager *m = &managers[i];
		uint64_t failed = health(m, "recoveries_failed"), retries;
		uint64_t begun = pdt_now_ms();

		assert_ok(pdt_debugfs_write("recover_count", "2"));
		assert_ok(pdt_debugfs_write("recover_delay", "100"));
		for (int j = 0; j < 3; j++)
			inject(m, "recover");
		inject(m, "account");
		assert_err(EIO, pdt_debugfs_write("check", m->name));
		assert_u64(health(m, "recovering"), 1);
		assert_true(wait_for(m, "recoveries_failed", failed + 2));
		/* After 100 and 200 ms; timers come late, never soon. */
		assert_true(pdt_now_ms() - begun >= 295);
		pdt_sleep_ms(600);
		assert_state(m, "ERROR");
		assert_u64(health(m, "recovering"), 0);
		assert_u64(health(m, "recoveries_failed"), failed + 2);

		/* Nobody waits for what will not come. */
		retries = health(m, "retries");
		assert_err(EIO, one_page(s->fd, m->domain));
		assert_u64(health(m, "retries"), retries);

		assert_err(ENOMEM, pdt_debugfs_write("recover", m->name));
		assert_state(m, "ERROR");
		assert_u64(health(m, "recoveries_failed"), failed + 3);
		assert_ok(pdt_debugfs_write("recover", m->name));
		assert_all_ready();
	}
	check(bufs);
	destroy(s, bufs);
}

/* With an error, buffers and open files: everything goes, and the card comes back. */
static void shut_down_in_error(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer bufs[BUFFERS];
	char device[64];

	snprintf(device, sizeof(device), "%s", pdt_pci_name());
	for (int round = 0; round < 3; round++) {
		int fd = pdt_open(), file;

		assert_true(fd >= 0);
		s->fd = fd;
		make(s, bufs);
		if (round == 2) {
			/* Records of two ages, then */
			inject(VRAM, "lost");
			assert_err(EIO, pdt_debugfs_write("check", "device"));
			assert_ok(pdt_debugfs_write("recover", "device"));
		}
		inject(VRAM, round ? "lost" : "account");
		inject(GTT, round ? "lost" : "account");
		assert_err(EIO, pdt_debugfs_write("check", "device"));
		assert_state(VRAM, "ERROR");
		file = open(pdt_debugfs_path("recover"), O_WRONLY | O_CLOEXEC);
		assert_true(file >= 0);
		assert_ok(pdt_file_write("/sys/bus/pci/drivers/pddgpu/unbind", device));
		assert_err(ENODEV, one_page(fd, PDT_VRAM));
		assert_err(ENODEV, one_page(fd, PDT_GTT));
		assert_true(write(file, "vram", 4) < 0);
		close(file);
		for (size_t i = 0; i < BUFFERS; i++)
			munmap(bufs[i].map, bufs[i].size);
		close(fd);
		assert_ok(pdt_file_write("/sys/bus/pci/drivers/pddgpu/bind", device));
		assert_ok(pdt_wait_for_card());
		assert_all_ready();
		assert_u64(health(VRAM, "errors"), 0);
		assert_u64(health(GTT, "recoveries"), 0);
		assert_string_equal(health_words(VRAM, "cause"), "-");
		assert_ok(pdt_debugfs_write("recover_count", "0"));
	}
}

/* What was to come and is taken back does not come. */
static void taken_back(void **state)
{
	static const char *const kinds[] = { "free", "alloc", "recover" };
	struct pdt_state *s = *state;

	for (size_t i = 0; i < PDT_ARRAY_SIZE(managers); i++) {
		const struct manager *m = &managers[i];

		for (size_t j = 0; j < PDT_ARRAY_SIZE(kinds); j++)
			inject(m, kinds[j]);
		inject(m, "off");
		assert_ok(one_page(s->fd, m->domain));
		assert_true(pdt_level_wait(s->fd, &s->before));
		assert_state(m, "READY");
		inject(m, "account");
		assert_err(EIO, pdt_debugfs_write("check", m->name));
		assert_ok(pdt_debugfs_write("recover", m->name));
	}
	assert_all_ready();
}

static void rubbish(void **state)
{
	static const char *const words[] = {
		"", "\n", "v", "vramx", "VRAM", " vram", "vram ", "vram gtt", "1",
		"vram\ngtt", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};
	static const char *const kinds[] = {
		"", "\n", "vram", "vram ", "lost", "vram lost ", "vram  lost", "cpu lost",
		"device lost", "vram lose", "gtt lost x", "vram 1",
	};
	static const char *const files[] = { "check", "recover", "inject_error" };
	const void *volatile nowhere = (const void *)8;
	char nul[] = "vram\0lost";
	int fd;

	(void)state;
	for (size_t i = 0; i < PDT_ARRAY_SIZE(files); i++) {
		/* Nothing to be written is not even a call. */
		for (size_t j = 1; i < 2 && j < PDT_ARRAY_SIZE(words); j++)
			assert_err(EINVAL, pdt_debugfs_write(files[i], words[j]));
		for (size_t j = 1; i == 2 && j < PDT_ARRAY_SIZE(kinds); j++)
			assert_err(EINVAL, pdt_debugfs_write(files[i], kinds[j]));
		fd = open(pdt_debugfs_path(files[i]), O_WRONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_true(write(fd, nul, sizeof(nul) - 1) < 0 && errno == EINVAL);
		assert_true(write(fd, nowhere, 4) < 0 && errno == EFAULT);
		close(fd);
		assert_true(open(pdt_debugfs_path(files[i]), O_RDONLY) < 0 && errno == EACCES);
	}
	assert_true(open(pdt_debugfs_path("health"), O_WRONLY) < 0 && errno == EACCES);
	assert_ok(pdt_debugfs_write("recover", "vram\n"));
	assert_ok(pdt_debugfs_write("check", "gtt\n"));
	assert_all_ready();
}

#define health_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		health_test(ready_from_the_start),
		health_test(errors_of_vram),
		health_test(errors_of_gtt),
		health_test(places_are_kept),
		health_test(recovers_by_itself),
		health_test(recovery_that_fails),
		health_test(taken_back),
		health_test(rubbish),
		health_test(shut_down_in_error),
	};

	return pdt_run_tests("health", tests);
}
