// SPDX-License-Identifier: MIT
/*
 * What it costs to note the evidence of leaks, and call stacks: the same work with the
 * switch on and off in turns, within one load of the driver, and what is compared is
 * the times of neighbours.
 */
#include "bench.h"

#include <string.h>
#include <unistd.h>

struct work {
	int fd;
	uint32_t handle;
};

static double pair(struct work *w)
{
	uint64_t start = now_ns();

	card_destroy(w->fd, card_create(w->fd, KIB(4), PDDGPU_GEM_DOMAIN_VRAM));
	return (double)(now_ns() - start) / 1000;
}

/* The call alone: the engine is waited for before the next */
static double submit(struct work *w)
{
	const struct drm_pddgpu_submit_op op = {
		.opcode = PDDGPU_SUBMIT_FILL,
		.dst_handle = w->handle,
		.bytes = KIB(4),
	};
	uint64_t start = now_ns();
	double took;

	card_submit(w->fd, &op, 1);
	took = (double)(now_ns() - start) / 1000;
	card_wait(w->fd, w->handle);
	return took;
}

static double creation(struct work *w)
{
	uint64_t start = now_ns();
	uint32_t handle = card_create(w->fd, KIB(4), PDDGPU_GEM_DOMAIN_VRAM);
	double took = (double)(now_ns() - start) / 1000;

	card_destroy(w->fd, handle);
	return took;
}

static const struct kind {
	const char *name;
	const char *parameter;
	const char *preset;
	double (*once)(struct work *w);
	unsigned int calls;	/* in a round, one way */
	const char *figure;
	const char *unit;
	double limit;
} kinds[] = {
	{ "create and destroy", "evidence", "1", pair, 100,
	  "evidence, of create and destroy", "%", 1 },
	{ "a submit", "evidence", "1", submit, 40, "evidence, of a submit", "%", 2 },
	{ "a creation", "leak_stacks", "0", creation, 100, "call stacks, a creation", "us", 10 },
};

/* The median of a round; what was changed in the code is warm when it begins */
static double round_of(const struct kind *kind, struct work *w, bool on)
{
	struct samples one = { 0 };

	if (!card_parameter(kind->parameter, on ? "1" : "0"))
		die("there is no parameter %s", kind->parameter);
	for (unsigned int i = 0; i < kind->calls / 4; i++)
		kind->once(w);
	for (unsigned int i = 0; i < kind->calls; i++)
		samples_add(&one, kind->once(w));
	return samples_end(&one).median;
}

static void compare(struct bench *b, const struct kind *kind, struct work *w)
{
	struct samples times[2] = { { 0 }, { 0 } }, more = { 0 };
	bool percent = !strcmp(kind->unit, "%");
	struct summary sum;
	char name[56];
	double t[2];

	for (int i = 0; i < (b->quick ? 6 : 150); i++) {
		/* Who is first takes turns too. */
		t[i % 2] = round_of(kind, w, i % 2);
		t[!(i % 2)] = round_of(kind, w, !(i % 2));
		samples_add(&times[0], t[0]);
		samples_add(&times[1], t[1]);
		samples_add(&more, percent ? 100 * (t[1] / t[0] - 1) : t[1] - t[0]);
	}
	card_parameter(kind->parameter, kind->preset);
	snprintf(name, sizeof(name), "%s, %s=0", kind->name, kind->parameter);
	report_row(b->report, "evidence", name, 0, "us", samples_end(&times[0]));
	snprintf(name, sizeof(name), "%s, %s=1", kind->name, kind->parameter);
	report_row(b->report, "evidence", name, 0, "us", samples_end(&times[1]));
	sum = samples_end(&more);
	report_row(b->report, "evidence", "  more, of neighbours", 0, kind->unit, sum);
	report_figure(b->report, kind->figure, kind->unit, sum.median, true, kind->limit);
}

void bench_evidence(struct bench *b)
{
	struct work w = { .fd = card_open_ours() };

	w.handle = card_create(w.fd, KIB(4), PDDGPU_GEM_DOMAIN_VRAM);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		compare(b, &kinds[i], &w);
	card_destroy(w.fd, w.handle);
	/* Others have the driver loaded anew */
	close(w.fd);
	report_print_rows(b->report, "Evidence of leaks, on and off in turns");
}
