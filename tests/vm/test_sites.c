// SPDX-License-Identifier: MIT
/*
 * Where buffers are allocated: the ioctl always, and while leak_stacks is on the call
 * stack, the process's own functions with it. Those of this program have frame
 * pointers; the last test fills the table of stacks, and loads the driver anew.
 */
#include "pdt.h"

#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define USER	1000
#define STACKS	"/sys/module/pddgpu/parameters/leak_stacks"

#define framed	__attribute__((noipa, optimize("no-omit-frame-pointer", "no-optimize-sibling-calls")))

/* As GEM_CREATE, with the call into the kernel in the function itself */
static inline __attribute__((always_inline)) int create_here(int fd, uint32_t *handle)
{
	struct drm_pddgpu_gem_create args = {
		.size = PDT_PAGE,
		.domains = PDT_GTT,
	};
#ifdef __x86_64__
	long rc;

	__asm__ volatile("syscall" : "=a"(rc) : "a"(16L), "D"((long)fd),
			 "S"((long)DRM_IOCTL_PDDGPU_GEM_CREATE), "d"(&args)
			 : "rcx", "r11", "memory");
#else
	int rc = pdt_ioctl(fd, DRM_IOCTL_PDDGPU_GEM_CREATE, &args);
#endif
	*handle = args.handle;
	return (int)rc;
}

static framed int deepest(int fd, uint32_t *handle)
{
	return create_here(fd, handle);
}

static framed int through_one(int fd, uint32_t *handle)
{
	int rc = deepest(fd, handle);

	__asm__ volatile("");
	return rc;
}

static framed int through_two(int fd, uint32_t *handle)
{
	int rc = deepest(fd, handle);

	__asm__ volatile("nop");
	return rc;
}

/* A level for each bit: as many stacks as there are numbers */
static framed int by_number(int fd, unsigned int bits, unsigned int levels, uint32_t *handle)
{
	int rc;

	if (!levels)
		return deepest(fd, handle);
	if (bits & 1) {
		rc = by_number(fd, bits >> 1, levels - 1, handle);
		__asm__ volatile("nop");
	} else {
		rc = by_number(fd, bits >> 1, levels - 1, handle);
		__asm__ volatile("");
	}
	return rc;
}

static int find_base(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	*(uintptr_t *)arg = info->dlpi_addr;
	return 1;
}

/* Does a frame lie in a function of this program's? A position-independent one's
 * addresses are those of its file, but for where it was loaded.
 */
static bool lies_in(const struct drm_pddgpu_frame *frame, const void *function)
{
	uintptr_t base = 0, at, offset = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, end, from;
	char line[512];

	dl_iterate_phdr(find_base, &base);
	at = (uintptr_t)function;
	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &from) == 3 && at >= start &&
		    at < end)
			offset = at - start + from;
	if (maps)
		fclose(maps);
	return offset && frame->kind == PDDGPU_FRAME_USER && frame->offset >= offset &&
	       frame->offset < offset + 160;
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), tail = strlen(end);

	return length >= tail && !strcmp(text + length - tail, end);
}

/* The process's own frames: the number of the first one */
static uint32_t first_user(const struct drm_pddgpu_site *site)
{
	uint32_t i;

	for (i = 0; i < site->count; i++)
		if (site->frames[i].kind == PDDGPU_FRAME_USER)
			break;
	return i;
}

static uint32_t site_of(int fd, uint32_t handle)
{
	struct drm_pddgpu_object object;

	return pdt_object(fd, handle, &object) ? 0 : object.site;
}

static int stacks(const char *value)
{
	return pdt_file_write(STACKS, value);
}

static int setup_on(void **state)
{
	return pdt_setup(state) || stacks("1");
}

static int teardown_off(void **state)
{
	int rc = stacks("0");

	return pdt_teardown(state) || rc;
}

#define site_test(f) cmocka_unit_test_setup_teardown(f, setup_on, teardown_off)

