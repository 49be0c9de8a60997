// SPDX-License-Identifier: MIT
/* Processes, signals, the files of debugfs, and the chip's own faults */
#include "fuzz.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* slot, file, handle: a child has the same files and mappings, and dies */
FZ_RUN(fork)
{
	pid_t pid;

	/* It takes as long as a hundred others */
	if (lane->again)
		return 0;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		/* Only what is safe where other threads have just gone */
		fz_load(lane, (uint64_t[]){ arg[0], 0, PDT_PAGE });
		fz_store(lane, (uint64_t[]){ arg[0], 0, PDT_PAGE, 0x3c });
		fz_info(lane, (uint64_t[]){ arg[1], arg[2], 0 });
		fz_wait(lane, (uint64_t[]){ arg[1], arg[2], 0, 1 });
		if (arg[2] & 1)
			fz_destroy(lane, (uint64_t[]){ arg[1], arg[2], 0 });
		if (arg[2] & 2)
			kill(getpid(), SIGKILL);
		_exit(0);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}

/* lane */
FZ_RUN(kick)
{
	const struct fz_lane *first = lane - lane->index;

	return -pthread_kill(first[arg[0] % FZ_LANES].thread, SIGUSR1);
}

static const char *const files[] = {
	"memory_stats", "leak_objects", "trigger_leak_check", "leak_check_interval",
	"leak_threshold", "leak_suspicious_age", "leak_confirmed_age", "leak_monitor_enabled",
	"leak_object_bytes", "vram_retry_count", "vram_retry_delay", "gtt_retry_count",
	"gtt_retry_delay", "vram_mm", "gtt_mm", "residency", "page_out", "unpageable_limits",
	"reset_stats", "clients", "name", "gem_names", "health", "check", "recover",
	"recover_count", "recover_delay", "pm_state", "evict_vram", "evict_gtt", "owners",
	"vram_blocks", "gtt_blocks", "gem_info", "leak_sites",
};

/* A number as somebody may write it */
static void number(char *text, size_t room, uint64_t how, uint64_t value)
{
	static const char *const forms[] = {
		"%llu\n", "%llu", "0x%llx", "-%llu", " %llu", "%lluK", "%llu %llu\n", "\n%llu",
		"%llu\n\n", "+%llu",
	};

	snprintf(text, room, forms[how % PDT_ARRAY_SIZE(forms)], (unsigned long long)value,
		 (unsigned long long)value);
}

static const char *garbage(uint64_t how)
{
	static const char *const texts[] = {
		"", "\n", "vram", "gtt 0", "vram 99999999999999999999", "%s%n", "\x01\xff\xfe",
		"system 1 2 3", "vram 1M", "vram 64K 64K 64K", "page_out page_out", "1e9",
		"vram -1", "gtt 0x10", "vram\t64K", "  vram  4K  ",
	};

	return texts[how % PDT_ARRAY_SIZE(texts)];
}

/* What the file can take, or anything but long waits */
static uint64_t fitting(const char *file, bool right, uint64_t value)
{
	if (strstr(file, "_count") || strstr(file, "_delay"))
		return right || value <= 10000 ? value % 4 : value;
	if (!strcmp(file, "leak_threshold"))
		return value < 64 * PDT_MIB ? value + 64 * PDT_MIB : value;
	if (!right)
		return value;
	if (!strcmp(file, "leak_check_interval"))
		return 100 + value % 2000;
	if (strstr(file, "_age"))
		return 1 + value % 5000;
	return !strcmp(file, "leak_monitor_enabled") ? value & 1 : 1;
}

/* file, how, number */
FZ_RUN(file_write)
{
	static const char *const managers[] = { "vram", "gtt", "device", "vram\n", "system" };
	static const char *const commands[] = {
		"scan", "clear\n", "scan=on", "scan=1", "scan=off", "dump=%llu", "dump=0x%llx",
		"scan=%llu",
	};
	static const char *const segments[] = { "vram", "gtt", "system", "vram_invisible", "x" };
	const char *file = files[arg[0] % PDT_ARRAY_SIZE(files)];
	const char *segment = segments[arg[2] % PDT_ARRAY_SIZE(segments)];
	uint64_t value = arg[2];
	char text[128];

	value = fitting(file, arg[1] >> 7 & 1, value);
	if (arg[1] % 4 == 3)
		snprintf(text, sizeof(text), "%s", garbage(arg[2]));
	else if (!strcmp(file, "page_out"))
		snprintf(text, sizeof(text), "%s %lluK", segment,
			 (unsigned long long)(arg[2] >> 8 & 0xfff));
	else if (!strcmp(file, "leak_objects"))
		snprintf(text, sizeof(text), commands[(arg[1] >> 2) % PDT_ARRAY_SIZE(commands)],
			 (unsigned long long)value);
	else if (!strcmp(file, "check") || !strcmp(file, "recover"))
		snprintf(text, sizeof(text), "%s", managers[arg[2] % PDT_ARRAY_SIZE(managers)]);
	else if (!strcmp(file, "unpageable_limits"))
		snprintf(text, sizeof(text), "%s %lluK %lluK", segment,
			 (unsigned long long)(arg[2] >> 8 & 0xffff),
			 (unsigned long long)(arg[2] >> 24 & 0xffff));
	else
		number(text, sizeof(text), arg[1] >> 2, value);
	return pdt_debugfs_write(file, text);
}

/* file, length */
FZ_RUN(file_read)
{
	const char *file = files[arg[0] % PDT_ARRAY_SIZE(files)];
	int fd = open(pdt_debugfs_path(file), O_RDONLY | O_CLOEXEC);
	char data[4096];
	ssize_t n;
	int rc;

	if (fd < 0)
		return -errno;
	n = pread(fd, data, arg[1] % sizeof(data) + 1, (off_t)(arg[1] >> 16 & 0xffff));
	while (n > 0 && arg[1] & 1)
		n = read(fd, data, sizeof(data));
	rc = n < 0 ? -errno : 0;
	close(fd);
	return rc;
}

/* file: what DRM says of it in /proc */
FZ_RUN(fdinfo)
{
	char path[64], data[2048];
	ssize_t n;
	int fd, rc;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fz_file(lane, arg[0], NULL));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, data, sizeof(data));
	rc = n < 0 ? -errno : 0;
	close(fd);
	return rc;
}

/* what, number: where it is allowed */
FZ_RUN(fault)
{
	static const char *const faults[] = {
		"hang 0", "hang 1", "fault 0", "fault 1", "drop-interrupts 3", "delay 200",
		"unhang 0", "unhang 1", "delay 0", "clear", "fail-reset 1", "fail-reset 3",
		"lose-vram", "drop-interrupts 1000", "delay 3000", "reset", "reset",
	};
	const char *fault = faults[arg[0] % PDT_ARRAY_SIZE(faults)];
	char answer[4096];
	int rc;

	/* Each takes a while to recover from, and ending them all ends what others try */
	if (!fz_shared->faults || lane->again % 8)
		return -EBUSY;
	if (!strcmp(fault, "reset"))
		return pdt_debugfs_write(fault, "1");
	rc = pthread_mutex_trylock(&fz_shared->control);
	if (rc == EOWNERDEAD)
		pthread_mutex_consistent(&fz_shared->control);
	else if (rc)
		return -EBUSY;
	rc = pdt_control(fault, answer, sizeof(answer));
	pthread_mutex_unlock(&fz_shared->control);
	return rc;
}
