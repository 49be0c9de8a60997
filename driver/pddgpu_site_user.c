// SPDX-License-Identifier: GPL-2.0
/*
 * The current process's own call stack.
 *
 * Code that keeps frame pointers has a chain of pairs on its stack: where the
 * caller's pair is, and the address to return to. Whoever asks may have none, or
 * something else in that register, or a chain of its own making: each pair has to
 * be farther up than the one before, is read where reading it takes no fault, and
 * addresses at which there is no code end the walk. Between the pairs, callers that
 * have none are found by their calls, see pddgpu_site_call.c.
 *
 * An address means nothing once the process has ended, or to another that runs the
 * same program. So it is told as a file and an offset.
 */
#include <linux/compat.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/moduleparam.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "pddgpu_site.h"

DEFINE_STATIC_KEY_FALSE(pddgpu_site_stacks_key);
static bool leak_stacks;

static int leak_stacks_set(const char *val, const struct kernel_param *kp)
{
	int ret = param_set_bool(val, kp);

	if (ret)
		return ret;
	if (leak_stacks)
		static_branch_enable(&pddgpu_site_stacks_key);
	else
		static_branch_disable(&pddgpu_site_stacks_key);
	return 0;
}

static const struct kernel_param_ops leak_stacks_ops = {
	.set = leak_stacks_set,
	.get = param_get_bool,
};
module_param_cb(leak_stacks, &leak_stacks_ops, &leak_stacks, 0644);
MODULE_PARM_DESC(leak_stacks, "Keep the call stack of every buffer's allocation, not only the last frame (default: false)");

/* Where a pair is two words, and the register is known */
#define SITE_USER_WALKS	(IS_ENABLED(CONFIG_X86_64) || IS_ENABLED(CONFIG_ARM64))

/* The pair at an address; false when it cannot be read, now or at all */
static bool site_user_pair(unsigned long at, unsigned long *next, unsigned long *address)
{
	if (in_compat_syscall()) {
		u32 pair[2];

		if (copy_from_user_nofault(pair, (void __user *)at, sizeof(pair)))
			return false;
		*next = pair[0];
		*address = pair[1];
	} else {
		unsigned long pair[2];

		if (copy_from_user_nofault(pair, (void __user *)at, sizeof(pair)))
			return false;
		*next = pair[0];
		*address = pair[1];
	}
	return true;
}

/* Words above one that was found in which the next one is looked for */
#define SITE_USER_WORDS	64

#if SITE_USER_WALKS
static void site_user_found(struct pddgpu_site_walk *walk, unsigned long address,
			    unsigned long slot)
{
	walk->addrs[walk->nr] = address;
	walk->slots[walk->nr++] = slot;
}

/* Those who kept no frame pointer, from one address to another, and their callers */
static void site_user_scan(struct pddgpu_site_walk *walk, unsigned long at, unsigned long end)
{
	unsigned long words[16], stop = at + SITE_USER_WORDS * sizeof(long);
	unsigned int i = ARRAY_SIZE(words);

	if (!IS_ENABLED(CONFIG_X86_64) || in_compat_syscall())
		return;
	for (; walk->nr < PDDGPU_SITE_USER_FRAMES && at < min(stop, end); at += sizeof(long)) {
		if (i == ARRAY_SIZE(words)) {
			if (copy_from_user_nofault(words, (void __user *)at, sizeof(words)))
				return;
			i = 0;
		}
		if (!pddgpu_site_call_possible(words[i++], at) ||
		    !pddgpu_site_call_leads(words[i - 1], walk->addrs[walk->nr - 1], walk->nr == 1))
			continue;
		site_user_found(walk, words[i - 1], at);
		stop = at + SITE_USER_WORDS * sizeof(long);
	}
}

/* What the register holds may be no frame pointer: then it is told by what it leads to */
static bool site_user_frame(unsigned long at, unsigned long *next, unsigned long *address)
{
	const unsigned long align = in_compat_syscall() ? sizeof(u32) : sizeof(long);

	return at && IS_ALIGNED(at, align) && site_user_pair(at, next, address) && *address &&
	       (!IS_ENABLED(CONFIG_X86_64) || pddgpu_site_call_before(*address));
}
#endif

