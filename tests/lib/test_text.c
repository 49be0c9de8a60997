// SPDX-License-Identifier: MIT
/* What debugfs says: owners, leaks, blocks, numbers; as recorded, odd, and hostile. */
#include "fake.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static void owners(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_owners *reader;
	struct pddgpu_owner owner;
	int i, j;

	tree_data(&rig->tree, "owners", "owners.txt");
	assert_ok(pddgpu_owners_open(rig->dev, &reader));
	memset(&owner, 0xaa, sizeof(owner));
	assert_int_equal(pddgpu_owners_next(reader, &owner), 1);
	assert_int_equal(owner.client_id, 7);
	assert_int_equal(owner.pid, 1234);
	assert_string_equal(owner.comm, "glxgears");
	assert_int_equal(owner.comm[PDDGPU_COMM_MAX - 1], 0);
	assert_int_equal(owner.bytes[PDDGPU_REGION_VRAM][PDDGPU_STATE_LIVE], 1048576);
	assert_int_equal(owner.bytes[PDDGPU_REGION_VRAM][PDDGPU_STATE_ZOMBIE], 8192);
	assert_int_equal(owner.bytes[PDDGPU_REGION_GTT][PDDGPU_STATE_LIVE], 65536);
	assert_int_equal(owner.bytes[PDDGPU_REGION_CPU][PDDGPU_STATE_ZOMBIE], 12288);
	assert_int_equal(owner.objects[PDDGPU_STATE_LIVE], 3);
	assert_int_equal(owner.objects[PDDGPU_STATE_ZOMBIE], 2);
	assert_int_equal(owner.reserved[7], 0);
	assert_int_equal(pddgpu_owners_next(reader, &owner), 1);
	assert_string_equal(owner.comm, "a b\nc\\d\303\244\033[31m");
	for (i = 0; i < 3; i++)
		for (j = 0; j < 3; j++)
			assert_int_equal(owner.bytes[i][j], 3 * i + j + 1);
	assert_int_equal(owner.objects[2], 12);
	assert_int_equal(pddgpu_owners_next(reader, &owner), 1);
	assert_int_equal(owner.client_id, UINT64_MAX);
	assert_int_equal(owner.pid, INT32_MAX);
	assert_string_equal(owner.comm, "");
	assert_int_equal(owner.bytes[0][0], UINT64_MAX);
	assert_int_equal(pddgpu_owners_next(reader, &owner), 1);
	assert_int_equal(owner.client_id, 0);
	assert_int_equal(owner.bytes[PDDGPU_REGION_CPU][PDDGPU_STATE_ORPHAN], 40960);
	assert_int_equal(owner.bytes[PDDGPU_REGION_CPU][PDDGPU_STATE_LIVE], 0);
	assert_int_equal(pddgpu_owners_next(reader, &owner), 0);
	assert_int_equal(pddgpu_owners_next(reader, &owner), 0);
	/* The last call left what was read before. */
	assert_int_equal(owner.objects[PDDGPU_STATE_ORPHAN], 1);
	pddgpu_owners_close(reader);
}

/* More columns, in another order, and fewer */
static void other_columns(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_owners *reader;
	struct pddgpu_owner owner;
	int i;

	tree_data(&rig->tree, "owners", "owners-newer.txt");
	assert_ok(pddgpu_owners_open(rig->dev, &reader));
	assert_int_equal(pddgpu_owners_next(reader, &owner), 1);
	assert_int_equal(owner.client_id, 7);
	assert_int_equal(owner.pid, 55);
	assert_string_equal(owner.comm, "x");
	for (i = 0; i < 9; i++)
		assert_int_equal(owner.bytes[i / 3][i % 3], i + 1);
	for (i = 0; i < 3; i++)
		assert_int_equal(owner.objects[i], i + 10);
	pddgpu_owners_close(reader);

	tree_debugfs(&rig->tree, "owners", "comm client pid live\nx 1 2 3\n");
	assert_ok(pddgpu_owners_open(rig->dev, &reader));
	assert_int_equal(pddgpu_owners_next(reader, &owner), 1);
	assert_int_equal(owner.objects[0], 3);
	assert_int_equal(owner.bytes[0][0], 0);
	pddgpu_owners_close(reader);
}

