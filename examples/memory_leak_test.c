// SPDX-License-Identifier: MIT
/*
 * Leaks video memory on purpose, so that the driver's leak monitor has
 * something to say: makes buffers, frees some of them, keeps the rest for a
 * while, and looks at nothing itself. What comes of it stands in the kernel
 * log: dmesg | grep PDDGPU
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <drm/pddgpu_drm.h>

#define TRIGGER		"/sys/kernel/debug/pddgpu/trigger_leak_check"

/* Long enough to read the log; and for the monitor to come by on its own */
#define WAIT_TRIGGERED	2
#define WAIT_INTERVAL	6

#define DEFAULT_COUNT	15
#define DEFAULT_FREE	5
#define DEFAULT_SIZE	(10ULL << 20)

enum text {
	TEXT_TITLE, TEXT_OPENED, TEXT_CREATED, TEXT_TOTAL, TEXT_WAIT_DETECT,
	TEXT_FREEING, TEXT_FREED, TEXT_KEPT, TEXT_WAIT_WATCH, TEXT_CLEANING,
	TEXT_END, TEXT_COUNT
};

static const char *const english[TEXT_COUNT] = {
	[TEXT_TITLE] = "PDDGPU memory leak test\n========================\n",
	[TEXT_OPENED] = "Device opened, starting the memory leak test...\n",
	[TEXT_CREATED] = "Allocated BO %u: handle=%u, size=%llu bytes\n",
	[TEXT_TOTAL] = "Allocated %u BOs, total size: %llu MB\n",
	[TEXT_WAIT_DETECT] = "Waiting %u seconds for the leak monitor to detect the leak...\n",
	[TEXT_FREEING] = "\nFreeing some of the BOs...\n",
	[TEXT_FREED] = "Freed BO %u: handle=%u\n",
	[TEXT_KEPT] = "Kept %u BOs unfreed, simulating a memory leak\n",
	[TEXT_WAIT_WATCH] = "Waiting %u seconds to watch the leak monitor...\n",
	[TEXT_CLEANING] = "\nTest done, cleaning up the remaining BOs...\n",
	[TEXT_END] = "Test program finished\n",
};

static const char *const chinese[TEXT_COUNT] = {
	[TEXT_TITLE] = "PDDGPU 内存泄漏测试程序\n========================\n",
	[TEXT_OPENED] = "设备打开成功，开始内存泄漏测试...\n",
	[TEXT_CREATED] = "分配BO %u: handle=%u, size=%llu bytes\n",
	[TEXT_TOTAL] = "已分配 %u 个BO，总大小: %llu MB\n",
	[TEXT_WAIT_DETECT] = "等待 %u 秒，让内存泄漏监控进程检测到泄漏...\n",
	[TEXT_FREEING] = "\n开始释放部分BO...\n",
	[TEXT_FREED] = "释放BO %u: handle=%u\n",
	[TEXT_KEPT] = "保留了 %u 个BO未释放，模拟内存泄漏\n",
	[TEXT_WAIT_WATCH] = "等待 %u 秒，观察内存泄漏监控...\n",
	[TEXT_CLEANING] = "\n测试完成，清理剩余BO...\n",
	[TEXT_END] = "测试程序结束\n",
};

static const char help[] =
"Usage: memory_leak_test [OPTION]...\n"
"Leaks memory of a PDDGPU card on purpose, for the leak monitor to see.\n"
"\n"
"  --count N       buffers to allocate (default: 15)\n"
"  --size SIZE     size of each; bytes, or with K, M or G (default: 10M)\n"
"  --free N        how many to free before the rest is taken for a leak\n"
"                  (default: 5)\n"
"  --wait SECONDS  how long to wait, twice (default: 2 when it can ask for a\n"
"                  leak check, which needs root; else 6, for the next one)\n"
"  --domain NAME   vram, gtt or both (default: vram)\n"
"  --lang LANG     en or zh (default: en)\n"
"  --help          print this and exit\n"
"\n"
"See what the monitor says with: dmesg | grep PDDGPU\n"
"Exit status: 0 done, 1 something failed, 2 bad usage.\n";

struct settings {
	unsigned int count;
	unsigned int free;
	bool free_given;
	/* In seconds; negative: choose by what can be done */
	int wait;
	uint64_t size;
	uint32_t domains;
	const char *const *texts;
};

