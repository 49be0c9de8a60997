// SPDX-License-Identifier: MIT
/*
 * A viewer of pictures: small ones in a cache that fills up to its limit and stays, the
 * one that is looked at with its neighbours ready, long pauses.
 */
#include <stdlib.h>

#include "leak.h"

static const char thumbnail[] = "thumbnail", full[] = "picture", scaled[] = "scaled",
	swapchain[] = "swapchain";

struct viewer {
	struct cache thumbnails;
	unsigned int at, count, columns;
	uint64_t look_ns, next_look, small, large, slide_ns;
	struct set near, steps, screen;
	bool slideshow, browses;
};

static void *viewer_start(struct client *client)
{
	struct viewer *viewer = need(calloc(1, sizeof(*viewer)));
	struct rng *rng = &client->rng;

	viewer->count = (unsigned int)rng_log(rng, 30, 1000);
	viewer->columns = (unsigned int)rng_from(rng, 3, 10);
	viewer->look_ns = rng_log(rng, SEC, 40 * SEC);
	viewer->small = rng_log(rng, MIB(1), MIB(8));
	viewer->large = viewer->small * rng_from(rng, 1, 8);
	viewer->slideshow = rng_chance(rng, 0.3);
	viewer->thumbnails.place = thumbnail;
	viewer->thumbnails.where = IN_VRAM;
	viewer->thumbnails.keys = viewer->count;
	viewer->thumbnails.skew = 0.3;
	viewer->thumbnails.low = KIB(64);
	viewer->thumbnails.high = KIB(256);
	viewer->thumbnails.limit = KIB(160) * rng_log(rng, 40, 500);
	viewer->thumbnails.seed = rng_next(rng);
	for (unsigned int i = 0; i < 3; i++)
		set_add(&viewer->screen, buffer_new(client, swapchain, MIB(8), IN_VRAM));
	return viewer;
}

/* This one, the last one and the next one are ready; what is farther away goes */
static void turn(struct client *client, struct viewer *viewer)
{
	struct rng *rng = &client->rng;
	struct buffer *buffer = buffer_new(client, full,
					   rng_bytes(rng, viewer->small, viewer->large), IN_VRAM);

	buffer_use(buffer);
	set_add(&viewer->near, buffer);
	while (viewer->near.count > 3)
		release(client, full, set_first(&viewer->near));
	if (viewer->near.count > 1)
		buffer_use(viewer->near.items[1]);
	/* Steps on the way to the size that is shown */
	for (unsigned int i = 0; i < 3; i++) {
		buffer = buffer_new(client, scaled, viewer->small >> i, IN_VRAM);
		buffer_use(buffer);
		set_add(&viewer->steps, buffer);
	}
	while (viewer->steps.count > 6)
		release(client, scaled, set_first(&viewer->steps));
}

static void browse(struct client *client, struct viewer *viewer)
{
	struct rng *rng = &client->rng;
	unsigned int rows = (unsigned int)rng_from(rng, 1, 4);

	/* A page down, a bit up, rarely to somewhere else */
	if (rng_chance(rng, 0.05))
		viewer->at = (unsigned int)rng_below(rng, viewer->count);
	else if (rng_chance(rng, 0.35))
		viewer->at = viewer->at > rows * viewer->columns ?
			viewer->at - rows * viewer->columns : 0;
	else
		viewer->at = (viewer->at + rows * viewer->columns) % viewer->count;
	for (unsigned int i = 0; i < 5 * viewer->columns; i++)
		cache_want(&viewer->thumbnails, client, (viewer->at + i) % viewer->count);
}

static uint64_t viewer_step(struct client *client, void *state)
{
	struct viewer *viewer = state;
	struct rng *rng = &client->rng;
	uint64_t now = client->world->now;

	if (world_away(client->world) && !viewer->slideshow)
		return now + SEC;
	if (now < viewer->next_look)
		return viewer->next_look;
	viewer->next_look = now + (viewer->slideshow ? viewer->look_ns :
				   rng_wait(rng, viewer->look_ns));
	if (rng_chance(rng, 0.03) && !viewer->slideshow)
		viewer->next_look += rng_log(rng, 10 * SEC, 8 * MIN);
	if (rng_chance(rng, 0.1))
		viewer->browses = !viewer->browses;
	if (viewer->browses && !viewer->slideshow)
		browse(client, viewer);
	else
		turn(client, viewer);
	set_use(&viewer->screen);
	return viewer->next_look;
}

static void viewer_stop(void *state)
{
	struct viewer *viewer = state;

	cache_free(&viewer->thumbnails);
	set_free(&viewer->near);
	set_free(&viewer->steps);
	set_free(&viewer->screen);
	free(viewer);
}

const struct kind kind_viewer = {
	.name = "viewer",
	.about = "pictures: a cache that fills and stays, neighbours made ready, pauses",
	.comms = { "eog", "gwenview", "darktable", "loupe" },
	.places = {
		{ scaled, true }, { full, false }, { thumbnail, false },
	},
	.start = viewer_start,
	.step = viewer_step,
	.stop = viewer_stop,
};
