/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Words that several files in debugfs print.
 */
#ifndef PDDGPU_DEBUGFS_TEXT_H
#define PDDGPU_DEBUGFS_TEXT_H

#include <linux/types.h>

struct seq_file;

extern const char *const pddgpu_debugfs_states[];

const char *pddgpu_debugfs_domain(u32 domain);
size_t pddgpu_debugfs_escape(const char *name, char *to, size_t room);
void pddgpu_debugfs_name(struct seq_file *m, const char *name);
void pddgpu_debugfs_words(struct seq_file *m, const char *const *words, unsigned int count);
int pddgpu_debugfs_line(const char __user *from, size_t len, char *line, size_t room);

#endif /* PDDGPU_DEBUGFS_TEXT_H */
