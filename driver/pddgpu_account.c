// SPDX-License-Identifier: GPL-2.0
/*
 * What each client has, kept as it changes, so that to read it is to copy it.
 *
 * A buffer has a record of each client that has a handle to it. Whatever changes
 * (its place, what it prefers, whether it is shared or in use) is taken from and
 * added to the account of each of them: as a rule of one, for whom the buffer itself
 * has room.
 *
 * What is in use
 * --------------
 *
 * A client's jobs run in order. So of the jobs that use a buffer only the client's
 * youngest need be known: its flight has the record in a list. When the job is over
 * all in that list have landed. A buffer that several clients' jobs use is in use
 * until the last has landed. A record that is in a flight stays when the client closes
 * its handle, and no longer counts for that client. Moves, which run in order too, are
 * the same with the buffers themselves.
 *
 * Locks
 * -----
 *
 * account->lock (spinlock): guards all nodes, records and flights, and what clients
 * have. A leaf, taken in process and workqueue context only. Held for a constant
 * time, and where a buffer is shared for a time that grows with the number of those
 * who share it.
 */
#include <linux/err.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include <drm/drm_device.h>
#include <drm/drm_managed.h>

#include "pddgpu_account.h"

/* As many land in one go, or so many have what lands, before others get the lock */
#define PDDGPU_ACCOUNT_LANDINGS	64

/**
 * struct pddgpu_account - the accounts of a card's clients
 */
struct pddgpu_account {
	/** @lock: see above */
	spinlock_t lock;
};

/**
 * pddgpu_account_init() - there are no clients yet
 * @drm: the device, with which it ends
 *
 * Return: the accounts, or an ERR_PTR().
 */
struct pddgpu_account *pddgpu_account_init(struct drm_device *drm)
{
	struct pddgpu_account *account = drmm_kzalloc(drm, sizeof(*account), GFP_KERNEL);

	if (!account)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&account->lock);
	return account;
}

/**
 * pddgpu_account_client_create() - a client comes
 *
 * Return: the client with a reference, or NULL.
 */
struct pddgpu_account_client *pddgpu_account_client_create(void)
{
	struct pddgpu_account_client *client = kzalloc(sizeof(*client), GFP_KERNEL_ACCOUNT);

	if (client)
		kref_init(&client->ref);
	return client;
}

/**
 * pddgpu_account_client_get() - keep a client
 * @client: the client, or NULL
 *
 * Return: the same.
 */
struct pddgpu_account_client *pddgpu_account_client_get(struct pddgpu_account_client *client)
{
	if (client)
		kref_get(&client->ref);
	return client;
}

static void account_client_free(struct kref *ref)
{
	kfree(container_of(ref, struct pddgpu_account_client, ref));
}

/**
 * pddgpu_account_client_put() - keep it no more
 * @client: the client, or NULL; with the last reference it has no buffers, and none
 *	that its jobs use
 */
void pddgpu_account_client_put(struct pddgpu_account_client *client)
{
	if (client)
		kref_put(&client->ref, account_client_free);
}

/**
 * pddgpu_account_read() - what a client has
 * @account: the accounts
 * @client: the client
 * @figures: out: all as of one moment
 */
void pddgpu_account_read(struct pddgpu_account *account,
			 const struct pddgpu_account_client *client,
			 struct pddgpu_account_figures *figures)
{
	spin_lock(&account->lock);
	*figures = client->has;
	spin_unlock(&account->lock);
}

/* Add a buffer to what one client has, or with a @sign of -1 take it off */
static void use_count(const struct pddgpu_account_use *use, int sign)
{
	struct pddgpu_account_figures *has = &use->client->has;
	const struct pddgpu_account_node *node = use->node;
	u64 size = sign * node->size;

	if (!use->handles)
		return;
	has->total[node->home] += size;
	if (node->exported || node->handles > 1)
		has->shared[node->home] += size;
	if (node->swapped)
		return;
	has->resident[node->where] += size;
	if (node->busy)
		has->active[node->where] += size;
}

