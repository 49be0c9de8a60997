/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints, system pddgpu; docs/driver.md lists them. Each names its card, and
 * numbers and sizes have their unit in their name. A buffer is named by a number that
 * is given out once, a job by its engine and its number there.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pddgpu

#if !defined(_PDDGPU_TRACE_H_) || defined(TRACE_HEADER_MULTI_READ)
#define _PDDGPU_TRACE_H_

#include <linux/device.h>
#include <linux/tracepoint.h>
#include <linux/types.h>

#include <drm/pddgpu_drm.h>

#include <pddgpu_regs.h>

#define show_pddgpu_domains(domains)					\
	__print_flags(domains, "|",					\
		      { PDDGPU_GEM_DOMAIN_VRAM, "vram" },		\
		      { PDDGPU_GEM_DOMAIN_GTT, "gtt" },			\
		      { PDDGPU_GEM_DOMAIN_CPU, "cpu" })

#define show_pddgpu_state(state)					\
	__print_symbolic(state,						\
			 { PDDGPU_OBJECT_LIVE, "LIVE" },		\
			 { PDDGPU_OBJECT_ORPHAN, "ORPHAN" },		\
			 { PDDGPU_OBJECT_ZOMBIE, "ZOMBIE" })

#define show_pddgpu_engine(engine)					\
	__print_symbolic(engine,					\
			 { PDDGPU_ENGINE_USER, "user" },		\
			 { PDDGPU_ENGINE_PAGING, "paging" })

/* 0 is none: the engine has stopped, and the chip does not know of a fault */
#define show_pddgpu_fault(reason)					\
	__print_symbolic(reason,					\
			 { 0, "hang" },					\
			 { PDDGPU_FAULT_INVALID_ENTRY, "invalid-entry" }, \
			 { PDDGPU_FAULT_READ_ONLY, "read-only" },	\
			 { PDDGPU_FAULT_OUT_OF_RANGE, "out-of-range" },	\
			 { PDDGPU_FAULT_BUS, "bus" },			\
			 { PDDGPU_FAULT_BAD_PACKET, "bad-packet" },	\
			 { PDDGPU_FAULT_BAD_RING, "bad-ring" },		\
			 { PDDGPU_FAULT_INJECTED, "injected" },		\
			 { PDDGPU_FAULT_BAD_TABLE, "bad-table" })

TRACE_EVENT(bo_create,
	    TP_PROTO(const struct device *card, u64 bo, u64 size_bytes, u32 domain, u32 domains,
		     u32 flags, u64 client),
	    TP_ARGS(card, bo, size_bytes, domain, domains, flags, client),

	    TP_STRUCT__entry(__string(dev, dev_name(card))
			     __field(u64, bo)
			     __field(u64, size_bytes)
			     __field(u64, client)
			     __field(u32, domain)
			     __field(u32, domains)
			     __field(u32, flags)),

	    TP_fast_assign(__assign_str(dev);
			   __entry->bo = bo;
			   __entry->size_bytes = size_bytes;
			   __entry->client = client;
			   __entry->domain = domain;
			   __entry->domains = domains;
			   __entry->flags = flags;),

	    TP_printk("dev=%s bo=%llu size_bytes=%llu domain=%s domains=%s flags=%#x client=%llu",
		      __get_str(dev), __entry->bo, __entry->size_bytes,
		      show_pddgpu_domains(__entry->domain),
		      show_pddgpu_domains(__entry->domains), __entry->flags, __entry->client)
);

TRACE_EVENT(bo_destroy,
	    TP_PROTO(const struct device *card, u64 bo, u64 size_bytes),
	    TP_ARGS(card, bo, size_bytes),

	    TP_STRUCT__entry(__string(dev, dev_name(card))
			     __field(u64, bo)
			     __field(u64, size_bytes)),

	    TP_fast_assign(__assign_str(dev);
			   __entry->bo = bo;
			   __entry->size_bytes = size_bytes;),

	    TP_printk("dev=%s bo=%llu size_bytes=%llu",
		      __get_str(dev), __entry->bo, __entry->size_bytes)
);

TRACE_EVENT(bo_state,
	    TP_PROTO(const struct device *card, u64 bo, u64 size_bytes, u32 from, u32 to),
	    TP_ARGS(card, bo, size_bytes, from, to),

	    TP_STRUCT__entry(__string(dev, dev_name(card))
			     __field(u64, bo)
			     __field(u64, size_bytes)
			     __field(u32, from)
			     __field(u32, to)),

	    TP_fast_assign(__assign_str(dev);
			   __entry->bo = bo;
			   __entry->size_bytes = size_bytes;
			   __entry->from = from;
			   __entry->to = to;),

	    TP_printk("dev=%s bo=%llu size_bytes=%llu from=%s to=%s",
		      __get_str(dev), __entry->bo, __entry->size_bytes,
		      show_pddgpu_state(__entry->from), show_pddgpu_state(__entry->to))
);

