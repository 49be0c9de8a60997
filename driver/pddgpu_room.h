/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Looking for room: who does, and how long it is worth it.
 */
#ifndef PDDGPU_ROOM_H
#define PDDGPU_ROOM_H

#include <linux/list.h>
#include <linux/types.h>

struct pddgpu_account_client;
struct pddgpu_device;
struct task_struct;

/**
 * struct pddgpu_room - a request that needs room
 *
 * On its thread's stack. One attempt lies between pddgpu_room_search() and
 * pddgpu_room_found(); what happens after a failed one, pddgpu_room_retry() says.
 */
struct pddgpu_room {
	/** @link: in the device's list while it searches */
	struct list_head link;
	/** @task: the thread */
	struct task_struct *task;
	/** @client: for whom; or NULL. The caller keeps it */
	struct pddgpu_account_client *client;
	/** @grows: it wants memory that was not there before, rather than content back */
	bool grows;
	/** @evicting: it has found a victim */
	bool evicting;
	/** @attempts: after the first, those during evictions not counted */
	u32 attempts;
	/** @retried: it was tried again */
	bool retried;
	/** @diverted: an attempt failed with -EIO, and it was tried once more */
	bool diverted;
	/** @recoveries: of all managers, when the attempt began */
	u64 recoveries;
	/** @since: jiffies at the beginning */
	unsigned long since;
};

void pddgpu_room_init(struct pddgpu_room *room, struct pddgpu_account_client *client,
		      bool grows);
void pddgpu_room_search(struct pddgpu_device *pdev, struct pddgpu_room *room);
void pddgpu_room_found(struct pddgpu_device *pdev, struct pddgpu_room *room);
void pddgpu_room_evicts(struct pddgpu_device *pdev);
struct pddgpu_account_client *pddgpu_room_client(struct pddgpu_device *pdev);
bool pddgpu_room_grows(struct pddgpu_device *pdev);
bool pddgpu_room_wanted(struct pddgpu_device *pdev);
int pddgpu_room_retry(struct pddgpu_device *pdev, struct pddgpu_room *room,
		      u32 domains, int result);
void pddgpu_room_done(struct pddgpu_device *pdev, struct pddgpu_room *room, u32 domains);

#endif /* PDDGPU_ROOM_H */
