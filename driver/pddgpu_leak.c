// SPDX-License-Identifier: GPL-2.0
/*
 * The leak tracker: knows every buffer that exists, its age and its owner.
 *
 * A node in each buffer stands in one list, in order of birth. Two marks in
 * that list, the edges, part it by age:
 *
 *   confirmed ... edge[CONFIRMED] suspicious ... edge[SUSPICIOUS] young ...
 *
 * A check moves the edges over what has grown old enough since the last one and
 * touches nothing else; when an age is changed they may move back. All totals
 * are kept as objects come, change and go, so reading them walks nothing.
 *
 * Locks
 * -----
 *
 * - tracker->lock (spinlock): guards the list of nodes with every member of
 *   every node in it, the edges and other marks, the ages, the totals, the list
 *   of owners with @link, @seq and @has of each owner, and the filling of stack
 *   slots. A leaf: nothing is called under it that takes another lock. Taken in
 *   process and workqueue context only. Held for a constant time by a buffer's
 *   life cycle, for at most PDDGPU_LEAK_AGE_BATCH objects by a check and
 *   PDDGPU_LEAK_READ_BATCH by a reader, beside the marks of other readers.
 * - no lock: what is constant in an owner, once it is created; a node's @birth,
 *   for the buffer's own life cycle; a stack slot, once its number has been
 *   seen under the lock.
 *
 * The clock is read inside the lock, which makes the order of births that of
 * the list.
 *
 * Lifetimes
 * ---------
 *
 * A buffer is untracked before it is freed, so what is listed is valid under
 * the lock, and nothing points to a node without the lock. Readers that let go
 * of it keep their place with a mark of their own. A node has a reference to
 * its owner, which is put after the lock is released.
 */
#include <linux/err.h>
#include <linux/jump_label.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/time64.h>

#include <drm/drm_device.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include "pddgpu_leak_internal.h"

/* To see what tracking costs; read once, so that a buffer is tracked or not */
static DEFINE_STATIC_KEY_TRUE(tracking_key);
static bool tracking = true;

static int tracking_set(const char *val, const struct kernel_param *kp)
{
	int ret = param_set_bool(val, kp);

	if (ret)
		return ret;
	if (tracking)
		static_branch_enable(&tracking_key);
	else
		static_branch_disable(&tracking_key);
	return 0;
}

static const struct kernel_param_ops tracking_ops = {
	.set = tracking_set,
	.get = param_get_bool,
};
module_param_cb(tracking, &tracking_ops, &tracking, 0444);
MODULE_PARM_DESC(tracking, "Track every buffer, for the leak monitor (default: true)");

static void count_add(struct pddgpu_leak_count *count, u64 bytes)
{
	count->objects++;
	count->bytes += bytes;
}

static void count_sub(struct pddgpu_leak_count *count, u64 bytes)
{
	count->objects--;
	count->bytes -= bytes;
}

static u64 leak_clock(void)
{
	return ktime_get_ns();
}

static void leak_tracker_release(struct drm_device *drm, void *data)
{
	struct pddgpu_leak_tracker *tracker = data;

	drm_WARN(drm, tracker->sum.total.objects, "PDDGPU: %llu buffers outlive the device\n",
		 tracker->sum.total.objects);
}

/**
 * pddgpu_leak_tracker_init() - begin to track
 * @drm: the device; its release ends it, and no node may be tracked then
 *
 * Return: the tracker, or an ERR_PTR().
 */
struct pddgpu_leak_tracker *pddgpu_leak_tracker_init(struct drm_device *drm)
{
	struct pddgpu_leak_tracker *tracker;
	int class, ret;

	tracker = drmm_kzalloc(drm, sizeof(*tracker), GFP_KERNEL);
	if (!tracker)
		return ERR_PTR(-ENOMEM);

	tracker->drm = drm;
	tracker->clock = leak_clock;
	spin_lock_init(&tracker->lock);
	INIT_LIST_HEAD(&tracker->nodes);
	INIT_LIST_HEAD(&tracker->owners);
	for (class = PDDGPU_LEAK_CONFIRMED; class > PDDGPU_LEAK_YOUNG; class--) {
		struct pddgpu_leak_node *edge = &tracker->edge[class];

		edge->state = PDDGPU_LEAK_MARK;
		edge->class = class;
		list_add_tail(&edge->link, &tracker->nodes);
	}
	tracker->age_ms[PDDGPU_LEAK_SUSPICIOUS] = PDDGPU_LEAK_SUSPICIOUS_AGE_MS;
	tracker->age_ms[PDDGPU_LEAK_CONFIRMED] = PDDGPU_LEAK_CONFIRMED_AGE_MS;

