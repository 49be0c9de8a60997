// SPDX-License-Identifier: MIT
/*
 * What the engine does in a job of a user's, what of it is the engine alone, and
 * moves between VRAM and GTT by the engine and by the CPU.
 */
#include "bench.h"

#include <math.h>
#include <unistd.h>

/* Operations in the longer of two jobs, whose difference is the engine alone */
#define MANY	9

static double job_ns(int fd, uint32_t handle, const struct drm_pddgpu_submit_op *ops,
		     uint32_t count)
{
	uint64_t start = now_ns();

	card_submit(fd, ops, count);
	card_wait(fd, handle);
	return (double)(now_ns() - start);
}

static int rounds_of(const struct bench *b, uint64_t size)
{
	int rounds = size > MIB(16) ? 8 : size > MIB(1) ? 20 : 60;

	return b->quick ? rounds / 4 : rounds;
}

/* The time of a job, and of the engine alone for one operation of it */
static struct summary job_times(struct bench *b, int fd, uint32_t wait,
				const struct drm_pddgpu_submit_op *op, double *alone)
{
	struct samples whole = { 0 }, parts = { 0 };
	struct drm_pddgpu_submit_op ops[MANY];
	double one;

	for (int i = 0; i < MANY; i++)
		ops[i] = *op;
	job_ns(fd, wait, ops, 1);
	for (int i = 0; i < rounds_of(b, op->bytes); i++) {
		one = job_ns(fd, wait, ops, 1);
		samples_add(&whole, one / 1000);
		if (alone)
			samples_add(&parts, (job_ns(fd, wait, ops, MANY) - one) / (MANY - 1));
	}
	if (alone)
		*alone = samples_end(&parts).median;
	return samples_end(&whole);
}

static void bench_fill(struct bench *b, int fd)
{
	for (size_t i = 0; i < CREATE_SIZES; i++) {
		uint64_t size = create_sizes[i];
		struct drm_pddgpu_submit_op op = {
			.opcode = PDDGPU_SUBMIT_FILL,
			.dst_handle = card_create(fd, size, PDDGPU_GEM_DOMAIN_VRAM),
			.bytes = size,
		};
		struct summary sum = job_times(b, fd, op.dst_handle, &op, &b->fill_ns[i]);
		struct summary alone = {
			1, b->fill_ns[i] / 1000, b->fill_ns[i] / 1000, b->fill_ns[i] / 1000,
			b->fill_ns[i] / 1000, b->fill_ns[i] / 1000,
		};

		report_row(b->report, "engine", "fill VRAM", size, "us", sum);
		report_ratio(report_row(b->report, "engine", "fill VRAM, the engine alone",
					size, "us", alone),
			     alone.median / sum.median, "to the whole job");
		card_destroy(fd, op.dst_handle);
	}
}

/* Returns the median in ns */
static double copy_row(struct bench *b, int fd, const char *name, uint32_t from,
		       uint32_t to, uint64_t size)
{
	struct drm_pddgpu_submit_op op = {
		.opcode = PDDGPU_SUBMIT_COPY,
		.dst_handle = card_create(fd, size, to),
		.src_handle = card_create(fd, size, from),
		.bytes = size,
	};
	struct summary sum = job_times(b, fd, op.dst_handle, &op, NULL);
	double host = host_copy_ns(&b->host, size) / 1000;

	report_ratio(report_row(b->report, "engine", name, size, "us", sum),
		     host / sum.median, isnan(host) ? "" : "of the host's memcpy rate");
	card_destroy(fd, op.src_handle);
	card_destroy(fd, op.dst_handle);
	return sum.median * 1000;
}