TRACE_EVENT(bo_move,
	    TP_PROTO(const struct device *card, u64 bo, u64 size_bytes, u32 from, u32 to,
		     bool evict, u64 duration_ns, int error),
	    TP_ARGS(card, bo, size_bytes, from, to, evict, duration_ns, error),

	    TP_STRUCT__entry(__string(dev, dev_name(card))
			     __field(u64, bo)
			     __field(u64, size_bytes)
			     __field(u64, duration_ns)
			     __field(u32, from)
			     __field(u32, to)
			     __field(int, error)
			     __field(bool, evict)),

	    TP_fast_assign(__assign_str(dev);
			   __entry->bo = bo;
			   __entry->size_bytes = size_bytes;
			   __entry->duration_ns = duration_ns;
			   __entry->from = from;
			   __entry->to = to;
			   __entry->error = error;
			   __entry->evict = evict;),

	    TP_printk("dev=%s bo=%llu size_bytes=%llu from=%s to=%s evict=%d duration_ns=%llu error=%d",
		      __get_str(dev), __entry->bo, __entry->size_bytes,
		      show_pddgpu_domains(__entry->from), show_pddgpu_domains(__entry->to),
		      __entry->evict, __entry->duration_ns, __entry->error)
);

TRACE_EVENT(bo_evict,
	    TP_PROTO(const struct device *card, u64 bo, u64 size_bytes, u32 from, u32 to),
	    TP_ARGS(card, bo, size_bytes, from, to),

	    TP_STRUCT__entry(__string(dev, dev_name(card))
			     __field(u64, bo)
			     __field(u64, size_bytes)
			     __field(u32, from)
			     __field(u32, to)),

	    TP_fast_assign(__assign_str(dev);
			   __entry->bo = bo;
			   __entry->size_bytes = size_bytes;
			   __entry->from = from;
			   __entry->to = to;),

	    TP_printk("dev=%s bo=%llu size_bytes=%llu from=%s to=%s",
		      __get_str(dev), __entry->bo, __entry->size_bytes,
		      show_pddgpu_domains(__entry->from), show_pddgpu_domains(__entry->to))
);

DECLARE_EVENT_CLASS(pddgpu_gart,
		    TP_PROTO(const struct device *card, u64 address, u64 size_bytes),
		    TP_ARGS(card, address, size_bytes),

		    TP_STRUCT__entry(__string(dev, dev_name(card))
				     __field(u64, address)
				     __field(u64, size_bytes)),

		    TP_fast_assign(__assign_str(dev);
				   __entry->address = address;
				   __entry->size_bytes = size_bytes;),

		    /* An address of the card's, not of the kernel's */
		    TP_printk("dev=%s address=%#llx size_bytes=%llu",
			      __get_str(dev), __entry->address, __entry->size_bytes)
);

DEFINE_EVENT(pddgpu_gart, gart_bind,
	     TP_PROTO(const struct device *card, u64 address, u64 size_bytes),
	     TP_ARGS(card, address, size_bytes)
);

DEFINE_EVENT(pddgpu_gart, gart_unbind,
	     TP_PROTO(const struct device *card, u64 address, u64 size_bytes),
	     TP_ARGS(card, address, size_bytes)
);

TRACE_EVENT(job_run,
	    TP_PROTO(const struct device *card, u32 engine, u64 job, u64 client, u32 operations,
		     u64 size_bytes),
	    TP_ARGS(card, engine, job, client, operations, size_bytes),

	    TP_STRUCT__entry(__string(dev, dev_name(card))
			     __field(u64, job)
			     __field(u64, client)
			     __field(u64, size_bytes)
			     __field(u32, engine)
			     __field(u32, operations)),

	    TP_fast_assign(__assign_str(dev);
			   __entry->job = job;
			   __entry->client = client;
			   __entry->size_bytes = size_bytes;
			   __entry->engine = engine;
			   __entry->operations = operations;),

	    TP_printk("dev=%s engine=%s job=%llu client=%llu operations=%u size_bytes=%llu",
		      __get_str(dev), show_pddgpu_engine(__entry->engine), __entry->job,
		      __entry->client, __entry->operations, __entry->size_bytes)
);

