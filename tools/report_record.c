// SPDX-License-Identifier: MIT
/*
 * A recording as a report: memory through time, of the cards of any driver.
 */
#include <stdlib.h>
#include <string.h>

#include "device_name.h"
#include "out.h"
#include "recording.h"
#include "report.h"

/* That card, with a point of time begun; NULL: it is not wanted, or there are too many */
static struct report_card *card_of(struct report *report, const char *device,
				   const char *wanted)
{
	struct report_card *card = NULL;
	size_t i;

	if (wanted && strcmp(device, wanted))
		return NULL;
	for (i = 0; i < report->count && !card; i++)
		if (!strcmp(report->cards[i].device, device))
			card = &report->cards[i];
	if (!card && report->count == REPORT_CARDS) {
		report_note(report, "There are more cards in the recording than are shown.");
		return NULL;
	}
	if (!card) {
		report->cards = out_need(realloc(report->cards, (report->count + 1) *
						 sizeof(*report->cards)));
		card = &report->cards[report->count++];
		memset(card, 0, sizeof(*card));
		card->device = out_need(strdup(device));
	}
	if (!card->begun)
		time_begin(&card->time, report->duration_ms);
	card->begun = true;
	return card;
}

static void take_card(struct report_card *card, const struct sample_card *from, uint64_t ms)
{
	size_t i;

	if (!card->driver && from->driver)
		card->driver = out_need(strdup(from->driver));
	if (from->gone != card->gone)
		report_log(card, from->gone ? REPORT_REMOVED : REPORT_ADDED, ms);
	if (from->wedged && !card->wedged)
		report_log(card, REPORT_WEDGED, ms);
	if (from->leaks > card->old_leaks)
		report_log(card, REPORT_AGED, ms)->objects = from->leaks;
	card->gone = from->gone;
	card->wedged = from->wedged;
	card->old_leaks = from->leaks;
	for (i = 0; i < REGION_CLASSES; i++) {
		if (from->total[i])
			card->total[i] = from->total[i];
		card->used[i] = from->used[i];
	}
	memcpy(card->time.used[card->time.count - 1], card->used, sizeof(card->used));
}

static void take_bytes(struct report_card *card, pid_t pid, const char *comm,
		       const uint64_t *bytes, uint64_t objects)
{
	unsigned int region;

	for (region = 0; region < REGION_CLASSES; region++)
		time_add(&card->time, pid, comm, region, bytes[region], region ? 0 : objects);
}

static void take_sample(struct report *report, const struct sample *sample, const char *wanted)
{
	uint64_t sums[REGION_CLASSES];
	struct report_card *card;
	size_t i;

	for (i = 0; i < sample->nr_cards; i++) {
		card = card_of(report, sample->cards[i].device, wanted);
		if (card)
			take_card(card, &sample->cards[i], report->duration_ms);
	}
	for (i = 0; i < sample->nr_clients; i++) {
		const struct drmclient *client = sample->clients[i];

		card = card_of(report, client->device, wanted);
		fdinfo_sums(&client->info, sums);
		if (card)
			take_bytes(card, client->pid, client->comm, sums, 0);
	}
	for (i = 0; i < sample->nr_owners; i++) {
		const struct sample_owner *owner = &sample->owners[i];

		card = card_of(report, owner->device, wanted);
		if (card)
			take_bytes(card, owner->pid, owner->comm, owner->bytes, owner->objects);
	}
	for (i = 0; i < report->count; i++) {
		if (report->cards[i].begun)
			time_end(&report->cards[i].time);
		report->cards[i].begun = false;
	}
}

static int say(const struct report *report, int error, const char *why)
{
	out_say("report: %s: %s", report->file, why ? why : strerror(-error));
	return out_rc_file(error);
}

int report_recording(struct report *report, FILE *file, const char *device)
{
	const struct sample *sample;
	struct player *player;
	const char *why, *wanted = NULL;
	uint64_t first = 0;
	int got, error = player_new(file, &player, &why);

	if (error)
		return say(report, error, why);
	while ((got = player_next(player, &sample)) > 0) {
		if (device && !wanted) {
			wanted = device_find(sample, device);
			if (!wanted)
				continue;
		}
		if (!report->looks++)
			first = sample->ms;
		report->duration_ms = sample->ms - first;
		report->made_ms = sample->wall_ms;
		take_sample(report, sample, wanted);
	}
	if (got < 0)
		error = say(report, got, player_why(player));
	if (!error && device && !wanted) {
		out_say("report: there is no card '%s' in %s", device, report->file);
		error = RC_NO_DEVICE;
	}
	player_free(player);
	return error;
}
