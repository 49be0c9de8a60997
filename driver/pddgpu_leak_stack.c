// SPDX-License-Identifier: GPL-2.0
/*
 * Where buffers are allocated: the few call stacks that lead to an allocation,
 * each kept once, in a table of fixed size that goes with the device.
 *
 * The kernel's stack depot is not used: the first user makes it allocate up to
 * 16 MiB for good, and what it stores outlives the module.
 *
 * A capture costs about as much as unwinding eight frames does, one to two
 * microseconds. The module parameter leak_stacks switches it off, at run time
 * too; a static key then leaves nothing of it on the allocation path.
 */
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

static DEFINE_STATIC_KEY_TRUE(leak_stacks_key);
static bool leak_stacks = true;

static int leak_stacks_set(const char *val, const struct kernel_param *kp)
{
	int ret = param_set_bool(val, kp);

	if (ret)
		return ret;
	if (leak_stacks)
		static_branch_enable(&leak_stacks_key);
	else
		static_branch_disable(&leak_stacks_key);
	return 0;
}

static const struct kernel_param_ops leak_stacks_ops = {
	.set = leak_stacks_set,
	.get = param_get_bool,
};
module_param_cb(leak_stacks, &leak_stacks_ops, &leak_stacks, 0644);
MODULE_PARM_DESC(leak_stacks, "Keep the call stack of every buffer's allocation (default: true)");

/**
 * pddgpu_leak_stack_capture() - note the caller's call stack
 * @stack: gets it; @stack->nr is 0 when captures are off
 */
void pddgpu_leak_stack_capture(struct pddgpu_leak_stack *stack)
{
	stack->nr = 0;
#ifdef CONFIG_STACKTRACE
	if (!static_branch_likely(&leak_stacks_key))
		return;

	/* Without this function and the tracker's, which every stack begins with */
	stack->nr = stack_trace_save(stack->frames, PDDGPU_LEAK_FRAMES, 2);
	stack->hash = jhash(stack->frames, stack->nr * sizeof(*stack->frames), 0);
#endif
}

/**
 * pddgpu_leak_stack_store() - find a place for a call stack
 * @tracker: the tracker
 * @stack: the call stack
 *
 * Context: the tracker's lock is held.
 * Return: its slot plus one, or 0 when there is no stack or no place for it.
 */
u16 pddgpu_leak_stack_store(struct pddgpu_leak_tracker *tracker,
			    const struct pddgpu_leak_stack *stack)
{
	unsigned int i;

	lockdep_assert_held(&tracker->lock);

	if (!stack->nr)
		return 0;

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