static struct pddgpu_account_use *use_of(struct rb_node *rb)
{
	return rb_entry_safe(rb, struct pddgpu_account_use, rb);
}

/* The same for all who have it */
static void node_count(const struct pddgpu_account_node *node, int sign)
{
	struct pddgpu_account_use *use;

	for (use = use_of(rb_first(&node->uses)); use; use = use_of(rb_next(&use->rb)))
		use_count(use, sign);
}

static struct pddgpu_account_use *node_find(const struct pddgpu_account_node *node,
					    const struct pddgpu_account_client *client)
{
	struct rb_node *rb = node->uses.rb_node;

	while (rb) {
		struct pddgpu_account_use *use = use_of(rb);

		if (use->client == client)
			return use;
		rb = client < use->client ? rb->rb_left : rb->rb_right;
	}
	return NULL;
}

/* Put in a record of a client that has none */
static void node_insert(struct pddgpu_account_node *node, struct pddgpu_account_use *use,
			struct pddgpu_account_client *client)
{
	struct rb_node **link = &node->uses.rb_node, *parent = NULL;

	use->client = client;
	use->node = node;
	use->handles = 0;
	INIT_LIST_HEAD(&use->flying);
	while (*link) {
		parent = *link;
		link = client < use_of(parent)->client ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&use->rb, parent, link);
	rb_insert_color(&use->rb, &node->uses);
}

/* Take out one that is not needed any more; returns what is to be freed, or NULL */
static struct pddgpu_account_use *node_remove(struct pddgpu_account_node *node,
					      struct pddgpu_account_use *use)
{
	rb_erase(&use->rb, &node->uses);
	use->client = NULL;
	return use == &node->first ? NULL : use;
}

static void node_set_busy(struct pddgpu_account_node *node, u32 busy)
{
	bool changes = !node->busy != !busy;

	if (changes)
		node_count(node, -1);
	node->busy = busy;
	if (changes)
		node_count(node, 1);
}

/**
 * pddgpu_account_begin() - a buffer has come into being
 * @node: its node, of zeros
 * @size: bytes
 * @home: the region that it prefers
 * @where: the region that it is in
 * @exported: there is a dma-buf of it
 *
 * Nobody has a handle yet.
 */
void pddgpu_account_begin(struct pddgpu_account_node *node, u64 size,
			  enum pddgpu_account_region home,
			  enum pddgpu_account_region where, bool exported)
{
	node->size = size;
	node->home = home;
	node->where = where;
	node->exported = exported;
	INIT_LIST_HEAD(&node->moving);
}

/**
 * pddgpu_account_end() - a buffer is about to be freed
 * @account: the accounts
 * @node: its node, or one of zeros; there is no handle
 *
 * Nobody looks at the node when this has returned.
 */
void pddgpu_account_end(struct pddgpu_account *account, struct pddgpu_account_node *node)
{
	struct pddgpu_account_use *use, *unused = NULL;
	struct rb_node *rb;

	/* Without a job its records have gone with the handles */
	if (!node->flown)
		return;
	do {
		kfree(unused);
		unused = NULL;
		spin_lock(&account->lock);
		list_del_init(&node->moving);
		rb = rb_first(&node->uses);
		if (rb) {
			use = use_of(rb);
			list_del_init(&use->flying);
			unused = node_remove(node, use);
		}
		spin_unlock(&account->lock);
	} while (rb);
	kfree(unused);
}

/* The record for another client: the buffer's own if it is free, or @spare */
static struct pddgpu_account_use *node_take(struct pddgpu_account_node *node,
					    struct pddgpu_account_use **spare)
{
	struct pddgpu_account_use *use = *spare;

	if (!node->first.client)
		return &node->first;
	*spare = NULL;
	return use;
}

/* Count a handle; @spare: memory for a record, or NULL. False: it takes one. */
static bool node_open(struct pddgpu_account_node *node, struct pddgpu_account_client *client,
		      struct pddgpu_account_use **spare)
{
	struct pddgpu_account_use *use = node_find(node, client);
	/* With the second handle it is shared by whoever has the first */
	bool shares = node->handles == 1 && !node->exported;

