// SPDX-License-Identifier: MIT
/*
 * The worlds. What is in them is by numbers alone, so that a page can be compared with
 * what has to be on it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define KIB 1024ULL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define FOREVER UINT64_MAX

#define K(name, offset) { PDDGPU_FRAME_KERNEL, offset, name }
#define U(name, offset) { PDDGPU_FRAME_USER, offset, name }
#define IOCTL K("pddgpu_gem_create_ioctl", 0x1a4), K("drm_ioctl_kernel", 0xb0), \
	      K("drm_ioctl", 0x2d4), U("/usr/lib/libpddgpu.so.0", 0x51c2)

static const struct frame game[] = {
	IOCTL, U("/opt/game/bin/game", 0x4120), U("/opt/game/bin/game", 0x8f00),
	U("/opt/game/bin/game", 0x1180),
};

static const struct frame frames[] = {
	IOCTL, U("/opt/game/bin/game", 0x4120), U("/opt/game/bin/game", 0xa230),
	U("/opt/game/bin/game", 0x1180),
};

static const struct frame surfaces[] = {
	IOCTL, U("/usr/bin/compositor", 0x7710), U("/usr/bin/compositor", 0x9a00),
};

static const struct frame pool[] = {
	IOCTL, U("/usr/lib/libtrain.so.3", 0x221f0), U("/usr/lib/libtrain.so.3", 0x1c040),
	U("/usr/bin/python3.11", 0x14d2b0), U("/usr/bin/python3.11", 0x139a00),
};

static const struct frame activations[] = {
	IOCTL, U("/usr/lib/libtrain.so.3", 0x22510), U("/usr/bin/python3.11", 0x14d2b0),
	U("/usr/bin/python3.11", 0x139a00),
};

static const struct frame video[] = {
	IOCTL, U("/usr/bin/player", 0x3f10),
};

static const struct frame hostile[] = {
	K("</script><script>document.title='owned'</script>", 16),
	U("/tmp/<img src=x onerror=alert(1)>", 0x10), U("/tmp/\xff\xfe\x80\x1b[31m", 0x20),
	U("\xe2\x80\xae/tmp/gpj.exe", 0x30),
};

#define SITE(array) { array, sizeof(array) / sizeof((array)[0]) }
static const struct { const struct frame *frames; unsigned int count; } sites[] = {
	SITE(game), SITE(frames), SITE(surfaces), SITE(pool), SITE(activations), SITE(video),
	SITE(hostile),
};

const struct frame *world_site(uint32_t site, unsigned int *count)
{
	/* Those of the world with very many: one more for each number, in the program */
	static char names[3][32];
	static struct frame made[3] = { K("pddgpu_gem_create_ioctl", 0x1a4) };

	if (site >= 1000) {
		snprintf(names[0], sizeof(names[0]), "/usr/bin/tool%u", site % 37);
		made[1] = (struct frame)U(names[0], site * 16ULL);
		made[2] = (struct frame)U(names[0], site % 11 * 256ULL + 64);
		*count = 3;
		return made;
	}
	if (!site || site > sizeof(sites) / sizeof(sites[0]))
		return NULL;
	*count = sites[site - 1].count;
	return sites[site - 1].frames;
}

static struct thing *add(struct world *world, uint32_t pid, const char *comm, uint32_t site,
			 uint64_t size, uint64_t born)
{
	struct thing *thing;

	if (world->count == world->room) {
		world->room = world->room * 2 + 256;
		world->things = realloc(world->things, world->room * sizeof(*world->things));
		if (!world->things)
			exit(70);
	}
	thing = &world->things[world->count++];
	memset(thing, 0, sizeof(*thing));
	thing->pid = pid;
	thing->comm = comm;
	thing->site = site;
	thing->size = size;
	thing->born = born;
	thing->died = FOREVER;
	thing->used_until = FOREVER;
	thing->label = "";
	thing->domain = PDDGPU_GEM_DOMAIN_VRAM;
	return thing;
}

/* Textures that are used, and buffers that come and go with each frame */
static void add_game(struct world *world)
{
	struct thing *thing;
	unsigned int i;

	for (i = 0; i < 150; i++) {
		thing = add(world, 2101, "game", 1, 256 * KIB << i % 3, i * 120);
		thing->label = "texture";
		thing->used_every = 500 + i % 7 * 200;
	}
	for (i = 0; i < 600; i++) {
		thing = add(world, 2101, "game", 2, 512 * KIB, i * 1000);
		thing->used_every = 100;
		thing->died = thing->born + 2500;
	}
}