TRACE_EVENT(job_done,
	    TP_PROTO(const struct device *card, u32 engine, u64 job, u64 client, u64 run_ns,
		     int error),
	    TP_ARGS(card, engine, job, client, run_ns, error),

	    TP_STRUCT__entry(__string(dev, dev_name(card))
			     __field(u64, job)
			     __field(u64, client)
			     __field(u64, run_ns)
			     __field(u32, engine)
			     __field(int, error)),

	    TP_fast_assign(__assign_str(dev);
			   __entry->job = job;
			   __entry->client = client;
			   __entry->run_ns = run_ns;
			   __entry->engine = engine;
			   __entry->error = error;),

	    TP_printk("dev=%s engine=%s job=%llu client=%llu run_ns=%llu error=%d",
		      __get_str(dev), show_pddgpu_engine(__entry->engine), __entry->job,
		      __entry->client, __entry->run_ns, __entry->error)
);

DECLARE_EVENT_CLASS(pddgpu_leak,
		    TP_PROTO(const struct device *card, u64 used_bytes, u64 threshold_bytes),
		    TP_ARGS(card, used_bytes, threshold_bytes),

		    TP_STRUCT__entry(__string(dev, dev_name(card))
				     __field(u64, used_bytes)
				     __field(u64, threshold_bytes)),

		    TP_fast_assign(__assign_str(dev);
				   __entry->used_bytes = used_bytes;
				   __entry->threshold_bytes = threshold_bytes;),

		    TP_printk("dev=%s used_bytes=%llu threshold_bytes=%llu",
			      __get_str(dev), __entry->used_bytes, __entry->threshold_bytes)
);

DEFINE_EVENT(pddgpu_leak, leak_alert,
	     TP_PROTO(const struct device *card, u64 used_bytes, u64 threshold_bytes),
	     TP_ARGS(card, used_bytes, threshold_bytes)
);

DEFINE_EVENT(pddgpu_leak, leak_clear,
	     TP_PROTO(const struct device *card, u64 used_bytes, u64 threshold_bytes),
	     TP_ARGS(card, used_bytes, threshold_bytes)
);

TRACE_EVENT(engine_reset,
	    TP_PROTO(const struct device *card, u32 engine, int error),
	    TP_ARGS(card, engine, error),

	    TP_STRUCT__entry(__string(dev, dev_name(card))
			     __field(u32, engine)
			     __field(int, error)),

	    TP_fast_assign(__assign_str(dev);
			   __entry->engine = engine;
			   __entry->error = error;),

	    TP_printk("dev=%s engine=%s error=%d", __get_str(dev),
		      show_pddgpu_engine(__entry->engine), __entry->error)
);

TRACE_EVENT(chip_reset,
	    TP_PROTO(const struct device *card, bool vram_lost, u64 duration_us, int error),
	    TP_ARGS(card, vram_lost, duration_us, error),

	    TP_STRUCT__entry(__string(dev, dev_name(card))
			     __field(u64, duration_us)
			     __field(int, error)
			     __field(bool, vram_lost)),

	    TP_fast_assign(__assign_str(dev);
			   __entry->duration_us = duration_us;
			   __entry->error = error;
			   __entry->vram_lost = vram_lost;),

	    TP_printk("dev=%s vram_lost=%d duration_us=%llu error=%d", __get_str(dev),
		      __entry->vram_lost, __entry->duration_us, __entry->error)
);

TRACE_EVENT(fault,
	    TP_PROTO(const struct device *card, u32 engine, u32 status, u64 address, u64 client),
	    TP_ARGS(card, engine, status, address, client),

	    TP_STRUCT__entry(__string(dev, dev_name(card))
			     __field(u64, address)
			     __field(u64, client)
			     __field(u32, engine)
			     __field(u32, reason)
			     __field(bool, write)),

	    TP_fast_assign(__assign_str(dev);
			   __entry->address = address;
			   __entry->client = client;
			   __entry->engine = engine;
			   __entry->reason = status & PDDGPU_FAULT_VALID ?
					     (status & PDDGPU_FAULT_REASON_MASK) >>
					     PDDGPU_FAULT_REASON_SHIFT : 0;
			   __entry->write = status & PDDGPU_FAULT_WRITE;),

	    /* An address of the card's, not of the kernel's */
	    TP_printk("dev=%s engine=%s reason=%s write=%d address=%#llx client=%llu",
		      __get_str(dev), show_pddgpu_engine(__entry->engine),
		      show_pddgpu_fault(__entry->reason), __entry->write,
		      __entry->address, __entry->client)
);

#endif /* _PDDGPU_TRACE_H_ */

/* This part must be outside protection */
#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE pddgpu_trace
#include <trace/define_trace.h>
