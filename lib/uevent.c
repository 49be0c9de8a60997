// SPDX-License-Identifier: MIT
/* What the kernel's events mean, apart from how they come. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

int pddi_cards_init(struct pddi_cards *cards, const struct pddi_paths *paths)
{
	int count = pddi_find(paths, &cards->ids);

	if (count < 0)
		return count;
	cards->paths = paths;
	cards->count = (unsigned int)count;
	return 0;
}

void pddi_cards_fini(struct pddi_cards *cards)
{
	free(cards->ids);
}

static struct pddgpu_device_id *card_find(struct pddi_cards *cards, const char *pci, int card)
{
	unsigned int i;

	for (i = 0; i < cards->count; i++)
		if (cards->ids[i].card == card && !strcmp(cards->ids[i].pci, pci))
			return &cards->ids[i];
	return NULL;
}

static int card_add(struct pddi_cards *cards, const char *pci, int card)
{
	struct pddgpu_device_id *bigger;

	if (card_find(cards, pci, card))
		return 0;
	bigger = realloc(cards->ids, (cards->count + 1) * sizeof(*bigger));
	if (!bigger)
		return -ENOMEM;
	cards->ids = bigger;
	memset(&bigger[cards->count], 0, sizeof(*bigger));
	snprintf(bigger[cards->count].pci, sizeof(bigger->pci), "%s", pci);
	bigger[cards->count++].card = card;
	return 0;
}

static void card_remove(struct pddi_cards *cards, struct pddgpu_device_id *id)
{
	*id = cards->ids[--cards->count];
}

/* Of "/devices/pci0000:00/0000:00:04.0/drm/card0" the address and the number */
static bool path_parse(const char *path, char pci[16], int *card)
{
	const char *end = strrchr(path, '/'), *begin;

	if (!end || !pddi_is_node(end + 1, "card", card))
		return false;
	if (end - path < 4 || memcmp(end - 4, "/drm", 4))
		return false;
	end -= 4;
	begin = end;
	while (begin > path && begin[-1] != '/')
		begin--;
	if (end - begin >= 16)
		return false;
	memset(pci, 0, 16);
	memcpy(pci, begin, (size_t)(end - begin));
	return pddi_is_pci(pci);
}

static bool is_ours(const struct pddi_cards *cards, const char *path)
{
	char link[PDDI_PATH_MAX];
	int length = snprintf(link, sizeof(link), "%s%s/device/driver", cards->paths->sys, path);

	return length > 0 && (size_t)length < sizeof(link) && pddi_our_driver(link);
}

static uint64_t property_number(pddi_property get, void *from, const char *name)
{
	const char *text = get(from, name);
	uint64_t value = 0;

	return text && !pddi_number(text, UINT64_MAX, &value) ? value : 0;
}

static int changed(pddi_property get, void *from, struct pddgpu_event *event)
{
	const char *what = get(from, "PDDGPU_EVENT");

	if (what && !strcmp(what, "leak_alert"))
		event->type = PDDGPU_EVENT_LEAK_ALERT;
	else if (what && !strcmp(what, "leak_clear"))
		event->type = PDDGPU_EVENT_LEAK_CLEAR;
	else if (!what && get(from, "WEDGED"))
		event->type = PDDGPU_EVENT_WEDGED;
	else
		return 0;
	event->used_bytes = property_number(get, from, "PDDGPU_USED");
	event->threshold_bytes = property_number(get, from, "PDDGPU_THRESHOLD");
	return 1;
}

/* 1 an event; 0 nothing of ours, or that is of use to anybody */
int pddi_uevent(struct pddi_cards *cards, pddi_property get, void *from,
		struct pddgpu_event *out)
{
	const char *action = get(from, "ACTION"), *path = get(from, "DEVPATH");
	struct pddgpu_event event = { 0 };
	struct pddgpu_device_id *known;
	int ret;

	if (!action || !path || !path_parse(path, event.pci, &event.card))
		return 0;
	known = card_find(cards, event.pci, event.card);
	/* Of one that has gone sysfs says nothing; of one that came it does. */
	if (!known && !is_ours(cards, path))
		return 0;
	if (!strcmp(action, "change")) {
		ret = changed(get, from, &event);
	} else if (!strcmp(action, "add")) {
		event.type = PDDGPU_EVENT_ADDED;
		ret = card_add(cards, event.pci, event.card);
		ret = ret ? ret : 1;
	} else if (!strcmp(action, "remove") && known) {
		event.type = PDDGPU_EVENT_REMOVED;
		card_remove(cards, known);
		ret = 1;
	} else {
		ret = 0;
	}
	if (ret == 1)
		*out = event;
	return ret;
}
