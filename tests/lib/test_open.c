// SPDX-License-Identifier: MIT
/* Cards: found, named, opened. */
#include "fake.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int bare_setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	fake_reset();
	rig->files = open_files();
	tree_make(&rig->tree);
	*state = rig;
	return 0;
}

#define bare_test(f)	cmocka_unit_test_setup_teardown(f, bare_setup, rig_teardown)

static void no_card(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_device_id id;

	/* No sysfs at all, an empty one, one with others' cards */
	assert_int_equal(pddi_list(&rig->tree.paths, &id, 1), 0);
	assert_err(ENOENT, pddi_open(&rig->tree.paths, NULL, &rig->dev));
	tree_card(&rig->tree, "bochs-drm", PCI1, 0, 128);
	assert_int_equal(pddi_list(&rig->tree.paths, &id, 1), 0);
	assert_err(ENOENT, pddi_open(&rig->tree.paths, NULL, &rig->dev));
	assert_err(ENODEV, pddi_open(&rig->tree.paths, "card0", &rig->dev));
	assert_err(ENODEV, pddi_open(&rig->tree.paths, PCI1, &rig->dev));
	assert_null(rig->dev);
}

static void list_in_order(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_device_id ids[4];

	memset(ids, 0xff, sizeof(ids));
	tree_card(&rig->tree, "pddgpu", "10000:00:01.0", 4, 132);
	tree_card(&rig->tree, "pddgpu", "0000:81:00.1", 0, 130);
	tree_card(&rig->tree, "amdgpu", "0000:01:00.0", 2, 128);
	tree_card(&rig->tree, "pddgpu", "0000:00:04.0", 1, 129);
	tree_card(&rig->tree, "pddgpu", "0000:00:1f.0", 3, -1);
	assert_int_equal(pddi_list(&rig->tree.paths, NULL, 0), 4);
	assert_int_equal(pddi_list(&rig->tree.paths, ids, 1), 4);
	assert_string_equal(ids[0].pci, "0000:00:04.0");
	/* Only what there is room for */
	assert_int_equal(ids[1].pci[0], (char)0xff);
	assert_int_equal(pddi_list(&rig->tree.paths, ids, 4), 4);
	assert_string_equal(ids[0].render, "/dev/dri/renderD129");
	assert_string_equal(ids[0].primary, "/dev/dri/card1");
	assert_int_equal(ids[0].card, 1);
	assert_int_equal(ids[0].reserved[0], 0);
	assert_string_equal(ids[1].pci, "0000:00:1f.0");
	assert_string_equal(ids[1].render, "");
	assert_string_equal(ids[2].pci, "0000:81:00.1");
	assert_string_equal(ids[3].pci, "10000:00:01.0");
}

static void every_name(void **state)
{
	static const char *const names[] = {
		NULL, "renderD129", "card1", "0000:00:04.0", "00:04.0", "00:1F.0", "0000:00:1f.0",
	};
	struct rig *rig = *state;
	char path[160], link[160];

	tree_card(&rig->tree, "pddgpu", "0000:00:1f.0", 0, 128);
	tree_card(&rig->tree, "pddgpu", "0000:00:04.0", 1, 129);
	for (size_t i = 0; i < PDDI_ARRAY_SIZE(names); i++) {
		assert_ok(pddi_open(&rig->tree.paths, names[i], &rig->dev));
		assert_int_equal(pddgpu_id(rig->dev)->card, i < 5);
		assert_int_not_equal(fcntl(pddgpu_fd(rig->dev), F_GETFD) & FD_CLOEXEC, 0);
		pddgpu_close(rig->dev);
	}
	snprintf(path, sizeof(path), "%s/card1", rig->tree.paths.dri);
	snprintf(link, sizeof(link), "%s/pci-0000:00:04.0-card", rig->tree.root);
	assert_int_equal(symlink(path, link), 0);
	fake.master = true;
	assert_ok(pddi_open(&rig->tree.paths, link, &rig->dev));
	assert_string_equal(pddgpu_id(rig->dev)->pci, "0000:00:04.0");
	assert_string_equal(pddgpu_id(rig->dev)->render, "/dev/dri/renderD129");
	assert_false(fake.master);
}

