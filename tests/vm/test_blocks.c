// SPDX-License-Identifier: MIT
/* vram_blocks and gtt_blocks: what lies where, each byte once. */
#include "pdt.h"

#include <fcntl.h>
#include <unistd.h>

static const struct segment {
	const char *file;
	uint32_t domain;
} segments[] = {
	{ "vram_blocks", PDT_VRAM },
	{ "gtt_blocks", PDT_GTT },
};

enum { VRAM, GTT };

static uint64_t segment_size(int fd, unsigned int which)
{
	struct drm_pddgpu_device_info info;

	assert_ok(pdt_device_info(fd, &info));
	return which == VRAM ? info.vram_size : info.gtt_size;
}

/* Bytes of a segment's states, as QUERY has them; the map has to agree with it. */
static void assert_agrees(struct pdt_state *s, unsigned int which)
{
	uint64_t size = segment_size(s->fd, which), rest;
	struct drm_pddgpu_ownership own[3];
	struct pdt_block *blocks;
	size_t count;

	assert_ok(pdt_ownership(s->fd, own));
	blocks = pdt_blocks(segments[which].file, &count);
	assert_non_null(blocks);
	assert_true(pdt_blocks_whole(blocks, count, size));
	assert_u64(pdt_blocks_sum(blocks, count, "LIVE"), own[which].live);
	assert_u64(pdt_blocks_sum(blocks, count, "ORPHAN"), own[which].orphan);
	assert_u64(pdt_blocks_sum(blocks, count, "ZOMBIE"), own[which].zombie);
	rest = pdt_blocks_sum(blocks, count, "KERNEL");
	if (which == VRAM)
		assert_u64(rest, own[VRAM].kernel);
	/* What is being cleared counts as free */
	assert_u64(pdt_blocks_sum(blocks, count, "FREE") +
		   pdt_blocks_sum(blocks, count, "CLEARING"),
		   size - rest - own[which].live - own[which].orphan - own[which].zombie);
	free(blocks);
}

static void at_rest(void **state)
{
	struct pdt_state *s = *state;

	for (unsigned int i = 0; i < PDT_ARRAY_SIZE(segments); i++)
		assert_agrees(s, i);
}

/* A buffer's place in the map is where GEM_INFO says that it is. */
static void where_buffers_are(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_device_info info;
	struct drm_pddgpu_gem_info at;
	struct pdt_block *blocks;
	uint32_t handle[8];
	size_t count, found;
	int dmabuf;

	assert_ok(pdt_device_info(s->fd, &info));
	for (unsigned int w = 0; w < PDT_ARRAY_SIZE(segments); w++) {
		for (size_t i = 0; i < PDT_ARRAY_SIZE(handle); i++)
			assert_ok(pdt_create(s->fd, (3 + i) * PDT_PAGE, segments[w].domain,
					     w == VRAM ? PDDGPU_GEM_CREATE_VRAM_CONTIGUOUS : 0,
					     &handle[i]));
		assert_ok(pdt_export(s->fd, handle[0], &dmabuf));
		assert_ok(pdt_info(s->fd, handle[0], &at));
		assert_ok(pdt_destroy(s->fd, handle[0]));
		assert_agrees(s, w);
		blocks = pdt_blocks(segments[w].file, &count);
		assert_non_null(blocks);
		for (size_t i = 0; i < PDT_ARRAY_SIZE(handle); i++) {
			if (i)
				assert_ok(pdt_info(s->fd, handle[i], &at));
			found = 0;
			for (size_t b = 0; b < count; b++) {
				if (blocks[b].offset + (w == VRAM ? info.vram_start :
							info.gtt_start) != at.offset)
					continue;
				found++;
				assert_u64(blocks[b].size, (3 + i) * PDT_PAGE);
				assert_string_equal(blocks[b].state, i ? "LIVE" : "ORPHAN");
				assert_int_equal(blocks[b].pid, getpid());
				assert_string_equal(blocks[b].comm, "test_blocks");
			}
			assert_int_equal(found, 1);
		}
		free(blocks);
		for (size_t i = 1; i < PDT_ARRAY_SIZE(handle); i++)
			assert_ok(pdt_destroy(s->fd, handle[i]));
		close(dmabuf);
		assert_true(pdt_level_wait(s->fd, &s->before));
		assert_agrees(s, w);
	}
}

