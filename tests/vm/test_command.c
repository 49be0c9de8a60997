// SPDX-License-Identifier: MIT
/* The pddgpu command on a real driver: what it says is what there is */
#include "pdt.h"

#include <ctype.h>
#include <fcntl.h>
#include <jansson.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define USER		1000
#define ARGS_MAX	8
#define OUT_MAX		(4 << 20)

/* What a process is called that wants to be mistaken for something else */
#define ODD_NAME	"\033[31m\n\xff,\"x"

/**
 * struct said - how the command ended
 */
struct said {
	char *out;
	char err[4096];
	int rc;
	/* To be a user, or without debugfs */
	bool user, no_debugfs;
};

static void be_as_asked(const struct said *said)
{
	if (said->no_debugfs && (unshare(CLONE_NEWNS) ||
				 mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
				 umount2("/sys/kernel/debug", MNT_DETACH)))
		_exit(120);
	if (said->user && pdt_become_user(USER))
		_exit(121);
}

static size_t read_all(int fd, char *to, size_t room)
{
	size_t length = 0;
	ssize_t got;

	while (length + 1 < room && (got = read(fd, to + length, room - 1 - length)) > 0)
		length += (size_t)got;
	to[length] = '\0';
	close(fd);
	return length;
}

/* Runs it with the words of a line, and waits */
static void command(struct said *said, const char *line)
{
	char *words = strdup(line), *rest = words, *argv[ARGS_MAX + 2] = { NULL };
	FILE *err = tmpfile();
	int out[2], status, i = 0;
	pid_t pid;

	assert_non_null(words);
	assert_non_null(err);
	argv[i++] = (char *)"pddgpu";
	while (i <= ARGS_MAX && (argv[i] = strsep(&rest, " ")))
		i++;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		be_as_asked(said);
		dup2(out[1], STDOUT_FILENO);
		dup2(fileno(err), STDERR_FILENO);
		execv("./pddgpu", argv);
		_exit(122);
	}
	close(out[1]);
	if (!said->out)
		said->out = malloc(OUT_MAX);
	assert_non_null(said->out);
	read_all(out[0], said->out, OUT_MAX);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	said->rc = WEXITSTATUS(status);
	rewind(err);
	said->err[fread(said->err, 1, sizeof(said->err) - 1, err)] = '\0';
	fclose(err);
	free(words);
}

static void harmless(const char *text)
{
	for (; *text; text++)
		assert_true(*text == '\n' || (*text >= ' ' && *text < 0x7f));
}

static json_t *document(struct said *said, const char *line, const char *schema)
{
	json_error_t error;
	json_t *json;

	command(said, line);
	if (said->rc)
		fail_msg("pddgpu %s: %d, %s", line, said->rc, said->err);
	json = json_loads(said->out, 0, &error);
	if (!json)
		fail_msg("pddgpu %s: %s", line, error.text);
	assert_string_equal(json_string_value(json_object_get(json, "schema")), schema);
	return json;
}

static json_t *first_card(json_t *json)
{
	return json_array_get(json_object_get(json, "devices"), 0);
}

static uint64_t figure(const json_t *json, const char *region, const char *name)
{
	if (region)
		json = json_object_get(json, region);
	assert_true(json_is_integer(json_object_get(json, name)));
	return (uint64_t)json_integer_value(json_object_get(json, name));
}

static json_t *process(json_t *card, pid_t pid)
{
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(card, "processes"), i, one)
		if (json_integer_value(json_object_get(one, "pid")) == pid)
			return one;
	return NULL;
}

static void assert_exact(json_t *card)
{
	static const char *const regions[] = { "vram", "gtt", "cpu" };
	json_t *one;
	size_t i, j;

	assert_true(json_is_true(json_object_get(card, "processes_exact")));
	for (i = 0; i < 3; i++) {
		uint64_t sum = figure(card, regions[i], "kernel");

		assert_u64(figure(card, regions[i], "used"),
			   figure(card, regions[i], "live") + figure(card, regions[i], "orphan") +
			   figure(card, regions[i], "zombie") + figure(card, regions[i], "kernel"));
		json_array_foreach(json_object_get(card, "processes"), j, one)
			sum += figure(one, regions[i], "used");
		assert_u64(sum, figure(card, regions[i], "used"));
	}
}

