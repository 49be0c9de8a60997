// SPDX-License-Identifier: MIT
/*
 * What can be known of a card now: sums that agree with each other, who has memory,
 * and how the card is.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drmclient.h"
#include "facts.h"
#include "json.h"
#include "out.h"

/* How often figures are read again that have changed while they were read */
#define READ_TRIES 5

/* Of the machine's first namespaces, in every kernel */
#define INITIAL_PID_NAMESPACE "pid:[4026531836]"
#define INITIAL_USER_NAMESPACE "user:[4026531837]"

const char *const region_names[PDDGPU_REGIONS] = { "vram", "gtt", "cpu" };
const char *const region_titles[PDDGPU_REGIONS] = { "VRAM", "GTT", "CPU" };
const char *const state_names[] = { "live", "orphan", "zombie", "kernel", "free", "clearing" };

const char *state_name(int state)
{
	if (state < 0 || state >= (int)(sizeof(state_names) / sizeof(state_names[0])))
		return "unknown";
	return state_names[state];
}

const char *device_state_name(uint32_t state)
{
	switch (state) {
	case PDDGPU_DEVICE_STATE_INITIALIZING:
		return "initializing";
	case PDDGPU_DEVICE_STATE_READY:
		return "ready";
	case PDDGPU_DEVICE_STATE_SHUTDOWN:
		return "shutdown";
	case PDDGPU_DEVICE_STATE_WEDGED:
		return "wedged";
	default:
		return "unknown";
	}
}

/* Whether this process is in the machine's first namespace of a kind */
static bool is_initial(const char *path, const char *name)
{
	char text[64] = "";
	ssize_t length = readlink(path, text, sizeof(text) - 1);

	/* A kernel that has no such namespaces has but one */
	if (length < 0 && errno == ENOENT)
		return !access("/proc/self", F_OK);
	return length > 0 && !strcmp(text, name);
}

/* The driver's pids mean something here */
static bool sees_all_processes(void)
{
	static int sees = -1;

	if (sees < 0)
		sees = is_initial("/proc/self/ns/pid", INITIAL_PID_NAMESPACE);
	return sees;
}

int facts_all = -1;

bool sees_all(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };
	bool may;

	if (facts_all >= 0)
		return facts_all;
	if (syscall(SYS_capget, &header, data))
		return false;
	may = data[CAP_TO_INDEX(CAP_PERFMON)].effective & CAP_TO_MASK(CAP_PERFMON) ||
	      data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective & CAP_TO_MASK(CAP_SYS_ADMIN);
	return may && is_initial("/proc/self/ns/user", INITIAL_USER_NAMESPACE);
}

enum alive process_alive(int32_t pid, const char *comm)
{
	char path[64], now[64];
	ssize_t length;
	int fd;

	if (pid <= 0 || !sees_all_processes())
		return ALIVE_UNKNOWN;
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? ALIVE_NO : ALIVE_UNKNOWN;
	length = read(fd, now, sizeof(now) - 1);
	close(fd);
	if (length < 0)
		return errno == ESRCH ? ALIVE_NO : ALIVE_UNKNOWN;
	now[length && now[length - 1] == '\n' ? length - 1 : length] = '\0';
	/* Another has the number now; or it has called itself something else */
	return strcmp(now, comm) ? ALIVE_UNKNOWN : ALIVE_YES;
}

uint64_t process_region(const struct process *process, unsigned int region)
{
	uint64_t sum = 0;
	unsigned int state;

	for (state = 0; state < PDDGPU_STATES_OWNED; state++)
		sum += process->bytes[region][state];
	return sum;
}

uint64_t process_total(const struct process *process)
{
	uint64_t sum = 0;
	unsigned int region;

	for (region = 0; region < PDDGPU_REGIONS; region++)
		sum += process_region(process, region);
	return sum;
}

static int by_identity(const void *a, const void *b)
{
	const struct pddgpu_owner *x = a, *y = b;
	int order = (x->pid > y->pid) - (x->pid < y->pid);

	if (!order)
		order = strcmp(x->comm, y->comm);
	return order ? order : (x->client_id > y->client_id) - (x->client_id < y->client_id);
}

/* Largest first; equal ones in an order that stays */
static int by_total(const void *a, const void *b)
{
	const struct process *x = a, *y = b;
	uint64_t first = process_total(x), second = process_total(y);
	int order = (first < second) - (first > second);

	if (!order)
		order = (x->pid > y->pid) - (x->pid < y->pid);
	return order ? order : strcmp(x->comm, y->comm);
}

