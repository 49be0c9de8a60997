// SPDX-License-Identifier: MIT
/* What calls have in common: slots, pointers, ioctls. */
#include "fuzz.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

char fz_nodes[FZ_NODES][64];

/* Now, so that no memory is needed for it later, while mappings come and go. */
bool fz_nodes_find(void)
{
	static const char *const drivers[FZ_NODES] = { "pddgpu", "pddgpu", "vgem", "vgem" };
	char link[64];

	for (int i = 0; i < FZ_NODES; i++) {
		int fd = pdt_open_card(drivers[i], i == FZ_RENDER || i == FZ_VGEM_RENDER);
		ssize_t n = -1;

		fz_nodes[i][0] = '\0';
		if (fd < 0)
			continue;
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, fz_nodes[i], sizeof(fz_nodes[i]) - 1);
		fz_nodes[i][n < 0 ? 0 : n] = '\0';
		close(fd);
	}
	return fz_nodes[FZ_RENDER][0];
}

int fz_slot_get(_Atomic uint64_t *slot, uint32_t *age)
{
	uint64_t value = *slot;

	if (age)
		*age = (uint32_t)(value >> 32);
	return (int)(uint32_t)value;
}

/* What was there is closed, by nobody else. */
void fz_slot_put(_Atomic uint64_t *slot, int fd)
{
	uint64_t old = *slot, fresh;

	do {
		fresh = ((old >> 32) + 1) << 32 | (uint32_t)fd;
	} while (!atomic_compare_exchange_weak(slot, &old, fresh));
	if ((int)(uint32_t)old >= 0)
		close((int)(uint32_t)old);
}

int fz_file(struct fz_lane *lane, uint64_t arg, uint32_t *age)
{
	return fz_slot_get(&lane->state->file[arg % FZ_FILES], age);
}

int fz_fd(struct fz_lane *lane, uint64_t arg)
{
	/* Another kind of file may be there by the time of the call */
	return fz_slot_get(&lane->state->fd[arg % FZ_FDS], NULL);
}

uint32_t fz_handle(struct fz_lane *lane, uint64_t file, uint64_t arg)
{
	if (arg & FZ_LITERAL)
		return (uint32_t)arg;
	return lane->state->handle[file % FZ_FILES][arg % FZ_HANDLES];
}

uint32_t fz_sync(struct fz_lane *lane, uint64_t file, uint64_t arg)
{
	if (arg & FZ_LITERAL)
		return (uint32_t)arg;
	return lane->state->sync[file % FZ_FILES][arg % FZ_SYNCS];
}

/* A pointer to what is @good, or to what is not. */
void *fz_pointer(struct fz_lane *lane, uint64_t how, const void *good, size_t bytes)
{
	size_t room = bytes < FZ_SCRATCH ? bytes : FZ_SCRATCH;

	switch (how % FZ_POINTERS) {
	case FZ_NULL:
		return NULL;
	case FZ_UNMAPPED:
		return lane->scratch + FZ_SCRATCH;
	case FZ_KERNEL:
		return (void *)0xffff888000001000ULL;
	case FZ_READONLY:
		memcpy(lane->scratch, good, room);
		return lane->readonly;
	case FZ_CUT:
		/* Its second half is not there */
		room = (bytes + 1) / 2 < FZ_SCRATCH ? (bytes + 1) / 2 : FZ_SCRATCH;
		memcpy(lane->scratch + FZ_SCRATCH - room, good, room);
		return lane->scratch + FZ_SCRATCH - room;
	case FZ_MAPPING:
		return fz_map(lane, how / FZ_POINTERS, 0);
	case FZ_WILD:
		return (void *)0x8000000000001001ULL;
	default:
		/* At its end more of it is not there either */
		memcpy(lane->scratch + FZ_SCRATCH - room, good, room);
		return lane->scratch + FZ_SCRATCH - room;
	}
}

/* 0, a count, or a negative errno; never repeated */
int fz_ioctl(int fd, unsigned long request, void *arg)
{
	int rc = ioctl(fd, request, arg);

	atomic_fetch_add_explicit(&fz_shared->ioctls, 1, memory_order_relaxed);
	return rc < 0 ? -errno : rc;
}

/* On a DRM file, which another thread may close or exchange meanwhile */
int fz_file_ioctl(struct fz_lane *lane, uint64_t file, unsigned long request, void *arg)
{
	uint32_t before, after;
	int fd = fz_file(lane, file, &before);
	int rc = fz_ioctl(fd, request, arg);

	fz_file(lane, file, &after);
	lane->unstable = before != after || fd < 0 || file % FZ_FILES >= FZ_OTHER;
	return rc;
}

unsigned char *fz_map(struct fz_lane *lane, uint64_t arg, uint64_t offset)
{
	return lane->state->zone + arg % FZ_MAPS * FZ_MAP_BYTES + offset % FZ_MAP_BYTES;
}

uint64_t fz_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Mostly what is over; or a little ahead, seldom as much as 10 ms */
int64_t fz_deadline(uint64_t arg)
{
	int64_t ns = (int64_t)fz_now_ns();

	if (arg & 1)
		return (int64_t)arg < ns ? (int64_t)arg : ns;
	return ns + (int64_t)(arg >> 1) % (arg & 2 ? 10000000 : 200000);
}
