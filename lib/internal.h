/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the library share. Names with pddi_ are not exported.
 *
 * Locks: a device's @share_lock, a buffer's map_lock; neither is taken under the other.
 */
#ifndef PDDGPU_INTERNAL_H
#define PDDGPU_INTERNAL_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>

#include "pddgpu.h"

#define PDDI_ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PDDI_DRM_MAJOR		226U
#define PDDI_PATH_MAX		512

/**
 * struct pddi_paths - where the kernel's files are; tests have folders of their own
 */
struct pddi_paths {
	/** @sys: "/sys" */
	const char *sys;
	/** @dri: "/dev/dri" */
	const char *dri;
	/** @debugfs: "/sys/kernel/debug" */
	const char *debugfs;
};

extern const struct pddi_paths pddi_system;

/**
 * struct pddi_slot - what a handle is
 */
struct pddi_slot {
	/** @bo: the buffer; NULL: none, or one that cannot come in by import */
	struct pddgpu_bo *bo;
};

/**
 * struct pddgpu_device - an open card
 */
struct pddgpu_device {
	/** @fd: its file */
	int fd;
	/** @refs: the caller's, and one for all that was made from it */
	atomic_uint refs;
	/** @page: bytes of a page of the kernel's */
	uint64_t page;
	/** @paths: where to look */
	const struct pddi_paths *paths;
	/** @share_lock: guards @shared, @shared_room, and the use of its buffers */
	pthread_mutex_t share_lock;
	/** @shared: by handle, buffers that may come in by import; or none */
	struct pddi_slot *shared;
	/** @shared_room: entries of @shared */
	uint32_t shared_room;
	/** @id: its names; what is not known is empty */
	struct pddgpu_device_id id;
};

/* Unlike drmIoctl() not again on EAGAIN, which is an answer here: O_NONBLOCK. */
static inline int pddi_ioctl(const struct pddgpu_device *dev, unsigned long request, void *arg)
{
	int ret;

	do {
		ret = ioctl(dev->fd, request, arg);
	} while (ret && errno == EINTR);
	return ret ? -errno : 0;
}

/* device.c */
int pddi_list(const struct pddi_paths *paths, struct pddgpu_device_id *out, unsigned int max);
int pddi_open(const struct pddi_paths *paths, const char *name, struct pddgpu_device **out);
int pddi_open_fd(const struct pddi_paths *paths, int fd, struct pddgpu_device **out);
struct pddgpu_device *pddi_ref(struct pddgpu_device *dev);
bool pddi_gone(const struct pddgpu_device *dev);

/* bo.c */
struct pddgpu_device *pddi_bo_device(const struct pddgpu_bo *bo);

/* names.c */
bool pddi_is_pci(const char *text);
bool pddi_is_node(const char *name, const char *prefix, int *number);
bool pddi_pci_of(const char *link, char pci[16]);
bool pddi_our_driver(const char *link);
int pddi_find(const struct pddi_paths *paths, struct pddgpu_device_id **out);
int pddi_full_pci(const char *name, char pci[16]);

/* debugfs.c */
int pddi_debugfs_write(const struct pddgpu_device *dev, const char *file, const char *text);

/* time.c */
int64_t pddi_deadline(int64_t timeout_ns);
int64_t pddi_now(void);

/**
 * struct pddi_column - a column that a reader wants
 */
struct pddi_column {
	/** @name: as in the header line */
	const char *name;
	/** @needed: without it the text is none of ours */
	bool needed;
};

#define PDDI_COLUMNS_MAX	64	/* of a header line; what is more is not looked at */
#define PDDI_FIELDS_MAX		16	/* that a reader may want */

/**
 * struct pddi_table - an open text of columns with a header line
 */
struct pddi_table {
	/** @dev: the card */
	struct pddgpu_device *dev;
	/** @fd: the text */
	int fd;
	/** @wanted: columns, in the order of @field */
	const struct pddi_column *wanted;
	/** @count: of @wanted */
	unsigned int count;
	/** @text: what has been read, from @begin to @end */
	char *text;
	/** @room: bytes of @text */
	size_t room;
	/** @begin: first byte not used yet */
	size_t begin;
	/** @end: behind the last byte read */
	size_t end;
	/** @columns: how many the header line has */
	unsigned int columns;
	/** @map: for each, which field it is; or -1 */
	signed char map[PDDI_COLUMNS_MAX];
	/** @line: what pddi_table_split() has not split yet of the line that was read last */
	char *line;
	/** @column: how many columns it has split */
	unsigned int column;
	/** @field: of that line; NULL where it has none, or where that is in @line still */
	char *field[PDDI_FIELDS_MAX];
};

/* table.c */
int pddi_table_open(struct pddgpu_device *dev, const char *file,
		    const struct pddi_column *wanted, unsigned int count,
		    struct pddi_table *table);
int pddi_table_line(struct pddi_table *table);
int pddi_table_split(struct pddi_table *table, unsigned int columns);
int pddi_table_next(struct pddi_table *table);
void pddi_table_close(struct pddi_table *table);

/* text.c */
int pddi_number(const char *text, uint64_t max, uint64_t *value);
int pddi_pid(const char *text, int32_t *pid);
void pddi_unescape(const char *text, char *out, size_t room);
enum pddgpu_state pddi_state(const char *text, size_t length);
uint32_t pddi_domain(const char *text);

/**
 * struct pddi_cards - the cards that a listener knows
 */
struct pddi_cards {
	/** @paths: where to look */
	const struct pddi_paths *paths;
	/** @ids: of each */
	struct pddgpu_device_id *ids;
	/** @count: how many */
	unsigned int count;
};

/* Gives a property of a uevent, or NULL */
typedef const char *(*pddi_property)(void *from, const char *name);

/* uevent.c */
int pddi_cards_init(struct pddi_cards *cards, const struct pddi_paths *paths);
void pddi_cards_fini(struct pddi_cards *cards);
int pddi_uevent(struct pddi_cards *cards, pddi_property get, void *from,
		struct pddgpu_event *out);

#endif /* PDDGPU_INTERNAL_H */
