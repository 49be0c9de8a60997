// SPDX-License-Identifier: MIT
/*
 * pddgpu leaks on a real driver, beyond the list by age: what a program leaves behind, and
 * which of all buffers are leaks. This program is also the one that leaves them: its first
 * argument says how.
 */
#include "pdt.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define USER		1000
#define OUT_MAX		(1 << 20)
#define REPORT		"/tmp/left.json"

/* ---- programs that leak ---- */

static int leak_here(int fd, unsigned int count, const char *label) __attribute__((noinline));

static int leak_here(int fd, unsigned int count, const char *label)
{
	int error = 0;

	while (count-- && !error) {
		uint32_t handle;

		error = pdt_create(fd, PDT_MIB, PDT_VRAM, 0, &handle);
		if (!error && label)
			error = pdt_set_label(fd, handle, label);
	}
	return error;
}

static int leak_there(int fd) __attribute__((noinline));

static int leak_there(int fd)
{
	uint32_t handle;
	int error = pdt_create(fd, 2 * PDT_MIB, PDT_GTT, 0, &handle);

	/* What follows is not the end of the function: it has a frame of its own */
	return error ? error : pdt_set_label(fd, handle, "there");
}

static int open_card(void)
{
	int fd = pdt_open();

	if (fd < 0)
		_exit(99);
	return fd;
}

/* In four processes, each a MiB */
static int leak_as_family(void)
{
	int i;

	for (i = 0; i < 3; i++)
		if (!fork())
			_exit(leak_here(open_card(), 1, NULL) ? 98 : 0);
	while (wait(NULL) > 0)
		;
	return leak_here(open_card(), 1, NULL) ? 98 : 4;
}

/* A process that goes on when this one has ended, in its session or in one of its own */
static int leave_one(bool apart)
{
	if (fork())
		return 6;
	if (apart)
		setsid();
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	pdt_sleep_ms(500);
	_exit(leak_here(open_card(), 1, NULL) ? 98 : 0);
}

/* The buffer goes to who has started all this; here no handle of it is left */
static int give_away(int socket)
{
	int fd = open_card(), dmabuf;
	uint32_t handle;

	if (pdt_create(fd, PDT_MIB, PDT_VRAM, 0, &handle) || pdt_export(fd, handle, &dmabuf) ||
	    pdt_send_fd(socket, dmabuf) || pdt_destroy(fd, handle))
		return 98;
	return 8;
}

/* Freed while jobs use it: it takes some more moments */
static int free_while_busy(void)
{
	struct drm_pddgpu_submit_op ops[16];
	int fd = open_card(), i;
	uint32_t handle;

	if (pdt_create(fd, 8 * PDT_MIB, PDT_VRAM, 0, &handle))
		return 98;
	for (i = 0; i < 16; i++)
		ops[i] = pdt_fill(handle, 0, 8 * PDT_MIB, (uint32_t)i);
	return pdt_submit(fd, ops, 16) || pdt_destroy(fd, handle) ? 98 : 9;
}

static int drip(void) __attribute__((noinline));

/* Pictures that come and go, of which one in so many is forgotten; until it is killed */
static int drip(void)
{
	int fd = open_card(), n;
	uint32_t handle;

	for (n = 0; n < 10000; n++) {
		struct drm_pddgpu_submit_op op;

		if (pdt_create(fd, PDT_MIB / 4, PDT_VRAM, 0, &handle) ||
		    pdt_set_label(fd, handle, "picture"))
			return 98;
		op = pdt_fill(handle, 0, PDT_PAGE, 1);
		if (pdt_submit(fd, &op, 1))
			return 98;
		pdt_sleep_ms(100);
		if (n % 4 && pdt_destroy(fd, handle))
			return 98;
	}
	return 0;
}

static int be_program(char **argv)
{
	const char *how = argv[1];
	uint32_t handle;
	int fd;

	if (!strcmp(how, "family"))
		return leak_as_family();
	if (!strcmp(how, "later") || !strcmp(how, "apart"))
		return leave_one(!strcmp(how, "apart"));
	if (!strcmp(how, "give"))
		return give_away(atoi(argv[2]));
	if (!strcmp(how, "busy"))
		return free_while_busy();
	if (!strcmp(how, "drip"))
		return drip();
	if (!strcmp(how, "clean-kill"))
		return kill(getpid(), SIGKILL);
	if (!strcmp(how, "waits")) {
		if (write(STDOUT_FILENO, "r", 1) != 1)
			return 98;
		pause();
	}
	if (!strcmp(how, "naked"))
		close_range(0, ~0U, 0);
	fd = open_card();
	if (!strcmp(how, "clean"))
		return pdt_create(fd, PDT_MIB, PDT_VRAM, 0, &handle) || pdt_destroy(fd, handle) ?
		       98 : 5;
	if (leak_here(fd, 3, !strcmp(how, "odd") ? "\033[31mred\n\xff" : "here") || leak_there(fd))
		return 98;
	if (!strcmp(how, "killed"))
		kill(getpid(), SIGKILL);
	if (!strcmp(how, "aborted"))
		abort();
	return 7;
}

