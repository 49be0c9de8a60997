// SPDX-License-Identifier: GPL-2.0
/*
 * Files in debugfs about who has the memory: owners, and what lies where.
 */
#include <linux/debugfs.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/string.h>

#include <drm/pddgpu_drm.h>

#include "pddgpu_debugfs_owners.h"
#include "pddgpu_debugfs_text.h"
#include "pddgpu_device.h"
#include "pddgpu_leak.h"
#include "pddgpu_map.h"

/**
 * struct owners_reader - an open owners file
 */
struct owners_reader {
	/** @iter: the place among the owners */
	struct pddgpu_leak_owner_iter *iter;
	/** @owner: the one to show next; NULL at the end */
	const struct pddgpu_leak_owner_held *owner;
};

static const char *const owners_columns[] = {
	"client", "pid", "comm", "vram_live", "vram_orphan", "vram_zombie", "gtt_live",
	"gtt_orphan", "gtt_zombie", "cpu_live", "cpu_orphan", "cpu_zombie", "live", "orphan",
	"zombie",
};

static void *owners_start(struct seq_file *m, loff_t *pos)
{
	struct owners_reader *reader = m->private;

	/* seq_file goes on where it was, or begins anew and walks there */
	if (*pos)
		return (void *)reader->owner;

	pddgpu_leak_owner_iter_rewind(reader->iter);
	return SEQ_START_TOKEN;
}

static void *owners_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct owners_reader *reader = m->private;

	(*pos)++;
	reader->owner = pddgpu_leak_owner_iter_next(reader->iter);
	return (void *)reader->owner;
}

static void owners_stop(struct seq_file *m, void *v)
{
}

static int owners_show(struct seq_file *m, void *v)
{
	static const enum pddgpu_leak_region order[] = {
		PDDGPU_LEAK_VRAM, PDDGPU_LEAK_GTT, PDDGPU_LEAK_CPU,
	};
	const struct pddgpu_leak_owner_held *owner = v;
	u64 objects[PDDGPU_LEAK_STATES] = {};
	unsigned int i, state;

	if (v == SEQ_START_TOKEN) {
		pddgpu_debugfs_words(m, owners_columns, ARRAY_SIZE(owners_columns));
		return 0;
	}

	seq_printf(m, "%llu %d ", owner->client_id, owner->pid);
	pddgpu_debugfs_name(m, owner->comm);
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		const struct pddgpu_leak_count *in = owner->held.in[order[i]];

		for (state = 0; state < PDDGPU_LEAK_STATES; state++) {
			seq_put_decimal_ull(m, " ", in[state].bytes);
			objects[state] += in[state].objects;
		}
	}
	for (state = 0; state < PDDGPU_LEAK_STATES; state++)
		seq_put_decimal_ull(m, " ", objects[state]);
	seq_putc(m, '\n');
	return 0;
}

static const struct seq_operations owners_ops = {
	.start = owners_start,
	.next = owners_next,
	.stop = owners_stop,
	.show = owners_show,
};

static int owners_open(struct inode *inode, struct file *file)
{
	struct pddgpu_device *pdev = inode->i_private;
	struct owners_reader *reader;

	/* Root is not stopped by a file's mode */
	if (file->f_mode & FMODE_WRITE)
		return -EACCES;
	reader = __seq_open_private(file, &owners_ops, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	reader->iter = pddgpu_leak_owner_iter_create(pdev->leaks);
	if (!reader->iter) {
		seq_release_private(inode, file);
		return -ENOMEM;
	}
	return 0;
}

static int owners_release(struct inode *inode, struct file *file)
{
	struct owners_reader *reader = ((struct seq_file *)file->private_data)->private;

	pddgpu_leak_owner_iter_destroy(reader->iter);
	return seq_release_private(inode, file);
}

static const struct file_operations owners_fops = {
	.owner = THIS_MODULE,
	.open = owners_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = owners_release,
};

/* A state, two numbers, and a name in which each byte may be four */
#define BLOCKS_TAIL_MAX	(16 + 2 * 21 + 4 * TASK_COMM_LEN)

/**
 * struct blocks_reader - an open vram_blocks or gtt_blocks
 */
struct blocks_reader {
	/** @map: the place in the segment */
	struct pddgpu_map *map;
	/** @block: the one to show next; NULL at the end */
	const struct pddgpu_map_block *block;
	/** @holder: whose block was shown last that was somebody's */
	struct pddgpu_leak_holder holder;
	/** @tail: what was printed of that one */
	char tail[BLOCKS_TAIL_MAX];
	/** @tail_len: bytes of it; 0: there was none */
	unsigned int tail_len;
};

static const char *const blocks_columns[] = {
	"offset", "size", "state", "client", "pid", "comm",
};

static void *blocks_start(struct seq_file *m, loff_t *pos)
{
	struct blocks_reader *reader = m->private;

	if (*pos)
		return (void *)reader->block;

	pddgpu_map_seek(reader->map, 0);
	return SEQ_START_TOKEN;
}

static void *blocks_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct blocks_reader *reader = m->private;

	(*pos)++;
	reader->block = pddgpu_map_next(reader->map);
	return (void *)reader->block;
}

