/* SPDX-License-Identifier: MIT */
/*
 * Helpers of the tests that run in a VM over the ioctls.
 *
 * Calls that can fail return 0 or a negative errno, so that a test can assert
 * on either with assert_ok() and assert_err(). None of them asserts by itself:
 * they work in threads and in child processes, where cmocka's assertions don't.
 */
#ifndef PDT_H
#define PDT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <cmocka.h>

#include <drm/pddgpu_drm.h>

#define PDT_KIB		(1024ULL)
#define PDT_MIB		(1024ULL * 1024)
#define PDT_GIB		(1024ULL * 1024 * 1024)
#define PDT_PAGE	4096ULL

#define PDT_CPU		PDDGPU_GEM_DOMAIN_CPU
#define PDT_GTT		PDDGPU_GEM_DOMAIN_GTT
#define PDT_VRAM	PDDGPU_GEM_DOMAIN_VRAM
#define PDT_BOTH	(PDDGPU_GEM_DOMAIN_VRAM | PDDGPU_GEM_DOMAIN_GTT)

#define PDT_USWC	PDDGPU_GEM_CREATE_CPU_GTT_USWC

#define PDT_ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* The whole of the suite is over long before; only a hang takes this long. */
#define PDT_HANG_SECONDS	100

/* Assertions, in the test's own process and thread only */
#define assert_ok(call) do {							\
	int rc_ = (call);							\
	if (rc_)								\
		fail_msg("%s: %s", #call, strerror(-rc_));			\
} while (0)

#define assert_err(err, call) do {						\
	int rc_ = (call);							\
	if (rc_ != -(err))							\
		fail_msg("%s: %s, not %s", #call,				\
			 rc_ ? strerror(-rc_) : "succeeded", strerror(err));	\
} while (0)

#define assert_u64(a, b) do {							\
	uint64_t a_ = (a), b_ = (b);						\
	if (a_ != b_)								\
		fail_msg("%s is %llu, %s is %llu", #a, (unsigned long long)a_,	\
			 #b, (unsigned long long)b_);				\
} while (0)

/* In a child process or a thread: say what is wrong and return 1 */
#define child_check(cond) do {							\
	if (!(cond)) {								\
		fprintf(stderr, "# %s:%d: not true in a child: %s (%s)\n",	\
			__FILE__, __LINE__, #cond, strerror(errno));		\
		return 1;							\
	}									\
} while (0)

/* Says why and leaves the test as skipped */
#define pdt_skip(...) do {							\
	printf("# skipped, %s: ", __func__);					\
	printf(__VA_ARGS__);							\
	printf("\n");								\
	skip();									\
} while (0)

/* What would take a large part of a run's time on a kernel that is slow */
#define pdt_need_speed() do {							\
	if (pdt_slow() > 1 && !pdt_count("PDT_LONG", 0))			\
		pdt_skip("it takes minutes on a slow kernel; PDT_LONG=1 runs it"); \
} while (0)

/* device.c */
int pdt_open(void);
int pdt_open_card(const char *driver, bool render);
const char *pdt_render_path(void);
const char *pdt_pci_name(void);
int pdt_ioctl(int fd, unsigned long request, void *arg);
int pdt_create(int fd, uint64_t size, uint32_t domains, uint32_t flags, uint32_t *handle);
int pdt_create_aligned(int fd, uint64_t size, uint32_t alignment, uint32_t domains,
		       uint32_t flags, uint32_t *handle);
int pdt_destroy(int fd, uint32_t handle);
int pdt_info(int fd, uint32_t handle, struct drm_pddgpu_gem_info *info);
uint32_t pdt_domain(int fd, uint32_t handle);
int pdt_set_domain(int fd, uint32_t handle, uint32_t domains, uint32_t *now);
int pdt_map_offset(int fd, uint32_t handle, uint64_t *offset, uint64_t *size);
int pdt_mmap(int fd, uint32_t handle, uint64_t size, void **ptr);
int pdt_query(int fd, uint32_t type, void *data, uint32_t *size);
int pdt_stats(int fd, struct drm_pddgpu_memory_stats *stats);
int pdt_segments(int fd, struct drm_pddgpu_segment *segments, unsigned int max,
		 unsigned int *count);
