// SPDX-License-Identifier: MIT
/*
 * libpddgpu and cards that go, come and are wedged: errors in the middle of calls, and
 * what its events say. It takes the card away, so it runs late.
 */
#include "pdt.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pddgpu.h>

/* The next event of a type, and none of another before it */
static void expect(struct pddgpu_events *events, enum pddgpu_event_type type,
		   struct pddgpu_event *event)
{
	assert_int_equal(pddgpu_events_next(events, event, 20000), 1);
	assert_int_equal(event->type, type);
	assert_string_equal(event->pci, pdt_pci_name());
}

static void come_and_go(void **state)
{
	struct pddgpu_device_id before, after;
	struct pddgpu_events *events;
	struct pddgpu_event event;
	struct pollfd ready;

	(void)state;
	assert_int_equal(pddgpu_list(&before, 1), 1);
	assert_ok(pddgpu_events_open(&events));
	ready = (struct pollfd) { .fd = pddgpu_events_fd(events), .events = POLLIN };
	assert_int_equal(pddgpu_events_next(events, &event, 0), 0);
	assert_ok(pdt_take_away(PDT_UNBIND));
	assert_int_equal(poll(&ready, 1, 10000), 1);
	expect(events, PDDGPU_EVENT_REMOVED, &event);
	assert_int_equal(event.card, before.card);
	assert_int_equal(pddgpu_list(&after, 1), 0);
	assert_ok(pdt_bring_back(PDT_UNBIND));
	expect(events, PDDGPU_EVENT_ADDED, &event);
	assert_int_equal(pddgpu_events_next(events, &event, 0), 0);
	assert_int_equal(pddgpu_list(&after, 1), 1);
	assert_string_equal(before.pci, after.pci);
	pddgpu_events_close(events);
}

static void on_signal(int number)
{
	(void)number;
}

/* A program that watches wants to be stopped by a signal. */
static void interrupted(void **state)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct pddgpu_events *events;
	struct pddgpu_event event;

	(void)state;
	assert_ok(pddgpu_events_open(&events));
	sigaction(SIGALRM, &action, NULL);
	alarm(1);
	assert_err(EINTR, pddgpu_events_next(events, &event, -1));
	signal(SIGALRM, SIG_DFL);
	assert_int_equal(pddgpu_events_next(events, &event, 1), 0);
	pddgpu_events_close(events);
}

static void alert(void **state)
{
	struct pddgpu_events *events;
	struct pddgpu_event event;
	struct pddgpu_device *dev;
	struct pddgpu_bo *bo;
	char path[128];

	(void)state;
	/* Drivers that send it have these too. */
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/mem_info_vram_used", pdt_pci_name());
	if (access(path, F_OK))
		pdt_skip("an older driver, which sends no events");
	assert_ok(pddgpu_open(NULL, &dev));
	assert_ok(pddgpu_setting_set(dev, "leak_monitor_enabled", 0));
	assert_ok(pddgpu_setting_set(dev, "leak_threshold", 8 * PDT_MIB));
	assert_ok(pddgpu_leaks_scan(dev));
	assert_ok(pddgpu_events_open(&events));
	assert_ok(pddgpu_bo_create(dev, 9 * PDT_MIB, PDT_VRAM, 0, &bo));
	assert_ok(pddgpu_leaks_scan(dev));
	expect(events, PDDGPU_EVENT_LEAK_ALERT, &event);
	assert_u64(event.threshold_bytes, 8 * PDT_MIB);
	assert_in_range(event.used_bytes, 9 * PDT_MIB, 16 * PDT_MIB);
	pddgpu_bo_free(bo);
	pdt_sleep_ms(200);
	assert_ok(pddgpu_leaks_scan(dev));
	expect(events, PDDGPU_EVENT_LEAK_CLEAR, &event);
	pddgpu_events_close(events);
	pddgpu_close(dev);
}

/* Somebody in the middle of everything, until it fails */
struct user {
	struct pddgpu_device *dev;
	int kind, error;
};

static int work_once(struct user *user)
{
	struct drm_pddgpu_memory_stats stats;
	struct pddgpu_leaks *leaks;
	struct pddgpu_leak leak;
	struct pddgpu_job *job = NULL;
	struct pddgpu_bo *bo = NULL;
	int error = 0, ret = 0;

	if (user->kind == 0) {
		ret = pddgpu_query_stats(user->dev, &stats);
	} else if (user->kind == 1) {
		ret = pddgpu_bo_create(user->dev, PDT_MIB, PDT_BOTH, 0, &bo);
		ret = ret ? ret : pddgpu_job_create(user->dev, &job);
		ret = ret ? ret : pddgpu_job_fill(job, bo, 0, PDT_MIB, 1);
		ret = ret ? ret : pddgpu_job_submit(job);
		ret = ret ? ret : pddgpu_job_wait(job, -1, &error);
		ret = ret ? ret : error;
		pddgpu_job_free(job);
		pddgpu_bo_free(bo);
	} else {
		ret = pddgpu_leaks_open(user->dev, &leaks);
		if (!ret) {
			while ((ret = pddgpu_leaks_next(leaks, &leak)) == 1)
				continue;
			pddgpu_leaks_close(leaks);
		}
	}
	return ret;
}

