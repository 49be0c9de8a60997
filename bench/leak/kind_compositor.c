// SPDX-License-Identifier: MIT
/*
 * A compositor and the programs whose windows it shows: each window's pictures are made by
 * its program, handed over as dma-bufs and imported. Windows are hidden for long, resized
 * in many steps, closed and opened; menus come and go.
 */
#include <stdlib.h>
#include <string.h>

#include "leak.h"

#define WINDOWS	20

static const char surface[] = "window", popup[] = "menu", output[] = "output", shadow[] = "shadow",
	wallpaper[] = "wallpaper", cursor[] = "cursor", shot[] = "screenshot";

struct window {
	struct client *program;
	struct set pictures;
	bool open, hidden;
	unsigned int next;
	uint64_t size, every_ns, next_ns;
};

struct compositor {
	struct window windows[WINDOWS], menu;
	unsigned int most;
	uint64_t event_ns, next_event, menu_ns, next_menu, menu_end, resize_until, redraw_ns;
	unsigned int resizing, frame, shadows;
	struct set outputs, shadow_set, papers, cursors, shots;
	/* Programs close their handles once the compositor has the dma-buf */
	bool hands_over;
};

static void make_pictures(struct client *client, struct compositor *compositor,
			  struct window *window, const char *place)
{
	unsigned int count = place == popup ? 1 : (unsigned int)rng_from(&client->rng, 2, 4);

	for (unsigned int i = 0; i < count; i++) {
		struct buffer *buffer = buffer_new(window->program, place, window->size, IN_VRAM);

		if (!buffer)
			continue;
		buffer_use(buffer);
		buffer_export(buffer);
		buffer_import(buffer, client);
		if (compositor->hands_over)
			buffer_unexport(buffer);
		set_add(&window->pictures, buffer);
	}
}

static void open_window(struct client *client, struct compositor *compositor,
			struct window *window)
{
	static const char *const programs[] = { "gnome-terminal-", "nautilus", "gedit", "evince",
		"thunderbird", "slack", "zoom", "xterm" };
	struct rng *rng = &client->rng;

	window->program = client_child(client, programs[rng_below(rng, ARRAY_SIZE(programs))],
				       true);
	window->size = rng_bytes(rng, KIB(400), MIB(16));
	window->every_ns = rng_chance(rng, 0.3) ? rng_log(rng, 16 * MS, 100 * MS) :
		rng_log(rng, 500 * MS, 5 * MIN);
	window->next_ns = client->world->now;
	window->open = true;
	window->hidden = rng_chance(rng, 0.1);
	make_pictures(client, compositor, window, surface);
}

static void close_window(struct client *client, struct window *window)
{
	set_release(&window->pictures, client, surface);
	client_exit(window->program);
	window->open = false;
}

static void *compositor_start(struct client *client)
{
	struct compositor *compositor = need(calloc(1, sizeof(*compositor)));
	struct rng *rng = &client->rng;
	uint64_t screen = MIB(8) << rng_below(rng, 3), now = client->world->now;

	compositor->most = (unsigned int)rng_from(rng, 3, WINDOWS);
	compositor->event_ns = rng_log(rng, 10 * SEC, 4 * MIN);
	compositor->next_event = now + rng_wait(rng, compositor->event_ns);
	compositor->menu_ns = rng_log(rng, 5 * SEC, 90 * SEC);
	compositor->next_menu = now + rng_wait(rng, compositor->menu_ns);
	compositor->hands_over = rng_chance(rng, 0.5);
	compositor->shadows = (unsigned int)rng_below(rng, 30);
	for (unsigned int i = 0; i < 3; i++)
		set_add(&compositor->outputs, buffer_new(client, output, screen, IN_VRAM));
	set_add(&compositor->papers, buffer_new(client, wallpaper, screen, IN_VRAM));
	for (unsigned int i = (unsigned int)rng_from(rng, 1, 8); i; i--)
		set_add(&compositor->cursors, buffer_new(client, cursor, KIB(16),
							 IN_VRAM | FOR_CPU));
	for (size_t i = 0; i < compositor->cursors.count; i++)
		buffer_map(compositor->cursors.items[i]);
	set_use(&compositor->papers);
	for (unsigned int i = (unsigned int)rng_from(rng, 1, compositor->most); i; i--)
		open_window(client, compositor, &compositor->windows[i - 1]);
	return compositor;
}

/* Everything that is seen, since a window came, went or moved */
static void redraw(struct compositor *compositor)
{
	for (unsigned int i = 0; i < compositor->most; i++) {
		struct window *window = &compositor->windows[i];

		if (window->open && !window->hidden && window->pictures.count)
			buffer_use(window->pictures.items[window->next % window->pictures.count]);
	}
	set_use(&compositor->papers);
	set_use(&compositor->shadow_set);
	set_use(&compositor->outputs);
}

