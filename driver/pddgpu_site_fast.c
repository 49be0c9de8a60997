// SPDX-License-Identifier: GPL-2.0
/*
 * Call stacks that come again and again, as those of a loop do. To walk along a stack
 * takes a while; to see that the same return addresses are still at the same places
 * takes a fraction of that. So what was found is kept for a while with where it was.
 *
 * The key has in it all that is known before the walk: who it is, the way through the
 * driver, and the process's registers. What is kept under it is looked at in the
 * process's memory again each time; if that is not as it was, the stack is another.
 *
 * Locks: fast->lock (spinlock), a leaf.
 */
#include <linux/compat.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "pddgpu_site.h"

#define SITE_FAST_ENTRIES	512

/* With fewer addresses there is nothing to tell stacks apart by */
#define SITE_FAST_LEAST		3

/**
 * struct site_fast_entry - a stack
 */
struct site_fast_entry {
	/** @key: of what is known before it is walked; 0 none */
	u64 key;
	/** @site: its number */
	u16 site;
	/** @walk: what was found */
	struct pddgpu_site_walk walk;
};

/**
 * struct pddgpu_site_fast - stacks that were met lately
 */
struct pddgpu_site_fast {
	/** @lock: guards them */
	spinlock_t lock;
	/** @entry: by key; a later one takes the place of an earlier one */
	struct site_fast_entry entry[SITE_FAST_ENTRIES];
};

/**
 * pddgpu_site_fast_create() - none was met yet
 *
 * Return: what kvfree() frees; NULL without memory.
 */
struct pddgpu_site_fast *pddgpu_site_fast_create(void)
{
	struct pddgpu_site_fast *fast;

	fast = kvzalloc(sizeof(*fast), GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY);
	if (fast)
		spin_lock_init(&fast->lock);
	return fast;
}

/* Are the same addresses still there? Without a fault, as the walk. */
static bool site_fast_same(const struct pddgpu_site_walk *walk)
{
	unsigned long address;
	bool same = true;
	u32 i;

	pagefault_disable();
	/* The first one is where the process is, which is in the key */
	for (i = 1; same && i < walk->nr; i++) {
		unsigned long __user *slot = (unsigned long __user *)walk->slots[i];

		same = access_ok(slot, sizeof(*slot)) && !__get_user(address, slot) &&
		       address == walk->addrs[i];
	}
	pagefault_enable();
	return same;
}

/**
 * pddgpu_site_fast_find() - is the current stack one that was met?
 * @fast: the stacks
 * @key: of it
 *
 * Return: its site; 0 when it is not known.
 */
u16 pddgpu_site_fast_find(struct pddgpu_site_fast *fast, u64 key)
{
	const struct site_fast_entry *entry = &fast->entry[key % SITE_FAST_ENTRIES];
	struct pddgpu_site_walk walk;
	u16 site = 0;

	spin_lock(&fast->lock);
	if (entry->key == key) {
		site = entry->site;
		walk.nr = entry->walk.nr;
		memcpy(walk.addrs, entry->walk.addrs, walk.nr * sizeof(walk.addrs[0]));
		memcpy(walk.slots, entry->walk.slots, walk.nr * sizeof(walk.slots[0]));
	}
	spin_unlock(&fast->lock);
	return site && site_fast_same(&walk) ? site : 0;
}

/**
 * pddgpu_site_fast_keep() - a stack may come again
 * @fast: the stacks
 * @key: of it
 * @walk: what was found
 * @site: its site
 */
void pddgpu_site_fast_keep(struct pddgpu_site_fast *fast, u64 key,
			   const struct pddgpu_site_walk *walk, u16 site)
{
	struct site_fast_entry *entry = &fast->entry[key % SITE_FAST_ENTRIES];

	/* Words of 32 bits are not looked at by this */
	if (walk->nr < SITE_FAST_LEAST || in_compat_syscall())
		return;
	spin_lock(&fast->lock);
	entry->key = key;
	entry->site = site;
	entry->walk = *walk;
	spin_unlock(&fast->lock);
}
