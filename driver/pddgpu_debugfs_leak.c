// SPDX-License-Identifier: GPL-2.0
/*
 * leak_objects: what is past the suspicious age; and commands, named as kmemleak's.
 */
#include <linux/ctype.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/time64.h>

#include <drm/drm_print.h>
#include <drm/pddgpu_drm.h>

#include "pddgpu_debugfs_leak.h"
#include "pddgpu_debugfs_text.h"
#include "pddgpu_device.h"
#include "pddgpu_leak.h"
#include "pddgpu_map.h"
#include "pddgpu_monitor.h"
#include "pddgpu_site.h"

/* The longest command: a name and a number, with room to spare */
#define LEAK_COMMAND_MAX	48

/**
 * struct leak_objects_reader - an open leak_objects
 */
struct leak_objects_reader {
	/** @pdev: the device */
	struct pddgpu_device *pdev;
	/** @iter: the place in the tracker */
	struct pddgpu_leak_iter *iter;
	/** @record: the one to show next; NULL at the end */
	const struct pddgpu_leak_record *record;
	/** @names: functions' */
	struct pddgpu_site_names names;
};

static void *leak_objects_start(struct seq_file *m, loff_t *pos)
{
	struct leak_objects_reader *reader = m->private;

	/* seq_file goes on where it was, or begins anew and walks there */
	if (*pos)
		return (void *)reader->record;

	pddgpu_leak_iter_rewind(reader->iter);
	return SEQ_START_TOKEN;
}

static void *leak_objects_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct leak_objects_reader *reader = m->private;

	(*pos)++;
	reader->record = pddgpu_leak_iter_next(reader->iter);
	return (void *)reader->record;
}

static void leak_objects_stop(struct seq_file *m, void *v)
{
}

static const char *const class_names[] = {
	[PDDGPU_LEAK_YOUNG] = "young",
	[PDDGPU_LEAK_SUSPICIOUS] = "suspicious",
	[PDDGPU_LEAK_CONFIRMED] = "confirmed",
};

static_assert(ARRAY_SIZE(class_names) == PDDGPU_LEAK_CLASSES);

/* What a client calls it; or else what kind of object it is */
static void leak_objects_label(struct seq_file *m, const struct pddgpu_leak_record *record)
{
	if (!record->label[0] && record->foreign)
		seq_puts(m, record->owned ? "imported" : "kernel");
	else if (!strcmp(record->label, "imported") || !strcmp(record->label, "kernel"))
		/* Not to be taken for the above */
		seq_printf(m, "\\%03o%s", record->label[0], record->label + 1);
	else
		pddgpu_debugfs_name(m, record->label);
}

/* How long ago something was, or "-" when it never was */
static void leak_objects_since(struct seq_file *m, const char *name, u64 now_ns, u64 then_ns)
{
	if (then_ns)
		seq_printf(m, " %s=%llu", name,
			   now_ns > then_ns ? div_u64(now_ns - then_ns, NSEC_PER_MSEC) : 0);
	else
		seq_printf(m, " %s=-", name);
}

/* Words for PDDGPU_OBJECT_*, by bit; what only QUERY tells of has none */
static const char *const is_names[] = {
	"mapped", "unpageable", "exported", "imported", NULL, "swapped", NULL, NULL, "unfreed",
};

/* Behind the stack, of which nobody knows how many words it has */
static void leak_objects_evidence(struct seq_file *m, const struct pddgpu_leak_record *record)
{
	const struct pddgpu_leak_evidence *evidence = &record->evidence;
	unsigned int i, said = 0;

	seq_printf(m, " | id=%llu", record->id);
	leak_objects_since(m, "used_ms", record->now_ns, evidence->used_ns);
	leak_objects_since(m, "touched_ms", record->now_ns, evidence->touched_ns);
	seq_printf(m, " session=%d client=%llu site=%u is=", record->session, record->client_id,
		   record->site);
	for (i = 0; i < ARRAY_SIZE(is_names); i++)
		if (is_names[i] && evidence->is & BIT(i))
			seq_printf(m, "%s%s", said++ ? "," : "", is_names[i]);
	if (!said)
		seq_putc(m, '-');
}

static int leak_objects_show(struct seq_file *m, void *v)
{
	struct leak_objects_reader *reader = m->private;
	const struct pddgpu_leak_record *record = v;
	char state[32];

	if (v == SEQ_START_TOKEN) {
		seq_printf(m, "%-10s %-12s %-6s %-18s %-8s %-16s %-8s %s\n", "age_ms", "size",
			   "domain", "state", "pid", "comm", "label", "stack");
		return 0;
	}

	snprintf(state, sizeof(state), "%s,%s", pddgpu_debugfs_states[record->state],
		 class_names[record->class]);
	seq_printf(m, "%-10llu %-12llu %-6s %-18s %-8d ", record->age_ms, record->size,
		   pddgpu_debugfs_domain(record->domain), state, record->pid);

	seq_setwidth(m, TASK_COMM_LEN);
	pddgpu_debugfs_name(m, record->comm);
	seq_pad(m, ' ');
	seq_setwidth(m, 8);
	leak_objects_label(m, record);
	seq_pad(m, ' ');
	pddgpu_site_show(pddgpu_leak_sites(reader->pdev->leaks), &reader->names, m,
			 record->site);
	leak_objects_evidence(m, record);
	seq_putc(m, '\n');
	return 0;
}

