// SPDX-License-Identifier: GPL-2.0
/*
 * An engine is recovered where reclaim may wait for its fences, so nothing is
 * allocated there: what is to be known is put into memory that is there already,
 * and a work item makes the text of it.
 */
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/devcoredump.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/sysfs.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include <drm/drm_device.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include <pddgpu_packets.h>
#include <pddgpu_regs.h>

#include "pddgpu_chip.h"
#include "pddgpu_coredump.h"
#include "pddgpu_engine.h"
#include "pddgpu_gart.h"
#include "pddgpu_hw.h"
#include "pddgpu_trace.h"

/* Of the job's operations the first are enough to know it by */
#define PDDGPU_COREDUMP_OPS	64u
/* Room for the text: 160 bytes an operation, and the lines before them */
#define PDDGPU_COREDUMP_SIZE	(PDDGPU_COREDUMP_OPS * 160u + 2048u)
/* How long one that is thrown away may take to go */
#define PDDGPU_COREDUMP_TRIES	20u
#define PDDGPU_COREDUMP_DELAY_MS	10

/**
 * struct pddgpu_coredump_ring - the registers of a ring
 */
struct pddgpu_coredump_ring {
	/** @base: CP_RING_BASE */
	u32 base;
	/** @size: CP_RING_SIZE */
	u32 size;
	/** @wptr: CP_RING_WPTR */
	u32 wptr;
	/** @rptr: CP_RING_RPTR */
	u32 rptr;
	/** @ctrl: CP_RING_CTRL */
	u32 ctrl;
};

/**
 * struct pddgpu_coredump - an engine's last stop, or the chip's
 */
struct pddgpu_coredump {
	/** @drm: whose dump it is */
	struct drm_device *drm;
	/** @hw: the card */
	struct pddgpu_hw *hw;
	/** @chip: its name */
	const struct pddgpu_chip *chip;
	/** @gart: the page tables */
	struct pddgpu_gart *gart;
	/** @busy: 1 from pddgpu_coredump_keep() until @work is over */
	atomic_t busy;
	/** @work: makes the text */
	struct work_struct work;
	/** @time: when it was, of the wall clock */
	struct timespec64 time;
	/** @fault: what it was */
	struct pddgpu_fault fault;
	/** @levels: how many page table entries there are for its address */
	u32 levels;
	/** @entry: they */
	u64 entry[PDDGPU_GART_LEVELS];
	/** @whole: the chip is reset, not an engine; what is said of one is not known */
	bool whole;
	/** @ring: of each engine */
	struct pddgpu_coredump_ring ring[PDDGPU_ENGINE_COUNT];
	/** @chip_status: STATUS */
	u32 chip_status;
	/** @wptr: where the driver would write next */
	u32 wptr;
	/** @client_id: whose job it was; 0 for the driver's own */
	u64 client_id;
	/** @pid: its process */
	pid_t pid;
	/** @comm: its name */
	char comm[TASK_COMM_LEN];
	/** @count: operations of the job */
	u32 count;
	/** @ops: the first of them */
	struct pddgpu_op ops[PDDGPU_COREDUMP_OPS];
};

/**
 * pddgpu_fault_name() - a fault's reason, for people
 * @status: the chip's FAULT_STATUS
 *
 * Return: a constant.
 */
const char *pddgpu_fault_name(u32 status)
{
	static const char * const names[] = {
		[PDDGPU_FAULT_INVALID_ENTRY] = "invalid page table entry",
		[PDDGPU_FAULT_READ_ONLY] = "write to a read-only page",
		[PDDGPU_FAULT_OUT_OF_RANGE] = "address in no memory",
		[PDDGPU_FAULT_BUS] = "bus error",
		[PDDGPU_FAULT_BAD_PACKET] = "bad packet",
		[PDDGPU_FAULT_BAD_RING] = "bad ring",
		[PDDGPU_FAULT_INJECTED] = "injected fault",
		[PDDGPU_FAULT_BAD_TABLE] = "bad page table",
	};
	u32 reason = (status & PDDGPU_FAULT_REASON_MASK) >> PDDGPU_FAULT_REASON_SHIFT;

	return reason < ARRAY_SIZE(names) && names[reason] ? names[reason] : "unknown fault";
}