int pdt_device_info(int fd, struct drm_pddgpu_device_info *info);
int pdt_export(int fd, uint32_t handle, int *dmabuf);
int pdt_import(int fd, int dmabuf, uint32_t *handle);

/**
 * struct pdt_buffer - a buffer with what it should hold
 */
struct pdt_buffer {
	/** @size: bytes */
	uint64_t size;
	/** @seed: of its pattern */
	uint64_t seed;
	/** @map: its mapping, or NULL */
	void *map;
	/** @handle: its handle */
	uint32_t handle;
	/** @domains: where it may live */
	uint32_t domains;
};

int pdt_buffer_create(int fd, struct pdt_buffer *buf, uint64_t size, uint32_t domains,
		      uint32_t flags);
void pdt_buffer_fill(struct pdt_buffer *buf, uint64_t seed);
int pdt_buffer_check(const struct pdt_buffer *buf);
void pdt_buffer_destroy(int fd, struct pdt_buffer *buf);
size_t pdt_fill_domain(int fd, struct pdt_buffer *bufs, size_t max, uint64_t chunk,
		       uint32_t domains, int *err);

/* Bytes as the driver rounds them */
static inline uint64_t pdt_pages(uint64_t size)
{
	return (size + PDT_PAGE - 1) & ~(PDT_PAGE - 1);
}

/* pattern.c */
uint64_t pdt_seed(uint64_t preset);
uint64_t pdt_random(uint64_t *state);
void pdt_pattern_fill(void *ptr, uint64_t size, uint64_t seed);
int64_t pdt_pattern_check(const void *ptr, uint64_t size, uint64_t seed);
int64_t pdt_zero_check(const void *ptr, uint64_t size);

/* process.c */
pid_t pdt_fork(int (*fn)(void *arg), void *arg);
int pdt_wait(pid_t pid);
int pdt_run(int (*fn)(void *arg), void *arg);
int pdt_send_fd(int sock, int fd);
int pdt_receive_fd(int sock);
int pdt_become_user(unsigned int uid);
int pdt_command(const char *const argv[]);
unsigned int pdt_threads(unsigned int count, int (*fn)(void *arg, unsigned int index),
			 void *arg);
void *pdt_shared(size_t size);
uint64_t pdt_now_ms(void);
unsigned int pdt_slow(void);
unsigned int pdt_many(unsigned int n);
bool pdt_coredump_find(char *path, size_t room);
bool pdt_coredump_wait(char *path, size_t room, bool wanted);
void pdt_coredump_free(void);
unsigned int pdt_count(const char *name, unsigned int preset);
void pdt_sleep_ms(unsigned int ms);

/* kernel.c */
int pdt_file_write(const char *path, const char *text);
char *pdt_file_read(const char *path);
int pdt_file_u64(const char *path, uint64_t *value);
int pdt_debugfs_write(const char *file, const char *text);
int pdt_debugfs_write_u64(const char *file, uint64_t value);
char *pdt_debugfs_read(const char *file);
int pdt_debugfs_u64(const char *file, uint64_t *value);
int pdt_debugfs_stat(const char *name, uint64_t *value);
int pdt_vram_mm(const char *name, uint64_t *value);
const char *pdt_debugfs_path(const char *file);
int pdt_number_of(const char *text, const char *name, uint64_t *value);
int pdt_meminfo(const char *name, uint64_t *bytes);

/**
 * struct pdt_setting - a debugfs file that holds a number
 */
struct pdt_setting {
	/** @file: its name */
	const char *file;
	/** @preset: what the driver sets it to when it is loaded */
	uint64_t preset;
	/** @min: the least it takes */
	uint64_t min;
	/** @max: the most it takes */
	uint64_t max;
};

extern const struct pdt_setting pdt_settings[];
extern const size_t pdt_settings_count;
int pdt_settings_restore(void);

/**
 * struct pdt_log - the kernel log from one moment on
 */
struct pdt_log {
	/** @fd: /dev/kmsg */
	int fd;
	/** @text: the lines read so far, without their prefixes */
	char *text;
	/** @len: bytes of it */
	size_t len;
};

