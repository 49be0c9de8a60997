// SPDX-License-Identifier: GPL-2.0
/*
 * Files in debugfs about what is where: the lists, page-out, the limits of what
 * is unpageable.
 */
#include <linux/ctype.h>
#include <linux/debugfs.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "pddgpu_debugfs_residency.h"
#include "pddgpu_debugfs_text.h"
#include "pddgpu_device.h"
#include "pddgpu_gtt_mgr.h"
#include "pddgpu_residency.h"
#include "pddgpu_unpageable.h"
#include "pddgpu_vram_mgr.h"

/* The longest line that is taken: a name, two numbers and room to spare */
#define RESIDENCY_LINE_MAX	96

static const struct {
	const char *name;
	u32 domain;
} residency_segments[] = {
	{ "vram", PDDGPU_GEM_DOMAIN_VRAM },
	{ "gtt", PDDGPU_GEM_DOMAIN_GTT },
	{ "cpu", PDDGPU_GEM_DOMAIN_CPU },
};

#define RESIDENCY_SEGMENTS	ARRAY_SIZE(residency_segments)

static const char *const why_names[] = {
	[PDDGPU_RESIDENCY_PAGEABLE] = "pageable",
	[PDDGPU_RESIDENCY_USER] = "user",
	[PDDGPU_RESIDENCY_ATTACHED] = "attached",
	[PDDGPU_RESIDENCY_IMPORTED] = "imported",
	[PDDGPU_RESIDENCY_KERNEL] = "kernel",
};

/**
 * struct residency_group - a segment's pageable buffers, or its unpageable ones
 */
struct residency_group {
	/** @first: the first in &residency_reader.order */
	size_t first;
	/** @count: how many */
	size_t count;
	/** @bytes: their sum */
	u64 bytes;
};

#define RESIDENCY_GROUPS	(2 * RESIDENCY_SEGMENTS)

/**
 * struct residency_reader - an open residency file
 *
 * What it shows was copied when it was opened.
 */
struct residency_reader {
	/** @list: the buffers */
	struct pddgpu_residency_list list;
	/** @order: their numbers, group by group; kvmalloc() */
	u32 *order;
	/** @group: of each segment the pageable ones, then the others */
	struct residency_group group[RESIDENCY_GROUPS];
};

static unsigned int residency_group_of(const struct pddgpu_residency_record *record)
{
	unsigned int segment;

	for (segment = 0; segment < RESIDENCY_SEGMENTS - 1; segment++) {
		if (residency_segments[segment].domain == record->domain)
			break;
	}
	return 2 * segment + (record->why != PDDGPU_RESIDENCY_PAGEABLE);
}

/* Group them, and keep the order within each. */
static int residency_sort(struct residency_reader *reader)
{
	size_t at[RESIDENCY_GROUPS], next = 0, i;

	reader->order = kvmalloc_array(reader->list.count, sizeof(*reader->order), GFP_KERNEL);
	if (!reader->order)
		return -ENOMEM;
	for (i = 0; i < reader->list.count; i++) {
		const struct pddgpu_residency_record *record = &reader->list.records[i];
		struct residency_group *group = &reader->group[residency_group_of(record)];

		group->count++;
		group->bytes += record->size;
	}
	for (i = 0; i < RESIDENCY_GROUPS; i++) {
		reader->group[i].first = next;
		at[i] = next;
		next += reader->group[i].count;
	}
	for (i = 0; i < reader->list.count; i++)
		reader->order[at[residency_group_of(&reader->list.records[i])]++] = i;
	return 0;
}

static void residency_free(struct residency_reader *reader)
{
	pddgpu_residency_free(&reader->list);
	kvfree(reader->order);
}

static void *residency_start(struct seq_file *m, loff_t *pos)
{
	struct residency_reader *reader = m->private;

	if (!*pos)
		return SEQ_START_TOKEN;
	return *pos <= reader->list.count ? &reader->order[*pos - 1] : NULL;
}

static void *residency_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return residency_start(m, pos);
}

static void residency_stop(struct seq_file *m, void *v)
{
}

static void residency_show_sums(struct seq_file *m, const struct residency_reader *reader)
{
	static const char *const kinds[] = { "pageable", "unpageable" };
	unsigned int i;

	for (i = 0; i < RESIDENCY_GROUPS; i++) {
		const char *segment = residency_segments[i / 2].name;

		seq_printf(m, "%s_%s_bytes: %llu\n", segment, kinds[i % 2],
			   reader->group[i].bytes);
		seq_printf(m, "%s_%s_count: %zu\n", segment, kinds[i % 2],
			   reader->group[i].count);
	}
	seq_printf(m, "%-8s %-10s %-12s %-12s %-8s %s\n", "segment", "list", "size",
		   "domains", "pid", "comm");
}

