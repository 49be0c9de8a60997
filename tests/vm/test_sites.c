// SPDX-License-Identifier: MIT
/*
 * Where buffers are allocated: the ioctl always, and while leak_stacks is on the call
 * stack, the process's own functions with it. Those of this program have frame
 * pointers.
 */
#include "pdt.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static int setup_on(void **state)
{
	return pdt_setup(state) || pdt_stacks("1");
}

static int teardown_off(void **state)
{
	int rc = pdt_stacks("0");

	return pdt_teardown(state) || rc;
}

#define site_test(f) cmocka_unit_test_setup_teardown(f, setup_on, teardown_off)

static void off_it_is_the_ioctl(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_site site;
	uint32_t one, two, other;

	assert_ok(pdt_create_one(s->fd, &one));
	assert_ok(pdt_create_two(s->fd, &two));
	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &other));
	assert_int_equal(pdt_site_of(s->fd, one), pdt_site_of(s->fd, two));
	assert_int_equal(pdt_site_of(s->fd, one), pdt_site_of(s->fd, other));
	assert_ok(pdt_site(s->fd, pdt_site_of(s->fd, one), &site));
	assert_int_equal(site.site, pdt_site_of(s->fd, one));
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
	assert_ok(pdt_site(s->fd, pdt_site_of(s->fd, ours), &site));
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

	assert_ok(pdt_create_one(s->fd, &handle));
	assert_ok(pdt_site(s->fd, pdt_site_of(s->fd, handle), &site));
	user = pdt_first_user(&site);
	assert_true(user >= 3);
	for (own = 0; own < user; own++)
		if (!strcmp(site.frames[own].name, "pddgpu_gem_create_ioctl"))
			break;
	assert_true(own < user);
	assert_string_equal(site.frames[own + 1].name, "drm_ioctl_kernel");
	assert_true(site.count >= user + 3);
	assert_true(pdt_lies_in(&site.frames[user], pdt_create_deepest));
	assert_true(pdt_lies_in(&site.frames[user + 1], pdt_create_one));
	assert_true(pdt_lies_in(&site.frames[user + 2], on_it_is_the_stack));
	for (uint32_t i = user; i < user + 3; i++)
		assert_true(pdt_ends_with(site.frames[i].name, "/test_sites"));
	for (uint32_t i = user; i < site.count; i++)
		assert_int_equal(site.frames[i].kind, PDDGPU_FRAME_USER);
}

static void places_are_told_apart(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_site site[2];
	uint32_t handle[5];

	for (int i = 0; i < 2; i++)
		assert_ok(pdt_create_one(s->fd, &handle[i]));
	assert_ok(pdt_create_two(s->fd, &handle[2]));
	assert_ok(pdt_create_one(s->fd, &handle[3]));
	assert_int_equal(pdt_site_of(s->fd, handle[0]), pdt_site_of(s->fd, handle[1]));
	assert_int_not_equal(pdt_site_of(s->fd, handle[0]), pdt_site_of(s->fd, handle[2]));
	/* Two calls in one function are two places. */
	assert_int_not_equal(pdt_site_of(s->fd, handle[0]), pdt_site_of(s->fd, handle[3]));
	assert_ok(pdt_site(s->fd, pdt_site_of(s->fd, handle[0]), &site[0]));
	assert_ok(pdt_site(s->fd, pdt_site_of(s->fd, handle[2]), &site[1]));
	assert_true(pdt_lies_in(&site[0].frames[pdt_first_user(&site[0]) + 1], pdt_create_one));
	assert_true(pdt_lies_in(&site[1].frames[pdt_first_user(&site[1]) + 1], pdt_create_two));
	for (int i = 0; i < 100; i++) {
		uint32_t again;

		assert_ok(pdt_destroy(s->fd, handle[1]));
		assert_ok(pdt_create_one(s->fd, &handle[1]));
		again = pdt_site_of(s->fd, handle[1]);
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
	child_check(!pdt_create_one(fd, &handle));
	/* The parent has a place for the answer in shared memory */
	*(volatile uint32_t *)s->priv = pdt_site_of(fd, handle);
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
	loop[1] = (uintptr_t)pdt_create_one + 1;
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
			assert_ok(pdt_site(s->fd, pdt_site_of(s->fd, handle), &site));
			assert_true(pdt_first_user(&site) < site.count);
			assert_true(pdt_lies_in(&site.frames[pdt_first_user(&site)], create_with));
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
	assert_ok(pdt_site(s->fd, pdt_site_of(s->fd, args.handle), &site));
	user = pdt_first_user(&site);
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

	assert_ok(pdt_create_two(s->fd, &handle));
	assert_ok(pdt_site(s->fd, pdt_site_of(s->fd, handle), &site));
	for (uint32_t i = 0; i < site.count; i++)
		assert_true(site.frames[i].offset < 1 << 28);
	text = pdt_debugfs_read("leak_sites");
	assert_non_null(text);
	/* Whatever is in these functions and files has fewer than eight digits */
	for (char *at = text; (at = strstr(at, "0x")); at += 2)
		assert_true(strspn(at + 2, "0123456789abcdef") < 8);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(off_it_is_the_ioctl),
		pdt_test(imports_have_their_own),
#ifdef __x86_64__
		site_test(on_it_is_the_stack),
		site_test(places_are_told_apart),
		site_test(children_have_the_same),
		site_test(pointers_of_all_kinds),
		site_test(code_without_a_file),
#endif
		site_test(no_addresses),
	};

	return pdt_run_tests("sites", tests);
}