static void leaks(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_leaks *reader;
	struct pddgpu_leak leak;

	tree_data(&rig->tree, "leak_objects", "leak_objects.txt");
	assert_ok(pddgpu_leaks_open(rig->dev, &reader));
	assert_int_equal(pddgpu_leaks_next(reader, &leak), 1);
	assert_int_equal(leak.age_ms, 600123);
	assert_int_equal(leak.size, 10485760);
	assert_int_equal(leak.domain, PDDGPU_GEM_DOMAIN_VRAM);
	assert_int_equal(leak.state, PDDGPU_STATE_LIVE);
	assert_true(leak.confirmed);
	assert_int_equal(leak.pid, 148);
	assert_string_equal(leak.comm, "memory_leak_tes");
	assert_string_equal(leak.label, "");
	assert_string_equal(leak.stack,
			    "pddgpu_gem_create_ioctl+0x40/0x200 [pddgpu] < drm_ioctl+0x1/0x2");
	assert_int_equal(pddgpu_leaks_next(reader, &leak), 1);
	assert_int_equal(leak.domain, PDDGPU_GEM_DOMAIN_GTT);
	assert_int_equal(leak.state, PDDGPU_STATE_ORPHAN);
	assert_false(leak.confirmed);
	assert_string_equal(leak.comm, "a\tb");
	assert_string_equal(leak.label, "imported");
	assert_string_equal(leak.stack, "");
	assert_int_equal(pddgpu_leaks_next(reader, &leak), 1);
	assert_int_equal(leak.domain, PDDGPU_GEM_DOMAIN_CPU);
	assert_int_equal(leak.state, PDDGPU_STATE_ZOMBIE);
	assert_string_equal(leak.comm, "");
	assert_string_equal(leak.stack, "");
	/* Words that nobody has heard of yet; a process whose name is a dash */
	assert_int_equal(pddgpu_leaks_next(reader, &leak), 1);
	assert_int_equal(leak.domain, 0);
	assert_int_equal(leak.state, PDDGPU_STATE_UNKNOWN);
	assert_string_equal(leak.comm, "-");
	assert_string_equal(leak.label, "vertex data\nfor \303\244");
	assert_string_equal(leak.stack, "a");
	assert_int_equal(pddgpu_leaks_next(reader, &leak), 0);
	pddgpu_leaks_close(reader);
}

static void blocks(void **state)
{
	static const enum pddgpu_state states[] = {
		PDDGPU_STATE_KERNEL, PDDGPU_STATE_LIVE, PDDGPU_STATE_ORPHAN, PDDGPU_STATE_ZOMBIE,
		PDDGPU_STATE_CLEARING, PDDGPU_STATE_FREE, PDDGPU_STATE_UNKNOWN,
	};
	struct rig *rig = *state;
	struct pddgpu_blocks *reader = NULL;
	struct pddgpu_block block;
	uint64_t next = 0;

	tree_data(&rig->tree, "vram_blocks", "vram_blocks.txt");
	assert_err(EINVAL, pddgpu_blocks_open(rig->dev, 0, &reader));
	assert_err(EINVAL, pddgpu_blocks_open(rig->dev, PDDGPU_GEM_DOMAIN_CPU, &reader));
	assert_err(EINVAL, pddgpu_blocks_open(rig->dev, 6, &reader));
	/* An older driver has debugfs, and not this file. */
	assert_err(EOPNOTSUPP, pddgpu_blocks_open(rig->dev, PDDGPU_GEM_DOMAIN_GTT, &reader));
	assert_ok(pddgpu_blocks_open(rig->dev, PDDGPU_GEM_DOMAIN_VRAM, &reader));
	for (size_t i = 0; i < PDDI_ARRAY_SIZE(states); i++) {
		assert_int_equal(pddgpu_blocks_next(reader, &block), 1);
		assert_int_equal(block.offset, next);
		assert_int_equal(block.state, states[i]);
		assert_string_equal(block.comm, i && i < 4 ? "bash" : "");
		assert_int_equal(block.client_id, i && i < 4 ? 3 : 0);
		next += block.size;
	}
	assert_int_equal(pddgpu_blocks_next(reader, &block), 0);
	pddgpu_blocks_close(reader);
}