/* ---- the command ---- */

struct said {
	char *out, err[8192];
	int rc;
	bool user;
	pid_t pid;
	int out_fd;
	FILE *err_file;
};

static void begin(struct said *said, const char *line)
{
	char *words = strdup(line), *rest = words, *argv[32] = { (char *)"pddgpu", NULL };
	int out[2], i = 1;

	assert_non_null(words);
	while (i < 31 && (argv[i] = strsep(&rest, " ")))
		i++;
	said->err_file = tmpfile();
	assert_non_null(said->err_file);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	fflush(NULL);
	said->pid = fork();
	assert_true(said->pid >= 0);
	if (!said->pid) {
		dup2(out[1], STDOUT_FILENO);
		dup2(fileno(said->err_file), STDERR_FILENO);
		if (said->user && pdt_become_user(USER))
			_exit(121);
		execv("./pddgpu", argv);
		_exit(122);
	}
	close(out[1]);
	said->out_fd = out[0];
	free(words);
}

static void finish(struct said *said)
{
	size_t length = 0;
	ssize_t got;
	int status;

	if (!said->out)
		said->out = malloc(OUT_MAX);
	assert_non_null(said->out);
	while ((got = read(said->out_fd, said->out + length, OUT_MAX - 1 - length)) > 0)
		length += (size_t)got;
	said->out[length] = '\0';
	close(said->out_fd);
	assert_int_equal(waitpid(said->pid, &status, 0), said->pid);
	assert_true(WIFEXITED(status));
	said->rc = WEXITSTATUS(status);
	rewind(said->err_file);
	said->err[fread(said->err, 1, sizeof(said->err) - 1, said->err_file)] = '\0';
	fclose(said->err_file);
}

static void command(struct said *said, const char *line)
{
	begin(said, line);
	finish(said);
}

#define GATE	"leaks --fail-on=0 --for=5 "

/* What a program leaves, in so many buffers; found with this status */
static void expect(struct said *said, const char *how, int status, unsigned int objects)
{
	char line[256], text[64];

	snprintf(line, sizeof(line), GATE "-- ./test_verdict %s", how);
	command(said, line);
	if (said->rc != status)
		fail_msg("%s: %d\n%s", how, said->rc, said->err);
	snprintf(text, sizeof(text), "in %u buffer%s", objects, objects == 1 ? "" : "s");
	if (objects && !strstr(said->err, text))
		fail_msg("%s: not %s:\n%s", how, text, said->err);
	if (!objects)
		assert_string_equal(said->err, "");
	assert_string_equal(said->out, "");
}

static json_t *report(void)
{
	json_error_t error;
	json_t *json = json_load_file(REPORT, 0, &error);

	if (!json)
		fail_msg("%s", error.text);
	return json;
}

static uint64_t figure(const json_t *json, const char *name)
{
	assert_true(json_is_integer(json_object_get(json, name)));
	return (uint64_t)json_integer_value(json_object_get(json, name));
}

/* ---- what a program leaves ---- */

static void what_it_leaves(void **state)
{
	struct said said = { 0 };

	(void)state;
	expect(&said, "leaky", 1, 4);
	assert_non_null(strstr(said.err, "has left 5 MiB of GPU memory in 4 buffers"));
	assert_non_null(strstr(said.err, "3 MiB in 3 buffers: 3 not freed"));
	assert_non_null(strstr(said.err, "label here"));
	assert_non_null(strstr(said.err, "2 MiB in 1 buffer: 1 not freed"));
	assert_non_null(strstr(said.err, "label there"));
	/* How it could say more */
	assert_non_null(strstr(said.err, "leak_stacks"));
	expect(&said, "clean", 5, 0);
	free(said.out);
}

static void by_the_function(void **state)
{
	struct said said = { 0 };

	(void)state;
	assert_ok(pdt_parameter("leak_stacks", "1"));
	expect(&said, "leaky", 1, 4);
	assert_non_null(strstr(said.err, " leak_here+0x"));
	assert_non_null(strstr(said.err, " leak_there+0x"));
	assert_non_null(strstr(said.err, "(test_verdict.c:"));
	assert_null(strstr(said.err, "leak_stacks"));
	assert_ok(pdt_parameter("leak_stacks", "0"));
	free(said.out);
}

