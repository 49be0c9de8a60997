// SPDX-License-Identifier: MIT
/*
 * A browser: tabs of tiles that come and go while somebody scrolls, most tabs in the
 * background for long, some of which keep what they have; closed, opened, looked at again.
 */
#include <stdlib.h>

#include "leak.h"

#define TABS	24

static const char tile[] = "tile", layer[] = "layer", canvas[] = "canvas", raster[] = "raster",
	atlas[] = "glyph atlas", decoded[] = "image";

struct tab {
	bool open, video;
	struct set tiles, layers, canvases, images;
	unsigned int wanted;
	uint64_t left_ns;
};

struct browser {
	struct tab tabs[TABS];
	unsigned int most, shown;
	uint64_t tile_size, switch_ns, next_switch, read_until, scroll_until, trim_ns;
	uint64_t discard_ns, atlas_ns, next_atlas;
	bool discards;
	unsigned int atlases;
	struct set atlas_set, rasters;
};

static void open_tab(struct client *client, struct browser *browser, unsigned int index)
{
	struct tab *tab = &browser->tabs[index];
	struct rng *rng = &client->rng;

	tab->open = true;
	tab->wanted = (unsigned int)rng_from(rng, 6, 50);
	tab->video = rng_chance(rng, 0.15);
	for (unsigned int i = (unsigned int)rng_from(rng, 1, 5); i; i--)
		set_add(&tab->layers, buffer_new(client, layer, rng_bytes(rng, KIB(32), MIB(8)),
						 IN_VRAM));
	for (unsigned int i = rng_chance(rng, 0.3) ? (unsigned int)rng_from(rng, 1, 4) : 0; i; i--)
		set_add(&tab->canvases, buffer_new(client, canvas,
						   rng_bytes(rng, KIB(256), MIB(16)), IN_VRAM));
	for (unsigned int i = (unsigned int)rng_below(rng, 20); i; i--)
		set_add(&tab->images, buffer_new(client, decoded,
						 rng_bytes(rng, KIB(16), MIB(4)), IN_VRAM));
	set_use(&tab->layers);
	set_use(&tab->images);
	set_use(&tab->canvases);
}

static void empty_tab(struct client *client, struct tab *tab, bool all)
{
	set_release(&tab->tiles, client, tile);
	set_release(&tab->images, client, decoded);
	if (!all)
		return;
	set_release(&tab->canvases, client, canvas);
	set_release(&tab->layers, client, layer);
	tab->open = false;
}

static void *browser_start(struct client *client)
{
	struct browser *browser = need(calloc(1, sizeof(*browser)));
	struct rng *rng = &client->rng;
	uint64_t now = client->world->now;

	browser->most = (unsigned int)rng_from(rng, 2, TABS);
	browser->tile_size = KIB(256) << rng_below(rng, 3);
	browser->switch_ns = rng_log(rng, 15 * SEC, 8 * MIN);
	browser->next_switch = now + rng_wait(rng, browser->switch_ns);
	browser->discards = rng_chance(rng, 0.4);
	browser->discard_ns = rng_log(rng, 10 * SEC, 20 * MIN);
	browser->atlases = (unsigned int)rng_from(rng, 1, 30);
	browser->atlas_ns = rng_log(rng, 500 * MS, 20 * SEC);
	browser->next_atlas = now;
	open_tab(client, browser, 0);
	/* What was open the last time comes back at once, and mostly stays unseen */
	if (rng_chance(rng, 0.5))
		for (unsigned int i = 1; i < browser->most / 2; i++)
			open_tab(client, browser, i);
	return browser;
}

static void show(struct client *client, struct browser *browser, unsigned int index)
{
	struct tab *tab = &browser->tabs[index];

	browser->tabs[browser->shown].left_ns = client->world->now;
	browser->shown = index;
	if (!tab->open)
		open_tab(client, browser, index);
	browser->scroll_until = client->world->now + rng_wait(&client->rng, 5 * SEC);
	set_use(&tab->layers);
	set_use(&tab->canvases);
	set_use(&tab->images);
	set_use(&tab->tiles);
}

/* One closes tabs and goes back to others, mostly to those seen last */
static void change_tab(struct client *client, struct browser *browser)
{
	struct rng *rng = &client->rng;
	unsigned int target = (unsigned int)rng_below(rng, browser->most), again;

	if (rng_chance(rng, 0.5)) {
		for (int i = 0; i < 3; i++) {
			again = (unsigned int)rng_below(rng, browser->most);
			if (browser->tabs[again].open &&
			    browser->tabs[again].left_ns > browser->tabs[target].left_ns)
				target = again;
		}
	}
	if (rng_chance(rng, 0.3))
		empty_tab(client, &browser->tabs[browser->shown], true);
	if (target == browser->shown)
		target = (target + 1) % browser->most;
	show(client, browser, target);
	browser->next_switch = client->world->now + rng_wait(rng, browser->switch_ns) + SEC;
}

