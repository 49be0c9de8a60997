// SPDX-License-Identifier: GPL-2.0
/*
 * The leak tracker: knows every buffer that exists, its age and its owner.
 *
 * A node in each buffer stands in a list, in order of birth; pddgpu_leak_age.c
 * has it by age. All totals, of all objects and of each owner, by region and by
 * state, are kept as objects come, change and go, so reading them walks nothing.
 *
 * A buffer that comes with a handle and goes with it takes the lock twice: to
 * get into the list and out of it. Its first handle is counted in advance, and
 * closing the last one makes no ORPHAN of what goes with it; what is LIVE is not
 * counted, since it is the rest; and a ZOMBIE is added up without the lock.
 *
 * Locks
 * -----
 *
 * - tracker->lock (spinlock): guards the cohorts, the lists of nodes in them with
 *   every member of every node but @handles, labels, the edges and other marks,
 *   the ages, the baseline, the totals, the owner of every client, the list of
 *   owners with @link, @seq, @users and @has of each owner. A leaf: nothing is
 *   called under it that takes another lock. Taken in process and
 *   workqueue context only. Held for a constant time by a buffer's life cycle,
 *   but for PDDGPU_LEAK_SPARSE objects now and then; for at most
 *   PDDGPU_LEAK_AGE_BATCH objects, cohorts or owners by a check or by a reader, who
 *   copies PDDGPU_LEAK_READ_BATCH of them, beside the marks of other readers.
 * - no lock: what is constant in an owner, once it is created; a node's @birth,
 *   for the buffer's own life cycle; a node's @site and @flags, before it is
 *   listed and after.
 *
 * Where a buffer is allocated is found before the lock is taken; pddgpu_site.c has
 * a lock of its own for that, which is another leaf.
 *
 * Births are set inside the lock and no two are the same, which makes their order
 * that of the list.
 *
 * Lifetimes
 * ---------
 *
 * A buffer is untracked before it is freed, so what is listed is valid under
 * the lock, and nothing points to a node without the lock. Readers that let go
 * of it keep their place with a mark of their own. An owner goes with the last
 * of its objects and clients.
 */
#include <linux/err.h>
#include <linux/jump_label.h>
#include <linux/ktime.h>
#include <linux/cred.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/pid_namespace.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>

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

static void leak_tracker_release(struct drm_device *drm, void *data)
{
	struct pddgpu_leak_tracker *tracker = data;
	u64 objects = pddgpu_leak_objects(&tracker->has);

	drm_WARN(drm, objects, "PDDGPU: %llu buffers outlive the device\n", objects);
	pddgpu_leak_client_fini(tracker, &tracker->importer);
	pddgpu_leak_cohorts_fini(tracker);
	pddgpu_sites_destroy(tracker->sites);
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
	int ret;

	tracker = drmm_kzalloc(drm, sizeof(*tracker), GFP_KERNEL);
	if (!tracker)
		return ERR_PTR(-ENOMEM);

	tracker->drm = drm;
	spin_lock_init(&tracker->lock);
	INIT_LIST_HEAD(&tracker->owners);
	tracker->nobody.users = 1;
	tracker->sites = pddgpu_sites_create();
	if (!tracker->sites)
		return ERR_PTR(-ENOMEM);
	ret = pddgpu_leak_cohorts_init(tracker);
	if (ret) {
		pddgpu_sites_destroy(tracker->sites);
		return ERR_PTR(ret);
	}

	ret = drmm_add_action_or_reset(drm, leak_tracker_release, tracker);
	if (ret)
		return ERR_PTR(ret);
	return tracker;
}

/**
 * pddgpu_leak_importer() - through what a process imports that has no client there
 * @tracker: the tracker
 *
 * It is the same for all of them, so what one process imports without another in
 * between has one owner, however much it is.
 *
 * Return: the client, which ends with the tracker.
 */
struct pddgpu_leak_client *pddgpu_leak_importer(struct pddgpu_leak_tracker *tracker)
{
	return &tracker->importer;
}

/* The current process's session, in the initial namespace */
static pid_t current_session(void)
{
	pid_t session;

	rcu_read_lock();
	session = pid_nr(task_session(current));
	rcu_read_unlock();
	return session;
}

/* The current process as an owner that nobody uses yet; NULL without memory */
static struct pddgpu_leak_owner *owner_create(u64 client_id)
{
	struct pddgpu_leak_owner *owner;

	owner = kzalloc(sizeof(*owner), GFP_KERNEL);
	if (!owner)
		return NULL;

	owner->client_id = client_id;
	owner->pid = task_tgid_nr(current);
	owner->session = current_session();
	owner->uid = current_euid();
	/* The process's name rather than the thread's: one owner for all threads */
	get_task_comm(owner->comm, current->group_leader);
	return owner;
}

