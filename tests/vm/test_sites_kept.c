// SPDX-License-Identifier: MIT
/*
 * The table of call stacks: what is the same stack, who is told of it, and how many there
 * can be. The last test fills it, and loads the driver anew.
 */
#include "pdt.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#define USER	1000

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
	assert_string_equal(site.frames[pdt_first_user(&site)].name, odd);
	text = pdt_debugfs_read("leak_sites");
	assert_non_null(text);
	assert_non_null(strstr(text, " < /tmp/a\\040b\\174c\\012\\134\\033[31m+0x"));
	free(text);
	unlink(odd);

	memset(name + 5, 'n', 200);
	strcpy(name + 205, "the-end");
	copy_self(name);
	assert_ok(pdt_site(s->fd, run_again(name, ""), &site));
	user = pdt_first_user(&site);
	assert_int_equal(strlen(site.frames[user].name), sizeof(site.frames[user].name) - 1);
	assert_true(pdt_ends_with(name, site.frames[user].name));
	unlink(name);
}

static void counted_in_leak_sites(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle[3], number, site;
	unsigned long long objects, bytes;
	char *text, *line;
	bool found = false;

	for (int i = 0; i < 3; i++)
		assert_ok(pdt_create_two(s->fd, &handle[i]));
	site = pdt_site_of(s->fd, handle[0]);
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
	child_check(!pdt_create_one(fd, &handle));
	own = pdt_site_of(fd, handle);
	child_check(own && own != theirs[1]);
	child_check(!pdt_site(fd, own, &site));
	child_check(pdt_lies_in(&site.frames[pdt_first_user(&site) + 1], pdt_create_one));
	return 0;
}

static void others_sites_are_not_told(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle, theirs[2];

	assert_ok(pdt_stacks("0"));
	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_GTT, 0, &handle));
	theirs[0] = pdt_site_of(s->fd, handle);
	assert_ok(pdt_stacks("1"));
	assert_ok(pdt_create_one(s->fd, &handle));
	theirs[1] = pdt_site_of(s->fd, handle);
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
	number = pdt_site_of(s->fd, handle);
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
		if (pdt_create_one(c->fd, &handle)) {
			c->failed = 1;
			break;
		}
		number = pdt_site_of(c->fd, handle);
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
		assert_ok(pdt_stacks(i % 2 ? "1" : "0"));
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
	pdt_need_speed();
	assert_true(fd >= 0);
	assert_ok(pdt_stacks("1"));
	for (unsigned int i = 0; i < 5000; i++) {
		if (!i || i == 4999) {
			assert_ok(pdt_create_one(fd, &handle));
			kept = i ? kept : pdt_site_of(fd, handle);
			assert_int_equal(pdt_site_of(fd, handle), kept);
			last = last ? last : kept;
		}
		assert_ok(pdt_create_by_number(fd, i, 12 + i / 4096, &handle));
		number = pdt_site_of(fd, handle);
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
	assert_ok(pdt_stacks("0"));
	close(fd);
	assert_ok(pdt_module_unload());
	assert_ok(pdt_module_load());
	assert_ok(pdt_wait_for_card());
}

static int alloc(void)
{
	int fd = pdt_open();
	uint32_t handle;

	if (fd < 0 || pdt_create_one(fd, &handle))
		return 1;
	printf("%u\n", pdt_site_of(fd, handle));
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#ifdef __x86_64__
		site_test(same_in_every_run),
		site_test(odd_names),
#endif
		site_test(counted_in_leak_sites),
		site_test(others_sites_are_not_told),
		site_test(hostile_arguments),
		site_test(switched_while_used),
		cmocka_unit_test(full),
	};

	if (argc > 1 && !strcmp(argv[1], "alloc"))
		return alloc();
	return pdt_run_tests("sites_kept", tests);
}
