// SPDX-License-Identifier: MIT
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chip.h"
#include "control.h"
#include "ivshmem.h"
#include "listener.h"
#include "log.h"
#include "options.h"

#define EXIT_USAGE	2
#define EXIT_DIED	3

enum {
	POLL_SIGNAL,
	POLL_DOORBELL,
	POLL_LISTENER,
	POLL_GUEST,
	POLL_CONTROL,
	POLL_COUNT = POLL_CONTROL + CONTROL_POLL_FDS,
};

/**
 * struct program - everything that the program has
 * @options: the command line
 * @chip: the chip
 * @control: the control channel
 * @listener: where QEMU connects
 * @guest: QEMU's connection; -1: none
 * @signals: signalfd
 * @end: the program is to end
 * @status: its exit status
 */
struct program {
	struct options options;
	struct chip chip;
	struct control control;
	struct listener listener;
	int guest;
	int signals;
	bool end;
	int status;
};

static struct program program;

static void guest_gone(struct program *p)
{
	log_info("guest gone");
	close(p->guest);
	p->guest = -1;
	p->control.guest = false;
	if (p->options.persist)
		chip_power_cycle(&p->chip);
	else
		p->end = true;
}

static void accept_guest(struct program *p)
{
	int fd = listener_accept(&p->listener);

	if (fd < 0)
		return;
	if (p->guest >= 0) {
		log_error("a second guest was turned away");
		close(fd);
		return;
	}
	p->guest = fd;
	p->control.guest = true;
	log_info("guest connected");
	if (ivshmem_greet(fd, &p->chip))
		guest_gone(p);
}

/* A guest says nothing on its connection; only the end of it counts. */
static void listen_to_guest(struct program *p)
{
	char ignored[256];
	ssize_t n = recv(p->guest, ignored, sizeof(ignored), MSG_DONTWAIT);

	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	guest_gone(p);
}

static void run(struct program *p)
{
	struct pollfd fds[POLL_COUNT];

	while (!p->end) {
		fds[POLL_SIGNAL] = (struct pollfd) { p->signals, POLLIN, 0 };
		fds[POLL_DOORBELL] = (struct pollfd) { p->chip.doorbell, POLLIN, 0 };
		fds[POLL_LISTENER] = (struct pollfd) { p->listener.fd, POLLIN, 0 };
		fds[POLL_GUEST] = (struct pollfd) { p->guest, POLLIN, 0 };
		control_prepare(&p->control, fds + POLL_CONTROL);
		if (poll(fds, POLL_COUNT, -1) < 0)
			continue;
		if (fds[POLL_SIGNAL].revents)
			p->end = true;
		if (fds[POLL_DOORBELL].revents)
			chip_doorbell(&p->chip);
		if (fds[POLL_GUEST].revents)
			listen_to_guest(p);
		if (fds[POLL_LISTENER].revents)
			accept_guest(p);
		control_handle(&p->control, fds + POLL_CONTROL);
		if (p->control.die) {
			p->status = EXIT_DIED;
			p->end = true;
		}
	}
}

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

static int start(struct program *p)
{
	int failed = listener_open(&p->listener, p->options.socket_path);

	/* Both are called, since both are closed in any case */
	failed |= control_open(&p->control, &p->chip, p->options.control_path);
	return failed ? -1 : chip_start(&p->chip);
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
	p->guest = -1;
	p->signals = catch_signals();
	if (p->signals < 0)
		return EXIT_FAILURE;

	if (chip_init(&p->chip, &p->options)) {
		p->status = EXIT_FAILURE;
	} else {
		if (start(p))
			p->status = EXIT_FAILURE;
		else
			run(p);
		control_close(&p->control);
		listener_close(&p->listener);
	}
	chip_fini(&p->chip);
	if (p->guest >= 0)
		close(p->guest);
	close(p->signals);
	return p->status;
}
