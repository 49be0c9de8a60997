// SPDX-License-Identifier: MIT
/*
 * What a session of processes has left: buffers that nobody has freed before the card was
 * closed, of which the driver keeps sums, and buffers that are there still. One whose
 * handle was not closed and which somebody else keeps is both, and counts once.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "left.h"
#include "out.h"

/* For as long at least, buffers that are there still may be about to go */
#define LEAST_MS	200
#define LOOK_MS		20

static int order(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int by_place(const struct left_group *x, const struct left_group *y)
{
	int result = order(x->card, y->card);

	if (!result)
		result = order(x->site, y->site);
	if (!result)
		result = memcmp(x->label, y->label, sizeof(x->label));
	return result ? result : memcmp(x->comm, y->comm, sizeof(x->comm));
}

static int by_place_and_client(const void *a, const void *b)
{
	const struct left_group *x = a, *y = b;
	int result = by_place(x, y);

	if (!result)
		result = order(x->pid, y->pid);
	return result ? result : order(x->client_id, y->client_id);
}

static int by_bytes(const void *a, const void *b)
{
	const struct left_group *x = a, *y = b;
	int result = order(y->bytes, x->bytes);

	return result ? result : by_place(x, y);
}

static struct left_group *add_piece(struct left_card *card)
{
	if (card->count == card->room) {
		card->room = card->room * 2 + 64;
		card->pieces = out_need(reallocarray(card->pieces, card->room,
						     sizeof(*card->pieces)));
	}
	memset(&card->pieces[card->count], 0, sizeof(*card->pieces));
	return &card->pieces[card->count++];
}

/* What follows the text is zero, so that they can be compared */
static void copy_text(char *to, const char *from, size_t size)
{
	memset(to, 0, size);
	memcpy(to, from, strnlen(from, size - 1));
}

/* ---- sessions ---- */

static int by_number(const void *a, const void *b)
{
	const pid_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void note_sessions(struct left *left)
{
	DIR *folder = opendir("/proc");
	const struct dirent *entry;
	size_t room = 0;

	while (folder && (entry = readdir(folder))) {
		pid_t session;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		session = getsid((pid_t)atoi(entry->d_name));
		if (session < 0)
			continue;
		if (left->before_count == room) {
			room = room * 2 + 256;
			left->before = out_need(reallocarray(left->before, room,
							     sizeof(*left->before)));
		}
		left->before[left->before_count++] = session;
	}
	if (folder)
		closedir(folder);
	if (left->before_count)
		qsort(left->before, left->before_count, sizeof(*left->before), by_number);
}

/*
 * Has it begun while the program ran? Then it may be of something that the program has
 * started, such as meson's tests; or not.
 */
static bool is_new(const struct left *left, uint32_t session)
{
	pid_t number = (pid_t)session;

	return session && session != (uint32_t)left->session &&
	       !(left->before_count && bsearch(&number, left->before, left->before_count,
					       sizeof(number), by_number));
}

static bool is_ours(const struct left *left, uint32_t session)
{
	return session == (uint32_t)left->session || (left->all_new && is_new(left, session));
}

/* ---- what is unfreed ---- */

static int take_unfreed(struct left *left, unsigned int place)
{
	struct left_card *card = &left->card[place];
	const struct drm_pddgpu_unfreed *one;
	struct pddgpu_unfreed *reader;
	int ret = pddgpu_unfreed_open(left->cards->card[place].dev, card->after, &reader);

	if (ret)
		return ret;
	while ((ret = pddgpu_unfreed_next(reader, &one)) > 0) {
		struct left_group *piece;

		card->after = one->id;
		if (one->oldest_ns < card->began_ns)
			continue;
		if (!is_ours(left, one->session)) {
			if (is_new(left, one->session)) {
				left->elsewhere_bytes += one->bytes;
				left->elsewhere_objects += one->objects;
			}
			continue;
		}
		piece = add_piece(card);
		piece->card = place;
		piece->site = one->site;
		piece->pid = one->pid;
		piece->client_id = one->client_id;
		piece->unfreed_bytes = one->bytes;
		piece->unfreed_objects = one->objects;
		copy_text(piece->comm, one->comm, sizeof(piece->comm));
		copy_text(piece->label, one->label, sizeof(piece->label));
	}
	card->lost += pddgpu_unfreed_lost(reader);
	pddgpu_unfreed_close(reader);
	return ret;
}

void left_look(struct left *left)
{
	unsigned int i;

	for (i = 0; i < left->cards->count; i++)
		if (!left->card[i].error)
			left->card[i].error = take_unfreed(left, i);
}

/* ---- what is there still ---- */

static void keep_piece(struct left_card *card, unsigned int place,
		       const struct drm_pddgpu_object *object)
{
	struct left_group *piece = add_piece(card);

	piece->card = place;
	piece->site = object->site;
	piece->pid = object->pid;
	piece->client_id = object->client_id;
	piece->kept_bytes = object->size;
	piece->kept_objects = 1;
	if (object->is & PDDGPU_OBJECT_UNFREED) {
		piece->both_bytes = object->size;
		piece->both_objects = 1;
	}
	piece->kept_states[object->state < PDDGPU_STATES_OWNED ? object->state : 0] = 1;
	copy_text(piece->comm, object->comm, sizeof(piece->comm));
	copy_text(piece->label, object->label, sizeof(piece->label));
}

/* Those found the last time, from @keep on, are forgotten */
static int take_kept(const struct left *left, unsigned int place, size_t keep)
{
	struct left_card *card = &left->card[place];
	const struct drm_pddgpu_object *object;
	struct pddgpu_objects *reader;
	int ret = pddgpu_objects_open(left->cards->card[place].dev, &reader);

	if (ret)
		return ret;
	card->count = keep;
	card->waiting = 0;
	while ((ret = pddgpu_objects_next(reader, &object)) > 0) {
		if (!is_ours(left, object->session) || object->birth_ns < card->began_ns)
			continue;
		keep_piece(card, place, object);
		if (object->state == PDDGPU_OBJECT_ZOMBIE || (object->is & PDDGPU_OBJECT_BUSY))
			card->waiting++;
	}
	pddgpu_objects_close(reader);
	return ret;
}

static void look_for_kept(struct left *left, unsigned int place, uint64_t wait_ms)
{
	static const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
	struct left_card *card = &left->card[place];
	size_t keep = card->count;
	uint64_t waited;

	for (waited = 0; !card->error; waited += LOOK_MS) {
		card->error = take_kept(left, place, keep);
		if (card->error || card->count == keep ||
		    (!card->waiting && waited >= LEAST_MS) ||
		    (waited >= LEAST_MS && waited >= wait_ms))
			return;
		nanosleep(&pause, NULL);
	}
}

/* ---- groups ---- */

static void add_up(struct left_group *to, const struct left_group *from)
{
	unsigned int i;

	to->bytes += from->bytes;
	to->objects += from->objects;
	to->unfreed_bytes += from->unfreed_bytes;
	to->unfreed_objects += from->unfreed_objects;
	to->kept_bytes += from->kept_bytes;
	to->kept_objects += from->kept_objects;
	to->both_bytes += from->both_bytes;
	to->both_objects += from->both_objects;
	for (i = 0; i < PDDGPU_STATES_OWNED; i++)
		to->kept_states[i] += from->kept_states[i];
}

/* Where the sums have been lost, it is what can be seen */
static uint64_t together(uint64_t unfreed, uint64_t kept, uint64_t both)
{
	return unfreed < both ? kept : unfreed + kept - both;
}

/* Those of a client together, then those of a place; returns how many that leaves */
static size_t merge(struct left_group *groups, size_t count)
{
	size_t i, left = 0;

	if (!count)
		return 0;
	qsort(groups, count, sizeof(*groups), by_place_and_client);
	for (i = 1; i < count; i++)
		if (by_place_and_client(&groups[left], &groups[i]))
			groups[++left] = groups[i];
		else
			add_up(&groups[left], &groups[i]);
	count = left + 1;
	for (i = 0; i < count; i++) {
		groups[i].bytes = together(groups[i].unfreed_bytes, groups[i].kept_bytes,
					   groups[i].both_bytes);
		groups[i].objects = together(groups[i].unfreed_objects, groups[i].kept_objects,
					     groups[i].both_objects);
		groups[i].processes = 1;
	}
	for (i = 1, left = 0; i < count; i++) {
		if (by_place(&groups[left], &groups[i])) {
			groups[++left] = groups[i];
			continue;
		}
		add_up(&groups[left], &groups[i]);
		if (groups[left].pid != groups[i].pid)
			groups[left].processes++;
		groups[left].pid = groups[i].pid;
	}
	return left + 1;
}

static void make_groups(struct left *left)
{
	size_t all = 0, i;

	for (i = 0; i < left->cards->count; i++)
		all += left->card[i].count;
	left->groups = out_need(calloc(all + 1, sizeof(*left->groups)));
	for (i = 0, all = 0; i < left->cards->count; i++) {
		const struct left_card *card = &left->card[i];

		if (card->count)
			memcpy(left->groups + all, card->pieces,
			       card->count * sizeof(*card->pieces));
		all += card->count;
	}
	left->count = merge(left->groups, all);
	if (left->count)
		qsort(left->groups, left->count, sizeof(*left->groups), by_bytes);
	for (i = 0; i < left->count; i++) {
		const struct left_group *group = &left->groups[i];

		left->card[group->card].bytes += group->bytes;
		left->card[group->card].objects += group->objects;
		left->bytes += group->bytes;
		left->objects += group->objects;
	}
}

/* ---- beginning and end ---- */

static int begin_card(struct left_card *own, struct pddgpu_device *dev)
{
	const struct drm_pddgpu_object *object;
	struct pddgpu_objects *reader;
	int ret = pddgpu_unfreed_last(dev, &own->after);

	if (!ret)
		ret = pddgpu_objects_open(dev, &reader);
	if (ret)
		return ret;
	ret = pddgpu_objects_next(reader, &object);
	own->began_ns = pddgpu_objects_now(reader);
	pddgpu_objects_close(reader);
	return ret < 0 ? ret : 0;
}

int left_begin(struct left *left, const struct cards *cards)
{
	unsigned int i;
	int rc = RC_OK;

	memset(left, 0, sizeof(*left));
	left->cards = cards;
	note_sessions(left);
	left->card = out_need(calloc(cards->count + 1, sizeof(*left->card)));
	for (i = 0; i < cards->count; i++) {
		const struct card *card = &cards->card[i];
		struct left_card *own = &left->card[i];

		own->error = card->error;
		if (!own->error)
			own->error = begin_card(own, card->dev);
		if (own->error == -EOPNOTSUPP && !card->error) {
			out_say("leaks: %s: its driver is too old to tell what a program leaves",
				card->id.pci);
			rc = out_worse(rc, RC_ERROR);
		} else if (own->error && !card->error) {
			rc = out_worse(rc, card_say(card, "cannot ask it", own->error));
		}
	}
	return rc;
}

int left_end(struct left *left, uint64_t wait_ms)
{
	unsigned int i;
	int rc = RC_OK;

	for (i = 0; i < left->cards->count; i++) {
		struct left_card *own = &left->card[i];
		const struct card *card = &left->cards->card[i];

		/* Between the two nothing is added to the first: the session has ended */
		if (!own->error)
			look_for_kept(left, i, wait_ms);
		if (!own->error)
			own->error = take_unfreed(left, i);
		if (own->error)
			rc = out_worse(rc, card_say(card, "what was left is not known",
						    own->error));
	}
	make_groups(left);
	return rc;
}

void left_free(struct left *left)
{
	unsigned int i;

	for (i = 0; left->card && i < left->cards->count; i++)
		free(left->card[i].pieces);
	free(left->card);
	free(left->groups);
	free(left->before);
	memset(left, 0, sizeof(*left));
}
