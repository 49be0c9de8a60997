// SPDX-License-Identifier: MIT
/*
 * Reads recordings. A file may hold anything: whatever does not fit ends the replay
 * with a word about where.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "recording.h"

#define CARDS_MAX 1024
#define NUMBERS_MAX (1 << 22)	/* clients one after the other */
#define KEPT_MAX 100000		/* clients that have gone and are still known */

struct player {
	FILE *file;
	struct names *names;
	char *line;
	size_t line_room;
	unsigned long line_number;
	json_t *ahead;			/* the next line */
	int ahead_error;
	uint64_t start_wall_ms;
	struct sample sample, next;	/* of the next, what a line has in full */
	struct played **numbers;	/* by number; NULL: gone */
	size_t nr_numbers, max_numbers;
	struct played **present;
	size_t nr_present, max_present;
	const struct drmclient **clients;	/* of those */
	size_t max_clients;
	struct played **all;
	size_t nr_all, max_all;
	char why[128];
};

static int damaged(struct player *player, const char *why)
{
	snprintf(player->why, sizeof(player->why), "line %lu: %s", player->line_number, why);
	return -EPROTO;
}

/* Makes room for one more; 0 or -ENOMEM */
static int grow(void *array, size_t count, size_t *max, size_t size)
{
	void **pointer = array;
	size_t more = *max ? *max * 2 : 16;
	void *bigger;

	if (count < *max)
		return 0;
	bigger = reallocarray(*pointer, more, size);
	if (!bigger)
		return -ENOMEM;
	*pointer = bigger;
	*max = more;
	return 0;
}

/* The length of the next line; 0: there is none; or a negative errno */
static ssize_t read_line(struct player *player)
{
	size_t length = 0;
	int c;

	player->line_number++;
	while ((c = getc_unlocked(player->file)) != EOF && c != '\n') {
		if (length == RECORDING_LINE_MAX)
			return damaged(player, "too long");
		if (grow(&player->line, length, &player->line_room, 1))
			return -ENOMEM;
		player->line[length++] = (char)c;
	}
	if (ferror(player->file))
		return -EIO;
	if (c == EOF && length)
		return damaged(player, "cut off");
	if (c != EOF && !length)
		return damaged(player, "empty");
	return (ssize_t)length;
}

static int read_object(struct player *player, json_t **object)
{
	ssize_t length = read_line(player);
	json_error_t error;

	*object = NULL;
	if (length <= 0)
		return (int)length;
	*object = json_loadb(player->line, (size_t)length, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(*object)) {
		json_decref(*object);
		*object = NULL;
		return damaged(player, "no JSON object");
	}
	return 1;
}

static void read_ahead(struct player *player)
{
	int got = read_object(player, &player->ahead);

	player->ahead_error = got > 0 ? 0 : got;
}

static int read_first(struct player *player)
{
	static const char schema[] = RECORDING_SCHEMA;
	json_t *first;
	const char *is;
	int got = read_object(player, &first);

	if (got <= 0)
		return got ? got : damaged(player, "there is nothing in it");
	is = json_string_value(json_object_get(first, "schema"));
	if (!is || strncmp(is, schema, sizeof(schema) - 2))
		got = damaged(player, "this is no recording");
	else if (strcmp(is, schema))
		got = damaged(player, "made by another version of this program");
	player->start_wall_ms =
		(uint64_t)json_integer_value(json_object_get(first, "start_ms"));
	json_decref(first);
	return got < 0 ? got : 0;
}

int player_new(FILE *file, struct player **out, const char **why)
{
	static char text[128];
	struct player *player = calloc(1, sizeof(*player));
	int error = -ENOMEM;

	*why = NULL;
	if (player) {
		player->file = file;
		player->names = names_new();
	}
	if (player && player->names)
		error = read_first(player);
	if (error) {
		if (player && *player->why) {
			memcpy(text, player->why, sizeof(text));
			*why = text;
		}
		player_free(player);
		return error;
	}
	read_ahead(player);
	*out = player;
	return 0;
}

void player_free(struct player *player)
{
	if (!player)
		return;
	for (size_t i = 0; i < player->nr_all; i++)
		free(player->all[i]);
	free(player->all);
	free(player->numbers);
	free(player->present);
	free(player->clients);
	free(player->sample.cards);
	free(player->sample.owners);
	free(player->next.cards);
	free(player->next.owners);
	json_decref(player->ahead);
	names_free(player->names);
	free(player->line);
	fclose(player->file);
	free(player);
}