	if (!use) {
		use = node_take(node, spare);
		if (!use)
			return false;
		node_insert(node, use, client);
	}
	if (shares)
		node_count(node, -1);
	node->handles++;
	use->handles++;
	if (shares)
		node_count(node, 1);
	else if (use->handles == 1)
		use_count(use, 1);
	return true;
}

/**
 * pddgpu_account_open() - a client gets a handle
 * @account: the accounts
 * @node: the buffer's node
 * @client: the client
 *
 * Context: may allocate.
 * Return: 0, or -ENOMEM, which the buffer's first client never sees.
 */
int pddgpu_account_open(struct pddgpu_account *account, struct pddgpu_account_node *node,
			struct pddgpu_account_client *client)
{
	struct pddgpu_account_use *spare = NULL;
	bool done;

	spin_lock(&account->lock);
	done = node_open(node, client, &spare);
	spin_unlock(&account->lock);
	if (likely(done))
		return 0;

	spare = kzalloc(sizeof(*spare), GFP_KERNEL_ACCOUNT);
	if (!spare)
		return -ENOMEM;
	spin_lock(&account->lock);
	node_open(node, client, &spare);
	spin_unlock(&account->lock);
	/* Not needed any more: others have gone, or another thread has come */
	kfree(spare);
	return 0;
}

/**
 * pddgpu_account_close() - a client gives a handle back
 * @account: the accounts
 * @node: the buffer's node; the caller has a reference to the buffer
 * @client: a client for which pddgpu_account_open() has counted one
 *
 * Return: whether it was the client's last one to this buffer.
 */
bool pddgpu_account_close(struct pddgpu_account *account, struct pddgpu_account_node *node,
			  struct pddgpu_account_client *client)
{
	struct pddgpu_account_use *use, *unused = NULL;
	bool shares, last;

	spin_lock(&account->lock);
	use = node_find(node, client);
	if (WARN_ON_ONCE(!use || !use->handles)) {
		spin_unlock(&account->lock);
		return false;
	}
	last = use->handles == 1;
	shares = node->handles == 2 && !node->exported;
	if (shares)
		node_count(node, -1);
	else if (use->handles == 1)
		use_count(use, -1);
	node->handles--;
	use->handles--;
	if (shares)
		node_count(node, 1);
	if (!use->handles && list_empty(&use->flying))
		unused = node_remove(node, use);
	spin_unlock(&account->lock);
	if (unlikely(unused))
		kfree(unused);
	return last;
}

/**
 * pddgpu_account_export() - there is a dma-buf of a buffer
 * @account: the accounts
 * @node: the buffer's node
 *
 * DRM keeps the dma-buf as long as there are handles, so it is shared to its end.
 */
void pddgpu_account_export(struct pddgpu_account *account, struct pddgpu_account_node *node)
{
	spin_lock(&account->lock);
	node_count(node, -1);
	node->exported = true;
	node_count(node, 1);
	spin_unlock(&account->lock);
}

/**
 * pddgpu_account_prefer() - a buffer prefers another region
 * @account: the accounts
 * @node: the buffer's node
 * @home: the region
 */
void pddgpu_account_prefer(struct pddgpu_account *account, struct pddgpu_account_node *node,
			   enum pddgpu_account_region home)
{
	spin_lock(&account->lock);
	if (node->home != home) {
		node_count(node, -1);
		node->home = home;
		node_count(node, 1);
	}
	spin_unlock(&account->lock);
}

/**
 * pddgpu_account_move() - a buffer has moved
 * @account: the accounts
 * @node: the buffer's node
 * @where: the region that it is in now
 * @evicted: to make room for others
 */
void pddgpu_account_move(struct pddgpu_account *account, struct pddgpu_account_node *node,
			 enum pddgpu_account_region where, bool evicted)
{
	struct pddgpu_account_use *use;

	spin_lock(&account->lock);
	if (node->where != where) {
		node_count(node, -1);
		node->where = where;
		node_count(node, 1);
	}
	for (use = use_of(rb_first(&node->uses)); evicted && use; use = use_of(rb_next(&use->rb)))
		use->client->has.evictions += !!use->handles;
	spin_unlock(&account->lock);
}

