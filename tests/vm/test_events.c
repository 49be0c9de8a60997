// SPDX-License-Identifier: MIT
/* The uevents of the leak monitor. */
#include "pdt.h"

#include <unistd.h>

#define SIZE		(8 * PDT_MIB)
/* Long enough for what does not come */
#define QUIET_MS	500

/* No alarm stands, and none is looked for but by the test itself. */
static int setup(void **state)
{
	if (pdt_setup(state) || pdt_debugfs_write("leak_check_interval", "3600000") ||
	    pdt_debugfs_write("trigger_leak_check", "1"))
		return -1;
	return 0;
}

static int restore(void **state)
{
	int rc = pdt_settings_restore();

	return pdt_teardown(state) || rc ? -1 : 0;
}

#define events_test(f) cmocka_unit_test_setup_teardown(f, setup, restore)

static uint64_t used(int fd)
{
	struct drm_pddgpu_memory_stats stats;

	assert_ok(pdt_stats(fd, &stats));
	return stats.vram_used + stats.gtt_used;
}

static void check_now(void)
{
	assert_ok(pdt_debugfs_write("trigger_leak_check", "1"));
}

static uint64_t number(const char *event, const char *name)
{
	uint64_t value = 0;

	assert_ok(pdt_uevent_u64(event, name, &value));
	return value;
}

static void assert_line(const char *event, const char *line)
{
	char wanted[256];

	snprintf(wanted, sizeof(wanted), "\n%s\n", line);
	if (!strstr(event, wanted))
		fail_msg("no line %s in: %s", line, event);
}

static void raised_and_over(void **state)
{
	struct pdt_state *s = *state;
	int listener = pdt_uevents_open();
	char event[8192], line[64];
	uint64_t threshold = used(s->fd) + SIZE / 2, high;
	uint32_t handle, more;

	assert_true(listener >= 0);
	assert_ok(pdt_debugfs_write_u64("leak_threshold", threshold));
	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, 0, &handle));
	high = used(s->fd);
	check_now();
	assert_true(pdt_uevent_wait(listener, "PDDGPU_EVENT=leak_alert", 10000 * pdt_slow(), event,
				    sizeof(event)));
	assert_line(event, "ACTION=change");
	assert_line(event, "SUBSYSTEM=drm");
	assert_line(event, "DEVTYPE=drm_minor");
	assert_u64(number(event, "PDDGPU_USED"), high);
	assert_u64(number(event, "PDDGPU_THRESHOLD"), threshold);
	/* The primary node's, and of this card */
	assert_non_null(strstr(event, "\nDEVNAME=dri/card"));
	snprintf(line, sizeof(line), "/%s/", pdt_pci_name());
	assert_non_null(strstr(event, line));
	assert_null(strstr(event, "WEDGED"));

	/* That it has become worse is for the log. */
	assert_ok(pdt_create(s->fd, SIZE, PDT_GTT, 0, &more));
	check_now();
	check_now();
	assert_false(pdt_uevent_wait(listener, "PDDGPU_EVENT=leak_alert", QUIET_MS, NULL, 0));

	assert_ok(pdt_destroy(s->fd, handle));
	assert_ok(pdt_destroy(s->fd, more));
	assert_true(pdt_level_wait(s->fd, &s->before));
	check_now();
	assert_true(pdt_uevent_wait(listener, "PDDGPU_EVENT=leak_clear", 10000 * pdt_slow(), event,
				    sizeof(event)));
	assert_u64(number(event, "PDDGPU_USED"), s->before.vram_used + s->before.gtt_used);
	assert_u64(number(event, "PDDGPU_THRESHOLD"), threshold);
	check_now();
	assert_false(pdt_uevent_wait(listener, "PDDGPU_EVENT=leak_clear", QUIET_MS, NULL, 0));
	close(listener);
}

/* The checks that run by themselves tell of it too, and each listener hears it. */
static void everybody_hears_it(void **state)
{
	struct pdt_state *s = *state;
	int one = pdt_uevents_open(), other = pdt_uevents_open();
	uint32_t handle;

	assert_true(one >= 0 && other >= 0);
	assert_ok(pdt_create(s->fd, SIZE, PDT_GTT, 0, &handle));
	assert_ok(pdt_debugfs_write_u64("leak_threshold", used(s->fd) - PDT_PAGE));
	assert_ok(pdt_debugfs_write("leak_check_interval", "100"));
	assert_true(pdt_uevent_wait(one, "PDDGPU_EVENT=leak_alert", 10000 * pdt_slow(), NULL, 0));
	assert_true(pdt_uevent_wait(other, "PDDGPU_EVENT=leak_alert", 10000 * pdt_slow(), NULL, 0));
	/* A threshold that is raised ends it as well. */
	assert_ok(pdt_debugfs_write_u64("leak_threshold", used(s->fd)));
	assert_true(pdt_uevent_wait(one, "PDDGPU_EVENT=leak_clear", 10000 * pdt_slow(), NULL, 0));
	assert_true(pdt_uevent_wait(other, "PDDGPU_EVENT=leak_clear", 10000 * pdt_slow(), NULL, 0));
	close(one);
	close(other);
}

/* A card that goes while the alarm stands says that it goes; the new one is quiet. */
static void a_card_that_goes(void **state)
{
	int listener = pdt_uevents_open(), fd = pdt_open();
	uint32_t handle;

	(void)state;
	assert_true(listener >= 0 && fd >= 0);
	assert_ok(pdt_debugfs_write("leak_check_interval", "100"));
	assert_ok(pdt_create(fd, SIZE, PDT_VRAM, 0, &handle));
	assert_ok(pdt_debugfs_write_u64("leak_threshold", PDT_PAGE));
	assert_true(pdt_uevent_wait(listener, "PDDGPU_EVENT=leak_alert", 10000 * pdt_slow(), NULL,
				    0));
	assert_ok(pdt_take_away(PDT_UNBIND));
	assert_true(pdt_uevent_wait(listener, "ACTION=remove", 10000 * pdt_slow(), NULL, 0));
	close(fd);
	assert_ok(pdt_bring_back(PDT_UNBIND));
	assert_ok(pdt_debugfs_write("trigger_leak_check", "1"));
	assert_false(pdt_uevent_wait(listener, "PDDGPU_EVENT=leak_alert", QUIET_MS, NULL, 0));
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		events_test(raised_and_over),
		events_test(everybody_hears_it),
		pdt_gone_test(a_card_that_goes),
	};

	return pdt_run_tests("events", tests);
}
