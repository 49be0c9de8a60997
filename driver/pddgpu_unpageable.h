/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What users keep unpageable: who wishes it, and how much they may.
 */
#ifndef PDDGPU_UNPAGEABLE_H
#define PDDGPU_UNPAGEABLE_H

#include <linux/list.h>
#include <linux/types.h>

struct drm_file;
struct pddgpu_bo;
struct pddgpu_device;

/**
 * enum pddgpu_unpageable_segment - what has a limit of its own
 */
enum pddgpu_unpageable_segment {
	/** @PDDGPU_UNPAGEABLE_VRAM: VRAM that the CPU reaches */
	PDDGPU_UNPAGEABLE_VRAM,
	/** @PDDGPU_UNPAGEABLE_INVISIBLE: VRAM that it does not */
	PDDGPU_UNPAGEABLE_INVISIBLE,
	/** @PDDGPU_UNPAGEABLE_SYSTEM: system memory: GTT and CPU */
	PDDGPU_UNPAGEABLE_SYSTEM,
	/** @PDDGPU_UNPAGEABLE_SEGMENTS: how many there are */
	PDDGPU_UNPAGEABLE_SEGMENTS,
};

/**
 * struct pddgpu_unpageable_limit - the limits of a segment and what is used
 */
struct pddgpu_unpageable_limit {
	/** @size: bytes of the segment; constant */
	u64 size;
	/** @client: bytes that one client may keep unpageable */
	u64 client;
	/** @all: bytes that all of them may */
	u64 all;
	/** @used: bytes that all of them do; a shared buffer counts once */
	u64 used;
};

/**
 * struct pddgpu_unpageable_client - an open file as one that has wishes
 */
struct pddgpu_unpageable_client {
	/** @used: bytes by segment; under the lock of &struct pddgpu_unpageable */
	u64 used[PDDGPU_UNPAGEABLE_SEGMENTS];
	/** @wishes: all it has; under the same lock */
	struct list_head wishes;
};

/**
 * struct pddgpu_wish - a client's wish that a buffer be unpageable
 *
 * At most one for a buffer and a client. It is a pin of TTM's, and keeps a
 * reference to the buffer: what is pinned must not be freed.
 */
struct pddgpu_wish {
	/** @bo: the buffer, with a GEM reference; constant */
	struct pddgpu_bo *bo;
	/** @client: whose wish; constant */
	struct pddgpu_unpageable_client *client;
	/** @in_bo: in the buffer's list, under its reservation */
	struct list_head in_bo;
	/** @in_client: in the client's list, under the limits' lock */
	struct list_head in_client;
	/** @handle: through which it was last made; under the reservation */
	u32 handle;
	/** @domain: where it is charged; constant */
	u32 domain;
};

int pddgpu_unpageable_init(struct pddgpu_device *pdev);
void pddgpu_unpageable_client_init(struct pddgpu_unpageable_client *client);
void pddgpu_unpageable_client_fini(struct pddgpu_device *pdev,
				   struct pddgpu_unpageable_client *client);
void pddgpu_unpageable_handle_close(struct pddgpu_bo *bo, struct drm_file *file,
				    struct pddgpu_unpageable_client *client);

u32 pddgpu_unpageable_domains(struct pddgpu_device *pdev,
			      struct pddgpu_unpageable_client *client, u64 size,
			      u32 domains, u32 flags);
int pddgpu_unpageable_charge(struct pddgpu_device *pdev, struct pddgpu_bo *bo,
			     struct pddgpu_unpageable_client *client, u32 domain);
void pddgpu_unpageable_uncharge(struct pddgpu_device *pdev, struct pddgpu_bo *bo,
				struct pddgpu_unpageable_client *client, u32 domain);

struct pddgpu_wish *pddgpu_wish_find(struct pddgpu_bo *bo,
				     struct pddgpu_unpageable_client *client);
void pddgpu_wish_add(struct pddgpu_device *pdev, struct pddgpu_wish *wish,
		     struct pddgpu_bo *bo, struct pddgpu_unpageable_client *client);
void pddgpu_wish_end(struct pddgpu_device *pdev, struct pddgpu_wish *wish);
bool pddgpu_wish_has_handle(const struct pddgpu_wish *wish, struct drm_file *file);

void pddgpu_unpageable_get_limit(struct pddgpu_device *pdev,
				 enum pddgpu_unpageable_segment segment,
				 struct pddgpu_unpageable_limit *limit);
int pddgpu_unpageable_set_limit(struct pddgpu_device *pdev,
				enum pddgpu_unpageable_segment segment, u64 client,
				u64 all);

#endif /* PDDGPU_UNPAGEABLE_H */
