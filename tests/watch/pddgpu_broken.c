// SPDX-License-Identifier: MIT
/*
 * A module that does what a driver must not do, so that it can be seen that the
 * debug kernel notices and the harness hears of it. Loading it with "what=NAME"
 * does one of them. To be loaded in a VM only.
 */
#include <linux/delay.h>
#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

static char *what = "";
module_param(what, charp, 0444);
MODULE_PARM_DESC(what, "what to do wrong");

/* What the compiler cannot see through */
static noinline void *forty_bytes(void)
{
	return kmalloc(40, GFP_KERNEL);
}

static int use_after_free(void)
{
	u8 *bytes = forty_bytes();

	if (!bytes)
		return -ENOMEM;
	kfree(bytes);
	return READ_ONCE(bytes[3]) & 0;
}

static int shift_too_far(void)
{
	unsigned int by = 40;

	OPTIMIZER_HIDE_VAR(by);
	return (1 << by) & 0;
}

static int leak(void)
{
	int i;

	for (i = 0; i < 10; i++)
		if (!forty_bytes())
			return -ENOMEM;
	return 0;
}

static int unmap_another_size(void)
{
	struct platform_device *card;
	void *bytes = kmalloc(PAGE_SIZE, GFP_KERNEL);
	dma_addr_t addr;
	int ret = -ENOMEM;

	card = platform_device_register_simple("pddgpu-misuse", PLATFORM_DEVID_NONE, NULL, 0);
	if (!IS_ERR(card) && bytes) {
		ret = dma_coerce_mask_and_coherent(&card->dev, DMA_BIT_MASK(64));
		addr = dma_map_single(&card->dev, bytes, 512, DMA_TO_DEVICE);
		if (!ret && !dma_mapping_error(&card->dev, addr))
			dma_unmap_single(&card->dev, addr, 256, DMA_TO_DEVICE);
	}
	if (!IS_ERR(card))
		platform_device_unregister(card);
	kfree(bytes);
	return ret;
}

static void no_end(struct timer_list *timer)
{
}

static int free_armed_timer(void)
{
	struct timer_list *timer = kmalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return -ENOMEM;
	timer_setup(timer, no_end, 0);
	mod_timer(timer, jiffies + 100 * HZ);
	kfree(timer);
	return 0;
}

static int sleep_under_spinlock(void)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	might_sleep();
	spin_unlock(&lock);
	return 0;
}

static int add_to_list_twice(void)
{
	static LIST_HEAD(list);
	static LIST_HEAD(item);

	list_add(&item, &list);
	list_add(&item, &list);
	return 0;
}

static int dereference_unprotected(void)
{
	static int __rcu *number;

	return rcu_dereference(number) ? 0 : 0;
}

static int hang(void)
{
	schedule_timeout_uninterruptible(12 * HZ);
	return 0;
}

/* Only a driver that has told lockdep that reclaim may wait for fences has it so */
static int allocate_before_signal(void)
{
	bool cookie = dma_fence_begin_signalling();

	kfree(forty_bytes());
	dma_fence_end_signalling(cookie);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(void);
} deeds[] = {
	{ "kasan", use_after_free },
	{ "ubsan", shift_too_far },
	{ "leak", leak },
	{ "dma", unmap_another_size },
	{ "object", free_armed_timer },
	{ "atomic", sleep_under_spinlock },
	{ "list", add_to_list_twice },
	{ "rcu", dereference_unprotected },
	{ "hang", hang },
	{ "signalling", allocate_before_signal },
};

static int __init broken_init(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(deeds); i++)
		if (!strcmp(what, deeds[i].name))
			return deeds[i].run();
	return -EINVAL;
}
module_init(broken_init);

static void __exit broken_exit(void)
{
}
module_exit(broken_exit);

MODULE_DESCRIPTION("What a driver must not do");
MODULE_LICENSE("Dual MIT/GPL");
