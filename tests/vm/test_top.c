// SPDX-License-Identifier: MIT
/*
 * pddgpu top, watch, record and replay on a real driver: what clients have is what they
 * are seen to have, and looking costs little
 */
#include "pdt.h"

#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX	12
#define LINE_MAX_BYTES	(8 << 20)
#define MANY		10000

/**
 * struct child - the command, running
 */
struct child {
	pid_t pid;
	FILE *out;
};

static void start(struct child *child, const char *line)
{
	char *words = strdup(line), *rest = words, *argv[ARGS_MAX + 2] = { (char *)"pddgpu" };
	int out[2], i = 1;

	assert_non_null(words);
	while (i <= ARGS_MAX && (argv[i] = strsep(&rest, " ")))
		i++;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	child->pid = fork();
	assert_true(child->pid >= 0);
	if (!child->pid) {
		dup2(out[1], STDOUT_FILENO);
		execv("./pddgpu", argv);
		_exit(122);
	}
	close(out[1]);
	child->out = fdopen(out[0], "r");
	assert_non_null(child->out);
	free(words);
}

static int end(struct child *child, struct rusage *usage)
{
	int status;

	fclose(child->out);
	assert_int_equal(wait4(child->pid, &status, 0, usage), child->pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* The next line; NULL when it has closed, or nothing has come in that time */
static json_t *next_line(struct child *child, unsigned int seconds)
{
	struct pollfd fd = { .fd = fileno(child->out), .events = POLLIN };
	static char line[LINE_MAX_BYTES];
	json_t *json;

	if (poll(&fd, 1, (int)(seconds * 1000 * pdt_slow())) != 1)
		return NULL;
	if (!fgets(line, sizeof(line), child->out))
		return NULL;
	json = json_loads(line, 0, NULL);
	if (!json)
		fail_msg("no JSON: %s", line);
	return json;
}

/* What top sees now */
static json_t *look(void)
{
	struct child child;
	json_error_t error;
	json_t *json;

	start(&child, "top --json -n 1 -i 0.2");
	json = json_loadf(child.out, 0, &error);
	if (!json)
		fail_msg("top: %s", error.text);
	assert_int_equal(end(&child, NULL), 0);
	return json;
}

/* A process's client; of several the one that has most */
static json_t *client_of(const json_t *json, pid_t pid)
{
	json_t *one, *found = NULL;
	json_int_t most = -1;
	size_t i;

	json_array_foreach(json_object_get(json, "clients"), i, one) {
		json_int_t vram = json_integer_value(json_object_get(one, "vram_bytes"));

		if (json_integer_value(json_object_get(one, "pid")) != pid || vram <= most)
			continue;
		most = vram;
		found = one;
	}
	return found;
}

static uint64_t figure(const json_t *json, const char *name)
{
	assert_true(json_is_integer(json_object_get(json, name)));
	return (uint64_t)json_integer_value(json_object_get(json, name));
}

static void bytes_are_exact(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_ownership own[3];
	uint32_t vram, gtt, cpu, size = sizeof(own);
	json_t *json, *client, *region;

	assert_ok(pdt_create(s->fd, 5 * PDT_MIB, PDDGPU_GEM_DOMAIN_VRAM, 0, &vram));
	assert_ok(pdt_create(s->fd, 3 * PDT_MIB, PDDGPU_GEM_DOMAIN_GTT, 0, &gtt));
	assert_ok(pdt_create(s->fd, 2 * PDT_MIB, PDDGPU_GEM_DOMAIN_CPU, 0, &cpu));
	json = look();
	client = client_of(json, getpid());
	assert_non_null(client);
	assert_string_equal(json_string_value(json_object_get(client, "driver")), "pddgpu");
	assert_string_equal(json_string_value(json_object_get(client, "device")), pdt_pci_name());
	assert_u64(figure(client, "vram_bytes"), 5 * PDT_MIB);
	assert_u64(figure(client, "gtt_bytes"), 3 * PDT_MIB);
	assert_true(json_is_integer(json_object_get(client, "evictions")));
	/* And the card's are the driver's own. */
	assert_ok(pdt_query(s->fd, PDDGPU_QUERY_OWNERSHIP, own, &size));
	assert_int_equal(size, sizeof(own));
	region = json_object_get(json_object_get(json_array_get(json_object_get(json, "cards"), 0),
						 "regions"), "vram");
	assert_u64(figure(region, "live_bytes"), own[0].live);
	assert_u64(figure(region, "used_bytes"), figure(region, "live_bytes") +
		   figure(region, "orphan_bytes") + figure(region, "zombie_bytes") +
		   figure(region, "kernel_bytes"));
	json_decref(json);
}

/* However many descriptors lead to it, and in however many processes */
static void a_client_is_one(void **state)
{
	struct pdt_state *s = *state;
	/* The command is not to have it too. */
	int copy = fcntl(s->fd, F_DUPFD_CLOEXEC, 0), go[2], status;
	json_t *json, *one;
	unsigned int found = 0;
	uint32_t handle;
	uint64_t id;
	size_t i;
	pid_t pid;
	char c;

	assert_true(copy >= 0);
	assert_ok(pdt_create(s->fd, PDT_MIB, PDDGPU_GEM_DOMAIN_VRAM, 0, &handle));
	assert_int_equal(pipe(go), 0);
	pid = fork();
	if (!pid) {
		close(go[1]);
		_exit(read(go[0], &c, 1) != 0);
	}
	close(go[0]);
	json = look();
	id = figure(client_of(json, getpid()), "client_id");
	json_array_foreach(json_object_get(json, "clients"), i, one) {
		if (figure(one, "client_id") != id)
			continue;
		found++;
		assert_u64(figure(one, "files"), 4);
		assert_u64(figure(one, "vram_bytes"), PDT_MIB);
	}
	assert_int_equal(found, 1);
	json_decref(json);
	close(go[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(copy);
}

static uint64_t busy(const json_t *json, const char *engine)
{
	const json_t *client = client_of(json, getpid());

	return figure(json_object_get(json_object_get(client, "engines"), engine), "busy_ns");
}

static void engine_time(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op op;
	json_t *before, *after;
	uint32_t handle;

	assert_ok(pdt_create(s->fd, 8 * PDT_MIB, PDDGPU_GEM_DOMAIN_VRAM, 0, &handle));
	before = look();
	op = pdt_fill(handle, 0, 8 * PDT_MIB, 0x5a5a5a5a);
	for (int i = 0; i < 4; i++)
		assert_ok(pdt_submit(s->fd, &op, 1));
	assert_ok(pdt_wait_idle(s->fd, handle, 20000));
	after = look();
	assert_true(busy(after, "copy") > busy(before, "copy"));
	json_decref(before);
	json_decref(after);
}

/* Makes a buffer, hands it on and exits */
static pid_t leave_behind(int *dmabuf)
{
	int sockets[2], status;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	pid = fork();
	if (!pid) {
		uint32_t handle;
		int fd = pdt_open(), shared;

		prctl(PR_SET_NAME, "left\033it", 0, 0, 0);
		if (fd < 0 || pdt_create(fd, 7 * PDT_MIB, PDDGPU_GEM_DOMAIN_VRAM, 0, &handle) ||
		    pdt_export(fd, handle, &shared) || pdt_send_fd(sockets[1], shared))
			_exit(1);
		_exit(0);
	}
	close(sockets[1]);
	*dmabuf = pdt_receive_fd(sockets[0]);
	close(sockets[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(*dmabuf >= 0);
	return pid;
}

static void who_has_exited_is_there(void **state)
{
	json_t *json, *one;
	int dmabuf;
	pid_t pid = leave_behind(&dmabuf);

	(void)state;
	json = look();
	assert_true(json_is_true(json_object_get(json, "exited_known")));
	one = client_of(json, pid);
	assert_non_null(one);
	assert_true(json_is_true(json_object_get(one, "exited")));
	assert_u64(figure(one, "vram_bytes"), 7 * PDT_MIB);
	assert_string_equal(json_string_value(json_object_get(one, "name")), "left\033it");
	json_decref(json);
	close(dmabuf);
	json = look();
	assert_null(client_of(json, pid));
	json_decref(json);
}

/* vgem shows nothing; its files are counted, and nobody is made up. */
static void drivers_that_show_nothing(void **state)
{
	json_t *json;
	int vgem = pdt_vgem_open();

	(void)state;
	assert_true(vgem >= 0);
	json = look();
	assert_true(figure(json, "silent_files") >= 1);
	assert_int_equal(json_array_size(json_object_get(json, "cards")), 2);
	json_decref(json);
	close(vgem);
}

/* The next line about an event, however many others come before it */
static json_t *wait_event(struct child *watch, const char *event)
{
	json_t *json;

	while ((json = next_line(watch, 40))) {
		if (!strcmp(json_string_value(json_object_get(json, "event")), event))
			return json;
		json_decref(json);
	}
	fail_msg("no %s", event);
	return NULL;
}

static void growth_is_told(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handles[300];
	struct child watch;
	unsigned int count = 0;
	json_t *json = NULL;

	start(&watch, "watch --json -w 5s -i 0.5 -n 1 -g 1M");
	for (int wait = 0; count < 300 && !json; count++) {
		struct pollfd fd = { .fd = fileno(watch.out), .events = POLLIN };

		assert_ok(pdt_create(s->fd, 64 << 10, PDDGPU_GEM_DOMAIN_VRAM, 0,
				     &handles[count]));
		wait = poll(&fd, 1, 100);
		if (wait == 1)
			json = wait_event(&watch, "growth");
	}
	assert_non_null(json);
	assert_int_equal(figure(json, "pid"), getpid());
	assert_true(figure(json, "growth_bytes_per_minute") > PDT_MIB);
	assert_int_equal(end(&watch, NULL), 1);
	json_decref(json);
	while (count--)
		assert_ok(pdt_destroy(s->fd, handles[count]));
}

static void leaving_memory_behind_is_told(void **state)
{
	struct child watch;
	json_t *json;
	int dmabuf;
	pid_t pid;

	(void)state;
	start(&watch, "watch --json -i 0.2 -n 1");
	/* It has seen how things are. */
	usleep(1500000 * pdt_slow());
	pid = leave_behind(&dmabuf);
	json = wait_event(&watch, "exited");
	assert_int_equal(figure(json, "pid"), pid);
	assert_u64(figure(json, "bytes"), 7 * PDT_MIB);
	json_decref(json);
	assert_int_equal(end(&watch, NULL), 1);
	close(dmabuf);
}

/* Has so many other files, and after a while the card in place of the first */
static pid_t late_client(unsigned int files)
{
	pid_t pid = fork();
	uint32_t handle;

	if (pid)
		return pid;
	close_range(3, ~0U, 0);
	while (files--)
		open("/dev/null", O_RDONLY);
	usleep(2000000 * pdt_slow());
	close(3);
	if (pdt_open() == 3 && !pdt_create(3, PDT_MIB, PDDGPU_GEM_DOMAIN_VRAM, 0, &handle))
		pause();
	_exit(1);
}

/* Though it has as many files as before, and more than are looked at each time */
static void the_living_have_not_exited(void **state)
{
	json_t *json;

	(void)state;
	for (unsigned int files = 1; files < 200; files += 100) {
		struct child watch;
		pid_t pid = late_client(files);

		assert_true(pid > 0);
		start(&watch, "watch --json -i 0.2");
		while ((json = next_line(&watch, 5))) {
			assert_string_not_equal(json_string_value(json_object_get(json, "event")),
						"exited");
			json_decref(json);
		}
		kill(watch.pid, SIGTERM);
		fclose(watch.out);
		assert_int_equal(waitpid(watch.pid, NULL, 0), watch.pid);
		assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
}

static void alerts_are_told(void **state)
{
	struct pdt_state *s = *state;
	struct child watch;
	char path[128];
	uint32_t handle;
	json_t *json;

	/* Drivers that send events have these too. */
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/mem_info_vram_used", pdt_pci_name());
	if (access(path, F_OK))
		pdt_skip("an older driver, which sends no events");
	assert_ok(pdt_debugfs_write("leak_threshold", "8388608"));
	start(&watch, "watch --json -i 0.2 -t 60");
	usleep(1500000 * pdt_slow());
	assert_ok(pdt_create(s->fd, 16 * PDT_MIB, PDDGPU_GEM_DOMAIN_VRAM, 0, &handle));
	assert_ok(pdt_debugfs_write("trigger_leak_check", "1"));
	json = wait_event(&watch, "leak_alert");
	assert_u64(figure(json, "threshold_bytes"), 8 * PDT_MIB);
	assert_true(figure(json, "bytes") >= 16 * PDT_MIB);
	json_decref(json);
	assert_ok(pdt_destroy(s->fd, handle));
	assert_ok(pdt_debugfs_write("trigger_leak_check", "1"));
	json_decref(wait_event(&watch, "leak_clear"));
	kill(watch.pid, SIGTERM);
	assert_int_equal(end(&watch, NULL), 1);
	assert_ok(pdt_settings_restore());
}

static void a_recording_is_what_was(void **state)
{
	struct pdt_state *s = *state;
	struct child child;
	uint32_t handle;
	json_t *json;

	assert_ok(pdt_create(s->fd, 6 * PDT_MIB, PDDGPU_GEM_DOMAIN_VRAM, 0, &handle));
	start(&child, "record -f -o /tmp/top.recording -n 2 -i 0.2");
	assert_int_equal(end(&child, NULL), 0);
	start(&child, "replay --json /tmp/top.recording");
	json = next_line(&child, 20);
	assert_non_null(json);
	assert_u64(figure(client_of(json, getpid()), "vram_bytes"), 6 * PDT_MIB);
	json_decref(json);
	/* It would end for want of a reader. */
	json = next_line(&child, 20);
	assert_non_null(json);
	json_decref(json);
	assert_null(next_line(&child, 20));
	assert_int_equal(end(&child, NULL), 0);
	unlink("/tmp/top.recording");
}

/* What the command's screen says until it says what is asked for, or time is up */
static bool on_screen(int terminal, const char *what)
{
	static char text[1 << 20];
	size_t length = 0;
	ssize_t got;
	struct pollfd fd = { .fd = terminal, .events = POLLIN };

	while (length + 1 < sizeof(text) && poll(&fd, 1, (int)(20000 * pdt_slow())) == 1) {
		got = read(terminal, text + length, sizeof(text) - 1 - length);
		if (got <= 0)
			return false;
		length += (size_t)got;
		text[length] = '\0';
		if (strstr(text, what))
			return true;
	}
	return false;
}

static pid_t open_screen(int *terminal)
{
	struct winsize size = { .ws_row = 24, .ws_col = 100 };
	pid_t pid = forkpty(terminal, NULL, NULL, &size);

	if (!pid) {
		setenv("TERM", "linux", 1);
		setenv("TERMINFO", "./terminfo", 1);
		execl("./pddgpu", "pddgpu", "top", "-i", "0.2", (char *)NULL);
		_exit(122);
	}
	return pid;
}

static void the_screen(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle;
	int terminal, status;
	pid_t pid;

	assert_ok(pdt_create(s->fd, 9 * PDT_MIB, PDDGPU_GEM_DOMAIN_VRAM, 0, &handle));
	pid = open_screen(&terminal);
	assert_true(pid > 0);
	assert_true(on_screen(terminal, "9.0M"));
	assert_int_equal(write(terminal, "q", 1), 1);
	while (on_screen(terminal, "never"))
		;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(terminal);
}

/* The card goes and comes back while top runs; nobody's file keeps it. */
static void a_card_that_goes(void **state)
{
	int terminal, status;
	pid_t pid = open_screen(&terminal);

	(void)state;
	assert_true(on_screen(terminal, "VRAM"));
	assert_ok(pdt_take_away(PDT_UNBIND));
	assert_true(on_screen(terminal, "has gone"));
	assert_ok(pdt_bring_back(PDT_UNBIND));
	assert_true(on_screen(terminal, "VRAM"));
	assert_int_equal(write(terminal, "q", 1), 1);
	while (on_screen(terminal, "never"))
		;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(terminal);
}

/* Reads, which are system calls, that this process and the children it has buried did */
static uint64_t reads(void)
{
	uint64_t count = 0;
	char line[80];
	FILE *io = fopen("/proc/self/io", "r");

	assert_non_null(io);
	while (fgets(line, sizeof(line), io))
		if (sscanf(line, "syscr: %" SCNu64, &count) == 1)
			break;
	fclose(io);
	assert_true(count > 0);
	return count;
}

/* What top reads */
static uint64_t reads_of_top(const char *command)
{
	struct child child;
	char text[4096];
	uint64_t before = reads();

	start(&child, command);
	/* What this reads is counted as well, and little */
	while (fgets(text, sizeof(text), child.out))
		;
	assert_int_equal(end(&child, NULL), 0);
	return reads() - before;
}

/* Reads in a second, once it is under way: the first samples find all there is. */
static uint64_t reads_a_second(void)
{
	uint64_t few = reads_of_top("top -b -n 4 -i 1 --no-exited -f nobody");
	uint64_t more = reads_of_top("top -b -n 9 -i 1 --no-exited -f nobody");

	return more > few ? (more - few) / 5 : 0;
}

/* Looking at ten thousand clients that do nothing must not be reading all of them. */
static void ten_thousand_clients(void **state)
{
	struct rlimit limit = { MANY + 100, MANY + 100 };
	static int fds[MANY];
	uint64_t few, many;
	json_t *json;

	(void)state;
	if (access("/proc/self/io", R_OK))
		pdt_skip("the kernel does not count what a process reads");
	few = reads_a_second();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (unsigned int i = 0; i < MANY; i++) {
		fds[i] = pdt_open();
		assert_true(fds[i] >= 0);
		fcntl(fds[i], F_SETFD, FD_CLOEXEC);
	}
	json = look();
	assert_true(json_array_size(json_object_get(json, "clients")) >= MANY);
	json_decref(json);
	many = reads_a_second();
	print_message("# top reads %" PRIu64 " times a second, with %d clients %" PRIu64 "\n",
		      few, MANY, many);
	assert_true(many > 0);
	assert_true(many < few + MANY / 3);
	for (unsigned int i = 0; i < MANY; i++)
		close(fds[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(bytes_are_exact),
		pdt_test(a_client_is_one),
		pdt_test(engine_time),
		pdt_test(who_has_exited_is_there),
		pdt_test(drivers_that_show_nothing),
		pdt_test(growth_is_told),
		pdt_test(leaving_memory_behind_is_told),
		pdt_test(the_living_have_not_exited),
		pdt_test(alerts_are_told),
		pdt_test(a_recording_is_what_was),
		pdt_test(the_screen),
		pdt_test(ten_thousand_clients),
		pdt_gone_test(a_card_that_goes),
	};

	return pdt_run_tests("top", tests);
}
