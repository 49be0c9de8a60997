// SPDX-License-Identifier: MIT
/* The leak tracker among many objects: ages, totals and readers as they go. */
#include "pdt.h"

#include <fcntl.h>
#include <unistd.h>

/* Far apart, so that a slow machine does not take one group for the other */
#define GROUPS		3
#define GROUP		500
#define GAP_MS		1200
#define NEVER_MS	86400000

struct object {
	uint32_t handle;
	uint32_t pages;
	uint64_t born_ms;
};

struct crowd {
	struct pdt_state *s;
	struct object objects[GROUPS * GROUP];
	/* Half-way between a group and the next; [GROUPS] is after all of them */
	uint64_t before[GROUPS + 1];
};

static int setup(void **state)
{
	struct pdt_state *s;

	if (pdt_setup(state))
		return -1;
	s = *state;
	s->priv = calloc(1, sizeof(struct crowd));
	((struct crowd *)s->priv)->s = s;
	return pdt_debugfs_write("leak_monitor_enabled", "0");
}

static int teardown(void **state)
{
	struct pdt_state *s = *state;
	int rc = pdt_settings_restore();

	free(s->priv);
	return pdt_teardown(state) || rc ? -1 : 0;
}

#define crowd_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static void gather(struct crowd *c)
{
	for (int g = 0; g < GROUPS; g++) {
		c->before[g] = pdt_now_ms();
		pdt_sleep_ms(GAP_MS / 2);
		for (int i = g * GROUP; i < (g + 1) * GROUP; i++) {
			struct object *o = &c->objects[i];

			o->pages = 1 + i % 3;
			assert_ok(pdt_create(c->s->fd, o->pages * PDT_PAGE, PDT_CPU, 0,
					     &o->handle));
		}
		pdt_sleep_ms(GAP_MS / 2);
	}
	c->before[GROUPS] = pdt_now_ms();
}

static void leave(struct crowd *c, int i)
{
	if (c->objects[i].handle)
		assert_ok(pdt_destroy(c->s->fd, c->objects[i].handle));
	c->objects[i].handle = 0;
}

/* What the groups [from, to) still have */
static uint64_t sum(const struct crowd *c, int from, int to, uint64_t *bytes)
{
	uint64_t n = 0;

	*bytes = 0;
	for (int i = from * GROUP; i < to * GROUP; i++) {
		if (!c->objects[i].handle)
			continue;
		n++;
		*bytes += c->objects[i].pages * PDT_PAGE;
	}
	return n;
}

