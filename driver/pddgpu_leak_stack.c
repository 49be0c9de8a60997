// SPDX-License-Identifier: GPL-2.0
/*
 * Where buffers are allocated: the few places, or call stacks, that lead to an
 * allocation, each kept once, in a table of fixed size that goes with the device.
 *
 * The kernel's stack depot is not used: the first user makes it allocate up to
 * 16 MiB for good, and what it stores outlives the module.
 *
 * One frame, which names the ioctl or the import, costs next to nothing and is
 * always kept. To unwind a whole stack takes as long as nearly half of all else
 * that is done to make and free a small buffer, so it is done where the module
 * parameter leak_stacks asks for it, at run time too.
 */
#include <linux/ctype.h>
#include <linux/hash.h>
#include <linux/jhash.h>
#include <linux/jump_label.h>
#include <linux/kallsyms.h>
#include <linux/moduleparam.h>
#include <linux/seq_file.h>
#include <linux/stacktrace.h>
#include <linux/string.h>

#include "pddgpu_leak_internal.h"

/* Slots looked at before a stack goes without a place */
#define PDDGPU_LEAK_PROBES	16

DEFINE_STATIC_KEY_FALSE(pddgpu_leak_stacks_key);
static bool leak_stacks;

static int leak_stacks_set(const char *val, const struct kernel_param *kp)
{
	int ret = param_set_bool(val, kp);

	if (ret)
		return ret;
	if (leak_stacks)
		static_branch_enable(&pddgpu_leak_stacks_key);
	else
		static_branch_disable(&pddgpu_leak_stacks_key);
	return 0;
}

static const struct kernel_param_ops leak_stacks_ops = {
	.set = leak_stacks_set,
	.get = param_get_bool,
};
module_param_cb(leak_stacks, &leak_stacks_ops, &leak_stacks, 0644);
MODULE_PARM_DESC(leak_stacks, "Keep the call stack of every buffer's allocation, not only the last frame (default: false)");

/* The slot of a stack plus one, or 0 when there is no place for it */
static u8 stack_store(struct pddgpu_leak_tracker *tracker, const struct pddgpu_leak_stack *stack)
{
	unsigned int i;

	lockdep_assert_held(&tracker->lock);

	for (i = 0; i < PDDGPU_LEAK_PROBES; i++) {
		unsigned int index = (stack->hash + i) % PDDGPU_LEAK_STACKS;
		struct pddgpu_leak_stack *slot = &tracker->stacks[index];

		if (!slot->nr) {
			*slot = *stack;
			return index + 1;
		}
		if (slot->hash == stack->hash && slot->nr == stack->nr &&
		    !memcmp(slot->frames, stack->frames, slot->nr * sizeof(*slot->frames)))
			return index + 1;
	}
	return 0;
}

/**
 * pddgpu_leak_stack_unwind() - keep the current call stack
 * @tracker: the tracker
 *
 * Context: takes the tracker's lock.
 * Return: its slot plus one, or 0 when there is no stack or no place for it.
 */
noinline u8 pddgpu_leak_stack_unwind(struct pddgpu_leak_tracker *tracker)
{
	u8 found = 0;
#ifdef CONFIG_STACKTRACE
	struct pddgpu_leak_stack stack;

	/* Without this function and the tracker's, which every stack begins with */
	stack.nr = stack_trace_save(stack.frames, PDDGPU_LEAK_FRAMES, 2);
	if (!stack.nr)
		return 0;
	stack.hash = jhash(stack.frames, stack.nr * sizeof(*stack.frames), 0);
	spin_lock(&tracker->lock);
	found = stack_store(tracker, &stack);
	spin_unlock(&tracker->lock);
#endif
	return found;
}

/**
 * pddgpu_leak_stack_find() - keep a single frame
 * @tracker: the tracker
 * @caller: a return address
 *
 * Context: the tracker's lock is held.
 * Return: its slot plus one, or 0 when there is no place for it.
 */
u8 pddgpu_leak_stack_find(struct pddgpu_leak_tracker *tracker, unsigned long caller)
{
	const struct pddgpu_leak_stack stack = {
		.frames = { caller },
		.hash = hash_long(caller, 32),
		.nr = 1,
	};

	tracker->last_caller = caller;
	tracker->last_stack = stack_store(tracker, &stack);
	return tracker->last_stack;
}

/**
 * pddgpu_leak_read_stack() - where an object was allocated
 * @tracker: the tracker
 * @stack: from the object's record
 * @frames: out: return addresses, innermost first; PDDGPU_LEAK_FRAMES of them
 *
 * Return: how many there are; 0 when it is not known.
 */
unsigned int pddgpu_leak_read_stack(struct pddgpu_leak_tracker *tracker, u8 stack,
				    unsigned long *frames)
{
	const struct pddgpu_leak_stack *slot;

	if (!stack || stack > PDDGPU_LEAK_STACKS)
		return 0;
	slot = &tracker->stacks[stack - 1];
	memcpy(frames, slot->frames, slot->nr * sizeof(*frames));
	return slot->nr;
}

/**
 * pddgpu_leak_frame_name() - what a frame of a call stack is called
 * @frame: a return address
 * @name: out: a symbol and an offset into it, or "?" where there is no symbol, since
 *	an address is nothing to show; KSYM_SYMBOL_LEN bytes
 */
void pddgpu_leak_frame_name(unsigned long frame, char *name)
{
	name[0] = '\0';
	/* The call, not the instruction behind it, maybe another function's */
	sprint_symbol(name, frame - 1);
	/* What kallsyms does not know it prints as a number; no symbol begins so */
	if (!name[0] || isdigit(name[0]))
		strscpy(name, "?", KSYM_SYMBOL_LEN);
}