	ret = drmm_add_action_or_reset(drm, leak_tracker_release, tracker);
	if (ret)
		return ERR_PTR(ret);
	return tracker;
}

/**
 * pddgpu_leak_owner_create() - name the current process as an owner
 * @client_id: the DRM client it allocates through
 *
 * Return: an owner with one reference, or NULL when there is no memory for it,
 * or nothing is tracked.
 */
struct pddgpu_leak_owner *pddgpu_leak_owner_create(u64 client_id)
{
	struct pddgpu_leak_owner *owner;

	if (!static_branch_likely(&tracking_key))
		return NULL;
	owner = kzalloc(sizeof(*owner), GFP_KERNEL);
	if (!owner)
		return NULL;

	kref_init(&owner->ref);
	INIT_LIST_HEAD(&owner->link);
	owner->client_id = client_id;
	owner->pid = task_tgid_nr(current);
	/* The process's name rather than the thread's: one owner for all threads */
	get_task_comm(owner->comm, current->group_leader);
	return owner;
}

/**
 * pddgpu_leak_owner_get() - take a reference
 * @owner: the owner, or NULL
 *
 * Return: @owner.
 */
struct pddgpu_leak_owner *pddgpu_leak_owner_get(struct pddgpu_leak_owner *owner)
{
	if (owner)
		kref_get(&owner->ref);
	return owner;
}

static void owner_free(struct kref *ref)
{
	kfree(container_of(ref, struct pddgpu_leak_owner, ref));
}

/**
 * pddgpu_leak_owner_put() - drop a reference
 * @owner: the owner, or NULL
 */
void pddgpu_leak_owner_put(struct pddgpu_leak_owner *owner)
{
	if (owner)
		kref_put(&owner->ref, owner_free);
}

/**
 * pddgpu_leak_owner_is_current() - does an owner still name the current process?
 * @owner: the owner, or NULL
 *
 * A file can be handed to another process, and a process can change its name.
 *
 * Return: true when it does; then there is no need for a new one.
 */
bool pddgpu_leak_owner_is_current(const struct pddgpu_leak_owner *owner)
{
	char comm[TASK_COMM_LEN];

	if (!owner || owner->pid != task_tgid_nr(current))
		return false;
	get_task_comm(comm, current->group_leader);
	return !memcmp(owner->comm, comm, sizeof(comm));
}

static void owner_add(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_owner *owner,
		      u64 bytes)
{
	if (!owner->has.objects) {
		owner->seq = ++tracker->owner_seq;
		list_add_tail(&owner->link, &tracker->owners);
	}
	count_add(&owner->has, bytes);
}

static void owner_sub(struct pddgpu_leak_owner *owner, u64 bytes)
{
	count_sub(&owner->has, bytes);
	if (!owner->has.objects)
		list_del_init(&owner->link);
}

/**
 * pddgpu_leak_track() - a buffer has come into being
 * @tracker: the tracker
 * @node: the buffer's node, all zeros
 * @owner: who made it, of which a reference is taken; NULL when not known
 * @size: bytes
 * @domain: the domain it is in
 * @flags: its creation flags
 * @has_handle: it is made to be given a handle, and is LIVE from the start;
 *              otherwise, imported or the driver's own, it is an ORPHAN until
 *              it gets one. Either way no handle is counted yet: the first
 *              pddgpu_leak_handle_open() does that.
 */
void pddgpu_leak_track(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *node,
		       struct pddgpu_leak_owner *owner, u64 size, u32 domain, u32 flags,
		       bool has_handle)
{
	struct pddgpu_leak_stack stack;

	if (!static_branch_likely(&tracking_key))
		return;
	if (drm_WARN_ON_ONCE(tracker->drm, node->birth))
		return;

	pddgpu_leak_stack_capture(&stack);
	node->owner = pddgpu_leak_owner_get(owner);
	node->size = size;
	node->flags = flags;
	node->handles = 0;
	node->domain = domain;
	node->state = has_handle ? PDDGPU_LEAK_LIVE : PDDGPU_LEAK_ORPHAN;
	node->class = PDDGPU_LEAK_YOUNG;
	node->foreign = !has_handle;

	spin_lock(&tracker->lock);
	node->birth = tracker->clock();
	node->stack = pddgpu_leak_stack_store(tracker, &stack);
	list_add_tail(&node->link, &tracker->nodes);
	count_add(&tracker->sum.total, size);
	count_add(&tracker->sum.state[node->state], size);
	count_add(&tracker->sum.class[node->class], size);
	if (owner)
		owner_add(tracker, owner, size);
	spin_unlock(&tracker->lock);
}

/*
 * Whether there is something to do; the node cannot begin or end meanwhile. Its
 * neighbours write to @link, but nobody to @birth, so that takes no lock.
 */
