// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"

#define GROWTH_MIN_MS 900	/* less is no time to tell a rate by */

struct history {
	uint64_t run;		/* updates */
	uint64_t tick;		/* points; the newest is number tick, the first 1 */
	uint64_t ms[HISTORY_POINTS];
	bool ticked;		/* this update is a new point */
	struct history_client **clients;	/* in the order of the sample */
	size_t nr_clients, max_clients;
	struct history_client **table;
	size_t table_size;
	struct history_card **cards;
	size_t nr_cards;
};

struct history *history_new(void)
{
	return calloc(1, sizeof(struct history));
}

void history_free(struct history *history)
{
	if (!history)
		return;
	for (size_t i = 0; i < history->nr_clients; i++)
		free(history->clients[i]);
	for (size_t i = 0; i < history->nr_cards; i++)
		free(history->cards[i]);
	free(history->clients);
	free(history->table);
	free(history->cards);
	free(history);
}

const struct history_client *history_client(const struct history *history, size_t index)
{
	return history->clients[index];
}

void history_mark(struct history *history, size_t index, uint64_t mark)
{
	history->clients[index]->mark = mark;
}

const struct history_card *history_card(const struct history *history, size_t index)
{
	return history->cards[index];
}

int history_point(const struct history *history, uint64_t first_tick, unsigned int age)
{
	if (age >= HISTORY_POINTS || history->tick < first_tick + age)
		return -1;
	return (int)((history->tick - age) % HISTORY_POINTS);
}

uint64_t history_point_ms(const struct history *history, unsigned int age)
{
	return history->ms[(history->tick - age) % HISTORY_POINTS];
}

static size_t hash_key(const char *device, const char *driver, uint64_t id)
{
	uint64_t hash = ((uintptr_t)device ^ (uintptr_t)driver << 7) + id;

	return (size_t)((hash * 0x9e3779b97f4a7c15u) >> 20);
}

static struct history_client **find(struct history *history, const char *device,
				    const char *driver, uint64_t id)
{
	for (size_t i = hash_key(device, driver, id);; i++) {
		struct history_client **place = &history->table[i % history->table_size];

		if (!*place || ((*place)->id == id && (*place)->device == device &&
				(*place)->driver == driver))
			return place;
	}
}

/* A table of those that there are, with room for those of the sample */
static int prepare(struct history *history, size_t coming)
{
	size_t size = 64;

	while (size < (history->nr_clients + coming) * 2)
		size *= 2;
	if (size != history->table_size) {
		struct history_client **table = reallocarray(history->table, size,
							     sizeof(void *));

		if (!table)
			return -ENOMEM;
		history->table = table;
		history->table_size = size;
	}
	memset(history->table, 0, history->table_size * sizeof(void *));
	for (size_t i = 0; i < history->nr_clients; i++) {
		struct history_client *one = history->clients[i];

		*find(history, one->device, one->driver, one->id) = one;
	}
	return 0;
}

static struct history_client *new_client(const struct history *history,
					 const struct drmclient *client, uint64_t ms)
{
	struct history_client *one = calloc(1, sizeof(*one));

	if (one) {
		one->device = client->device;
		one->driver = client->driver;
		one->id = client->id;
		one->first_ms = ms;
		one->first_tick = history->tick;
	}
	return one;
}

/* What has been added; a driver may show less for a while, and that is nothing. */
static uint64_t more(uint64_t now, uint64_t *before)
{
	uint64_t difference = now > *before ? now - *before : 0;

	*before += difference;
	return difference;
}

static float engine_percent(const struct fdinfo_engine *now, struct fdinfo_engine *before,
			    uint64_t elapsed_ms)
{
	double part = 0, whole = 0;
	uint64_t ns = more(now->ns, &before->ns);
	uint64_t cycles = more(now->cycles, &before->cycles);
	uint64_t total = more(now->total_cycles, &before->total_cycles);

	if (now->has & FDINFO_HAS_NS) {
		part = (double)ns;
		whole = (double)elapsed_ms * 1e6;
	} else if (now->has & FDINFO_HAS_CYCLES && now->has & FDINFO_HAS_TOTAL_CYCLES) {
		part = (double)cycles;
		whole = (double)total;
	} else if (now->has & FDINFO_HAS_CYCLES && now->has & FDINFO_HAS_MAX_HZ) {
		part = (double)cycles;
		whole = (double)elapsed_ms * (double)now->max_hz / 1e3;
	}
	whole *= now->capacity;
	if (part <= 0 || whole <= 0)
		return 0;
	return part >= whole ? 100 : (float)(part / whole * 100);
}

