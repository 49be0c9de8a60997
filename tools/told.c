// SPDX-License-Identifier: MIT
/* What has changed since it was told */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "out.h"
#include "text.h"
#include "told.h"
#include "looks_print.h"

/* A group that was a leak when it was told of */
struct told_leak {
	unsigned int card;
	uint64_t key, bytes;
	enum rating rating;
	char comm[16];
	uint32_t pid;
	char label[64];
	/* Of the last look alone */
	const struct verdict_group *group;
};

static int order(const void *a, const void *b)
{
	const struct told_leak *x = a, *y = b;

	if (x->card != y->card)
		return x->card < y->card ? -1 : 1;
	return (x->key > y->key) - (x->key < y->key);
}

static void print_begin(const char *event, enum out_style style, const char *pci)
{
	time_t seconds = time(NULL);
	char when[32] = "";
	struct tm local;

	if (localtime_r(&seconds, &local))
		strftime(when, sizeof(when), "%F %T", &local);
	printf("%s  %s%-7s%s  %s  ", when, out_on(style), event, out_off(), pci);
}

static void print_leak(const struct looks *looks, const struct looked *looked,
		       const struct verdict_group *group, bool more)
{
	const struct site *site = sites_get(looks->sites, looked->card.dev, group->site);
	const char *place = site_name(site);

	print_begin(more ? "more" : "leak", OUT_BAD, looked->card.id.pci);
	verdict_print_owner(stdout, group);
	printf(": %s, ", rating_name(group->rating));
	verdict_print_size(stdout, group);
	if (place) {
		char *text = text_printable(place);

		printf(", at %s", text);
		free(text);
	}
	printf("; %s\n", group->why);
}

static void print_gone(const struct looks *looks, const struct told_leak *leak)
{
	char *comm = text_printable(leak->comm), *label = text_printable(leak->label);

	print_begin("gone", OUT_GOOD, looks->cards[leak->card].card.id.pci);
	printf("%s (pid %u)%s%s: no leak any more\n", comm, leak->pid,
	       *label ? ", label " : "", label);
	free(comm);
	free(label);
}

static size_t all_leaks(const struct looks *looks, struct told_leak **out)
{
	const struct verdict_group *const *groups;
	struct told_leak *leaks = NULL;
	size_t room = 0, count = 0, groups_count, j;
	unsigned int i;

	for (i = 0; i < looks->count; i++) {
		if (!looks->cards[i].verdict)
			continue;
		groups = verdict_groups(looks->cards[i].verdict, &groups_count);
		for (j = 0; j < groups_count; j++) {
			struct told_leak *leak;

			if (!rating_is_leak(groups[j]->rating))
				continue;
			if (count == room) {
				room = room * 2 + 64;
				leaks = out_need(reallocarray(leaks, room, sizeof(*leaks)));
			}
			leak = &leaks[count++];
			*leak = (struct told_leak){
				.card = i, .key = groups[j]->key, .rating = groups[j]->rating,
				.bytes = groups[j]->leaked_bytes, .pid = groups[j]->pid,
				.group = groups[j],
			};
			memcpy(leak->comm, groups[j]->comm, sizeof(leak->comm));
			memcpy(leak->label, groups[j]->label, sizeof(leak->label));
		}
	}
	if (count)
		qsort(leaks, count, sizeof(*leaks), order);
	*out = leaks;
	return count;
}

/* Whether there is news of one that is there now, and was before unless that is NULL */
static bool compare(const struct looks *looks, const struct told_leak *before,
		    struct told_leak *now, bool print)
{
	bool more = before && before->rating == now->rating;

	if (more && now->bytes / 2 < before->bytes) {
		now->bytes = before->bytes;
		return false;
	}
	if (print)
		print_leak(looks, &looks->cards[now->card], now->group, more);
	return true;
}

/* What there is on a card that is there, and does not answer, nobody knows */
static bool unknown(const struct looks *looks, const struct told_leak *leak)
{
	int error = looks->cards[leak->card].card.error;

	return error && error != -ENODEV;
}

static struct told_leak *keep(struct told_leak *leaks, size_t at, const struct told_leak *leak)
{
	leaks = out_need(reallocarray(leaks, at + 1, sizeof(*leaks)));
	leaks[at] = *leak;
	leaks[at].group = NULL;
	return leaks;
}

bool told_change(struct told *told, const struct looks *looks, bool print)
{
	struct told_leak *leaks;
	size_t count = all_leaks(looks, &leaks), kept = 0, i = 0, j = 0;
	bool changed = false;

	while (i < told->count || j < count) {
		int way = i == told->count ? 1 :
			  j == count ? -1 : order(&told->leaks[i], &leaks[j]);

		if (way >= 0) {
			changed |= compare(looks, way ? NULL : &told->leaks[i], &leaks[j], print);
		} else if (unknown(looks, &told->leaks[i])) {
			leaks = keep(leaks, count + kept++, &told->leaks[i]);
		} else {
			if (print)
				print_gone(looks, &told->leaks[i]);
			changed = true;
		}
		i += way <= 0;
		j += way >= 0;
	}
	if (kept)
		qsort(leaks, count + kept, sizeof(*leaks), order);
	free(told->leaks);
	told->leaks = leaks;
	told->count = count + kept;
	return changed;
}

void told_free(struct told *told)
{
	free(told->leaks);
	told->leaks = NULL;
	told->count = 0;
}