static bool leak_tracked(const struct pddgpu_leak_node *node)
{
	return static_branch_likely(&tracking_key) && node->birth;
}

static void leak_set_state(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *node,
			   enum pddgpu_leak_state state)
{
	lockdep_assert_held(&tracker->lock);

	count_sub(&tracker->sum.state[node->state], node->size);
	node->state = state;
	count_add(&tracker->sum.state[node->state], node->size);
}

/**
 * pddgpu_leak_handle_open() - a handle to a buffer was made, in any file
 * @tracker: the tracker
 * @node: the buffer's node
 *
 * Makes an ORPHAN, which an import can find again, LIVE.
 */
void pddgpu_leak_handle_open(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *node)
{
	if (!leak_tracked(node))
		return;

	spin_lock(&tracker->lock);
	node->handles++;
	if (node->state == PDDGPU_LEAK_ORPHAN)
		leak_set_state(tracker, node, PDDGPU_LEAK_LIVE);
	spin_unlock(&tracker->lock);
}

/**
 * pddgpu_leak_handle_close() - a handle to a buffer was closed, in any file
 * @tracker: the tracker
 * @node: the buffer's node
 *
 * The last one makes it an ORPHAN, if only for the moment before it is freed.
 */
void pddgpu_leak_handle_close(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *node)
{
	bool unopened;

	if (!leak_tracked(node))
		return;

	spin_lock(&tracker->lock);
	unopened = !node->handles;
	if (!unopened && !--node->handles && node->state == PDDGPU_LEAK_LIVE)
		leak_set_state(tracker, node, PDDGPU_LEAK_ORPHAN);
	spin_unlock(&tracker->lock);

	drm_WARN_ON_ONCE(tracker->drm, unopened);
}

/**
 * pddgpu_leak_set_domain() - a buffer is in another domain now
 * @tracker: the tracker
 * @node: the buffer's node
 * @domain: the domain
 */
void pddgpu_leak_set_domain(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *node,
			    u32 domain)
{
	if (!leak_tracked(node))
		return;

	spin_lock(&tracker->lock);
	node->domain = domain;
	spin_unlock(&tracker->lock);
}

/**
 * pddgpu_leak_zombie() - a buffer's last user is gone, but it cannot be freed yet
 * @tracker: the tracker
 * @node: the buffer's node
 */
void pddgpu_leak_zombie(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *node)
{
	if (!leak_tracked(node))
		return;

	spin_lock(&tracker->lock);
	leak_set_state(tracker, node, PDDGPU_LEAK_ZOMBIE);
	spin_unlock(&tracker->lock);
}

/**
 * pddgpu_leak_untrack() - a buffer is about to be freed
 * @tracker: the tracker
 * @node: the buffer's node; it may be one that was never tracked
 *
 * Nobody looks at the node when this has returned.
 */
void pddgpu_leak_untrack(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *node)
{
	if (!leak_tracked(node))
		return;

	spin_lock(&tracker->lock);
	list_del(&node->link);
	count_sub(&tracker->sum.total, node->size);
	count_sub(&tracker->sum.state[node->state], node->size);
	count_sub(&tracker->sum.class[node->class], node->size);
	if (node->owner)
		owner_sub(node->owner, node->size);
	spin_unlock(&tracker->lock);

	pddgpu_leak_owner_put(node->owner);
	memset(node, 0, sizeof(*node));
}

/*
 * Whether a node has the age of a class. Being confirmed takes being suspicious
 * too, so that the edges keep their order whatever the ages are set to.
 */
static bool leak_due(struct pddgpu_leak_tracker *tracker, const struct pddgpu_leak_node *node,
		     enum pddgpu_leak_class class)
{
	u64 ms = tracker->age_ms[PDDGPU_LEAK_SUSPICIOUS];

	if (class == PDDGPU_LEAK_CONFIRMED)
		ms = max(ms, tracker->age_ms[PDDGPU_LEAK_CONFIRMED]);
	return node->birth + ms * NSEC_PER_MSEC <= tracker->checked;
}

static void leak_set_class(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *node,
			   enum pddgpu_leak_class class)
{
	count_sub(&tracker->sum.class[node->class], node->size);
	if (class > node->class)
		count_add(&tracker->sum.entered[class], node->size);
	node->class = class;
	count_add(&tracker->sum.class[node->class], node->size);
}

/* Is @pos an edge, as against a node or a reader's mark? */
static bool leak_is_edge(const struct pddgpu_leak_node *pos)
{
	return pddgpu_leak_is_mark(pos) && pos->class != PDDGPU_LEAK_YOUNG;
}

