// SPDX-License-Identifier: MIT
/* What uevents mean. */
#include "fake.h"

#include <poll.h>
#include <unistd.h>

#define CARD0	"/devices/pci0000:00/" PCI0 "/drm/card0"
#define CARD1	"/devices/pci0000:00/" PCI1 "/drm/card1"

/* Names and values in turn */
struct uevent {
	const char *pairs[12];	/* two of our own, and up to four more */
};

static const char *property(void *from, const char *name)
{
	struct uevent *event = from;
	int i;

	for (i = 0; i < 12 && event->pairs[i]; i += 2)
		if (!strcmp(event->pairs[i], name))
			return event->pairs[i + 1];
	return NULL;
}

/* An event with one property more than what and where; or more, in a row */
static int happen(struct pddi_cards *cards, const char *action, const char *path,
		  const char *const more[8], struct pddgpu_event *out)
{
	struct uevent event = { { "ACTION", action, "DEVPATH", path } };

	for (int i = 0; more && i < 8; i++)
		event.pairs[4 + i] = more[i];
	return pddi_uevent(cards, property, &event, out);
}

static void meanings(void **state)
{
	static const char *const alert[8] = {
		"PDDGPU_EVENT", "leak_alert", "PDDGPU_USED", "159383552",
		"PDDGPU_THRESHOLD", "104857600",
	};
	static const char *const clear[8] = {
		"PDDGPU_EVENT", "leak_clear", "PDDGPU_USED", "rubbish",
	};
	static const char *const wedged[8] = { "WEDGED", "rebind" };
	struct rig *rig = *state;
	struct pddi_cards cards;
	struct pddgpu_event e;

	assert_ok(pddi_cards_init(&cards, &rig->tree.paths));
	memset(&e, 0xaa, sizeof(e));
	assert_int_equal(happen(&cards, "change", CARD0, alert, &e), 1);
	assert_int_equal(e.type, PDDGPU_EVENT_LEAK_ALERT);
	assert_string_equal(e.pci, PCI0);
	assert_int_equal(e.card, 0);
	assert_int_equal(e.used_bytes, 159383552);
	assert_int_equal(e.threshold_bytes, 104857600);
	assert_int_equal(e.reserved[0], 0);
	assert_int_equal(happen(&cards, "change", CARD0, clear, &e), 1);
	assert_int_equal(e.type, PDDGPU_EVENT_LEAK_CLEAR);
	assert_int_equal(e.used_bytes, 0);
	assert_int_equal(happen(&cards, "change", CARD0, wedged, &e), 1);
	assert_int_equal(e.type, PDDGPU_EVENT_WEDGED);
	pddi_cards_fini(&cards);
}

static void come_and_go(void **state)
{
	static const char *const wedged[8] = { "WEDGED", "rebind" };
	struct rig *rig = *state;
	struct pddi_cards cards;
	struct pddgpu_event e;

	assert_ok(pddi_cards_init(&cards, &rig->tree.paths));
	tree_card(&rig->tree, "pddgpu", PCI1, 1, 129);
	assert_int_equal(happen(&cards, "add", CARD1, NULL, &e), 1);
	assert_int_equal(e.type, PDDGPU_EVENT_ADDED);
	assert_string_equal(e.pci, PCI1);
	assert_int_equal(e.card, 1);
	assert_int_equal(cards.count, 2);
	/* When its end is told sysfs knows it no more. */
	tree_delete(&rig->tree, "sys");
	assert_int_equal(happen(&cards, "remove", CARD0, NULL, &e), 1);
	assert_int_equal(e.type, PDDGPU_EVENT_REMOVED);
	assert_string_equal(e.pci, PCI0);
	assert_int_equal(happen(&cards, "remove", CARD0, NULL, &e), 0);
	assert_int_equal(happen(&cards, "remove", CARD1, NULL, &e), 1);
	assert_int_equal(cards.count, 0);
	assert_int_equal(happen(&cards, "change", CARD1, wedged, &e), 0);
	pddi_cards_fini(&cards);
}