/* Nothing of ours */
static void wrong_headers(void **state)
{
	static const char *const texts[] = {
		"", "\n", "offset size state", "offset size\n1 2\n", "client pid\n", "\377\376\n",
		"offset offset size\n1 2 3\n", "OFFSET SIZE STATE\n",
	};
	struct rig *rig = *state;
	struct pddgpu_blocks *reader = NULL;

	for (size_t i = 0; i < PDDI_ARRAY_SIZE(texts); i++) {
		tree_debugfs(&rig->tree, "gtt_blocks", texts[i]);
		assert_err(EPROTO, pddgpu_blocks_open(rig->dev, PDDGPU_GEM_DOMAIN_GTT, &reader));
	}
	assert_null(reader);
}

/* A line that makes no sense is said, and those behind it are read. */
static void wrong_lines(void **state)
{
	static const char *const lines[] = {
		"1", "1 2", "x 2 FREE", "1 -2 FREE", "1 +2 FREE", "1 0x2 FREE", "1 2.0 FREE",
		"18446744073709551616 2 FREE", "99999999999999999999999 2 FREE",
		"1 2 FREE x 1 a", "1 2 FREE 1 x a", "1 2 FREE 1 2147483648 a", "1 2 FREE 1 - a",
	};
	struct rig *rig = *state;
	struct pddgpu_blocks *reader;
	struct pddgpu_block block;
	char text[512];

	for (size_t i = 0; i < PDDI_ARRAY_SIZE(lines); i++) {
		memset(&block, 0x55, sizeof(block));
		snprintf(text, sizeof(text), "offset size state client pid comm\n%s\n\n"
			 " 5\t6  FREE 1 -1 a b c\n", lines[i]);
		tree_debugfs(&rig->tree, "gtt_blocks", text);
		assert_ok(pddgpu_blocks_open(rig->dev, PDDGPU_GEM_DOMAIN_GTT, &reader));
		assert_err(EPROTO, pddgpu_blocks_next(reader, &block));
		assert_int_equal(block.size, 0x5555555555555555);
		assert_int_equal(pddgpu_blocks_next(reader, &block), 1);
		assert_int_equal(block.offset, 5);
		assert_int_equal(block.size, 6);
		assert_int_equal(block.pid, -1);
		assert_string_equal(block.comm, "a b c");
		assert_int_equal(pddgpu_blocks_next(reader, &block), 0);
		pddgpu_blocks_close(reader);
	}
	/* Cut off in the middle of a number */
	tree_debugfs(&rig->tree, "gtt_blocks", "offset size state\n1 2 FREE\n3 4 FRE");
	assert_ok(pddgpu_blocks_open(rig->dev, PDDGPU_GEM_DOMAIN_GTT, &reader));
	assert_int_equal(pddgpu_blocks_next(reader, &block), 1);
	assert_err(EPROTO, pddgpu_blocks_next(reader, &block));
	assert_int_equal(pddgpu_blocks_next(reader, &block), 0);
	pddgpu_blocks_close(reader);
}