static bool pddgpu_fault_within(struct pddgpu_fault *fault, u64 start, u64 bytes,
				const struct pddgpu_op_place *place)
{
	if (!place->handle || fault->addr < start || fault->addr - start >= bytes)
		return false;
	fault->handle = place->handle;
	fault->offset = place->offset + (fault->addr - start);
	return true;
}

/**
 * pddgpu_fault_find_buffer() - whose address is it?
 * @fault: the fault; its handle and offset are filled in when they are known
 * @job: the job that stopped at it
 *
 * The address of a bad packet or ring is not a buffer's.
 */
void pddgpu_fault_find_buffer(struct pddgpu_fault *fault, const struct pddgpu_job *job)
{
	bool write = fault->status & PDDGPU_FAULT_WRITE;
	u32 i;

	if (!(fault->status & PDDGPU_FAULT_VALID))
		return;
	for (i = 0; i < job->count; i++) {
		const struct pddgpu_op *op = &job->ops[i];

		if (write && pddgpu_fault_within(fault, op->dst, op->bytes, &op->to))
			return;
		if (!write && op->opcode == PDDGPU_OP_COPY &&
		    pddgpu_fault_within(fault, op->src, op->bytes, &op->from))
			return;
	}
}

/**
 * pddgpu_fault_report() - say what happened to whose job
 * @drm: the DRM device
 * @fault: why its engine has stopped
 * @job: the job
 */
void pddgpu_fault_report(struct drm_device *drm, const struct pddgpu_fault *fault,
			 const struct pddgpu_job *job)
{
	int len = strnlen(job->comm, sizeof(job->comm));
	char buffer[64] = "";

	trace_fault(drm->dev, fault->engine, fault->status, fault->addr, job->client_id);
	if (fault->handle)
		snprintf(buffer, sizeof(buffer), ", buffer handle %u offset %#llx",
			 fault->handle, fault->offset);
	if (fault->status & PDDGPU_FAULT_VALID)
		drm_err(drm, "PDDGPU: engine %u: %s, %s at %#llx, job of %*pE[%d] client %llu%s\n",
			fault->engine, pddgpu_fault_name(fault->status),
			fault->status & PDDGPU_FAULT_WRITE ? "write" : "read", fault->addr,
			len, job->comm, job->pid, job->client_id, buffer);
	else
		drm_err(drm, "PDDGPU: engine %u hangs in a job of %*pE[%d] client %llu\n",
			fault->engine, len, job->comm, job->pid, job->client_id);
}

static void pddgpu_coredump_print_op(struct drm_printer *p, u32 number,
				     const struct pddgpu_op *op)
{
	if (op->opcode == PDDGPU_OP_COPY)
		drm_printf(p, "  %u: copy %#llx (handle %u offset %#llx) from ", number,
			   op->dst, op->to.handle, op->to.offset);
	else
		drm_printf(p, "  %u: fill %#llx (handle %u offset %#llx) with %#x",
			   number, op->dst, op->to.handle, op->to.offset, op->pattern);
	if (op->opcode == PDDGPU_OP_COPY)
		drm_printf(p, "%#llx (handle %u offset %#llx)", op->src, op->from.handle,
			   op->from.offset);
	drm_printf(p, " bytes %#llx\n", op->bytes);
}

static void pddgpu_coredump_print_fault(struct pddgpu_coredump *dump, struct drm_printer *p)
{
	const struct pddgpu_fault *fault = &dump->fault;
	u32 i;

	if (!(fault->status & PDDGPU_FAULT_VALID)) {
		drm_printf(p, "fault: none, the engine hangs\n");
		return;
	}
	drm_printf(p, "fault: %s, %s, level %u\n", pddgpu_fault_name(fault->status),
		   fault->status & PDDGPU_FAULT_WRITE ? "write" : "read",
		   (fault->status & PDDGPU_FAULT_LEVEL_MASK) >> PDDGPU_FAULT_LEVEL_SHIFT);
	drm_printf(p, "status: %#x\naddress: %#llx\n", fault->status, fault->addr);
	if (fault->handle)
		drm_printf(p, "buffer: handle %u offset %#llx\n", fault->handle,
			   fault->offset);
	else
		drm_printf(p, "buffer: not known\n");
	for (i = 0; i < dump->levels; i++)
		drm_printf(p, "entry of level %u: %#llx\n", i + 1, dump->entry[i]);
}

