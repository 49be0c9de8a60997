// SPDX-License-Identifier: MIT
/*
 * The process that reads files, what is asked of it, and what it has said.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "out.h"
#include "symbols.h"

/* For one place, a file that has to be read for it included */
#define ANSWER_MS	5000
#define NOBODY		65534
#define SLOTS		1024
/* That of the process, where nothing else is open but the standard files */
#define SOCKET		(STDERR_FILENO + 1)

/**
 * struct question - what goes to the process; the answer is text
 */
struct question {
	uint64_t offset;
	char path[sizeof(((struct drm_pddgpu_frame *)NULL)->name) + 1];
};

/* What is known of a frame; and of a file, that it is not to be read again */
struct known {
	struct known *next;
	struct drm_pddgpu_frame frame;
	char *text;
};

struct symbols {
	struct known *slots[SLOTS];
	struct known *bad;
	pid_t pid;
	int socket;
	bool failed;
};

struct symbols *symbols_new(void)
{
	struct symbols *symbols = calloc(1, sizeof(*symbols));

	if (symbols)
		symbols->socket = -1;
	return symbols;
}

/* ---- the process ---- */

/*
 * It reads what any file says and need not be trusted: as root, it keeps the right to
 * read, and nothing else.
 */
static void drop_rights(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = 1 << CAP_DAC_READ_SEARCH, .permitted = 1 << CAP_DAC_READ_SEARCH },
	};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (geteuid())
		return;
	prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	if (syscall(SYS_setgroups, 0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		return;
	syscall(SYS_capset, &header, data);
}

static void limit(void)
{
	static const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	setrlimit(RLIMIT_FSIZE, &none);
#if !defined(__SANITIZE_ADDRESS__)
	{
		static const struct rlimit memory = { 1ULL << 32, 1ULL << 32 };

		setrlimit(RLIMIT_AS, &memory);
	}
#endif
}

/* Cards that it holds open would be kept from going */
static void keep_only(int socket)
{
	int null = open("/dev/null", O_RDWR);

	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (socket != SOCKET)
		dup2(socket, SOCKET);
	close_range(SOCKET + 1, ~0U, 0);
}

static void __attribute__((noreturn)) serve(int socket, pid_t parent)
{
	char text[SYMBOLS_TEXT_MAX];
	struct question question;
	struct elves *elves;

	keep_only(socket);
	/* From the terminal: what started it decides when it ends */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	limit();
	drop_rights();
	/* Whoever becomes another user loses what was asked for before */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	/* Only one ever asks, and it has closed its end when it is gone */
	elves = elves_new();
	while (elves && recv(SOCKET, &question, sizeof(question), 0) == sizeof(question)) {
		question.path[sizeof(question.path) - 1] = '\0';
		elves_find(elves, question.path, question.offset, text);
		if (send(SOCKET, text, strlen(text) + 1, MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

static void stop(struct symbols *symbols)
{
	if (symbols->socket < 0)
		return;
	close(symbols->socket);
	symbols->socket = -1;
	kill(symbols->pid, SIGKILL);
	while (waitpid(symbols->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static bool start(struct symbols *symbols)
{
	int ends[2];
	pid_t parent;

	if (symbols->socket >= 0)
		return true;
	if (symbols->failed || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return false;
	out_flush();
	parent = getpid();
	symbols->pid = fork();
	if (!symbols->pid) {
		close(ends[0]);
		serve(ends[1], parent);
	}
	close(ends[1]);
	if (symbols->pid < 0) {
		close(ends[0]);
		symbols->failed = true;
		return false;
	}
	symbols->socket = ends[0];
	return true;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Bytes of the answer; less than 1: there is none, and the process is no more */
static ssize_t answer(struct symbols *symbols, const struct question *question, char *text)
{
	struct pollfd pollfd = { .fd = symbols->socket, .events = POLLIN };
	int64_t until = now_ms() + ANSWER_MS, left;
	ssize_t got = -1;

	if (send(symbols->socket, question, sizeof(*question), MSG_NOSIGNAL) ==
	    (ssize_t)sizeof(*question)) {
		while ((left = until - now_ms()) > 0 && poll(&pollfd, 1, (int)left) < 0 &&
		       errno == EINTR)
			;
		if (pollfd.revents)
			got = recv(symbols->socket, text, SYMBOLS_TEXT_MAX, MSG_DONTWAIT);
	}
	if (got > 0)
		text[got - 1] = '\0';
	else
		stop(symbols);
	return got;
}

/* ---- what has been said ---- */

static void put_known(struct known **list, const struct drm_pddgpu_frame *frame, char *text)
{
	struct known *known = out_need(calloc(1, sizeof(*known)));

	known->frame = *frame;
	known->text = text;
	known->next = *list;
	*list = known;
}

static struct known **slot_of(struct symbols *symbols, const struct drm_pddgpu_frame *frame)
{
	uint64_t value = frame->offset * 0x9e3779b97f4a7c15;
	const char *at = frame->name;

	while (*at)
		value = (value ^ (unsigned char)*at++) * 0x100000001b3;
	return &symbols->slots[(value ^ value >> 32) % SLOTS];
}

static char *plainly(const struct drm_pddgpu_frame *frame)
{
	const char *name = frame->name;
	char *text;

	if (frame->kind == PDDGPU_FRAME_USER && strrchr(name, '/'))
		name = strrchr(name, '/') + 1;
	if (!*name)
		return out_need(strdup("?"));
	if (asprintf(&text, "%s+0x%llx", name, (unsigned long long)frame->offset) < 0)
		out_need(NULL);
	return text;
}

static bool is_bad(const struct symbols *symbols, const char *path)
{
	const struct known *known;

	for (known = symbols->bad; known; known = known->next)
		if (!strcmp(known->frame.name, path))
			return true;
	return false;
}

/* NULL: it is not known */
static char *ask(struct symbols *symbols, const struct drm_pddgpu_frame *frame)
{
	struct question question = { .offset = frame->offset };
	char text[SYMBOLS_TEXT_MAX];
	const char *file;
	char *found;

	/* Where only the end of the path is known, it is not this one's to guess */
	if (frame->kind != PDDGPU_FRAME_USER || frame->name[0] != '/' ||
	    is_bad(symbols, frame->name) || !start(symbols))
		return NULL;
	snprintf(question.path, sizeof(question.path), "%s", frame->name);
	if (answer(symbols, &question, text) <= 0) {
		put_known(&symbols->bad, frame, NULL);
		return NULL;
	}
	if (!*text)
		return NULL;
	file = strrchr(frame->name, '/') + 1;
	/* "(file.c:12)" says it; where that is not known, one wants to know which library */
	if (text[strlen(text) - 1] == ')')
		return out_need(strdup(text));
	if (asprintf(&found, "%s (%s)", text, file) < 0)
		out_need(NULL);
	return found;
}

const char *symbols_frame(struct symbols *symbols, const struct drm_pddgpu_frame *given)
{
	struct drm_pddgpu_frame frame = *given;
	struct known **list, *known;
	char *text;

	frame.name[sizeof(frame.name) - 1] = '\0';
	list = slot_of(symbols, &frame);
	for (known = *list; known; known = known->next)
		if (known->frame.offset == frame.offset && known->frame.kind == frame.kind &&
		    !strcmp(known->frame.name, frame.name))
			return known->text;
	text = ask(symbols, &frame);
	if (!text)
		text = plainly(&frame);
	put_known(list, &frame, text);
	return text;
}

static void free_known(struct known *known)
{
	while (known) {
		struct known *next = known->next;

		free(known->text);
		free(known);
		known = next;
	}
}

void symbols_free(struct symbols *symbols)
{
	size_t i;

	if (!symbols)
		return;
	stop(symbols);
	for (i = 0; i < SLOTS; i++)
		free_known(symbols->slots[i]);
	free_known(symbols->bad);
	free(symbols);
}
