/* SPDX-License-Identifier: MIT */
/* What the parts of the made-up library share */
#ifndef FAKE_H
#define FAKE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include <pddgpu.h>

struct pddgpu_device {
	struct pddgpu_device_id id;
	json_t *json;
	long calls;	/* until it vanishes; -1 never */
};

/* Members of an object; "" and 0 where there are none */
const char *fake_text(const json_t *object, const char *name);
uint64_t fake_number(const json_t *object, const char *name);
/* "NAME", or "NAME_hex" for what is no UTF-8 */
void fake_bytes(const json_t *object, const char *name, char *out, size_t room);
/* The negative errno of that name; 0 for none */
int fake_error(const char *name);
/* Of each call: 0, or why the card does not answer */
int fake_gone(struct pddgpu_device *dev);

#endif