static void pddgpu_coredump_print_rings(struct pddgpu_coredump *dump,
					struct drm_printer *p)
{
	u32 i;

	drm_printf(p, "chip status: %#x\n", dump->chip_status);
	for (i = 0; i < PDDGPU_ENGINE_COUNT; i++) {
		const struct pddgpu_coredump_ring *ring = &dump->ring[i];

		drm_printf(p, "ring %u: base %#x size %#x wptr %#x rptr %#x ctrl %#x\n", i,
			   ring->base, ring->size, ring->wptr, ring->rptr, ring->ctrl);
	}
}

static void pddgpu_coredump_print(struct pddgpu_coredump *dump, struct drm_printer *p)
{
	u32 i;

	drm_printf(p, "PDDGPU coredump\n");
	drm_printf(p, "time: %lld.%09ld\n", (s64)dump->time.tv_sec, dump->time.tv_nsec);
	drm_printf(p, "chip: %s\n", dump->chip->name);
	drm_printf(p, "reset: %s\n", dump->whole ? "chip" : "engine");
	if (!dump->whole) {
		drm_printf(p, "engine: %u\n", dump->fault.engine);
		pddgpu_coredump_print_fault(dump, p);
	}
	pddgpu_coredump_print_rings(dump, p);
	if (dump->whole)
		return;
	drm_printf(p, "driver's wptr: %#x\n", dump->wptr);
	drm_printf(p, "owner: %*pE pid %d client %llu\n",
		   (int)strnlen(dump->comm, sizeof(dump->comm)), dump->comm, dump->pid,
		   dump->client_id);
	drm_printf(p, "operations: %u\n", dump->count);
	for (i = 0; i < min(dump->count, PDDGPU_COREDUMP_OPS); i++)
		pddgpu_coredump_print_op(p, i, &dump->ops[i]);
	if (dump->count > PDDGPU_COREDUMP_OPS)
		drm_printf(p, "  and %u more\n", dump->count - PDDGPU_COREDUMP_OPS);
}

/*
 * One that was thrown away a moment ago is not found any more by dev_coredumpv(), but
 * its link is in the device's folder until all have let go of it, and of a second link
 * the kernel warns with a call trace.
 */
static bool pddgpu_coredump_has_place(struct device *dev)
{
	struct kernfs_node *link, *data;
	unsigned int left;

	for (left = PDDGPU_COREDUMP_TRIES; left; left--) {
		link = sysfs_get_dirent(dev->kobj.sd, "devcoredump");
		if (!link)
			return true;
		/* Of one that is kept there is the text to be read */
		data = sysfs_get_dirent(link->symlink.target_kn, "data");
		sysfs_put(link);
		if (data) {
			sysfs_put(data);
			return false;
		}
		msleep(PDDGPU_COREDUMP_DELAY_MS);
	}
	return false;
}

static void pddgpu_coredump_work(struct work_struct *work)
{
	struct pddgpu_coredump *dump = container_of(work, struct pddgpu_coredump, work);
	struct drm_print_iterator iter = { .remain = PDDGPU_COREDUMP_SIZE };
	struct drm_printer p = drm_coredump_printer(&iter);

	iter.data = vzalloc(PDDGPU_COREDUMP_SIZE);
	if (iter.data) {
		pddgpu_coredump_print(dump, &p);
		/* Where one is kept already, this one is dropped */
		if (pddgpu_coredump_has_place(dump->drm->dev))
			dev_coredumpv(dump->drm->dev, iter.data,
				      PDDGPU_COREDUMP_SIZE - iter.remain, GFP_KERNEL);
		else
			vfree(iter.data);
	}
	atomic_set_release(&dump->busy, 0);
}