static void from_how_much_on(void **state)
{
	struct said said = { 0 };

	(void)state;
	command(&said, "leaks --fail-on=5MiB -- ./test_verdict leaky");
	assert_int_equal(said.rc, 1);
	command(&said, "leaks --fail-on=5242881 -- ./test_verdict leaky");
	assert_int_equal(said.rc, 7);
	assert_non_null(strstr(said.err, "less than the limit"));
	free(said.out);
}

static void however_it_ends(void **state)
{
	struct said said = { 0 };

	(void)state;
	expect(&said, "killed", 1, 4);
	assert_non_null(strstr(said.err, "signal 9"));
	expect(&said, "aborted", 1, 4);
	expect(&said, "naked", 1, 4);
	expect(&said, "busy", 9, 0);
	command(&said, GATE "-- ./test_verdict clean-kill");
	assert_int_equal(said.rc, 128 + SIGKILL);
	command(&said, GATE "-- ./no-such-test");
	assert_int_equal(said.rc, 127);
	command(&said, GATE "-- /proc");
	assert_int_equal(said.rc, 126);
	free(said.out);
}

static void with_all_that_it_starts(void **state)
{
	struct pdt_state *s = *state;
	struct said said = { 0 };

	expect(&said, "family", 1, 4);
	assert_non_null(strstr(said.err, "4 processes"));
	expect(&said, "later", 1, 1);
	/* Who leaves the session is not seen */
	expect(&said, "apart", 6, 0);
	pdt_sleep_ms(1000);
	assert_true(pdt_level_wait(s->fd, &s->before));
	free(said.out);
}

static void what_others_have(void **state)
{
	struct said said = { 0 };
	int ends[2], dmabuf;
	char how[32];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	snprintf(how, sizeof(how), "give %d", ends[1]);
	expect(&said, how, 1, 1);
	assert_non_null(strstr(said.err, "1 kept by a dma-buf"));
	dmabuf = pdt_receive_fd(ends[0]);
	assert_true(dmabuf >= 0);
	close(dmabuf);
	close(ends[0]);
	close(ends[1]);
	free(said.out);
}

static void for_programs(void **state)
{
	struct said said = { 0 };
	json_t *json, *groups, *frame;
	bool found = false;
	size_t i;

	(void)state;
	assert_ok(pdt_parameter("leak_stacks", "1"));
	command(&said, GATE "--json -o " REPORT " -- ./test_verdict odd");
	assert_int_equal(said.rc, 1);
	assert_null(strchr(said.err, '\033'));
	json = report();
	assert_u64(figure(json, "status"), 7);
	assert_u64(figure(json, "bytes"), 5 * PDT_MIB);
	assert_u64(figure(json, "objects"), 4);
	assert_u64(figure(json, "running"), 0);
	groups = json_object_get(json_array_get(json_object_get(json, "devices"), 0), "groups");
	assert_int_equal(json_array_size(groups), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(groups, 0), "label")),
			    "\033[31mred\n\xef\xbf\xbd");
	json_array_foreach(json_object_get(json_array_get(groups, 0), "frames"), i, frame)
		found |= strstr(json_string_value(json_object_get(frame, "text")), "leak_here+") &&
			 !strcmp(json_string_value(json_object_get(frame, "kind")), "user");
	assert_true(found);
	json_decref(json);
	assert_ok(pdt_parameter("leak_stacks", "0"));
	unlink(REPORT);
	free(said.out);
}

static void an_ordinary_user(void **state)
{
	struct said said = { .user = true };

	(void)state;
	expect(&said, "leaky", 1, 4);
	assert_null(strstr(said.err, "root sees"));
	expect(&said, "clean", 5, 0);
	command(&said, "leaks --for=0");
	assert_int_equal(said.rc, 0);
	assert_non_null(strstr(said.err, "root sees all"));
	free(said.out);
}

static void no_such_card(void **state)
{
	struct said said = { 0 };

	(void)state;
	command(&said, GATE "--device=0000:7f:00.0 -- echo ran");
	assert_int_equal(said.rc, 3);
	assert_string_equal(said.out, "");
	free(said.out);
}

static void signals_go_on(void **state)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct said said = { 0 };
	char byte;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		begin(&said, GATE "-- ./test_verdict waits");
		/* It says that it is there */
		assert_int_equal(read(said.out_fd, &byte, 1), 1);
		kill(said.pid, numbers[i]);
		finish(&said);
		assert_int_equal(said.rc, 128 + numbers[i]);
	}
	free(said.out);
}

