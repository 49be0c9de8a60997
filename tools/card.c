// SPDX-License-Identifier: MIT
/*
 * The cards that a command looks at.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "card.h"
#include "json.h"
#include "out.h"

static int all_ids(struct pddgpu_device_id **ids)
{
	int count = pddgpu_list(NULL, 0), room;

	*ids = NULL;
	/* One may be plugged in meanwhile */
	while (count > 0) {
		room = count;
		*ids = out_need(realloc(*ids, (size_t)room * sizeof(**ids)));
		count = pddgpu_list(*ids, (unsigned int)room);
		if (count <= room)
			break;
	}
	return count;
}

static int open_all(struct cards *cards)
{
	struct pddgpu_device_id *ids;
	int count = all_ids(&ids), i, rc = RC_OK;

	if (count <= 0) {
		free(ids);
		out_say(count ? "cannot look for cards: %s" : "no PDDGPU card%s",
			count ? pddgpu_strerror(count) : "");
		return count ? out_rc(count) : RC_NO_DEVICE;
	}
	cards->card = out_need(calloc((size_t)count, sizeof(*cards->card)));
	cards->count = (unsigned int)count;
	for (i = 0; i < count; i++) {
		struct card *card = &cards->card[i];

		card->id = ids[i];
		card->error = pddgpu_open(ids[i].pci, &card->dev);
		if (card->error)
			rc = out_worse(rc, card_say(card, "cannot open it", card->error));
	}
	free(ids);
	return rc;
}

int cards_open(const char *name, struct cards *cards)
{
	int error;

	memset(cards, 0, sizeof(*cards));
	if (!name)
		return open_all(cards);

	cards->card = out_need(calloc(1, sizeof(*cards->card)));
	error = pddgpu_open(name, &cards->card->dev);
	if (error) {
		out_say("card '%s': %s", name, pddgpu_strerror(error));
		return error == -EINVAL ? RC_USAGE : out_rc(error);
	}
	cards->card->id = *pddgpu_id(cards->card->dev);
	cards->count = 1;
	return RC_OK;
}

void cards_close(struct cards *cards)
{
	unsigned int i;

	for (i = 0; i < cards->count; i++)
		pddgpu_close(cards->card[i].dev);
	free(cards->card);
	memset(cards, 0, sizeof(*cards));
}

uint64_t card_bound(struct pddgpu_device *dev)
{
	struct stat st;

	/* Its node is made when it is bound */
	return fstat(pddgpu_fd(dev), &st) ? 0 : st.st_ino;
}

int card_say(const struct card *card, const char *what, int error)
{
	out_say("%s: %s: %s", card->id.pci, what, pddgpu_strerror(error));
	return out_rc(error);
}

char *card_debugfs(const struct card *card, const char *file, int *error)
{
	size_t room = 4096, length = 0;
	char *text;
	int fd;

	fd = pddgpu_debugfs_open(card->dev, file, O_RDONLY);
	if (fd < 0) {
		*error = fd;
		return NULL;
	}
	text = out_need(malloc(room));
	while (1) {
		ssize_t got = read(fd, text + length, room - length - 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			*error = -errno;
			free(text);
			close(fd);
			return NULL;
		}
		if (!got)
			break;
		length += (size_t)got;
		if (length + 1 == room) {
			room *= 2;
			text = out_need(realloc(text, room));
		}
	}
	close(fd);
	text[length] = '\0';
	*error = 0;
	return text;
}

static json_t *path_or_null(const char *path)
{
	return *path ? json_text(path) : json_null();
}

json_t *card_json(const struct card *card)
{
	json_t *object = out_need(json_object());

	json_put(object, "pci", json_text(card->id.pci));
	json_put(object, "card", path_or_null(card->id.primary));
	json_put(object, "render", path_or_null(card->id.render));
	return object;
}
