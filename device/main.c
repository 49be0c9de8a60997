// SPDX-License-Identifier: MIT
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "program.h"

#define EXIT_USAGE	2

static struct program program;

/* Blocked before there is a second thread, so that all inherit it. */
static int catch_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		log_error("signalfd: %s", strerror(errno));
	return fd;
}

int main(int argc, char **argv)
{
	struct program *p = &program;

	switch (options_parse(&p->options, argc, argv)) {
	case OPTIONS_DONE:
		return EXIT_SUCCESS;
	case OPTIONS_BAD:
		return EXIT_USAGE;
	case OPTIONS_RUN:
		break;
	}
	log_set_verbose(p->options.verbose);
	umask(077);
	p->signals = catch_signals();
	if (p->signals < 0)
		return EXIT_FAILURE;

	if (program_open(p) || chip_start(&p->chip))
		p->status = EXIT_FAILURE;
	else
		while (!p->end)
			program_step(p, -1);
	program_close(p);
	close(p->signals);
	return p->status;
}