/* What is behind size and offset is the same in many lines, and almost the same in others. */
static void same_ends(void **state)
{
	static const struct {
		const char *end;
		int ret;
		enum pddgpu_state state;
		uint64_t client;
		int32_t pid;
		const char *comm;
	} lines[] = {
		{ "LIVE 3 77 bash", 1, PDDGPU_STATE_LIVE, 3, 77, "bash" },
		{ "LIVE 3 77 bash", 1, PDDGPU_STATE_LIVE, 3, 77, "bash" },
		{ "FREE 0 0 -", 1, PDDGPU_STATE_FREE, 0, 0, "" },
		{ "LIVE 3 77 bas", 1, PDDGPU_STATE_LIVE, 3, 77, "bas" },
		{ "LIVE 3 77 bash", 1, PDDGPU_STATE_LIVE, 3, 77, "bash" },
		{ "LIVE 3 77 bash2", 1, PDDGPU_STATE_LIVE, 3, 77, "bash2" },
		{ "LIVE 3 x bash2", -EPROTO, 0, 0, 0, NULL },
		{ "LIVE 3 x bash2", -EPROTO, 0, 0, 0, NULL },
		{ "LIVE 3 77 bash2", 1, PDDGPU_STATE_LIVE, 3, 77, "bash2" },
		{ "FREE 0 0 -", 1, PDDGPU_STATE_FREE, 0, 0, "" },
		{ "LOST 3 77 bash2", 1, PDDGPU_STATE_UNKNOWN, 3, 77, "bash2" },
		{ "LIVE 3 77 bash2", 1, PDDGPU_STATE_LIVE, 3, 77, "bash2" },
		{ "LIVE 4 77 bash2", 1, PDDGPU_STATE_LIVE, 4, 77, "bash2" },
		{ "LIVE", 1, PDDGPU_STATE_LIVE, 0, 0, "" },
		{ "", -EPROTO, 0, 0, 0, NULL },
		{ "", -EPROTO, 0, 0, 0, NULL },
	};
	/* The same columns in other orders */
	static const char *const others[] = {
		"offset state size\n0 LIVE 5\n5 LIVE 6\n11 LIVE 6\n",
		"size offset state\n5 0 LIVE\n6 5 LIVE\n6 11 LIVE\n",
		"more offset size state\nx 0 5 LIVE\nx 5 6 LIVE\nx 11 6 LIVE\n",
		"offset more size state\n0 x 5 LIVE\n5 x 6 LIVE\n11 x 6 LIVE\n",
	};
	struct rig *rig = *state;
	struct pddgpu_blocks *reader;
	struct pddgpu_block block;
	char text[4096];
	size_t i, n;

	n = (size_t)sprintf(text, "offset size state client pid comm\n");
	for (i = 0; i < PDDI_ARRAY_SIZE(lines); i++)
		n += (size_t)sprintf(text + n, "%zu %zu %s\n", i * 10, i + 1, lines[i].end);
	tree_debugfs(&rig->tree, "gtt_blocks", text);
	assert_ok(pddgpu_blocks_open(rig->dev, PDDGPU_GEM_DOMAIN_GTT, &reader));
	for (i = 0; i < PDDI_ARRAY_SIZE(lines); i++) {
		assert_int_equal(pddgpu_blocks_next(reader, &block), lines[i].ret);
		if (lines[i].ret < 0)
			continue;
		assert_int_equal(block.offset, i * 10);
		assert_int_equal(block.size, i + 1);
		assert_int_equal(block.state, lines[i].state);
		assert_int_equal(block.client_id, lines[i].client);
		assert_int_equal(block.pid, lines[i].pid);
		assert_string_equal(block.comm, lines[i].comm);
	}
	assert_int_equal(pddgpu_blocks_next(reader, &block), 0);
	pddgpu_blocks_close(reader);
	for (i = 0; i < PDDI_ARRAY_SIZE(others); i++) {
		tree_debugfs(&rig->tree, "gtt_blocks", others[i]);
		assert_ok(pddgpu_blocks_open(rig->dev, PDDGPU_GEM_DOMAIN_GTT, &reader));
		for (n = 0; n < 3; n++) {
			assert_int_equal(pddgpu_blocks_next(reader, &block), 1);
			assert_int_equal(block.offset, n * 5 + n / 2);
			assert_int_equal(block.size, n ? 6 : 5);
			assert_int_equal(block.state, PDDGPU_STATE_LIVE);
		}
		assert_int_equal(pddgpu_blocks_next(reader, &block), 0);
		pddgpu_blocks_close(reader);
	}
}

