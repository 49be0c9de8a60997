/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PDDGPU_DEBUGFS_H
#define PDDGPU_DEBUGFS_H

struct dentry;
struct pddgpu_device;

#ifdef CONFIG_DEBUG_FS
void pddgpu_debugfs_init(struct pddgpu_device *pdev, struct dentry *root);
void pddgpu_debugfs_link(struct pddgpu_device *pdev);
void pddgpu_debugfs_unlink(struct pddgpu_device *pdev);
#else
static inline void pddgpu_debugfs_init(struct pddgpu_device *pdev, struct dentry *root) {}
static inline void pddgpu_debugfs_link(struct pddgpu_device *pdev) {}
static inline void pddgpu_debugfs_unlink(struct pddgpu_device *pdev) {}
#endif

#endif /* PDDGPU_DEBUGFS_H */
