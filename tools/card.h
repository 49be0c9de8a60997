/* SPDX-License-Identifier: MIT */
#ifndef CARD_H
#define CARD_H

#include <jansson.h>
#include <pddgpu.h>

/**
 * struct card - a card that a command looks at
 */
struct card {
	/** @id: where it is */
	struct pddgpu_device_id id;
	/** @dev: it, opened; NULL when that failed */
	struct pddgpu_device *dev;
	/** @error: why it failed; a negative errno */
	int error;
};

/**
 * struct cards - the cards that a command looks at
 */
struct cards {
	struct card *card;
	unsigned int count;
};

/*
 * Opens the card of that name, or with NULL all there are. Says on stderr what could
 * not be opened, and returns the exit code for that; what could be is in cards
 * nevertheless, in order of PCI address, with those that could not.
 */
int cards_open(const char *name, struct cards *cards);
void cards_close(struct cards *cards);
/*
 * What is another number when the card has been bound anew, with which all that its driver
 * counts begins anew; 0: nobody can say.
 */
uint64_t card_bound(struct pddgpu_device *dev);
/* "0000:00:04.0: what: why" on stderr; returns the exit code of a negative errno */
int card_say(const struct card *card, const char *what, int error);
/*
 * A file of the card's debugfs folder, whole, to be freed; NULL when it cannot be
 * had: *error says why.
 */
char *card_debugfs(const struct card *card, const char *file, int *error);
/* "pci", "card", "render", as all documents begin to tell of a card */
json_t *card_json(const struct card *card);

#endif
