// SPDX-License-Identifier: MIT
/* Labels of buffers, and gem_info, which shows them by client. */
#include "pdt.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Clients that are a few, and a crowd */
#define FEW		100
#define CROWD		5000

/* What gem_info says of a buffer */
struct line {
	unsigned int handle;
	unsigned long long size;
	char domain[8];
	char state[8];
	unsigned long long age;
	char label[300];
};

/* A buffer's line by its size and by its number among those; false: there is none */
static bool find_line(uint64_t size, unsigned int number, struct line *line)
{
	char *text = pdt_debugfs_read("gem_info");
	bool found = false;

	for (char *at = text; at && !found; at = strchr(at, '\n')) {
		at += *at == '\n';
		found = sscanf(at, "\t%x: %llu byte %7s %7s age_ms %llu label %299s\n",
			       &line->handle, &line->size, line->domain, line->state, &line->age,
			       line->label) == 6 &&
			line->size == size && !number--;
	}
	free(text);
	return found;
}

static void assert_label(uint64_t size, const char *label)
{
	struct line line;

	assert_true(find_line(size, 0, &line));
	assert_string_equal(line.label, label);
}

/* The same in leak_objects, where it is the last column but one */
static void assert_leak_label(uint64_t size, const char *label)
{
	char *text = pdt_debugfs_read("leak_objects"), word[300];
	unsigned long long is;
	bool found = false;

	assert_non_null(text);
	for (char *at = text; at && !found; at = strchr(at, '\n')) {
		at += *at == '\n';
		found = sscanf(at, "%*u %llu %*s %*s %*d %*s %299s ", &is, word) == 2 &&
			is == size;
	}
	free(text);
	assert_true(found);
	assert_string_equal(word, label);
}

static void set_and_shown(void **state)
{
	struct pdt_state *s = *state;
	uint64_t size = 31 * PDT_PAGE;
	struct line line;
	uint32_t handle;

	assert_ok(pdt_debugfs_write("leak_suspicious_age", "1"));
	assert_ok(pdt_create(s->fd, size, PDT_VRAM, 0, &handle));
	pdt_sleep_ms(5);
	assert_label(size, "-");
	assert_leak_label(size, "-");
	assert_ok(pdt_set_label(s->fd, handle, "vertex buffer"));
	assert_label(size, "vertex\\040buffer");
	assert_leak_label(size, "vertex\\040buffer");
	assert_true(find_line(size, 0, &line));
	assert_int_equal(line.handle, handle);
	assert_string_equal(line.domain, "VRAM");
	assert_string_equal(line.state, "LIVE");
	assert_true(line.age >= 1 && line.age < 600000);

	assert_ok(pdt_set_domain(s->fd, handle, PDT_CPU, NULL));
	assert_ok(pdt_set_label(s->fd, handle, "x"));
	assert_label(size, "x");
	assert_true(find_line(size, 0, &line));
	assert_string_equal(line.domain, "CPU");
	assert_ok(pdt_set_label(s->fd, handle, ""));
	assert_label(size, "-");
	assert_leak_label(size, "-");
	assert_ok(pdt_set_label(s->fd, handle, "again"));
	assert_ok(pdt_set_label(s->fd, handle, NULL));
	assert_label(size, "-");
	assert_leak_label(size, "-");
	assert_ok(pdt_set_label(s->fd, handle, "to the end"));
	assert_ok(pdt_destroy(s->fd, handle));
	assert_false(find_line(size, 0, &line));
	assert_ok(pdt_settings_restore());
}

/* Any byte is shown, and no label is taken for what it is not. */
static void hostile_bytes(void **state)
{
	static const struct {
		const char *label, *shown, *leak;
	} cases[] = {
		{ "a b\n1 2 VRAM", "a\\040b\\0121\\0402\\040VRAM", NULL },
		{ "\\040", "\\134040", NULL },
		{ "-", "\\055", NULL },
		{ "--", "--", NULL },
		{ "imported", "imported", "\\151mported" },
		{ "kernel", "kernel", "\\153ernel" },
		{ "%s%n%p", "%s%n%p", NULL },
		{ "\001\177\200\377", "\\001\\177\\200\\377", NULL },
		{ "\t\r\v", "\\011\\015\\013", NULL },
		{ "\xc3\xa4", "\\303\\244", NULL },
	};
	struct pdt_state *s = *state;
	uint64_t size = 33 * PDT_PAGE;
	char longest[PDDGPU_LABEL_MAX], shown[4 * PDDGPU_LABEL_MAX];
	uint32_t handle;

	assert_ok(pdt_debugfs_write("leak_suspicious_age", "1"));
	assert_ok(pdt_create(s->fd, size, PDT_GTT, 0, &handle));
	pdt_sleep_ms(5);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(cases); i++) {
		assert_ok(pdt_set_label(s->fd, handle, cases[i].label));
		assert_label(size, cases[i].shown);
		assert_leak_label(size, cases[i].leak ?: cases[i].shown);
	}
	memset(longest, '\n', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	for (size_t i = 0; i < sizeof(longest) - 1; i++)
		memcpy(shown + 4 * i, "\\012", 5);
	assert_ok(pdt_set_label(s->fd, handle, longest));
	assert_label(size, shown);
	assert_leak_label(size, shown);
	assert_ok(pdt_settings_restore());
}