/*
 * Does an owner still name the current process? A file can be handed to another
 * one, and a process can change its name, its user and its session; half a name that
 * is just being changed is not the old one, and asked for properly then.
 */
static __always_inline bool owner_is_current(const struct pddgpu_leak_owner *owner)
{
	return owner && owner->pid == task_tgid_nr(current) &&
	       /* Who may be told of it, always; the session is evidence */
	       uid_eq(owner->uid, current_euid()) &&
	       (!static_branch_likely(&pddgpu_leak_evidence_key) ||
		owner->session == current_session()) &&
	       /* as said above */
	       !data_race(memcmp(owner->comm, current->group_leader->comm, TASK_COMM_LEN));
}

/* Is an owner to be freed, after the lock is released? It is unlisted then. */
static bool owner_ends(struct pddgpu_leak_owner *owner)
{
	if (owner->users || pddgpu_leak_objects(&owner->has))
		return false;
	list_del(&owner->link);
	return true;
}

/* Let a client point to another owner, or none; returns what is to be freed */
static struct pddgpu_leak_owner *client_set(struct pddgpu_leak_client *client,
					    struct pddgpu_leak_owner *owner)
{
	struct pddgpu_leak_owner *left = client->owner;

	if (owner)
		owner->users++;
	client->owner = owner;
	if (!left)
		return NULL;
	left->users--;
	return owner_ends(left) ? left : NULL;
}

/**
 * pddgpu_leak_client_fini() - nothing is allocated through a client any more
 * @tracker: the tracker
 * @client: the client
 *
 * What it has allocated keeps its owner.
 */
void pddgpu_leak_client_fini(struct pddgpu_leak_tracker *tracker,
			     struct pddgpu_leak_client *client)
{
	struct pddgpu_leak_owner *unused;

	spin_lock(&tracker->lock);
	unused = client_set(client, NULL);
	spin_unlock(&tracker->lock);
	kfree(unused);
}

/*
 * The owner for the current process; nobody when there is no memory for one: the
 * buffer is made all the same, only without a name. The lock is held, but may be
 * let go meanwhile; @unused is to be freed after it is.
 */
static struct pddgpu_leak_owner *client_owner(struct pddgpu_leak_tracker *tracker,
					      struct pddgpu_leak_client *client,
					      struct pddgpu_leak_owner **unused)
{
	struct pddgpu_leak_owner *owner;

	lockdep_assert_held(&tracker->lock);

	if (!client)
		return &tracker->nobody;
	if (likely(owner_is_current(client->owner)))
		return client->owner;

	spin_unlock(&tracker->lock);
	owner = owner_create(client->client_id);
	spin_lock(&tracker->lock);
	/* Another thread of the process may have been faster */
	if (owner_is_current(client->owner)) {
		*unused = owner;
		return client->owner;
	}
	if (!owner)
		return &tracker->nobody;
	owner->seq = ++tracker->owner_seq;
	list_add_tail(&owner->link, &tracker->owners);
	*unused = client_set(client, owner);
	return owner;
}

/* An object is counted where it is, or no longer; it is not freed */
static void leak_count(struct pddgpu_leak_counts *has, const struct pddgpu_leak_node *node)
{
	enum pddgpu_leak_region region = pddgpu_leak_node_region(node);

	pddgpu_leak_count_add(&has->all[region], 1, node->size);
	if (node->is.orphan)
		pddgpu_leak_count_add(&has->orphans[region], 1, node->size);
}

static void leak_uncount(struct pddgpu_leak_counts *has, const struct pddgpu_leak_node *node)
{
	enum pddgpu_leak_region region = pddgpu_leak_node_region(node);

	pddgpu_leak_count_sub(&has->all[region], 1, node->size);
	if (node->is.orphan)
		pddgpu_leak_count_sub(&has->orphans[region], 1, node->size);
}

/* The same among the freed; the only sum that may grow without the lock */
static void leak_count_zombie(struct pddgpu_leak_tracker *tracker,
			      const struct pddgpu_leak_node *node, bool is)
{
	s64 packed = is ? pddgpu_leak_packed(node->size) : -pddgpu_leak_packed(node->size);
	enum pddgpu_leak_region region = pddgpu_leak_node_region(node);

	atomic64_add(packed, &tracker->has.zombies[region]);
	atomic64_add(packed, &node->owner->has.zombies[region]);
}

static void leak_set_orphan(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *node,
			    bool orphan)
{
	leak_uncount(&tracker->has, node);
	leak_uncount(&node->owner->has, node);
	node->is.orphan = orphan;
	leak_count(&tracker->has, node);
	leak_count(&node->owner->has, node);
}