static void off_it_is_the_ioctl(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_site site;
	uint32_t one, two, other;

	assert_ok(through_one(s->fd, &one));
	assert_ok(through_two(s->fd, &two));
	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &other));
	assert_int_equal(site_of(s->fd, one), site_of(s->fd, two));
	assert_int_equal(site_of(s->fd, one), site_of(s->fd, other));
	assert_ok(pdt_site(s->fd, site_of(s->fd, one), &site));
	assert_int_equal(site.site, site_of(s->fd, one));
	assert_int_equal(site.count, 1);
	assert_int_equal(site.frames[0].kind, PDDGPU_FRAME_KERNEL);
	assert_string_equal(site.frames[0].name, "pddgpu_gem_create_ioctl");
	assert_true(site.frames[0].offset > 0 && site.frames[0].offset < 65536);
	for (size_t i = sizeof(site.frames[0]); i < sizeof(site.frames); i++)
		assert_int_equal(((char *)site.frames)[i], 0);
}

static void imports_have_their_own(void **state)
{
	struct pdt_state *s = *state;
	int vgem = pdt_vgem_open(), dmabuf;
	struct drm_pddgpu_site site;
	uint32_t theirs, ours;

	if (vgem < 0)
		pdt_skip("no vgem in this machine");
	assert_ok(pdt_vgem_create(vgem, &theirs, &dmabuf));
	assert_ok(pdt_import(s->fd, dmabuf, &ours));
	assert_ok(pdt_site(s->fd, site_of(s->fd, ours), &site));
	assert_int_equal(site.count, 1);
	assert_string_equal(site.frames[0].name, "pddgpu_prime_import");
	close(dmabuf);
	close(vgem);
}

static void on_it_is_the_stack(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_site site;
	uint32_t handle, user, own;

	assert_ok(through_one(s->fd, &handle));
	assert_ok(pdt_site(s->fd, site_of(s->fd, handle), &site));
	user = first_user(&site);
	assert_true(user >= 3);
	for (own = 0; own < user; own++)
		if (!strcmp(site.frames[own].name, "pddgpu_gem_create_ioctl"))
			break;
	assert_true(own < user);
	assert_string_equal(site.frames[own + 1].name, "drm_ioctl_kernel");
	assert_true(site.count >= user + 3);
	assert_true(lies_in(&site.frames[user], deepest));
	assert_true(lies_in(&site.frames[user + 1], through_one));
	assert_true(lies_in(&site.frames[user + 2], on_it_is_the_stack));
	for (uint32_t i = user; i < user + 3; i++)
		assert_true(ends_with(site.frames[i].name, "/test_sites"));
	for (uint32_t i = user; i < site.count; i++)
		assert_int_equal(site.frames[i].kind, PDDGPU_FRAME_USER);
}

static void places_are_told_apart(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_site site[2];
	uint32_t handle[5];

	for (int i = 0; i < 2; i++)
		assert_ok(through_one(s->fd, &handle[i]));
	assert_ok(through_two(s->fd, &handle[2]));
	assert_ok(through_one(s->fd, &handle[3]));
	assert_int_equal(site_of(s->fd, handle[0]), site_of(s->fd, handle[1]));
	assert_int_not_equal(site_of(s->fd, handle[0]), site_of(s->fd, handle[2]));
	/* Two calls in one function are two places. */
	assert_int_not_equal(site_of(s->fd, handle[0]), site_of(s->fd, handle[3]));
	assert_ok(pdt_site(s->fd, site_of(s->fd, handle[0]), &site[0]));
	assert_ok(pdt_site(s->fd, site_of(s->fd, handle[2]), &site[1]));
	assert_true(lies_in(&site[0].frames[first_user(&site[0]) + 1], through_one));
	assert_true(lies_in(&site[1].frames[first_user(&site[1]) + 1], through_two));
	for (int i = 0; i < 100; i++) {
		uint32_t again;

		assert_ok(pdt_destroy(s->fd, handle[1]));
		assert_ok(through_one(s->fd, &handle[1]));
		again = site_of(s->fd, handle[1]);
		if (i)
			assert_int_equal(again, handle[4]);
		handle[4] = again;
	}
}