static const struct seq_operations leak_objects_ops = {
	.start = leak_objects_start,
	.next = leak_objects_next,
	.stop = leak_objects_stop,
	.show = leak_objects_show,
};

/* An object in the kernel's log, in kmemleak's shape */
static void leak_dump_record(struct pddgpu_device *pdev, u64 addr,
			     const struct pddgpu_leak_record *record)
{
	struct pddgpu_sites *sites = pddgpu_leak_sites(pdev->leaks);
	struct drm_device *drm = &pdev->drm;
	char name[PDDGPU_SITE_WORD];
	unsigned int i, nr = pddgpu_site_nr(sites, record->site);

	drm_info(drm, "PDDGPU: object 0x%llx (size %llu):\n", addr, record->size);
	/* Escaped, or somebody could forge lines with a name */
	drm_info(drm, "PDDGPU:   comm \"%*pE\", pid %d, client %llu (age %llu.%03llus)\n",
		 (int)strnlen(record->comm, sizeof(record->comm)), record->comm, record->pid,
		 record->client_id, record->age_ms / MSEC_PER_SEC,
		 record->age_ms % MSEC_PER_SEC);
	drm_info(drm, "PDDGPU:   state %s,%s, region %s, label \"%*pE\"\n",
		 pddgpu_debugfs_states[record->state], class_names[record->class],
		 pddgpu_debugfs_domain(record->domain),
		 (int)strnlen(record->label, sizeof(record->label)), record->label);
	drm_info(drm, "PDDGPU:   backtrace:\n");
	for (i = 0; i < nr; i++) {
		/* Not %pB, which prints the address of what has no symbol */
		pddgpu_site_word(sites, record->site, i, NULL, name);
		drm_info(drm, "PDDGPU:     %s\n", name);
	}
}

static int leak_dump(struct pddgpu_device *pdev, const char *word)
{
	struct pddgpu_leak_record record;
	u64 addr;
	int ret;

	if (!isdigit(word[0]))
		return -EINVAL;
	ret = kstrtou64(word, 0, &addr);
	if (!ret)
		ret = pddgpu_map_find(pdev, addr, &record);
	if (!ret)
		leak_dump_record(pdev, addr, &record);
	return ret;
}

static int leak_scan_every(struct pddgpu_device *pdev, const char *word)
{
	u64 seconds;
	int ret;

	if (!isdigit(word[0]))
		return -EINVAL;
	ret = kstrtou64(word, 10, &seconds);
	if (ret)
		return ret;
	if (!seconds)
		return pddgpu_memory_stats_set_leak_monitor_enabled(pdev, 0);
	if (seconds > PDDGPU_LEAK_CHECK_INTERVAL_MAX_MS / MSEC_PER_SEC)
		return -ERANGE;
	/* This one can be refused, so it comes first */
	ret = pddgpu_memory_stats_set_leak_monitor_enabled(pdev, 1);
	return ret ?: pddgpu_memory_stats_set_leak_check_interval(pdev, seconds * MSEC_PER_SEC);
}

static int leak_command(struct pddgpu_device *pdev, const char *line)
{
	if (!strcmp(line, "scan"))
		pddgpu_memory_stats_leak_check(pdev);
	else if (!strcmp(line, "clear"))
		pddgpu_leak_set_baseline(pdev->leaks);
	else if (!strcmp(line, "scan=on"))
		return pddgpu_memory_stats_set_leak_monitor_enabled(pdev, 1);
	else if (!strcmp(line, "scan=off"))
		return pddgpu_memory_stats_set_leak_monitor_enabled(pdev, 0);
	else if (!strncmp(line, "scan=", 5))
		return leak_scan_every(pdev, line + 5);
	else if (!strncmp(line, "dump=", 5))
		return leak_dump(pdev, line + 5);
	else
		return -EINVAL;
	return 0;
}

static ssize_t leak_objects_write(struct file *file, const char __user *from, size_t len,
				  loff_t *pos)
{
	struct leak_objects_reader *reader = ((struct seq_file *)file->private_data)->private;
	char line[LEAK_COMMAND_MAX];
	int ret;

	ret = pddgpu_debugfs_line(from, len, line, sizeof(line));
	if (!ret)
		ret = leak_command(reader->pdev, line);
	return ret ?: len;
}

static int leak_objects_open(struct inode *inode, struct file *file)
{
	struct leak_objects_reader *reader;

	reader = __seq_open_private(file, &leak_objects_ops, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	reader->pdev = inode->i_private;
	reader->iter = pddgpu_leak_iter_create(reader->pdev->leaks);
	if (!reader->iter) {
		seq_release_private(inode, file);
		return -ENOMEM;
	}
	return 0;
}

static int leak_objects_release(struct inode *inode, struct file *file)
{
	struct leak_objects_reader *reader = ((struct seq_file *)file->private_data)->private;

	pddgpu_leak_iter_destroy(reader->iter);
	return seq_release_private(inode, file);
}

static const struct file_operations leak_objects_fops = {
	.owner = THIS_MODULE,
	.open = leak_objects_open,
	.read = seq_read,
	.write = leak_objects_write,
	.llseek = seq_lseek,
	.release = leak_objects_release,
};

/**
 * pddgpu_debugfs_leak_init() - make a card's file about leaks
 * @pdev: the device, with everything but its registration
 * @root: its folder, which the DRM core removes with all that is in it
 */
void pddgpu_debugfs_leak_init(struct pddgpu_device *pdev, struct dentry *root)
{
	debugfs_create_file("leak_objects", 0600, root, pdev, &leak_objects_fops);
}
