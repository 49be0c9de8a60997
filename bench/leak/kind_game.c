// SPDX-License-Identifier: MIT
/*
 * A game: what a level needs is loaded before it and freed after it, and is used when the
 * player looks that way, or never; more is streamed in and pushed out again; each frame
 * has buffers of its own. When the player is away there is a menu.
 */
#include <stdlib.h>

#include "leak.h"

#define ZONES	24

static const char texture[] = "level texture", mesh[] = "mesh", transient[] = "frame",
	streamed[] = "streamed texture", staging[] = "upload", target[] = "render target",
	interface[] = "interface";

struct game {
	double fps;
	unsigned int zones, zone, per_level, per_frame, shared;
	uint64_t level_ns, level_end, zone_until, small, large, load_ns, resize_ns;
	unsigned int to_load;
	struct set zone_sets[ZONES], common, targets, frames, old_frames, uploads, hud;
	struct cache stream;
	/* Which part of the streamed things the player is near to */
	double stream_per_second;
	bool one_upload_pool;
};

static void make_targets(struct client *client, struct game *game)
{
	unsigned int count = (unsigned int)rng_from(&client->rng, 3, 14);
	uint64_t size = rng_bytes(&client->rng, MIB(2), MIB(32));

	for (unsigned int i = 0; i < count; i++)
		set_add(&game->targets,
			buffer_new(client, target, size >> rng_below(&client->rng, 3), IN_VRAM));
}

static void begin_level(struct client *client, struct game *game)
{
	struct rng *rng = &client->rng;

	game->to_load = game->per_level * (unsigned int)rng_from(rng, 70, 130) / 100;
	game->level_end = client->world->now + game->level_ns / 2 +
		rng_wait(rng, game->level_ns / 2);
	game->zone = (unsigned int)rng_below(rng, game->zones);
}

static void *game_start(struct client *client)
{
	struct game *game = need(calloc(1, sizeof(*game)));
	struct rng *rng = &client->rng;

	game->fps = rng_real(rng, 25, 144);
	game->zones = (unsigned int)rng_from(rng, 4, ZONES);
	game->per_level = (unsigned int)rng_log(rng, 40, 400);
	game->per_frame = (unsigned int)rng_from(rng, 1, 8);
	game->level_ns = rng_log(rng, 2 * MIN, 90 * MIN);
	game->small = rng_log(rng, KIB(16), KIB(256));
	game->large = game->small * rng_from(rng, 4, 64);
	game->load_ns = rng_log(rng, 4 * SEC, 150 * SEC);
	game->shared = rng_chance(rng, 0.5) ? (unsigned int)rng_from(rng, 5, 25) : 0;
	game->one_upload_pool = rng_chance(rng, 0.4);
	game->resize_ns = rng_wait(rng, 40 * MIN) + MIN;
	game->stream.place = streamed;
	game->stream.where = IN_VRAM;
	game->stream.keys = (unsigned int)rng_from(rng, 60, 1500);
	game->stream.skew = rng_real(rng, 0.1, 0.75);
	game->stream.low = game->small;
	game->stream.high = game->large;
	game->stream.seed = rng_next(rng);
	game->stream.limit = rng_log(rng, 20, 250) * (game->small + game->large) / 3;
	game->stream_per_second = rng_chance(rng, 0.2) ? 0 : rng_real(rng, 0.5, 20);
	make_targets(client, game);
	for (unsigned int i = (unsigned int)rng_from(rng, 1, 12); i; i--)
		set_add(&game->hud, buffer_new(client, interface, rng_bytes(rng, KIB(64), MIB(4)),
					       IN_VRAM));
	begin_level(client, game);
	return game;
}

