// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rig.h"
#include "scratch.h"

uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

void nap(void)
{
	nanosleep(&(struct timespec) { .tv_nsec = 200000 }, NULL);
}

static const char *device_path(void)
{
	const char *path = getenv("PDDGPU_DEVICE");

	return path ? path : "../../build/device/pddgpu-device";
}

/* argv[0] is filled in here. */
pid_t spawn_device(char *const argv[], const char *messages)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (messages) {
		int fd = open(messages, O_WRONLY | O_CREAT | O_APPEND, 0600);

		if (fd < 0 || dup2(fd, 2) < 0)
			_exit(126);
	}
	execv(device_path(), argv);
	_exit(127);
}

/* The exit status; 128 + n when signal n ended it; -1 when it runs still. */
int wait_for_end(pid_t pid, int ms)
{
	uint64_t end = now_ms() + ms;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (now_ms() > end)
			return -1;
		nap();
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Run the device to its end; @text is what it printed, on both outputs. */
int run_device(char *const argv[], char *text, size_t size)
{
	size_t used = 0;
	int out[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], 1);
		dup2(out[1], 2);
		execv(device_path(), argv);
		_exit(127);
	}
	close(out[1]);
	while (used < size - 1) {
		struct pollfd fd = { .fd = out[0], .events = POLLIN };

		/* One that does not end, as it should, is ended */
		if (poll(&fd, 1, PATIENCE_MS) <= 0) {
			kill(pid, SIGKILL);
			break;
		}
		n = read(out[0], text + used, size - 1 - used);
		if (n <= 0)
			break;
		used += n;
	}
	text[used] = 0;
	close(out[0]);
	status = wait_for_end(pid, PATIENCE_MS);
	return status;
}

const char *rig_path(const struct rig *rig, const char *name)
{
	static char path[8][128];
	static int next;

	/* The last eight stay valid */
	next = (next + 1) % 8;
	snprintf(path[next], sizeof(path[next]), "%s/%s", rig->dir, name);
	return path[next];
}

