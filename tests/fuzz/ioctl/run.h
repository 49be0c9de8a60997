/* SPDX-License-Identifier: MIT */
#ifndef FUZZ_RUN_H
#define FUZZ_RUN_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct fz_run - what is asked for
 */
struct fz_run {
	/** @seed: where random numbers begin */
	uint64_t seed;
	/** @seconds: how long; 0: 30, unless @count says when */
	uint64_t seconds;
	/** @count: ioctls, 0 for any number */
	uint64_t count;
	/** @workers: processes */
	uint64_t workers;
	/** @times: so often is a program run that is given */
	uint64_t times;
	/** @call_seconds: longer takes no call */
	uint64_t call_seconds;
	/** @corpus: a folder, or NULL */
	const char *corpus;
	/** @crashes: a folder, or NULL */
	const char *crashes;
	/** @replay: the files only */
	bool replay;
	/** @distill: the files, for what they reach */
	bool distill;
	/** @show: print a program */
	bool show;
	/** @faults: of the chip */
	bool faults;
	/** @unplug: now and then */
	bool unplug;
	/** @files: programs */
	char **files;
	/** @file_count: how many */
	int file_count;
};

int fz_run(struct fz_run *run);

#endif /* FUZZ_RUN_H */
