// SPDX-License-Identifier: MIT
/* What the kernel shows: files, debugfs, its log. */
#include "pdt.h"

#include <fcntl.h>
#include <unistd.h>

#define DEBUGFS		"/sys/kernel/debug/pddgpu"

/* Lines of the kernel log that no test may cause, whatever it does */
static const char *const complaints[] = {
	"BUG:", "WARNING:", "Oops", "kernel BUG", "Call Trace", "general protection",
	"use-after-free", "refcount_t", "UBSAN", "list_add corruption",
	"list_del corruption", "possible circular locking", "possible recursive locking",
	"INFO: task", "soft lockup", "sleeping function", "scheduling while atomic",
	"DMA-API", "Memory manager not clean", "bad page", "Bad page", "Bad rss",
	"Unpin", "memory leak: object", "invoked oom-killer",
};

/* One write() of the text; 0 or a negative errno */
int pdt_file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;
	int rc = 0;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	if (n < 0)
		rc = -errno;
	else if ((size_t)n != strlen(text))
		rc = -EIO;
	close(fd);
	return rc;
}

/* The whole file as a string, to be freed; NULL with errno set on failure */
char *pdt_file_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0, room = 0;
	char *text = NULL;
	ssize_t n;

	if (fd < 0)
		return NULL;
	for (;;) {
		if (room - len < 4096) {
			char *more = realloc(text, room + 65536);

			if (!more)
				break;
			text = more;
			room += 65536;
		}
		n = read(fd, text + len, room - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (!n) {
				text[len] = '\0';
				close(fd);
				return text;
			}
			break;
		}
		len += (size_t)n;
	}
	n = errno;
	free(text);
	close(fd);
	errno = (int)n;
	return NULL;
}

const char *pdt_debugfs_path(const char *file)
{
	static _Thread_local char path[256];

	snprintf(path, sizeof(path), DEBUGFS "/%s", file);
	return path;
}

int pdt_debugfs_write(const char *file, const char *text)
{
	return pdt_file_write(pdt_debugfs_path(file), text);
}

int pdt_debugfs_write_u64(const char *file, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu\n", (unsigned long long)value);
	return pdt_debugfs_write(file, text);
}

char *pdt_debugfs_read(const char *file)
{
	return pdt_file_read(pdt_debugfs_path(file));
}

/* The number that is all of a file */
int pdt_file_u64(const char *path, uint64_t *value)
{
	char *text = pdt_file_read(path), *end;

	if (!text)
		return -errno;
	errno = 0;
	*value = strtoull(text, &end, 10);
	if (end == text || strcmp(end, "\n"))
		errno = EBADMSG;
	free(text);
	return -errno;
}

int pdt_debugfs_u64(const char *file, uint64_t *value)
{
	return pdt_file_u64(pdt_debugfs_path(file), value);
}

/* A line "name: number" of a text */
int pdt_number_of(const char *text, const char *name, uint64_t *value)
{
	size_t len = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		if (*line == '\n')
			line++;
		if (!strncmp(line, name, len) && line[len] == ':') {
			*value = strtoull(line + len + 1, NULL, 10);
			return 0;
		}
	}
	return -ENOENT;
}

/* One of the statistics, as debugfs prints it */
int pdt_debugfs_stat(const char *name, uint64_t *value)
{
	char *text = pdt_debugfs_read("memory_stats");
	int rc;

	if (!text)
		return -errno;
	rc = pdt_number_of(text, name, value);
	free(text);
	return rc;
}

/* A line of /proc/meminfo, in bytes */
int pdt_meminfo(const char *name, uint64_t *bytes)
{
	char *text = pdt_file_read("/proc/meminfo");
	int rc;

	if (!text)
		return -errno;
	rc = pdt_number_of(text, name, bytes);
	*bytes *= 1024;
	free(text);
	return rc;
}

/* Every number that debugfs takes, as it is documented */
const struct pdt_setting pdt_settings[] = {
	{ "leak_monitor_enabled", 1, 0, 1 },
	{ "leak_check_interval", 5000, 100, 3600000 },
	{ "leak_threshold", 100 * PDT_MIB, 0, UINT64_MAX },
	{ "leak_suspicious_age", 30000, 1, 86400000 },
	{ "leak_confirmed_age", 300000, 1, 86400000 },
	{ "vram_retry_count", 3, 0, 100 },
	{ "vram_retry_delay", 10, 0, 10000 },
	{ "gtt_retry_count", 3, 0, 100 },
	{ "gtt_retry_delay", 5, 0, 10000 },
	{ "recover_count", 3, 0, 100 },
	{ "recover_delay", 100, 0, 10000 },
};