/* Lines around the size of the buffer, and one longer than any may be */
static void long_lines(void **state)
{
	static const size_t lengths[] = { 65500, 65535, 65536, 70000, 900000, 1048570, 5000000 };
	struct rig *rig = *state;
	struct pddgpu_leaks *reader;
	struct pddgpu_leak leak;
	char *text;

	text = malloc(6000000);
	assert_non_null(text);
	for (size_t i = 0; i < PDDI_ARRAY_SIZE(lengths); i++) {
		size_t n = (size_t)sprintf(text, "age_ms size state stack\n1 2 LIVE,young ");

		memset(text + n, 'x', lengths[i]);
		strcpy(text + n + lengths[i], "\n3 4 LIVE,young z\n");
		tree_debugfs(&rig->tree, "leak_objects", text);
		assert_ok(pddgpu_leaks_open(rig->dev, &reader));
		if (lengths[i] < 1048560) {
			assert_int_equal(pddgpu_leaks_next(reader, &leak), 1);
			assert_int_equal(strlen(leak.stack), lengths[i]);
		} else {
			assert_err(EPROTO, pddgpu_leaks_next(reader, &leak));
		}
		assert_int_equal(pddgpu_leaks_next(reader, &leak), 1);
		assert_int_equal(leak.age_ms, 3);
		assert_string_equal(leak.stack, "z");
		pddgpu_leaks_close(reader);
	}
	free(text);
}

static void many_lines(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_blocks *reader;
	struct pddgpu_block block;
	char path[160];
	uint64_t i;
	FILE *f;

	tree_debugfs(&rig->tree, "vram_blocks", "");
	snprintf(path, sizeof(path), "%s/dri/" PCI0 "/vram_blocks", rig->tree.paths.debugfs);
	f = fopen(path, "w");
	fputs("offset size state client pid comm\n", f);
	for (i = 0; i < 100000; i++)
		fprintf(f, "%llu 4096 LIVE %llu 1 process\\040%llu\n",
			(unsigned long long)i * 4096, (unsigned long long)i,
			(unsigned long long)i);
	assert_int_equal(fclose(f), 0);
	assert_ok(pddgpu_blocks_open(rig->dev, PDDGPU_GEM_DOMAIN_VRAM, &reader));
	for (i = 0; pddgpu_blocks_next(reader, &block) == 1; i++)
		if (block.offset != i * 4096 || block.client_id != i)
			fail_msg("block %llu", (unsigned long long)i);
	assert_int_equal(i, 100000);
	pddgpu_blocks_close(reader);
}

static void escapes(void **state)
{
	static const struct {
		const char *text, *wanted;
	} cases[] = {
		{ "-", "" }, { "--", "--" }, { "\\055", "-" }, { "\\", "\\" }, { "\\1", "\\1" },
		{ "\\12", "\\12" }, { "\\129", "\\129" }, { "\\000", "\\000" },
		{ "\\400", "\\400" }, { "\\377", "\377" }, { "\\134040", "\\040" },
		{ "\\x41", "\\x41" }, { "a\\n", "a\\n" }, { "\\001\\002", "\001\002" },
		{ "0123456789", "0123456" }, { "\\1010123456", "A012345" },
		{ "012345\\101\\102", "012345A" },
	};
	char out[8];

	(void)state;
	for (size_t i = 0; i < PDDI_ARRAY_SIZE(cases); i++) {
		memset(out, 0xaa, sizeof(out));
		pddi_unescape(cases[i].text, out, sizeof(out));
		assert_string_equal(out, cases[i].wanted);
		assert_int_equal(out[7], 0);
	}
}

/* A file that cannot be read says why. */
static void unreadable(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_owners *reader;
	uint64_t value;

	tree_debugfs(&rig->tree, "owners/file", "x");
	assert_err(EISDIR, pddgpu_owners_open(rig->dev, &reader));
	assert_err(EISDIR, pddgpu_setting_get(rig->dev, "owners", &value));
}

/* Random bytes: nothing is read out of bounds, and it ends. */
static void rubbish(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_leaks *reader;
	struct pddgpu_leak leak;
	static const char bytes[] = "\n\n 0123456789,\\-LIVE\t\1\377";
	uint64_t random = 88172645463325252ULL;
	char path[160], text[4096];
	int round, n;
	FILE *f;

	tree_debugfs(&rig->tree, "leak_objects", "");
	snprintf(path, sizeof(path), "%s/dri/" PCI0 "/leak_objects", rig->tree.paths.debugfs);
	for (round = 0; round < 300; round++) {
		for (n = 0; n < (int)sizeof(text); n++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			text[n] = bytes[random % sizeof(bytes)];
		}
		f = fopen(path, "w");
		fputs("age_ms size domain state pid comm label stack\n", f);
		fwrite(text, 1, sizeof(text), f);
		fclose(f);
		assert_ok(pddgpu_leaks_open(rig->dev, &reader));
		n = 0;
		while (pddgpu_leaks_next(reader, &leak) && n++ < 5000)
			continue;
		assert_in_range(n, 1, 4999);
		pddgpu_leaks_close(reader);
	}
}