static void residency_show_domains(struct seq_file *m, u8 domains)
{
	char text[16];
	unsigned int i;
	size_t len = 0;

	text[0] = '\0';
	for (i = 0; i < RESIDENCY_SEGMENTS; i++) {
		if (domains & residency_segments[i].domain)
			len += scnprintf(text + len, sizeof(text) - len, "%s%s",
					 len ? "," : "", residency_segments[i].name);
	}
	seq_printf(m, "%-12s ", text);
}

static int residency_show(struct seq_file *m, void *v)
{
	struct residency_reader *reader = m->private;
	const struct pddgpu_residency_record *record;

	if (v == SEQ_START_TOKEN) {
		residency_show_sums(m, reader);
		return 0;
	}
	record = &reader->list.records[*(u32 *)v];
	seq_printf(m, "%-8s %-10s %-12llu ",
		   residency_segments[residency_group_of(record) / 2].name,
		   why_names[record->why], record->size);
	residency_show_domains(m, record->domains);
	seq_printf(m, "%-8d ", record->pid);
	pddgpu_debugfs_name(m, record->comm);
	seq_putc(m, '\n');
	return 0;
}

static const struct seq_operations residency_ops = {
	.start = residency_start,
	.next = residency_next,
	.stop = residency_stop,
	.show = residency_show,
};

