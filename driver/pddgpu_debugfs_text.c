// SPDX-License-Identifier: GPL-2.0
#include <linux/errno.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/string_helpers.h>
#include <linux/uaccess.h>

#include <drm/pddgpu_drm.h>

#include "pddgpu_debugfs_text.h"
#include "pddgpu_map.h"

/* What a part of a segment is; the first three are also a buffer's states */
const char *const pddgpu_debugfs_states[] = {
	[PDDGPU_MAP_LIVE] = "LIVE",
	[PDDGPU_MAP_ORPHAN] = "ORPHAN",
	[PDDGPU_MAP_ZOMBIE] = "ZOMBIE",
	[PDDGPU_MAP_KERNEL] = "KERNEL",
	[PDDGPU_MAP_FREE] = "FREE",
	[PDDGPU_MAP_CLEARING] = "CLEARING",
};

static_assert(ARRAY_SIZE(pddgpu_debugfs_states) == PDDGPU_MAP_STATES);

/**
 * pddgpu_debugfs_domain() - a domain's name
 * @domain: one PDDGPU_GEM_DOMAIN_*
 *
 * Return: "VRAM", "GTT", or for anything else "CPU".
 */
const char *pddgpu_debugfs_domain(u32 domain)
{
	switch (domain) {
	case PDDGPU_GEM_DOMAIN_VRAM:
		return "VRAM";
	case PDDGPU_GEM_DOMAIN_GTT:
		return "GTT";
	default:
		return "CPU";
	}
}

/**
 * pddgpu_debugfs_escape() - what a process or a buffer is called, as one word
 * @name: any bytes; empty becomes "-", and "-" what is no mark but a name
 * @to: out; without a NUL
 * @room: bytes of it; four for each byte of @name are enough, and no less than four
 *
 * Return: bytes of the word.
 */
size_t pddgpu_debugfs_escape(const char *name, char *to, size_t room)
{
	const char *word = !name[0] ? "-" : !strcmp(name, "-") ? "\\055" : NULL;

	if (word) {
		memcpy(to, word, strlen(word));
		return strlen(word);
	}
	/* It can hold anything, a newline too */
	return string_escape_mem(name, strlen(name), to, room,
				 ESCAPE_OCTAL | ESCAPE_NAP | ESCAPE_APPEND, " \\");
}

/**
 * pddgpu_debugfs_name() - print what a process or a buffer is called, as one word
 * @m: where to
 * @name: as pddgpu_debugfs_escape(); up to PDDGPU_LEAK_LABEL bytes with its NUL
 */
void pddgpu_debugfs_name(struct seq_file *m, const char *name)
{
	char word[4 * PDDGPU_LEAK_LABEL];

	seq_write(m, word, pddgpu_debugfs_escape(name, word, sizeof(word)));
}

/**
 * pddgpu_debugfs_words() - print a line of words
 * @m: where to
 * @words: the words
 * @count: how many
 */
void pddgpu_debugfs_words(struct seq_file *m, const char *const *words, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		seq_puts(m, words[i]);
		seq_putc(m, i + 1 < count ? ' ' : '\n');
	}
}

/**
 * pddgpu_debugfs_line() - take a line from userspace
 * @from: its bytes
 * @len: how many
 * @line: out: the line without its newline
 * @room: bytes of @line; a longer one is refused
 *
 * Return: 0; -EINVAL also when something hides behind a NUL, or it is more than one
 * line; -EFAULT.
 */
int pddgpu_debugfs_line(const char __user *from, size_t len, char *line, size_t room)
{
	if (len >= room)
		return -EINVAL;
	if (copy_from_user(line, from, len))
		return -EFAULT;
	line[len] = '\0';
	if (strlen(line) != len)
		return -EINVAL;
	if (len && line[len - 1] == '\n')
		line[len - 1] = '\0';
	return strchr(line, '\n') ? -EINVAL : 0;
}