static void settings(void **state)
{
	static const char *const names[] = {
		"", ".", "..", "../x", "a/b", "A", "a b", "leak-threshold",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};
	static const char *const texts[] = {
		"", "\n", "5", "x\n", "-1\n", "5\t\n", "5\n5\n", "18446744073709551616\n",
		"11111111111111111111111111111111111111\n",
	};
	struct rig *rig = *state;
	uint64_t value = 3;
	char text[64] = "";
	int fd;

	tree_debugfs(&rig->tree, "leak_threshold", "104857600\n");
	assert_ok(pddgpu_setting_get(rig->dev, "leak_threshold", &value));
	assert_int_equal(value, 104857600);
	assert_ok(pddgpu_setting_set(rig->dev, "leak_threshold", UINT64_MAX));
	fd = pddgpu_debugfs_open(rig->dev, "leak_threshold", O_RDONLY);
	assert_true(fd >= 0);
	assert_int_not_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	assert_int_equal(read(fd, text, sizeof(text) - 1), 20);
	close(fd);
	assert_string_equal(text, "18446744073709551615");
	for (size_t i = 0; i < PDDI_ARRAY_SIZE(names); i++) {
		assert_err(EINVAL, pddgpu_setting_get(rig->dev, names[i], &value));
		assert_err(EINVAL, pddgpu_setting_set(rig->dev, names[i], 1));
		assert_err(EINVAL, pddgpu_debugfs_open(rig->dev, names[i], O_RDONLY));
	}
	for (size_t i = 0; i < PDDI_ARRAY_SIZE(texts); i++) {
		tree_debugfs(&rig->tree, "number", texts[i]);
		assert_err(EINVAL, pddgpu_setting_get(rig->dev, "number", &value));
	}
	assert_int_equal(value, 104857600);
	assert_err(EOPNOTSUPP, pddgpu_setting_get(rig->dev, "other", &value));
	assert_err(EOPNOTSUPP, pddgpu_setting_set(rig->dev, "other", 1));
	/* Nothing was made by trying */
	assert_err(EOPNOTSUPP, pddgpu_debugfs_open(rig->dev, "other", O_RDWR | O_CREAT));
}

static void read_back(const struct tree *tree, const char *file, char text[64])
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/dri/" PCI0 "/%s", tree->paths.debugfs, file);
	f = fopen(path, "r");
	assert_non_null(f);
	text[fread(text, 1, 63, f)] = '\0';
	fclose(f);
}

static void scan_and_clear(void **state)
{
	struct rig *rig = *state;
	char text[64], path[160];

	tree_debugfs(&rig->tree, "trigger_leak_check", "");
	assert_err(EOPNOTSUPP, pddgpu_leaks_clear(rig->dev));
	/* An older driver */
	assert_ok(pddgpu_leaks_scan(rig->dev));
	read_back(&rig->tree, "trigger_leak_check", text);
	assert_string_equal(text, "1");
	/* One that has the file, but for reading: its answer to a write is EINVAL */
	tree_debugfs(&rig->tree, "trigger_leak_check", "");
	snprintf(path, sizeof(path), "%s/dri/" PCI0 "/leak_objects", rig->tree.paths.debugfs);
	assert_int_equal(symlink("/proc/self/oom_score_adj", path), 0);
	assert_err(EOPNOTSUPP, pddgpu_leaks_clear(rig->dev));
	assert_ok(pddgpu_leaks_scan(rig->dev));
	read_back(&rig->tree, "trigger_leak_check", text);
	assert_string_equal(text, "1");
	assert_int_equal(unlink(path), 0);
	tree_debugfs(&rig->tree, "leak_objects", "");
	assert_ok(pddgpu_leaks_scan(rig->dev));
	read_back(&rig->tree, "leak_objects", text);
	assert_string_equal(text, "scan");
	assert_ok(pddgpu_leaks_clear(rig->dev));
	read_back(&rig->tree, "leak_objects", text);
	assert_string_equal(text, "clear");
}