static int allocates(void *arg)
{
	struct pdt_state *s = arg;
	uint32_t handle;
	int fd = pdt_open();

	child_check(fd >= 0);
	child_check(!through_one(fd, &handle));
	/* The parent has a place for the answer in shared memory */
	*(volatile uint32_t *)s->priv = site_of(fd, handle);
	return 0;
}

static void children_have_the_same(void **state)
{
	struct pdt_state *s = *state;
	volatile uint32_t *site = pdt_shared(PDT_PAGE);
	uint32_t first;

	s->priv = (void *)site;
	assert_int_equal(pdt_run(allocates, s), 0);
	first = *site;
	assert_true(first > 0);
	assert_int_equal(pdt_run(allocates, s), 0);
	assert_int_equal(*site, first);
	munmap((void *)site, PDT_PAGE);
}

/* What the program prints when it is run with the word */
static uint32_t run_again(const char *path, const char *setarch)
{
	char command[600], line[64] = "";
	FILE *pipe;

	snprintf(command, sizeof(command), "exec %s '%s' alloc", setarch, path);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_non_null(fgets(line, sizeof(line), pipe));
	assert_int_equal(pclose(pipe), 0);
	return (uint32_t)strtoul(line, NULL, 10);
}

static void self(char path[512])
{
	ssize_t n = readlink("/proc/self/exe", path, 511);

	assert_true(n > 0);
	path[n] = '\0';
}

/* Wherever the program is loaded */
static void same_in_every_run(void **state)
{
	char path[512];
	uint32_t first;

	(void)state;
	self(path);
	first = run_again(path, "");
	assert_true(first > 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(run_again(path, ""), first);
}

static void copy_self(const char *to)
{
	char path[512], buffer[65536];
	int in, out;
	ssize_t n;

	self(path);
	in = open(path, O_RDONLY);
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, buffer, sizeof(buffer))) > 0)
		assert_int_equal(write(out, buffer, (size_t)n), n);
	close(in);
	close(out);
}

/* Any byte can be in a file's name; of a long one the end is kept. */
static void odd_names(void **state)
{
	struct pdt_state *s = *state;
	static const char odd[] = "/tmp/a b|c\n\\\x1b[31m";
	struct drm_pddgpu_site site;
	char name[300] = "/tmp/", *text;
	uint32_t user;

	copy_self(odd);
	assert_ok(pdt_site(s->fd, run_again(odd, ""), &site));
	assert_string_equal(site.frames[first_user(&site)].name, odd);
	text = pdt_debugfs_read("leak_sites");
	assert_non_null(text);
	assert_non_null(strstr(text, " < /tmp/a\\040b\\174c\\012\\134\\033[31m+0x"));
	free(text);
	unlink(odd);

	memset(name + 5, 'n', 200);
	strcpy(name + 205, "the-end");
	copy_self(name);
	assert_ok(pdt_site(s->fd, run_again(name, ""), &site));
	user = first_user(&site);
	assert_int_equal(strlen(site.frames[user].name), sizeof(site.frames[user].name) - 1);
	assert_true(ends_with(name, site.frames[user].name));
	unlink(name);
}

#ifdef __x86_64__
/* GEM_CREATE with anything for a frame pointer */
static __attribute__((noipa)) int create_with(int fd, uint32_t *handle, uint64_t pointer)
{
	struct drm_pddgpu_gem_create args = {
		.size = PDT_PAGE,
		.domains = PDT_GTT,
	};
	long rc;

	__asm__ volatile("push %%rbp\n\tmov %[pointer], %%rbp\n\tsyscall\n\tpop %%rbp"
			 : "=a"(rc)
			 : "a"(16L), "D"((long)fd), "S"((long)DRM_IOCTL_PDDGPU_GEM_CREATE),
			   "d"(&args), [pointer] "r"(pointer)
			 : "rcx", "r11", "memory");
	*handle = args.handle;
	return (int)rc;
}