const size_t pdt_settings_count = PDT_ARRAY_SIZE(pdt_settings);

/* Sets everything to what it is after loading. */
int pdt_settings_restore(void)
{
	int rc, first = 0;

	for (size_t i = 0; i < pdt_settings_count; i++) {
		rc = pdt_debugfs_write_u64(pdt_settings[i].file, pdt_settings[i].preset);
		if (rc && !first)
			first = rc;
	}
	return first;
}

/* From now on */
int pdt_log_open(struct pdt_log *log)
{
	memset(log, 0, sizeof(*log));
	log->fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (log->fd < 0)
		return -errno;
	if (lseek(log->fd, 0, SEEK_END) < 0)
		return -errno;
	return 0;
}

void pdt_log_close(struct pdt_log *log)
{
	free(log->text);
	if (log->fd >= 0)
		close(log->fd);
	log->text = NULL;
	log->fd = -1;
}

/* Takes in what is new. Lines that the ring lost before we came are lost. */
static void log_read(struct pdt_log *log)
{
	char record[8192], *text, *end;
	ssize_t n;

	for (;;) {
		n = read(log->fd, record, sizeof(record) - 1);
		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue;
		if (n <= 0)
			return;
		record[n] = '\0';
		text = strchr(record, ';');
		if (!text)
			continue;
		text++;
		end = strchr(text, '\n');
		if (end)
			end[1] = '\0';

		n = (ssize_t)strlen(text);
		log->text = realloc(log->text, log->len + (size_t)n + 1);
		if (!log->text)
			abort();
		memcpy(log->text + log->len, text, (size_t)n + 1);
		log->len += (size_t)n;
	}
}

/* Forgets what came so far. */
void pdt_log_restart(struct pdt_log *log)
{
	log_read(log);
	free(log->text);
	log->text = NULL;
	log->len = 0;
}

/* How often it came */
unsigned int pdt_log_count(struct pdt_log *log, const char *what)
{
	unsigned int count = 0;

	log_read(log);
	for (const char *at = log->text; at && (at = strstr(at, what)); at++)
		count++;
	return count;
}

/* Where it first came; valid until the log is read again */
const char *pdt_log_find(struct pdt_log *log, const char *what)
{
	log_read(log);
	return log->text ? strstr(log->text, what) : NULL;
}

/* Waits until it has come */
bool pdt_log_wait(struct pdt_log *log, const char *what)
{
	uint64_t end = pdt_now_ms() + 30000 * pdt_slow();

	while (!pdt_log_find(log, what)) {
		if (pdt_now_ms() > end)
			return false;
		pdt_sleep_ms(20);
	}
	return true;
}

/*
 * Forget the warnings of a function of the kernel's own, for a test that makes the
 * kernel go wrong by itself: each fills the log from "cut here" to "end trace".
 */
void pdt_log_forgive(struct pdt_log *log, const char *function)
{
	static const char head[] = "[ cut here ]", tail[] = "[ end trace";
	char *at, *end, *line;

	if (!pdt_log_find(log, function))
		return;
	for (at = strstr(log->text, head); at; at = strstr(end, head)) {
		end = strstr(at, tail);
		if (!end)
			break;
		line = strstr(at, "WARNING:");
		if (line && line < end &&
		    memmem(line, strcspn(line, "\n"), function, strlen(function)))
			memset(at, '-', (size_t)(end - at));
	}
}

/* The first line that says that the kernel is hurt; NULL when there is none */
const char *pdt_log_complaint(struct pdt_log *log)
{
	static char line[256];
	const char *at;
	size_t len;

	for (size_t i = 0; i < PDT_ARRAY_SIZE(complaints); i++) {
		at = pdt_log_find(log, complaints[i]);
		if (!at)
			continue;
		while (at > log->text && at[-1] != '\n')
			at--;
		len = strcspn(at, "\n");
		snprintf(line, sizeof(line), "%.*s", (int)len, at);
		return line;
	}
	return NULL;
}

/* A figure of the VRAM manager, from vram_mm */
int pdt_vram_mm(const char *name, uint64_t *value)
{
	char *text = pdt_debugfs_read("vram_mm");
	int rc = text ? pdt_number_of(text, name, value) : -EIO;

	free(text);
	return rc;
}