static void wrong_names(void **state)
{
	static const char *const invalid[] = {
		"", "card", "cardx", "card1x", "card-1", "renderD", "00:04", "00:04.8", "0:4.0",
		"00:04.0 ", "g0:04.0", "000:00:04.0", "000000000:00:04.0", "card99999999999999999",
		"../card0", "dri/card0", "00000000:00:04.0",
	};
	static const char *const missing[] = {
		"card7", "renderD200", "00:07.0", "0001:00:04.0", "/nonexistent",
	};
	struct rig *rig = *state;
	struct pddgpu_device *dev = (void *)-1;
	char path[160];

	for (size_t i = 0; i < PDDI_ARRAY_SIZE(invalid); i++)
		assert_err(EINVAL, pddi_open(&rig->tree.paths, invalid[i], &dev));
	for (size_t i = 0; i < PDDI_ARRAY_SIZE(missing); i++)
		assert_err(ENOENT, pddi_open(&rig->tree.paths, missing[i], &dev));
	assert_err(ENODEV, pddi_open(&rig->tree.paths, "/dev/null", &dev));
	assert_err(ENODEV, pddi_open(&rig->tree.paths, rig->tree.root, &dev));
	/* Somebody else's, that sysfs takes for ours; then it is not there */
	snprintf(path, sizeof(path), "%s/renderD128", rig->tree.paths.dri);
	strcpy(fake.driver, "pddgpu2");
	assert_err(ENODEV, pddi_open(&rig->tree.paths, path, &dev));
	fake.gone = true;
	assert_err(ENODEV, pddi_open(&rig->tree.paths, NULL, &dev));
	assert_int_equal(unlink(path), 0);
	assert_err(ENOENT, pddi_open(&rig->tree.paths, NULL, &dev));
	assert_ptr_equal(dev, (void *)-1);
}

/* Of several cards the first that can be had; if none can, why not the first */
static void first_that_opens(void **state)
{
	struct rig *rig = *state;
	char path[160];

	tree_card(&rig->tree, "pddgpu", PCI0, 0, 128);
	tree_card(&rig->tree, "pddgpu", PCI1, 1, 129);
	snprintf(path, sizeof(path), "%s/renderD128", rig->tree.paths.dri);
	assert_int_equal(truncate(path, 0), 0);
	assert_ok(pddi_open(&rig->tree.paths, NULL, &rig->dev));
	assert_string_equal(pddgpu_id(rig->dev)->pci, PCI1);
	pddgpu_close(rig->dev);
	rig->dev = NULL;
	snprintf(path, sizeof(path), "%s/renderD129", rig->tree.paths.dri);
	assert_int_equal(unlink(path), 0);
	assert_err(ENODEV, pddi_open(&rig->tree.paths, NULL, &rig->dev));
}

static void by_file(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_device *dev = NULL;
	int fd = pddgpu_fd(rig->dev), pair[2];

	assert_ok(pddi_open_fd(&rig->tree.paths, fd, &dev));
	assert_int_not_equal(pddgpu_fd(dev), fd);
	assert_int_not_equal(fcntl(pddgpu_fd(dev), F_GETFD) & FD_CLOEXEC, 0);
	assert_string_equal(pddgpu_id(dev)->pci, PCI0);
	pddgpu_close(dev);
	assert_int_not_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_err(ENODEV, pddi_open_fd(&rig->tree.paths, pair[0], &dev));
	close(pair[0]);
	close(pair[1]);
	assert_err(EBADF, pddi_open_fd(&rig->tree.paths, -1, &dev));
	assert_err(EBADF, pddi_open_fd(&rig->tree.paths, 1000, &dev));
	fake.gone = true;
	assert_err(ENODEV, pddi_open_fd(&rig->tree.paths, fd, &dev));
}

/* In a sandbox there may be no sysfs: the card works, and has no names. */
static void without_sysfs(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_device *dev;
	struct pddgpu_owners *owners;
	struct pddgpu_bo *bo;

	tree_delete(&rig->tree, "sys");
	assert_ok(pddi_open_fd(&rig->tree.paths, pddgpu_fd(rig->dev), &dev));
	assert_string_equal(pddgpu_id(dev)->pci, "");
	assert_string_equal(pddgpu_id(dev)->render, "");
	assert_int_equal(pddgpu_id(dev)->card, -1);
	assert_ok(pddgpu_bo_create(dev, 1, PDDGPU_GEM_DOMAIN_VRAM, 0, &bo));
	pddgpu_bo_free(bo);
	assert_err(ENOENT, pddgpu_owners_open(dev, &owners));
	pddgpu_close(dev);
}

