// SPDX-License-Identifier: MIT
/*
 * Where buffers are allocated: what the driver says, and what symbols make of it.
 */
#include <stdlib.h>
#include <string.h>

#include "card.h"
#include "json.h"
#include "out.h"
#include "sites.h"
#include "symbols.h"
#include "text.h"

#define SWITCH	"/sys/module/pddgpu/parameters/leak_stacks"

struct kept {
	struct kept *next;
	char pci[16];
	uint32_t number;
	/* card_bound() of then: numbers begin anew */
	uint64_t bound;
	bool filled;
	struct site site;
};

struct sites {
	struct symbols *symbols;
	struct kept *slots[256];
};

struct sites *sites_new(void)
{
	struct sites *sites = out_need(calloc(1, sizeof(*sites)));

	sites->symbols = out_need(symbols_new());
	return sites;
}

void sites_free(struct sites *sites)
{
	size_t i;

	if (!sites)
		return;
	for (i = 0; i < sizeof(sites->slots) / sizeof(sites->slots[0]); i++)
		while (sites->slots[i]) {
			struct kept *next = sites->slots[i]->next;

			free(sites->slots[i]);
			sites->slots[i] = next;
		}
	symbols_free(sites->symbols);
	free(sites);
}

/* Whether the driver has said what there is to say */
static bool fill(struct sites *sites, struct site *site, struct pddgpu_device *dev,
		 uint32_t number)
{
	struct drm_pddgpu_site answer = { .site = number };
	unsigned int i;

	if (!number)
		return true;
	if (pddgpu_query_site(dev, number, &answer))
		return false;
	site->count = answer.count < PDDGPU_SITE_FRAMES ? answer.count : PDDGPU_SITE_FRAMES;
	for (i = 0; i < site->count; i++) {
		struct drm_pddgpu_frame *frame = &site->frames[i];

		*frame = answer.frames[i];
		frame->name[sizeof(frame->name) - 1] = '\0';
		site->texts[i] = symbols_frame(sites->symbols, frame);
		if (frame->kind == PDDGPU_FRAME_USER)
			site->user = true;
	}
	return true;
}

const struct site *sites_get(struct sites *sites, struct pddgpu_device *dev, uint32_t number)
{
	struct kept **list = &sites->slots[number % 256], *kept;
	const char *pci = pddgpu_id(dev)->pci;
	uint64_t bound = card_bound(dev);

	for (kept = *list; kept; kept = kept->next)
		if (kept->number == number && kept->bound == bound && !strcmp(kept->pci, pci))
			break;
	if (!kept) {
		kept = out_need(calloc(1, sizeof(*kept)));
		kept->number = number;
		kept->bound = bound;
		snprintf(kept->pci, sizeof(kept->pci), "%s", pci);
		kept->next = *list;
		*list = kept;
	}
	if (!kept->filled)
		kept->filled = fill(sites, &kept->site, dev, number);
	return &kept->site;
}

void site_print(FILE *to, const struct site *site, unsigned int indent, bool colour)
{
	unsigned int i;

	for (i = 0; i < site->count; i++) {
		char *text;

		if (site->user && site->frames[i].kind != PDDGPU_FRAME_USER)
			continue;
		text = text_printable(site->texts[i]);
		fprintf(to, "%*s%s%s%s\n", (int)indent, "", colour ? out_on(OUT_DIM) : "", text,
			colour ? out_off() : "");
		free(text);
	}
}

static bool is_go_between(const struct drm_pddgpu_frame *frame)
{
	static const char *const names[] = { "libc.so", "libc-", "libdrm.so", "libpddgpu.so",
					     "ld-linux" };
	const char *name = strrchr(frame->name, '/');
	size_t i;

	name = name ? name + 1 : frame->name;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncmp(name, names[i], strlen(names[i])))
			return true;
	return !*name;
}

const char *site_name(const struct site *site)
{
	unsigned int i;

	for (i = 0; i < site->count; i++)
		if (site->frames[i].kind == PDDGPU_FRAME_USER && !is_go_between(&site->frames[i]))
			return site->texts[i];
	return NULL;
}

json_t *site_json(const struct site *site)
{
	json_t *frames = out_need(json_array()), *object;
	unsigned int i;

	for (i = 0; i < site->count; i++) {
		const struct drm_pddgpu_frame *frame = &site->frames[i];

		object = out_need(json_object());
		json_put(object, "kind", json_string(frame->kind == PDDGPU_FRAME_USER ? "user" :
						     "kernel"));
		json_put(object, "text", json_text(site->texts[i]));
		json_put(object, "name", *frame->name ? json_text(frame->name) : json_null());
		json_put(object, "offset", json_count(frame->offset));
		json_add(frames, object);
	}
	return frames;
}

void sites_say_how(void)
{
	FILE *file = fopen(SWITCH, "re");
	int now = file ? fgetc(file) : EOF;
	static bool said;

	if (file)
		fclose(file);
	if (now == 'N' && !said)
		out_say("leaks: call stacks are off; root has them taken from now on by: "
			"echo 1 >" SWITCH);
	said = true;
}
