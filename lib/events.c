// SPDX-License-Identifier: MIT
/* The kernel's events, by libudev. They need no daemon: the kernel itself sends them. */
#include <limits.h>
#include <poll.h>
#include <stdlib.h>

#include <libudev.h>

#include "internal.h"

/* As many as come while nobody looks; more than the kernel gives is not had. */
#define RECEIVE_BYTES	(1 << 20)

struct pddgpu_events {
	struct udev *udev;
	struct udev_monitor *monitor;
	struct pddi_cards cards;
};

static int listen_open(struct pddgpu_events *events)
{
	int ret;

	events->udev = udev_new();
	if (!events->udev)
		return -ENOMEM;
	errno = ENOMEM;
	events->monitor = udev_monitor_new_from_netlink(events->udev, "kernel");
	if (!events->monitor)
		return -errno;
	ret = udev_monitor_filter_add_match_subsystem_devtype(events->monitor, "drm", NULL);
	if (ret < 0)
		return ret;
	udev_monitor_set_receive_buffer_size(events->monitor, RECEIVE_BYTES);
	ret = udev_monitor_enable_receiving(events->monitor);
	return ret < 0 ? ret : 0;
}

int pddgpu_events_open(struct pddgpu_events **out)
{
	struct pddgpu_events *events = calloc(1, sizeof(*events));
	int ret;

	if (!events)
		return -ENOMEM;
	/* First listen and then look, so that no card is missed in between. */
	ret = listen_open(events);
	if (!ret)
		ret = pddi_cards_init(&events->cards, &pddi_system);
	if (ret)
		pddgpu_events_close(events);
	else
		*out = events;
	return ret;
}

int pddgpu_events_fd(const struct pddgpu_events *events)
{
	return udev_monitor_get_fd(events->monitor);
}

static const char *udev_property(void *from, const char *name)
{
	return udev_device_get_property_value(from, name);
}

/* What is there already: 1 an event, 0 nothing more */
static int receive(struct pddgpu_events *events, struct pddgpu_event *out)
{
	struct udev_device *device;
	struct pollfd ready = { .fd = pddgpu_events_fd(events), .events = POLLIN };
	int ret;

	do {
		errno = 0;
		device = udev_monitor_receive_device(events->monitor);
		if (!device) {
			if (errno == ENOBUFS || errno == ENOMEM)
				return -errno;
			/* It was of others: there may be more behind it. */
			ret = poll(&ready, 1, 0) > 0 ? 0 : -EAGAIN;
			continue;
		}
		ret = pddi_uevent(&events->cards, udev_property, device, out);
		udev_device_unref(device);
	} while (!ret);
	return ret == -EAGAIN ? 0 : ret;
}

static int poll_timeout(int64_t deadline)
{
	int64_t left;

	if (deadline == INT64_MAX)
		return -1;
	left = (deadline - pddi_now() + 999999) / 1000000;
	if (left < 0)
		return 0;
	return left < INT_MAX ? (int)left : INT_MAX;
}

int pddgpu_events_next(struct pddgpu_events *events, struct pddgpu_event *out, int timeout_ms)
{
	struct pollfd ready = { .fd = pddgpu_events_fd(events), .events = POLLIN };
	int64_t deadline = pddi_deadline((int64_t)timeout_ms * 1000000);
	int ret;

	for (;;) {
		ret = receive(events, out);
		if (ret)
			return ret;
		ret = poll(&ready, 1, poll_timeout(deadline));
		if (ret <= 0)
			return ret ? -errno : 0;
	}
}

void pddgpu_events_close(struct pddgpu_events *events)
{
	if (!events)
		return;
	if (events->monitor)
		udev_monitor_unref(events->monitor);
	if (events->udev)
		udev_unref(events->udev);
	pddi_cards_fini(&events->cards);
	free(events);
}