static void status_is_exact(void **state)
{
	struct pdt_state *s = *state;
	struct said said = { 0 };
	struct drm_pddgpu_memory_stats stats;
	uint32_t vram, gtt, shared;
	json_t *json, *card, *own;
	int dmabuf;

	assert_ok(pdt_create(s->fd, 8 * PDT_MIB, PDT_VRAM, 0, &vram));
	assert_ok(pdt_create(s->fd, 3 * PDT_MIB, PDT_GTT, 0, &gtt));
	assert_ok(pdt_create(s->fd, 2 * PDT_MIB + PDT_PAGE, PDT_VRAM, 0, &shared));
	assert_ok(pdt_export(s->fd, shared, &dmabuf));
	assert_ok(pdt_destroy(s->fd, shared));

	json = document(&said, "status --json", "pddgpu.status/1");
	card = first_card(json);
	assert_exact(card);
	assert_ok(pdt_stats(s->fd, &stats));
	assert_u64(figure(card, "vram", "used"), stats.vram_used);
	assert_u64(figure(card, "vram", "total"), stats.vram_total);
	assert_u64(figure(card, "gtt", "used"), stats.gtt_used);
	assert_u64(figure(card, "vram", "kernel"), stats.kernel_bytes);
	assert_string_equal(json_string_value(json_object_get(card, "state")), "ready");
	assert_u64(figure(card, "health", "device_healthy"), 1);

	own = process(card, getpid());
	assert_non_null(own);
	assert_u64(figure(own, "vram", "live"), 8 * PDT_MIB);
	assert_u64(figure(own, "vram", "orphan"), 2 * PDT_MIB + PDT_PAGE);
	assert_u64(figure(own, "gtt", "used"), 3 * PDT_MIB);
	assert_u64(figure(own, NULL, "objects"), 3);
	assert_false(json_is_true(json_object_get(own, "exited")));
	json_decref(json);

	command(&said, "status");
	assert_int_equal(said.rc, 0);
	assert_string_equal(said.err, "");
	assert_non_null(strstr(said.out, "test_command"));
	harmless(said.out);
	close(dmabuf);
	free(said.out);
}

/* Hands a dma-buf over, and ends */
static int leave_behind(void *arg)
{
	const int *sock = arg;
	int fd, dmabuf;
	uint32_t handle;

	child_check(!prctl(PR_SET_NAME, ODD_NAME));
	fd = pdt_open();
	child_check(fd >= 0);
	child_check(!pdt_create(fd, 5 * PDT_MIB, PDT_VRAM, 0, &handle));
	child_check(!pdt_export(fd, handle, &dmabuf));
	child_check(!pdt_send_fd(*sock, dmabuf));
	return 0;
}

static void who_has_exited_is_marked(void **state)
{
	struct said said = { 0 };
	json_t *json, *card, *gone;
	int socks[2], dmabuf;
	char expect[64];
	pid_t pid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks), 0);
	pid = pdt_fork(leave_behind, &socks[1]);
	assert_true(pid > 0);
	dmabuf = pdt_receive_fd(socks[0]);
	assert_true(dmabuf >= 0);
	assert_int_equal(pdt_wait(pid), 0);

	json = document(&said, "status --json", "pddgpu.status/1");
	card = first_card(json);
	assert_exact(card);
	gone = process(card, pid);
	assert_non_null(gone);
	assert_true(json_is_true(json_object_get(gone, "exited")));
	assert_u64(figure(gone, "vram", "orphan"), 5 * PDT_MIB);
	assert_string_equal(json_string_value(json_object_get(gone, "comm")),
			    "\033[31m\n\xef\xbf\xbd,\"x");
	json_decref(json);

	command(&said, "status");
	harmless(said.out);
	snprintf(expect, sizeof(expect), "%d  \\x1b[31m\\n\\xff,\"x", pid);
	assert_non_null(strstr(said.out, expect));
	assert_non_null(strstr(said.out, "  exited\n"));
	command(&said, "status --query-processes=comm,vram.orphan -f csv,noheader,nounits");
	assert_int_equal(said.rc, 0);
	harmless(said.out);
	assert_non_null(strstr(said.out, "\"\"x\", 5242880\n"));
	command(&said, "map --by=owner");
	assert_int_equal(said.rc, 0);
	harmless(said.out);
	assert_non_null(strstr(said.out, ", 5 MiB, exited"));
	close(dmabuf);
	close(socks[0]);
	close(socks[1]);
	free(said.out);
}

static int label(int fd, uint32_t handle, const char *text)
{
	struct drm_pddgpu_gem_set_label set = { .handle = handle, .label = (uintptr_t)text };

	return pdt_ioctl(fd, DRM_IOCTL_PDDGPU_GEM_SET_LABEL, &set);
}

