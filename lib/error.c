// SPDX-License-Identifier: MIT
/* Words for errors, and the version. */
#include <string.h>

#include "internal.h"

static const struct {
	int error;
	const char *text;
} texts[] = {
	{ 0, "no error" },
	{ EPERM, "the kernel does not allow it, not even to root (lockdown)" },
	{ ENOENT, "there is no such card, buffer or file" },
	{ EINTR, "interrupted by a signal" },
	{ EIO, "the card is in an error state: the job faulted, or the device is wedged "
	       "and has to be bound to its driver anew" },
	{ E2BIG, "too large, even if all else were empty" },
	{ EBADF, "not an open file" },
	{ EAGAIN, "the queue is full, and the file is non-blocking" },
	{ ENOMEM, "there is no room for it now" },
	{ EACCES, "not allowed: only root, or the group of the device file, may do that" },
	{ EBUSY, "the buffer has to stay where it is" },
	{ ENODEV, "this is not a PDDGPU card, or it has gone" },
	{ EINVAL, "an argument that can never be right" },
	{ ENFILE, "too many open files in the system" },
	{ EMFILE, "too many open files in this process" },
	{ ERANGE, "out of range" },
	{ EPROTO, "the driver's text makes no sense to this library" },
	{ EOVERFLOW, "too large for this process's addresses" },
	{ EOPNOTSUPP, "this driver cannot do that: it may be older than the program" },
	{ ENOBUFS, "too many events at once: some are lost" },
	{ ETIME, "it took too long" },
	{ ECANCELED, "the chip was reset before the job was done" },
	{ EDQUOT, "more would be unpageable than is allowed" },
};

const char *pddgpu_strerror(int error)
{
	const char *text;
	size_t i;

	/* -INT_MIN is no number; nor is it an error. */
	if (error < 0 && error >= -4095)
		error = -error;
	for (i = 0; i < PDDI_ARRAY_SIZE(texts); i++)
		if (texts[i].error == error)
			return texts[i].text;
	text = strerrordesc_np(error);
	return text ? text : "unknown error";
}

const char *pddgpu_version(void)
{
	return PDDGPU_VERSION;
}