/* ---- which are leaks ---- */

static pid_t start_drip(void)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		execl("./test_verdict", "test_verdict", "drip", NULL);
		_exit(122);
	}
	return pid;
}

static void stop_drip(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Found while it runs, by who looks from when it has run for a while already */
static void a_leak_is_found(void **state)
{
	struct said said = { 0 };
	pid_t pid;

	(void)state;
	assert_ok(pdt_parameter("leak_stacks", "1"));
	pid = start_drip();
	pdt_sleep_ms(2000);
	command(&said, "leaks --watch --for=100 --fail-on=1M");
	stop_drip(pid);
	assert_ok(pdt_parameter("leak_stacks", "0"));
	if (said.rc != 1)
		fail_msg("%d: %s%s", said.rc, said.out, said.err);
	assert_non_null(strstr(said.out, "label picture"));
	assert_non_null(strstr(said.out, "drip+0x"));
	free(said.out);
}

static void what_is_there_is_listed(void **state)
{
	struct pdt_state *s = *state;
	struct said said = { 0 };
	uint32_t handle;
	json_t *json, *group = NULL, *groups;
	size_t i;

	assert_ok(pdt_create(s->fd, 3 * PDT_MIB, PDT_VRAM, 0, &handle));
	assert_ok(pdt_set_label(s->fd, handle, "mine"));
	command(&said, "leaks --for=1 --json");
	assert_int_equal(said.rc, 0);
	json = json_loads(said.out, 0, NULL);
	assert_non_null(json);
	groups = json_object_get(json_array_get(json_object_get(json, "devices"), 0), "groups");
	for (i = 0; i < json_array_size(groups) && !group; i++) {
		const char *label;

		group = json_array_get(groups, i);
		label = json_string_value(json_object_get(group, "label"));
		if (!label || strcmp(label, "mine") != 0)
			group = NULL;
	}
	assert_non_null(group);
	assert_u64(figure(group, "bytes"), 3 * PDT_MIB);
	assert_u64(figure(group, "pid"), (uint64_t)getpid());
	assert_false(json_is_true(json_object_get(group, "leak")));
	json_decref(json);
	/* And it is none of those that came since */
	command(&said, "leaks --for=1 --since=now");
	assert_int_equal(said.rc, 0);
	assert_null(strstr(said.out, "label mine"));
	free(said.out);
}

/* The last card goes and comes while it is watched */
static void a_card_that_goes(void **state)
{
	struct said said = { 0 };
	char pci[32] = "", text[4096];
	json_t *json, *devices, *last;
	size_t count;

	(void)state;
	command(&said, "list --json");
	json = json_loads(said.out, 0, NULL);
	devices = json_object_get(json, "devices");
	count = json_array_size(devices);
	last = json_object_get(json_array_get(devices, count - 1), "pci");
	snprintf(pci, sizeof(pci), "%s", json_string_value(last));
	json_decref(json);
	if (count < 2)
		pdt_skip("there are no two cards in this machine");
	begin(&said, "leaks --watch --json -i 0.1");
	assert_true(read(said.out_fd, text, sizeof(text)) > 0);
	assert_ok(pdt_file_write("/sys/bus/pci/drivers/pddgpu/unbind", pci));
	pdt_sleep_ms(1500);
	assert_ok(pdt_file_write("/sys/bus/pci/drivers/pddgpu/bind", pci));
	pdt_sleep_ms(1500);
	kill(said.pid, SIGINT);
	finish(&said);
	assert_int_equal(said.rc, 0);
	assert_non_null(strstr(said.err, pci));
	json = json_loads(said.out, JSON_DISABLE_EOF_CHECK, NULL);
	assert_non_null(json);
	devices = json_object_get(json, "devices");
	assert_int_equal(json_array_size(devices), count);
	assert_true(json_is_null(json_object_get(json_array_get(devices, count - 1), "error")));
	json_decref(json);
	free(said.out);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		pdt_test(what_it_leaves),
		pdt_test(by_the_function),
		pdt_test(from_how_much_on),
		pdt_test(however_it_ends),
		pdt_test(with_all_that_it_starts),
		pdt_test(what_others_have),
		pdt_test(for_programs),
		pdt_test(an_ordinary_user),
		pdt_test(no_such_card),
		pdt_test(signals_go_on),
		pdt_test(a_leak_is_found),
		pdt_test(what_is_there_is_listed),
		pdt_test(a_card_that_goes),
	};

	if (argc > 1)
		return be_program(argv);
	return pdt_run_tests("verdict", tests);
}