static void leaks_are_found(void **state)
{
	struct pdt_state *s = *state;
	struct said said = { 0 };
	json_t *json, *groups, *group;
	uint32_t handles[4];
	char filter[64];

	assert_ok(pdt_debugfs_write_u64("leak_suspicious_age", 50));
	command(&said, "leaks --clear");
	assert_int_equal(said.rc, 0);
	command(&said, "leaks --scan --fail-on=suspicious");
	assert_int_equal(said.rc, 0);
	for (int i = 0; i < 4; i++) {
		assert_ok(pdt_create(s->fd, PDT_MIB, i == 3 ? PDT_GTT : PDT_VRAM, 0, &handles[i]));
		assert_ok(label(s->fd, handles[i], "vertex buffer\033[1m"));
	}
	pdt_sleep_ms(100);

	json = document(&said, "leaks --scan --json", "pddgpu.leaks/1");
	assert_u64(figure(first_card(json), NULL, "suspicious"), 4);
	assert_u64(figure(first_card(json), NULL, "suspicious_bytes"), 4 * PDT_MIB);
	groups = json_object_get(first_card(json), "groups");
	assert_int_equal(json_array_size(groups), 1);
	group = json_array_get(groups, 0);
	assert_u64(figure(group, NULL, "objects"), 4);
	assert_u64(figure(group, NULL, "vram"), 3 * PDT_MIB);
	assert_u64(figure(group, NULL, "gtt"), PDT_MIB);
	assert_u64(figure(group, NULL, "pid"), (uint64_t)getpid());
	assert_string_equal(json_string_value(json_object_get(group, "label")),
			    "vertex buffer\033[1m");
	group = json_array_get(json_object_get(group, "stack"), 0);
	assert_non_null(strstr(json_string_value(group), "gem_create"));
	json_decref(json);

	command(&said, "leaks --fail-on=suspicious:4M");
	assert_int_equal(said.rc, 1);
	harmless(said.out);
	assert_non_null(strstr(said.out, "vertex buffer\\x1b[1m"));
	command(&said, "leaks --fail-on=suspicious:4194305");
	assert_int_equal(said.rc, 0);
	command(&said, "leaks --fail-on=confirmed");
	assert_int_equal(said.rc, 0);
	snprintf(filter, sizeof(filter), "leaks --fail-on=suspicious --pid=%d", getpid() + 1);
	command(&said, filter);
	assert_int_equal(said.rc, 0);

	command(&said, "leaks --clear");
	assert_int_equal(said.rc, 0);
	command(&said, "leaks --scan --fail-on=suspicious");
	assert_int_equal(said.rc, 0);
	assert_ok(pdt_settings_restore());
	free(said.out);
}

static void map_is_whole(void **state)
{
	struct pdt_state *s = *state;
	static const char *const regions[] = { "vram", "gtt" };
	struct said said = { 0 };
	json_t *json, *card, *block;
	uint32_t handles[64];
	size_t i, j;

	for (i = 0; i < 64; i++)
		assert_ok(pdt_create(s->fd, PDT_PAGE * (i % 5 + 1), i % 3 ? PDT_VRAM : PDT_GTT, 0,
				     &handles[i]));
	for (i = 0; i < 64; i += 2)
		assert_ok(pdt_destroy(s->fd, handles[i]));
	json = document(&said, "map --json --blocks", "pddgpu.map/1");
	card = first_card(json);
	for (i = 0; i < 2; i++) {
		const json_t *region = json_object_get(card, regions[i]);
		uint64_t end = 0, unused = 0;

		json_array_foreach(json_object_get(region, "blocks"), j, block) {
			const char *kind = json_string_value(json_object_get(block, "state"));

			assert_u64(figure(block, NULL, "offset"), end);
			end += figure(block, NULL, "size");
			if (!strcmp(kind, "free") || !strcmp(kind, "clearing"))
				unused += figure(block, NULL, "size");
		}
		assert_u64(end, figure(region, NULL, "size"));
		assert_u64(unused, figure(region, NULL, "free") +
			   figure(region, NULL, "clearing"));
		assert_u64(figure(region, NULL, "unknown"), 0);
	}
	json_decref(json);
	command(&said, "map -o -");
	assert_int_equal(said.rc, 0);
	assert_non_null(strstr(said.out, "</svg>\n"));
	free(said.out);
}

static void stats_are_the_drivers(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats before, after;
	struct said said = { 0 };
	json_t *json, *stats;
	uint32_t handle;

	assert_ok(pdt_create(s->fd, PDT_MIB, PDT_VRAM, 0, &handle));
	assert_ok(pdt_stats(s->fd, &before));
	json = document(&said, "stats --json", "pddgpu.stats/1");
	stats = json_object_get(first_card(json), "stats");
	assert_ok(pdt_stats(s->fd, &after));
	assert_u64(figure(stats, NULL, "total_allocations"), before.total_allocations);
	assert_u64(figure(stats, NULL, "live_bytes"), before.live_bytes);
	assert_u64(figure(stats, NULL, "vram_used"), after.vram_used);
	assert_u64(before.total_allocations, after.total_allocations);
	assert_int_equal(json_array_size(json_object_get(stats, "move_histogram")), 32);
	json_decref(json);
	free(said.out);
}

