/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The state of a resource manager: whether its record can be trusted, why not,
 * and getting it right again (requirements C4 to C6).
 */
#ifndef PDDGPU_HEALTH_H
#define PDDGPU_HEALTH_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct drm_device;
struct pddgpu_health;

/* Three attempts, after 100, 200 and 400 ms: each rebuilds everything */
#define PDDGPU_HEALTH_RECOVER_COUNT	3
#define PDDGPU_HEALTH_RECOVER_DELAY	100

/* Bytes of a cause in words, its NUL included */
#define PDDGPU_HEALTH_CAUSE_MAX	96

/**
 * enum pddgpu_health_state - states of a manager
 *
 * INITIALIZING becomes READY, once. READY becomes ERROR when the manager's record
 * contradicts itself, ERROR becomes READY when it has been rebuilt. Each becomes
 * SHUTDOWN when the card is taken away, for good. Freeing works in all of them.
 */
enum pddgpu_health_state {
	/** @PDDGPU_HEALTH_INITIALIZING: no buffers yet: -EAGAIN */
	PDDGPU_HEALTH_INITIALIZING = 0x01,
	/** @PDDGPU_HEALTH_READY: at work */
	PDDGPU_HEALTH_READY = 0x02,
	/** @PDDGPU_HEALTH_SHUTDOWN: the card is gone: -ENODEV */
	PDDGPU_HEALTH_SHUTDOWN = 0x04,
	/** @PDDGPU_HEALTH_ERROR: nothing more is given out: -EIO */
	PDDGPU_HEALTH_ERROR = 0x08,
};

/**
 * enum pddgpu_health_fault - ways to spoil a manager's record, for tests
 *
 * None of them lets a buffer have what is another's.
 */
enum pddgpu_health_fault {
	/** @PDDGPU_HEALTH_FAULT_LOST: a free page is given to nobody */
	PDDGPU_HEALTH_FAULT_LOST,
	/** @PDDGPU_HEALTH_FAULT_ACCOUNT: the sum of what buffers hold is wrong */
	PDDGPU_HEALTH_FAULT_ACCOUNT,
	/** @PDDGPU_HEALTH_FAULT_FREE: the next buffer freed is taken for free already */
	PDDGPU_HEALTH_FAULT_FREE,
	/** @PDDGPU_HEALTH_FAULT_ALLOC: the next allocation fails strangely */
	PDDGPU_HEALTH_FAULT_ALLOC,
	/** @PDDGPU_HEALTH_FAULT_RECOVER: the next recovery fails */
	PDDGPU_HEALTH_FAULT_RECOVER,
	/** @PDDGPU_HEALTH_FAULT_OFF: what is still to come is not */
	PDDGPU_HEALTH_FAULT_OFF,
	/** @PDDGPU_HEALTH_FAULTS: how many there are */
	PDDGPU_HEALTH_FAULTS,
};

/**
 * struct pddgpu_health_ops - what a manager does for its health
 */
struct pddgpu_health_ops {
	/**
	 * @recover: rebuild the record, and call pddgpu_health_recovered(); 0 or an
	 * errno, which leaves the state ERROR. Process context, one at a time.
	 */
	int (*recover)(struct pddgpu_health *health);
	/**
	 * @usable: whether anything is given out from now on; the manager's lock is held,
	 * and this one's too where something is
	 */
	void (*usable)(struct pddgpu_health *health, bool usable);
};

/**
 * struct pddgpu_health_counts - what has happened to a manager since it began
 */
struct pddgpu_health_counts {
	/** @allocations: requests that were granted */
	u64 allocations;
	/** @failures: requests that were not, those tried again included */
	u64 failures;
	/** @errors: inconsistencies found, in state ERROR too */
	u64 errors;
	/** @recoveries: how often it became READY again */
	u64 recoveries;
	/** @recoveries_failed: how often it did not */
	u64 recoveries_failed;
	/** @checks: comparisons of the whole record on request */
	u64 checks;
};

/**
 * struct pddgpu_health - a manager's health
 */
