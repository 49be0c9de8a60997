// SPDX-License-Identifier: MIT
/* The ivshmem server's protocol: messages of 8 bytes, some with a descriptor. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "ivshmem.h"
#include "log.h"

#define IVSHMEM_PROTOCOL_VERSION	0
#define IVSHMEM_SHARED_MEMORY		(-1)

static bool send_message(int connection, int64_t value, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	int64_t wire = htole64(value);
	struct iovec iov = { .iov_base = &wire, .iov_len = sizeof(wire) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	return sendmsg(connection, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(wire);
}

/* Which eventfd a doorbell rings; those without a meaning ring nobody. */
static int doorbell_fd(const struct chip *chip, int number)
{
	switch (number) {
	case PDDGPU_DOORBELL_CONTROL:
		return chip->doorbell;
	case PDDGPU_DOORBELL_ENGINE0:
		return chip->engine[0].doorbell;
	case PDDGPU_DOORBELL_ENGINE1:
		return chip->engine[1].doorbell;
	default:
		return chip->spare_doorbell;
	}
}

/**
 * ivshmem_greet() - tell a QEMU that has connected all it needs
 * @connection: the connection
 * @chip: the chip
 *
 * Return: 0, or -1 after a message.
 */
int ivshmem_greet(int connection, const struct chip *chip)
{
	bool ok = send_message(connection, IVSHMEM_PROTOCOL_VERSION, -1) &&
		  send_message(connection, PDDGPU_PEER_GUEST, -1) &&
		  send_message(connection, IVSHMEM_SHARED_MEMORY, chip->mem.bar_fd);

	for (int i = 0; ok && i < PDDGPU_NUM_VECTORS; i++)
		ok = send_message(connection, PDDGPU_PEER_DEVICE, doorbell_fd(chip, i));
	for (int i = 0; ok && i < PDDGPU_NUM_VECTORS; i++)
		ok = send_message(connection, PDDGPU_PEER_GUEST, chip->irq.vector[i]);
	if (!ok) {
		log_error("the guest's connection failed: %s", strerror(errno));
		return -1;
	}
	return 0;
}