/* Refused, and the old one stays. */
static void refused(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_gem_set_label args;
	uint64_t size = 35 * PDT_PAGE;
	char text[2 * PDDGPU_LABEL_MAX];
	char *edge = mmap(NULL, 2 * PDT_PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t handle;

	assert_ptr_not_equal(edge, MAP_FAILED);
	assert_int_equal(munmap(edge + PDT_PAGE, PDT_PAGE), 0);
	assert_ok(pdt_create(s->fd, size, PDT_GTT, 0, &handle));
	assert_ok(pdt_set_label(s->fd, handle, "stays"));

	memset(text, 'x', sizeof(text));
	for (size_t len = PDDGPU_LABEL_MAX; len < sizeof(text); len += 21) {
		text[len] = '\0';
		assert_err(EINVAL, pdt_set_label(s->fd, handle, text));
		text[len] = 'x';
	}
	args = (struct drm_pddgpu_gem_set_label) { handle, 1, (uintptr_t)"padded" };
	assert_err(EINVAL, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_GEM_SET_LABEL, &args));
	args = (struct drm_pddgpu_gem_set_label) { handle, 0, 8 };
	assert_err(EFAULT, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_GEM_SET_LABEL, &args));
	args.label = -4096ULL;
	assert_err(EFAULT, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_GEM_SET_LABEL, &args));
	args.label = 0xffff888000000000;
	assert_err(EFAULT, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_GEM_SET_LABEL, &args));
	assert_err(ENOENT, pdt_set_label(s->fd, handle + 1, "nobody's"));

	/* Memory ends before the string does; or just behind it */
	memset(edge + PDT_PAGE - 5, 'e', 5);
	assert_err(EFAULT, pdt_set_label(s->fd, handle, edge + PDT_PAGE - 5));
	assert_label(size, "stays");
	edge[PDT_PAGE - 1] = '\0';
	assert_ok(pdt_set_label(s->fd, handle, edge + PDT_PAGE - 5));
	assert_label(size, "eeee");
	text[PDDGPU_LABEL_MAX - 1] = '\0';
	assert_ok(pdt_set_label(s->fd, handle, text));
	assert_label(size, text);
	munmap(edge, PDT_PAGE);
}

/* No memory for it, once for each allocation: it is called as before. */
static void without_memory(void **state)
{
	struct pdt_state *s = *state;
	uint64_t size = 41 * PDT_PAGE;
	unsigned int n = 0;
	uint32_t handle;
	bool failed;
	int rc;

	pdt_need_injection();
	assert_ok(pdt_create(s->fd, size, PDT_VRAM, 0, &handle));
	assert_ok(pdt_set_label(s->fd, handle, "before"));
	do {
		assert_ok(pdt_fail_nth(++n));
		rc = pdt_set_label(s->fd, handle, "after");
		failed = pdt_failed_one();
		assert_ok(pdt_fail_nth(0));
		assert_true(!rc || (failed && (rc == -ENOMEM || rc == -EFAULT)));
		assert_label(size, rc ? "before" : "after");
		assert_true(!rc || n < 100);
	} while (failed);
	assert_true(n > 1);
	/* To take it away needs none */
	assert_ok(pdt_fail_nth(1));
	rc = pdt_set_label(s->fd, handle, NULL);
	pdt_failed_one();
	assert_ok(pdt_fail_nth(0));
	assert_true(!rc || rc == -EFAULT);
}