static void resize(struct client *client, struct compositor *compositor)
{
	struct window *window = &compositor->windows[compositor->resizing];

	if (!window->open || window->hidden)
		return;
	window->size = window->size * rng_from(&client->rng, 90, 112) / 100;
	if (window->size < KIB(200) || window->size > MIB(32))
		window->size = MIB(4);
	set_release(&window->pictures, client, surface);
	make_pictures(client, compositor, window, surface);
	redraw(compositor);
}

static void something(struct client *client, struct compositor *compositor, uint64_t now)
{
	struct rng *rng = &client->rng;
	unsigned int index = (unsigned int)rng_below(rng, compositor->most);
	struct window *window = &compositor->windows[index];

	compositor->next_event = now + rng_wait(rng, compositor->event_ns);
	if (!window->open) {
		open_window(client, compositor, window);
	} else if (window->hidden) {
		window->hidden = rng_chance(rng, 0.6);
		window->next_ns = now;
	} else if (rng_chance(rng, 0.2)) {
		close_window(client, window);
	} else if (rng_chance(rng, 0.5)) {
		window->hidden = true;
	} else {
		compositor->resizing = index;
		compositor->resize_until = now + rng_wait(rng, 2 * SEC);
	}
	if (compositor->shadow_set.count < compositor->shadows)
		set_add(&compositor->shadow_set, buffer_new(client, shadow,
							    rng_bytes(rng, KIB(16), KIB(512)),
							    IN_VRAM));
	/* A picture of the screen, read by the CPU and given back */
	set_release(&compositor->shots, client, shot);
	if (rng_chance(rng, 0.1)) {
		struct buffer *buffer;

		buffer = buffer_new(client, shot, MIB(8), IN_SYSTEM | FOR_CPU);
		buffer_use(buffer);
		buffer_map(buffer);
		set_add(&compositor->shots, buffer);
	}
	redraw(compositor);
}

static void menus(struct client *client, struct compositor *compositor, uint64_t now)
{
	struct rng *rng = &client->rng;
	unsigned int index;

	if (compositor->menu.pictures.count && now >= compositor->menu_end) {
		set_release(&compositor->menu.pictures, client, popup);
		redraw(compositor);
	}
	if (now < compositor->next_menu)
		return;
	compositor->next_menu = now + rng_wait(rng, compositor->menu_ns) + 3 * SEC;
	compositor->menu_end = now + rng_log(rng, 200 * MS, 10 * SEC);
	set_release(&compositor->menu.pictures, client, popup);
	index = (unsigned int)rng_below(rng, compositor->most);
	if (!compositor->windows[index].open)
		return;
	/* The menu goes with its program */
	compositor->menu.program = client;
	compositor->menu.size = rng_bytes(rng, KIB(64), MIB(2));
	make_pictures(client, compositor, &compositor->menu, popup);
	redraw(compositor);
}

static uint64_t compositor_step(struct client *client, void *state)
{
	struct compositor *compositor = state;
	uint64_t now = client->world->now;
	bool away = world_away(client->world), drawn = false;

	if (!away && now >= compositor->next_event)
		something(client, compositor, now);
	if (!away && now < compositor->resize_until)
		resize(client, compositor);
	if (!away)
		menus(client, compositor, now);
	for (unsigned int i = 0; i < compositor->most; i++) {
		struct window *window = &compositor->windows[i];

		/* Hidden ones are not asked to draw; while nobody is there the screen is dark */
		if (!window->open || window->hidden || away || now < window->next_ns ||
		    !window->pictures.count)
			continue;
		window->next_ns = now + window->every_ns;
		window->next = (window->next + 1) % (unsigned int)window->pictures.count;
		buffer_use(window->pictures.items[window->next]);
		drawn = true;
	}
	if (drawn)
		buffer_use(compositor->outputs.count ?
			   compositor->outputs.items[compositor->frame++ %
						     compositor->outputs.count] : NULL);
	if (drawn && compositor->cursors.count)
		buffer_use(compositor->cursors.items[0]);
	return now + (away ? SEC : 50 * MS);
}

static void compositor_stop(void *state)
{
	struct compositor *compositor = state;

	for (unsigned int i = 0; i < WINDOWS; i++)
		set_free(&compositor->windows[i].pictures);
	set_free(&compositor->menu.pictures);
	set_free(&compositor->outputs);
	set_free(&compositor->shadow_set);
	set_free(&compositor->papers);
	set_free(&compositor->cursors);
	set_free(&compositor->shots);
	free(compositor);
}

const struct kind kind_compositor = {
	.name = "compositor",
	.about = "windows of other programs as dma-bufs: hidden, resized, closed; menus",
	.comms = { "gnome-shell", "kwin_wayland", "sway", "weston" },
	.places = {
		{ popup, true }, { surface, false }, { shot, false },
	},
	.start = compositor_start,
	.step = compositor_step,
	.stop = compositor_stop,
};