/* Move an edge over the nodes that have come of age; returns the budget left */
static unsigned int leak_advance(struct pddgpu_leak_tracker *tracker,
				 enum pddgpu_leak_class class, unsigned int budget)
{
	struct pddgpu_leak_node *edge = &tracker->edge[class];
	struct pddgpu_leak_node *pos = edge, *last = NULL;

	list_for_each_entry_continue(pos, &tracker->nodes, link) {
		if (leak_is_edge(pos))
			break;
		if (pddgpu_leak_is_mark(pos))
			continue;
		if (!budget || !leak_due(tracker, pos, class))
			break;
		leak_set_class(tracker, pos, class);
		last = pos;
		budget--;
	}
	if (last)
		list_move(&edge->link, &last->link);
	return budget;
}

/* Move an edge back over nodes that are too young for it since its age was raised */
static unsigned int leak_retreat(struct pddgpu_leak_tracker *tracker,
				 enum pddgpu_leak_class class, unsigned int budget)
{
	struct pddgpu_leak_node *edge = &tracker->edge[class];
	struct pddgpu_leak_node *pos = edge, *last = NULL;

	list_for_each_entry_continue_reverse(pos, &tracker->nodes, link) {
		if (leak_is_edge(pos))
			break;
		if (pddgpu_leak_is_mark(pos))
			continue;
		if (!budget || leak_due(tracker, pos, class))
			break;
		leak_set_class(tracker, pos, class - 1);
		last = pos;
		budget--;
	}
	if (last)
		list_move_tail(&edge->link, &last->link);
	return budget;
}

/**
 * pddgpu_leak_check() - classify everything by its age now
 * @tracker: the tracker
 * @out: gets the totals after it; may be NULL
 *
 * Costs as much as there are objects that change their class.
 *
 * Context: may sleep.
 */
void pddgpu_leak_check(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_summary *out)
{
	might_sleep();

	spin_lock(&tracker->lock);
	/*
	 * One moment for the whole check, or it might never end; the latest
	 * one, or two checks at once would undo each other's work.
	 */
	tracker->checked = max(tracker->checked, tracker->clock());
	for (;;) {
		unsigned int budget = PDDGPU_LEAK_AGE_BATCH;

		budget = leak_retreat(tracker, PDDGPU_LEAK_CONFIRMED, budget);
		budget = leak_retreat(tracker, PDDGPU_LEAK_SUSPICIOUS, budget);
		budget = leak_advance(tracker, PDDGPU_LEAK_SUSPICIOUS, budget);
		budget = leak_advance(tracker, PDDGPU_LEAK_CONFIRMED, budget);
		if (budget)
			break;
		spin_unlock(&tracker->lock);
		cond_resched();
		spin_lock(&tracker->lock);
	}
	if (out)
		*out = tracker->sum;
	spin_unlock(&tracker->lock);
}

/**
 * pddgpu_leak_get_age() - the age at which a class begins
 * @tracker: the tracker
 * @class: PDDGPU_LEAK_SUSPICIOUS or PDDGPU_LEAK_CONFIRMED
 *
 * Return: milliseconds.
 */
u64 pddgpu_leak_get_age(struct pddgpu_leak_tracker *tracker, enum pddgpu_leak_class class)
{
	u64 ms;

	spin_lock(&tracker->lock);
	ms = tracker->age_ms[class];
	spin_unlock(&tracker->lock);
	return ms;
}

/**
 * pddgpu_leak_set_age() - change the age at which a class begins
 * @tracker: the tracker
 * @class: PDDGPU_LEAK_SUSPICIOUS or PDDGPU_LEAK_CONFIRMED
 * @ms: PDDGPU_LEAK_AGE_MIN_MS to PDDGPU_LEAK_AGE_MAX_MS
 *
 * Everything tracked is classified anew. The two ages can be set in any order:
 * while the confirmed age is the smaller one, the suspicious age counts for both.
 *
 * Context: may sleep.
 * Return: 0, or -EINVAL for another class, -ERANGE for another age; these
 * change nothing.
 */
int pddgpu_leak_set_age(struct pddgpu_leak_tracker *tracker, enum pddgpu_leak_class class,
			u64 ms)
{
	if (class != PDDGPU_LEAK_SUSPICIOUS && class != PDDGPU_LEAK_CONFIRMED)
		return -EINVAL;
	if (ms < PDDGPU_LEAK_AGE_MIN_MS || ms > PDDGPU_LEAK_AGE_MAX_MS)
		return -ERANGE;

	spin_lock(&tracker->lock);
	tracker->age_ms[class] = ms;
	spin_unlock(&tracker->lock);

	pddgpu_leak_check(tracker, NULL);
	return 0;
}
