// SPDX-License-Identifier: MIT
/*
 * More buffers than VRAM holds, used in turn: each comes back and sends another
 * away. A buffer that cannot move takes most of VRAM, so that it is quick.
 */
#include "bench.h"

#include <stdlib.h>
#include <unistd.h>

#define BOTH	(PDDGPU_GEM_DOMAIN_VRAM | PDDGPU_GEM_DOMAIN_GTT)

static const struct load {
	uint32_t times;
	uint64_t size;
} loads[] = {
	{ 2, MIB(1) }, { 4, MIB(1) }, { 8, MIB(1) },
	{ 2, MIB(4) }, { 4, MIB(4) }, { 8, MIB(4) },
};

static uint64_t bytes_moved(int fd)
{
	struct drm_pddgpu_memory_stats stats;

	card_query(fd, PDDGPU_QUERY_MEMORY_STATS, &stats, sizeof(stats));
	return stats.bytes_moved;
}

/* What is left of VRAM when this is there; returns its handle */
static uint32_t ballast(int fd, uint64_t left)
{
	struct drm_pddgpu_memory_stats stats;

	card_query(fd, PDDGPU_QUERY_MEMORY_STATS, &stats, sizeof(stats));
	if (stats.vram_free <= left)
		die("VRAM is too small: %llu bytes are free",
		    (unsigned long long)stats.vram_free);
	return card_create(fd, stats.vram_free - left, PDDGPU_GEM_DOMAIN_VRAM);
}

static void run_load(struct bench *b, int fd, uint64_t window, const struct load *load)
{
	uint32_t count = (uint32_t)(window / load->size) * load->times;
	uint32_t *handles = malloc(count * sizeof(*handles));
	struct samples s = { 0 };
	struct summary sum;
	char name[64];

	if (!handles)
		die("out of memory");
	for (uint32_t i = 0; i < count; i++)
		handles[i] = card_create(fd, load->size, BOTH);
	for (int pass = 0; pass < (b->quick ? 3 : 6); pass++) {
		uint64_t moved = bytes_moved(fd), start = now_ns();

		for (uint32_t i = 0; i < count; i++)
			card_set_domain(fd, handles[i], BOTH);
		for (uint32_t i = 0; i < count; i++)
			card_wait(fd, handles[i]);
		moved = bytes_moved(fd) - moved;
		if (pass)	/* the first one finds what creation left */
			samples_add(&s, (double)moved / (double)(now_ns() - start) * 1e9 /
				    (double)MIB(1));
	}
	for (uint32_t i = 0; i < count; i++)
		card_destroy(fd, handles[i]);
	free(handles);

	sum = samples_end(&s);
	snprintf(name, sizeof(name), "%u times as much as fits", load->times);
	report_ratio(report_row(b->report, "oversubscribed", name, load->size, "MiB/s", sum),
		     sum.median * (double)MIB(1) / b->copy_rate, "of the engine's rate");
	if (load->times == 4 && load->size == MIB(4))
		report_figure(b->report, "oversubscribed 4 times, of the engine's rate", "",
			      sum.median * (double)MIB(1) / b->copy_rate, false, 0.7);
}

void bench_oversubscription(struct bench *b)
{
	uint64_t window = b->quick ? MIB(16) : MIB(32);
	int fd = card_open_ours();
	uint32_t weight = ballast(fd, window);

	for (size_t i = 0; i < ARRAY_SIZE(loads); i++)
		run_load(b, fd, window, &loads[i]);
	card_destroy(fd, weight);
	close(fd);
	report_print_rows(b->report, "Oversubscribed, buffers of a size used in turn: "
			  "what is moved, both ways together");
}
