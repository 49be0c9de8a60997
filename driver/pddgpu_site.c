// SPDX-License-Identifier: GPL-2.0
/*
 * Where buffers are allocated: the few places in the driver that lead to an
 * allocation, and where the module parameter leak_stacks asks for it the call
 * stacks, the kernel's and the process's own behind it. Each has a number.
 *
 * One frame, which names the ioctl or the import, costs next to nothing and is
 * always kept. To unwind a whole stack takes as long as nearly half of all else
 * that is done to make and free a small buffer.
 *
 * The kernel's stack depot is not used: the first user makes it allocate up to
 * 16 MiB for good, and what it stores outlives the module. What is kept here goes
 * with the device; there is none of it before the first stack, at most
 * PDDGPU_SITE_STACKS stacks with SITE_FILES names of files, and what comes then is
 * told by its ioctl alone.
 *
 * A stack of a process's is first looked for by its raw addresses, which mean
 * something in this process as it is only: the key has in it who it is, its
 * executions, and how much code it has mapped. To unwind the kernel's stack is what
 * takes long: in the key are its depth and the caller in the driver instead, which are
 * other ones on any other way. A key may be forgotten; then all is
 * resolved anew, and is the same site. Two users never have a site
 * of a process's in common, so who has used it may be told of it.
 *
 * Locks: sites->lock (spinlock), a leaf. It guards the tables; what is once in them
 * is constant, and is not freed before the device.
 */
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/hash.h>
#include <linux/jhash.h>
#include <linux/mm.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/siphash.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/stacktrace.h>
#include <linux/string.h>

#include <drm/pddgpu_drm.h>

#include "pddgpu_site.h"

static_assert(sizeof_field(struct drm_pddgpu_frame, name) == PDDGPU_SITE_NAME);
static_assert(PDDGPU_SITE_KERNEL_FRAMES + PDDGPU_SITE_USER_FRAMES <= PDDGPU_SITE_FRAMES);

#define SITE_GFP	(GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY)
#define SITE_FILES	1024
#define SITE_BUCKETS	1024
#define SITE_RECENT	4096

/* Of a frame of the kernel's, and of a process's that is in no file */
#define SITE_FILE_KERNEL	U16_MAX
#define SITE_FILE_NONE		(U16_MAX - 1)

/**
 * struct pddgpu_site_frame - a frame of a call stack
 */
struct pddgpu_site_frame {
	/** @at: a return address of the kernel's, or the offset in a file */
	u64 at;
	/** @file: which file, or one of SITE_FILE_* */
	u32 file;
	/** @pad: zero, so that frames can be compared as bytes */
	u32 pad;
};

/**
 * struct pddgpu_site - a call stack that has allocated something
 */
struct pddgpu_site {
	/** @next: in its bucket: index of the next one plus one, or 0 */
	u16 next;
	/** @nr: how many frames */
	u16 nr;
	/** @hash: of user and frames */
	u32 hash;
	/** @uid: whose process it is of; INVALID_UID where all of it is the kernel's */
	kuid_t uid;
	/** @frames: innermost first */
	struct pddgpu_site_frame frames[] __counted_by(nr);
};

/**
 * struct pddgpu_site_file - a file's name
 */
struct pddgpu_site_file {
	/** @hash: of the name */
	u32 hash;
	/** @name: the end of its path */
	char name[];
};

/**
 * struct pddgpu_site_recent - a stack that was met lately
 */
struct pddgpu_site_recent {
	/** @key: of its raw addresses and their process; 0 none */
	u64 key;
	/** @site: its number; 0: there was no place for it */
	u16 site;
};

/**
 * struct pddgpu_site_tables - what there is once a stack is kept
 */
struct pddgpu_site_tables {
	/** @site: the stacks */
	struct pddgpu_site *site[PDDGPU_SITE_STACKS];
	/** @file: names of files that they are in */
	struct pddgpu_site_file *file[SITE_FILES];
	/** @recent: by key; a later one takes the place of an earlier one */
	struct pddgpu_site_recent recent[SITE_RECENT];
	/** @fast: those that were met just now */
	struct pddgpu_site_fast *fast;
	/** @bucket: by hash: index of the latest stack plus one, or 0 */
	u16 bucket[SITE_BUCKETS];
};

/**
 * struct pddgpu_sites - where a device's buffers are allocated
 */
struct pddgpu_sites {
	/** @lock: guards all that is filled in */
	spinlock_t lock;
	/** @callers: how many there are of @caller; only grows, and is read without the lock */
	u32 callers;
	/** @caller: return addresses in the driver, constant once they are counted */
	unsigned long caller[PDDGPU_SITE_CALLERS];
	/** @stacks: how many sites there are in @tables; the same */
	u32 stacks;
	/** @files: how many files' names */
	u32 files;
	/** @tables: NULL before there are any */
	struct pddgpu_site_tables *tables;
	/** @secret: that users may not make a key of their liking */
	siphash_key_t secret;
};

