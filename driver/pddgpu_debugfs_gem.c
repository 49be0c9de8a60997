// SPDX-License-Identifier: GPL-2.0
/*
 * gem_info: the buffers of each open file, by handle.
 *
 * Lines are copied some at a time, and between two times the reader remembers no
 * more than a client and a handle. So files may be opened and closed, and handles
 * made and closed, meanwhile.
 *
 * Locks: DRM's filelist_mutex, in which a file is not closed; then the file's
 * table_lock, in which a handle keeps its buffer; then the leak tracker's.
 */
#include <linux/debugfs.h>
#include <linux/idr.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include <drm/drm_device.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>

#include "pddgpu_bo.h"
#include "pddgpu_debugfs_gem.h"
#include "pddgpu_debugfs_text.h"
#include "pddgpu_device.h"
#include "pddgpu_leak.h"

/* Lines copied in one go, and files looked for */
#define GEM_LINES	64
/* Handles looked at with a file's table locked */
#define GEM_HANDLES	32

/**
 * struct gem_line - a line: of a file, or of a handle in it
 */
struct gem_line {
	/** @client_id: of the file */
	u64 client_id;
	/** @pid: who uses the file, in the initial namespace */
	pid_t pid;
	/** @named: @comm is that one's name; or it has exited */
	bool named;
	/** @comm: any bytes */
	char comm[TASK_COMM_LEN];
	/** @handle: 0: the line is the file's */
	u32 handle;
	/** @size: of the buffer, bytes */
	u64 size;
	/** @record: what is known of it */
	struct pddgpu_leak_record record;
};

/**
 * struct gem_reader - an open gem_info
 */
struct gem_reader {
	/** @pdev: the device, which stays as long as its folder does */
	struct pddgpu_device *pdev;
	/** @client: the first client that is not done */
	u64 client;
	/** @handle: its first handle that is not; 0: not even its own line is */
	int handle;
	/** @done: there is nothing behind the lines */
	bool done;
	/** @nr: lines copied */
	unsigned int nr;
	/** @pos: lines shown */
	unsigned int pos;
	/** @files: the next clients, in order; only while DRM's list is locked */
	struct drm_file *files[GEM_LINES];
	/** @lines: the batch */
	struct gem_line lines[GEM_LINES];
};

/*
 * The next clients by their number. DRM's list has the youngest first, but not
 * quite: two that were opened at once may stand either way. So from its end on
 * hardly any has to be put before another.
 */
static unsigned int gem_find_files(struct gem_reader *reader)
{
	struct drm_file *file;
	unsigned int nr = 0, at;

	list_for_each_entry_reverse(file, &reader->pdev->drm.filelist, lhead) {
		if (file->client_id < reader->client)
			continue;
		for (at = nr; at && reader->files[at - 1]->client_id > file->client_id; at--)
			;
		if (at == GEM_LINES)
			continue;
		if (nr < GEM_LINES)
			nr++;
		memmove(&reader->files[at + 1], &reader->files[at],
			(nr - at - 1) * sizeof(*reader->files));
		reader->files[at] = file;
	}
	return nr;
}

static void gem_add_file(struct gem_reader *reader, struct drm_file *file)
{
	struct gem_line *line = &reader->lines[reader->nr++];
	struct task_struct *task;
	struct pid *pid;

	memset(line, 0, sizeof(*line));
	line->client_id = file->client_id;
	rcu_read_lock();
	pid = rcu_dereference(file->pid);
	line->pid = pid_nr(pid);
	task = pid_task(pid, PIDTYPE_TGID);
	line->named = task;
	if (task)
		get_task_comm(line->comm, task);
	rcu_read_unlock();
}

/* Some handles of a file; false when there are no more */
static bool gem_add_handles(struct gem_reader *reader, struct drm_file *file)
{
	unsigned int budget = min(GEM_LINES - reader->nr, (unsigned int)GEM_HANDLES);
	struct drm_gem_object *obj = NULL;

	spin_lock(&file->table_lock);
	while (budget-- && (obj = idr_get_next(&file->object_idr, &reader->handle))) {
		struct gem_line *line = &reader->lines[reader->nr++];

		line->client_id = file->client_id;
		line->handle = reader->handle++;
		line->size = obj->size;
		pddgpu_leak_read_named(reader->pdev->leaks, &gem_to_pddgpu_bo(obj)->named,
				       &line->record);
	}
	spin_unlock(&file->table_lock);
	return obj;
}