int pdt_log_open(struct pdt_log *log);
void pdt_log_close(struct pdt_log *log);
void pdt_log_restart(struct pdt_log *log);
unsigned int pdt_log_count(struct pdt_log *log, const char *what);
const char *pdt_log_find(struct pdt_log *log, const char *what);
bool pdt_log_wait(struct pdt_log *log, const char *what);
void pdt_log_forgive(struct pdt_log *log, const char *function);
const char *pdt_log_complaint(struct pdt_log *log);

/* submit.c */
int pdt_submit(int fd, const struct drm_pddgpu_submit_op *ops, uint32_t count);
int pdt_submit_sync(int fd, const struct drm_pddgpu_submit_op *ops, uint32_t count,
		    uint32_t wait, uint64_t wait_point, uint32_t signal,
		    uint64_t signal_point);
struct drm_pddgpu_submit_op pdt_copy(uint32_t dst, uint64_t dst_offset, uint32_t src,
				     uint64_t src_offset, uint64_t bytes);
struct drm_pddgpu_submit_op pdt_fill(uint32_t dst, uint64_t dst_offset, uint64_t bytes,
				     uint32_t pattern);
struct drm_pddgpu_submit_op pdt_random_op(const struct pdt_buffer *bufs,
					  unsigned char *const *bytes, size_t count,
					  uint64_t size, uint64_t *random);
int pdt_wait_idle(int fd, uint32_t handle, unsigned int ms);
int pdt_syncobj_create(int fd, uint32_t *handle);
int pdt_syncobj_destroy(int fd, uint32_t handle);
int pdt_syncobj_wait(int fd, uint32_t handle, uint64_t point, unsigned int ms);

int pdt_glass_create(int fd, struct pdt_buffer *glass);
int pdt_glass_zero_check(int fd, const struct pdt_buffer *glass, uint32_t handle,
			 uint64_t size, uint64_t most);
int pdt_spoil(int fd, uint32_t handle, uint64_t size, uint32_t pattern);

/* residency.c */

/**
 * struct pdt_limits - what may be unpageable in a segment
 */
struct pdt_limits {
	/** @client: bytes for one client */
	uint64_t client;
	/** @all: for all together */
	uint64_t all;
	/** @used: by all together */
	uint64_t used;
	/** @size: of the segment */
	uint64_t size;
};

int pdt_set_domain_flags(int fd, uint32_t handle, uint32_t domains, uint32_t flags,
			 uint32_t *now);
bool pdt_unpageable(int fd, uint32_t handle);
int pdt_limits(const char *segment, struct pdt_limits *limits);
int pdt_limits_set(const char *segment, uint64_t client, uint64_t all);
int pdt_limits_restore(void);
int pdt_page_out(const char *segment, uint64_t bytes, uint64_t *moved);
int pdt_listed(const char *segment, const char *list, uint64_t *sizes, int max);
uint64_t pdt_residency_sum(const char *name);

/* fdinfo.c */
enum pdt_fdinfo_region {
	PDT_FDINFO_VRAM,
	PDT_FDINFO_GTT,
	PDT_FDINFO_MEMORY,
	PDT_FDINFO_REGIONS,
};

/**
 * struct pdt_fdinfo - what fdinfo says of a client; bytes
 */
struct pdt_fdinfo {
	/** @driver: its name */
	char driver[32];
	/** @pdev: the card's on the PCI bus */
	char pdev[32];
	/** @client_id: no other open file has it */
	uint64_t client_id;
	/** @copy_ns: time of the users' engine */
	uint64_t copy_ns;
	/** @paging_ns: time of the paging engine */
	uint64_t paging_ns;
	/** @evictions: of its buffers */
	uint64_t evictions;
	/** @total: by preferred region */
	uint64_t total[PDT_FDINFO_REGIONS];
	/** @shared: of that */
	uint64_t shared[PDT_FDINFO_REGIONS];
	/** @resident: by the region where it is */
	uint64_t resident[PDT_FDINFO_REGIONS];
	/** @active: of that */
	uint64_t active[PDT_FDINFO_REGIONS];
	/** @purgeable: of that */
	uint64_t purgeable[PDT_FDINFO_REGIONS];
};

