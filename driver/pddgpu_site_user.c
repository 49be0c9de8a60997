// SPDX-License-Identifier: GPL-2.0
/*
 * The current process's own call stack.
 *
 * Code that keeps frame pointers has a chain of pairs on its stack: where the
 * caller's pair is, and the address to return to. Whoever asks may have none, or
 * something else in that register, or a chain of its own making: each pair has to
 * be farther up than the one before, is read where reading it takes no fault, and
 * addresses at which there is no code end the walk.
 *
 * An address means nothing once the process has ended, or to another that runs the
 * same program. So it is told as a file and an offset.
 */
#include <linux/compat.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "pddgpu_site.h"

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

/**
 * pddgpu_site_user_walk() - the current process's call stack
 * @addrs: out: addresses behind calls, innermost first; anything may stand there
 * @max: how many have room
 *
 * Return: how many there are; 0 also for who is no process in a system call.
 */
u32 pddgpu_site_user_walk(unsigned long *addrs, u32 max)
{
	u32 nr = 0;
#if SITE_USER_WALKS
	const unsigned long align = in_compat_syscall() ? sizeof(u32) : sizeof(long);
	struct pt_regs *regs = current_pt_regs();
	unsigned long at, next, address;

	if (current->flags & (PF_KTHREAD | PF_USER_WORKER) || !current->mm || !user_mode(regs))
		return 0;
	addrs[nr++] = instruction_pointer(regs);
	at = frame_pointer(regs);
	while (nr < max && at && IS_ALIGNED(at, align) && site_user_pair(at, &next, &address)) {
		if (!address)
			break;
		addrs[nr++] = address;
		if (next <= at)
			break;
		at = next;
	}
#endif
	return nr;
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