static int read_owners(const struct card *card, struct pddgpu_owner **all, size_t *count)
{
	struct pddgpu_owners *owners;
	size_t room = 0;
	int ret;

	*all = NULL;
	*count = 0;
	ret = pddgpu_owners_open(card->dev, &owners);
	if (ret)
		return ret;
	do {
		if (*count == room) {
			room = room * 2 + 64;
			*all = out_need(realloc(*all, room * sizeof(**all)));
		}
		ret = pddgpu_owners_next(owners, &(*all)[*count]);
		if (ret > 0)
			++*count;
	} while (ret > 0 || ret == -EPROTO);
	pddgpu_owners_close(owners);
	return ret;
}

static void processes_free(struct facts *facts)
{
	size_t i;

	for (i = 0; i < facts->process_count; i++)
		free(facts->processes[i].clients);
	free(facts->processes);
	facts->processes = NULL;
	facts->process_count = 0;
}

static void process_add(struct process *process, const struct pddgpu_owner *owner)
{
	unsigned int region, state;

	for (state = 0; state < PDDGPU_STATES_OWNED; state++) {
		process->objects[state] += owner->objects[state];
		for (region = 0; region < PDDGPU_REGIONS; region++)
			process->bytes[region][state] += owner->bytes[region][state];
	}
	process->clients = out_need(realloc(process->clients, (process->client_count + 1) *
					    sizeof(*process->clients)));
	process->clients[process->client_count++] = owner->client_id;
}

/* Of open files, those whom they belong to */
static void group(struct facts *facts, struct pddgpu_owner *owners, size_t count)
{
	struct process *process = NULL;
	size_t i;

	if (!count)
		return;
	qsort(owners, count, sizeof(*owners), by_identity);
	facts->processes = out_need(calloc(count, sizeof(*facts->processes)));
	for (i = 0; i < count; i++) {
		if (!process || process->pid != owners[i].pid ||
		    strcmp(process->comm, owners[i].comm)) {
			process = &facts->processes[facts->process_count++];
			process->pid = owners[i].pid;
			memcpy(process->comm, owners[i].comm, sizeof(process->comm));
			process->comm[sizeof(process->comm) - 1] = '\0';
		}
		process_add(process, &owners[i]);
	}
	qsort(facts->processes, facts->process_count, sizeof(*facts->processes), by_total);
}

const char *facts_proc;

/* By what the kernel shows of open files: an owner for each client */
static void scan_clients(const struct card *card, struct drmscan *scan,
			 struct pddgpu_owner **all, size_t *count)
{
	const struct drmclient *const *clients;
	size_t found, i;

	clients = drmscan_clients(scan, &found);
	*all = out_need(calloc(found + 1, sizeof(**all)));
	for (i = 0; i < found; i++) {
		struct pddgpu_owner *owner = &(*all)[*count];
		uint64_t sums[REGION_CLASSES];

		if (strcmp(clients[i]->driver, "pddgpu") ||
		    strcmp(clients[i]->device, card->id.pci))
			continue;
		fdinfo_sums(&clients[i]->info, sums);
		/* This command has a file open too, and others that look */
		if (!(sums[REGION_VRAM] | sums[REGION_GTT] | sums[REGION_SYSTEM]))
			continue;
		owner->client_id = clients[i]->id;
		owner->pid = clients[i]->pid;
		memcpy(owner->comm, clients[i]->comm, sizeof(clients[i]->comm));
		owner->bytes[PDDGPU_REGION_VRAM][PDDGPU_STATE_LIVE] = sums[REGION_VRAM];
		owner->bytes[PDDGPU_REGION_GTT][PDDGPU_STATE_LIVE] = sums[REGION_GTT];
		owner->bytes[PDDGPU_REGION_CPU][PDDGPU_STATE_LIVE] = sums[REGION_SYSTEM];
		++*count;
	}
}

/* Who has memory as far as this user may see; nobody, where not even that is known */
static void read_clients(struct facts *facts)
{
	struct drmscan_options options = { .proc = facts_proc, .names = names_new() };
	struct pddgpu_owner *owners = NULL;
	struct drmscan *scan = NULL;
	size_t count = 0;

	out_need(options.names);
	if (!drmscan_new(&options, &scan) && !drmscan_run(scan, 0))
		scan_clients(facts->card, scan, &owners, &count);
	group(facts, owners, count);
	free(owners);
	drmscan_free(scan);
	names_free(options.names);
}