/* Put a node behind all others */
static void leak_bear(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *node, u64 now)
{
	struct pddgpu_leak_cohort *cohort;

	if (unlikely(tracker->youngest->objects >= PDDGPU_LEAK_COHORT))
		pddgpu_leak_cohort_begin(tracker);
	cohort = tracker->youngest;

	tracker->born = max(tracker->born + 1, now);
	node->birth = tracker->born;
	node->cohort = cohort;
	list_add_tail(&node->link, &cohort->nodes);
	if (!cohort->objects)
		cohort->first = node->birth;
	cohort->last = node->birth;
	cohort->bytes += node->size;
	cohort->objects++;
}

/**
 * pddgpu_leak_track() - a buffer has come into being
 * @tracker: the tracker
 * @node: the buffer's node, not tracked
 * @birth: all about it
 *
 * Context: may allocate memory, which may sleep and reclaim.
 */
void pddgpu_leak_track(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *node,
		       const struct pddgpu_leak_birth *birth)
{
	struct pddgpu_leak_owner *unused = NULL;
	u64 now;

	if (!static_branch_likely(&tracking_key))
		return;
	if (drm_WARN_ON_ONCE(tracker->drm, node->birth))
		return;

	node->size = birth->size;
	node->flags = birth->flags;
	node->is = (typeof(node->is)) {
		.domain = birth->domain,
		.orphan = !birth->has_handle,
		.foreign = !birth->has_handle,
		.named = node->is.named,
	};
	atomic_set(&node->handles, birth->has_handle ? PDDGPU_LEAK_PROMISED + 1 : 0);
	node->site = pddgpu_site_note(tracker->sites, birth->caller);
	now = birth->now ?: ktime_get_ns();

	spin_lock(&tracker->lock);
	node->owner = client_owner(tracker, birth->client, &unused);
	leak_bear(tracker, node, now);
	leak_count(&tracker->has, node);
	leak_count(&node->owner->has, node);
	spin_unlock(&tracker->lock);

	if (unlikely(unused))
		kfree(unused);
	if (unlikely(READ_ONCE(tracker->spares) != 1))
		pddgpu_leak_cohorts_stock(tracker);
}

/*
 * Whether there is something to do; the node cannot begin or end meanwhile. Its
 * neighbours write to @link, but nobody to @birth, so that takes no lock.
 */
static bool leak_tracked(const struct pddgpu_leak_node *node)
{
	return node->birth;
}

/**
 * pddgpu_leak_settle() - see whether a buffer is an ORPHAN
 * @tracker: the tracker
 * @node: the buffer's node; somebody has a reference to the buffer
 *
 * To be called after the number of its handles has become zero, or is zero no
 * longer. Of several at once the last to get the lock sees what is so.
 *
 * Return: its state if that has changed, else %PDDGPU_LEAK_STATES.
 */
enum pddgpu_leak_state pddgpu_leak_settle(struct pddgpu_leak_tracker *tracker,
					  struct pddgpu_leak_node *node)
{
	bool orphan, changes;

	if (!leak_tracked(node))
		return PDDGPU_LEAK_STATES;

	spin_lock(&tracker->lock);
	orphan = !atomic_read(&node->handles);
	changes = orphan != node->is.orphan;
	if (changes)
		leak_set_orphan(tracker, node, orphan);
	spin_unlock(&tracker->lock);
	if (!changes)
		return PDDGPU_LEAK_STATES;
	return orphan ? PDDGPU_LEAK_ORPHAN : PDDGPU_LEAK_LIVE;
}

/**
 * pddgpu_leak_handle_open() - a handle to a buffer was made, in any file
 * @tracker: the tracker
 * @node: the buffer's node
 *
 * Makes an ORPHAN, which an import can find again, LIVE.
 *
 * Return: as pddgpu_leak_settle().
 */
enum pddgpu_leak_state pddgpu_leak_handle_open(struct pddgpu_leak_tracker *tracker,
					       struct pddgpu_leak_node *node)
{
	if (!leak_tracked(node))
		return PDDGPU_LEAK_STATES;

	/* Nobody can make another handle before there is the first one */
	if (atomic_read(&node->handles) & PDDGPU_LEAK_PROMISED)
		atomic_andnot(PDDGPU_LEAK_PROMISED, &node->handles);
	else if (atomic_inc_return(&node->handles) == 1)
		return pddgpu_leak_settle(tracker, node);
	return PDDGPU_LEAK_STATES;
}

