// SPDX-License-Identifier: MIT
/*
 * Fuzz target: the program at its sockets. Its clients, QEMUs and controls, come
 * and go at any moment, send anything in any pieces, and do not read what they are
 * sent. An input is a byte of options, and then steps: a byte that says what a
 * client does, a byte that says which client and how much, and the data.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "device_fuzz.h"
#include "device_target.h"
#include "program.h"

#define CLIENTS		20	/* more than the control channel takes */
#define STEPS_MAX	200

static struct program program;
static char folder[32];
static char socket_path[64], control_path[64];
static int client[CLIENTS];

static void step(void)
{
	if (!program.end)
		program_step(&program, 0);
}

/* Little room for answers, so that they have to wait */
static void shrink(void)
{
	int room = 0;

	for (int i = 0; i < CONTROL_CLIENTS; i++)
		if (program.control.client[i].fd >= 0)
			setsockopt(program.control.client[i].fd, SOL_SOCKET, SO_SNDBUF,
				   &room, sizeof(room));
}

static int come(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	if (fd < 0)
		fuzz_die("no socket");
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		/* Too many wait already, or the program has ended */
		close(fd);
		return -1;
	}
	return fd;
}

static void leave(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* With a descriptor, which nobody has asked for */
static void send_fd(int fd, const uint8_t *data, size_t size)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = size };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.bytes, .msg_controllen = sizeof(control.bytes),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	if (sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		errno = 0;
}

static void empty(int fd)
{
	char ignored[4096];

	while (recv(fd, ignored, sizeof(ignored), MSG_DONTWAIT) > 0)
		;
}

enum act {
	ACT_GUEST, ACT_CONTROL, ACT_SEND, ACT_SEND_LINE, ACT_LEAVE, ACT_SHUT_WRITE,
	ACT_SHUT_READ, ACT_READ, ACT_RUN, ACT_DOORBELL, ACT_FD, ACTS,
};

/* How much of the input it has used */
static size_t act(enum act what, int *fd, const uint8_t *data, size_t size)
{
	uint64_t one = 1;

	switch (what) {
	case ACT_GUEST:
	case ACT_CONTROL:
		leave(fd);
		*fd = come(what == ACT_GUEST ? socket_path : control_path);
		return 0;
	case ACT_SEND:
	case ACT_SEND_LINE:
		if (*fd >= 0 && send(*fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 &&
		    what == ACT_SEND_LINE &&
		    send(*fd, "\n", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			errno = 0;
		count_one();
		return size;
	case ACT_LEAVE:
		leave(fd);
		return 0;
	case ACT_SHUT_WRITE:
	case ACT_SHUT_READ:
		if (*fd >= 0)
			shutdown(*fd, what == ACT_SHUT_WRITE ? SHUT_WR : SHUT_RD);
		return 0;
	case ACT_READ:
		if (*fd >= 0)
			empty(*fd);
		return 0;
	case ACT_DOORBELL:
		if (write(program.chip.doorbell, &one, sizeof(one)) < 0)
			fuzz_die("a doorbell cannot be rung");
		return 0;
	case ACT_FD:
		if (*fd >= 0)
			send_fd(*fd, data, size);
		return size;
	default:
		return 0;
	}
}

/* A new client of the control channel is served at once. */
static void check_answers(void)
{
	static const char line[] = "info\n";
	char answer[1024] = { 0 };
	ssize_t n = 0;
	int fd;

	/* Those who fill the channel make room for it */
	for (int i = 0; i < CLIENTS; i++)
		leave(&client[i]);
	for (int i = 0; i < 2 * CLIENTS; i++)
		step();
	if (program.end)
		return;
	fd = come(control_path);
	if (fd < 0 || send(fd, line, sizeof(line) - 1, MSG_NOSIGNAL) < 0)
		fuzz_die("nobody can connect any more");
	for (int i = 0; i < 3; i++)
		step();
	n = recv(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT);
	fuzz_check(n > 0 && !memcmp(answer, "ok chip=", 8), "'%s'", answer);
	close(fd);
	step();
}

static void begin(bool persist)
{
	signal(SIGPIPE, SIG_IGN);
	strcpy(folder, "/tmp/pddgpu-fuzz.XXXXXX");
	if (!mkdtemp(folder))
		fuzz_die("%s cannot be made", folder);
	snprintf(socket_path, sizeof(socket_path), "%s/socket", folder);
	snprintf(control_path, sizeof(control_path), "%s/control", folder);
	memset(&program, 0, sizeof(program));
	program.options = (struct options) {
		.chip_id = PDDGPU_CHIP_PDD1000, .chip_name = "PDD1000",
		.vram_size = 2 * MIB, .visible_size = 1 * MIB,
		.gtt_size = 8 * MIB, .pcie_mem_size = 8 * MIB,
		.socket_path = socket_path, .control_path = control_path,
		.persist = persist,
	};
	program.signals = -1;
	if (program_open(&program))
		fuzz_die("the program does not start");
	/* On, but without the engines' threads, which have nothing to do here */
	chip_power_cycle(&program.chip);
	for (int i = 0; i < CLIENTS; i++)
		client[i] = -1;
}

static int open_files(void)
{
	int fd = dup(0);

	if (fd >= 0)
		close(fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int before = open_files();

	if (!size)
		return 0;
	begin(data[0] & 1);
	data++;
	size--;
	for (int i = 0; i < STEPS_MAX && size >= 2 && !program.end; i++) {
		size_t length = data[1] >> 5 ? 1u << (data[1] >> 5) : 0;
		size_t left = size - 2;
		int *fd = &client[data[1] % 32 % CLIENTS];
		size_t used;

		/* 128 stands for as much as there is: more than a line */
		if (length > left || length == 128)
			length = left;
		used = act(data[0] % ACTS, fd, data + 2, length);
		if (!(data[0] & 0x80))
			step();
		if (data[0] % ACTS == ACT_CONTROL)
			shrink();
		data += 2 + used;
		size = left - used;
	}
	check_answers();
	program_close(&program);
	for (int i = 0; i < CLIENTS; i++)
		leave(&client[i]);
	rmdir(folder);
	fuzz_check(access(socket_path, F_OK) && access(control_path, F_OK),
		   "a socket was left behind");
	fuzz_check(open_files() == before, "files were left open");
	return 0;
}