/* Others' events, half events, odd paths */
static void nothing_of_ours(void **state)
{
	static const char *const paths[] = {
		"", "/", "card0", "/card0", "/drm/card0", "//drm/card0", CARD0 "-Virtual-1",
		"/devices/pci0000:00/" PCI0 "/drm/renderD128", "/devices/pci0000:00/" PCI0,
		"/devices/pci0000:00/" PCI0 "/sound/card0", "/devices/platform/gpu/drm/card0",
		"/devices/0000:00:04.00000000000000000/drm/card0",
		"/devices/pci0000:00/" PCI0 "/drm/card99999999999",
		"/devices/pci0000:00/0000:00:09.0/drm/card0",
		"/devices/pci0000:00/" PCI0 "/drm/card3", CARD1,
	};
	static const char *const all[8] = { "PDDGPU_EVENT", "leak_alert" };
	static const char *const wedged[8] = { "WEDGED", "none" };
	static const char *const hotplug[8] = { "HOTPLUG", "1" };
	/* A newer driver's: not to be taken for another one */
	static const char *const newer[8] = { "PDDGPU_EVENT", "overheated", "WEDGED", "none" };
	struct rig *rig = *state;
	struct pddi_cards cards;
	struct pddgpu_event e = { .card = 42 };
	char path[2000];

	tree_card(&rig->tree, "amdgpu", PCI1, 1, 129);
	assert_ok(pddi_cards_init(&cards, &rig->tree.paths));
	for (size_t i = 0; i < PDDI_ARRAY_SIZE(paths); i++) {
		assert_int_equal(happen(&cards, "change", paths[i], all, &e), 0);
		assert_int_equal(happen(&cards, "change", paths[i], wedged, &e), 0);
		assert_int_equal(happen(&cards, "add", paths[i], NULL, &e), 0);
		assert_int_equal(happen(&cards, "remove", paths[i], NULL, &e), 0);
	}
	memset(path, 'x', sizeof(path));
	strcpy(path + 1900, "/" PCI0 "/drm/card7");
	path[0] = '/';
	assert_int_equal(happen(&cards, "add", path, NULL, &e), 0);
	assert_int_equal(happen(&cards, "change", CARD0, hotplug, &e), 0);
	assert_int_equal(happen(&cards, "change", CARD0, newer, &e), 0);
	assert_int_equal(happen(&cards, "bind", CARD0, NULL, &e), 0);
	assert_int_equal(happen(&cards, NULL, CARD0, wedged, &e), 0);
	assert_int_equal(happen(&cards, "change", NULL, wedged, &e), 0);
	assert_int_equal(e.card, 42);
	assert_int_equal(cards.count, 1);
	pddi_cards_fini(&cards);
}

/* The real thing, with nobody to say anything: time passes, and is over. */
static void silence(void **state)
{
	struct pddgpu_events *events;
	struct pddgpu_event event;
	int64_t start;
	struct pollfd fd;

	(void)state;
	assert_ok(pddgpu_events_open(&events));
	fd = (struct pollfd) { .fd = pddgpu_events_fd(events), .events = POLLIN };
	assert_int_equal(poll(&fd, 1, 0), 0);
	assert_int_equal(pddgpu_events_next(events, &event, 0), 0);
	start = pddi_now();
	assert_int_equal(pddgpu_events_next(events, &event, 50), 0);
	assert_in_range(pddi_now() - start, 50000000, 5000000000);
	pddgpu_events_close(events);
}

const struct CMUnitTest event_tests[] = {
	rig_test(meanings),
	rig_test(come_and_go),
	rig_test(nothing_of_ours),
	cmocka_unit_test(silence),
};

const size_t event_tests_count = PDDI_ARRAY_SIZE(event_tests);
