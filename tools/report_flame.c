// SPDX-License-Identifier: MIT
/*
 * The flame graph: process, the stack from the outside in, label; a tree in an array, in
 * which parents come before their children.
 */
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "report.h"

static uint32_t new_node(struct report_card *card, uint32_t parent, int kind, const char *name)
{
	struct report_node *node;

	if (card->node_count == PAGE_NODES) {
		card->nodes_more = true;
		return NOT_THERE;
	}
	if (!card->nodes)
		card->nodes = out_need(calloc(PAGE_NODES, sizeof(*card->nodes)));
	node = &card->nodes[card->node_count];
	node->kind = kind;
	node->parent = parent;
	node->name = out_need(strdup(name));
	return (uint32_t)card->node_count++;
}

static bool is_it(const struct report_node *node, uint32_t parent, int kind, const char *name)
{
	return node->parent == parent && (int)node->kind == kind && !strcmp(node->name, name);
}

/* The one that is there, or else *key is where it may go */
static uint32_t find(const struct report_card *card, uint32_t parent, int kind, const char *name,
		     uint64_t *key)
{
	uint32_t at;

	*key = index_hash(index_hash(INDEX_SEED, &parent, sizeof(parent)), &kind, sizeof(kind));
	*key = index_hash(*key, name, strlen(name));
	while ((at = index_find(&card->node_of, *key)) != NOT_THERE &&
	       !is_it(&card->nodes[at], parent, kind, name))
		++*key;
	return at;
}

static uint32_t child(struct report_card *card, uint32_t parent, int kind, const char *name)
{
	uint64_t key;
	uint32_t at = find(card, parent, kind, name, &key);

	if (at != NOT_THERE)
		return at;
	at = new_node(card, parent, kind, name);
	if (at != NOT_THERE)
		index_add(&card->node_of, key, at);
	return at;
}

/* Very many processes are together in one box, under which their places are told apart */
static bool is_named(struct report_card *card, const char *comm)
{
	uint64_t key;

	if (find(card, 0, NODE_PROCESS, comm, &key) != NOT_THERE)
		return card->node_count < NAMED_NODES;
	if (card->named == NAMED_PROCESSES || card->node_count >= NAMED_NODES)
		return false;
	card->named++;
	return true;
}

/* Where there is no room for more boxes it counts for those that there are */
static uint32_t count(struct report_card *card, const struct report_group *group, uint32_t parent,
		      int kind, const char *name)
{
	bool none = parent == NOT_THERE && kind != NODE_ROOT;
	uint32_t at = none ? NOT_THERE : child(card, parent, kind, name);
	struct report_node *node;

	if (at == NOT_THERE)
		return at;
	node = &card->nodes[at];
	node->bytes += group->bytes;
	node->leaked += group->leaked_bytes;
	node->objects += group->objects;
	return at;
}

void report_flame(struct report_card *card, const struct report_group *group)
{
	const struct report_site *site;
	uint32_t at;
	unsigned int i;

	count(card, group, NOT_THERE, NODE_ROOT, "");
	if (is_named(card, group->comm))
		at = count(card, group, 0, NODE_PROCESS, group->comm);
	else
		at = count(card, group, 0, NODE_OTHERS, "");
	if (group->site != NOT_THERE) {
		site = &card->sites[group->site];
		for (i = site->count; i-- > 0;)
			at = count(card, group, at,
				   site->frames[i].user ? NODE_USER : NODE_KERNEL,
				   site->frames[i].text);
	} else {
		at = count(card, group, at, NODE_UNKNOWN, "");
	}
	if (*group->label)
		count(card, group, at, NODE_LABEL, group->label);
}
