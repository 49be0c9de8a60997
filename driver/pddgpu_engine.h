/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copy engines: their rings and schedulers. They take addresses, never buffers.
 */
#ifndef PDDGPU_ENGINE_H
#define PDDGPU_ENGINE_H

#include <linux/list.h>
#include <linux/sched.h>
#include <linux/sizes.h>

#include <drm/gpu_scheduler.h>

#include "pddgpu_account.h"

struct drm_device;
struct pddgpu_chip;
struct pddgpu_engine;
struct pddgpu_fence;
struct pddgpu_gart;
struct pddgpu_hw;
struct pddgpu_queue;
struct pddgpu_vram_mgr;
struct workqueue_struct;

/**
 * struct pddgpu_recovery - what engines share that may have to be recovered
 */
struct pddgpu_recovery {
	/**
	 * @wq: what recovers an engine or the chip runs here, one after the other;
	 * fences wait for it, so nothing on it waits for memory
	 */
	struct workqueue_struct *wq;
	/**
	 * @reset_chip: an engine could not be reset, and its scheduler is stopped;
	 * called on @wq. False: the chip is not to be reset. True: it was, or could
	 * not be; each engine's jobs run again, here or by the CPU.
	 */
	bool (*reset_chip)(void *data);
	/** @data: its argument */
	void *data;
};

/**
 * struct pddgpu_op_place - what a client calls a range, for reports
 */
struct pddgpu_op_place {
	/** @handle: the client's handle of the buffer; 0 for the driver's own */
	u32 handle;
	/** @offset: into that buffer */
	u64 offset;
};

/**
 * struct pddgpu_op - a copy or a fill
 */
struct pddgpu_op {
	/** @opcode: PDDGPU_OP_COPY or PDDGPU_OP_FILL */
	u32 opcode;
	/** @pattern: what to fill with */
	u32 pattern;
	/** @dst: GPU address */
	u64 dst;
	/** @src: GPU address; copy only */
	u64 src;
	/** @bytes: up to PDDGPU_OP_BYTES_MAX */
	u64 bytes;
	/** @to: where @dst is */
	struct pddgpu_op_place to;
	/** @from: where @src is */
	struct pddgpu_op_place from;
};

/*
 * The chip takes 4 GiB. But a packet has the time of a hang (job_timeout_ms) to
 * be done, and other clients' jobs run between two jobs, not within one.
 */
#define PDDGPU_OP_BYTES_MAX	((u64)SZ_32M)
#define PDDGPU_JOB_BYTES_MAX	((u64)SZ_64M)
/* Operations in a job: a ring holds several jobs, and a job fits 16 KiB */
#define PDDGPU_JOB_OPS_MAX	200u
/* What most jobs have room for in themselves */
#define PDDGPU_JOB_OPS_FEW	4u

/**
 * struct pddgpu_job - operations that run one after the other, then a fence
 */
struct pddgpu_job {
	/** @base: the scheduler's part */
	struct drm_sched_job base;
	/** @engine: which one runs it */
	struct pddgpu_engine *engine;
	/** @link: among the engine's jobs in the ring, under its lock */
	struct list_head link;
	/** @fence: what the engine signals; not emitted before it is in the ring */
	struct pddgpu_fence *fence;
	/** @emitted: @fence is a fence */
	bool emitted;
	/** @armed: the scheduler knows it */
	bool armed;
	/** @must_run: run again after a reset, since data depends on it */
	bool must_run;
	/** @attempts: how often a reset has hit it */
	u8 attempts;
	/** @losses: how often VRAM had been lost when it was made */
	u32 losses;
	/** @client_id: the DRM client that asked; 0 for the driver itself */
	u64 client_id;
	/** @client: for whom the engine works, with a reference; or NULL */
	struct pddgpu_account_client *client;
	/** @flight: the buffers that it uses, where it is a client's */
	struct pddgpu_account_flight flight;
	/** @pid: its process */
	pid_t pid;
	/** @comm: its name */
	char comm[TASK_COMM_LEN];
	/** @queue: the queue that it came by, with a reference */
	struct pddgpu_queue *queue;
	/** @turn: in which of the queue's turns it was submitted */
	u64 turn;
	/** @weight: what it takes of the queue's room */
	u32 weight;
	/** @bytes: how many @ops write */
	u64 bytes;
	/** @count: how many @ops there are */
	u32 count;
	/** @room: for how many of them there is room */
	u32 room;
	/** @ops: the operations: @few, or memory of their own */
	struct pddgpu_op *ops;
	/** @few: room for the first */
	struct pddgpu_op few[PDDGPU_JOB_OPS_FEW];
};

/* Bytes of visible VRAM that each engine wants, page aligned */
#define PDDGPU_ENGINE_RING_SIZE	0x20000u
#define PDDGPU_ENGINE_VRAM_SIZE	(PDDGPU_ENGINE_RING_SIZE + PAGE_SIZE)

struct pddgpu_engine *pddgpu_engine_init(struct drm_device *drm, struct pddgpu_hw *hw,
					 const struct pddgpu_chip *chip,
					 struct pddgpu_gart *gart, u32 index,
					 u64 vram_offset,
					 const struct pddgpu_recovery *recovery);
void pddgpu_engine_hold(struct pddgpu_engine *engine);
void pddgpu_engine_start(struct pddgpu_engine *engine);
void pddgpu_engine_forsake(struct pddgpu_engine *engine);
void pddgpu_engine_abandon(struct pddgpu_engine *engine);
void pddgpu_engine_stop(struct pddgpu_engine *engine);
void pddgpu_engine_drain(struct pddgpu_engine *engine);
int pddgpu_engine_sleep(struct pddgpu_engine *engine, unsigned long deadline);
void pddgpu_engine_wake(struct pddgpu_engine *engine);
void pddgpu_engine_signal(struct pddgpu_engine *engine);
void pddgpu_engine_tick(struct pddgpu_engine *engine);
bool pddgpu_engine_poll_fence(struct pddgpu_engine *engine, struct drm_sched_fence *fence);
void pddgpu_engine_fault(struct pddgpu_engine *engine, u32 status, u64 addr);
struct drm_gpu_scheduler *pddgpu_engine_sched(struct pddgpu_engine *engine);
bool pddgpu_engine_lost(struct pddgpu_engine *engine);
u32 pddgpu_engine_losses(struct pddgpu_engine *engine);
u64 pddgpu_engine_resets(struct pddgpu_engine *engine);

void pddgpu_engine_pause(struct pddgpu_engine *engine);
void pddgpu_engine_catch_up(struct pddgpu_engine *engine);
void pddgpu_engine_lose_vram(struct pddgpu_engine *engine);
int pddgpu_engine_fill_now(struct pddgpu_engine *engine, u64 addr, u64 bytes);
void pddgpu_engine_replay(struct pddgpu_engine *engine);
void pddgpu_engine_give_up(struct pddgpu_engine *engine);
void pddgpu_engine_resume(struct pddgpu_engine *engine);
void pddgpu_engine_refuse(struct pddgpu_engine *engine, int error);

#endif /* PDDGPU_ENGINE_H */
