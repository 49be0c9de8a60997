/* SPDX-License-Identifier: MIT */
/*
 * Stand-ins for what the library talks to: folders like /sys, /dev/dri and debugfs, and
 * a driver behind ioctl(), whose memory is a file. They show what the library makes of
 * the kernel's answers; whether the kernel gives them is for the tests in VMs.
 */
#ifndef FAKE_H
#define FAKE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "internal.h"

#define assert_ok(call) do {							\
	int rc_ = (call);							\
	if (rc_)								\
		fail_msg("%s: %s", #call, pddgpu_strerror(rc_));		\
} while (0)

#define assert_err(err, call) do {						\
	int rc_ = (call);							\
	if (rc_ != -(err))							\
		fail_msg("%s: %d (%s), not %s", #call, rc_, pddgpu_strerror(rc_),	\
			 strerror(err));					\
} while (0)

#define PCI0	"0000:00:04.0"
#define PCI1	"0000:00:05.0"

/**
 * struct fake - what the driver is to do
 */
struct fake {
	/** @driver: what it calls itself */
	char driver[16];
	/** @gone: the card has gone */
	bool gone;
	/** @wedged: it is there, and does nothing but give back */
	bool wedged;
	/** @interrupt: of so many calls one is interrupted; 0: none */
	unsigned int interrupt;
	/** @fail_nr: the number of the ioctl that fails, without its base; -1: none */
	int fail_nr;
	/** @fail_errno: and how */
	int fail_errno;
	/** @query_types: it knows as many queries */
	unsigned int query_types;
	/** @query_size: of an answer, if that is not what the header says */
	uint32_t query_size;
	/** @ask: answers the queries that read first; NULL: they are not known */
	int (*ask)(struct drm_pddgpu_query *args);
	/** @labels: it knows GEM_SET_LABEL */
	bool labels;
	/** @busy: nothing gets done */
	bool busy;
	/** @status: how jobs end: 1 or a negative errno */
	int status;
	/** @handle_step: what handles are multiples of; for handles that are far apart */
	uint32_t handle_step;
	/** @label: what was set last */
	char label[64];
	/** @timeout_ns: of the last wait */
	int64_t timeout_ns;
	/** @submitted: how many jobs */
	unsigned int submitted;
	/** @signals: of the last submission */
	unsigned int signals;
	/** @master: somebody opened a primary node, and has not dropped that */
	bool master;
};

extern struct fake fake;

/* The linker puts these two in the place of the C library's. */
struct stat;
int __real_fstat(int fd, struct stat *st);
int __real_stat(const char *path, struct stat *st);
int __wrap_fstat(int fd, struct stat *st);
int __wrap_stat(const char *path, struct stat *st);

void fake_reset(void);
unsigned int fake_handles(void);
unsigned int fake_syncobjs(void);
unsigned int fake_handles_closed_twice(void);

/* tree.c */

/**
 * struct tree - folders of a test's own
 */
struct tree {
	/** @root: of all */
	char root[64];
	/** @paths: for the library */
	struct pddi_paths paths;
	/** @texts: what @paths points to */
	char texts[3][96];
};

void tree_make(struct tree *tree);
void tree_remove(struct tree *tree);
void tree_card(struct tree *tree, const char *driver, const char *pci, int card, int render);
void tree_write(const struct tree *tree, const char *path, const char *text);
void tree_data(const struct tree *tree, const char *path, const char *name);
void tree_delete(const struct tree *tree, const char *path);
void tree_debugfs(const struct tree *tree, const char *file, const char *text);

/* The usual: one card, opened */
struct rig {
	struct tree tree;
	struct pddgpu_device *dev;
	int files;
};

int rig_setup(void **state);
int rig_teardown(void **state);
int open_files(void);

#define rig_test(f)	cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

extern const struct CMUnitTest open_tests[], bo_tests[], text_tests[], event_tests[],
	evidence_tests[];
extern const size_t open_tests_count, bo_tests_count, text_tests_count, event_tests_count,
	evidence_tests_count;

#endif