int pdt_fdinfo(int fd, struct pdt_fdinfo *info);
int pdt_fdinfo_of(pid_t pid, int fd, struct pdt_fdinfo *info);
bool pdt_fdinfo_is_empty(const struct pdt_fdinfo *info);

/* control.c */
int pdt_control(const char *command, char *answer, size_t room);
int pdt_control_stat(const char *name, uint64_t *value);
int pdt_control_peek(uint64_t addr, void *data, size_t bytes);

/* sleep.c */
int pdt_sleep(const char *how);
int pdt_pm_number(const char *name, int64_t *value);

/* owners.c */

/**
 * struct pdt_owner - a line of owners
 */
struct pdt_owner {
	/** @client: DRM client */
	uint64_t client;
	/** @pid: process */
	int pid;
	/** @comm: its name, as it is printed */
	char comm[68];
	/** @bytes: by VRAM, GTT, CPU; then by LIVE, ORPHAN, ZOMBIE */
	uint64_t bytes[3][3];
	/** @objects: by LIVE, ORPHAN, ZOMBIE */
	uint64_t objects[3];
};

/**
 * struct pdt_block - a line of vram_blocks or gtt_blocks
 */
struct pdt_block {
	/** @offset: in the segment */
	uint64_t offset;
	/** @size: bytes */
	uint64_t size;
	/** @state: a word */
	char state[12];
	/** @client: DRM client */
	unsigned long long client;
	/** @pid: process */
	int pid;
	/** @comm: its name, as it is printed */
	char comm[68];
};

int pdt_ownership(int fd, struct drm_pddgpu_ownership out[3]);
int pdt_set_label(int fd, uint32_t handle, const char *label);
struct pdt_owner *pdt_owners(size_t *count);
struct pdt_block *pdt_blocks(const char *file, size_t *count);
bool pdt_blocks_whole(const struct pdt_block *blocks, size_t count, uint64_t size);
uint64_t pdt_blocks_sum(const struct pdt_block *blocks, size_t count, const char *state);

/* evidence.c */
int pdt_objects_ask(int fd, struct drm_pddgpu_objects *header, void *room, uint32_t size);
struct drm_pddgpu_object *pdt_objects(int fd, size_t *count);
int pdt_object_by_id(int fd, uint64_t id, struct drm_pddgpu_object *out);
int pdt_object(int fd, uint32_t handle, struct drm_pddgpu_object *out);
bool pdt_object_wait(int fd, uint64_t id, uint32_t mask, uint32_t wanted);
int pdt_site(int fd, uint32_t site, struct drm_pddgpu_site *out);
int pdt_unfreed_ask(int fd, struct drm_pddgpu_unfreed_list *header,
		    struct drm_pddgpu_unfreed *out, uint32_t room);
uint64_t pdt_unfreed_last(int fd);
uint64_t pdt_now_ns(void);

/* sites.c */
int pdt_create_deepest(int fd, uint32_t *handle);
int pdt_create_one(int fd, uint32_t *handle);
int pdt_create_two(int fd, uint32_t *handle);
int pdt_create_by_number(int fd, unsigned int bits, unsigned int levels, uint32_t *handle);
bool pdt_lies_in(const struct drm_pddgpu_frame *frame, const void *function);
bool pdt_ends_with(const char *text, const char *end);
uint32_t pdt_first_user(const struct drm_pddgpu_site *site);
uint32_t pdt_site_of(int fd, uint32_t handle);
int pdt_stacks(const char *value);

/* uevent.c */
int pdt_uevents_open(void);
bool pdt_uevent_wait(int fd, const char *line, unsigned int ms, char *event, size_t room);
int pdt_uevent_u64(const char *event, const char *name, uint64_t *value);

/* trace.c */
int pdt_trace_on(const char *event);
int pdt_trace_off(void);
bool pdt_trace_has(const char *event);
char *pdt_trace_read(void);
const char *pdt_trace_find(const char *trace, const char *event, const char *const words[]);
int pdt_trace_u64(const char *line, const char *field, uint64_t *value);

/* sysfs: a figure of the card's */
int pdt_sysfs_u64(const char *name, uint64_t *value);