static const struct fdinfo_engine *find_engine(const struct history_client *one,
					       const char *name, unsigned int hint)
{
	if (hint < one->nr_engines && one->engines[hint].name == name)
		return &one->engines[hint];
	for (unsigned int i = 0; i < one->nr_engines; i++)
		if (one->engines[i].name == name)
			return &one->engines[i];
	return NULL;
}

/* Engines appear as they are used; one that is new has been idle before. */
static void update_engines(struct history_client *one, const struct drmclient *client)
{
	const struct fdinfo *info = &client->info;
	struct fdinfo_engine now[FDINFO_ENGINES];
	uint64_t elapsed = client->read_ms - one->read_ms;
	bool first = !one->read_ms;

	if (client->read_ms == one->read_ms)
		return;
	one->busy = 0;
	for (unsigned int i = 0; i < info->nr_engines; i++) {
		const struct fdinfo_engine *before = find_engine(one, info->engines[i].name, i);

		now[i] = info->engines[i];
		one->percent[i] = 0;
		if (first)
			continue;
		if (before)
			now[i] = *before;
		else
			now[i].ns = now[i].cycles = now[i].total_cycles = 0;
		/* Nobody knows since when cycles went by that are shown for the first time. */
		if (!before && info->engines[i].has & FDINFO_HAS_TOTAL_CYCLES) {
			now[i] = info->engines[i];
			continue;
		}
		one->percent[i] = engine_percent(&info->engines[i], &now[i], elapsed);
		if (one->percent[i] > one->busy)
			one->busy = one->percent[i];
	}
	memcpy(one->engines, now, info->nr_engines * sizeof(*now));
	one->nr_engines = info->nr_engines;
	one->read_ms = client->read_ms;
}

static int64_t rate(uint64_t from, uint64_t to, uint64_t ms)
{
	double change = ((double)to - (double)from) * 60000 / (double)ms;

	return change >= 9e18 ? INT64_MAX : change <= -9e18 ? INT64_MIN : (int64_t)change;
}

static void update_growth(const struct history *history, struct history_client *one,
			  uint64_t now_ms)
{
	uint64_t age = history->tick - one->first_tick;
	unsigned int oldest = age >= HISTORY_POINTS ? HISTORY_POINTS - 1 : (unsigned int)age;
	int point;

	while (oldest && now_ms - history_point_ms(history, oldest) >
			 HISTORY_WINDOW_MS + HISTORY_SPACING_MS)
		oldest--;
	point = history_point(history, one->first_tick, oldest);
	one->growing = point >= 0 && now_ms - history_point_ms(history, oldest) >= GROWTH_MIN_MS;
	one->growth = one->growing ? rate(one->points[point], one->sum,
					  now_ms - history_point_ms(history, oldest)) : 0;
}

static void update_client(const struct history *history, struct history_client *one,
			  const struct drmclient *client, uint64_t now_ms)
{
	one->run = history->run;
	fdinfo_sums(&client->info, one->used);
	one->sum = 0;
	for (unsigned int i = 0; i < REGION_CLASSES; i++)
		one->sum = add_saturated(one->sum, one->used[i]);
	/* A point is of the moment that it has in ms[]. */
	if (history->ticked || one->read_ms == 0)
		one->points[history->tick % HISTORY_POINTS] = one->sum;
	one->evictions = client->info.evictions;
	update_engines(one, client);
	update_growth(history, one, now_ms);
}

static int update_clients(struct history *history, const struct sample *sample)
{
	struct history_client **list = calloc(sample->nr_clients + 1, sizeof(void *));
	size_t count = 0;

	if (!list || prepare(history, sample->nr_clients)) {
		free(list);
		return -ENOMEM;
	}
	for (size_t i = 0; i < sample->nr_clients; i++) {
		const struct drmclient *client = sample->clients[i];
		struct history_client **place = find(history, client->device, client->driver,
						     client->id);

		struct history_client *one = *place;

		/* Only a recording that somebody made up has one twice. */
		if (!one || one->run == history->run)
			one = new_client(history, client, sample->ms);
		if (!one)
			break;
		if (!*place)
			*place = one;
		update_client(history, one, client, sample->ms);
		list[count++] = one;
	}
	for (size_t i = 0; i < history->nr_clients; i++)
		if (history->clients[i]->run != history->run)
			free(history->clients[i]);
	free(history->clients);
	history->clients = list;
	history->nr_clients = count;
	return count == sample->nr_clients ? 0 : -ENOMEM;
}