static void blocks_stop(struct seq_file *m, void *v)
{
}

/* Neighbours are often of one owner: his numbers and name are printed once */
static void blocks_tail(struct blocks_reader *reader, const struct pddgpu_map_block *block)
{
	if (reader->tail_len && block->holder.state == reader->holder.state &&
	    block->holder.client_id == reader->holder.client_id &&
	    block->holder.pid == reader->holder.pid &&
	    !memcmp(block->holder.comm, reader->holder.comm, TASK_COMM_LEN))
		return;
	reader->holder = block->holder;
	reader->tail_len = scnprintf(reader->tail, sizeof(reader->tail), " %s %llu %d ",
				     pddgpu_debugfs_states[block->state],
				     block->holder.client_id, block->holder.pid);
	reader->tail_len += pddgpu_debugfs_escape(block->holder.comm,
						  reader->tail + reader->tail_len,
						  sizeof(reader->tail) - reader->tail_len);
}

/* There may be a hundred thousand of them: no format is interpreted */
static int blocks_show(struct seq_file *m, void *v)
{
	struct blocks_reader *reader = m->private;
	const struct pddgpu_map_block *block = v;

	if (v == SEQ_START_TOKEN) {
		pddgpu_debugfs_words(m, blocks_columns, ARRAY_SIZE(blocks_columns));
		return 0;
	}

	seq_put_decimal_ull(m, "", block->offset);
	seq_put_decimal_ull(m, " ", block->size);
	if (block->state < PDDGPU_MAP_KERNEL) {
		blocks_tail(reader, block);
		seq_write(m, reader->tail, reader->tail_len);
		seq_putc(m, '\n');
	} else {
		seq_putc(m, ' ');
		seq_puts(m, pddgpu_debugfs_states[block->state]);
		seq_puts(m, " 0 0 -\n");
	}
	return 0;
}

static const struct seq_operations blocks_ops = {
	.start = blocks_start,
	.next = blocks_next,
	.stop = blocks_stop,
	.show = blocks_show,
};

static int blocks_open(struct inode *inode, struct file *file, u32 domain)
{
	struct blocks_reader *reader;

	if (file->f_mode & FMODE_WRITE)
		return -EACCES;
	reader = __seq_open_private(file, &blocks_ops, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	reader->map = pddgpu_map_create(inode->i_private, domain);
	if (!reader->map) {
		seq_release_private(inode, file);
		return -ENOMEM;
	}
	return 0;
}

static int vram_blocks_open(struct inode *inode, struct file *file)
{
	return blocks_open(inode, file, PDDGPU_GEM_DOMAIN_VRAM);
}

static int gtt_blocks_open(struct inode *inode, struct file *file)
{
	return blocks_open(inode, file, PDDGPU_GEM_DOMAIN_GTT);
}

static int blocks_release(struct inode *inode, struct file *file)
{
	struct blocks_reader *reader = ((struct seq_file *)file->private_data)->private;

	pddgpu_map_destroy(reader->map);
	return seq_release_private(inode, file);
}

static const struct file_operations vram_blocks_fops = {
	.owner = THIS_MODULE,
	.open = vram_blocks_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = blocks_release,
};

static const struct file_operations gtt_blocks_fops = {
	.owner = THIS_MODULE,
	.open = gtt_blocks_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = blocks_release,
};

/**
 * pddgpu_debugfs_owners_init() - make a card's files about who has the memory
 * @pdev: the device, with everything but its registration
 * @root: its folder, which the DRM core removes with all that is in it
 */
void pddgpu_debugfs_owners_init(struct pddgpu_device *pdev, struct dentry *root)
{
	debugfs_create_file("owners", 0400, root, pdev, &owners_fops);
	debugfs_create_file("vram_blocks", 0400, root, pdev, &vram_blocks_fops);
	debugfs_create_file("gtt_blocks", 0400, root, pdev, &gtt_blocks_fops);
}