static void *work(void *arg)
{
	struct user *user = arg;

	do {
		user->error = work_once(user);
	} while (!user->error);
	return NULL;
}

static void in_the_middle(void **state)
{
	struct pddgpu_device *dev, *again;
	pthread_t threads[3];
	struct user users[3];
	struct pddgpu_bo *bo;
	struct pddgpu_owners *owners;
	void *map;

	(void)state;
	assert_ok(pddgpu_open(NULL, &dev));
	assert_ok(pddgpu_bo_create(dev, PDT_MIB, PDT_VRAM, 0, &bo));
	assert_ok(pddgpu_bo_map(bo, &map));
	memset(map, 1, PDT_MIB);
	for (int i = 0; i < 3; i++) {
		users[i] = (struct user) { .dev = dev, .kind = i };
		assert_int_equal(pthread_create(&threads[i], NULL, work, &users[i]), 0);
	}
	pdt_sleep_ms(300);
	assert_ok(pdt_take_away(PDT_UNBIND));
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(users[i].error, -ENODEV);
	}
	assert_err(ENOENT, pddgpu_open(NULL, &again));
	assert_ok(pdt_bring_back(PDT_UNBIND));
	/* The new card's folder is where the old one's was, and is not its. */
	assert_err(ENODEV, pddgpu_leaks_scan(dev));
	assert_err(ENODEV, pddgpu_owners_open(dev, &owners));
	assert_err(ENODEV, pddgpu_open_fd(pddgpu_fd(dev), &again));
	memset(map, 2, PDT_MIB);
	pddgpu_bo_free(bo);
	pddgpu_close(dev);
	assert_ok(pdt_gone_works());
}

/* A chip that cannot be reset: it is said, and root can read why. */
static void wedged(void **state)
{
	struct drm_pddgpu_device_info info;
	struct pddgpu_events *events;
	struct pddgpu_event event;
	struct pddgpu_device *dev;
	char text[512] = "", answer[256];
	int fd;

	(void)state;
	assert_ok(pddgpu_events_open(&events));
	assert_ok(pdt_control("fail-reset 1000", answer, sizeof(answer)));
	assert_err(EIO, pdt_reset_chip());
	expect(events, PDDGPU_EVENT_WEDGED, &event);
	assert_ok(pddgpu_open(NULL, &dev));
	assert_err(EIO, pddgpu_query_info(dev, &info));
	fd = pddgpu_debugfs_open(dev, "reset", O_RDONLY);
	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	assert_non_null(strstr(text, "state: wedged\n"));
	close(fd);
	pddgpu_close(dev);
	assert_ok(pdt_control("clear", answer, sizeof(answer)));
	assert_ok(pdt_take_away(PDT_UNBIND));
	expect(events, PDDGPU_EVENT_REMOVED, &event);
	assert_ok(pdt_bring_back(PDT_UNBIND));
	expect(events, PDDGPU_EVENT_ADDED, &event);
	pddgpu_events_close(events);
	pdt_coredump_free();
}

/* examples/watch_events, run by an ordinary user */
static void example(void **state)
{
	const char *output = "/tmp/test_library_gone.out";
	uint64_t end = pdt_now_ms() + 20000;
	int fd, status;
	char *text = NULL;
	pid_t pid;

	(void)state;
	fd = open(output, O_RDWR | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		dup2(fd, 1);
		dup2(fd, 2);
		if (pdt_become_user(1000))
			_exit(126);
		execl("./watch_events", "watch_events", "2", NULL);
		_exit(127);
	}
	close(fd);
	do {
		free(text);
		pdt_sleep_ms(20);
		text = pdt_file_read(output);
	} while ((!text || !*text) && pdt_now_ms() < end);
	assert_non_null(text);
	assert_string_equal(text, "waiting\n");
	free(text);
	assert_ok(pdt_take_away(PDT_UNBIND));
	assert_ok(pdt_bring_back(PDT_UNBIND));
	status = pdt_wait(pid);
	text = pdt_file_read(output);
	unlink(output);
	assert_int_equal(status, 0);
	if (!strstr(text, " has gone, ") || !strstr(text, " has come, "))
		fail_msg("%s", text);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_gone_test(come_and_go),
		pdt_gone_test(interrupted),
		pdt_gone_test(alert),
		pdt_gone_test(in_the_middle),
		pdt_gone_test(wedged),
		pdt_gone_test(example),
	};

	return pdt_run_tests("library_gone", tests);
}