static void pointers_of_all_kinds(void **state)
{
	struct pdt_state *s = *state;
	char *pages = mmap(NULL, 3 * PDT_PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t *loop = (uint64_t *)pages, *end, *words, random = pdt_seed(1), size, offset;
	struct drm_pddgpu_site site;
	uint32_t handle, mapped;
	int file;

	assert_ptr_not_equal(pages, MAP_FAILED);
	mprotect(pages + PDT_PAGE, PDT_PAGE, PROT_NONE);
	end = (uint64_t *)(pages + PDT_PAGE - 8);
	loop[0] = (uintptr_t)loop;
	loop[1] = (uintptr_t)through_one + 1;
	loop[2] = (uintptr_t)(loop + 4);
	loop[3] = (uintptr_t)loop;
	loop[4] = (uintptr_t)(loop + 2);
	loop[5] = 0xffffffff81000000;
	file = open("/proc/self/exe", O_RDONLY);
	words = mmap(NULL, PDT_PAGE, PROT_READ, MAP_PRIVATE, file, 0);
	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_GTT, 0, &mapped));
	assert_ok(pdt_map_offset(s->fd, mapped, &offset, &size));
	{
		const uint64_t bad[] = {
			0, 1, 7, 8, 0x1000, (uintptr_t)pages + 1, (uintptr_t)loop,
			(uintptr_t)(loop + 2), (uintptr_t)end, (uintptr_t)pages + PDT_PAGE,
			(uintptr_t)pages + 2 * PDT_PAGE - 8, (uintptr_t)words,
			/* A mapping of a card's memory that nobody has touched */
			(uintptr_t)mmap(NULL, PDT_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
					s->fd, (off_t)offset),
			0x7ffffffff000, 0x7ffffffffff8, 0x800000000000, 0xffff800000000000,
			0xffffffff81000000, 0xffffffffff600000, ~0ULL, ~7ULL, ~15ULL,
		};

		for (size_t i = 0; i < PDT_ARRAY_SIZE(bad) + 500; i++) {
			uint64_t pointer = i < PDT_ARRAY_SIZE(bad) ? bad[i] : pdt_random(&random);

			if (create_with(s->fd, &handle, pointer))
				fail_msg("no buffer with %#llx", (unsigned long long)pointer);
			assert_ok(pdt_site(s->fd, site_of(s->fd, handle), &site));
			assert_true(first_user(&site) < site.count);
			assert_true(lies_in(&site.frames[first_user(&site)], create_with));
			assert_ok(pdt_destroy(s->fd, handle));
		}
		munmap((void *)bad[12], PDT_PAGE);
	}
	/* Nothing was read by it that it would not have had otherwise. */
	{
		struct drm_pddgpu_object object;

		assert_ok(pdt_object(s->fd, mapped, &object));
		assert_int_equal(object.is & PDDGPU_OBJECT_MAPPED, 0);
	}
	munmap(words, PDT_PAGE);
	munmap(pages, 3 * PDT_PAGE);
	close(file);
}