static void an_ordinary_user_sees_sums(void **state)
{
	struct pdt_state *s = *state;
	struct said said = { .user = true };
	json_t *json;
	uint32_t handle;

	assert_ok(pdt_create(s->fd, 4 * PDT_MIB, PDT_VRAM, 0, &handle));
	json = document(&said, "status --json", "pddgpu.status/1");
	assert_true(figure(first_card(json), "vram", "live") >= 4 * PDT_MIB);
	assert_true(json_is_null(json_object_get(first_card(json), "health")));
	/* This process is root's */
	assert_null(process(first_card(json), getpid()));
	json_decref(json);
	said.user = false;
	said.no_debugfs = true;
	json = document(&said, "status --json", "pddgpu.status/1");
	assert_non_null(process(first_card(json), getpid()));
	assert_u64(figure(process(first_card(json), getpid()), "vram", "used"), 4 * PDT_MIB);
	json_decref(json);
	said.user = true;
	said.no_debugfs = false;
	command(&said, "status");
	assert_int_equal(said.rc, 0);
	assert_non_null(strstr(said.err, "root"));
	assert_ptr_equal(strchr(said.err, '\n') + 1, said.err + strlen(said.err));
	command(&said, "list");
	assert_int_equal(said.rc, 0);
	command(&said, "leaks");
	assert_int_equal(said.rc, 0);
	command(&said, "map");
	assert_int_equal(said.rc, 4);
	command(&said, "leaks --clear");
	assert_int_equal(said.rc, 4);
	command(&said, "leaks --scan");
	assert_int_equal(said.rc, 4);
	free(said.out);
}

static void no_debugfs_is_said(void **state)
{
	struct said said = { .no_debugfs = true };

	(void)state;
	command(&said, "status");
	assert_int_equal(said.rc, 0);
	assert_non_null(strstr(said.err, "mount -t debugfs"));
	command(&said, "map");
	assert_int_equal(said.rc, 5);
	free(said.out);
}

/* How many cards list shows; the last one's address */
static size_t cards(char *pci, size_t room)
{
	struct said said = { 0 };
	json_t *json = document(&said, "list --json", "pddgpu.list/1");
	json_t *devices = json_object_get(json, "devices");
	size_t count = json_array_size(devices);
	const json_t *last;

	assert_true(count > 0);
	last = json_object_get(json_array_get(devices, count - 1), "pci");
	snprintf(pci, room, "%s", json_string_value(last));
	json_decref(json);
	free(said.out);
	return count;
}

static pid_t watch_stats(const char *pci, int *out, int *err)
{
	int outs[2], errs[2];
	pid_t pid;

	assert_int_equal(pipe2(outs, O_CLOEXEC), 0);
	assert_int_equal(pipe2(errs, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		dup2(outs[1], STDOUT_FILENO);
		dup2(errs[1], STDERR_FILENO);
		execl("./pddgpu", "pddgpu", "stats", "-i", "0.1", "-d", pci, NULL);
		_exit(122);
	}
	close(outs[1]);
	close(errs[1]);
	*out = outs[0];
	*err = errs[0];
	return pid;
}

static void a_card_that_goes(void **state)
{
	char pci[32], left[32], text[4096];
	int out, err, status;
	size_t count;
	pid_t pid;

	(void)state;
	count = cards(pci, sizeof(pci));
	if (count < 2)
		pdt_skip("there are no two cards in this machine");
	pid = watch_stats(pci, &out, &err);
	/* It has begun: the header and a line */
	assert_true(read(out, text, 10) == 10);
	assert_ok(pdt_file_write("/sys/bus/pci/drivers/pddgpu/unbind", pci));
	read_all(out, text, sizeof(text));
	read_all(err, text, sizeof(text));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 3);
	assert_non_null(strstr(text, pci));
	assert_int_equal(cards(left, sizeof(left)), count - 1);
	assert_string_not_equal(left, pci);

	assert_ok(pdt_file_write("/sys/bus/pci/drivers/pddgpu/bind", pci));
	assert_int_equal(cards(left, sizeof(left)), count);
	assert_string_equal(left, pci);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(status_is_exact),
		pdt_test(who_has_exited_is_marked),
		pdt_test(leaks_are_found),
		pdt_test(map_is_whole),
		pdt_test(stats_are_the_drivers),
		pdt_test(an_ordinary_user_sees_sums),
		pdt_test(no_debugfs_is_said),
		pdt_test(a_card_that_goes),
	};

	return pdt_run_tests("command", tests);
}
