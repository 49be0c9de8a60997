/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PDDGPU_DEBUGFS_HEALTH_H
#define PDDGPU_DEBUGFS_HEALTH_H

#include <linux/types.h>

struct dentry;
struct pddgpu_device;
struct seq_file;

void pddgpu_debugfs_health_init(struct pddgpu_device *pdev, struct dentry *root);
int pddgpu_debugfs_health_show(struct seq_file *m, struct pddgpu_device *pdev);

#endif /* PDDGPU_DEBUGFS_HEALTH_H */
