// SPDX-License-Identifier: MIT
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ivshmem.h"
#include "log.h"
#include "program.h"

enum {
	POLL_SIGNAL,
	POLL_DOORBELL,
	POLL_LISTENER,
	POLL_GUEST,
	POLL_CONTROL,
	POLL_COUNT = POLL_CONTROL + CONTROL_POLL_FDS,
};

/**
 * program_open() - make the chip and its sockets; the chip is off still
 * @p: zeroed but for the options and the signalfd
 *
 * Return: 0, or -1 after a message; program_close() is due in both cases.
 */
int program_open(struct program *p)
{
	p->guest = -1;
	if (chip_init(&p->chip, &p->options))
		return -1;
	p->has_sockets = true;
	/* Both are called, since both are closed in any case */
	return (listener_open(&p->listener, p->options.socket_path) |
		control_open(&p->control, &p->chip, p->options.control_path)) ? -1 : 0;
}

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

/**
 * program_step() - wait for something, and do what it asks for
 * @p: the program
 * @timeout: for how long, in milliseconds; -1: as long as it takes
 */
void program_step(struct program *p, int timeout)
{
	struct pollfd fds[POLL_COUNT];

	fds[POLL_SIGNAL] = (struct pollfd) { p->signals, POLLIN, 0 };
	fds[POLL_DOORBELL] = (struct pollfd) { p->chip.doorbell, POLLIN, 0 };
	fds[POLL_LISTENER] = (struct pollfd) { p->listener.fd, POLLIN, 0 };
	fds[POLL_GUEST] = (struct pollfd) { p->guest, POLLIN, 0 };
	control_prepare(&p->control, fds + POLL_CONTROL);
	if (poll(fds, POLL_COUNT, timeout) < 0)
		return;
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
		p->status = PROGRAM_DIED;
		p->end = true;
	}
}

/**
 * program_close() - end the engines, close everything
 * @p: the program, also one whose program_open() failed
 */
void program_close(struct program *p)
{
	if (p->has_sockets) {
		control_close(&p->control);
		listener_close(&p->listener);
	}
	chip_fini(&p->chip);
	if (p->guest >= 0)
		close(p->guest);
	p->guest = -1;
}
