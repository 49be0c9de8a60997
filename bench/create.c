// SPDX-License-Identifier: MIT
/*
 * Create and destroy, beside the drivers of other virtual cards; what clearing
 * free memory beforehand does for it; and what of it is statistics and tracking.
 */
#include "bench.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

const uint64_t create_sizes[CREATE_SIZES] = { KIB(4), KIB(64), MIB(1), MIB(16) };

/* The figures hold for these, by create_sizes */
static const double peer_part = 0.7;

static const struct peer {
	const char *name;
	const char *driver;
	uint32_t domains;	/* 0: a dumb buffer */
	const char *zeroes;
} peers[] = {
	{ "pddgpu VRAM", "pddgpu", PDDGPU_GEM_DOMAIN_VRAM, "zeroed when made" },
	{ "pddgpu GTT", "pddgpu", PDDGPU_GEM_DOMAIN_GTT, "zeroed when made" },
	{ "bochs dumb", "bochs-drm", 0, "no memory until touched" },
	{ "qxl dumb", "qxl", 0, "no memory until touched" },
	{ "vgem dumb", "vgem", 0, "no memory until touched" },
	{ "virtio-gpu dumb", "virtio_gpu", 0, "zeroed when made" },
};

#define PEERS	ARRAY_SIZE(peers)
#define OURS	2	/* the first ones */

struct times {
	struct samples of[PEERS][CREATE_SIZES];
};

static void dumb_pair(int fd, uint64_t size)
{
	struct drm_mode_create_dumb create = {
		.width = 1024,
		.height = (uint32_t)(size / KIB(4)),
		.bpp = 32,
	};
	struct drm_mode_destroy_dumb destroy;
	int rc = call(fd, DRM_IOCTL_MODE_CREATE_DUMB, &create);

	if (rc)
		die("CREATE_DUMB of %llu bytes: %s", (unsigned long long)size, strerror(-rc));
	if (create.size != size)
		die("CREATE_DUMB of %llu bytes made %llu", (unsigned long long)size,
		    (unsigned long long)create.size);
	destroy.handle = create.handle;
	rc = call(fd, DRM_IOCTL_MODE_DESTROY_DUMB, &destroy);
	if (rc)
		die("DESTROY_DUMB: %s", strerror(-rc));
}

static double pair_ns(const struct peer *peer, int fd, uint64_t size)
{
	uint64_t start = now_ns();

	if (peer->domains)
		card_destroy(fd, card_create(fd, size, peer->domains));
	else
		dumb_pair(fd, size);
	return (double)(now_ns() - start);
}

/* How many at a time: what is small is done soon */
static int pairs(uint64_t size)
{
	return size > MIB(1) ? 2 : 10;
}

static void round_of_peers(const int *fds, struct times *times)
{
	for (size_t s = 0; s < CREATE_SIZES; s++) {
		for (size_t p = 0; p < PEERS; p++) {
			if (fds[p] < 0)
				continue;
			/* Whoever comes from somewhere else finds cold caches */
			pair_ns(&peers[p], fds[p], create_sizes[s]);
			for (int i = 0; i < pairs(create_sizes[s]); i++) {
				double ns = pair_ns(&peers[p], fds[p], create_sizes[s]);

				if (times)
					samples_add(&times->of[p][s], ns / 1000);
			}
		}
	}
}

static void report_peers(struct bench *b, const int *fds, struct times *times)
{
	struct summary sums[PEERS] = { 0 };
	char name[64];

	for (size_t s = 0; s < CREATE_SIZES; s++) {
		double best = NAN, ours, goal;

		for (size_t p = 0; p < PEERS; p++) {
			if (fds[p] < 0)
				continue;
			sums[p] = samples_end(&times->of[p][s]);
			if (p >= OURS && !(best <= sums[p].median))
				best = sums[p].median;
		}
		for (size_t p = 0; p < PEERS; p++) {
			if (fds[p] >= 0)
				report_ratio(report_row(b->report, "create", peers[p].name,
							create_sizes[s], "us", sums[p]),
					     sums[p].median / best, peers[p].zeroes);
		}
		ours = sums[0].median;
		goal = peer_part * best;
		if (create_sizes[s] >= MIB(1))
			goal += b->fill_ns[s] / 1000;
		snprintf(name, sizeof(name), "create+destroy %lluK, of 0.7 peer%s",
			 (unsigned long long)(create_sizes[s] >> 10),
			 create_sizes[s] >= MIB(1) ? " + fill" : "");
		report_figure(b->report, name, "", ours / goal, true, 1);
	}
}

/* ---- in a row, so that clearing has to keep up ---- */

static const struct clearing {
	const char *name;
	const char *args;
} clearings[] = {
	{ "cleared beforehand", "clear_freed=1" },
	{ "cleared when made", "clear_freed=0" },
};

#define CLEARINGS	ARRAY_SIZE(clearings)