/* It is there, and root can see why; others' wedged cards are not taken for ours. */
static void wedged(void **state)
{
	struct rig *rig = *state;
	struct drm_pddgpu_device_info info;
	struct pddgpu_device *dev = NULL;
	struct pddgpu_bo *bo;
	uint64_t value;

	assert_ok(pddgpu_bo_create(rig->dev, 1, PDDGPU_GEM_DOMAIN_VRAM, 0, &bo));
	tree_debugfs(&rig->tree, "leak_threshold", "5\n");
	fake.wedged = true;
	assert_ok(pddi_open(&rig->tree.paths, NULL, &dev));
	assert_string_equal(pddgpu_id(dev)->pci, PCI0);
	assert_err(EIO, pddgpu_query_info(dev, &info));
	assert_ok(pddgpu_setting_get(dev, "leak_threshold", &value));
	pddgpu_close(dev);
	dev = NULL;
	pddgpu_bo_free(bo);
	tree_delete(&rig->tree, "sys");
	assert_err(EIO, pddi_open_fd(&rig->tree.paths, pddgpu_fd(rig->dev), &dev));
	assert_null(dev);
}

/* The file stays open for what was made from it. */
static void close_first(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_bo *bo;
	struct pddgpu_job *job;
	void *map;

	assert_ok(pddgpu_bo_create(rig->dev, 4096, PDDGPU_GEM_DOMAIN_VRAM, 0, &bo));
	assert_ok(pddgpu_job_create(rig->dev, &job));
	pddgpu_close(rig->dev);
	rig->dev = NULL;
	assert_ok(pddgpu_bo_map(bo, &map));
	memset(map, 1, 4096);
	assert_ok(pddgpu_job_fill(job, bo, 0, 4096, 7));
	assert_ok(pddgpu_job_submit(job));
	assert_int_equal(*(uint32_t *)map, 7);
	pddgpu_job_free(job);
	pddgpu_bo_free(bo);
	pddgpu_close(NULL);
	pddgpu_bo_free(NULL);
	pddgpu_job_free(NULL);
	pddgpu_owners_close(NULL);
	pddgpu_leaks_close(NULL);
	pddgpu_blocks_close(NULL);
	pddgpu_events_close(NULL);
}

static void no_files_left(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_device *dev = NULL;
	struct rlimit before, few = { .rlim_cur = 64 };
	int fds[64], n = 0;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	while (n < 64 && (fds[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		n++;
	assert_err(EMFILE, pddi_open_fd(&rig->tree.paths, pddgpu_fd(rig->dev), &dev));
	assert_err(EMFILE, pddi_open(&rig->tree.paths, "renderD128", &dev));
	assert_err(EMFILE, pddi_list(&rig->tree.paths, NULL, 0));
	while (n--)
		close(fds[n]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_null(dev);
}

static void errors_have_texts(void **state)
{
	static const int all[] = {
		EPERM, ENOENT, EINTR, EIO, E2BIG, EBADF, EAGAIN, ENOMEM, EACCES, EBUSY, ENODEV,
		EINVAL, ENFILE, EMFILE, ERANGE, EPROTO, EOVERFLOW, EOPNOTSUPP, ENOBUFS, ETIME,
		ECANCELED, EDQUOT,
	};

	(void)state;
	for (size_t i = 0; i < PDDI_ARRAY_SIZE(all); i++) {
		const char *text = pddgpu_strerror(-all[i]);

		assert_ptr_equal(text, pddgpu_strerror(all[i]));
		assert_string_not_equal(text, strerror(all[i]));
		assert_non_null(strchr(text, ' '));
		assert_int_not_equal(text[strlen(text) - 1], '.');
	}
	assert_string_equal(pddgpu_strerror(-EXDEV), strerror(EXDEV));
	assert_string_equal(pddgpu_strerror(INT32_MIN), "unknown error");
	assert_string_equal(pddgpu_strerror(-99999), "unknown error");
	assert_string_equal(pddgpu_strerror(0), "no error");
	assert_string_equal(pddgpu_version(), PDDGPU_VERSION);
}

const struct CMUnitTest open_tests[] = {
	bare_test(no_card),
	bare_test(list_in_order),
	bare_test(every_name),
	rig_test(wrong_names),
	bare_test(first_that_opens),
	rig_test(by_file),
	rig_test(without_sysfs),
	rig_test(wedged),
	rig_test(close_first),
	rig_test(no_files_left),
	cmocka_unit_test(errors_have_texts),
};

const size_t open_tests_count = PDDI_ARRAY_SIZE(open_tests);
