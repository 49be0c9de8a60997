// SPDX-License-Identifier: MIT
/*
 * In place of libpddgpu: cards that are folders of files, so that the
 * exporter can be tested where there is no card. PDDGPU_FAKE_CARDS names a folder;
 * each folder in it is a card, named by PCI address, with
 *
 *   memory_stats   as the driver's file in debugfs
 *   owners         as the driver's file; none: -EACCES, as for who is not root
 *   card           the N of cardN; else 0
 *   error          the errno that opening it ends in
 *   delay_ms       how long a question takes
 *   no_ownership   an older driver
 *   wedged         the state is that
 *   skew           bytes that were allocated between two questions
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pddgpu.h>
#include <pddgpu_watch.h>

struct pddgpu_device {
	char folder[512];
	struct drm_pddgpu_memory_stats stats;
};

struct pddgpu_owners {
	FILE *file;
};

static FILE *open_file(const char *folder, const char *name)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return fopen(path, "re");
}

static long number(const char *folder, const char *name, long otherwise)
{
	FILE *file = open_file(folder, name);

	if (!file)
		return otherwise;
	if (fscanf(file, "%ld", &otherwise) != 1)
		otherwise = 1;
	fclose(file);
	return otherwise;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct pddgpu_device_id *)a)->pci,
		      ((const struct pddgpu_device_id *)b)->pci);
}

int pddgpu_list(struct pddgpu_device_id *out, unsigned int max)
{
	const char *top = getenv("PDDGPU_FAKE_CARDS");
	DIR *dir = top ? opendir(top) : NULL;
	struct dirent *entry;
	unsigned int count = 0;
	char path[512];

	while (dir && (entry = readdir(dir))) {
		if (*entry->d_name == '.' || count >= max)
			continue;
		memset(&out[count], 0, sizeof(*out));
		snprintf(out[count].pci, sizeof(out->pci), "%.15s", entry->d_name);
		snprintf(path, sizeof(path), "%s/%s", top, entry->d_name);
		out[count].card = (int)number(path, "card", 0);
		count++;
	}
	if (dir)
		closedir(dir);
	qsort(out, count, sizeof(*out), compare);
	return (int)count;
}

static const struct {
	const char *name;
	size_t offset;
	unsigned int count;
} fields[] = {
#define FIELD(name)	{#name, offsetof(struct drm_pddgpu_memory_stats, name), \
			 sizeof(((struct drm_pddgpu_memory_stats *)0)->name) / 8}
	FIELD(vram_total), FIELD(vram_used), FIELD(vram_visible_total),
	FIELD(vram_visible_used), FIELD(gtt_total), FIELD(gtt_used),
	FIELD(total_allocations), FIELD(total_deallocations), FIELD(failed_allocations),
	FIELD(moves), FIELD(evictions), FIELD(bytes_moved), FIELD(swap_outs), FIELD(swap_ins),
	FIELD(leak_suspicious), FIELD(leak_suspicious_bytes), FIELD(leak_confirmed),
	FIELD(leak_confirmed_bytes), FIELD(avg_allocation_time),
	FIELD(avg_deallocation_time), FIELD(avg_move_time), FIELD(live_objects),
	FIELD(live_bytes), FIELD(orphan_objects), FIELD(orphan_bytes), FIELD(zombie_objects),
	FIELD(zombie_bytes), FIELD(kernel_bytes), FIELD(allocation_histogram),
	FIELD(deallocation_histogram), FIELD(move_histogram), FIELD(swapped_bytes),
#undef FIELD
};

static void read_stats(struct pddgpu_device *dev)
{
	FILE *file = open_file(dev->folder, "memory_stats");
	char line[1024], *at;
	uint64_t value;
	unsigned int n;
	size_t i;

	while (file && fgets(line, sizeof(line), file)) {
		at = strchr(line, ':');
		if (!at)
			continue;
		*at++ = '\0';
		for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
			for (n = 0; !strcmp(line, fields[i].name) && n < fields[i].count; n++) {
				value = strtoull(at, &at, 10);
				memcpy((char *)&dev->stats + fields[i].offset + n * 8, &value, 8);
			}
	}
	if (file)
		fclose(file);
}

int pddgpu_open(const char *name, struct pddgpu_device **out)
{
	struct pddgpu_device *dev = calloc(1, sizeof(*dev));
	long error;

	if (!dev)
		return -ENOMEM;
	snprintf(dev->folder, sizeof(dev->folder), "%s/%s", getenv("PDDGPU_FAKE_CARDS"), name);
	error = access(dev->folder, F_OK) ? ENODEV : number(dev->folder, "error", 0);
	if (error) {
		free(dev);
		return (int)-error;
	}
	usleep((useconds_t)(number(dev->folder, "delay_ms", 0) * 1000));
	read_stats(dev);
	*out = dev;
	return 0;
}

void pddgpu_close(struct pddgpu_device *dev)
{
	free(dev);
}

int pddgpu_fd(const struct pddgpu_device *dev)
{
	(void)dev;
	return -1;
}

const char *pddgpu_version(void)
{
	return "1.0.0";
}

const char *pddgpu_strerror(int error)
{
	return strerror(-error);
}

static void fill_info(const struct pddgpu_device *dev, struct drm_pddgpu_device_info *info)
{
	memset(info, 0, sizeof(*info));
	info->chip_id = 0x1000;
	info->chip_rev = 1;
	info->state = number(dev->folder, "wedged", 0) ? PDDGPU_DEVICE_STATE_WEDGED :
		      PDDGPU_DEVICE_STATE_READY;
	strcpy(info->name, "PDD1000");
}

static void fill_usage(const struct pddgpu_device *dev, struct drm_pddgpu_domain_usage *usage)
{
	const struct drm_pddgpu_memory_stats *s = &dev->stats;

	usage[0] = (struct drm_pddgpu_domain_usage){
		PDDGPU_GEM_DOMAIN_VRAM, 0, s->vram_total, s->vram_used, s->vram_visible_total,
		s->vram_visible_used,
	};
	usage[1] = (struct drm_pddgpu_domain_usage){
		PDDGPU_GEM_DOMAIN_GTT, 0, s->gtt_total, s->gtt_used, s->gtt_total, s->gtt_used,
	};
	usage[2] = (struct drm_pddgpu_domain_usage){PDDGPU_GEM_DOMAIN_CPU, 0, 0, 0, 0, 0};
}

static void fill_ownership(const struct pddgpu_device *dev, struct drm_pddgpu_ownership *out)
{
	const struct drm_pddgpu_memory_stats *s = &dev->stats;
	uint64_t live = s->vram_used - s->kernel_bytes - s->orphan_bytes - s->zombie_bytes;

	/* Others went on meanwhile */
	uint64_t skew = (uint64_t)number(dev->folder, "skew", 0);

	memset(out, 0, 3 * sizeof(*out));
	out[0] = (struct drm_pddgpu_ownership){
		.domain = PDDGPU_GEM_DOMAIN_VRAM, .used = s->vram_used + skew, .live = live + skew,
		.orphan = s->orphan_bytes, .zombie = s->zombie_bytes, .kernel = s->kernel_bytes,
		.live_objects = s->live_objects, .orphan_objects = s->orphan_objects,
		.zombie_objects = s->zombie_objects,
	};
	out[1].domain = PDDGPU_GEM_DOMAIN_GTT;
	out[1].used = out[1].live = s->gtt_used;
	out[2].domain = PDDGPU_GEM_DOMAIN_CPU;
}