/**
 * pddgpu_leak_handle_close() - a handle to a buffer was closed, in any file
 * @tracker: the tracker
 * @node: the buffer's node
 *
 * Return: true when it was the last one. pddgpu_leak_settle() must follow then,
 * unless the caller sees, after this call, that no reference but its own exists.
 * Who gets one later, by mapping the buffer, calls pddgpu_leak_mapped().
 */
bool pddgpu_leak_handle_close(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *node)
{
	int left;

	if (!leak_tracked(node))
		return false;

	/* A full barrier, as pddgpu_leak_mapped() needs */
	left = atomic_dec_return(&node->handles);
	drm_WARN_ON_ONCE(tracker->drm, left < 0);
	return !left;
}

/**
 * pddgpu_leak_mapped() - a reference to a buffer was taken to map it
 * @tracker: the tracker
 * @node: the buffer's node
 *
 * Its last handle may have been closed at that moment, by somebody who did not
 * see the reference.
 *
 * Return: as pddgpu_leak_settle().
 */
enum pddgpu_leak_state pddgpu_leak_mapped(struct pddgpu_leak_tracker *tracker,
					  struct pddgpu_leak_node *node)
{
	if (!leak_tracked(node))
		return PDDGPU_LEAK_STATES;

	/* Either we see no handle, or who closed it saw the reference */
	smp_mb();
	if (!atomic_read(&node->handles))
		return pddgpu_leak_settle(tracker, node);
	return PDDGPU_LEAK_STATES;
}

/**
 * pddgpu_leak_set_domain() - a buffer is in another domain now
 * @tracker: the tracker
 * @node: the buffer's node; it is not freed, and not about to be: the caller has a
 *        reference to the buffer
 * @domain: the domain
 */
void pddgpu_leak_set_domain(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *node,
			    u32 domain)
{
	if (!leak_tracked(node))
		return;

	spin_lock(&tracker->lock);
	leak_uncount(&tracker->has, node);
	leak_uncount(&node->owner->has, node);
	node->is.domain = domain;
	leak_count(&tracker->has, node);
	leak_count(&node->owner->has, node);
	spin_unlock(&tracker->lock);
}

/**
 * pddgpu_leak_zombie() - a buffer's last user is gone, but it cannot be freed yet
 * @tracker: the tracker
 * @node: the buffer's node, to which nobody else has a reference
 *
 * Return: what it was until now, an ORPHAN?
 */
bool pddgpu_leak_zombie(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *node)
{
	if (!leak_tracked(node))
		return false;

	atomic_set(&node->handles, PDDGPU_LEAK_FREED);
	if (!node->is.orphan) {
		leak_count_zombie(tracker, node, true);
		return false;
	}

	spin_lock(&tracker->lock);
	leak_set_orphan(tracker, node, false);
	leak_count_zombie(tracker, node, true);
	spin_unlock(&tracker->lock);
	return true;
}

/* Take a node out of its cohort, and off what has come of age */
static void leak_bury(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *node)
{
	struct pddgpu_leak_cohort *cohort = node->cohort;
	int class;

	list_del(&node->link);
	for (class = pddgpu_leak_class_of(tracker, node->birth); class > PDDGPU_LEAK_YOUNG; class--)
		pddgpu_leak_count_sub(&tracker->edge[class].past, 1, node->size);
	if (node->birth <= tracker->baseline)
		pddgpu_leak_count_sub(&tracker->forgiven, 1, node->size);
	cohort->bytes -= node->size;
	cohort->objects--;
	if (cohort != tracker->youngest && cohort->objects <= PDDGPU_LEAK_SPARSE)
		pddgpu_leak_cohort_shrunk(tracker, cohort);
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
	struct pddgpu_leak_owner *owner = node->owner;
	struct pddgpu_leak_owner *unused = NULL;

	if (!leak_tracked(node))
		return;

	spin_lock(&tracker->lock);
	leak_bury(tracker, node);
	if (atomic_read(&node->handles) & PDDGPU_LEAK_FREED)
		leak_count_zombie(tracker, node, false);
	leak_uncount(&tracker->has, node);
	leak_uncount(&owner->has, node);
	if (owner_ends(owner))
		unused = owner;
	spin_unlock(&tracker->lock);

	node->birth = 0;
	if (unlikely(unused))
		kfree(unused);
	if (unlikely(READ_ONCE(tracker->spares) > 1))
		pddgpu_leak_cohorts_stock(tracker);
}

/**
 * pddgpu_leak_object_bytes() - memory that tracking an object takes
 *
 * Its node and the most that its share in a cohort can be, where there are many.
 * Owners, one for each process, and call stacks are not in it.
 *
 * Return: bytes.
 */
size_t pddgpu_leak_object_bytes(void)
{
	return sizeof(struct pddgpu_leak_node) + PDDGPU_LEAK_COHORT_SHARE;
}