static void pddgpu_coredump_keep_registers(struct pddgpu_coredump *dump)
{
	struct pddgpu_hw *hw = dump->hw;
	u32 i;

	ktime_get_real_ts64(&dump->time);
	for (i = 0; i < PDDGPU_ENGINE_COUNT; i++) {
		dump->ring[i] = (struct pddgpu_coredump_ring) {
			.base = pddgpu_hw_read(hw, PDDGPU_CP_RING_BASE(i)),
			.size = pddgpu_hw_read(hw, PDDGPU_CP_RING_SIZE(i)),
			.wptr = pddgpu_hw_read(hw, PDDGPU_CP_RING_WPTR(i)),
			.rptr = pddgpu_hw_read(hw, PDDGPU_CP_RING_RPTR(i)),
			.ctrl = pddgpu_hw_read(hw, PDDGPU_CP_RING_CTRL(i)),
		};
	}
	dump->chip_status = pddgpu_hw_read(hw, PDDGPU_STATUS);
}

/**
 * pddgpu_coredump_keep_chip() - keep what is known about the chip
 * @dump: that of the chip
 *
 * As pddgpu_coredump_keep().
 */
void pddgpu_coredump_keep_chip(struct pddgpu_coredump *dump)
{
	if (atomic_cmpxchg(&dump->busy, 0, 1))
		return;
	dump->whole = true;
	pddgpu_coredump_keep_registers(dump);
	schedule_work(&dump->work);
}

/**
 * pddgpu_coredump_keep() - keep what is known about an engine's stop
 * @dump: the engine's
 * @fault: why it has stopped
 * @job: the job that it stopped in
 * @wptr: where the driver would write its ring next
 *
 * Before the reset; the registers are mapped. Allocates nothing. While the one
 * before is being written this one is dropped.
 */
void pddgpu_coredump_keep(struct pddgpu_coredump *dump, const struct pddgpu_fault *fault,
			  const struct pddgpu_job *job, u32 wptr)
{
	if (atomic_cmpxchg(&dump->busy, 0, 1))
		return;
	pddgpu_coredump_keep_registers(dump);
	dump->fault = *fault;
	dump->levels = 0;
	if (fault->status & PDDGPU_FAULT_VALID)
		dump->levels = pddgpu_gart_read_entries(dump->gart, fault->addr,
							dump->entry);
	dump->wptr = wptr;
	dump->client_id = job->client_id;
	dump->pid = job->pid;
	memcpy(dump->comm, job->comm, sizeof(dump->comm));
	dump->count = job->count;
	memcpy(dump->ops, job->ops, min(job->count, PDDGPU_COREDUMP_OPS) * sizeof(job->ops[0]));
	schedule_work(&dump->work);
}

/**
 * pddgpu_coredump_stop() - keep no more
 * @dump: the engine's, of an engine that is recovered no more
 *
 * What has been written stays until it is read or its time is over.
 */
void pddgpu_coredump_stop(struct pddgpu_coredump *dump)
{
	flush_work(&dump->work);
}

/**
 * pddgpu_coredump_init() - make room for what an engine's stop leaves behind
 * @drm: the DRM device, which frees it
 * @hw: the card
 * @chip: the chip
 * @gart: the page tables
 *
 * Return: the room, or an error pointer.
 */
struct pddgpu_coredump *pddgpu_coredump_init(struct drm_device *drm, struct pddgpu_hw *hw,
					     const struct pddgpu_chip *chip,
					     struct pddgpu_gart *gart)
{
	struct pddgpu_coredump *dump = drmm_kzalloc(drm, sizeof(*dump), GFP_KERNEL);

	if (!dump)
		return ERR_PTR(-ENOMEM);
	dump->drm = drm;
	dump->hw = hw;
	dump->chip = chip;
	dump->gart = gart;
	INIT_WORK(&dump->work, pddgpu_coredump_work);
	return dump;
}
