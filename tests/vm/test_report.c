// SPDX-License-Identifier: MIT
/*
 * pddgpu report on a real driver: what is in the document is what is on the card, and what
 * is written is a page
 */
#include "pdt.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE		"/tmp/report.html"
#define USER		1000
#define ARGS_MAX	12
#define OUT_MAX		(8 << 20)

/**
 * struct child - the command, running
 */
struct child {
	pid_t pid;
	int out, err;
};

static void start(struct child *child, const char *line, unsigned int user)
{
	char *words = strdup(line), *rest = words, *argv[ARGS_MAX + 2] = { (char *)"pddgpu" };
	int out[2], err[2], i = 1;

	assert_non_null(words);
	while (i <= ARGS_MAX && (argv[i] = strsep(&rest, " ")))
		i++;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	child->pid = fork();
	assert_true(child->pid >= 0);
	if (!child->pid) {
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		if (user && pdt_become_user(user))
			_exit(121);
		execv("./pddgpu", argv);
		_exit(122);
	}
	close(out[1]);
	close(err[1]);
	child->out = out[0];
	child->err = err[0];
	free(words);
}

static size_t drain(int fd, char *text, size_t room)
{
	size_t length = 0;
	ssize_t got;

	while (length + 1 < room && (got = read(fd, text + length, room - 1 - length)) > 0)
		length += (size_t)got;
	text[length] = '\0';
	close(fd);
	return length;
}

static char output[OUT_MAX], errors[4096];

/* Its exit status; what it has said is in output and errors */
static int end(struct child *child)
{
	int status;

	drain(child->out, output, sizeof(output));
	drain(child->err, errors, sizeof(errors));
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static json_t *document(const char *text)
{
	json_error_t error;
	json_t *json = json_loads(text, 0, &error);

	if (!json)
		fail_msg("no JSON: %s", error.text);
	assert_string_equal(json_string_value(json_object_get(json, "schema")),
			    "pddgpu.report/1");
	return json;
}

static json_t *report(const char *line, unsigned int user)
{
	struct child child;
	int status;

	start(&child, line, user);
	status = end(&child);
	if (status)
		fail_msg("%s: status %d: %s", line, status, errors);
	return document(output);
}

static json_t *card_of(const json_t *json)
{
	json_t *card = json_array_get(json_object_get(json, "cards"), 0);

	assert_string_equal(json_string_value(json_object_get(card, "device")), pdt_pci_name());
	return card;
}

static uint64_t figure(const json_t *json, const char *name)
{
	assert_true(json_is_integer(json_object_get(json, name)));
	return (uint64_t)json_integer_value(json_object_get(json, name));
}

static json_t *of_pid(const json_t *card, const char *list, pid_t pid, const char *label)
{
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(card, list), i, one) {
		const char *is = json_string_value(json_object_get(one, "label"));

		if (json_integer_value(json_object_get(one, "pid")) == pid &&
		    (!label || (is && !strcmp(is, label))))
			return one;
	}
	return NULL;
}

static json_t *element(const json_t *list, size_t at)
{
	json_t *one = json_array_get(list, at);

	assert_non_null(one);
	return one;
}

static void what_is_on_the_card(void **state)
{
	struct pdt_state *s = *state;
	uint32_t vram, gtt, cpu;
	uint64_t sum = 0;
	json_t *json, *card, *one, *map, *value;
	size_t i;

	assert_ok(pdt_create(s->fd, 5 * PDT_MIB, PDT_VRAM, 0, &vram));
	assert_ok(pdt_create(s->fd, 3 * PDT_MIB, PDT_GTT, 0, &gtt));
	assert_ok(pdt_create(s->fd, 2 * PDT_MIB, PDT_CPU, 0, &cpu));
	assert_ok(pdt_set_label(s->fd, vram, "five"));
	json = report("report --json --for 0", 0);
	card = card_of(json);
	assert_true(json_is_false(json_object_get(card, "by_age")));
	one = of_pid(card, "owners", getpid(), NULL);
	assert_non_null(one);
	assert_u64(figure(one, "vram"), 5 * PDT_MIB);
	assert_u64(figure(one, "gtt"), 3 * PDT_MIB);
	assert_u64(figure(one, "cpu"), 2 * PDT_MIB);
	assert_u64(figure(one, "objects"), 3);
	assert_true(json_is_true(json_object_get(one, "alive")));
	one = of_pid(card, "groups", getpid(), "five");
	assert_non_null(one);
	assert_u64(figure(one, "bytes"), 5 * PDT_MIB);
	/* The map tells of each byte once */
	map = element(json_object_get(card, "map"), 0);
	json_array_foreach(json_object_get(map, "states"), i, value)
		sum += (uint64_t)json_integer_value(value);
	assert_u64(sum, figure(map, "size"));
	assert_true(figure(map, "free") < sum);
	json_decref(json);
}

static int allocate_slowly(void *arg)
{
	uint32_t handle;
	int fd = pdt_open(), i;

	(void)arg;
	for (i = 0; fd >= 0 && i < 1000; i++) {
		if (pdt_create(fd, PDT_MIB / 4, PDT_VRAM, 0, &handle))
			return 1;
		pdt_sleep_ms(50);
	}
	return 0;
}