/* Free VRAM is shown as the allocator has it: by powers of two, each at its place. */
static void free_blocks_by_order(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle[256];
	uint64_t order_of[64] = { 0 };
	struct pdt_block *blocks;
	size_t count;

	for (size_t i = 0; i < PDT_ARRAY_SIZE(handle); i++)
		assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &handle[i]));
	for (size_t i = 0; i < PDT_ARRAY_SIZE(handle); i += 2)
		assert_ok(pdt_destroy(s->fd, handle[i]));
	blocks = pdt_blocks("vram_blocks", &count);
	assert_non_null(blocks);
	assert_true(pdt_blocks_whole(blocks, count, segment_size(s->fd, VRAM)));
	for (size_t i = 0; i < count; i++) {
		if (strcmp(blocks[i].state, "FREE"))
			continue;
		assert_u64(blocks[i].size & (blocks[i].size - 1), 0);
		order_of[__builtin_ctzll(blocks[i].size)]++;
	}
	/* Pages between pages, and large ones elsewhere */
	assert_true(order_of[12] > 0);
	assert_true(count > PDT_ARRAY_SIZE(handle) / 2);
	free(blocks);
	for (size_t i = 1; i < PDT_ARRAY_SIZE(handle); i += 2)
		assert_ok(pdt_destroy(s->fd, handle[i]));
}

/* A buffer in pieces is one line where its pieces adjoin, and whole in sum. */
static void in_pieces(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_block *blocks;
	size_t count, pieces = 0;
	uint64_t sum = 0, last = 0;
	uint32_t handle;

	assert_ok(pdt_create(s->fd, 7 * PDT_MIB + 13 * PDT_PAGE, PDT_VRAM, 0, &handle));
	blocks = pdt_blocks("vram_blocks", &count);
	assert_non_null(blocks);
	for (size_t i = 0; i < count; i++) {
		if (blocks[i].pid != getpid())
			continue;
		assert_string_equal(blocks[i].state, "LIVE");
		/* Joined where it could be */
		assert_true(!pieces || blocks[i].offset > last);
		last = blocks[i].offset + blocks[i].size;
		sum += blocks[i].size;
		pieces++;
	}
	assert_u64(sum, 7 * PDT_MIB + 13 * PDT_PAGE);
	free(blocks);
	assert_ok(pdt_destroy(s->fd, handle));
}

struct churn {
	int fd;
	volatile bool stop;
	uint64_t size[2];
};

/* However much moves, each reading tells of each byte once. */
static int churn(void *arg, unsigned int index)
{
	struct churn *churn = arg;
	uint64_t random = pdt_seed(77) + index;
	uint32_t handles[64] = { 0 };

	for (unsigned int i = 0; index == 0 && i < 30; i++) {
		size_t count;
		struct pdt_block *blocks = pdt_blocks(segments[i % 2].file, &count);

		child_check(blocks);
		child_check(pdt_blocks_whole(blocks, count, churn->size[i % 2]));
		free(blocks);
	}
	if (index == 0)
		churn->stop = true;
	while (!churn->stop) {
		uint64_t r = pdt_random(&random);
		uint32_t *handle = &handles[r % 64];

		if (!*handle) {
			child_check(!pdt_create(churn->fd, (1 + r / 64 % 50) * PDT_PAGE,
						PDT_BOTH | PDT_CPU, 0, handle));
		} else if (r & 1 << 20) {
			child_check(!pdt_set_domain(churn->fd, *handle,
						    (r & 1 << 21 ? PDT_VRAM : PDT_GTT) |
						    PDT_CPU, NULL));
		} else {
			child_check(!pdt_destroy(churn->fd, *handle));
			*handle = 0;
		}
	}
	for (size_t i = 0; i < PDT_ARRAY_SIZE(handles); i++)
		child_check(!handles[i] || !pdt_destroy(churn->fd, handles[i]));
	return 0;
}

static void read_while_all_moves(void **state)
{
	struct pdt_state *s = *state;
	struct churn shared = { .fd = s->fd };

	for (unsigned int i = 0; i < 2; i++)
		shared.size[i] = segment_size(s->fd, i);
	assert_int_equal(pdt_threads(4, churn, &shared), 0);
	assert_true(pdt_level_wait(s->fd, &s->before));
	at_rest(state);
}

