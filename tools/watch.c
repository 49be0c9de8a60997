// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "json.h"
#include "out.h"
#include "text.h"
#include "watch.h"

#define CHILDREN_MAX 16		/* commands at the same time; more are left out */

struct watch_card {
	const char *device, *driver;
};

/* Left behind; told when it is there twice, for most of it is given back at once. */
struct watch_owner {
	const char *device;
	uint64_t id;
	bool told;
};

/* What there is to tell; what is 0 or NULL is left out. */
struct news {
	const char *event;
	bool alert;
	const char *device, *driver, *name;
	pid_t pid;
	bool has_client;
	uint64_t client, bytes, threshold;
	int64_t growth;
	const char *text;	/* for people, with a size in front or none */
};

static void print_json(const struct watch *watch, const struct news *news)
{
	json_t *document = json_document("watch");

	json_put(document, "time_ms", json_integer(watch->wall_ms));
	json_put(document, "event", json_text(news->event));
	json_put(document, "alert", json_boolean(news->alert));
	json_put(document, "device", json_text(news->device));
	if (news->driver)
		json_put(document, "driver", json_text(news->driver));
	if (news->pid)
		json_put(document, "pid", json_integer(news->pid));
	if (news->name)
		json_put(document, "name", json_text(news->name));
	if (news->has_client)
		json_put(document, "client_id", json_count(news->client));
	if (news->bytes)
		json_put(document, "bytes", json_count(news->bytes));
	if (news->growth)
		json_put(document, "growth_bytes_per_minute", json_integer(news->growth));
	if (news->threshold)
		json_put(document, "threshold_bytes", json_count(news->threshold));
	json_print(document, true);
}

static void print_text(const struct watch *watch, const struct news *news)
{
	time_t seconds = (time_t)(watch->wall_ms / 1000);
	char when[32] = "";
	struct tm local;

	if (localtime_r(&seconds, &local))
		strftime(when, sizeof(when), "%F %T", &local);
	printf("%s  %s%-11s%s  %s", when, out_on(news->alert ? OUT_BAD : OUT_GOOD), news->event,
	       out_off(), news->device);
	if (news->name) {
		char *name = text_printable(news->name);

		printf("  %s, pid %d", *name ? name : "?", news->pid);
		free(name);
	}
	printf("  %s\n", news->text);
}

static void put_number(const char *variable, long long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", value);
	setenv(variable, value ? text : "", 1);
}

/* In the child: what is not known is empty. */
static void run_command(const struct watch *watch, const struct news *news)
{
	char *name = text_printable(news->name ? news->name : "");
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	setenv("PDDGPU_EVENT", news->event, 1);
	setenv("PDDGPU_DEVICE", news->device, 1);
	setenv("PDDGPU_NAME", name, 1);
	put_number("PDDGPU_PID", news->pid);
	put_number("PDDGPU_BYTES", (long long)(news->bytes & INT64_MAX));
	put_number("PDDGPU_GROWTH", news->growth);
	/* The standard output is for the lines of this program. */
	dup2(STDERR_FILENO, STDOUT_FILENO);
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	setrlimit(RLIMIT_NOFILE, &watch->files);
	execl("/bin/sh", "sh", "-c", watch->command, (char *)NULL);
	_exit(127);
}

static void start_command(struct watch *watch, const struct news *news)
{
	pid_t pid;

	if (watch->children == CHILDREN_MAX) {
		out_say("watch: %u commands still run; none for this", CHILDREN_MAX);
		return;
	}
	/* Else the child would write it again. */
	out_flush();
	pid = fork();
	if (!pid)
		run_command(watch, news);
	if (pid < 0)
		out_say("watch: no command can be run: %s", strerror(errno));
	else
		watch->children++;
}

void watch_reap(struct watch *watch)
{
	while (watch->children && waitpid(-1, NULL, WNOHANG) > 0)
		watch->children--;
}

static void tell(struct watch *watch, const struct news *news)
{
	if (watch->device && strcmp(watch->device, news->device))
		return;
	if (watch->as_json)
		print_json(watch, news);
	else
		print_text(watch, news);
	if (!news->alert)
		return;
	watch->alerts++;
	if (watch->command)
		start_command(watch, news);
}

void watch_event(struct watch *watch, const struct pddgpu_event *event)
{
	char text[96], used[OUT_SIZE_MAX], threshold[OUT_SIZE_MAX];
	struct news news = { .device = event->pci, .driver = "pddgpu" };
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	watch->wall_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	news.bytes = event->used_bytes;
	news.threshold = event->threshold_bytes;
	out_size(used, event->used_bytes);
	out_size(threshold, event->threshold_bytes);
	switch (event->type) {
	case PDDGPU_EVENT_LEAK_ALERT:
		news.event = "leak_alert";
		news.alert = true;
		snprintf(text, sizeof(text), "%s are in use, more than %s", used, threshold);
		break;
	case PDDGPU_EVENT_LEAK_CLEAR:
		news.event = "leak_clear";
		snprintf(text, sizeof(text), "%s are in use, no more than %s", used, threshold);
		break;
	case PDDGPU_EVENT_WEDGED:
		news.event = "wedged";
		news.alert = true;
		snprintf(text, sizeof(text), "its chip cannot be reset: bind its driver anew");
		break;
	default:
		/* Cards that come and go are seen in the samples, of any driver. */
		return;
	}
	news.text = text;
	tell(watch, &news);
}

