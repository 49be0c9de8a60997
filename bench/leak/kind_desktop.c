// SPDX-License-Identifier: MIT
/*
 * A program that sits there: a clock, a chat, a panel. It draws now and then, opens a
 * popup at times, and may be hidden for hours with all that it has.
 */
#include <stdlib.h>

#include "leak.h"

static const char window[] = "window", icon[] = "icon", popup[] = "popup", glyphs[] = "glyphs";

struct desktop {
	uint64_t draw_ns, popup_ns, next_popup, popup_end, hide_ns, next_hide;
	unsigned int frame;
	bool hidden;
	struct set screen, icons, popups, text;
};

static void *desktop_start(struct client *client)
{
	struct desktop *desktop = need(calloc(1, sizeof(*desktop)));
	struct rng *rng = &client->rng;
	uint64_t now = client->world->now;

	desktop->draw_ns = rng_log(rng, 200 * MS, 2 * MIN);
	desktop->popup_ns = rng_log(rng, 5 * SEC, 5 * MIN);
	desktop->next_popup = now + rng_wait(rng, desktop->popup_ns);
	desktop->hide_ns = rng_log(rng, 3 * MIN, 40 * MIN);
	desktop->next_hide = now + rng_wait(rng, desktop->hide_ns);
	for (unsigned int i = (unsigned int)rng_from(rng, 2, 3); i; i--)
		set_add(&desktop->screen,
			buffer_new(client, window, rng_bytes(rng, KIB(64), MIB(8)), IN_VRAM));
	for (unsigned int i = (unsigned int)rng_below(rng, 60); i; i--)
		set_add(&desktop->icons,
			buffer_new(client, icon, rng_bytes(rng, KIB(4), KIB(256)), IN_VRAM));
	set_use(&desktop->icons);
	set_add(&desktop->text, buffer_new(client, glyphs, KIB(512), IN_VRAM));
	return desktop;
}

static uint64_t desktop_step(struct client *client, void *state)
{
	struct desktop *desktop = state;
	struct rng *rng = &client->rng;
	uint64_t now = client->world->now, next;

	if (now >= desktop->next_hide) {
		desktop->hidden = !desktop->hidden;
		desktop->next_hide = now + rng_wait(rng, desktop->hide_ns);
	}
	if (desktop->popups.count && now >= desktop->popup_end)
		set_release(&desktop->popups, client, popup);
	if (now >= desktop->next_popup && !world_away(client->world)) {
		unsigned int count = (unsigned int)rng_from(rng, 1, 4);

		desktop->next_popup = now + rng_wait(rng, desktop->popup_ns) + SEC;
		desktop->popup_end = now + rng_log(rng, SEC, 20 * SEC);
		while (count--)
			set_add(&desktop->popups, buffer_new(client, popup,
							     rng_bytes(rng, KIB(16), MIB(1)),
							     IN_VRAM));
		set_use(&desktop->popups);
	}
	if (!desktop->hidden) {
		buffer_use(desktop->screen.items[desktop->frame++ % desktop->screen.count]);
		set_use(&desktop->text);
		/* What changes, mostly the same few */
		for (unsigned int i = 0; i < 3 && desktop->icons.count; i++) {
			uint64_t few = 1 + rng_below(rng, desktop->icons.count);

			buffer_use(desktop->icons.items[rng_below(rng, few)]);
		}
		set_use(&desktop->popups);
	}
	next = now + desktop->draw_ns;
	if (desktop->popups.count && desktop->popup_end < next)
		next = desktop->popup_end;
	return next < desktop->next_popup ? next : desktop->next_popup;
}

static void desktop_stop(void *state)
{
	struct desktop *desktop = state;

	set_free(&desktop->screen);
	set_free(&desktop->icons);
	set_free(&desktop->popups);
	set_free(&desktop->text);
	free(desktop);
}

const struct kind kind_desktop = {
	.name = "desktop",
	.about = "a program that draws now and then, and is hidden for long",
	.comms = { "gnome-clocks", "waybar", "element-desktop", "conky" },
	.places = {
		{ popup, true },
	},
	.start = desktop_start,
	.step = desktop_step,
	.stop = desktop_stop,
};