static void add_leaks(struct world *world)
{
	struct thing *thing;
	unsigned int i;

	/* A texture of a level that has ended is forgotten, again and again */
	for (i = 0; i < 60; i++) {
		thing = add(world, 3310, "python3", 4, 1 * MIB, 20000 + i * 8000);
		thing->label = "workspace";
		thing->used_every = 200;
		thing->used_until = thing->born + 3000;
	}
	/* and so many come and go as they should */
	for (i = 0; i < 300; i++) {
		thing = add(world, 3310, "python3", 5, 4 * MIB, i * 2000);
		thing->label = "activations";
		thing->used_every = 200;
		thing->died = thing->born + 5000;
	}
	for (i = 0; i < 24; i++) {
		thing = add(world, 1404, "compositor", 3, 2 * MIB, i * 500);
		thing->label = "surface";
		thing->used_every = 1000;
		thing->is = PDDGPU_OBJECT_EXPORTED;
	}
	/* Handles are closed, but the dma-buf is kept */
	for (i = 0; i < 9; i++) {
		thing = add(world, 1404, "compositor", 3, 2 * MIB, 40000 + i * 20000);
		thing->label = "surface";
		thing->used_until = thing->born + 1000;
		thing->used_every = 500;
		thing->is = PDDGPU_OBJECT_EXPORTED;
		thing->state = PDDGPU_OBJECT_ORPHAN;
	}
	for (i = 0; i < 3; i++) {
		thing = add(world, 2888, "player", 6, 3 * MIB, 30000 + i * 1000);
		thing->label = "decoded frame";
		thing->used_until = 33000;
		thing->used_every = 500;
		thing->is = PDDGPU_OBJECT_BUSY;
		thing->state = PDDGPU_OBJECT_ZOMBIE;
	}
	/* A pool of a player that is paused */
	for (i = 0; i < 16; i++) {
		thing = add(world, 2890, "player", 6, 3 * MIB, 1000 + i * 10);
		thing->label = "pool";
		thing->used_every = 100;
		thing->used_until = 60000;
		thing->domain = PDDGPU_GEM_DOMAIN_GTT;
	}
	for (i = 0; i < 40; i++) {
		thing = add(world, 4077, "backup", 0, 512 * KIB, 90000 + i * 100);
		thing->used_every = 300;
		thing->died = 150000;
		thing->domain = i % 2 ? PDDGPU_GEM_DOMAIN_GTT : PDDGPU_GEM_DOMAIN_CPU;
	}
	world->alert_ms = 120000;
	world->unfreed_ms = 150000;
}

static void add_many(struct world *world)
{
	static char names[1000][16];
	struct thing *thing;
	unsigned int i;

	for (i = 0; i < 1000; i++)
		snprintf(names[i], sizeof(names[i]), "worker-%u", i);
	for (i = 0; i < 100000; i++) {
		uint32_t who = i * 7919U % 1000;

		thing = add(world, 10000 + who, names[who], 1000 + i % 300,
			    (4 * KIB) << i % 5, i % 5000);
		thing->used_every = i % 9 ? 1000 : 0;
		if (!(i % 9))
			thing->used_until = 0;
		if (i % 5 == 4)
			thing->domain = PDDGPU_GEM_DOMAIN_GTT;
	}
}

/* As many owners, places and labels as can be */
static void add_wide(struct world *world)
{
	static char names[3000][16], labels[3000][24];
	struct thing *thing;
	unsigned int i;

	for (i = 0; i < 12000; i++) {
		uint32_t who = i % 3000;

		snprintf(names[who], sizeof(names[who]), "p%u", who);
		snprintf(labels[who], sizeof(labels[who]), "label %u", who);
		thing = add(world, 10000 + who, names[who], 1000 + i, 16 * KIB, i % 100 * 50);
		thing->label = labels[who];
		thing->used_every = 500;
	}
}

static void add_hostile(struct world *world)
{
	static const char *const texts[][2] = {
		{ "</script><scrip", "</script><script>document.title='owned'</script>" },
		{ "<!--<script>", "<!--<script>--><img src=x onerror=\"document.title='owned'\">" },
		{ "\xff\xfe\x80\xc0", "\xed\xa0\x80\xf5\x80 broken \xe2\x82" },
		{ "\x1b[31mred\x07\x7f", "\x01\x02\x1b]0;title\x07 control\n\t\r" },
		{ "\xe2\x80\xaelive\xe2\x80\xac",
		  "\xe2\x80\xae\xd7\x90\xd7\x91 rtl \xe2\x80\xa8 line" },
		{ "&lt;&amp;\"'`", "&quot;'\"`${1+1}\\u003c\\" },
		{ "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d",
		  "\xf0\x9f\x98\x80 emoji \xc2\xad\xe2\x80\x8b" },
		{ "constructor", "__proto__" },
	};
	struct thing *thing;
	unsigned int i, j;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		for (j = 0; j < 30; j++) {
			thing = add(world, 500 + i, texts[i][0], 7, 1 * MIB, 1000 + j * 2000);
			thing->label = texts[i][1];
			thing->used_every = 200;
			thing->used_until = thing->born + 1000;
		}
	}
	world->unfreed_ms = 50000;
}

static int by_birth(const void *a, const void *b)
{
	const struct thing *x = a, *y = b;

	return (x->born > y->born) - (x->born < y->born);
}

void world_make(struct world *world, const char *kind)
{
	memset(world, 0, sizeof(*world));
	world->vram = 256 * MIB;
	world->gtt = 512 * MIB;
	if (!strcmp(kind, "many")) {
		world->vram = 4 * GIB;
		world->gtt = 2 * GIB;
		add_many(world);
	} else if (!strcmp(kind, "wide")) {
		add_wide(world);
	} else if (!strcmp(kind, "hostile")) {
		world->vram = 512 * MIB;
		add_hostile(world);
	} else if (strcmp(kind, "empty") != 0) {
		add_game(world);
		if (strcmp(kind, "clean") != 0)
			add_leaks(world);
		world->old = !strcmp(kind, "old");
		world->user = !strcmp(kind, "user");
		world->gone_ms = strcmp(kind, "gone") != 0 ? 0 : 100000;
	}
	if (world->count)
		qsort(world->things, world->count, sizeof(*world->things), by_birth);
}