static void memory_through_time(void **state)
{
	pid_t pid = pdt_fork(allocate_slowly, NULL);
	json_t *json, *card, *series, *points;
	size_t count;

	(void)state;
	assert_true(pid > 0);
	json = report("report --json --for 4s --interval 500ms", 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	card = card_of(json);
	count = json_array_size(json_object_get(json_object_get(card, "time"), "ms"));
	assert_true(count >= 2);
	series = element(json_object_get(json_object_get(card, "time"), "series"), 0);
	points = json_object_get(series, "vram");
	assert_int_equal(json_array_size(points), count);
	assert_true(json_integer_value(element(points, count - 1)) >
		    json_integer_value(element(points, 0)));
	json_decref(json);
}

static int leave_something(void *arg)
{
	uint32_t handle;
	int fd = pdt_open();

	(void)arg;
	pdt_sleep_ms(1500 * pdt_slow());
	return pdt_create(fd, 7 * PDT_MIB, PDT_VRAM, 0, &handle) ||
	       pdt_set_label(fd, handle, "left over");
}

static void what_is_left_to_the_kernel(void **state)
{
	struct child child;
	char line[64];
	json_t *json, *one = NULL;
	pid_t pid;

	(void)state;
	pid = pdt_fork(leave_something, NULL);
	assert_true(pid > 0);
	snprintf(line, sizeof(line), "report --json --for %us -i 200ms", 5 * pdt_slow());
	start(&child, line, 0);
	assert_int_equal(pdt_wait(pid), 0);
	assert_int_equal(end(&child), 0);
	json = document(output);
	one = of_pid(card_of(json), "log", pid, "left over");
	assert_non_null(one);
	assert_string_equal(json_string_value(json_object_get(one, "event")), "unfreed");
	assert_u64(figure(one, "bytes"), 7 * PDT_MIB);
	json_decref(json);
}

static bool is_page(const char *text)
{
	return !strncmp(text, "<!DOCTYPE html>", 15) && strstr(text, "</html>");
}

static void a_page(void **state)
{
	struct pdt_state *s = *state;
	struct child child;
	uint32_t handle;
	char *text;

	assert_ok(pdt_create(s->fd, PDT_MIB, PDT_VRAM, 0, &handle));
	assert_ok(pdt_set_label(s->fd, handle, "</script><img src=x>\x1b[m\xff\x01"));
	unlink(PAGE);
	start(&child, "report --for 1s -o " PAGE, 0);
	assert_int_equal(end(&child), 0);
	assert_string_equal(output, "");
	text = pdt_file_read(PAGE);
	assert_non_null(text);
	assert_true(is_page(text));
	assert_null(strstr(text, "<img"));
	assert_null(strchr(text, '\x1b'));
	assert_null(strstr(text, "\xff"));
	assert_non_null(strstr(text, "\\u003c/script\\u003e\\u003cimg src=x\\u003e\\u001B[m"));
	free(text);
	unlink(PAGE);
}

static void an_interrupt_ends_it(void **state)
{
	struct child child;
	char *text;

	(void)state;
	unlink(PAGE);
	start(&child, "report --for 1h -o " PAGE, 0);
	pdt_sleep_ms(3000 * pdt_slow());
	assert_int_equal(access(PAGE, F_OK), -1);
	kill(child.pid, SIGINT);
	assert_int_equal(end(&child), 0);
	text = pdt_file_read(PAGE);
	assert_non_null(text);
	assert_true(is_page(text));
	free(text);
	unlink(PAGE);
}

static int allocate_as_user(void *arg)
{
	uint32_t handle;
	int fd = pdt_open();

	(void)arg;
	if (fd < 0 || pdt_become_user(USER) || pdt_create(fd, 4 * PDT_MIB, PDT_VRAM, 0, &handle))
		return 1;
	pdt_sleep_ms(1000000);
	return 0;
}

static void an_ordinary_user(void **state)
{
	struct pdt_state *s = *state;
	json_t *json, *card, *one;
	uint32_t handle;
	pid_t pid;

	assert_ok(pdt_create(s->fd, PDT_MIB, PDT_VRAM, 0, &handle));
	assert_int_equal(chmod(pdt_render_path(), 0666), 0);
	pid = pdt_fork(allocate_as_user, NULL);
	pdt_sleep_ms(1000 * pdt_slow());
	json = report("report --json --for 0", USER);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	card = card_of(json);
	/* His own, and nobody else's */
	one = of_pid(card, "owners", pid, NULL);
	assert_non_null(one);
	assert_u64(figure(one, "vram"), 4 * PDT_MIB);
	assert_null(of_pid(card, "owners", getpid(), NULL));
	assert_int_equal(json_array_size(json_object_get(card, "map")), 0);
	assert_int_equal(json_array_size(json_object_get(json, "notes")), 1);
	assert_non_null(strstr(errors, "ordinary user"));
	json_decref(json);
}

static void a_recording(void **state)
{
	struct pdt_state *s = *state;
	struct child child;
	uint32_t handle;
	json_t *json, *one;

	assert_ok(pdt_create(s->fd, 6 * PDT_MIB, PDT_VRAM, 0, &handle));
	start(&child, "record -f -o /tmp/report.rec -n 3 -i 200ms", 0);
	assert_int_equal(end(&child), 0);
	json = report("report --json --from /tmp/report.rec", 0);
	one = of_pid(card_of(json), "owners", getpid(), NULL);
	assert_non_null(one);
	assert_u64(figure(one, "vram"), 6 * PDT_MIB);
	assert_u64(figure(json, "looks"), 3);
	json_decref(json);
	unlink("/tmp/report.rec");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(what_is_on_the_card),
		pdt_test(memory_through_time),
		pdt_test(what_is_left_to_the_kernel),
		pdt_test(a_page),
		pdt_test(an_interrupt_ends_it),
		pdt_test(an_ordinary_user),
		pdt_test(a_recording),
	};

	return pdt_run_tests("report", tests);
}
