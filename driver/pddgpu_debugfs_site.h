/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PDDGPU_DEBUGFS_SITE_H
#define PDDGPU_DEBUGFS_SITE_H

struct dentry;
struct pddgpu_device;

void pddgpu_debugfs_site_init(struct pddgpu_device *pdev, struct dentry *root);

#endif /* PDDGPU_DEBUGFS_SITE_H */
