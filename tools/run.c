// SPDX-License-Identifier: MIT
/*
 * Runs a program in a session of its own, so that the driver's word on who allocated a
 * buffer tells whether it was this program, or what it has started.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "out.h"
#include "run.h"

#define CANNOT_RUN	126
#define NOT_THERE	127
#define TICK_MS		500
#define GRACE_TICK_MS	20

/* What is passed on to the program, as far as nobody has chosen to ignore it */
static const int passed_on[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void signals_of(sigset_t *set)
{
	struct sigaction action;
	size_t i;

	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	for (i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		if (!sigaction(passed_on[i], NULL, &action) && action.sa_handler != SIG_IGN)
			sigaddset(set, passed_on[i]);
}

static void __attribute__((noreturn))
become(char **argv, const sigset_t *mask, int tell, pid_t parent)
{
	int error;

	/* Who kills us with SIGKILL means the program, which is out of his group's reach */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(CANNOT_RUN);
	setsid();
	out_signals_back();
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(argv[0], argv);
	error = errno;
	if (write(tell, &error, sizeof(error)) != sizeof(error))
		_exit(CANNOT_RUN);
	_exit(NOT_THERE);
}

/* 0, or the errno for which it could not be started */
static int start(struct run *run, const sigset_t *mask)
{
	int ends[2], error = 0;
	pid_t self = getpid();

	if (pipe2(ends, O_CLOEXEC))
		return errno;
	out_flush();
	run->session = fork();
	if (!run->session)
		become(run->argv, mask, ends[1], self);
	if (run->session < 0)
		error = errno;
	close(ends[1]);
	while (!error && read(ends[0], &error, sizeof(error)) < 0 && errno == EINTR)
		;
	close(ends[0]);
	if (error && run->session > 0)
		waitpid(run->session, NULL, 0);
	return error;
}

/*
 * By its line in /proc/PID/stat, behind the name, which may hold anything. One that has
 * ended does not count, unless it is but the first of its threads that has.
 */
static bool is_of_session(const char *pid, pid_t session)
{
	char path[64], text[1024], state;
	long found, threads;
	const char *at;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[got > 0 ? got : 0] = '\0';
	at = strrchr(text, ')');
	return at &&
	       sscanf(at + 1, " %c %*s %*s %ld %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
		      " %ld", &state, &found, &threads) == 3 &&
	       found == session && ((state != 'Z' && state != 'X') || threads > 1);
}

static unsigned int count_session(pid_t session)
{
	DIR *folder = opendir("/proc");
	const struct dirent *entry;
	unsigned int count = 0;

	if (!folder)
		return 0;
	while ((entry = readdir(folder)))
		if (isdigit((unsigned char)entry->d_name[0]))
			count += is_of_session(entry->d_name, session);
	closedir(folder);
	return count;
}

/* All that have ended: others' children come here when those have ended. */
static bool reap(struct run *run)
{
	bool ended = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != run->session)
			continue;
		ended = true;
		run->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
		run->status = run->signal ? 128 + run->signal : WEXITSTATUS(status);
	}
	return ended;
}

static void follow(struct run *run, const sigset_t *signals)
{
	uint64_t until = 0;
	bool ended = false;

	while (1) {
		const struct timespec wait = {
			.tv_nsec = (ended ? GRACE_TICK_MS : TICK_MS) * 1000000L,
		};
		int number = sigtimedwait(signals, NULL, &wait);

		if (number > 0 && number != SIGCHLD) {
			/* As the terminal would: to all of the program's group */
			kill(-run->session, number);
			if (ended)
				until = 0;
		}
		if (reap(run)) {
			ended = true;
			until = now_ms() + run->grace_ms;
		}
		if (run->tick && number < 0)
			run->tick(run->data);
		if (!ended)
			continue;
		run->running = count_session(run->session);
		if (!run->running || now_ms() >= until)
			return;
	}
}

int run_program(struct run *run)
{
	sigset_t signals, mask;
	int error;

	signals_of(&signals);
	sigprocmask(SIG_BLOCK, &signals, &mask);
	/* Those whose parents end are to be waited for as well */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	error = start(run, &mask);
	if (!error)
		follow(run, &signals);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	if (!error)
		return -1;
	out_say("leaks: %s: %s", run->argv[0], strerror(error));
	return error == ENOENT ? NOT_THERE : CANNOT_RUN;
}