/* The buffer's, not the handle's: whoever shares it, sets it */
static void shared_by_two(void **state)
{
	struct pdt_state *s = *state;
	uint64_t size = 37 * PDT_PAGE;
	int other = pdt_open(), dmabuf;
	struct line line;
	uint32_t mine, theirs;

	assert_true(other >= 0);
	assert_ok(pdt_create(s->fd, size, PDT_GTT, 0, &mine));
	assert_ok(pdt_export(s->fd, mine, &dmabuf));
	assert_ok(pdt_import(other, dmabuf, &theirs));
	close(dmabuf);
	assert_ok(pdt_set_label(s->fd, mine, "mine"));
	assert_ok(pdt_set_label(other, theirs, "theirs"));
	for (unsigned int i = 0; i < 2; i++) {
		assert_true(find_line(size, i, &line));
		assert_string_equal(line.label, "theirs");
	}
	assert_false(find_line(size, 2, &line));
	close(other);
	assert_label(size, "theirs");
	assert_false(find_line(size, 1, &line));
}

static int leave_dmabuf(void *arg)
{
	int sock = *(int *)arg, fd = pdt_open(), dmabuf;
	uint32_t handle;

	child_check(fd >= 0);
	child_check(!pdt_create(fd, 39 * PDT_PAGE, PDT_BOTH, 0, &handle));
	child_check(!pdt_set_label(fd, handle, "left behind"));
	child_check(!pdt_export(fd, handle, &dmabuf));
	child_check(!pdt_send_fd(sock, dmabuf));
	return 0;
}

/* It tells what is left of a process that has exited. */
static void outlives_its_process(void **state)
{
	struct pdt_state *s = *state;
	struct line line;
	int ends[2], dmabuf;
	pid_t pid;

	assert_ok(pdt_debugfs_write("leak_suspicious_age", "1"));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	pid = pdt_fork(leave_dmabuf, &ends[1]);
	dmabuf = pdt_receive_fd(ends[0]);
	assert_true(dmabuf >= 0);
	assert_int_equal(pdt_wait(pid), 0);
	pdt_sleep_ms(5);
	assert_leak_label(39 * PDT_PAGE, "left\\040behind");
	assert_false(find_line(39 * PDT_PAGE, 0, &line));
	close(dmabuf);
	close(ends[0]);
	close(ends[1]);
	assert_true(pdt_level_wait(s->fd, &s->before));
	assert_ok(pdt_settings_restore());
}

struct race {
	int fd;
	uint32_t handle;
	volatile bool stop;
};

/* Two who set it, one who makes it go with the buffer, one who reads */
static int race(void *arg, unsigned int index)
{
	static const char *const labels[] = { "one two one two", "six-six-six-six-six-six" };
	struct race *race = arg;
	uint32_t handle;
	char *text;

	for (unsigned int i = 0; index == 0 && i < 100; i++) {
		text = pdt_debugfs_read(i % 2 ? "gem_info" : "leak_objects");
		child_check(text);
		/* Whole, and nothing else */
		for (char *at = text; (at = strstr(at, "one")); at += 24)
			child_check(!strncmp(at, "one\\040two\\040one\\040two", 24));
		for (char *at = text; (at = strstr(at, "six")); at += 23)
			child_check(!strncmp(at, labels[1], 23));
		free(text);
	}
	if (index == 0)
		race->stop = true;
	while (!race->stop) {
		if (index < 3) {
			child_check(!pdt_set_label(race->fd, race->handle, labels[index - 1]));
		} else {
			child_check(!pdt_create(race->fd, PDT_PAGE, PDT_CPU, 0, &handle));
			child_check(!pdt_set_label(race->fd, handle, labels[0]));
			child_check(!pdt_destroy(race->fd, handle));
		}
	}
	return 0;
}

static void set_by_two_and_read(void **state)
{
	struct pdt_state *s = *state;
	struct race shared = { .fd = s->fd };

	assert_ok(pdt_debugfs_write("leak_suspicious_age", "1"));
	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &shared.handle));
	assert_int_equal(pdt_threads(4, race, &shared), 0);
	assert_ok(pdt_settings_restore());
}

/* The line of a client; its buffers follow it. */
static void by_client(void **state)
{
	int other = pdt_open();
	unsigned long long first, second;
	char *text, *at, name[64];
	uint32_t handle;
	int pid;

	(void)state;
	assert_true(other >= 0);
	assert_ok(pdt_create(other, PDT_PAGE, PDT_VRAM, 0, &handle));
	assert_ok(prctl(PR_SET_NAME, "a b\n"));
	text = pdt_debugfs_read("gem_info");
	assert_ok(prctl(PR_SET_NAME, "test_label"));
	assert_non_null(text);
	/* The oldest first: the test's own file, without buffers, then the other */
	assert_int_equal(sscanf(text, "pid %d command %63s client %llu:\n", &pid, name, &first), 3);
	assert_int_equal(pid, getpid());
	assert_string_equal(name, "a\\040b\\012");
	at = strchr(text, '\n') + 1;
	assert_int_equal(sscanf(at, "pid %d command %63s client %llu:\n", &pid, name, &second), 3);
	assert_true(second > first);
	at = strchr(at, '\n') + 1;
	assert_int_equal(strncmp(at, "\t0x00000001:         4096 byte VRAM LIVE ", 41), 0);
	assert_string_equal(strchr(at, '\n'), "\n");
	free(text);
	assert_int_equal(open(pdt_debugfs_path("gem_info"), O_RDWR | O_CLOEXEC), -1);
	assert_int_equal(errno, EACCES);
	close(other);
}

