// SPDX-License-Identifier: MIT
/* What goes around every test: the card's levels and the kernel's health. */
#include "pdt.h"

#include <sys/mman.h>
#include <unistd.h>

int pdt_level_read(int fd, struct pdt_level *level)
{
	struct drm_pddgpu_memory_stats stats;
	int rc = pdt_stats(fd, &stats);

	if (rc)
		return rc;
	level->vram_used = stats.vram_used;
	level->gtt_used = stats.gtt_used;
	level->objects = stats.live_objects + stats.orphan_objects + stats.zombie_objects;
	return 0;
}

/* Freeing may be delayed: gives it time. On failure says what is left. */
bool pdt_level_wait(int fd, const struct pdt_level *level)
{
	uint64_t end = pdt_now_ms() + 20000 * pdt_slow();
	struct pdt_level now = { 0 };
	int rc;

	for (;;) {
		rc = pdt_level_read(fd, &now);
		if (rc) {
			fprintf(stderr, "# cannot read the statistics: %s\n", strerror(-rc));
			return false;
		}
		if (!memcmp(&now, level, sizeof(now)))
			return true;
		if (pdt_now_ms() > end)
			break;
		pdt_sleep_ms(10);
	}
	fprintf(stderr, "# before: vram %llu gtt %llu objects %llu; now: %llu %llu %llu\n",
		(unsigned long long)level->vram_used, (unsigned long long)level->gtt_used,
		(unsigned long long)level->objects, (unsigned long long)now.vram_used,
		(unsigned long long)now.gtt_used, (unsigned long long)now.objects);
	return false;
}

int pdt_setup(void **state)
{
	struct pdt_state *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -1;
	*state = s;
	rc = pdt_log_open(&s->log);
	if (rc) {
		fprintf(stderr, "# /dev/kmsg: %s\n", strerror(-rc));
		return -1;
	}
	s->fd = pdt_open();
	if (s->fd < 0) {
		fprintf(stderr, "# no pddgpu render node: %s\n", strerror(-s->fd));
		return -1;
	}
	rc = pdt_level_read(s->fd, &s->before);
	if (rc) {
		fprintf(stderr, "# statistics: %s\n", strerror(-rc));
		return -1;
	}
	return 0;
}

/*
 * A test that fails leaves things behind, which the next must not pay for: its
 * mappings, and what it opened, which comes after our own files.
 */
static void clean_up(const struct pdt_state *s)
{
	char *maps = pdt_file_read("/proc/self/maps");
	unsigned long start, end;

	for (char *line = maps; line && *line; line = strchr(line, '\n') + 1) {
		size_t len = strcspn(line, "\n");

		if (!memmem(line, len, "/dev/dri/", 9) && !memmem(line, len, "dmabuf", 6))
			continue;
		if (sscanf(line, "%lx-%lx", &start, &end) == 2)
			munmap((void *)start, end - start);
	}
	free(maps);
	close_range((unsigned int)s->log.fd + 1, ~0U, 0);
}

/* All that the test left goes; then nothing may be left. */
int pdt_teardown(void **state)
{
	struct pdt_state *s = *state;
	const char *complaint;
	int rc = 0;
	int fd;

	clean_up(s);
	fd = pdt_open();
	if (fd < 0) {
		fprintf(stderr, "# the card is gone: %s\n", strerror(-fd));
		rc = -1;
	} else {
		if (!pdt_level_wait(fd, &s->before))
			rc = -1;
		close(fd);
	}

	complaint = pdt_log_complaint(&s->log);
	if (complaint) {
		fprintf(stderr, "# the kernel log: %s\n", complaint);
		rc = -1;
	}
	pdt_log_close(&s->log);
	free(s);
	return rc;
}

/* Lines in order on one console, whatever stdout is. */
void pdt_main_init(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
}