static void tell_growth(struct watch *watch, const struct drmclient *client,
			const struct history_client *one, int64_t rate)
{
	char text[96], sum[OUT_SIZE_MAX], amount[OUT_SIZE_MAX];
	struct news news = {
		.event = "growth", .alert = true, .device = one->device, .driver = one->driver,
		.name = client->comm, .pid = client->pid, .has_client = true, .client = one->id,
		.bytes = one->sum, .growth = rate, .text = text,
	};

	snprintf(text, sizeof(text), "grows by %s a minute, has %s",
		 out_size(amount, (uint64_t)rate), out_size(sum, one->sum));
	tell(watch, &news);
}

static void tell_end(struct watch *watch, const struct drmclient *client,
		     const struct history_client *one)
{
	char text[96], sum[OUT_SIZE_MAX];
	struct news news = {
		.event = "growth_end", .device = one->device, .driver = one->driver,
		.name = client->comm, .pid = client->pid, .has_client = true, .client = one->id,
		.bytes = one->sum, .text = text,
	};

	snprintf(text, sizeof(text), "grows no more, has %s", out_size(sum, one->sum));
	tell(watch, &news);
}

/* Told once, and again only after it has stopped for as long as it took to see it. */
static void check_growth(struct watch *watch, const struct sample *sample)
{
	for (size_t i = 0; i < sample->nr_clients; i++) {
		const struct history_client *one = history_client(watch->history, i);
		int64_t rate;
		bool steady = history_steady(watch->history, one, watch->window_ms, &rate) &&
			      (uint64_t)rate >= watch->growth;

		if (steady) {
			if (!one->mark)
				tell_growth(watch, sample->clients[i], one, rate);
			history_mark(watch->history, i, sample->ms);
		} else if (one->mark && sample->ms - one->mark >= watch->window_ms) {
			tell_end(watch, sample->clients[i], one);
			history_mark(watch->history, i, 0);
		}
	}
}

static void tell_card(struct watch *watch, const char *event, const char *name,
		      const char *driver, const char *text)
{
	struct news news = { .event = event, .device = name, .driver = driver, .text = text };

	tell(watch, &news);
}

static int check_cards(struct watch *watch, const struct sample *sample)
{
	struct watch_card *cards = calloc(sample->nr_cards + 1, sizeof(*cards));
	size_t count = 0;

	if (!cards)
		return -ENOMEM;
	for (size_t i = 0; i < sample->nr_cards; i++) {
		const struct sample_card *card = &sample->cards[i];
		bool known = false;

		if (card->gone)
			continue;
		for (size_t j = 0; j < watch->nr_cards && !known; j++)
			known = watch->cards[j].device == card->device;
		if (!known && watch->begun)
			tell_card(watch, "added", card->device, card->driver,
				  card->driver ? card->driver : "no driver");
		cards[count++] = (struct watch_card){ card->device, card->driver };
	}
	for (size_t j = 0; j < watch->nr_cards; j++) {
		bool there = false;

		for (size_t i = 0; i < count && !there; i++)
			there = cards[i].device == watch->cards[j].device;
		if (!there)
			tell_card(watch, "removed", watch->cards[j].device,
				  watch->cards[j].driver, watch->cards[j].driver ?
				  watch->cards[j].driver : "no driver");
	}
	free(watch->cards);
	watch->cards = cards;
	watch->nr_cards = count;
	return 0;
}

static void tell_owner(struct watch *watch, const struct sample_owner *owner)
{
	char text[96], size[OUT_SIZE_MAX];
	struct news news = {
		.event = "exited", .alert = true, .device = owner->device, .driver = "pddgpu",
		.name = owner->comm, .pid = owner->pid, .has_client = true, .client = owner->id,
		.text = text,
	};

	for (unsigned int i = 0; i < REGION_CLASSES; i++)
		news.bytes = add_saturated(news.bytes, owner->bytes[i]);
	snprintf(text, sizeof(text), "has exited and left %s behind", out_size(size, news.bytes));
	tell(watch, &news);
}

static int check_owners(struct watch *watch, const struct sample *sample)
{
	struct watch_owner *owners;
	size_t old = 0;

	/* To be there twice takes two readings */
	if (sample->owners_old)
		return 0;
	owners = calloc(sample->nr_owners + 1, sizeof(*owners));
	if (!owners)
		return -ENOMEM;
	/* Both are in order of device and id. */
	for (size_t i = 0; i < sample->nr_owners; i++) {
		const struct sample_owner *owner = &sample->owners[i];
		const struct watch_owner *before = NULL;

		while (old < watch->nr_owners && (watch->owners[old].device < owner->device ||
						  (watch->owners[old].device == owner->device &&
						   watch->owners[old].id < owner->id)))
			old++;
		if (old < watch->nr_owners && watch->owners[old].device == owner->device &&
		    watch->owners[old].id == owner->id)
			before = &watch->owners[old];
		owners[i] = (struct watch_owner){ owner->device, owner->id, true };
		/* What was there from the beginning is no news; id 0 is nobody's. */
		if (before ? before->told : !watch->owners_begun || !owner->id)
			continue;
		if (before)
			tell_owner(watch, owner);
		else
			owners[i].told = false;
	}
	free(watch->owners);
	watch->owners = owners;
	watch->nr_owners = sample->nr_owners;
	watch->owners_begun = sample->owners_known;
	return 0;
}

int watch_sample(struct watch *watch, const struct sample *sample)
{
	int error;

	if (!watch->history)
		watch->history = history_new();
	if (!watch->history)
		return -ENOMEM;
	watch->wall_ms = sample->wall_ms;
	error = history_update(watch->history, sample);
	if (!error)
		error = check_cards(watch, sample);
	if (!error)
		error = check_owners(watch, sample);
	if (!error)
		check_growth(watch, sample);
	watch->begun = true;
	return error;
}

void watch_end(struct watch *watch)
{
	history_free(watch->history);
	free(watch->cards);
	free(watch->owners);
}