/* Nothing that is sent or received takes for ever. */
int unix_connect(const char *path)
{
	const struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* 8 bytes, perhaps with a descriptor. Return: bytes received, 0 at the end. */
int receive_message(int conn, int64_t *value, int *fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = value, .iov_len = sizeof(*value) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct pollfd ready = { .fd = conn, .events = POLLIN };
	struct cmsghdr *header;
	int n;

	*fd = -1;
	if (poll(&ready, 1, PATIENCE_MS) != 1)
		return -1;
	n = recvmsg(conn, &msg, MSG_CMSG_CLOEXEC | MSG_WAITALL);
	header = CMSG_FIRSTHDR(&msg);
	if (n > 0 && header && header->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(header), sizeof(*fd));
	return n;
}

static void expect_message(struct rig *rig, int64_t want, int *fd)
{
	int64_t value = 0;
	int got;

	assert_int_equal(receive_message(rig->conn, &value, &got), 8);
	assert_int_equal(value, want);
	if (!fd) {
		assert_int_equal(got, -1);
		return;
	}
	assert_true(got >= 0);
	*fd = got;
}

/* Do as QEMU's ivshmem-doorbell does when it is made. */
void rig_connect(struct rig *rig)
{
	struct stat st;

	rig->conn = unix_connect(rig_path(rig, "socket"));
	assert_true(rig->conn >= 0);
	expect_message(rig, 0, NULL);
	expect_message(rig, PDDGPU_PEER_GUEST, NULL);
	expect_message(rig, -1, &rig->bar_fd);
	for (int i = 0; i < PDDGPU_NUM_VECTORS; i++)
		expect_message(rig, PDDGPU_PEER_DEVICE, &rig->doorbell[i]);
	for (int i = 0; i < PDDGPU_NUM_VECTORS; i++)
		expect_message(rig, PDDGPU_PEER_GUEST, &rig->vector[i]);

	assert_int_equal(fstat(rig->bar_fd, &st), 0);
	rig->bar_size = st.st_size;
	rig->bar = mmap(NULL, rig->bar_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			rig->bar_fd, 0);
	assert_ptr_not_equal(rig->bar, MAP_FAILED);
	rig->vram = rig->bar + PDDGPU_VRAM_BAR_OFFSET_DEFAULT;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Do as QEMU does when it ends. */
void rig_disconnect(struct rig *rig)
{
	if (rig->bar)
		munmap(rig->bar, rig->bar_size);
	rig->bar = NULL;
	close_fd(&rig->bar_fd);
	for (int i = 0; i < PDDGPU_NUM_VECTORS; i++) {
		close_fd(&rig->doorbell[i]);
		close_fd(&rig->vector[i]);
	}
	close_fd(&rig->conn);
}

static void add(char **argv, int *n, const char *option, const char *value)
{
	if (!value)
		return;
	argv[(*n)++] = (char *)option;
	argv[(*n)++] = (char *)value;
}

static void map_ram(struct rig *rig)
{
	int fd = open(rig_path(rig, "ram"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, rig->config.ram), 0);
	rig->ram = mmap(NULL, rig->config.ram, PROT_READ | PROT_WRITE, MAP_SHARED,
			fd, 0);
	close(fd);
	assert_ptr_not_equal(rig->ram, MAP_FAILED);
}

/* Start a device and wait until it listens; nothing is connected yet. */
void rig_start(struct rig *rig, const struct rig_config *config)
{
	char ram_size[32], lowmem[32];
	char *argv[32] = { "pddgpu-device" };
	int n = 1;

	memset(rig, 0, sizeof(*rig));
	rig->config = *config;
	rig->conn = -1;
	rig->control = -1;
	rig->bar_fd = -1;
	for (int i = 0; i < PDDGPU_NUM_VECTORS; i++) {
		rig->doorbell[i] = -1;
		rig->vector[i] = -1;
	}
	scratch_folder(rig->dir, sizeof(rig->dir));

	add(argv, &n, "--chip", config->chip);
	add(argv, &n, "--vram", config->vram);
	add(argv, &n, "--visible", config->visible);
	add(argv, &n, "--gtt", config->gtt);
	add(argv, &n, "--pcie-mem", config->pcie_mem);
	add(argv, &n, "--socket", rig_path(rig, "socket"));
	add(argv, &n, "--control", rig_path(rig, "control"));
	if (config->ram) {
		map_ram(rig);
		snprintf(ram_size, sizeof(ram_size), "%llu",
			 (unsigned long long)config->ram);
		snprintf(lowmem, sizeof(lowmem), "%llu",
			 (unsigned long long)config->lowmem);
		add(argv, &n, "--ram", rig_path(rig, "ram"));
		add(argv, &n, "--ram-size", ram_size);
		add(argv, &n, "--lowmem", lowmem);
	}
	if (config->persist)
		argv[n++] = "--persist";
	if (config->verbose)
		argv[n++] = "--verbose";
	rig->pid = spawn_device(argv, rig_path(rig, "messages"));
	assert_true(rig->pid > 0);
	wait_for(!access(rig_path(rig, "control"), F_OK));
}

int rig_wait_exit(struct rig *rig)
{
	int status = wait_for_end(rig->pid, PATIENCE_MS);

	if (status >= 0)
		rig->pid = 0;
	return status;
}

static void show_messages(struct rig *rig)
{
	FILE *file = fopen(rig_path(rig, "messages"), "r");
	char line[512];

	while (file && fgets(line, sizeof(line), file))
		fprintf(stderr, "  device: %s", line);
	if (file)
		fclose(file);
}

static void remove_files(struct rig *rig)
{
	static const char *const names[] = { "ram", "messages", "socket", "control" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unlink(rig_path(rig, names[i]));
	rmdir(rig->dir);
}

/* QEMU ends; so must the device, without complaint of its sanitizers. */
void rig_end(struct rig *rig)
{
	int status = 0;

	rig_disconnect(rig);
	close_fd(&rig->control);
	if (rig->pid && rig->config.persist)
		kill(rig->pid, SIGTERM);
	if (rig->pid)
		status = rig_wait_exit(rig);
	if (rig->pid) {
		kill(rig->pid, SIGKILL);
		waitpid(rig->pid, NULL, 0);
	}
	if (status)
		show_messages(rig);
	if (rig->ram)
		munmap(rig->ram, rig->config.ram);
	remove_files(rig);
	assert_int_equal(status, 0);
}

int rig_setup_with(void **state, const struct rig_config *config)
{
	static struct rig rig;

	*state = &rig;
	rig_start(&rig, config);
	rig_connect(&rig);
	return 0;
}

int rig_setup(void **state)
{
	const struct rig_config config = {
		.vram = "32M", .visible = "15M", .ram = 16 * MIB, .lowmem = 8 * MIB,
	};

	return rig_setup_with(state, &config);
}

/* The same with memory, rings and interrupts on. */
int rig_setup_on(void **state)
{
	rig_setup(state);
	switch_on(*state);
	return 0;
}

int rig_teardown(void **state)
{
	rig_end(*state);
	return 0;
}

uint64_t random64(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed * 0x2545f4914f6cdd1dull;
}

uint64_t random_below(uint64_t *seed, uint64_t limit)
{
	return (random64(seed) >> 11) % limit;
}
