/* SPDX-License-Identifier: MIT */
#ifndef PDDGPU_TOOLS_SITES_H
#define PDDGPU_TOOLS_SITES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "pddgpu.h"

/**
 * struct site - a place that buffers are allocated at
 */
struct site {
	/** @frames: as the driver has them, innermost first */
	struct drm_pddgpu_frame frames[PDDGPU_SITE_FRAMES];
	/** @texts: what they are called; may hold any byte */
	const char *texts[PDDGPU_SITE_FRAMES];
	/** @count: of both; 0: it is not known */
	unsigned int count;
	/** @user: there are frames of the process's own */
	bool user;
};

struct sites;

struct sites *sites_new(void);
void sites_free(struct sites *sites);
/*
 * The driver's answer is kept by card and number: the same is not asked twice. Never
 * NULL; valid until sites_free().
 */
const struct site *sites_get(struct sites *sites, struct pddgpu_device *dev, uint32_t number);
/* A line a frame: the process's own where there are some, else the driver's */
void site_print(FILE *to, const struct site *site, unsigned int indent, bool colour);
/* The first function that is neither the C library's nor libdrm's or libpddgpu's; or NULL */
const char *site_name(const struct site *site);
json_t *site_json(const struct site *site);
/* Whether call stacks are taken now; said in a line, once, where they are not */
void sites_say_how(void);

#endif