void bench_engine(struct bench *b)
{
	uint64_t most = move_sizes[HOST_SIZES - 1];
	int fd = card_open_ours();
	double out, in;

	for (size_t i = 0; i < b->host.count; i++) {
		struct summary sum = b->host.copy[i].ns;

		sum.p10 /= 1000;
		sum.median /= 1000;
		sum.p90 /= 1000;
		sum.p99 /= 1000;
		sum.max /= 1000;
		report_row(b->report, "engine", "memcpy on the host", b->host.copy[i].size,
			   "us", sum);
	}
	bench_fill(b, fd);
	for (size_t i = 0; i < HOST_SIZES; i++)
		copy_row(b, fd, "copy VRAM to VRAM", PDDGPU_GEM_DOMAIN_VRAM,
			 PDDGPU_GEM_DOMAIN_VRAM, move_sizes[i]);
	out = copy_row(b, fd, "copy VRAM to GTT", PDDGPU_GEM_DOMAIN_VRAM,
		       PDDGPU_GEM_DOMAIN_GTT, most);
	in = copy_row(b, fd, "copy GTT to VRAM", PDDGPU_GEM_DOMAIN_GTT,
		      PDDGPU_GEM_DOMAIN_VRAM, most);
	b->copy_rate = 2 * (double)most / (out + in) * 1e9;
	close(fd);
	report_print_rows(b->report, "Jobs of users (SUBMIT until GEM_WAIT is over)");
}

/* ---- moves ---- */

enum { OUT, IN, WAYS };
enum { ENGINE, CPU, MOVERS };

static void move_round(int fd, uint32_t handle, struct samples s[WAYS])
{
	static const uint32_t where[WAYS] = {
		[OUT] = PDDGPU_GEM_DOMAIN_GTT,
		[IN] = PDDGPU_GEM_DOMAIN_VRAM,
	};

	for (int way = 0; way < WAYS; way++) {
		uint64_t start = now_ns();

		card_set_domain(fd, handle, where[way]);
		card_wait(fd, handle);
		if (s)
			samples_add(&s[way], (double)(now_ns() - start) / 1000);
	}
}

static void moves_of(struct bench *b, int fd, uint64_t size,
		     struct summary sums[MOVERS][WAYS])
{
	struct samples s[MOVERS][WAYS] = { 0 };
	int rounds = rounds_of(b, size) / 2;
	uint32_t handle = card_create(fd, size, PDDGPU_GEM_DOMAIN_VRAM);

	move_round(fd, handle, NULL);
	for (int i = 0; i < (rounds ? rounds : 1); i++) {
		for (int mover = 0; mover < MOVERS; mover++) {
			card_parameter("cpu_moves", mover == CPU ? "1" : "0");
			move_round(fd, handle, s[mover]);
		}
	}
	card_parameter("cpu_moves", "0");
	card_destroy(fd, handle);
	for (int mover = 0; mover < MOVERS; mover++)
		for (int way = 0; way < WAYS; way++)
			sums[mover][way] = samples_end(&s[mover][way]);
}

void bench_moves(struct bench *b)
{
	static const char *const names[MOVERS][WAYS] = {
		{ "engine, VRAM to GTT", "engine, GTT to VRAM" },
		{ "CPU, VRAM to GTT", "CPU, GTT to VRAM" },
	};
	struct summary sums[MOVERS][WAYS];
	double worst = INFINITY, engine = NAN, host;
	int fd = card_open_ours();

	if (!card_parameter("cpu_moves", "0"))
		die("the driver has no parameter cpu_moves");
	for (size_t i = 0; i < HOST_SIZES; i++) {
		uint64_t size = move_sizes[i];

		moves_of(b, fd, size, sums);
		for (int way = 0; way < WAYS; way++) {
			double ratio = sums[CPU][way].median / sums[ENGINE][way].median;

			report_ratio(report_row(b->report, "move", names[ENGINE][way], size,
						"us", sums[ENGINE][way]),
				     ratio, "times as fast as the CPU");
			report_row(b->report, "move", names[CPU][way], size, "us",
				   sums[CPU][way]);
			if (size >= MIB(1) && ratio < worst)
				worst = ratio;
		}
		engine = (sums[ENGINE][OUT].median + sums[ENGINE][IN].median) / 2 * 1000;
	}
	close(fd);
	host = host_copy_ns(&b->host, move_sizes[HOST_SIZES - 1]);
	report_figure(b->report, "engine move, times the CPU's, the worst from 1M up", "",
		      worst, false, 10);
	report_figure(b->report, "engine move at 64M, of the host's memcpy rate", "",
		      host / engine, false, 0.8);
	report_print_rows(b->report, "Moves (SET_DOMAIN until GEM_WAIT is over)");
}
