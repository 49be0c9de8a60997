// SPDX-License-Identifier: MIT
/* What becomes of the card as a whole while programs run, and how it is put right */
#include "fuzz.h"

#include <sys/types.h>
#include <unistd.h>

static const char *const names[FZ_EVENTS] = {
	"nothing", "wedged", "all-ones", "off the bus", "removed", "unbound",
};

static const enum pdt_way ways[FZ_EVENTS] = {
	[FZ_ONES] = PDT_ONES, [FZ_BUS] = PDT_BUS, [FZ_REMOVE] = PDT_REMOVE,
	[FZ_UNBIND] = PDT_UNBIND,
};

/* Is the device, which answers then, given up? */
bool fz_wedged(void)
{
	char *text = pdt_debugfs_read("reset");
	bool wedged = text && strstr(text, "state: wedged");

	free(text);
	return wedged;
}

/*
 * May a call that nothing is wrong with be answered with -EIO? Where the device is given
 * up; and where no engine works for a while, of VRAM that the CPU does not reach.
 */
bool fz_out_of_order(void)
{
	return fz_shared->faults &&
	       (fz_shared->hidden || fz_shared->event == FZ_WEDGE || fz_wedged());
}

/* Is this file's card gone? */
bool fz_gone(int fd)
{
	struct drm_pddgpu_gem_info args = { .handle = ~0U };

	return fz_shared->event >= FZ_ONES && fz_ioctl(fd, DRM_IOCTL_PDDGPU_GEM_INFO, &args) ==
	       -ENODEV;
}

/* What happens in a round; must be known before its programs begin. */
enum fz_event fz_event_pick(bool faults, bool unplug, uint64_t random)
{
	if (unplug)
		return FZ_ONES + random % (FZ_EVENTS - FZ_ONES);
	if (faults && !(random & 3))
		return random & 4 ? FZ_WEDGE : FZ_ONES;
	return FZ_NOTHING;
}

static int bind_anew(void)
{
	char answer[256];
	int rc = pdt_control("clear", answer, sizeof(answer));

	if (!rc)
		rc = pdt_file_write("/sys/bus/pci/drivers/pddgpu/unbind", pdt_pci_name());
	if (!rc)
		rc = pdt_file_write("/sys/bus/pci/drivers/pddgpu/bind", pdt_pci_name());
	return rc ? rc : pdt_wait_for_card();
}

static int wedge(void)
{
	char answer[256];
	uint64_t end = pdt_now_ms() + 20000 * pdt_slow();
	int rc = pdt_control("fail-reset 1000000", answer, sizeof(answer));

	while (!rc && !fz_wedged()) {
		if (pdt_now_ms() > end)
			return -ETIME;
		pdt_debugfs_write("reset", "1");
		/* A program may have ended the fault */
		rc = pdt_control("fail-reset 1000000", answer, sizeof(answer));
	}
	return rc;
}

/*
 * In a process of its own, since it may take for ever. The card is away for a
 * while, so that programs meet it; who was first to notice is left to them too.
 */
static int happen(enum fz_event event, unsigned int ms)
{
	int rc, fd;

	if (event == FZ_WEDGE) {
		rc = wedge();
		pdt_sleep_ms(ms);
		return rc ? rc : bind_anew();
	}
	fd = pdt_open();
	rc = pdt_take_away(ways[event]);
	pdt_sleep_ms(ms);
	/* It must not come back before the driver knows that it was away */
	if (!rc && fd >= 0 && !fz_gone(fd))
		fz_fail("%s: the card is not gone", names[event]);
	close(fd);
	return rc ? rc : pdt_bring_back(ways[event]);
}

/**
 * fz_event_start() - let it happen
 * @event: what
 * @random: for how long
 *
 * Return: a process to be waited for, whose exit status is 0.
 */
pid_t fz_event_start(enum fz_event event, uint64_t random)
{
	pid_t pid = fork();
	int rc;

	if (pid)
		return pid;
	rc = happen(event, (unsigned int)(random % (random & 1 << 20 ? 20 : 400)));
	fz_shared->bound++;
	if (rc)
		fz_fail("%s: the card did not go and come: %s", names[event], strerror(-rc));
	_exit(rc ? 3 : 0);
}

/* After a round: no fault is left, and the card works. */
int fz_event_mend(void)
{
	char answer[256];
	int rc = pdt_control("clear", answer, sizeof(answer));

	if (rc || !fz_wedged())
		return rc;
	return bind_anew();
}