/* A record that was rebuilt knows whose everything is, too. */
static void after_recovery(void **state)
{
	struct pdt_state *s = *state;
	static const char *const names[] = { "vram", "gtt" };
	struct pdt_block *before, *after;
	uint32_t handle[2][20];
	size_t count[2];

	for (unsigned int w = 0; w < 2; w++)
		for (size_t i = 0; i < 20; i++)
			assert_ok(pdt_create(s->fd, (1 + i % 5) * PDT_PAGE, segments[w].domain, 0,
					     &handle[w][i]));
	for (unsigned int w = 0; w < 2; w++) {
		before = pdt_blocks(segments[w].file, &count[0]);
		assert_non_null(before);
		assert_ok(pdt_debugfs_write("recover_count", "0"));
		assert_ok(pdt_debugfs_write("inject_error",
					    w == VRAM ? "vram lost" : "gtt lost"));
		/* The page that was lost is nobody's */
		after = pdt_blocks(segments[w].file, &count[1]);
		assert_non_null(after);
		assert_true(pdt_blocks_whole(after, count[1], segment_size(s->fd, w)));
		assert_u64(pdt_blocks_sum(after, count[1], "KERNEL"),
			   pdt_blocks_sum(before, count[0], "KERNEL") + PDT_PAGE);
		assert_u64(pdt_blocks_sum(after, count[1], "LIVE"),
			   pdt_blocks_sum(before, count[0], "LIVE"));
		free(after);
		assert_err(EIO, pdt_debugfs_write("check", names[w]));
		assert_ok(pdt_debugfs_write("recover", names[w]));
		assert_agrees(s, w);
		after = pdt_blocks(segments[w].file, &count[1]);
		assert_non_null(after);
		for (size_t i = 0, j = 0; i < count[0]; i++) {
			if (strcmp(before[i].state, "LIVE"))
				continue;
			while (j < count[1] && strcmp(after[j].state, "LIVE"))
				j++;
			assert_true(j < count[1]);
			assert_u64(after[j].offset, before[i].offset);
			assert_u64(after[j].size, before[i].size);
			assert_u64(after[j].client, before[i].client);
			j++;
		}
		free(before);
		free(after);
		for (size_t i = 0; i < 20; i++)
			assert_ok(pdt_destroy(s->fd, handle[w][i]));
	}
	assert_true(pdt_level_wait(s->fd, &s->before));
	at_rest(state);
	assert_ok(pdt_settings_restore());
}

/* Read in odd pieces it is the same text, and pread() begins anew. */
static void in_any_pieces(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle[100];
	char *whole, byte, *parts;
	size_t len, done = 0;
	ssize_t n;
	int fd;

	for (size_t i = 0; i < PDT_ARRAY_SIZE(handle); i++)
		assert_ok(pdt_create(s->fd, (1 + i % 3) * PDT_PAGE, PDT_GTT, 0, &handle[i]));
	whole = pdt_debugfs_read("gtt_blocks");
	assert_non_null(whole);
	len = strlen(whole);
	parts = calloc(1, len + 1);
	assert_non_null(parts);
	fd = open(pdt_debugfs_path("gtt_blocks"), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	while (done < len && (n = read(fd, parts + done, done % 7 ? 1 : 61)) > 0)
		done += (size_t)n;
	assert_int_equal(done, len);
	assert_int_equal(read(fd, &byte, 1), 0);
	assert_string_equal(parts, whole);
	assert_int_equal(pread(fd, parts, 100, 1000), 100);
	assert_memory_equal(parts, whole + 1000, 100);
	close(fd);
	assert_int_equal(open(pdt_debugfs_path("gtt_blocks"), O_RDWR | O_CLOEXEC), -1);
	assert_int_equal(errno, EACCES);
	free(whole);
	free(parts);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(handle); i++)
		assert_ok(pdt_destroy(s->fd, handle[i]));
}

/* As many as there are in a card full of small buffers; a picture of it is quick */
static void very_many(void **state)
{
	size_t count, most = pdt_many(50000), made = 0;
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	uint64_t began, took, room;
	struct pdt_block *blocks;
	uint32_t *handle;
	char *text;

	assert_ok(pdt_stats(s->fd, &stats));
	/* Where the CPU clears them, which is sooner done than by so many jobs */
	room = (stats.vram_visible_total - stats.vram_visible_used) / PDT_PAGE * 9 / 10;
	if (most > room)
		most = room;
	handle = calloc(most, sizeof(*handle));
	assert_non_null(handle);
	for (; made < most; made++)
		assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM,
				     PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED, &handle[made]));
	for (size_t i = 0; i < made; i += 2)
		assert_ok(pdt_destroy(s->fd, handle[i]));
	began = pdt_now_ms();
	text = pdt_debugfs_read("vram_blocks");
	took = pdt_now_ms() - began;
	assert_non_null(text);
	free(text);
	blocks = pdt_blocks("vram_blocks", &count);
	assert_non_null(blocks);
	assert_true(pdt_blocks_whole(blocks, count, segment_size(s->fd, VRAM)));
	assert_true(count > made / 2);
	printf("# %zu blocks read in %llu ms\n", count, (unsigned long long)took);
	free(blocks);
	for (size_t i = 1; i < made; i += 2)
		assert_ok(pdt_destroy(s->fd, handle[i]));
	free(handle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(at_rest),
		pdt_test(where_buffers_are),
		pdt_test(free_blocks_by_order),
		pdt_test(in_pieces),
		pdt_test(read_while_all_moves),
		pdt_test(after_recovery),
		pdt_test(in_any_pieces),
		pdt_test(very_many),
	};

	return pdt_run_tests("blocks", tests);
}