const char *player_why(const struct player *player)
{
	return *player->why ? player->why : NULL;
}

const struct played *const *player_clients(const struct player *player, size_t *count)
{
	*count = player->nr_all;
	return (const struct played *const *)player->all;
}

/* What cannot be told from a number is 0, as is what is not there. */
static uint64_t count_of(const json_t *value)
{
	json_int_t number = json_integer_value(value);

	return number > 0 ? (uint64_t)number : 0;
}

static uint64_t get_count(const json_t *object, const char *key)
{
	return count_of(json_object_get(object, key));
}

/* Numbers that are ints elsewhere */
static int get_int(const json_t *object, const char *key)
{
	uint64_t value = get_count(object, key);

	return value > INT32_MAX ? INT32_MAX : (int)value;
}

static void get_text(const json_t *object, const char *key, char *text, size_t size)
{
	const char *value = json_string_value(json_object_get(object, key));
	size_t length;

	if (!value)
		return;
	length = strlen(value);
	if (length >= size) {
		length = size - 1;
		/* No half of a character */
		while (length && (value[length] & 0xc0) == 0x80)
			length--;
	}
	memcpy(text, value, length);
	text[length] = '\0';
}

static const char *get_name(struct player *player, const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value && *value ? names_get(player->names, value, strlen(value)) : NULL;
}

static void get_three(const json_t *object, const char *key, uint64_t values[REGION_CLASSES])
{
	const json_t *array = json_object_get(object, key);

	for (unsigned int i = 0; i < REGION_CLASSES; i++)
		values[i] = count_of(json_array_get(array, i));
}

static int play_card(struct player *player, const json_t *object, struct sample_card *card)
{
	const json_t *own = json_object_get(object, "o");

	*card = (struct sample_card){
		.device = get_name(player, object, "d"),
		.driver = get_name(player, object, "r"),
		.gone = json_is_true(json_object_get(object, "gone")),
		.wedged = json_is_true(json_object_get(object, "wedged")),
		.leaks = get_count(object, "l"),
		.owned = json_is_array(own),
	};
	if (!card->device)
		return damaged(player, "a card without a name");
	get_text(object, "k", card->node, sizeof(card->node));
	get_three(object, "t", card->total);
	get_three(object, "u", card->used);
	for (unsigned int i = 0; i < REGION_CLASSES; i++) {
		const json_t *one = json_array_get(own, i);

		card->known[i] = get_count(object, "q") >> i & 1;
		card->own[i] = (struct sample_ownership){
			count_of(json_array_get(one, 0)), count_of(json_array_get(one, 1)),
			count_of(json_array_get(one, 2)), count_of(json_array_get(one, 3)),
			count_of(json_array_get(one, 4)),
		};
	}
	return 0;
}

static int play_cards(struct player *player, const json_t *array)
{
	struct sample *next = &player->next;
	size_t count = json_array_size(array);
	int error = 0;

	if (!array)
		return 0;
	if (count > CARDS_MAX)
		return damaged(player, "too many cards");
	next->cards = calloc(count + 1, sizeof(*next->cards));
	if (!next->cards)
		return -ENOMEM;
	next->nr_cards = count;
	for (size_t i = 0; i < count && !error; i++)
		error = play_card(player, json_array_get(array, i), &next->cards[i]);
	return error;
}

static int play_owners(struct player *player, const json_t *array)
{
	struct sample *next = &player->next;
	struct sample_owner *owners;
	size_t count = json_array_size(array);

	if (!array)
		return 0;
	if (count > RECORDING_CLIENTS_MAX)
		return damaged(player, "too many owners");
	owners = calloc(count + 1, sizeof(*owners));
	if (!owners)
		return -ENOMEM;
	next->owners = owners;
	next->nr_owners = count;
	for (size_t i = 0; i < count; i++) {
		const json_t *object = json_array_get(array, i);

		owners[i].device = get_name(player, object, "d");
		if (!owners[i].device)
			return damaged(player, "an owner without a card");
		owners[i].id = get_count(object, "c");
		owners[i].pid = get_int(object, "p");
		owners[i].objects = get_count(object, "o");
		get_text(object, "n", owners[i].comm, sizeof(owners[i].comm));
		get_three(object, "b", owners[i].bytes);
	}
	return 0;
}

