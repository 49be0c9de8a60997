/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which buffers are where, in the order in which they would go; and page-out on
 * request.
 */
#ifndef PDDGPU_RESIDENCY_H
#define PDDGPU_RESIDENCY_H

#include <linux/sched.h>
#include <linux/types.h>

struct pddgpu_device;

/**
 * enum pddgpu_residency_why - why a buffer does not move
 */
enum pddgpu_residency_why {
	/** @PDDGPU_RESIDENCY_PAGEABLE: it does */
	PDDGPU_RESIDENCY_PAGEABLE,
	/** @PDDGPU_RESIDENCY_USER: clients wish it so */
	PDDGPU_RESIDENCY_USER,
	/** @PDDGPU_RESIDENCY_ATTACHED: other devices or the kernel have it mapped */
	PDDGPU_RESIDENCY_ATTACHED,
	/** @PDDGPU_RESIDENCY_IMPORTED: it is another device's */
	PDDGPU_RESIDENCY_IMPORTED,
	/** @PDDGPU_RESIDENCY_KERNEL: the driver's own, no buffer */
	PDDGPU_RESIDENCY_KERNEL,
};

/**
 * struct pddgpu_residency_record - a copy of what is known of a buffer
 */
struct pddgpu_residency_record {
	/** @size: bytes */
	u64 size;
	/** @pid: who allocated it, in the initial namespace; 0 when not known */
	pid_t pid;
	/** @domain: where it is */
	u8 domain;
	/** @domains: where it may live */
	u8 domains;
	/** @why: enum pddgpu_residency_why */
	u8 why;
	/** @comm: name of the process at that time; may hold any byte */
	char comm[TASK_COMM_LEN];
};

/**
 * struct pddgpu_residency_list - all buffers at about one moment
 */
struct pddgpu_residency_list {
	/** @records: the pageable ones of a domain in the order in which they go */
	struct pddgpu_residency_record *records;
	/** @count: how many */
	size_t count;
	/** @room: for how many there is memory */
	size_t room;
};

/**
 * struct pddgpu_residency_page_out - what a page-out has come to
 */
struct pddgpu_residency_page_out {
	/** @domain: which it was from; 0 when there was none yet */
	u32 domain;
	/** @asked: bytes */
	u64 asked;
	/** @moved: bytes */
	u64 moved;
	/** @buffers: moved */
	u64 buffers;
	/** @no_wait: leave alone what somebody holds or uses */
	bool no_wait;
};

int pddgpu_residency_init(struct pddgpu_device *pdev);
int pddgpu_residency_read(struct pddgpu_device *pdev, struct pddgpu_residency_list *list);
void pddgpu_residency_free(struct pddgpu_residency_list *list);
int pddgpu_residency_page_out(struct pddgpu_device *pdev, u32 domain, u64 bytes);
int pddgpu_residency_evict(struct pddgpu_device *pdev, u32 domain);
void pddgpu_residency_evict_vram(struct pddgpu_device *pdev, u64 *moved);
int pddgpu_residency_last(struct pddgpu_device *pdev,
			  struct pddgpu_residency_page_out *last);

#endif /* PDDGPU_RESIDENCY_H */