static void scroll(struct client *client, struct browser *browser, struct tab *tab)
{
	struct rng *rng = &client->rng;
	struct buffer *buffer;

	for (unsigned int n = client_times(client, 12); n; n--) {
		buffer = buffer_new(client, tile, browser->tile_size, IN_VRAM);
		buffer_use(buffer);
		set_add(&tab->tiles, buffer);
		if (browser->rasters.count < 6) {
			struct buffer *from = buffer_new(client, raster, browser->tile_size,
							 IN_SYSTEM | FOR_CPU);

			buffer_map(from);
			set_add(&browser->rasters, from);
		}
		if (browser->rasters.count)
			buffer_use(browser->rasters.items[rng_below(rng, browser->rasters.count)]);
	}
	while (tab->tiles.count > tab->wanted)
		release(client, tile, set_first(&tab->tiles));
	set_use_some(&tab->tiles, rng, 0.5);
	set_use(&tab->layers);
	set_use_some(&tab->images, rng, 0.2);
	browser->trim_ns = client->world->now + 10 * SEC;
}

static void housekeeping(struct client *client, struct browser *browser, uint64_t now)
{
	struct rng *rng = &client->rng;

	/* A raster buffer that has not been wanted for a while is given back */
	if (browser->rasters.count && now >= browser->trim_ns) {
		release(client, raster, set_first(&browser->rasters));
		browser->trim_ns = now + 2 * SEC;
	}
	for (unsigned int i = 0; browser->discards && i < browser->most; i++) {
		struct tab *tab = &browser->tabs[i];

		if (i != browser->shown && tab->tiles.count &&
		    now > tab->left_ns + browser->discard_ns)
			empty_tab(client, tab, false);
	}
	if (browser->atlas_set.count < browser->atlases && now >= browser->next_atlas) {
		browser->next_atlas = now + rng_wait(rng, browser->atlas_ns);
		set_add(&browser->atlas_set, buffer_new(client, atlas, MIB(1), IN_VRAM));
		set_use(&browser->atlas_set);
	}
}

static uint64_t browser_step(struct client *client, void *state)
{
	struct browser *browser = state;
	struct tab *tab = &browser->tabs[browser->shown];
	struct rng *rng = &client->rng;
	uint64_t now = client->world->now;

	if (world_away(client->world)) {
		housekeeping(client, browser, now);
		if (tab->canvases.count && tab->video)
			buffer_use(tab->canvases.items[0]);
		return now + SEC;
	}
	if (now >= browser->next_switch)
		change_tab(client, browser);
	tab = &browser->tabs[browser->shown];
	if (now < browser->scroll_until) {
		scroll(client, browser, tab);
		set_use_some(&browser->atlas_set, rng, 0.3);
	} else if (now >= browser->read_until) {
		browser->read_until = now + rng_wait(rng, 8 * SEC);
		browser->scroll_until = browser->read_until + rng_wait(rng, 3 * SEC);
	}
	if (tab->video)
		set_use(&tab->canvases);
	/* The blinking cursor, a spinning thing */
	if (tab->layers.count)
		buffer_use(tab->layers.items[0]);
	if (tab->tiles.count)
		buffer_use(tab->tiles.items[tab->tiles.count - 1]);
	housekeeping(client, browser, now);
	return now + (now < browser->scroll_until || tab->video ? 0 : 500 * MS);
}

static void browser_stop(void *state)
{
	struct browser *browser = state;

	for (unsigned int i = 0; i < TABS; i++) {
		set_free(&browser->tabs[i].tiles);
		set_free(&browser->tabs[i].layers);
		set_free(&browser->tabs[i].canvases);
		set_free(&browser->tabs[i].images);
	}
	set_free(&browser->atlas_set);
	set_free(&browser->rasters);
	free(browser);
}

const struct kind kind_browser = {
	.name = "browser",
	.about = "tabs in front and, most of them for long, behind; tiles that come and go",
	.comms = { "chrome", "firefox", "WebKitWebProces" },
	.places = {
		{ tile, true }, { layer, false }, { raster, false }, { decoded, false },
	},
	.start = browser_start,
	.step = browser_step,
	.stop = browser_stop,
};
