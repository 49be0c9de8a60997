/* SPDX-License-Identifier: MIT */
/* Samples of this machine, taken now */
#ifndef PDDGPU_TOOLS_LIVE_H
#define PDDGPU_TOOLS_LIVE_H

#include "sample.h"

struct live;

struct live_options {
	const char *proc;	/* as drmscan_options has them */
	const char *sys;
	uint64_t budget_ns;
	bool owners;		/* also who left memory behind */
};

/* 0 or a negative errno */
int live_new(const struct live_options *options, struct live **out);
void live_free(struct live *live);
/* *out is valid until the next call; 0 or a negative errno */
int live_sample(struct live *live, const struct sample **out);
/* Milliseconds of CLOCK_BOOTTIME: goes on while the machine sleeps */
uint64_t live_now_ms(void);

#endif