/**
 * pddgpu_sites_create() - there are no sites yet
 *
 * Return: what pddgpu_sites_destroy() frees; NULL without memory.
 */
struct pddgpu_sites *pddgpu_sites_create(void)
{
	struct pddgpu_sites *sites = kzalloc(sizeof(*sites), GFP_KERNEL);

	if (!sites)
		return NULL;
	spin_lock_init(&sites->lock);
	get_random_bytes(&sites->secret, sizeof(sites->secret));
	return sites;
}

/**
 * pddgpu_sites_destroy() - forget all sites
 * @sites: the sites; nobody uses them any more
 */
void pddgpu_sites_destroy(struct pddgpu_sites *sites)
{
	u32 i;

	for (i = 0; i < sites->stacks; i++)
		kfree(sites->tables->site[i]);
	for (i = 0; i < sites->files; i++)
		kfree(sites->tables->file[i]);
	if (sites->tables)
		kvfree(sites->tables->fast);
	kvfree(sites->tables);
	kfree(sites);
}

static u16 site_caller_add(struct pddgpu_sites *sites, unsigned long caller)
{
	u32 i;

	spin_lock(&sites->lock);
	for (i = 0; i < sites->callers; i++)
		if (sites->caller[i] == caller)
			break;
	if (i == sites->callers && i < PDDGPU_SITE_CALLERS) {
		sites->caller[i] = caller;
		/* It is there before it is counted */
		smp_store_release(&sites->callers, i + 1);
	}
	spin_unlock(&sites->lock);
	return i < PDDGPU_SITE_CALLERS ? i + 1 : 0;
}

/**
 * pddgpu_site_caller() - keep a single frame
 * @sites: the sites
 * @caller: a return address in the driver, one of a few
 *
 * Return: its number, or 0 when there is no place for it.
 */
u16 pddgpu_site_caller(struct pddgpu_sites *sites, unsigned long caller)
{
	/* A frame is written before it is counted */
	u32 i, nr = smp_load_acquire(&sites->callers);

	for (i = 0; i < nr; i++)
		if (likely(sites->caller[i] == caller))
			return i + 1;
	return site_caller_add(sites, caller);
}

/* The tables, made when they are needed; NULL without memory */
static struct pddgpu_site_tables *site_tables(struct pddgpu_sites *sites)
{
	struct pddgpu_site_tables *tables, *mine;

	/* With the zeros that are in them */
	tables = smp_load_acquire(&sites->tables);
	if (tables)
		return tables;
	mine = kvzalloc(sizeof(*mine), SITE_GFP);
	if (!mine)
		return NULL;
	mine->fast = pddgpu_site_fast_create();
	if (!mine->fast) {
		kvfree(mine);
		return NULL;
	}
	spin_lock(&sites->lock);
	tables = sites->tables;
	if (!tables) {
		tables = mine;
		/* The same */
		smp_store_release(&sites->tables, tables);
		mine = NULL;
	}
	spin_unlock(&sites->lock);
	if (mine)
		kvfree(mine->fast);
	kvfree(mine);
	return tables;
}

/**
 * struct site_raw - a call stack as it is met
 */
struct site_raw {
	/** @who: the process's beginning, its executions, its code, its user */
	u64 who[4];
	/** @way: the caller in the driver, and the depth of the kernel's stack */
	u64 way[2];
	/** @regs: where the process is, its stack and its frame */
	u64 regs[3];
	/** @walk: the process's own */
	struct pddgpu_site_walk walk;
	/** @kernel_nr: return addresses of the kernel's, once it is known that they are needed */
	u32 kernel_nr;
	/** @kernel: they */
	unsigned long kernel[PDDGPU_SITE_KERNEL_FRAMES];
};

/* The number of a file's name; SITE_FILE_NONE when there is no place for it */
static u32 site_file(struct pddgpu_sites *sites, struct pddgpu_site_tables *tables,
		     const char *name)
{
	u32 hash, i, len = strlen(name);
	struct pddgpu_site_file *mine;

	if (!len)
		return SITE_FILE_NONE;
	hash = jhash(name, len, 0);
	mine = kmalloc(struct_size(mine, name, len + 1), SITE_GFP);
	if (!mine)
		return SITE_FILE_NONE;
	mine->hash = hash;
	memcpy(mine->name, name, len + 1);

	spin_lock(&sites->lock);
	for (i = 0; i < sites->files; i++)
		if (tables->file[i]->hash == hash && !strcmp(tables->file[i]->name, name))
			break;
	if (i == sites->files && i < SITE_FILES) {
		tables->file[i] = mine;
		sites->files++;
		mine = NULL;
	}
	spin_unlock(&sites->lock);
	kfree(mine);
	return i < SITE_FILES ? i : SITE_FILE_NONE;
}