static void add_engine(struct history_card *card, const char *name, float percent)
{
	unsigned int i = 0;

	while (i < card->nr_engines && card->engines[i].name != name)
		i++;
	if (i == card->nr_engines) {
		if (i == FDINFO_ENGINES)
			return;
		card->engines[i].name = name;
		card->engines[i].percent = 0;
		card->nr_engines++;
	}
	card->engines[i].percent += percent;
	if (card->engines[i].percent > 100)
		card->engines[i].percent = 100;
	if (card->engines[i].percent > card->busy)
		card->busy = card->engines[i].percent;
}

static void update_card(const struct history *history, const struct sample *sample,
			struct history_card *card, const struct sample_card *now)
{
	size_t point = history->tick % HISTORY_POINTS;

	card->nr_engines = 0;
	card->busy = 0;
	card->clients = 0;
	card->growth = 0;
	for (size_t i = 0; i < sample->nr_clients; i++) {
		const struct drmclient *client = sample->clients[i];
		const struct history_client *one = history->clients[i];

		if (client->device != card->device)
			continue;
		card->clients++;
		if (__builtin_add_overflow(card->growth, one->growth, &card->growth))
			card->growth = one->growth < 0 ? INT64_MIN : INT64_MAX;
		for (unsigned int j = 0; j < client->info.nr_engines; j++)
			add_engine(card, client->info.engines[j].name, one->percent[j]);
	}
	if (!history->ticked && card->seen)
		return;
	card->seen = true;
	for (unsigned int i = 0; i < REGION_CLASSES; i++)
		card->used[i][point] = now->used[i];
	card->busies[point] = card->busy;
}

static int update_cards(struct history *history, const struct sample *sample)
{
	struct history_card **list = calloc(sample->nr_cards + 1, sizeof(void *));

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < sample->nr_cards; i++) {
		for (size_t j = 0; j < history->nr_cards && !list[i]; j++) {
			if (!history->cards[j] ||
			    history->cards[j]->device != sample->cards[i].device)
				continue;
			list[i] = history->cards[j];
			history->cards[j] = NULL;
		}
		if (!list[i])
			list[i] = calloc(1, sizeof(**list));
		if (!list[i]) {
			while (i--)
				free(list[i]);
			free(list);
			return -ENOMEM;
		}
		if (!list[i]->device) {
			list[i]->device = sample->cards[i].device;
			list[i]->first_tick = history->tick;
		}
		update_card(history, sample, list[i], &sample->cards[i]);
	}
	for (size_t j = 0; j < history->nr_cards; j++)
		free(history->cards[j]);
	free(history->cards);
	history->cards = list;
	history->nr_cards = sample->nr_cards;
	return 0;
}

int history_update(struct history *history, const struct sample *sample)
{
	uint64_t last = history->ms[history->tick % HISTORY_POINTS];
	int error;

	history->run++;
	/* A little early is in time: timers are not exact. */
	history->ticked = !history->tick ||
			  sample->ms - last + HISTORY_SPACING_MS / 10 >= HISTORY_SPACING_MS;
	if (history->ticked) {
		history->tick++;
		history->ms[history->tick % HISTORY_POINTS] = sample->ms;
	}
	error = update_clients(history, sample);
	return error ? error : update_cards(history, sample);
}

bool history_steady(const struct history *history, const struct history_client *client,
		    uint64_t window_ms, int64_t *out)
{
	uint64_t least[4] = { 0 }, least_ms[4] = { 0 }, now = history_point_ms(history, 0);
	bool any[4] = { false };
	int point;

	*out = 0;
	/* Its first quarter must have been seen whole. */
	if (now - client->first_ms < window_ms)
		return false;
	for (unsigned int age = 0; (point = history_point(history, client->first_tick, age)) >= 0;
	     age++) {
		uint64_t ago = now - history_point_ms(history, age);
		unsigned int quarter;

		if (ago > window_ms)
			break;
		quarter = ago == window_ms ? 0 : 3 - (unsigned int)(ago * 4 / window_ms);
		if (!any[quarter] || client->points[point] < least[quarter]) {
			least[quarter] = client->points[point];
			least_ms[quarter] = now - ago;
		}
		any[quarter] = true;
	}
	if (!any[0] || !any[1] || !any[2] || !any[3])
		return false;
	*out = rate(least[0], least[3], least_ms[3] - least_ms[0]);
	return least[1] > least[0] && least[2] > least[1] && least[3] > least[2];
}
