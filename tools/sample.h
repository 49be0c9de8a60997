/* SPDX-License-Identifier: MIT */
/* All there is to be shown of one moment, be it of this machine now or of a recording. */
#ifndef PDDGPU_TOOLS_SAMPLE_H
#define PDDGPU_TOOLS_SAMPLE_H

#include "drmclient.h"

/** struct sample_ownership - whose a region's memory is; the four are `used` exactly */
struct sample_ownership {
	uint64_t used, live, orphan, zombie, kernel;
};

/** struct sample_card - a card of any driver */
struct sample_card {
	/** @device: as the clients' */
	const char *device;
	/** @driver: its name; NULL not known */
	const char *driver;
	/** @node: "card0"; empty: not known */
	char node[16];
	/** @total: bytes by class; 0 where nobody says */
	uint64_t total[REGION_CLASSES];
	/** @used: by the card itself where known is set, else what its clients have */
	uint64_t used[REGION_CLASSES];
	/** @known: the card says how much is used */
	bool known[REGION_CLASSES];
	/** @own: of a PDDGPU that tells it */
	bool owned;
	struct sample_ownership own[REGION_CLASSES];
	/** @leaks: buffers that are suspicious or worse; of a PDDGPU */
	uint64_t leaks;
	/** @wedged: it does nothing any more */
	bool wedged;
	/** @gone: it was there before, and is no more */
	bool gone;
};

/** struct sample_owner - who left memory on a PDDGPU behind, and is no client any more */
struct sample_owner {
	const char *device;
	uint64_t id;
	pid_t pid;
	char comm[COMM_BYTES + 1];
	/** @bytes: by class, whatever state they are in */
	uint64_t bytes[REGION_CLASSES];
	uint64_t objects;
};

struct sample {
	/** @ms: a clock that does not go back */
	uint64_t ms;
	/** @wall_ms: since 1970 */
	int64_t wall_ms;
	struct sample_card *cards;
	size_t nr_cards;
	const struct drmclient *const *clients;
	size_t nr_clients;
	struct sample_owner *owners;
	size_t nr_owners;
	/** @owners_known: this user may see who left memory behind, on all PDDGPU cards */
	bool owners_known;
	/** @owners_old: @owners is what was read for the sample before, but for who was found */
	bool owners_old;
	struct drmscan_totals totals;
};

#endif