/* The same stack's number, or that of one that is new; 0 when there are too many */
static u16 site_store(struct pddgpu_sites *sites, struct pddgpu_site_tables *tables,
		      struct pddgpu_site **mine)
{
	u16 *bucket = &tables->bucket[(*mine)->hash % SITE_BUCKETS], i;
	struct pddgpu_site *site;

	lockdep_assert_held(&sites->lock);

	for (i = *bucket; i; i = site->next) {
		site = tables->site[i - 1];
		if (site->hash == (*mine)->hash && site->nr == (*mine)->nr &&
		    uid_eq(site->uid, (*mine)->uid) &&
		    !memcmp(site->frames, (*mine)->frames, flex_array_size(site, frames, site->nr)))
			return PDDGPU_SITE_CALLERS + i;
	}
	if (sites->stacks == PDDGPU_SITE_STACKS)
		return 0;
	i = sites->stacks + 1;
	(*mine)->next = *bucket;
	tables->site[i - 1] = *mine;
	*bucket = i;
	/* A stack is there before it is counted */
	smp_store_release(&sites->stacks, i);
	*mine = NULL;
	return PDDGPU_SITE_CALLERS + i;
}

/* The stack as others can understand it; NULL when that could not be found out */
static struct pddgpu_site *site_resolve(struct pddgpu_sites *sites,
					struct pddgpu_site_tables *tables,
					const struct site_raw *raw)
{
	struct pddgpu_site_place *places = NULL;
	u32 i, kernel = raw->kernel_nr, user = raw->walk.nr;
	struct pddgpu_site *site;

	if (user) {
		places = pddgpu_site_user_resolve(raw->walk.addrs, &user);
		if (!places)
			return NULL;
	}
	site = kzalloc(struct_size(site, frames, kernel + user), SITE_GFP);
	if (!site) {
		kfree(places);
		return NULL;
	}
	site->nr = kernel + user;
	site->uid = user ? current_euid() : INVALID_UID;
	for (i = 0; i < kernel; i++) {
		site->frames[i].at = raw->kernel[i];
		site->frames[i].file = SITE_FILE_KERNEL;
	}
	for (i = 0; i < user; i++) {
		struct pddgpu_site_frame *frame = &site->frames[kernel + i];

		frame->file = site_file(sites, tables, places[i].name);
		if (frame->file != SITE_FILE_NONE)
			frame->at = places[i].offset;
	}
	site->hash = jhash(site->frames, flex_array_size(site, frames, site->nr),
			   __kuid_val(site->uid));
	kfree(places);
	return site;
}

/* Who the addresses are of: they mean something else to every other process */
static void site_raw_who(struct site_raw *raw, unsigned long caller)
{
	struct pt_regs *regs = current_pt_regs();

	raw->who[0] = current->group_leader->start_boottime;
	raw->who[1] = current->self_exec_id;
	/* Code that comes or goes may be at the same place as other code was */
	raw->who[2] = current->mm ? READ_ONCE(current->mm->exec_vm) : 0;
	raw->who[3] = (u64)task_tgid_nr(current) << 32 | __kuid_val(current_euid());
	raw->way[0] = caller;
	raw->way[1] = (unsigned long)regs - (unsigned long)__builtin_frame_address(0);
	raw->regs[0] = instruction_pointer(regs);
	raw->regs[1] = user_stack_pointer(regs);
	raw->regs[2] = frame_pointer(regs);
}

/* Of the addresses themselves, wherever on the stack they are */
static u64 site_raw_key(const struct site_raw *raw, const siphash_key_t *secret)
{
	return siphash(raw->walk.addrs, raw->walk.nr * sizeof(raw->walk.addrs[0]), secret) ^
	       siphash(raw, offsetof(struct site_raw, regs), secret);
}

/* Is a stack with these addresses known? 0 may also mean that there was no place for it. */
static bool site_recent(struct pddgpu_sites *sites, struct pddgpu_site_recent *recent, u64 key,
			u16 *site)
{
	bool known;

	spin_lock(&sites->lock);
	known = recent->key == key;
	*site = known ? recent->site : 0;
	spin_unlock(&sites->lock);
	return known;
}