/* Only when all of the line is well: what was before it is on the screen still. */
static void take_lists(struct sample *sample, struct sample *next)
{
	if (next->cards) {
		free(sample->cards);
		sample->cards = next->cards;
		sample->nr_cards = next->nr_cards;
	}
	if (next->owners) {
		free(sample->owners);
		sample->owners = next->owners;
		sample->nr_owners = next->nr_owners;
		sample->owners_known = true;
	}
	*next = (struct sample){ 0 };
}

static void play_regions(struct player *player, struct fdinfo *info, json_t *object)
{
	const char *key;
	json_t *array;

	json_object_foreach(object, key, array) {
		const char *name = names_get(player->names, key, strlen(key));
		struct fdinfo_region *region = NULL;

		for (unsigned int i = 0; i < info->nr_regions; i++)
			if (info->regions[i].name == name)
				region = &info->regions[i];
		if (!region) {
			if (!name || info->nr_regions == FDINFO_REGIONS)
				continue;
			region = &info->regions[info->nr_regions++];
		}
		*region = (struct fdinfo_region){ .name = name };
		for (unsigned int i = 0; i < FDINFO_MEMORIES; i++) {
			const json_t *value = json_array_get(array, i);

			if (!json_is_integer(value))
				continue;
			region->bytes[i] = count_of(value);
			region->has |= 1u << i;
		}
	}
}

static void play_engines(struct player *player, struct fdinfo *info, json_t *object)
{
	const char *key;
	json_t *one;

	json_object_foreach(object, key, one) {
		const char *name = names_get(player->names, key, strlen(key));
		struct fdinfo_engine *engine = NULL;

		for (unsigned int i = 0; i < info->nr_engines; i++)
			if (info->engines[i].name == name)
				engine = &info->engines[i];
		if (!engine) {
			if (!name || info->nr_engines == FDINFO_ENGINES)
				continue;
			engine = &info->engines[info->nr_engines++];
		}
		*engine = (struct fdinfo_engine){
			.name = name, .ns = get_count(one, "ns"), .cycles = get_count(one, "cy"),
			.total_cycles = get_count(one, "of"), .max_hz = get_count(one, "hz"),
			.capacity = (uint32_t)get_int(one, "n"),
			.has = (json_object_get(one, "ns") ? FDINFO_HAS_NS : 0) |
			       (json_object_get(one, "cy") ? FDINFO_HAS_CYCLES : 0) |
			       (json_object_get(one, "of") ? FDINFO_HAS_TOTAL_CYCLES : 0) |
			       (json_object_get(one, "hz") ? FDINFO_HAS_MAX_HZ : 0),
		};
		if (!engine->capacity)
			engine->capacity = 1;
	}
}

/* Forgets who has gone, from the oldest on, where there are too many of them. */
static void forget(struct player *player)
{
	size_t left = 0;

	if (player->nr_all < KEPT_MAX + player->sample.nr_clients)
		return;
	for (size_t i = 0; i < player->nr_all; i++) {
		struct played *one = player->all[i];

		if (one->gone && i < player->nr_all / 2)
			free(one);
		else
			player->all[left++] = one;
	}
	player->nr_all = left;
}

static int new_client(struct player *player, const json_t *object, struct played **out)
{
	struct played *one;
	int error;

	if (player->nr_numbers == NUMBERS_MAX || player->nr_present == RECORDING_CLIENTS_MAX)
		return damaged(player, "too many clients");
	error = grow(&player->numbers, player->nr_numbers, &player->max_numbers, sizeof(void *));
	if (!error)
		error = grow(&player->all, player->nr_all, &player->max_all, sizeof(void *));
	if (!error)
		error = grow(&player->present, player->nr_present, &player->max_present,
			     sizeof(void *));
	if (error)
		return error;
	one = calloc(1, sizeof(*one));
	if (!one)
		return -ENOMEM;
	one->client.device = get_name(player, object, "d");
	one->client.driver = get_name(player, object, "r");
	one->client.id = get_count(object, "c");
	one->client.info.driver = one->client.driver;
	one->client.files = 1;
	one->first_ms = player->sample.ms;
	if (!one->client.device || !one->client.driver) {
		free(one);
		return damaged(player, "a client without a card or driver");
	}
	player->numbers[player->nr_numbers++] = one;
	player->all[player->nr_all++] = one;
	player->present[player->nr_present++] = one;
	*out = one;
	return 0;
}