/* Which folder: by address, by number on older kernels, and nobody else's */
static void folders(void **state)
{
	struct rig *rig = *state;
	uint64_t value;

	assert_err(ENOENT, pddgpu_setting_get(rig->dev, "a", &value));
	tree_write(&rig->tree, "debugfs/dri/1/a", "1\n");
	tree_write(&rig->tree, "debugfs/dri/" PCI1 "/a", "2\n");
	assert_err(ENOENT, pddgpu_setting_get(rig->dev, "a", &value));
	tree_write(&rig->tree, "debugfs/dri/0/a", "3\n");
	assert_ok(pddgpu_setting_get(rig->dev, "a", &value));
	assert_int_equal(value, 3);
	tree_debugfs(&rig->tree, "a", "4\n");
	assert_ok(pddgpu_setting_get(rig->dev, "a", &value));
	assert_int_equal(value, 4);
	/* Another card is in its place by now. */
	fake.gone = true;
	assert_err(ENODEV, pddgpu_setting_get(rig->dev, "a", &value));
	assert_err(ENODEV, pddgpu_setting_set(rig->dev, "a", 1));
}

/* As in a test, so in life: who is not root is told so. */
static void no_rights(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_owners *reader = NULL;
	uint64_t value;

	if (geteuid())
		skip();
	tree_data(&rig->tree, "owners", "owners.txt");
	assert_int_equal(chmod(rig->tree.root, 0755), 0);
	assert_int_equal(chmod(rig->tree.paths.debugfs, 0700), 0);
	assert_int_equal(seteuid(65534), 0);
	assert_err(EACCES, pddgpu_owners_open(rig->dev, &reader));
	assert_err(EACCES, pddgpu_setting_get(rig->dev, "leak_threshold", &value));
	assert_err(EACCES, pddgpu_leaks_scan(rig->dev));
	assert_int_equal(seteuid(0), 0);
	assert_null(reader);
	assert_ok(pddgpu_owners_open(rig->dev, &reader));
	pddgpu_owners_close(reader);
}

/* What is behind the stack is none of it; a bar in a name is not what parts them. */
static void behind_the_stack(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_leaks *reader;
	struct pddgpu_leak leak;

	tree_debugfs(&rig->tree, "leak_objects",
		     "age_ms size domain state pid comm label stack\n"
		     "1 2 VRAM LIVE,confirmed 3 a - f+0x1/0x2 < /a\\174b+0x3 | id=4 used_ms=-\n"
		     "1 2 VRAM LIVE,confirmed 3 a - - | id=5 used_ms=6 is=-\n");
	assert_ok(pddgpu_leaks_open(rig->dev, &reader));
	assert_int_equal(pddgpu_leaks_next(reader, &leak), 1);
	assert_string_equal(leak.stack, "f+0x1/0x2 < /a\\174b+0x3");
	assert_int_equal(pddgpu_leaks_next(reader, &leak), 1);
	assert_string_equal(leak.stack, "");
	assert_int_equal(pddgpu_leaks_next(reader, &leak), 0);
	pddgpu_leaks_close(reader);
}

const struct CMUnitTest text_tests[] = {
	rig_test(behind_the_stack),
	rig_test(owners),
	rig_test(other_columns),
	rig_test(leaks),
	rig_test(blocks),
	rig_test(wrong_headers),
	rig_test(wrong_lines),
	rig_test(same_ends),
	rig_test(long_lines),
	rig_test(many_lines),
	cmocka_unit_test(escapes),
	rig_test(unreadable),
	rig_test(rubbish),
	rig_test(settings),
	rig_test(scan_and_clear),
	rig_test(folders),
	rig_test(no_rights),
};

const size_t text_tests_count = PDDI_ARRAY_SIZE(text_tests);