int pddgpu_query(struct pddgpu_device *dev, uint32_t type, void *out, size_t size)
{
	switch (type) {
	case PDDGPU_QUERY_DEVICE_INFO:
		fill_info(dev, out);
		break;
	case PDDGPU_QUERY_DOMAIN_USAGE:
		fill_usage(dev, out);
		break;
	case PDDGPU_QUERY_MEMORY_STATS:
		memcpy(out, &dev->stats, size);
		break;
	case PDDGPU_QUERY_OWNERSHIP:
		if (number(dev->folder, "no_ownership", 0))
			return -EOPNOTSUPP;
		fill_ownership(dev, out);
		break;
	default:
		return -EINVAL;
	}
	return (int)size;
}

int pddgpu_owners_open(struct pddgpu_device *dev, struct pddgpu_owners **out)
{
	FILE *file = open_file(dev->folder, "owners");

	if (!file)
		return -EACCES;
	*out = calloc(1, sizeof(**out));
	if (!*out) {
		fclose(file);
		return -ENOMEM;
	}
	(*out)->file = file;
	return 0;
}

/* Octal, as /proc has it */
static void unescape(char *text)
{
	char *to = text;

	while (*text) {
		if (*text == '\\' && strlen(text) > 3) {
			*to++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 |
				       (text[3] - '0'));
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

int pddgpu_owners_next(struct pddgpu_owners *owners, struct pddgpu_owner *out)
{
	char line[512], comm[128];
	unsigned long long b[9], o[3], client;
	unsigned int n;
	int pid;

	for (;;) {
		if (!fgets(line, sizeof(line), owners->file))
			return 0;
		if (sscanf(line, "%llu %d %127s %llu %llu %llu %llu %llu %llu %llu %llu %llu "
			   "%llu %llu %llu", &client, &pid, comm, &b[0], &b[1], &b[2], &b[3],
			   &b[4], &b[5], &b[6], &b[7], &b[8], &o[0], &o[1], &o[2]) == 15)
			break;
	}
	memset(out, 0, sizeof(*out));
	out->client_id = client;
	out->pid = pid;
	if (!strcmp(comm, "-"))
		*comm = '\0';
	unescape(comm);
	snprintf(out->comm, sizeof(out->comm), "%.31s", comm);
	for (n = 0; n < 9; n++)
		out->bytes[n / 3][n % 3] = b[n];
	for (n = 0; n < 3; n++)
		out->objects[n] = o[n];
	return 1;
}

void pddgpu_owners_close(struct pddgpu_owners *owners)
{
	if (!owners)
		return;
	fclose(owners->file);
	free(owners);
}
