// SPDX-License-Identifier: MIT
/*
 * A video player or transcoder: a pool of as many pictures as the stream needs, which
 * lives as long as the stream; seeks, pauses of minutes, streams of another size, and
 * broken ones. Pictures go to a compositor as dma-bufs; subtitles and controls come and go.
 */
#include <stdlib.h>

#include "leak.h"

static const char picture[] = "picture", bitstream[] = "bitstream", subtitle[] = "overlay",
	scratch[] = "decoder", thumbnail[] = "preview";

struct video {
	double fps;
	bool shares, transcodes, keeps_bitstreams;
	unsigned int pictures, next;
	uint64_t file_ns, file_end, seek_ns, pause_ns, error_ns, paused_until, overlay_ns;
	uint64_t next_seek, next_pause, next_error, next_overlay;
	struct set pool, streams, overlays, context, previews;
	struct client *viewer;
};

static void open_stream(struct client *client, struct video *video)
{
	static const uint64_t sizes[] = { KIB(675), KIB(1350), KIB(3040), KIB(12150), KIB(24300) };
	struct rng *rng = &client->rng;
	uint64_t size = sizes[rng_below(rng, ARRAY_SIZE(sizes))];

	video->pictures = (unsigned int)rng_from(rng, 4, 24);
	for (unsigned int i = 0; i < video->pictures; i++) {
		struct buffer *buffer = buffer_new(client, picture, size, IN_VRAM);

		if (video->shares && buffer) {
			buffer_export(buffer);
			buffer_import(buffer, video->viewer);
		}
		set_add(&video->pool, buffer);
	}
	for (unsigned int i = (unsigned int)rng_from(rng, 1, 5); i; i--)
		set_add(&video->context, buffer_new(client, scratch,
						    rng_bytes(rng, KIB(16), size), IN_VRAM));
}

static void close_stream(struct client *client, struct video *video)
{
	set_release(&video->pool, client, picture);
	set_release(&video->context, client, scratch);
	set_release(&video->streams, client, bitstream);
	set_release(&video->previews, client, thumbnail);
}

static void *video_start(struct client *client)
{
	struct video *video = need(calloc(1, sizeof(*video)));
	struct rng *rng = &client->rng;
	uint64_t now = client->world->now;

	video->fps = rng_real(rng, 15, 60);
	video->transcodes = rng_chance(rng, 0.25);
	video->shares = !video->transcodes && rng_chance(rng, 0.6);
	video->keeps_bitstreams = rng_chance(rng, 0.5);
	video->file_ns = rng_log(rng, MIN, 60 * MIN);
	video->seek_ns = rng_log(rng, 20 * SEC, 20 * MIN);
	video->pause_ns = rng_log(rng, 2 * MIN, 40 * MIN);
	video->error_ns = rng_log(rng, 30 * SEC, 30 * MIN);
	video->overlay_ns = rng_log(rng, 2 * SEC, MIN);
	video->file_end = now + rng_wait(rng, video->file_ns);
	video->next_seek = now + rng_wait(rng, video->seek_ns);
	video->next_pause = now + rng_wait(rng, video->pause_ns);
	video->next_error = now + rng_wait(rng, video->error_ns);
	if (video->shares)
		video->viewer = client_child(client, "weston", true);
	open_stream(client, video);
	return video;
}

/* A frame: coded data goes in, one of the pool's pictures comes out, others are looked at */
static void decode(struct client *client, struct video *video, unsigned int frames)
{
	struct rng *rng = &client->rng;

	for (; frames && video->pool.count; frames--) {
		struct buffer *coded;

		video->next = (video->next + 1) % (unsigned int)video->pool.count;
		buffer_use(video->pool.items[video->next]);
		buffer_use(video->pool.items[rng_below(rng, video->pool.count)]);
		set_use(&video->context);
		if (video->keeps_bitstreams && video->streams.count >= 3) {
			buffer_use(video->streams.items[video->next % 3]);
			continue;
		}
		coded = buffer_new(client, bitstream, rng_bytes(rng, KIB(8), KIB(512)),
				   IN_SYSTEM | FOR_CPU);
		buffer_map(coded);
		buffer_use(coded);
		set_add(&video->streams, coded);
		while (!video->keeps_bitstreams && video->streams.count > 2)
			release(client, bitstream, set_first(&video->streams));
	}
	set_use(&video->overlays);
}

static void overlays(struct client *client, struct video *video, uint64_t now)
{
	if (now < video->next_overlay)
		return;
	video->next_overlay = now + rng_wait(&client->rng, video->overlay_ns) + 500 * MS;
	set_release(&video->overlays, client, subtitle);
	if (rng_chance(&client->rng, 0.7))
		set_add(&video->overlays, buffer_new(client, subtitle,
						     rng_bytes(&client->rng, KIB(16), MIB(1)),
						     IN_VRAM));
	set_use(&video->overlays);
}

/* The bar with small pictures from here and there */
static void seek(struct client *client, struct video *video)
{
	struct rng *rng = &client->rng;

	set_release(&video->previews, client, thumbnail);
	for (unsigned int i = (unsigned int)rng_below(rng, 6); i; i--)
		set_add(&video->previews, buffer_new(client, thumbnail, KIB(128), IN_VRAM));
	set_use(&video->previews);
	if (!video->keeps_bitstreams)
		set_release(&video->streams, client, bitstream);
}

static uint64_t video_step(struct client *client, void *state)
{
	struct video *video = state;
	struct rng *rng = &client->rng;
	uint64_t now = client->world->now;

	if (now < video->paused_until) {
		/* Controls that fade, and then nothing at all */
		return video->paused_until;
	}
	if (now >= video->file_end) {
		video->file_end = now + rng_wait(rng, video->file_ns) + 5 * SEC;
		close_stream(client, video);
		open_stream(client, video);
	}
	if (now >= video->next_error) {
		/* The decoder is set up anew; its pictures stay */
		video->next_error = now + rng_wait(rng, video->error_ns);
		set_release(&video->context, client, scratch);
		for (unsigned int i = (unsigned int)rng_from(rng, 1, 4); i; i--)
			set_add(&video->context, buffer_new(client, scratch,
							    rng_bytes(rng, KIB(16), MIB(1)),
							    IN_VRAM));
	}
	if (!video->transcodes && now >= video->next_seek) {
		video->next_seek = now + rng_wait(rng, video->seek_ns);
		seek(client, video);
	}
	if (!video->transcodes && (now >= video->next_pause || world_away(client->world))) {
		video->paused_until = now + rng_log(rng, 5 * SEC, 15 * MIN);
		video->next_pause = video->paused_until + rng_wait(rng, video->pause_ns);
		for (unsigned int i = 0; i < client->world->aways; i++)
			if (now >= client->world->away[i].from && now < client->world->away[i].to)
				video->paused_until = client->world->away[i].to;
	}
	decode(client, video, client_times(client, video->fps));
	overlays(client, video, now);
	return now;
}

static void video_stop(void *state)
{
	struct video *video = state;

	set_free(&video->pool);
	set_free(&video->streams);
	set_free(&video->overlays);
	set_free(&video->context);
	set_free(&video->previews);
	free(video);
}

const struct kind kind_video = {
	.name = "video",
	.about = "a pool of pictures for each stream, seeks, pauses, broken streams",
	.comms = { "mpv", "vlc", "ffmpeg", "gst-launch-1.0" },
	.places = {
		{ subtitle, true }, { scratch, false }, { thumbnail, false }, { picture, false },
	},
	.start = video_start,
	.step = video_step,
	.stop = video_stop,
};
