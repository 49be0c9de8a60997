// SPDX-License-Identifier: MIT
/* Any bytes as a recording, in all that replay does with it but for the screen */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "json.h"
#include "recording.h"
#include "sample_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rows_view view = { .group = GROUP_TREE };
	struct history *history;
	const struct sample *sample;
	struct player *player;
	struct rows rows = { 0 };
	const char *why;
	FILE *file;

	if (!size)
		return 0;
	file = fmemopen((void *)data, size, "r");
	if (!file || player_new(file, &player, &why))
		return 0;
	history = history_new();
	while (player_next(player, &sample) > 0) {
		if (history_update(history, sample) ||
		    rows_build(&rows, &view, sample, history))
			abort();
		json_decref(sample_json("fuzz", sample, history, &rows));
	}
	rows_free(&rows);
	history_free(history);
	player_free(player);
	return 0;
}