static void gem_fetch(struct gem_reader *reader)
{
	struct drm_device *drm = &reader->pdev->drm;
	unsigned int nr, i;

	reader->nr = 0;
	reader->pos = 0;

	mutex_lock(&drm->filelist_mutex);
	nr = gem_find_files(reader);
	for (i = 0; i < nr && reader->nr < GEM_LINES; i++) {
		struct drm_file *file = reader->files[i];

		if (file->client_id != reader->client || !reader->handle) {
			reader->client = file->client_id;
			reader->handle = 1;
			gem_add_file(reader, file);
		}
		while (reader->nr < GEM_LINES && gem_add_handles(reader, file))
			;
		if (reader->nr < GEM_LINES) {
			reader->client = file->client_id + 1;
			reader->handle = 0;
		}
	}
	/* The first may have had its line already, and so there is room, and more files */
	reader->done = nr < GEM_LINES && reader->nr < GEM_LINES;
	mutex_unlock(&drm->filelist_mutex);
}

static struct gem_line *gem_line_next(struct gem_reader *reader)
{
	if (reader->pos == reader->nr && !reader->done)
		gem_fetch(reader);
	return reader->pos < reader->nr ? &reader->lines[reader->pos] : NULL;
}

static void *gem_info_start(struct seq_file *m, loff_t *pos)
{
	struct gem_reader *reader = m->private;

	if (!*pos) {
		reader->client = 0;
		reader->handle = 0;
		reader->nr = 0;
		reader->pos = 0;
		reader->done = false;
	}
	return gem_line_next(reader);
}

static void *gem_info_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct gem_reader *reader = m->private;

	(*pos)++;
	reader->pos++;
	return gem_line_next(reader);
}

static void gem_info_stop(struct seq_file *m, void *v)
{
}

static int gem_info_show(struct seq_file *m, void *v)
{
	const struct pddgpu_leak_record *record;
	const struct gem_line *line = v;

	if (!line->handle) {
		seq_printf(m, "pid %8d command ", line->pid);
		if (line->named)
			pddgpu_debugfs_name(m, line->comm);
		else
			seq_puts(m, "<unknown>");
		seq_printf(m, " client %llu:\n", line->client_id);
		return 0;
	}

	record = &line->record;
	seq_printf(m, "\t0x%08x: %12llu byte ", line->handle, line->size);
	if (record->size)
		seq_printf(m, "%-4s %-6s age_ms %llu", pddgpu_debugfs_domain(record->domain),
			   pddgpu_debugfs_states[record->state], record->age_ms);
	else
		seq_puts(m, "-    -      age_ms -");
	seq_puts(m, " label ");
	pddgpu_debugfs_name(m, record->label);
	seq_putc(m, '\n');
	return 0;
}

static const struct seq_operations gem_info_ops = {
	.start = gem_info_start,
	.next = gem_info_next,
	.stop = gem_info_stop,
	.show = gem_info_show,
};

static int gem_info_open(struct inode *inode, struct file *file)
{
	struct gem_reader *reader;
	int ret;

	/* Root is not stopped by a file's mode */
	if (file->f_mode & FMODE_WRITE)
		return -EACCES;
	reader = kvzalloc(sizeof(*reader), GFP_KERNEL);
	if (!reader)
		return -ENOMEM;
	reader->pdev = inode->i_private;
	ret = seq_open(file, &gem_info_ops);
	if (ret)
		kvfree(reader);
	else
		((struct seq_file *)file->private_data)->private = reader;
	return ret;
}

static int gem_info_release(struct inode *inode, struct file *file)
{
	kvfree(((struct seq_file *)file->private_data)->private);
	return seq_release(inode, file);
}

static const struct file_operations gem_info_fops = {
	.owner = THIS_MODULE,
	.open = gem_info_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = gem_info_release,
};

/**
 * pddgpu_debugfs_gem_init() - make a card's file about buffers by client
 * @pdev: the device, with everything but its registration
 * @root: its folder, which the DRM core removes with all that is in it
 */
void pddgpu_debugfs_gem_init(struct pddgpu_device *pdev, struct dentry *root)
{
	debugfs_create_file("gem_info", 0400, root, pdev, &gem_info_fops);
}
