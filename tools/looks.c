// SPDX-License-Identifier: MIT
/*
 * Looks at cards: everything that the driver knows of their buffers goes to the verdict.
 * Cards are open for as long as that takes, so that nobody has to wait for this program
 * who unloads the driver; they may go and come between two looks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "looks.h"
#include "out.h"

static void forget(struct looked *looked)
{
	verdict_free(looked->verdict);
	looked->verdict = NULL;
}

/* ---- one card ---- */

static uint64_t since(const struct looks *looks, uint64_t now_ns)
{
	if (!looks->since || !strcmp(looks->since, "boot"))
		return 0;
	if (!strcmp(looks->since, "now"))
		return now_ns;
	return looks->since_ms < now_ns / 1000000 ? now_ns - looks->since_ms * 1000000 : 0;
}

static bool wanted(const struct looked *looked, const struct looks *looks,
		   const struct drm_pddgpu_object *object)
{
	return object->birth_ns >= looked->since_ns &&
	       (!looks->pid || object->pid == looks->pid) && object->size >= looks->min_size;
}

static int feed(struct looked *looked, const struct looks *looks, struct pddgpu_objects *reader)
{
	const struct drm_pddgpu_object *object;
	uint64_t now_ns;
	int ret = pddgpu_objects_next(reader, &object), error;

	if (ret < 0)
		return ret;
	now_ns = pddgpu_objects_now(reader);
	if (!looked->now_ns)
		looked->since_ns = since(looks, now_ns);
	error = verdict_begin(looked->verdict, now_ns);
	for (; ret > 0 && !error; ret = pddgpu_objects_next(reader, &object)) {
		if (looks->each)
			looks->each(looks->to, object, pddgpu_objects_now(reader));
		if (wanted(looked, looks, object))
			error = verdict_add(looked->verdict, object);
	}
	if (!error)
		error = ret;
	if (!error)
		error = verdict_end(looked->verdict);
	if (error)
		return error;
	looked->now_ns = now_ns;
	return 0;
}

int looks_once(struct looked *looked, const struct looks *looks)
{
	struct drm_pddgpu_memory_stats stats;
	uint64_t bound = card_bound(looked->card.dev);
	struct pddgpu_objects *reader;
	int ret;

	if (looked->bound != bound)
		forget(looked);
	looked->bound = bound;
	ret = pddgpu_objects_open(looked->card.dev, &reader);
	if (!ret) {
		if (!looked->verdict)
			looked->verdict = out_need(verdict_new());
		ret = feed(looked, looks, reader);
		pddgpu_objects_close(reader);
	}
	if (!ret)
		ret = pddgpu_query_stats(looked->card.dev, &stats);
	if (ret)
		forget(looked);
	else
		looked->vram_free = stats.vram_free;
	return ret;
}

/* ---- all of them ---- */

static struct looked *known(struct looks *looks, const char *pci)
{
	unsigned int i;

	for (i = 0; i < looks->count; i++)
		if (!strcmp(looks->cards[i].card.id.pci, pci))
			return &looks->cards[i];
	return NULL;
}

static void add_card(struct looks *looks, const struct card *card)
{
	looks->cards = out_need(reallocarray(looks->cards, looks->count + 1,
					     sizeof(*looks->cards)));
	memset(&looks->cards[looks->count], 0, sizeof(*looks->cards));
	looks->cards[looks->count++].card = *card;
}

static int open_first(struct looks *looks)
{
	struct cards cards;
	unsigned int i;
	int rc = cards_open(looks->device, &cards);

	for (i = 0; i < cards.count; i++)
		add_card(looks, &cards.card[i]);
	/* What is open in there is not closed: it is looks' now */
	free(cards.card);
	return rc;
}

/* Cards that have come since */
static void find_more(struct looks *looks)
{
	int count = looks->device ? 0 : pddgpu_list(NULL, 0), i;
	struct pddgpu_device_id *ids;

	if (count <= 0)
		return;
	ids = out_need(calloc((size_t)count, sizeof(*ids)));
	i = pddgpu_list(ids, (unsigned int)count);
	if (count > i)
		count = i;
	for (i = 0; i < count; i++)
		if (!known(looks, ids[i].pci)) {
			struct card card = { .id = ids[i] };

			add_card(looks, &card);
		}
	free(ids);
}

static int open_again(struct looks *looks)
{
	unsigned int i;
	int rc = RC_OK;

	find_more(looks);
	for (i = 0; i < looks->count; i++) {
		struct card *card = &looks->cards[i].card;
		int before = card->error;

		card->error = pddgpu_open(card->id.pci, &card->dev);
		/* One that has gone is no file any more, or no such device */
		if (card->error == -ENOENT)
			card->error = -ENODEV;
		if (!card->error)
			card->id = *pddgpu_id(card->dev);
		else
			card->dev = NULL;
		if (card->error && !before)
			card_say(card, "cannot open it", card->error);
		if (card->error) {
			forget(&looks->cards[i]);
			looks->cards[i].said = 0;
		}
		rc = out_worse(rc, out_rc(card->error));
	}
	return rc;
}

static int ask(struct looked *looked, const struct looks *looks)
{
	struct card *card = &looked->card;
	bool again;

	card->error = looks_once(looked, looks);
	again = card->error == looked->said;
	looked->said = card->error;
	if (!card->error)
		return RC_OK;
	if (card->error != -EOPNOTSUPP)
		return again ? out_rc(card->error) :
		       card_say(card, "cannot ask it", card->error);
	if (!again)
		out_say("leaks: %s: its driver is too old to tell what buffers are used for",
			card->id.pci);
	return RC_ERROR;
}

int looks_look(struct looks *looks)
{
	unsigned int i;
	int rc = looks->count ? open_again(looks) : open_first(looks);

	for (i = 0; i < looks->count; i++)
		if (!looks->cards[i].card.error)
			rc = out_worse(rc, ask(&looks->cards[i], looks));
	return rc;
}

void looks_rest(struct looks *looks)
{
	unsigned int i;

	for (i = 0; i < looks->count; i++) {
		pddgpu_close(looks->cards[i].card.dev);
		looks->cards[i].card.dev = NULL;
	}
}

void looks_free(struct looks *looks)
{
	unsigned int i;

	looks_rest(looks);
	for (i = 0; i < looks->count; i++)
		forget(&looks->cards[i]);
	free(looks->cards);
	looks->cards = NULL;
	looks->count = 0;
}

bool looks_any(const struct looks *looks)
{
	unsigned int i;

	for (i = 0; i < looks->count; i++)
		if (!looks->cards[i].card.error)
			return true;
	return false;
}

struct looks_sum looks_sum(const struct looked *looked)
{
	const struct verdict_group *const *groups;
	struct looks_sum sum = { 0 };
	size_t count = 0, i;

	if (!looked->verdict)
		return sum;
	groups = verdict_groups(looked->verdict, &count);
	for (i = 0; i < count; i++) {
		sum.objects += groups[i]->leaked_objects;
		sum.bytes += groups[i]->leaked_bytes;
		sum.per_minute += groups[i]->per_minute;
		sum.vram_per_minute += groups[i]->vram_per_minute;
	}
	return sum;
}