/* Code that is in no file has a frame without a name. */
static void code_without_a_file(void **state)
{
	struct pdt_state *s = *state;
	/* push rbp; mov rbp, rsp; mov eax, 16; syscall; pop rbp; ret */
	static const unsigned char code[] = {
		0x55, 0x48, 0x89, 0xe5, 0xb8, 16, 0, 0, 0, 0x0f, 0x05, 0x5d, 0xc3,
	};
	struct drm_pddgpu_gem_create args = { .size = PDT_PAGE, .domains = PDT_GTT };
	struct drm_pddgpu_site site;
	long (*jit)(long fd, unsigned long request, void *arg);
	uint32_t user;
	void *page;

	page = mmap(NULL, PDT_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(page, MAP_FAILED);
	memcpy(page, code, sizeof(code));
	memcpy(&jit, &page, sizeof(jit));
	assert_int_equal(jit(s->fd, DRM_IOCTL_PDDGPU_GEM_CREATE, &args), 0);
	assert_ok(pdt_site(s->fd, site_of(s->fd, args.handle), &site));
	user = first_user(&site);
	assert_true(user < site.count);
	assert_string_equal(site.frames[user].name, "");
	assert_u64(site.frames[user].offset, 0);
	munmap(page, PDT_PAGE);
}
#endif

/* Never an address: neither of the kernel's, nor of the process's */
static void no_addresses(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_site site;
	uint32_t handle;
	char *text;

	assert_ok(through_two(s->fd, &handle));
	assert_ok(pdt_site(s->fd, site_of(s->fd, handle), &site));
	for (uint32_t i = 0; i < site.count; i++)
		assert_true(site.frames[i].offset < 1 << 28);
	text = pdt_debugfs_read("leak_sites");
	assert_non_null(text);
	/* Whatever is in these functions and files has fewer than eight digits */
	for (char *at = text; (at = strstr(at, "0x")); at += 2)
		assert_true(strspn(at + 2, "0123456789abcdef") < 8);
	free(text);
}

static void counted_in_leak_sites(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle[3], number, site;
	unsigned long long objects, bytes;
	char *text, *line;
	bool found = false;

	for (int i = 0; i < 3; i++)
		assert_ok(through_two(s->fd, &handle[i]));
	site = site_of(s->fd, handle[0]);
	for (int round = 0; round < 2; round++) {
		text = pdt_debugfs_read("leak_sites");
		assert_non_null(text);
		assert_int_equal(strncmp(text, "site   objects    bytes ", 24), 0);
		found = false;
		for (line = strchr(text, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
			assert_int_equal(sscanf(line + 1, "%u %llu %llu", &number, &objects,
						&bytes), 3);
			if (number != site)
				continue;
			found = true;
			assert_u64(objects, round ? 0 : 3);
			assert_u64(bytes, round ? 0 : 3 * PDT_PAGE);
		}
		free(text);
		assert_true(found);
		for (int i = 0; i < 3; i++)
			if (!round)
				assert_ok(pdt_destroy(s->fd, handle[i]));
		assert_true(round || pdt_level_wait(s->fd, &s->before));
	}
}

static int asks_for_sites(void *arg)
{
	struct pdt_state *s = arg;
	const uint32_t *theirs = s->priv;
	struct drm_pddgpu_site site;
	uint32_t handle, own;
	int fd;

	child_check(!pdt_become_user(USER));
	fd = pdt_open();
	child_check(fd >= 0);
	/* The kernel's own functions are no secret, others' call stacks are. */
	child_check(!pdt_site(fd, theirs[0], &site));
	child_check(pdt_site(fd, theirs[1], &site) == -ENOENT);
	child_check(!through_one(fd, &handle));
	own = site_of(fd, handle);
	child_check(own && own != theirs[1]);
	child_check(!pdt_site(fd, own, &site));
	child_check(lies_in(&site.frames[first_user(&site) + 1], through_one));
	return 0;
}

static void others_sites_are_not_told(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle, theirs[2];

	assert_ok(stacks("0"));
	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_GTT, 0, &handle));
	theirs[0] = site_of(s->fd, handle);
	assert_ok(stacks("1"));
	assert_ok(through_one(s->fd, &handle));
	theirs[1] = site_of(s->fd, handle);
	s->priv = theirs;
	assert_int_equal(pdt_run(asks_for_sites, s), 0);
}

static void hostile_arguments(void **state)
{
	struct pdt_state *s = *state;
	static const uint32_t none[] = { 0, 15, 16, 4113, 65535, 65536, 1U << 31, UINT32_MAX };
	struct drm_pddgpu_query args = { .type = PDDGPU_QUERY_SITE, .size = 4 };
	struct drm_pddgpu_site site;
	uint64_t room[1024];
	uint32_t handle, size = 0, number;

	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_GTT, 0, &handle));
	number = site_of(s->fd, handle);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(none); i++)
		assert_err(ENOENT, pdt_site(s->fd, none[i], &site));
	assert_ok(pdt_query(s->fd, PDDGPU_QUERY_SITE, NULL, &size));
	assert_int_equal(size, sizeof(site));
	for (size = 1; size < 4; size++) {
		uint32_t wrong = size;

		assert_err(EINVAL, pdt_query(s->fd, PDDGPU_QUERY_SITE, &site, &wrong));
	}
	assert_err(EFAULT, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_QUERY, &args));
	args.data = 0xffff888000000000;
	assert_err(EFAULT, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_QUERY, &args));

	/* Whoever has room for less gets the beginning, for more zeros behind it. */
	memset(room, 0xa5, sizeof(room));
	room[0] = number;
	size = 8;
	assert_ok(pdt_query(s->fd, PDDGPU_QUERY_SITE, room, &size));
	assert_int_equal(size, sizeof(site));
	assert_true(room[0] >> 32 > 1);
	assert_u64(room[1], 0xa5a5a5a5a5a5a5a5);
	size = sizeof(room);
	assert_ok(pdt_query(s->fd, PDDGPU_QUERY_SITE, room, &size));
	for (size_t i = sizeof(site) / 8; i < PDT_ARRAY_SIZE(room); i++)
		assert_u64(room[i], 0);
}

