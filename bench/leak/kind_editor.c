// SPDX-License-Identifier: MIT
/*
 * An editor of drawings: a document that grows for as long as somebody works on it, all of
 * which is drawn; states to go back to, up to a limit; another document now and then.
 */
#include <stdlib.h>

#include "leak.h"

static const char page[] = "layer", state_[] = "undo state", brush[] = "stroke", view[] = "view",
	filter[] = "filter";

struct editor {
	uint64_t stroke_ns, layer_ns, next_layer, document_ns, next_document, low, high;
	uint64_t filter_ns, next_filter, pause_ns, next_pause, paused_until;
	unsigned int undo_limit, layers_max, undone;
	struct set layers, undo, strokes, views, filters;
};

static void new_document(struct client *client, struct editor *editor)
{
	struct rng *rng = &client->rng;

	editor->low = rng_log(rng, KIB(256), MIB(4));
	editor->high = editor->low * rng_from(rng, 1, 8);
	for (unsigned int i = (unsigned int)rng_from(rng, 1, 6); i; i--)
		set_add(&editor->layers, buffer_new(client, page,
						    rng_bytes(rng, editor->low, editor->high),
						    IN_VRAM));
	set_use(&editor->layers);
}

static void *editor_start(struct client *client)
{
	struct editor *editor = need(calloc(1, sizeof(*editor)));
	struct rng *rng = &client->rng;
	uint64_t now = client->world->now;

	editor->stroke_ns = rng_log(rng, 500 * MS, 10 * SEC);
	editor->layer_ns = rng_log(rng, 5 * SEC, 3 * MIN);
	editor->next_layer = now + rng_wait(rng, editor->layer_ns);
	editor->layers_max = (unsigned int)rng_log(rng, 20, 600);
	editor->document_ns = rng_log(rng, 8 * MIN, 90 * MIN);
	editor->next_document = now + rng_wait(rng, editor->document_ns) + MIN;
	editor->undo_limit = (unsigned int)rng_from(rng, 5, 40);
	editor->filter_ns = rng_log(rng, 20 * SEC, 6 * MIN);
	editor->next_filter = now + rng_wait(rng, editor->filter_ns);
	editor->pause_ns = rng_log(rng, MIN, 20 * MIN);
	editor->next_pause = now + rng_wait(rng, editor->pause_ns);
	for (unsigned int i = 0; i < 3; i++)
		set_add(&editor->views, buffer_new(client, view, MIB(8), IN_VRAM));
	new_document(client, editor);
	return editor;
}

/* A stroke changes a layer: what was there before is kept, the oldest of that is dropped */
static void stroke(struct client *client, struct editor *editor)
{
	struct rng *rng = &client->rng;
	struct buffer *buffer;

	for (unsigned int i = (unsigned int)rng_from(rng, 1, 4); i; i--) {
		buffer = buffer_new(client, brush, rng_bytes(rng, KIB(16), KIB(256)), IN_VRAM);
		buffer_use(buffer);
		set_add(&editor->strokes, buffer);
	}
	while (editor->strokes.count > 8)
		release(client, brush, set_first(&editor->strokes));
	if (editor->undo.count && rng_chance(rng, 0.15)) {
		/* Back some steps: those states are what is seen now */
		for (unsigned int n = (unsigned int)rng_from(rng, 1, 8);
		     n && editor->undo.count; n--) {
			buffer = set_take(&editor->undo, editor->undo.count - 1);
			buffer_use(buffer);
			release(client, state_, buffer);
		}
		return;
	}
	buffer = buffer_new(client, state_, rng_bytes(rng, KIB(64), editor->low), IN_VRAM);
	buffer_use(buffer);
	set_add(&editor->undo, buffer);
	while (editor->undo.count > editor->undo_limit)
		release(client, state_, set_first(&editor->undo));
}

static void apply_filter(struct client *client, struct editor *editor)
{
	struct rng *rng = &client->rng;

	for (unsigned int i = (unsigned int)rng_from(rng, 1, 6); i; i--) {
		struct buffer *buffer = buffer_new(client, filter,
						   rng_bytes(rng, editor->low, editor->high),
						   IN_VRAM);

		buffer_use(buffer);
		set_add(&editor->filters, buffer);
	}
	if (rng_chance(rng, 0.3))
		for (size_t i = 0; i < editor->filters.count; i++)
			buffer_long_job(editor->filters.items[i], rng_log(rng, SEC, 20 * SEC));
}

static uint64_t editor_step(struct client *client, void *state)
{
	struct editor *editor = state;
	struct rng *rng = &client->rng;
	uint64_t now = client->world->now;

	if (world_away(client->world))
		return now + SEC;
	if (now < editor->paused_until)
		return editor->paused_until;
	if (now >= editor->next_pause) {
		editor->next_pause = now + rng_wait(rng, editor->pause_ns) + MIN;
		editor->paused_until = now + rng_log(rng, 5 * SEC, 6 * MIN);
		return editor->paused_until;
	}
	if (now >= editor->next_document) {
		editor->next_document = now + rng_wait(rng, editor->document_ns) + MIN;
		set_release(&editor->layers, client, page);
		set_release(&editor->undo, client, state_);
		new_document(client, editor);
	}
	set_release(&editor->filters, client, filter);
	stroke(client, editor);
	if (now >= editor->next_layer && editor->layers.count < editor->layers_max) {
		editor->next_layer = now + rng_wait(rng, editor->layer_ns);
		set_add(&editor->layers, buffer_new(client, page,
						    rng_bytes(rng, editor->low, editor->high),
						    IN_VRAM));
	}
	if (now >= editor->next_filter) {
		editor->next_filter = now + rng_wait(rng, editor->filter_ns);
		apply_filter(client, editor);
	}
	/* What is seen of it is put together from all layers */
	set_use(&editor->layers);
	set_use(&editor->views);
	return now + rng_wait(rng, editor->stroke_ns) + 100 * MS;
}

static void editor_stop(void *state)
{
	struct editor *editor = state;

	set_free(&editor->layers);
	set_free(&editor->undo);
	set_free(&editor->strokes);
	set_free(&editor->views);
	set_free(&editor->filters);
	free(editor);
}

const struct kind kind_editor = {
	.name = "editor",
	.about = "a document that grows and is used whole, states to go back to",
	.comms = { "krita", "gimp-2.10", "inkscape", "freecad" },
	.places = {
		{ brush, true }, { filter, false }, { state_, false },
	},
	.start = editor_start,
	.step = editor_step,
	.stop = editor_stop,
};