static void complain(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("memory_leak_test: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/* A DRM call that is interrupted is made again. */
static int call(int fd, unsigned long request, void *arg)
{
	int rc;

	do {
		rc = ioctl(fd, request, arg);
	} while (rc < 0 && (errno == EINTR || errno == EAGAIN));
	return rc;
}

static bool is_pddgpu(int fd)
{
	char name[16] = "";
	struct drm_version version = {
		.name = name,
		.name_len = sizeof(name) - 1,
	};

	return !call(fd, DRM_IOCTL_VERSION, &version) && !strcmp(name, "pddgpu");
}

/* The first card's render node, which an ordinary user may open too */
static int open_card(void)
{
	struct dirent **names;
	int n = scandir("/dev/dri", &names, NULL, alphasort);
	int fd = -1, refused = 0;

	for (int i = 0; i < n; i++) {
		char path[300];

		if (fd < 0 && !strncmp(names[i]->d_name, "renderD", 7)) {
			snprintf(path, sizeof(path), "/dev/dri/%s", names[i]->d_name);
			fd = open(path, O_RDWR | O_CLOEXEC);
			if (fd < 0) {
				refused = errno;
			} else if (!is_pddgpu(fd)) {
				close(fd);
				fd = -1;
			}
		}
		free(names[i]);
	}
	if (n >= 0)
		free(names);

	if (fd < 0 && refused)
		complain("cannot open a render node in /dev/dri: %s", strerror(refused));
	else if (fd < 0)
		complain("no PDDGPU card found in /dev/dri; is the driver loaded?");
	return fd;
}

static bool create_buffers(int fd, const struct settings *s, uint32_t *handles)
{
	for (unsigned int i = 0; i < s->count; i++) {
		struct drm_pddgpu_gem_create create = {
			.size = s->size,
			.domains = s->domains,
		};

		if (call(fd, DRM_IOCTL_PDDGPU_GEM_CREATE, &create)) {
			complain("cannot allocate buffer %u of %llu bytes: %s", i,
				 (unsigned long long)s->size, strerror(errno));
			return false;
		}
		handles[i] = create.handle;
		printf(s->texts[TEXT_CREATED], i, handles[i], (unsigned long long)s->size);
	}
	printf(s->texts[TEXT_TOTAL], s->count,
	       (unsigned long long)(s->count * s->size >> 20));
	return true;
}

static bool free_buffers(int fd, const struct settings *s, const uint32_t *handles,
			 unsigned int first, unsigned int end)
{
	for (unsigned int i = first; i < end; i++) {
		struct drm_pddgpu_gem_destroy destroy = { .handle = handles[i] };

		if (call(fd, DRM_IOCTL_PDDGPU_GEM_DESTROY, &destroy)) {
			complain("cannot free buffer %u: %s", i, strerror(errno));
			return false;
		}
		printf(s->texts[TEXT_FREED], i, handles[i]);
	}
	return true;
}

/* Root asks for a leak check at once; anybody else waits for the next one. */
static bool trigger_check(void)
{
	int fd = open(TRIGGER, O_WRONLY | O_CLOEXEC);
	bool done;

	if (fd < 0)
		return false;
	done = write(fd, "1", 1) == 1;
	close(fd);
	return done;
}

static void watch(const struct settings *s, enum text text)
{
	bool triggered = trigger_check();
	unsigned int left = triggered ? WAIT_TRIGGERED : WAIT_INTERVAL;

	if (s->wait >= 0)
		left = (unsigned int)s->wait;
	printf(s->texts[text], left);
	fflush(stdout);
	while (left)
		left = sleep(left);
}

static bool run(int fd, const struct settings *s, uint32_t *handles)
{
	fputs(s->texts[TEXT_OPENED], stdout);
	if (!create_buffers(fd, s, handles))
		return false;
	watch(s, TEXT_WAIT_DETECT);

	fputs(s->texts[TEXT_FREEING], stdout);
	if (!free_buffers(fd, s, handles, 0, s->free))
		return false;
	printf(s->texts[TEXT_KEPT], s->count - s->free);
	watch(s, TEXT_WAIT_WATCH);

	fputs(s->texts[TEXT_CLEANING], stdout);
	if (!free_buffers(fd, s, handles, s->free, s->count))
		return false;
	fputs(s->texts[TEXT_END], stdout);
	return true;
}

static bool parse_number(const char *name, const char *text, uint64_t max, bool suffix,
			 uint64_t *value)
{
	static const char units[] = "KMG";
	unsigned int shift = 0;
	const char *unit;
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	if (suffix && *end) {
		unit = strchr(units, *end);
		if (unit) {
			shift = 10 * (unsigned int)(unit - units + 1);
			end++;
		}
	}
	if (errno || text[0] < '0' || text[0] > '9' || *end || *value > max >> shift) {
		complain("--%s: '%s' is not a number from 0 to %llu", name, text,
			 (unsigned long long)max);
		return false;
	}
	*value <<= shift;
	return true;
}

static bool parse_domain(struct settings *s, const char *text)
{
	if (!strcmp(text, "vram")) {
		s->domains = PDDGPU_GEM_DOMAIN_VRAM;
	} else if (!strcmp(text, "gtt")) {
		s->domains = PDDGPU_GEM_DOMAIN_GTT;
	} else if (!strcmp(text, "both")) {
		s->domains = PDDGPU_GEM_DOMAIN_VRAM | PDDGPU_GEM_DOMAIN_GTT;
	} else {
		complain("--domain: '%s' is not vram, gtt or both", text);
		return false;
	}
	return true;
}

static bool parse_lang(struct settings *s, const char *text)
{
	if (!strcmp(text, "en")) {
		s->texts = english;
	} else if (!strcmp(text, "zh")) {
		s->texts = chinese;
	} else {
		complain("--lang: '%s' is not en or zh", text);
		return false;
	}
	return true;
}

static bool parse_one(struct settings *s, int option)
{
	uint64_t value;

	switch (option) {
	case 'c':
		if (!parse_number("count", optarg, 1000000, false, &value))
			return false;
		s->count = (unsigned int)value;
		return true;
	case 's':
		return parse_number("size", optarg, INT64_MAX, true, &s->size);
	case 'f':
		if (!parse_number("free", optarg, 1000000, false, &value))
			return false;
		s->free = (unsigned int)value;
		s->free_given = true;
		return true;
	case 'w':
		if (!parse_number("wait", optarg, 86400, false, &value))
			return false;
		s->wait = (int)value;
		return true;
	case 'd':
		return parse_domain(s, optarg);
	case 'l':
		return parse_lang(s, optarg);
	default:
		return false;
	}
}

static bool check_settings(struct settings *s)
{
	uint64_t total;

	if (!s->free_given && s->free > s->count)
		s->free = s->count;
	if (!s->count || !s->size) {
		complain("--%s: must not be 0", s->count ? "size" : "count");
		return false;
	}
	if (s->free > s->count) {
		complain("--free: cannot free %u of %u buffers", s->free, s->count);
		return false;
	}
	if (__builtin_mul_overflow(s->size, s->count, &total)) {
		complain("--size: %u times %llu bytes are too much", s->count,
			 (unsigned long long)s->size);
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "count", required_argument, NULL, 'c' },
		{ "size", required_argument, NULL, 's' },
		{ "free", required_argument, NULL, 'f' },
		{ "wait", required_argument, NULL, 'w' },
		{ "domain", required_argument, NULL, 'd' },
		{ "lang", required_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct settings s = {
		.count = DEFAULT_COUNT,
		.free = DEFAULT_FREE,
		.wait = -1,
		.size = DEFAULT_SIZE,
		.domains = PDDGPU_GEM_DOMAIN_VRAM,
		.texts = english,
	};
	uint32_t *handles;
	int option, fd;
	bool ok;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'h') {
			fputs(help, stdout);
			return 0;
		}
		if (!parse_one(&s, option))
			return 2;
	}
	if (optind < argc) {
		complain("'%s' is too much; see --help", argv[optind]);
		return 2;
	}
	if (!check_settings(&s))
		return 2;

	/* Each line as it comes, also into a file or a pipe */
	setvbuf(stdout, NULL, _IOLBF, 0);
	handles = calloc(s.count, sizeof(*handles));
	if (!handles) {
		complain("out of memory");
		return 1;
	}
	fputs(s.texts[TEXT_TITLE], stdout);
	fd = open_card();
	if (fd < 0) {
		free(handles);
		return 1;
	}
	/* What is still allocated after a failure goes with the file. */
	ok = run(fd, &s, handles);
	close(fd);
	free(handles);
	return ok ? 0 : 1;
}