struct crowd {
	int fd;
	volatile int stop;
	volatile int failed;
};

static void *create_and_free(void *arg)
{
	struct crowd *c = arg;
	struct drm_pddgpu_site site;
	uint32_t handle, number;

	while (!c->stop) {
		if (through_one(c->fd, &handle)) {
			c->failed = 1;
			break;
		}
		number = site_of(c->fd, handle);
		if (!number || pdt_site(c->fd, number, &site) || pdt_destroy(c->fd, handle))
			c->failed = 1;
	}
	return NULL;
}

static void switched_while_used(void **state)
{
	struct pdt_state *s = *state;
	struct crowd c = { .fd = s->fd };
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, create_and_free, &c), 0);
	for (unsigned int i = 0; i < 40; i++) {
		assert_ok(stacks(i % 2 ? "1" : "0"));
		pdt_sleep_ms(10);
	}
	c.stop = 1;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(c.failed, 0);
}

/* What has no place any more is told by its ioctl; what has one keeps it. */
static void full(void **state)
{
	int fd = pdt_open();
	struct drm_pddgpu_site site;
	uint32_t handle, number, kept = 0, last = 0, without = 0;

	(void)state;
	assert_true(fd >= 0);
	assert_ok(stacks("1"));
	for (unsigned int i = 0; i < 5000; i++) {
		if (!i || i == 4999) {
			assert_ok(through_one(fd, &handle));
			kept = i ? kept : site_of(fd, handle);
			assert_int_equal(site_of(fd, handle), kept);
			last = last ? last : kept;
		}
		assert_ok(by_number(fd, i, 12 + i / 4096, &handle));
		number = site_of(fd, handle);
		assert_ok(pdt_site(fd, number, &site));
		if (site.count == 1) {
			assert_string_equal(site.frames[0].name, "pddgpu_gem_create_ioctl");
			without++;
		} else {
			assert_true(number > last);
			last = number;
			assert_int_equal(without, 0);
		}
		assert_ok(pdt_destroy(fd, handle));
	}
	assert_true(without > 0 && last > 4000);
	assert_ok(stacks("0"));
	close(fd);
	assert_ok(pdt_module_unload());
	assert_ok(pdt_module_load());
	assert_ok(pdt_wait_for_card());
}

static int alloc(void)
{
	int fd = pdt_open();
	uint32_t handle;

	if (fd < 0 || through_one(fd, &handle))
		return 1;
	printf("%u\n", site_of(fd, handle));
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		pdt_test(off_it_is_the_ioctl),
		pdt_test(imports_have_their_own),
#ifdef __x86_64__
		site_test(on_it_is_the_stack),
		site_test(places_are_told_apart),
		site_test(children_have_the_same),
		site_test(same_in_every_run),
		site_test(odd_names),
		site_test(pointers_of_all_kinds),
		site_test(code_without_a_file),
#endif
		site_test(no_addresses),
		site_test(counted_in_leak_sites),
		site_test(others_sites_are_not_told),
		site_test(hostile_arguments),
		site_test(switched_while_used),
		cmocka_unit_test(full),
	};

	if (argc > 1 && !strcmp(argv[1], "alloc"))
		return alloc();
	return pdt_run_tests("sites", tests);
}