/**
 * pddgpu_site_user_walk() - the current process's call stack
 * @walk: out: addresses behind calls; anything may stand there. None also for who is no
 *	process in a system call
 */
void pddgpu_site_user_walk(struct pddgpu_site_walk *walk)
{
#if SITE_USER_WALKS
	const unsigned long word = in_compat_syscall() ? sizeof(u32) : sizeof(long);
	struct pt_regs *regs = current_pt_regs();
	unsigned long at, frame, next, address;

	walk->nr = 0;
	if (current->flags & (PF_KTHREAD | PF_USER_WORKER) || !current->mm || !user_mode(regs))
		return;
	site_user_found(walk, instruction_pointer(regs), 0);
	at = round_up(user_stack_pointer(regs), sizeof(long));
	frame = frame_pointer(regs);
	while (walk->nr < PDDGPU_SITE_USER_FRAMES && frame >= at &&
	       site_user_frame(frame, &next, &address)) {
		site_user_scan(walk, at, frame);
		if (walk->nr == PDDGPU_SITE_USER_FRAMES)
			break;
		site_user_found(walk, address, frame + word);
		at = frame + 2 * word;
		frame = next;
	}
	site_user_scan(walk, at, ULONG_MAX);
#else
	walk->nr = 0;
#endif
}

/**
 * struct site_code - what an address lies in
 */
struct site_code {
	/** @file: the file, with a reference; NULL: none */
	struct file *file;
	/** @offset: in it */
	u64 offset;
};

/* Look the addresses up; returns how many there are until the first without code */
static u32 site_user_look(const unsigned long *addrs, u32 nr, struct site_code *code)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	unsigned long at;
	u32 i;

	for (i = 0; i < nr; i++) {
		/* The call, not what stands behind it, maybe another function */
		at = addrs[i] - 1;
		vma = vma_lookup(mm, at);
		if (!vma || !(vma->vm_flags & VM_EXEC))
			break;
		code[i].file = vma->vm_file;
		if (!code[i].file)
			continue;
		get_file(code[i].file);
		code[i].offset = at - vma->vm_start + ((u64)vma->vm_pgoff << PAGE_SHIFT);
	}
	return i;
}

/* The end of a file's path, as the process sees it */
static void site_user_name(struct file *file, char *name, char *room)
{
	char *path = file_path(file, room, PATH_MAX);
	size_t len;

	if (IS_ERR(path)) {
		strscpy(name, "?", PDDGPU_SITE_NAME);
		return;
	}
	len = strlen(path);
	if (len >= PDDGPU_SITE_NAME)
		path += len - (PDDGPU_SITE_NAME - 1);
	strscpy(name, path, PDDGPU_SITE_NAME);
}

/**
 * pddgpu_site_user_resolve() - say what addresses of the current process's mean
 * @addrs: the addresses, from pddgpu_site_user_walk()
 * @nr: how many; out: how many of them make sense
 *
 * Waits for nobody: a reservation may be held, in which the lock of the process's
 * mappings must not be taken.
 *
 * Context: may sleep for memory.
 * Return: an array for kfree(); NULL when it could not be found out.
 */
struct pddgpu_site_place *pddgpu_site_user_resolve(const unsigned long *addrs, u32 *nr)
{
	struct site_code code[PDDGPU_SITE_USER_FRAMES] = {};
	struct pddgpu_site_place *places;
	char *room;
	u32 i;

	places = kcalloc(*nr, sizeof(*places), GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY);
	room = kmalloc(PATH_MAX, GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY);
	if (!places || !room || !mmap_read_trylock(current->mm)) {
		kfree(places);
		kfree(room);
		return NULL;
	}
	*nr = site_user_look(addrs, *nr, code);
	mmap_read_unlock(current->mm);

	for (i = 0; i < *nr; i++) {
		if (!code[i].file)
			continue;
		if (i && code[i].file == code[i - 1].file)
			memcpy(places[i].name, places[i - 1].name, sizeof(places[i].name));
		else
			site_user_name(code[i].file, places[i].name, room);
		places[i].offset = code[i].offset;
	}
	for (i = 0; i < *nr; i++)
		if (code[i].file)
			fput(code[i].file);
	kfree(room);
	return places;
}
