/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What each client has, and what it has the engines do.
 */
#ifndef PDDGPU_ACCOUNT_H
#define PDDGPU_ACCOUNT_H

#include <linux/atomic.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/types.h>

struct drm_device;
struct pddgpu_account;

/**
 * enum pddgpu_account_region - kinds of memory, as users are told of them
 */
enum pddgpu_account_region {
	/** @PDDGPU_ACCOUNT_VRAM: the card's */
	PDDGPU_ACCOUNT_VRAM,
	/** @PDDGPU_ACCOUNT_GTT: system pages that have a place in the aperture */
	PDDGPU_ACCOUNT_GTT,
	/** @PDDGPU_ACCOUNT_MEMORY: system pages that have none */
	PDDGPU_ACCOUNT_MEMORY,
	/** @PDDGPU_ACCOUNT_REGIONS: how many there are */
	PDDGPU_ACCOUNT_REGIONS,
};

/* Engines that work for clients, by their number */
#define PDDGPU_ACCOUNT_ENGINES	2

/**
 * struct pddgpu_account_figures - what a client has
 *
 * Bytes of the buffers to which it has a handle, each counted once.
 */
struct pddgpu_account_figures {
	/** @total: all, by the region that they prefer */
	u64 total[PDDGPU_ACCOUNT_REGIONS];
	/** @shared: of them those with more than one handle or with a dma-buf */
	u64 shared[PDDGPU_ACCOUNT_REGIONS];
	/** @resident: all that are not in swap, by the region they are in */
	u64 resident[PDDGPU_ACCOUNT_REGIONS];
	/** @active: of them those that a job uses, or a move, which is not over */
	u64 active[PDDGPU_ACCOUNT_REGIONS];
	/** @evictions: how often one of them has made room for others */
	u64 evictions;
};

/**
 * struct pddgpu_account_client - an open file's account
 *
 * It lives until the last job is over that was run for it, which may be some time
 * after the file is closed.
 */
struct pddgpu_account_client {
	/** @ref: the file's reference, and those of jobs */
	struct kref ref;
	/** @has: what it has; under the account's lock */
	struct pddgpu_account_figures has;
	/** @engine_ns: how long each engine has worked for it */
	atomic64_t engine_ns[PDDGPU_ACCOUNT_ENGINES];
};

struct pddgpu_account_node;

/**
 * struct pddgpu_account_use - a client and a buffer
 *
 * It is there while the client has a handle, or a job of its that uses the buffer
 * is not over. All members are guarded by the account's lock.
 */
struct pddgpu_account_use {
	/** @rb: among the buffer's, by client */
	struct rb_node rb;
	/** @client: the client; NULL: not in use */
	struct pddgpu_account_client *client;
	/** @node: the buffer */
	struct pddgpu_account_node *node;
	/** @flying: among those of the client's youngest job that uses it; or empty */
	struct list_head flying;
	/** @handles: the client's; 0: it does not count */
	u32 handles;
};

/**
 * struct pddgpu_account_node - the account's part of a buffer
 *
 * Embedded in the buffer. A node of zeros is that of no buffer yet. Guarded by the
 * account's lock, but for what pddgpu_account_begin() sets before there is a handle.
 */
struct pddgpu_account_node {
	/** @uses: who has it */
	struct rb_root uses;
	/** @first: one of these, so that only sharing takes memory */
	struct pddgpu_account_use first;
	/** @size: bytes; constant */
	u64 size;
	/** @handles: how many there are, of all clients */
	u32 handles;
	/** @busy: clients with jobs that use it and are not over, and one for a move */
	u32 busy;
	/** @moving: with the youngest move's job; or empty */
	struct list_head moving;
	/** @home: the region that it prefers, enum pddgpu_account_region */
	u8 home;
	/** @where: the region that it is in, the same */
	u8 where;
	/** @exported: there is, or was, a dma-buf of it */
	bool exported;
	/** @swapped: it is in swap */
	bool swapped;
	/** @flown: a job has used it */
	bool flown;
};

/**
 * struct pddgpu_account_flight - the buffers that a job uses, or moves
 */
struct pddgpu_account_flight {
	/** @uses: those that no later job of the same client uses, by @flying */
	struct list_head uses;
	/** @moves: those that it moves and no later job does, by @moving */
	struct list_head moves;
	/** @account: whose lock guards them; NULL: none was ever in the list */
	struct pddgpu_account *account;
};

struct pddgpu_account *pddgpu_account_init(struct drm_device *drm);

struct pddgpu_account_client *pddgpu_account_client_create(void);
struct pddgpu_account_client *pddgpu_account_client_get(struct pddgpu_account_client *client);
void pddgpu_account_client_put(struct pddgpu_account_client *client);
void pddgpu_account_read(struct pddgpu_account *account,
			 const struct pddgpu_account_client *client,
			 struct pddgpu_account_figures *figures);

void pddgpu_account_begin(struct pddgpu_account_node *node, u64 size,
			  enum pddgpu_account_region home,
			  enum pddgpu_account_region where, bool exported);
void pddgpu_account_end(struct pddgpu_account *account, struct pddgpu_account_node *node);
int pddgpu_account_open(struct pddgpu_account *account, struct pddgpu_account_node *node,
			struct pddgpu_account_client *client);
bool pddgpu_account_close(struct pddgpu_account *account, struct pddgpu_account_node *node,
			  struct pddgpu_account_client *client);
void pddgpu_account_export(struct pddgpu_account *account, struct pddgpu_account_node *node);
void pddgpu_account_prefer(struct pddgpu_account *account, struct pddgpu_account_node *node,
			   enum pddgpu_account_region home);
void pddgpu_account_move(struct pddgpu_account *account, struct pddgpu_account_node *node,
			 enum pddgpu_account_region where, bool evicted);
void pddgpu_account_swap(struct pddgpu_account *account, struct pddgpu_account_node *node,
			 bool swapped);

void pddgpu_account_flight_init(struct pddgpu_account_flight *flight);
void pddgpu_account_board(struct pddgpu_account *account, struct pddgpu_account_node *node,
			  struct pddgpu_account_client *client,
			  struct pddgpu_account_flight *flight);
void pddgpu_account_carry(struct pddgpu_account *account, struct pddgpu_account_node *node,
			  struct pddgpu_account_flight *flight);
void pddgpu_account_land(struct pddgpu_account_flight *flight);

/**
 * pddgpu_account_worked() - an engine has worked
 * @client: for whom; NULL: for nobody in particular
 * @engine: its number
 * @ns: how long
 *
 * Any context.
 */
static inline void pddgpu_account_worked(struct pddgpu_account_client *client, u32 engine,
					 u64 ns)
{
	if (client && engine < PDDGPU_ACCOUNT_ENGINES)
		atomic64_add(ns, &client->engine_ns[engine]);
}

#endif /* PDDGPU_ACCOUNT_H */