static int residency_open(struct inode *inode, struct file *file)
{
	struct residency_reader *reader;
	int ret;

	/* Root is not stopped by a file's mode */
	if (file->f_mode & FMODE_WRITE)
		return -EACCES;
	reader = __seq_open_private(file, &residency_ops, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	ret = pddgpu_residency_read(inode->i_private, &reader->list);
	if (!ret)
		ret = residency_sort(reader);
	if (ret) {
		residency_free(reader);
		seq_release_private(inode, file);
	}
	return ret;
}

static int residency_release(struct inode *inode, struct file *file)
{
	residency_free(((struct seq_file *)file->private_data)->private);
	return seq_release_private(inode, file);
}

static const struct file_operations residency_fops = {
	.owner = THIS_MODULE,
	.open = residency_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = residency_release,
};

/*
 * Bytes: a decimal number, alone or with K, M or G behind it. Returns -EINVAL, or
 * -ERANGE for more than there are.
 */
static int parse_bytes(char *word, u64 *bytes)
{
	static const char units[] = "KMG";
	size_t digits = strspn(word, "0123456789");
	const char *unit = NULL;
	int ret;

	if (!digits)
		return -EINVAL;
	if (word[digits]) {
		unit = strchr(units, toupper(word[digits]));
		if (!unit || word[digits + 1])
			return -EINVAL;
		word[digits] = '\0';
	}
	ret = kstrtou64(word, 10, bytes);
	if (!ret && unit && check_shl_overflow(*bytes, 10 * (unit - units + 1), bytes))
		ret = -ERANGE;
	return ret;
}

/*
 * A line from userspace: a name and @count numbers of bytes, with blanks between
 * them. Returns the name, for kfree(), or an error.
 */
static char *parse_line(const char __user *from, size_t len, u64 *bytes, unsigned int count)
{
	char *line, *rest, *word;
	unsigned int i;
	int ret = -EINVAL;

	if (len > RESIDENCY_LINE_MAX)
		return ERR_PTR(-EINVAL);
	line = memdup_user_nul(from, len);
	if (IS_ERR(line))
		return line;
	/* Nothing hides behind a NUL */
	if (strlen(line) != len)
		goto err_free;
	if (len && line[len - 1] == '\n')
		line[len - 1] = '\0';
	rest = line;
	strsep(&rest, " ");
	for (i = 0; i < count; i++) {
		word = strsep(&rest, " ");
		ret = word ? parse_bytes(word, &bytes[i]) : -EINVAL;
		if (ret)
			goto err_free;
	}
	if (!rest)
		return line;
	ret = -EINVAL;
err_free:
	kfree(line);
	return ERR_PTR(ret);
}

static int page_out_show(struct seq_file *m, void *data)
{
	struct pddgpu_residency_page_out last;
	int ret = pddgpu_residency_last(m->private, &last);

	if (ret)
		return ret;
	seq_printf(m, "segment: %s\n", last.domain == PDDGPU_GEM_DOMAIN_VRAM ? "vram" :
		   last.domain ? "gtt" : "-");
	seq_printf(m, "asked: %llu\n", last.asked);
	seq_printf(m, "moved: %llu\n", last.moved);
	seq_printf(m, "buffers: %llu\n", last.buffers);
	return 0;
}

static int page_out_open(struct inode *inode, struct file *file)
{
	return single_open(file, page_out_show, inode->i_private);
}

static ssize_t page_out_write(struct file *file, const char __user *from, size_t len,
			      loff_t *pos)
{
	struct pddgpu_device *pdev = file_inode(file)->i_private;
	u64 bytes, size;
	u32 domain;
	char *name;
	int ret;

	name = parse_line(from, len, &bytes, 1);
	if (IS_ERR(name))
		return PTR_ERR(name);
	if (!strcmp(name, "vram")) {
		domain = PDDGPU_GEM_DOMAIN_VRAM;
		size = pddgpu_vram_mgr_size(pdev->vram_mgr);
	} else if (!strcmp(name, "gtt")) {
		domain = PDDGPU_GEM_DOMAIN_GTT;
		size = pddgpu_gtt_mgr_size(pdev->gtt_mgr);
	} else {
		kfree(name);
		return -EINVAL;
	}
	kfree(name);
	if (!bytes || bytes > size)
		return -ERANGE;
	ret = pddgpu_residency_page_out(pdev, domain, bytes);
	return ret ?: len;
}

static const struct file_operations page_out_fops = {
	.owner = THIS_MODULE,
	.open = page_out_open,
	.read = seq_read,
	.write = page_out_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static const char *const limit_names[] = {
	[PDDGPU_UNPAGEABLE_VRAM] = "vram",
	[PDDGPU_UNPAGEABLE_INVISIBLE] = "vram_invisible",
	[PDDGPU_UNPAGEABLE_SYSTEM] = "system",
};

static_assert(ARRAY_SIZE(limit_names) == PDDGPU_UNPAGEABLE_SEGMENTS);

static int unpageable_limits_show(struct seq_file *m, void *data)
{
	struct pddgpu_unpageable_limit limit;
	unsigned int i;

	seq_printf(m, "%-14s %-12s %-12s %-12s %s\n", "segment", "client", "all", "used",
		   "size");
	for (i = 0; i < PDDGPU_UNPAGEABLE_SEGMENTS; i++) {
		pddgpu_unpageable_get_limit(m->private, i, &limit);
		seq_printf(m, "%-14s %-12llu %-12llu %-12llu %llu\n", limit_names[i],
			   limit.client, limit.all, limit.used, limit.size);
	}
	return 0;
}

static int unpageable_limits_open(struct inode *inode, struct file *file)
{
	return single_open(file, unpageable_limits_show, inode->i_private);
}

static ssize_t unpageable_limits_write(struct file *file, const char __user *from,
				       size_t len, loff_t *pos)
{
	struct pddgpu_device *pdev = file_inode(file)->i_private;
	u64 bytes[2];
	char *name;
	int segment, ret;

	name = parse_line(from, len, bytes, ARRAY_SIZE(bytes));
	if (IS_ERR(name))
		return PTR_ERR(name);
	segment = match_string(limit_names, ARRAY_SIZE(limit_names), name);
	kfree(name);
	if (segment < 0)
		return -EINVAL;
	ret = pddgpu_unpageable_set_limit(pdev, segment, bytes[0], bytes[1]);
	return ret ?: len;
}

static const struct file_operations unpageable_limits_fops = {
	.owner = THIS_MODULE,
	.open = unpageable_limits_open,
	.read = seq_read,
	.write = unpageable_limits_write,
	.llseek = seq_lseek,
	.release = single_release,
};

/**
 * pddgpu_debugfs_residency_init() - make a card's files about what is where
 * @pdev: the device, with everything but its registration
 * @root: its folder, which the DRM core removes with all that is in it
 */
void pddgpu_debugfs_residency_init(struct pddgpu_device *pdev, struct dentry *root)
{
	debugfs_create_file("residency", 0400, root, pdev, &residency_fops);
	debugfs_create_file("page_out", 0600, root, pdev, &page_out_fops);
	debugfs_create_file("unpageable_limits", 0600, root, pdev, &unpageable_limits_fops);
}