/* More files and handles than are read in one go, some of which go meanwhile */
static void many(void **state)
{
	struct pdt_state *s = *state;
	unsigned int clients = 0, buffers = 0;
	int fd[150], file;
	char *text, part[4096];
	uint32_t handle;

	for (size_t i = 0; i < PDT_ARRAY_SIZE(fd); i++) {
		fd[i] = pdt_open();
		assert_true(fd[i] >= 0);
		for (size_t b = 0; b < i % 5 * 20; b++)
			assert_ok(pdt_create(fd[i], PDT_PAGE, PDT_CPU, 0, &handle));
	}
	text = pdt_debugfs_read("gem_info");
	assert_non_null(text);
	for (char *at = text; *at; at = strchr(at, '\n') + 1) {
		if (*at == '\t')
			buffers++;
		else
			clients++;
	}
	free(text);
	assert_int_equal(clients, PDT_ARRAY_SIZE(fd) + 1);
	assert_int_equal(buffers, PDT_ARRAY_SIZE(fd) / 5 * (0 + 20 + 40 + 60 + 80));

	file = open(pdt_debugfs_path("gem_info"), O_RDONLY | O_CLOEXEC);
	assert_true(file >= 0);
	assert_true(read(file, part, sizeof(part)) > 0);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(fd); i++)
		close(fd[i]);
	while (read(file, part, sizeof(part)) > 0)
		;
	close(file);
	assert_true(pdt_level_wait(s->fd, &s->before));
}

/* What all lines take at best, ns; @clients: how many there should be */
static uint64_t lines_cost(unsigned int clients)
{
	static char part[1 << 16];
	uint64_t best = UINT64_MAX, took;
	struct timespec begin, end;
	unsigned int lines;
	ssize_t got;
	int file;

	for (unsigned int i = 0; i < 7; i++) {
		file = open(pdt_debugfs_path("gem_info"), O_RDONLY | O_CLOEXEC);
		assert_true(file >= 0);
		lines = 0;
		clock_gettime(CLOCK_MONOTONIC, &begin);
		while ((got = read(file, part, sizeof(part))) > 0) {
			for (ssize_t at = 0; at < got; at++)
				lines += part[at] == '\n';
		}
		clock_gettime(CLOCK_MONOTONIC, &end);
		close(file);
		assert_int_equal(lines, clients);
		took = (end.tv_sec - begin.tv_sec) * 1000000000ULL + end.tv_nsec - begin.tv_nsec;
		if (took < best)
			best = took;
	}
	return best;
}

/* Each of many clients has its line; what that takes is said, and for the eye. */
static void crowd(void **state)
{
	const struct rlimit limit = { 2 * CROWD, 2 * CROWD };
	const unsigned int clients = pdt_many(CROWD);
	struct pdt_state *s = *state;
	uint64_t few = 0, many;
	static int fd[CROWD];

	assert_ok(setrlimit(RLIMIT_NOFILE, &limit));
	for (size_t i = 0; i < clients; i++) {
		if (i == FEW)
			few = lines_cost(FEW + 1) / (FEW + 1);
		fd[i] = pdt_open();
		assert_true(fd[i] >= 0);
	}
	many = lines_cost(clients + 1) / (clients + 1);
	printf("# a line of gem_info: %llu ns of %d, %llu ns of %u\n", (unsigned long long)few,
	       FEW, (unsigned long long)many, clients);
	for (size_t i = 0; i < clients; i++)
		close(fd[i]);
	assert_true(pdt_level_wait(s->fd, &s->before));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(set_and_shown),
		pdt_test(hostile_bytes),
		pdt_test(refused),
		pdt_test(without_memory),
		pdt_test(shared_by_two),
		pdt_test(outlives_its_process),
		pdt_test(set_by_two_and_read),
		pdt_test(by_client),
		pdt_test(many),
		pdt_test(crowd),
	};

	return pdt_run_tests("label", tests);
}
