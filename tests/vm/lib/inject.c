// SPDX-License-Identifier: MIT
/* Allocations that fail because a test wants it; the kernel's fault injection */
#include "pdt.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#define FAIL_NTH	"/proc/self/fail-nth"

/* Stays open for a test's time: to open it would be an allocation, too */
static int task_file = -1;

/* The task's allocations from now on are counted, and the nth fails; 0: none */
int pdt_fail_nth(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	/* The copy of this text may be the one that fails; then the next will not. */
	for (int i = 0; i < 2; i++)
		if (pwrite(task_file, text, (size_t)len, 0) == len)
			return 0;
	return -errno;
}

/* Has the failure happened? The file says how many calls are left until then. */
bool pdt_failed_one(void)
{
	char text[16] = "";

	return pread(task_file, text, sizeof(text) - 1, 0) > 0 && atoi(text) == 0;
}

/* False: this kernel cannot; otherwise every allocation counts from now on. */
bool pdt_can_inject(void)
{
	static const char *const settings[][2] = {
		{ "/sys/kernel/debug/failslab/ignore-gfp-wait", "N" },
		{ "/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N" },
		{ "/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N" },
		{ "/sys/kernel/debug/fail_page_alloc/min-order", "0" },
		/* A line for each failure would be most of the log */
		{ "/sys/kernel/debug/failslab/verbose", "0" },
		{ "/sys/kernel/debug/fail_page_alloc/verbose", "0" },
	};

	task_file = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	if (task_file < 0)
		return false;
	for (size_t i = 0; i < PDT_ARRAY_SIZE(settings); i++)
		if (pdt_file_write(settings[i][0], settings[i][1]))
			return false;
	pdt_file_write("/sys/kernel/debug/fail_usercopy/verbose", "0");
	return true;
}

/* The driver's code, for the filter that looks for who allocates */
static int module_text(uint64_t *start, uint64_t *end)
{
	char *text = pdt_file_read("/proc/modules"), *line = text;
	unsigned long size = 0, at = 0;
	int rc = -ENOENT;

	for (; line && *line; line = strchr(line, '\n'), line += !!line)
		if (sscanf(line, "pddgpu %lu %*d %*s %*s %lx", &size, &at) == 2 && at)
			rc = 0;
	free(text);
	*start = at;
	*end = at + size;
	return rc;
}

/* In a tenth of the allocations that the driver makes, in workers too */
int pdt_fail_driver(unsigned int percent)
{
	static const char *const kinds[] = { "failslab", "fail_page_alloc" };
	uint64_t start, end;
	char path[128], text[32];
	int rc = module_text(&start, &end);

	for (size_t i = 0; i < PDT_ARRAY_SIZE(kinds) && !rc; i++) {
		const struct {
			const char *file;
			uint64_t value;
		} settings[] = {
			{ "stacktrace-depth", 32 }, { "require-start", start },
			{ "require-end", end }, { "interval", 1 }, { "times", -1 },
			{ "space", 0 }, { "task-filter", 0 }, { "probability", percent },
		};

		for (size_t k = 0; k < PDT_ARRAY_SIZE(settings) && !rc; k++) {
			snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", kinds[i],
				 settings[k].file);
			snprintf(text, sizeof(text),
				 strncmp(settings[k].file, "require", 7) ? "%lld" : "0x%llx",
				 (long long)settings[k].value);
			if (!strcmp(settings[k].file, "task-filter"))
				snprintf(text, sizeof(text), "N");
			rc = pdt_file_write(path, text);
		}
	}
	return rc;
}

/* Where a function of the kernel begins, and where the next one does */
static int function_text(const char *name, unsigned long *start, unsigned long *end)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	unsigned long address;
	char line[512], symbol[256];

	*start = 0;
	*end = ULONG_MAX;
	for (int pass = 0; file && pass < 2; pass++) {
		rewind(file);
		while (fgets(line, sizeof(line), file)) {
			if (sscanf(line, "%lx %*c %255s", &address, symbol) != 2)
				continue;
			if (!pass && !strcmp(symbol, name))
				*start = address;
			else if (pass && address > *start && address < *end)
				*end = address;
		}
	}
	if (file)
		fclose(file);
	return *start ? 0 : -ENOENT;
}

/* What a function of the kernel allocates does not fail, and is not counted. */
int pdt_fail_spare(const char *name)
{
	static const char *const kinds[] = { "failslab", "fail_page_alloc" };
	unsigned long start, end;
	char path[128], text[32];
	int rc = function_text(name, &start, &end);

	for (size_t i = 0; i < PDT_ARRAY_SIZE(kinds) && !rc; i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/reject-start", kinds[i]);
		snprintf(text, sizeof(text), "0x%lx", start);
		rc = pdt_file_write(path, text);
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/reject-end", kinds[i]);
		snprintf(text, sizeof(text), "0x%lx", end);
		if (!rc)
			rc = pdt_file_write(path, text);
	}
	return rc;
}
