// SPDX-License-Identifier: MIT
#include <string.h>

#include "fdinfo.h"

struct text {
	const char *at;
	size_t length;
};

static bool begins(const struct text *text, const char *with)
{
	size_t length = strlen(with);

	return text->length >= length && !memcmp(text->at, with, length);
}

/* Takes off what a text begins with; false: it begins with something else. */
static bool take(struct text *text, const char *prefix)
{
	if (!begins(text, prefix))
		return false;
	text->at += strlen(prefix);
	text->length -= strlen(prefix);
	return true;
}

static bool is(const struct text *text, const char *what)
{
	return text->length == strlen(what) && begins(text, what);
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void trim(struct text *text)
{
	while (text->length && blank(*text->at)) {
		text->at++;
		text->length--;
	}
	while (text->length && blank(text->at[text->length - 1]))
		text->length--;
}

/* The digits a text begins with, and the blanks behind; false: none, or too many. */
static bool number(struct text *text, uint64_t *out)
{
	uint64_t value = 0;
	size_t digits = 0;

	for (; digits < text->length; digits++) {
		unsigned int digit = (unsigned char)text->at[digits] - '0';

		if (digit > 9)
			break;
		if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit, &value))
			return false;
	}
	if (!digits)
		return false;
	text->at += digits;
	text->length -= digits;
	trim(text);
	*out = value;
	return true;
}

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit byte_units[] = {
	{ "", 1 }, { "B", 1 }, { "bytes", 1 }, { "KiB", 1 << 10 }, { "MiB", 1 << 20 },
	{ "GiB", 1 << 30 }, { NULL, 0 }
};

static const struct unit time_units[] = {
	{ "ns", 1 }, { "", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 },
	{ NULL, 0 }
};

static const struct unit frequency_units[] = {
	{ "Hz", 1 }, { "", 1 }, { "KHz", 1000 }, { "kHz", 1000 }, { "MHz", 1000000 },
	{ NULL, 0 }
};

static const struct unit no_units[] = { { "", 1 }, { NULL, 0 } };

static bool measure(struct text value, const struct unit *unit, uint64_t *out)
{
	uint64_t amount;

	if (!number(&value, &amount))
		return false;
	while (unit->name && !is(&value, unit->name))
		unit++;
	return unit->name && !__builtin_mul_overflow(amount, unit->factor, out);
}

static struct fdinfo_region *region(struct fdinfo *info, struct text name, struct names *names)
{
	const char *one = name.length ? names_get(names, name.at, name.length) : NULL;
	struct fdinfo_region *new;

	if (!one)
		return NULL;
	for (unsigned int i = 0; i < info->nr_regions; i++)
		if (info->regions[i].name == one)
			return &info->regions[i];
	if (info->nr_regions == FDINFO_REGIONS)
		return NULL;
	new = &info->regions[info->nr_regions++];
	*new = (struct fdinfo_region){ .name = one };
	return new;
}

static struct fdinfo_engine *engine(struct fdinfo *info, struct text name, struct names *names)
{
	const char *one = name.length ? names_get(names, name.at, name.length) : NULL;
	struct fdinfo_engine *new;

	if (!one)
		return NULL;
	for (unsigned int i = 0; i < info->nr_engines; i++)
		if (info->engines[i].name == one)
			return &info->engines[i];
	if (info->nr_engines == FDINFO_ENGINES)
		return NULL;
	new = &info->engines[info->nr_engines++];
	*new = (struct fdinfo_engine){ .name = one, .capacity = 1 };
	return new;
}

static void parse_engine(struct fdinfo *info, struct text key, const struct text *value,
			 const struct unit *units, uint8_t has, struct names *names)
{
	struct fdinfo_engine *one;
	uint64_t amount;

	if (!measure(*value, units, &amount))
		return;
	one = engine(info, key, names);
	if (!one)
		return;
	switch (has) {
	case FDINFO_HAS_NS:
		one->ns = amount;
		break;
	case FDINFO_HAS_CYCLES:
		one->cycles = amount;
		break;
	case FDINFO_HAS_TOTAL_CYCLES:
		one->total_cycles = amount;
		break;
	case FDINFO_HAS_MAX_HZ:
		one->max_hz = amount;
		break;
	default:
		if (amount && amount <= UINT32_MAX)
			one->capacity = (uint32_t)amount;
		break;
	}
	one->has |= has;
}

