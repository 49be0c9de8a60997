// SPDX-License-Identifier: MIT
/* Who has the memory, and what lies where. */
#include "pdt.h"

int pdt_ownership(int fd, struct drm_pddgpu_ownership out[3])
{
	uint32_t size = 3 * sizeof(*out);
	int rc = pdt_query(fd, PDDGPU_QUERY_OWNERSHIP, out, &size);

	return rc ? rc : size == 3 * sizeof(*out) ? 0 : -EBADMSG;
}

int pdt_set_label(int fd, uint32_t handle, const char *label)
{
	struct drm_pddgpu_gem_set_label args = {
		.handle = handle,
		.label = (uintptr_t)label,
	};

	return pdt_ioctl(fd, DRM_IOCTL_PDDGPU_GEM_SET_LABEL, &args);
}

static const char *after_line(const char *at)
{
	at = at ? strchr(at, '\n') : NULL;
	return at ? at + 1 : NULL;
}

static size_t lines_of(const char *text)
{
	size_t lines = 0;

	for (; (text = after_line(text)); lines++)
		;
	return lines;
}

static bool parse_owner(const char *line, struct pdt_owner *o)
{
	unsigned long long client, n[12];
	int pid, used = 0;

	if (sscanf(line, "%llu %d %67s%n", &client, &pid, o->comm, &used) != 3)
		return false;
	line += used;
	for (size_t i = 0; i < 12; i++)
		n[i] = strtoull(line, (char **)&line, 10);
	if (*line != '\n')
		return false;
	o->client = client;
	o->pid = pid;
	for (size_t i = 0; i < 9; i++)
		o->bytes[i / 3][i % 3] = n[i];
	for (size_t i = 0; i < 3; i++)
		o->objects[i] = n[9 + i];
	return true;
}

/* All lines of owners, to be freed; NULL when one is not as it should be */
struct pdt_owner *pdt_owners(size_t *count)
{
	static const char header[] = "client pid comm vram_live vram_orphan vram_zombie gtt_live "
		"gtt_orphan gtt_zombie cpu_live cpu_orphan cpu_zombie live orphan zombie\n";
	char *text = pdt_debugfs_read("owners");
	struct pdt_owner *owners = NULL;
	const char *line = text;

	*count = 0;
	if (!text || strncmp(text, header, sizeof(header) - 1)) {
		fprintf(stderr, "# owners: no header\n");
		goto out_free;
	}
	owners = calloc(lines_of(text) + 1, sizeof(*owners));
	while (owners && (line = after_line(line)) && *line) {
		if (!parse_owner(line, &owners[(*count)++])) {
			fprintf(stderr, "# owners: \"%.80s\"\n", line);
			free(owners);
			owners = NULL;
		}
	}
out_free:
	free(text);
	return owners;
}

static bool parse_block(const char *line, struct pdt_block *b)
{
	char *end;

	b->offset = strtoull(line, &end, 10);
	b->size = strtoull(end, &end, 10);
	return sscanf(end, " %11s %llu %d %67s\n", b->state, &b->client, &b->pid,
		      b->comm) == 4;
}

/* All lines of vram_blocks or gtt_blocks, to be freed; NULL as above */
struct pdt_block *pdt_blocks(const char *file, size_t *count)
{
	char *text = pdt_debugfs_read(file);
	struct pdt_block *blocks = NULL;
	const char *line = text;

	*count = 0;
	if (!text || strncmp(text, "offset size state client pid comm\n", 34)) {
		fprintf(stderr, "# %s: no header\n", file);
		goto out_free;
	}
	blocks = calloc(lines_of(text) + 1, sizeof(*blocks));
	while (blocks && (line = after_line(line)) && *line) {
		if (!parse_block(line, &blocks[(*count)++])) {
			fprintf(stderr, "# %s: \"%.80s\"\n", file, line);
			free(blocks);
			blocks = NULL;
		}
	}
out_free:
	free(text);
	return blocks;
}

static bool is_one_of(const char *word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(word, words[i]))
			return true;
	return false;
}

/* Does it tell of each byte of the segment once, in order? Says what is wrong. */
bool pdt_blocks_whole(const struct pdt_block *blocks, size_t count, uint64_t size)
{
	static const char *const states[] = {
		"LIVE", "ORPHAN", "ZOMBIE", "KERNEL", "FREE", "CLEARING",
	};
	uint64_t at = 0;

	for (size_t i = 0; i < count; i++) {
		const struct pdt_block *b = &blocks[i];
		bool owned = b->state[0] == 'L' || b->state[0] == 'O' || b->state[0] == 'Z';

		if (b->offset != at || !b->size || b->size % PDT_PAGE ||
		    !is_one_of(b->state, states, PDT_ARRAY_SIZE(states)) ||
		    (!owned && (b->client || b->pid || strcmp(b->comm, "-")))) {
			fprintf(stderr, "# at %llu: block at %llu of %llu, %s, client %llu\n",
				(unsigned long long)at, (unsigned long long)b->offset,
				(unsigned long long)b->size, b->state, b->client);
			return false;
		}
		at += b->size;
	}
	if (at != size)
		fprintf(stderr, "# the blocks end at %llu of %llu\n", (unsigned long long)at,
			(unsigned long long)size);
	return at == size;
}

/* Bytes of a state */
uint64_t pdt_blocks_sum(const struct pdt_block *blocks, size_t count, const char *state)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		if (!strcmp(blocks[i].state, state))
			sum += blocks[i].size;
	return sum;
}