/**
 * pddgpu_account_swap() - a buffer has gone to swap, or come from there
 * @account: the accounts
 * @node: the buffer's node
 * @swapped: which of the two
 */
void pddgpu_account_swap(struct pddgpu_account *account, struct pddgpu_account_node *node,
			 bool swapped)
{
	spin_lock(&account->lock);
	node_count(node, -1);
	node->swapped = swapped;
	node_count(node, 1);
	spin_unlock(&account->lock);
}

/**
 * pddgpu_account_flight_init() - a job uses nothing yet
 * @flight: the job's
 */
void pddgpu_account_flight_init(struct pddgpu_account_flight *flight)
{
	INIT_LIST_HEAD(&flight->uses);
	INIT_LIST_HEAD(&flight->moves);
	flight->account = NULL;
}

/**
 * pddgpu_account_board() - a job will use a buffer
 * @account: the accounts
 * @node: the buffer's node; the caller has a reference to the buffer
 * @client: whose job it is; the job keeps it
 * @flight: the job's; it is not handed over yet, and all before it of the client's are
 *
 * What the client has closed meanwhile is passed over.
 */
void pddgpu_account_board(struct pddgpu_account *account, struct pddgpu_account_node *node,
			  struct pddgpu_account_client *client,
			  struct pddgpu_account_flight *flight)
{
	struct pddgpu_account_use *use;

	spin_lock(&account->lock);
	use = node_find(node, client);
	if (use) {
		if (list_empty(&use->flying))
			node_set_busy(node, node->busy + 1);
		list_move_tail(&use->flying, &flight->uses);
		flight->account = account;
		node->flown = true;
	}
	spin_unlock(&account->lock);
}

/**
 * pddgpu_account_carry() - a job will move a buffer
 * @account: the accounts
 * @node: the buffer's node; the caller has its reservation
 * @flight: the job's; it is not handed over yet, and all moves before it are
 */
void pddgpu_account_carry(struct pddgpu_account *account, struct pddgpu_account_node *node,
			  struct pddgpu_account_flight *flight)
{
	spin_lock(&account->lock);
	if (list_empty(&node->moving))
		node_set_busy(node, node->busy + 1);
	list_move_tail(&node->moving, &flight->moves);
	flight->account = account;
	node->flown = true;
	spin_unlock(&account->lock);
}

/* Some land; what is to be freed goes to @unused. False: those were the last. */
static bool flight_land_some(struct pddgpu_account_flight *flight, struct list_head *unused)
{
	struct pddgpu_account_node *node, *next_node;
	struct pddgpu_account_use *use, *next;
	bool more = false;
	u32 count = 0;

	spin_lock(&flight->account->lock);
	/* A job moves one buffer */
	list_for_each_entry_safe(node, next_node, &flight->moves, moving) {
		list_del_init(&node->moving);
		node_set_busy(node, node->busy - 1);
	}
	list_for_each_entry_safe(use, next, &flight->uses, flying) {
		more = count >= PDDGPU_ACCOUNT_LANDINGS;
		if (more)
			break;
		/* All who have it are told */
		count += max(use->node->handles, 1u);
		list_del_init(&use->flying);
		node_set_busy(use->node, use->node->busy - 1);
		if (use->handles)
			continue;
		use = node_remove(use->node, use);
		if (use)
			list_add(&use->flying, unused);
	}
	spin_unlock(&flight->account->lock);
	return more;
}

/**
 * pddgpu_account_land() - a job is over, its fence has signalled
 * @flight: the job's, initialised; it is not used any more afterwards
 *
 * Context: may sleep.
 */
void pddgpu_account_land(struct pddgpu_account_flight *flight)
{
	struct pddgpu_account_use *use, *next;
	LIST_HEAD(unused);

	if (!flight->account)
		return;
	while (flight_land_some(flight, &unused))
		cond_resched();
	list_for_each_entry_safe(use, next, &unused, flying)
		kfree(use);
}