static void parse_region(struct fdinfo *info, struct text key, const struct text *value,
			 enum fdinfo_memory kind, struct names *names)
{
	struct fdinfo_region *one;
	uint64_t bytes;

	if (!measure(*value, byte_units, &bytes))
		return;
	one = region(info, key, names);
	if (!one)
		return;
	one->bytes[kind] = bytes;
	one->has |= 1u << kind;
}

/* A key whose drm- has been taken off */
static void parse_drm(struct fdinfo *info, struct text key, const struct text *value,
		      struct names *names)
{
	if (is(&key, "driver")) {
		if (value->length)
			info->driver = names_get(names, value->at, value->length);
	} else if (is(&key, "pdev")) {
		if (value->length)
			info->pdev = names_get(names, value->at, value->length);
	} else if (is(&key, "client-id")) {
		if (measure(*value, no_units, &info->client_id))
			info->has_client_id = true;
	} else if (is(&key, "client-name")) {
		size_t length = value->length < sizeof(info->label) ? value->length :
				sizeof(info->label) - 1;

		memcpy(info->label, value->at, length);
		info->label[length] = '\0';
	} else if (take(&key, "engine-capacity-")) {
		parse_engine(info, key, value, no_units, 0, names);
	} else if (take(&key, "engine-")) {
		parse_engine(info, key, value, time_units, FDINFO_HAS_NS, names);
	} else if (take(&key, "cycles-")) {
		parse_engine(info, key, value, no_units, FDINFO_HAS_CYCLES, names);
	} else if (take(&key, "total-cycles-")) {
		parse_engine(info, key, value, no_units, FDINFO_HAS_TOTAL_CYCLES, names);
	} else if (take(&key, "maxfreq-")) {
		parse_engine(info, key, value, frequency_units, FDINFO_HAS_MAX_HZ, names);
	} else if (take(&key, "total-")) {
		parse_region(info, key, value, FDINFO_TOTAL, names);
	} else if (take(&key, "shared-")) {
		parse_region(info, key, value, FDINFO_SHARED, names);
	} else if (take(&key, "active-")) {
		parse_region(info, key, value, FDINFO_ACTIVE, names);
	} else if (take(&key, "resident-")) {
		parse_region(info, key, value, FDINFO_RESIDENT, names);
	} else if (take(&key, "purgeable-")) {
		parse_region(info, key, value, FDINFO_PURGEABLE, names);
	} else if (take(&key, "memory-")) {
		parse_region(info, key, value, FDINFO_MEMORY, names);
	}
}

bool fdinfo_parse(struct fdinfo *info, const char *text, size_t length, struct names *names)
{
	const char *end = text + length;

	/* The rest is filled as it is counted. */
	memset(info, 0, offsetof(struct fdinfo, regions));
	while (text < end) {
		const char *stop = memchr(text, '\n', end - text);
		struct text key = { text, (stop ? stop : end) - text }, value = key;
		const char *colon = memchr(key.at, ':', key.length);

		text = stop ? stop + 1 : end;
		if (!colon)
			continue;
		value.at = colon + 1;
		value.length = key.at + key.length - value.at;
		key.length = colon - key.at;
		trim(&value);
		if (take(&key, "drm-"))
			parse_drm(info, key, &value, names);
		else if (is(&key, "pddgpu-evictions"))
			info->has_evictions = measure(value, no_units, &info->evictions);
	}
	return info->driver;
}

enum region_class fdinfo_class(const char *name)
{
	if (!strncmp(name, "vram", 4) || !strncmp(name, "local", 5) ||
	    !strncmp(name, "stolen-local", 12) || !strncmp(name, "lmem", 4))
		return REGION_VRAM;
	return strcmp(name, "gtt") ? REGION_SYSTEM : REGION_GTT;
}

uint64_t fdinfo_used(const struct fdinfo_region *one)
{
	if (one->has & 1u << FDINFO_RESIDENT)
		return one->bytes[FDINFO_RESIDENT];
	if (one->has & 1u << FDINFO_MEMORY)
		return one->bytes[FDINFO_MEMORY];
	return one->bytes[FDINFO_TOTAL];
}

void fdinfo_sums(const struct fdinfo *info, uint64_t sums[REGION_CLASSES])
{
	memset(sums, 0, REGION_CLASSES * sizeof(*sums));
	for (unsigned int i = 0; i < info->nr_regions; i++) {
		uint64_t *sum = &sums[fdinfo_class(info->regions[i].name)];

		*sum = add_saturated(*sum, fdinfo_used(&info->regions[i]));
	}
}
