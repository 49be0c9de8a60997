/* SPDX-License-Identifier: GPL-2.0 */
/*
 * VRAM in use in every kind of layout, and who has which page of it: for the suites
 * that rebuild the manager's record. All of them share one fixture, the test's priv.
 */
#ifndef PDDGPU_KUNIT_VRAM_H
#define PDDGPU_KUNIT_VRAM_H

#include <linux/bitmap.h>
#include <linux/completion.h>
#include <linux/list.h>
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/types.h>

struct kunit;
struct pddgpu_device;
struct pddgpu_kunit_bo;
struct pddgpu_vram_mgr;

#define VREC_SIZE	((u64)SZ_64M)
#define VREC_VISIBLE	(24ull * SZ_1M)
#define VREC_PAGES	(VREC_SIZE >> PAGE_SHIFT)
#define VREC_BUFFERS	160
#define VREC_RESERVED	(3ull * SZ_64K + SZ_8K)

/* Who has a page, beside the number of a buffer and 1 */
#define VREC_FREE	0
#define VREC_DRIVER	U16_MAX

/**
 * struct pddgpu_vrec - a device, its buffers, and who has which page
 */
struct pddgpu_vrec {
	/** @pdev: the device */
	struct pddgpu_device *pdev;
	/** @mgr: what is tested */
	struct pddgpu_vram_mgr *mgr;
	/** @rnd: random numbers */
	struct rnd_state rnd;
	/** @bo: buffers, or NULL */
	struct pddgpu_kunit_bo *bo[VREC_BUFFERS];
	/** @before: who has which page */
	u16 before[VREC_PAGES];
	/** @after: the same, later */
	u16 after[VREC_PAGES];
	/** @stale: pages that were used before */
	DECLARE_BITMAP(stale, VREC_PAGES);
	/** @held: what is being cleared */
	struct list_head held;
	/** @undo: what a test that fails has to take back; or NULL */
	void (*undo)(struct pddgpu_vrec *vt);
	/** @done: the thread has its result */
	struct completion done;
	/** @result: of the thread */
	int result;
};

int pddgpu_vrec_init(struct kunit *test);
void pddgpu_vrec_map(struct kunit *test, bool booked, u16 *map);
u64 pddgpu_vrec_free_bytes(const u16 *map);
void pddgpu_vrec_free(struct pddgpu_vrec *vt, u32 i);
void pddgpu_vrec_layout(struct kunit *test);
void pddgpu_vrec_spoil(struct kunit *test);
void pddgpu_vrec_recover(struct kunit *test);
void pddgpu_vrec_expect_free(struct kunit *test, const u16 *map);
void pddgpu_vrec_expect_rebuilt(struct kunit *test);

#endif /* PDDGPU_KUNIT_VRAM_H */