static int play_client(struct player *player, const json_t *object)
{
	uint64_t number = get_count(object, "i");
	struct drmclient *client;
	struct played *one = NULL;
	int error;

	if (number < player->nr_numbers)
		one = player->numbers[number];
	if (number > player->nr_numbers || (number < player->nr_numbers && !one))
		return damaged(player, "a client whose number nobody has");
	if (!one) {
		error = new_client(player, object, &one);
		if (error)
			return error;
	}
	client = &one->client;
	if (json_object_get(object, "p"))
		client->pid = get_int(object, "p");
	if (json_object_get(object, "u"))
		client->uid = (uid_t)get_count(object, "u");
	if (json_object_get(object, "f"))
		client->files = (unsigned int)get_int(object, "f");
	get_text(object, "n", client->comm, sizeof(client->comm));
	get_text(object, "l", client->info.label, sizeof(client->info.label));
	if (json_object_get(object, "v")) {
		client->info.evictions = get_count(object, "v");
		client->info.has_evictions = true;
	}
	play_regions(player, &client->info, json_object_get(object, "m"));
	play_engines(player, &client->info, json_object_get(object, "e"));
	return 0;
}

static int play_clients(struct player *player, const json_t *line)
{
	const json_t *gone = json_object_get(line, "gone");
	const json_t *clients = json_object_get(line, "clients");
	size_t count = json_array_size(clients);
	int error;

	for (size_t i = 0; i < json_array_size(gone); i++) {
		const json_t *value = json_array_get(gone, i);
		uint64_t number = count_of(value);

		if (!json_is_integer(value) || number >= player->nr_numbers)
			return damaged(player, "a client has gone that was not there");
		if (player->numbers[number])
			player->numbers[number]->gone = true;
		player->numbers[number] = NULL;
	}
	for (size_t i = 0; i < count; i++) {
		error = play_client(player, json_array_get(clients, i));
		if (error)
			return error;
	}
	return 0;
}

/* Who is there now, and what he has had */
static int list_clients(struct player *player)
{
	struct sample *sample = &player->sample;

	sample->nr_clients = 0;
	for (size_t i = 0; i < player->nr_present; i++) {
		struct played *one = player->present[i];
		uint64_t sums[REGION_CLASSES], sum = 0;

		if (one->gone)
			continue;
		if (grow(&player->clients, sample->nr_clients, &player->max_clients,
			 sizeof(void *)))
			return -ENOMEM;
		sample->clients = player->clients;
		player->present[sample->nr_clients] = one;
		fdinfo_sums(&one->client.info, sums);
		for (unsigned int j = 0; j < REGION_CLASSES; j++)
			sum = add_saturated(sum, sums[j]);
		if (one->first_ms == sample->ms)
			one->first = sum;
		one->last = sum;
		one->last_ms = sample->ms;
		if (sum > one->most)
			one->most = sum;
		/* Zero is never. */
		one->client.read_ms = sample->ms + 1;
		player->clients[sample->nr_clients++] = &one->client;
	}
	sample->clients = player->clients;
	player->nr_present = sample->nr_clients;
	return 0;
}

static int play_line(struct player *player, const json_t *line)
{
	struct sample *sample = &player->sample;
	const json_t *t = json_object_get(line, "t");
	int error;

	if (!json_is_integer(t) || json_integer_value(t) < 0 ||
	    json_integer_value(t) > INT64_MAX / 4)
		return damaged(player, "no time");
	if (count_of(t) < sample->ms)
		return damaged(player, "time goes back");
	sample->ms = count_of(t);
	sample->wall_ms = (int64_t)((player->start_wall_ms + sample->ms) & INT64_MAX);
	if (json_object_get(line, "denied"))
		sample->totals.denied = (unsigned int)get_int(line, "denied");
	if (json_object_get(line, "silent"))
		sample->totals.silent = (unsigned int)get_int(line, "silent");
	error = play_cards(player, json_object_get(line, "cards"));
	if (!error)
		error = play_owners(player, json_object_get(line, "owners"));
	if (!error)
		error = play_clients(player, line);
	if (!error)
		error = list_clients(player);
	if (!error)
		take_lists(sample, &player->next);
	return error;
}

int player_next(struct player *player, const struct sample **out)
{
	json_t *line = player->ahead;
	int error = player->ahead_error;

	if (!line)
		return error;
	player->ahead = NULL;
	/* Those who are to be forgotten are in no list but that of all. */
	forget(player);
	error = play_line(player, line);
	json_decref(line);
	player->ahead_error = error;
	if (error)
		return error;
	read_ahead(player);
	*out = &player->sample;
	return 1;
}

uint64_t player_gap(const struct player *player)
{
	uint64_t next = get_count(player->ahead, "t");

	return next > player->sample.ms ? next - player->sample.ms : 0;
}
