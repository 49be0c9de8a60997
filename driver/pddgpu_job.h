/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Making jobs for an engine out of any number of operations.
 */
#ifndef PDDGPU_JOB_H
#define PDDGPU_JOB_H

#include <linux/types.h>

#include "pddgpu_engine.h"

struct dma_fence;
struct dma_resv;
struct drm_sched_fence;
struct pddgpu_chip;
struct pddgpu_gart;
struct pddgpu_hw;
struct pddgpu_queue;
struct pddgpu_timeline;

/**
 * struct pddgpu_batch - operations on their way to an engine
 *
 * They run in order. However many there are, the caller sees one fence.
 */
struct pddgpu_batch {
	/** @engine: which one runs them */
	struct pddgpu_engine *engine;
	/** @queue: by which it goes there */
	struct pddgpu_queue *queue;
	/** @client_id: the DRM client that asks; 0 for the driver itself */
	u64 client_id;
	/** @client: for whom the engine works; or NULL */
	struct pddgpu_account_client *client;
	/** @must_run: data depends on it: run again after a reset */
	bool must_run;
	/** @to: what the client calls the destination of what is added next */
	struct pddgpu_op_place to;
	/** @from: the same for the source */
	struct pddgpu_op_place from;
	/** @job: the one being filled, or NULL */
	struct pddgpu_job *job;
	/** @last: the fence of the job pushed last, with a reference; or NULL */
	struct dma_fence *last;
	/** @earlier: that of a job some way before it, with a reference; or NULL */
	struct dma_fence *earlier;
	/** @pushed: how many jobs were pushed */
	u32 pushed;
};

int pddgpu_batch_begin(struct pddgpu_batch *batch, struct pddgpu_engine *engine,
		       struct pddgpu_queue *queue, u64 client_id,
		       struct pddgpu_account_client *client, bool must_run);
int pddgpu_batch_wait_resv(struct pddgpu_batch *batch, struct dma_resv *resv, bool write);
int pddgpu_batch_wait_all(struct pddgpu_batch *batch, struct dma_resv *resv);
int pddgpu_batch_wait_fence(struct pddgpu_batch *batch, struct dma_fence *fence);
int pddgpu_batch_copy(struct pddgpu_batch *batch, u64 dst, u64 src, u64 bytes);
int pddgpu_batch_fill(struct pddgpu_batch *batch, u64 dst, u64 bytes, u32 pattern);
void pddgpu_batch_carry(struct pddgpu_batch *batch, struct pddgpu_account *account,
			struct pddgpu_account_node *node);
void pddgpu_batch_use(struct pddgpu_batch *batch, struct pddgpu_account *account,
		      struct pddgpu_account_node *node);
struct dma_fence *pddgpu_batch_end(struct pddgpu_batch *batch);
void pddgpu_batch_abort(struct pddgpu_batch *batch);

int pddgpu_job_run_by_cpu(struct pddgpu_job *job, struct pddgpu_hw *hw,
			  const struct pddgpu_chip *chip, struct pddgpu_gart *gart,
			  void *bounce);
bool pddgpu_job_repeatable(const struct pddgpu_job *job, const struct pddgpu_chip *chip);
void pddgpu_job_break(struct pddgpu_job *job, int error);
int pddgpu_job_broken(const struct pddgpu_job *job);
int pddgpu_job_init_past(void);
void pddgpu_job_forget(struct drm_sched_fence *fence, struct pddgpu_timeline *timeline);
void pddgpu_job_free(struct pddgpu_job *job);

#endif /* PDDGPU_JOB_H */
