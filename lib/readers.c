// SPDX-License-Identifier: MIT
/* Who has memory, what has leaked, what is where. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct pddgpu_owners {
	struct pddi_table table;
};

struct pddgpu_leaks {
	struct pddi_table table;
};

/* Ends of lines that are kept, and how long one may be */
#define BLOCK_ENDS	8
#define BLOCK_END_MAX	128

/**
 * struct block_end - what a line has behind where its block is, which is the same in many
 */
struct block_end {
	/** @text: as it is in the line; empty: none */
	char text[BLOCK_END_MAX];
	/** @block: what that means */
	struct pddgpu_block block;
};

struct pddgpu_blocks {
	struct pddi_table table;
	/** @first: lines begin with where the block is, as columns may have any order */
	bool first;
	/** @ends: by their first letter, that of the state: free ones are between others */
	struct block_end ends[BLOCK_ENDS];
};

/* What an older driver does not tell is zero. */
static int field_number(char *const *field, unsigned int i, uint64_t *value)
{
	*value = 0;
	return field[i] && pddi_number(field[i], UINT64_MAX, value) ? -EPROTO : 0;
}

static int field_pid(char *const *field, unsigned int i, int32_t *pid)
{
	return field[i] && pddi_pid(field[i], pid) ? -EPROTO : 0;
}

static void field_text(char *const *field, unsigned int i, char *text, size_t room)
{
	if (field[i])
		pddi_unescape(field[i], text, room);
}

enum {
	OWNER_CLIENT,
	OWNER_PID,
	OWNER_COMM,
	OWNER_BYTES,
	OWNER_OBJECTS = OWNER_BYTES + PDDGPU_REGIONS * PDDGPU_STATES_OWNED,
	OWNER_COLUMNS = OWNER_OBJECTS + PDDGPU_STATES_OWNED
};

static const struct pddi_column owner_columns[OWNER_COLUMNS] = {
	[OWNER_CLIENT] = { "client", true },
	[OWNER_PID] = { "pid", true },
	[OWNER_COMM] = { "comm", true },
	/* In the order of struct pddgpu_owner */
	[OWNER_BYTES] = { "vram_live", false }, { "vram_orphan", false },
	{ "vram_zombie", false }, { "gtt_live", false }, { "gtt_orphan", false },
	{ "gtt_zombie", false }, { "cpu_live", false }, { "cpu_orphan", false },
	{ "cpu_zombie", false },
	[OWNER_OBJECTS] = { "live", false }, { "orphan", false }, { "zombie", false },
};

int pddgpu_owners_open(struct pddgpu_device *dev, struct pddgpu_owners **out)
{
	struct pddgpu_owners *reader = malloc(sizeof(*reader));
	int ret;

	if (!reader)
		return -ENOMEM;
	ret = pddi_table_open(dev, "owners", owner_columns, OWNER_COLUMNS, &reader->table);
	if (ret)
		free(reader);
	else
		*out = reader;
	return ret;
}

int pddgpu_owners_next(struct pddgpu_owners *owners, struct pddgpu_owner *out)
{
	char *const *field = owners->table.field;
	int region, state, ret = pddi_table_next(&owners->table);
	struct pddgpu_owner owner = { 0 };

	if (ret <= 0)
		return ret;
	if (field_number(field, OWNER_CLIENT, &owner.client_id) ||
	    field_pid(field, OWNER_PID, &owner.pid))
		return -EPROTO;
	field_text(field, OWNER_COMM, owner.comm, sizeof(owner.comm));
	for (region = 0; region < PDDGPU_REGIONS; region++)
		for (state = 0; state < PDDGPU_STATES_OWNED; state++)
			if (field_number(field, (unsigned int)(OWNER_BYTES +
					 region * PDDGPU_STATES_OWNED + state),
					 &owner.bytes[region][state]))
				return -EPROTO;
	for (state = 0; state < PDDGPU_STATES_OWNED; state++)
		if (field_number(field, (unsigned int)(OWNER_OBJECTS + state),
				 &owner.objects[state]))
			return -EPROTO;
	*out = owner;
	return 1;
}

void pddgpu_owners_close(struct pddgpu_owners *owners)
{
	if (!owners)
		return;
	pddi_table_close(&owners->table);
	free(owners);
}

enum {
	LEAK_AGE,
	LEAK_SIZE,
	LEAK_DOMAIN,
	LEAK_STATE,
	LEAK_PID,
	LEAK_COMM,
	LEAK_LABEL,
	LEAK_STACK,
	LEAK_COLUMNS
};

static const struct pddi_column leak_columns[LEAK_COLUMNS] = {
	[LEAK_AGE] = { "age_ms", true },
	[LEAK_SIZE] = { "size", true },
	[LEAK_DOMAIN] = { "domain", false },
	[LEAK_STATE] = { "state", true },
	[LEAK_PID] = { "pid", false },
	[LEAK_COMM] = { "comm", false },
	[LEAK_LABEL] = { "label", false },
	[LEAK_STACK] = { "stack", false },
};

int pddgpu_leaks_open(struct pddgpu_device *dev, struct pddgpu_leaks **out)
{
	struct pddgpu_leaks *reader = malloc(sizeof(*reader));
	int ret;

	if (!reader)
		return -ENOMEM;
	ret = pddi_table_open(dev, "leak_objects", leak_columns, LEAK_COLUMNS, &reader->table);
	if (ret)
		free(reader);
	else
		*out = reader;
	return ret;
}