/* One load of the driver; the mean of each size is one sample */
static void row_round(const struct clearing *clearing, bool quick, struct samples *s)
{
	int fd;

	card_reload(clearing->args);
	fd = card_open_ours();
	for (size_t i = 0; i < CREATE_SIZES; i++) {
		int n = create_sizes[i] > MIB(1) ? 40 : 400;
		uint64_t start;

		if (quick)
			n /= 10;
		/* Memory that the host has never given out costs more */
		for (int k = 0; k < n / 4; k++)
			pair_ns(&peers[0], fd, create_sizes[i]);
		start = now_ns();
		for (int k = 0; k < n; k++)
			pair_ns(&peers[0], fd, create_sizes[i]);
		samples_add(&s[i], (double)(now_ns() - start) / 1000 / n);
	}
	close(fd);
}

static void bench_row(struct bench *b)
{
	struct samples times[CLEARINGS][CREATE_SIZES] = { 0 };
	int rounds = b->quick ? 1 : 10;

	for (int i = 0; i < rounds; i++)
		for (size_t c = 0; c < CLEARINGS; c++)
			/* There and back, so that what drifts weighs on both */
			row_round(&clearings[c ^ (i % 2)], b->quick, times[c ^ (i % 2)]);

	for (size_t i = 0; i < CREATE_SIZES; i++) {
		struct summary sums[CLEARINGS];

		for (size_t c = 0; c < CLEARINGS; c++)
			sums[c] = samples_end(&times[c][i]);
		for (size_t c = 0; c < CLEARINGS; c++) {
			struct row *row = report_row(b->report, "row", clearings[c].name,
						     create_sizes[i], "us", sums[c]);

			if (create_sizes[i] >= MIB(1) && b->fill_ns[i] > 0)
				report_ratio(row, sums[c].median * 1000 / b->fill_ns[i],
					     "to the engine's fill");
			else
				report_ratio(row, sums[c].median / sums[1].median,
					     "to the other");
		}
	}
	card_reload("");
	report_print_rows(b->report, "Create and destroy in VRAM, many in a row: the mean "
			  "of a pair");
}

void bench_create(struct bench *b)
{
	struct times times = { 0 };
	int fds[PEERS], rounds = b->quick ? 3 : 20;

	for (size_t p = 0; p < PEERS; p++) {
		fds[p] = p < OURS ? card_open_ours() : card_open(peers[p].driver, false);
		if (fds[p] < 0)
			printf("%s is not here\n", peers[p].name);
	}
	round_of_peers(fds, NULL);
	for (int i = 0; i < rounds; i++)
		round_of_peers(fds, &times);
	report_peers(b, fds, &times);
	for (size_t p = 0; p < PEERS; p++)
		if (fds[p] >= 0)
			close(fds[p]);
	report_print_rows(b->report,
			  "Create and destroy; ratio to the fastest of the others");
	bench_row(b);
}

/* ---- statistics and tracking ---- */

static const struct cost {
	const char *name;
	const char *args;
} costs[] = {
	{ "all on", "" },
	{ "with call stacks", "leak_stacks=1" },
	{ "no tracking", "tracking=0" },
	{ "no statistics, no tracking", "stats=0 tracking=0" },
};

#define COSTS		ARRAY_SIZE(costs)

/* One load of the driver; the median of each size is one sample */
static void cost_round(const struct cost *cost, int count, struct samples *s)
{
	int fd;

	card_reload(cost->args);
	fd = card_open_ours();
	for (size_t i = 0; i < CREATE_SIZES; i++) {
		struct samples one = { 0 };
		int n = create_sizes[i] > MIB(1) ? count / 10 : count;

		pair_ns(&peers[0], fd, create_sizes[i]);
		for (int k = 0; k < n; k++)
			samples_add(&one, pair_ns(&peers[0], fd, create_sizes[i]) / 1000);
		samples_add(&s[i], samples_end(&one).median);
	}
	close(fd);
}

void bench_cost(struct bench *b)
{
	struct samples times[COSTS][CREATE_SIZES] = { 0 };
	int rounds = b->quick ? 1 : 12;
	char name[64];

	for (int i = 0; i < rounds; i++)
		for (size_t c = 0; c < COSTS; c++)
			/* There and back, so that what drifts weighs on all of them */
			cost_round(&costs[i % 2 ? COSTS - 1 - c : c],
				   b->quick ? 50 : 300, times[i % 2 ? COSTS - 1 - c : c]);

	for (size_t i = 0; i < CREATE_SIZES; i++) {
		struct summary sums[COSTS];
		double base;

		for (size_t c = 0; c < COSTS; c++)
			sums[c] = samples_end(&times[c][i]);
		base = sums[COSTS - 1].median;
		for (size_t c = 0; c < COSTS; c++)
			report_ratio(report_row(b->report, "cost", costs[c].name,
						create_sizes[i], "us", sums[c]),
				     sums[c].median / base, "");
		snprintf(name, sizeof(name), "cost of statistics and tracking, %lluK",
			 (unsigned long long)(create_sizes[i] >> 10));
		report_figure(b->report, name, "%", 100 * (sums[0].median / base - 1),
			      true, 1);
	}
	card_reload("");
	report_print_rows(b->report, "Create and destroy in VRAM, with parts switched off; "
			  "ratio to all of them off");
}