/* Lines of leak_objects by class; the oldest must come first. */
static void list(uint64_t *suspicious, uint64_t *confirmed)
{
	char *text = pdt_debugfs_read("leak_objects");
	unsigned long long age, last = UINT64_MAX;

	*suspicious = 0;
	*confirmed = 0;
	assert_non_null(text);
	for (char *line = strchr(text, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
		char state[32];

		assert_int_equal(sscanf(line, "%llu %*u %*s %31s", &age, state), 2);
		assert_true(age <= last);
		last = age;
		*suspicious += !!strstr(state, "suspicious");
		*confirmed += !!strstr(state, "confirmed");
	}
	free(text);
}

/* Groups before @confirmed are to be confirmed, those before @suspicious at least that. */
static void age(struct crowd *c, int suspicious, int confirmed)
{
	struct drm_pddgpu_memory_stats stats;
	uint64_t bytes[3], n[3], now;

	n[0] = sum(c, 0, confirmed, &bytes[0]);
	n[1] = sum(c, confirmed, suspicious, &bytes[1]);
	n[2] = sum(c, 0, GROUPS, &bytes[2]);
	do {
		now = pdt_now_ms();
		assert_ok(pdt_debugfs_write_u64("leak_suspicious_age",
						now - c->before[suspicious] + 1));
		assert_ok(pdt_debugfs_write_u64("leak_confirmed_age", confirmed ?
						now - c->before[confirmed] + 1 : NEVER_MS));
		assert_ok(pdt_stats(c->s->fd, &stats));
		/* Where that took so long that it came near to a group: again */
	} while (pdt_now_ms() - now > GAP_MS / 3);
	assert_u64(stats.leak_confirmed, n[0]);
	assert_u64(stats.leak_confirmed_bytes, bytes[0]);
	assert_u64(stats.leak_suspicious, n[1]);
	assert_u64(stats.leak_suspicious_bytes, bytes[1]);
	assert_u64(stats.live_objects, n[2]);
	assert_u64(stats.live_bytes, bytes[2]);
}

/* The same object by object, at ages that time does not take them past */
static void list_all(struct crowd *c)
{
	uint64_t bytes, n = sum(c, 0, GROUPS, &bytes), suspicious, confirmed;

	age(c, GROUPS, 0);
	list(&suspicious, &confirmed);
	assert_u64(suspicious, n);
	assert_u64(confirmed, 0);
	age(c, GROUPS, GROUPS);
	list(&suspicious, &confirmed);
	assert_u64(suspicious, 0);
	assert_u64(confirmed, n);
}

/* Each way that the two edges can part the groups, there and back */
static void all_ages(struct crowd *c)
{
	for (int s = 0; s <= GROUPS; s++)
		for (int k = 0; k <= s; k++)
			age(c, s, k);
	for (int s = GROUPS; s >= 0; s -= 2)
		age(c, s, s / 2);
	list_all(c);
}

/*
 * Whatever goes, and whatever the ages are set to, the totals are those of what
 * is there: with all of them, a third, one in fifty, and none.
 */
static void ages_of_many(void **state)
{
	struct crowd *c = ((struct pdt_state *)*state)->priv;
	uint64_t random = 1;

	gather(c);
	all_ages(c);
	for (int i = 0; i < GROUPS * GROUP; i++)
		if (pdt_random(&random) % 3)
			leave(c, i);
	all_ages(c);
	/* From both ends, while an edge lies in the middle */
	age(c, 2, 1);
	for (int i = 0; i < GROUPS * GROUP / 2; i++) {
		if (i % 50)
			leave(c, i);
		if (i % 47)
			leave(c, GROUPS * GROUP - 1 - i);
		if (i % 200 == 0)
			age(c, 2, i / 200 % 3);
	}
	all_ages(c);
	for (int i = 0; i < GROUPS * GROUP; i++)
		leave(c, i);
	age(c, GROUPS, GROUPS);
}

/* What is newly confirmed is counted once, also when it comes as a crowd. */
static void newly_confirmed(void **state)
{
	struct pdt_state *s = *state;
	struct crowd *c = s->priv;
	uint64_t bytes, n;
	char text[100];

	gather(c);
	for (int i = 0; i < GROUPS * GROUP; i += 7)
		leave(c, i);
	age(c, 2, 0);
	assert_ok(pdt_debugfs_write("trigger_leak_check", "1"));
	pdt_log_restart(&s->log);
	for (int g = 1; g <= GROUPS; g++) {
		n = sum(c, g - 1, g, &bytes);
		age(c, GROUPS, g);
		assert_ok(pdt_debugfs_write("trigger_leak_check", "1"));
		assert_ok(pdt_debugfs_write("trigger_leak_check", "1"));
		snprintf(text, sizeof(text),
			 "PDDGPU: %llu objects newly confirmed as leaks, %llu bytes\n",
			 (unsigned long long)n, (unsigned long long)bytes);
		if (pdt_log_count(&s->log, text) != 1 ||
		    pdt_log_count(&s->log, "newly confirmed") != 1)
			fail_msg("not once: %s", text);
		pdt_log_restart(&s->log);
	}
}

/* Reads on, and returns how often a size is listed. */
static unsigned int read_on(int fd, uint64_t size, char *text, size_t room)
{
	unsigned int n = 0;
	size_t len = 0;
	ssize_t got;

	while ((got = read(fd, text + len, room - len - 1)) > 0)
		len += (size_t)got;
	assert_int_equal(got, 0);
	text[len] = '\0';
	/* The first line may be the rest of one */
	for (char *line = strchr(text, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
		unsigned long long is;

		if (sscanf(line, "%*u %llu", &is) == 1)
			n += is == size;
	}
	return n;
}

/* A reader keeps its place while nearly all that it has not read yet goes. */
static void read_while_they_go(void **state)
{
	struct pdt_state *s = *state;
	struct crowd *c = s->priv;
	const size_t room = 1 << 20;
	char *text = malloc(room), start[100];
	int fds[4];

	assert_ok(pdt_debugfs_write("leak_suspicious_age", "1"));
	for (int i = 0; i < GROUPS * GROUP; i++) {
		struct object *o = &c->objects[i];

		o->pages = i % 100 == 99 ? 7 : 1;
		assert_ok(pdt_create(s->fd, o->pages * PDT_PAGE, PDT_CPU, 0, &o->handle));
	}
	pdt_sleep_ms(5);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(fds); i++) {
		fds[i] = open(pdt_debugfs_path("leak_objects"), O_RDONLY | O_CLOEXEC);
		assert_true(fds[i] >= 0);
		assert_int_equal(read(fds[i], start, sizeof(start)), sizeof(start));
	}
	/* One leaves off in the middle; ends come with the second and the last */
	close(fds[3]);
	for (int i = 0; i < GROUPS * GROUP; i++)
		if (i % 100 != 99)
			leave(c, i);
	assert_int_equal(read_on(fds[0], 7 * PDT_PAGE, text, room), GROUPS * GROUP / 100);
	assert_ok(pdt_debugfs_write("leak_suspicious_age", "86400000"));
	assert_int_equal(read_on(fds[1], 7 * PDT_PAGE, text, room), 0);
	for (int i = 0; i < GROUPS * GROUP; i++)
		leave(c, i);
	assert_ok(pdt_debugfs_write("leak_suspicious_age", "1"));
	assert_int_equal(read_on(fds[2], 7 * PDT_PAGE, text, room), 0);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	free(text);
}

struct churn {
	int fd;
	/* pdt_debugfs_path() has room for one thread's */
	char objects[256];
	unsigned int working;
};

/* Objects of many lives, beside checks and readers */
static int churn(void *arg, unsigned int index)
{
	struct churn *all = arg;
	uint64_t random = index + 1;
	uint32_t handles[600] = { 0 };

	for (unsigned int i = 0; index >= 2 && i < pdt_many(3000); i++) {
		uint32_t *handle = &handles[pdt_random(&random) % PDT_ARRAY_SIZE(handles)];

		if (*handle)
			child_check(!pdt_destroy(all->fd, *handle));
		*handle = 0;
		if (pdt_random(&random) % 3)
			child_check(!pdt_create(all->fd, PDT_PAGE, PDT_CPU, 0, handle));
	}
	if (index >= 2) {
		for (size_t i = 0; i < PDT_ARRAY_SIZE(handles); i++)
			child_check(!handles[i] || !pdt_destroy(all->fd, handles[i]));
		__atomic_sub_fetch(&all->working, 1, __ATOMIC_SEQ_CST);
		return 0;
	}
	for (unsigned int i = 0; __atomic_load_n(&all->working, __ATOMIC_SEQ_CST); i++) {
		struct drm_pddgpu_memory_stats stats;

		if (index) {
			free(pdt_file_read(all->objects));
			continue;
		}
		child_check(!pdt_debugfs_write_u64("leak_suspicious_age", 1 + i % 7 * 5));
		child_check(!pdt_debugfs_write_u64("leak_confirmed_age", 1 + i % 5 * 11));
		child_check(!pdt_stats(all->fd, &stats));
		child_check(stats.leak_suspicious + stats.leak_confirmed <= 1200);
		child_check((stats.leak_suspicious + stats.leak_confirmed) * PDT_PAGE ==
			    stats.leak_suspicious_bytes + stats.leak_confirmed_bytes);
		child_check(stats.live_bytes == stats.live_objects * PDT_PAGE);
		child_check(stats.zombie_bytes == stats.zombie_objects * PDT_PAGE);
	}
	return 0;
}

static void churned(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	struct churn all = { .fd = s->fd, .working = 2 };

	snprintf(all.objects, sizeof(all.objects), "%s", pdt_debugfs_path("leak_objects"));
	assert_int_equal(pdt_threads(4, churn, &all), 0);
	assert_true(pdt_level_wait(s->fd, &s->before));
	assert_ok(pdt_stats(s->fd, &stats));
	assert_u64(stats.leak_suspicious_bytes + stats.leak_confirmed_bytes, 0);
	assert_u64(stats.leak_suspicious + stats.leak_confirmed, 0);
	assert_u64(stats.live_bytes + stats.orphan_bytes + stats.zombie_bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		crowd_test(ages_of_many),
		crowd_test(newly_confirmed),
		crowd_test(read_while_they_go),
		crowd_test(churned),
	};

	return pdt_run_tests("cohorts", tests);
}