struct pddgpu_health {
	/** @drm: for the log; constant */
	struct drm_device *drm;
	/** @name: the manager's; constant */
	const char *name;
	/** @ops: constant */
	const struct pddgpu_health_ops *ops;
	/** @recovery: held by who recovers it; sleeps, outside the manager's lock */
	struct mutex recovery;
	/** @lock: guards what follows; a leaf, inside the manager's lock */
	spinlock_t lock;
	/** @state: enum pddgpu_health_state; written under @lock */
	u32 state;
	/** @attempts: of recovering by itself since it was last well for long */
	u32 attempts;
	/** @recover_count: the most of them; 0 to 100 */
	u32 recover_count;
	/** @recover_delay_ms: before the first; each takes twice as long; 0 to 10000 */
	u32 recover_delay_ms;
	/** @ready_since: jiffies */
	unsigned long ready_since;
	/** @error_since: CLOCK_BOOTTIME of the last ERROR, ns; 0: there was none */
	u64 error_since;
	/** @error_ns: time in ERROR, without the present one */
	u64 error_ns;
	/** @cause: of the last ERROR */
	char cause[PDDGPU_HEALTH_CAUSE_MAX];
	/** @counts: those of requests under the manager's lock, the others under @lock */
	struct pddgpu_health_counts counts;
	/** @retries: requests tried again, each time counted */
	atomic64_t retries;
	/** @retries_helped: requests that were granted after that */
	atomic64_t retries_helped;
	/** @fail_recoveries: so many are to fail: a test aid */
	u32 fail_recoveries;
	/** @work: recovers it */
	struct delayed_work work;
};

/**
 * struct pddgpu_health_stats - a copy of it for users
 */
struct pddgpu_health_stats {
	/** @state: enum pddgpu_health_state */
	u32 state;
	/** @is_healthy: it is READY */
	bool is_healthy;
	/** @recovering: it is in ERROR and will try to recover by itself */
	bool recovering;
	/** @counts: what happened */
	struct pddgpu_health_counts counts;
	/** @retries: see &struct pddgpu_health */
	u64 retries;
	/** @retries_helped: the same */
	u64 retries_helped;
	/** @error_ms: time spent in ERROR, ms */
	u64 error_ms;
	/** @cause_at_ms: when the last ERROR began, ms since boot; 0: there was none */
	u64 cause_at_ms;
	/** @cause: why; empty when there was none */
	char cause[PDDGPU_HEALTH_CAUSE_MAX];
};

/**
 * pddgpu_health_ready() - can the manager be asked for memory?
 * @health: its health
 *
 * Return: true in READY; who has the manager's lock can rely on it.
 */
static inline bool pddgpu_health_ready(const struct pddgpu_health *health)
{
	return likely(READ_ONCE(health->state) == PDDGPU_HEALTH_READY);
}

int pddgpu_health_init(struct pddgpu_health *health, struct drm_device *drm,
		       const char *name, const struct pddgpu_health_ops *ops);
void pddgpu_health_start(struct pddgpu_health *health);
void pddgpu_health_stop(struct pddgpu_health *health);
void pddgpu_health_fini(struct pddgpu_health *health);
int pddgpu_health_errno(const struct pddgpu_health *health);
__printf(2, 3)
void pddgpu_health_fail(struct pddgpu_health *health, const char *format, ...);
void pddgpu_health_recovered(struct pddgpu_health *health);
int pddgpu_health_recover(struct pddgpu_health *health);
bool pddgpu_health_recovering(struct pddgpu_health *health);
u64 pddgpu_health_recoveries(struct pddgpu_health *health);
bool pddgpu_health_failed(const struct pddgpu_health *health);
void pddgpu_health_retried(struct pddgpu_health *health);
void pddgpu_health_helped(struct pddgpu_health *health);
void pddgpu_health_fail_next(struct pddgpu_health *health, bool fail);
void pddgpu_health_checked(struct pddgpu_health *health);
void pddgpu_health_get_stats(struct pddgpu_health *health,
			     struct pddgpu_health_stats *stats);
const char *pddgpu_health_state_name(u32 state);

#endif /* PDDGPU_HEALTH_H */