static u16 site_keep(struct pddgpu_sites *sites, struct pddgpu_site_tables *tables,
		     struct pddgpu_site *site, u64 key)
{
	struct pddgpu_site_recent *recent = &tables->recent[key % SITE_RECENT];
	u16 found;

	spin_lock(&sites->lock);
	found = site_store(sites, tables, &site);
	recent->key = key;
	recent->site = found;
	spin_unlock(&sites->lock);
	kfree(site);
	return found;
}

/**
 * pddgpu_site_stack() - keep the current call stack
 * @sites: the sites
 * @caller: a return address that names the way it came in the driver
 *
 * Context: may sleep for memory; a reservation may be held.
 * Return: its number, or 0 when there is no stack or no place for it.
 */
noinline u16 pddgpu_site_stack(struct pddgpu_sites *sites, unsigned long caller)
{
	struct pddgpu_site_tables *tables = site_tables(sites);
	u16 found = 0;
#ifdef CONFIG_STACKTRACE
	struct pddgpu_site *site;
	struct site_raw raw;
	u64 key, fast;

	if (!tables)
		return 0;
	site_raw_who(&raw, caller);
	fast = siphash(&raw, offsetof(struct site_raw, walk), &sites->secret);
	found = pddgpu_site_fast_find(tables->fast, fast);
	if (found)
		return found;

	pddgpu_site_user_walk(&raw.walk);
	key = site_raw_key(&raw, &sites->secret);
	if (!site_recent(sites, &tables->recent[key % SITE_RECENT], key, &found)) {
		/* Without this function and the tracker's, which every stack begins with */
		raw.kernel_nr = stack_trace_save(raw.kernel, PDDGPU_SITE_KERNEL_FRAMES, 2);
		site = site_resolve(sites, tables, &raw);
		if (!site)
			return 0;
		found = site_keep(sites, tables, site, key);
	}
	if (found)
		pddgpu_site_fast_keep(tables->fast, fast, &raw.walk, found);
#endif
	return found;
}

/* How many stacks there are, which are there before they are counted */
static u32 site_stacks(struct pddgpu_sites *sites)
{
	/* As it says */
	return smp_load_acquire(&sites->stacks);
}

static u32 site_callers(struct pddgpu_sites *sites)
{
	/* The same */
	return smp_load_acquire(&sites->callers);
}

static const struct pddgpu_site *site_get(struct pddgpu_sites *sites, u32 site)
{
	if (site <= PDDGPU_SITE_CALLERS || site - PDDGPU_SITE_CALLERS > site_stacks(sites))
		return NULL;
	return sites->tables->site[site - PDDGPU_SITE_CALLERS - 1];
}

/**
 * pddgpu_sites_last() - the greatest number of a site
 * @sites: the sites
 *
 * Return: there is none above it, but may be gaps below.
 */
u32 pddgpu_sites_last(struct pddgpu_sites *sites)
{
	u32 stacks = site_stacks(sites);

	return stacks ? PDDGPU_SITE_CALLERS + stacks : site_callers(sites);
}

/**
 * pddgpu_site_may_see() - may a user be told of a site?
 * @sites: the sites
 * @site: its number
 * @uid: the user
 *
 * The driver's own functions are no secret.
 *
 * Return: whether a process of his has allocated something there.
 */
bool pddgpu_site_may_see(struct pddgpu_sites *sites, u32 site, kuid_t uid)
{
	const struct pddgpu_site *stack = site_get(sites, site);

	return !stack || !uid_valid(stack->uid) || uid_eq(stack->uid, uid);
}

/**
 * pddgpu_site_nr() - how many frames a site has
 * @sites: the sites
 * @site: its number
 *
 * Return: that; 0 when there is no such site.
 */
u32 pddgpu_site_nr(struct pddgpu_sites *sites, u32 site)
{
	const struct pddgpu_site *stack = site_get(sites, site);

	if (stack)
		return stack->nr;
	return site && site <= site_callers(sites);
}

/**
 * pddgpu_site_at() - a frame of a site
 * @sites: the sites
 * @site: the site's number
 * @frame: which of its frames, below pddgpu_site_nr()
 *
 * Return: what there is to tell of it.
 */
struct pddgpu_site_at pddgpu_site_at(struct pddgpu_sites *sites, u32 site, u32 frame)
{
	const struct pddgpu_site *stack = site_get(sites, site);
	const struct pddgpu_site_frame *at;

	if (!stack)
		return (struct pddgpu_site_at) { .at = sites->caller[site - 1], .kernel = true };
	at = &stack->frames[frame];
	return (struct pddgpu_site_at) {
		.at = at->at,
		.kernel = at->file == SITE_FILE_KERNEL,
		.file = at->file < SITE_FILES ? sites->tables->file[at->file]->name : NULL,
	};
}