static bool sums_agree(const struct facts *facts)
{
	uint64_t sums[PDDGPU_REGIONS][PDDGPU_STATES_OWNED] = { 0 };
	unsigned int region, state;
	size_t i;

	for (i = 0; i < facts->process_count; i++)
		for (region = 0; region < PDDGPU_REGIONS; region++)
			for (state = 0; state < PDDGPU_STATES_OWNED; state++)
				sums[region][state] += facts->processes[i].bytes[region][state];
	for (region = 0; region < PDDGPU_REGIONS; region++) {
		const struct drm_pddgpu_ownership *own = &facts->own[region];
		const uint64_t *sum = sums[region];

		if (sum[PDDGPU_STATE_LIVE] != own->live ||
		    sum[PDDGPU_STATE_ORPHAN] != own->orphan ||
		    sum[PDDGPU_STATE_ZOMBIE] != own->zombie)
			return false;
	}
	return true;
}

/* Owners and sums are not read in one moment: try until nothing changed in between */
static int read_processes(struct facts *facts)
{
	unsigned int try;
	size_t i;
	int ret;

	for (try = 0; try < READ_TRIES && !facts->exact; try++) {
		struct pddgpu_owner *owners;
		size_t count;

		processes_free(facts);
		facts->processes_error = read_owners(facts->card, &owners, &count);
		if (facts->processes_error) {
			free(owners);
			if (facts->processes_error == -ENODEV)
				return -ENODEV;
			read_clients(facts);
			break;
		}
		group(facts, owners, count);
		free(owners);
		if (facts->own_error)
			break;
		facts->exact = sums_agree(facts);
		if (facts->exact)
			break;
		ret = pddgpu_query_ownership(facts->card->dev, facts->own);
		if (ret)
			return ret;
		facts->exact = sums_agree(facts);
	}
	for (i = 0; i < facts->process_count; i++)
		facts->processes[i].alive = facts->processes_error ? ALIVE_YES :
					    process_alive(facts->processes[i].pid,
							  facts->processes[i].comm);
	return 0;
}

/* A number or a text, whichever it is */
static json_t *health_value(const char *text)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	return *text && *text != '-' && !*end ? json_count(value) : json_text(text);
}

/* "name: value" a line */
static void health_lines(json_t *object, char *text, const char *prefix)
{
	char *line, *rest = text, *colon, name[96];

	while ((line = strsep(&rest, "\n"))) {
		colon = strstr(line, ": ");
		if (!colon)
			continue;
		*colon = '\0';
		snprintf(name, sizeof(name), "%s%s", prefix, line);
		json_put(object, name, health_value(colon + 2));
	}
}

static int read_health(struct facts *facts)
{
	char *text;
	int error;

	text = card_debugfs(facts->card, "health", &facts->health_error);
	if (!text)
		return facts->health_error == -ENODEV ? -ENODEV : 0;
	facts->health = out_need(json_object());
	health_lines(facts->health, text, "");
	free(text);
	text = card_debugfs(facts->card, "reset", &error);
	if (text)
		health_lines(facts->health, text, "reset_");
	free(text);
	return 0;
}

/* With an older driver the sums are those that it has */
static int read_ownership(struct facts *facts)
{
	unsigned int region;

	facts->own_error = pddgpu_query_ownership(facts->card->dev, facts->own);
	if (facts->own_error && facts->own_error != -EOPNOTSUPP)
		return facts->own_error;
	if (facts->own_error)
		for (region = 0; region < PDDGPU_REGIONS; region++)
			facts->own[region].used = facts->usage[region].used;
	return 0;
}

int facts_read(const struct card *card, unsigned int what, struct facts *facts)
{
	int ret;

	memset(facts, 0, sizeof(*facts));
	facts->card = card;
	ret = pddgpu_query_info(card->dev, &facts->info);
	facts->info.name[sizeof(facts->info.name) - 1] = '\0';
	if (!ret)
		ret = pddgpu_query_stats(card->dev, &facts->stats);
	if (!ret)
		ret = pddgpu_query_usage(card->dev, facts->usage);
	if (!ret)
		ret = read_ownership(facts);
	if (!ret && (what & FACTS_PROCESSES))
		ret = read_processes(facts);
	if (!ret && (what & FACTS_HEALTH))
		ret = read_health(facts);
	return ret;
}

void facts_free(struct facts *facts)
{
	processes_free(facts);
	if (facts->health)
		json_decref(facts->health);
	facts->health = NULL;
}