/* vgem.c */
int pdt_vgem_open(void);
int pdt_vgem_create(int vgem, uint32_t *handle, int *dmabuf);
int pdt_vgem_busy(int vgem, uint32_t handle, uint32_t *fence);
int pdt_vgem_signal(int vgem, uint32_t fence);

/* module.c */
bool pdt_module_loaded(void);
int pdt_module_unload(void);
int pdt_module_load(void);
int pdt_module_load_with(const char *const parameters[]);
int pdt_parameter(const char *name, const char *value);
int pdt_wait_for_card(void);
int pdt_pci_write(const char *device, const char *file, const char *text);
void pdt_pci_driver(const char *device, char *driver, size_t room);
size_t pdt_pci_ivshmem(char (*names)[32], size_t max);

/* inject.c */
bool pdt_can_inject(void);
int pdt_fail_nth(unsigned int n);
bool pdt_failed_one(void);
int pdt_fail_driver(unsigned int percent);
int pdt_fail_spare(const char *name);

#define pdt_need_injection() do {						\
	if (!pdt_can_inject())							\
		pdt_skip("this kernel has no fault injection");			\
} while (0)
/* plug.c */
bool pdt_can_plug(void);
int pdt_plug_out(void);
int pdt_plug_in(void);

/* gone.c */
enum pdt_way {
	/* Registers read as all ones; VRAM stays */
	PDT_ONES,
	/* Memory decoding is switched off: all of it reads as all ones */
	PDT_BUS,
	/* The device program dies */
	PDT_DIE,
	/* sysfs: remove, and rescan */
	PDT_REMOVE,
	/* sysfs: unbind, and bind */
	PDT_UNBIND,
	/* QEMU's monitor */
	PDT_PLUG,
	PDT_WAYS,
};

extern const char *const pdt_way_names[PDT_WAYS];
bool pdt_way_possible(enum pdt_way way);
int pdt_take_away(enum pdt_way way);
int pdt_bring_back(enum pdt_way way);
int pdt_gone_works(void);
int pdt_gone_setup(void **state);
int pdt_gone_teardown(void **state);

/* The card is taken away in it, and brought back; then the driver is unloaded. */
#define pdt_gone_test(f) \
	cmocka_unit_test_setup_teardown(f, pdt_gone_setup, pdt_gone_teardown)
/* reset.c */
int pdt_fence_fd(int fd, uint32_t syncobj, int *sync);
int pdt_fence_fd_wait(int sync, unsigned int ms);
int pdt_fence_status(int fd, uint32_t syncobj);
int pdt_submit_fence(int fd, const struct drm_pddgpu_submit_op *ops, uint32_t count,
		     int *sync);
int pdt_reset_figure(const char *name, uint64_t *value);
int pdt_reset_chip(void);
bool pdt_vram_lost(int fd, uint32_t handle);
int pdt_vram_lost_seen(int fd, uint32_t handle, uint32_t domains);

/* fixture.c */

/**
 * struct pdt_level - what must be the same after a test as before it
 */
struct pdt_level {
	/** @vram_used: bytes */
	uint64_t vram_used;
	/** @gtt_used: bytes */
	uint64_t gtt_used;
	/** @objects: tracked objects */
	uint64_t objects;
};

/**
 * struct pdt_state - what a test is given
 */
struct pdt_state {
	/** @fd: the device, opened for this test */
	int fd;
	/** @before: levels before the test */
	struct pdt_level before;
	/** @log: the kernel log since the test began */
	struct pdt_log log;
	/** @priv: the test program's own */
	void *priv;
};

int pdt_level_read(int fd, struct pdt_level *level);
bool pdt_level_wait(int fd, const struct pdt_level *level);
int pdt_setup(void **state);
int pdt_teardown(void **state);

#define pdt_test(f) cmocka_unit_test_setup_teardown(f, pdt_setup, pdt_teardown)

/* cmocka counts the elements itself, so its macro must see the array. */
#define pdt_run_tests(name, tests) \
	(pdt_main_init(), cmocka_run_group_tests_name(name, tests, NULL, NULL) ? 1 : 0)
void pdt_main_init(void);

#endif /* PDT_H */