int pddgpu_leaks_next(struct pddgpu_leaks *leaks, struct pddgpu_leak *out)
{
	char *const *field = leaks->table.field;
	int ret = pddi_table_next(&leaks->table);
	struct pddgpu_leak leak = { .stack = "" };
	size_t length;
	char *rest;

	if (ret <= 0)
		return ret;
	if (field_number(field, LEAK_AGE, &leak.age_ms) ||
	    field_number(field, LEAK_SIZE, &leak.size) ||
	    field_pid(field, LEAK_PID, &leak.pid))
		return -EPROTO;
	/* Such as LIVE,confirmed */
	length = strcspn(field[LEAK_STATE], ",");
	leak.state = pddi_state(field[LEAK_STATE], length);
	leak.confirmed = !strcmp(field[LEAK_STATE] + length, ",confirmed");
	if (field[LEAK_DOMAIN])
		leak.domain = pddi_domain(field[LEAK_DOMAIN]);
	field_text(field, LEAK_COMM, leak.comm, sizeof(leak.comm));
	field_text(field, LEAK_LABEL, leak.label, sizeof(leak.label));
	if (field[LEAK_STACK]) {
		/* The rest of the line is told by pddgpu_objects_next(), and better */
		rest = strstr(field[LEAK_STACK], " | ");
		if (rest)
			*rest = '\0';
		if (strcmp(field[LEAK_STACK], "-"))
			leak.stack = field[LEAK_STACK];
	}
	*out = leak;
	return 1;
}

void pddgpu_leaks_close(struct pddgpu_leaks *leaks)
{
	if (!leaks)
		return;
	pddi_table_close(&leaks->table);
	free(leaks);
}

enum {
	BLOCK_OFFSET,
	BLOCK_SIZE,
	BLOCK_STATE,
	BLOCK_CLIENT,
	BLOCK_PID,
	BLOCK_COMM,
	BLOCK_COLUMNS
};

static const struct pddi_column block_columns[BLOCK_COLUMNS] = {
	[BLOCK_OFFSET] = { "offset", true },
	[BLOCK_SIZE] = { "size", true },
	[BLOCK_STATE] = { "state", true },
	[BLOCK_CLIENT] = { "client", false },
	[BLOCK_PID] = { "pid", false },
	[BLOCK_COMM] = { "comm", false },
};

int pddgpu_blocks_open(struct pddgpu_device *dev, uint32_t domain, struct pddgpu_blocks **out)
{
	struct pddgpu_blocks *reader;
	int ret;

	if (domain != PDDGPU_GEM_DOMAIN_VRAM && domain != PDDGPU_GEM_DOMAIN_GTT)
		return -EINVAL;
	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	ret = pddi_table_open(dev, domain == PDDGPU_GEM_DOMAIN_VRAM ? "vram_blocks" : "gtt_blocks",
			      block_columns, BLOCK_COLUMNS, &reader->table);
	if (ret) {
		free(reader);
		return ret;
	}
	reader->first = reader->table.columns > 2 && reader->table.map[0] == BLOCK_OFFSET &&
			reader->table.map[1] == BLOCK_SIZE;
	*out = reader;
	return 0;
}

/* Splits a line up to where an end is that may be known: that one, or where to keep it */
static struct block_end *block_end(struct pddgpu_blocks *blocks, bool *known)
{
	struct pddi_table *table = &blocks->table;
	struct block_end *end;
	size_t length;

	*known = false;
	if (!blocks->first)
		return NULL;
	pddi_table_split(table, 2);
	end = &blocks->ends[(unsigned char)*table->line % BLOCK_ENDS];
	if (*end->text && !strcmp(end->text, table->line)) {
		*known = true;
		return end;
	}
	length = strlen(table->line);
	if (length >= sizeof(end->text))
		return NULL;
	memcpy(end->text, table->line, length + 1);
	return end;
}

/* The rest of a line whose beginning has been understood */
static int read_end(struct pddi_table *table, struct pddgpu_block *block)
{
	char *const *field = table->field;

	if (pddi_table_split(table, PDDI_COLUMNS_MAX) < 0 ||
	    field_number(field, BLOCK_CLIENT, &block->client_id) ||
	    field_pid(field, BLOCK_PID, &block->pid))
		return -EPROTO;
	block->state = pddi_state(field[BLOCK_STATE], strlen(field[BLOCK_STATE]));
	field_text(field, BLOCK_COMM, block->comm, sizeof(block->comm));
	return 0;
}

int pddgpu_blocks_next(struct pddgpu_blocks *blocks, struct pddgpu_block *out)
{
	char *const *field = blocks->table.field;
	int ret = pddi_table_line(&blocks->table);
	struct pddgpu_block block = { 0 };
	struct block_end *end;
	bool known;

	if (ret <= 0)
		return ret;
	end = block_end(blocks, &known);
	if (known) {
		block = end->block;
	} else if (read_end(&blocks->table, &block)) {
		if (end)
			*end->text = '\0';
		return -EPROTO;
	} else if (end) {
		end->block = block;
	}
	if (field_number(field, BLOCK_OFFSET, &block.offset) ||
	    field_number(field, BLOCK_SIZE, &block.size))
		return -EPROTO;
	*out = block;
	return 1;
}

void pddgpu_blocks_close(struct pddgpu_blocks *blocks)
{
	if (!blocks)
		return;
	pddi_table_close(&blocks->table);
	free(blocks);
}