static void load(struct client *client, struct game *game)
{
	struct rng *rng = &client->rng;
	unsigned int count = client_times(client, game->per_level * (double)SEC /
					  (double)game->load_ns);

	for (; count && game->to_load; count--, game->to_load--) {
		bool model = rng_chance(rng, 0.3);
		struct buffer *upload, *buffer;

		buffer = buffer_new(client, model ? mesh : texture,
				    model ? rng_bytes(rng, KIB(8), game->large / 4) :
				    rng_bytes(rng, game->small, game->large), IN_VRAM);
		buffer_use(buffer);
		set_add(rng_below(rng, 100) < game->shared ? &game->common :
			&game->zone_sets[rng_below(rng, game->zones)], buffer);
		if (game->one_upload_pool && game->uploads.count >= 4) {
			buffer_use(game->uploads.items[rng_below(rng, 4)]);
			continue;
		}
		upload = buffer_new(client, staging, rng_bytes(rng, game->small, game->large),
				    IN_SYSTEM | FOR_CPU);
		buffer_map(upload);
		buffer_use(upload);
		set_add(&game->uploads, upload);
		while (!game->one_upload_pool && game->uploads.count > 3)
			release(client, staging, set_first(&game->uploads));
	}
}

static void end_level(struct client *client, struct game *game)
{
	for (unsigned int i = 0; i < game->zones; i++)
		for (struct set *set = &game->zone_sets[i]; set->count;) {
			struct buffer *buffer = set_first(set);

			release(client, buffer ? buffer->place : texture, buffer);
		}
	if (!game->one_upload_pool)
		set_release(&game->uploads, client, staging);
	if (rng_chance(&client->rng, 0.5))
		cache_release(&game->stream, client);
	begin_level(client, game);
}

static void draw(struct client *client, struct game *game)
{
	struct rng *rng = &client->rng;
	unsigned int frames = client_times(client, game->fps);

	if (!frames)
		return;
	if (client->world->now >= game->zone_until) {
		unsigned int way = (unsigned int)rng_below(rng, 3);

		/* Mostly to a zone beside this one */
		game->zone = way ? (game->zone + (way == 1 ? 1 : game->zones - 1)) % game->zones :
			(unsigned int)rng_below(rng, game->zones);
		game->zone_until = client->world->now + rng_wait(rng, 40 * SEC);
		game->stream.shift += game->stream.keys / 16 + 1;
	}
	set_use(&game->targets);
	set_use(&game->hud);
	set_use_some(&game->common, rng, 0.4);
	set_use_some(&game->zone_sets[game->zone], rng, 0.8);
	set_use_some(&game->zone_sets[(game->zone + 1) % game->zones], rng, 0.2);
	for (unsigned int n = client_times(client, game->stream_per_second); n; n--)
		cache_want(&game->stream, client, cache_pick(&game->stream, rng));
	for (unsigned int n = 0; n < frames * game->per_frame; n++) {
		struct buffer *buffer = buffer_new(client, transient,
						   KIB(16) << (n % game->per_frame), IN_VRAM);

		buffer_use(buffer);
		set_add(&game->frames, buffer);
	}
}

static void drop_frames(struct client *client, struct game *game)
{
	struct set done = game->old_frames;

	set_release(&done, client, transient);
	game->old_frames = game->frames;
	game->frames = done;
}

static uint64_t game_step(struct client *client, void *state)
{
	struct game *game = state;
	uint64_t now = client->world->now;

	drop_frames(client, game);
	if (game->to_load) {
		load(client, game);
		set_use(&game->hud);
		return now;
	}
	if (world_away(client->world)) {
		/* The menu: a picture that hardly changes */
		set_use(&game->hud);
		if (game->targets.count)
			buffer_use(game->targets.items[0]);
		return now + 250 * MS;
	}
	draw(client, game);
	if (now >= game->resize_ns) {
		game->resize_ns = now + rng_wait(&client->rng, 40 * MIN);
		set_release(&game->targets, client, target);
		make_targets(client, game);
	}
	if (now >= game->level_end)
		end_level(client, game);
	return now;
}

static void game_stop(void *state)
{
	struct game *game = state;

	for (unsigned int i = 0; i < ZONES; i++)
		set_free(&game->zone_sets[i]);
	set_free(&game->common);
	set_free(&game->targets);
	set_free(&game->frames);
	set_free(&game->old_frames);
	set_free(&game->uploads);
	set_free(&game->hud);
	cache_free(&game->stream);
	free(game);
}

const struct kind kind_game = {
	.name = "game",
	.about = "levels, what the player sees of them, streaming, buffers of frames",
	.comms = { "quake4.x86_64", "stk-bin", "Game.exe", "godot-game" },
	.places = {
		{ transient, true }, { streamed, false }, { texture, false }, { mesh, false },
	},
	.start = game_start,
	.step = game_step,
	.stop = game_stop,
};
