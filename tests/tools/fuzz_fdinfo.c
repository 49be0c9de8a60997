// SPDX-License-Identifier: MIT
/* Any text as an fdinfo file, and through the history twice */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct names *names = names_new();
	struct history *history = history_new();
	struct drmclient client = { .device = "dev", .driver = "drv" };
	const struct drmclient *const clients[] = { &client };
	struct sample_card card = { .device = "dev" };
	struct sample sample = { .cards = &card, .nr_cards = 1, .clients = clients,
				 .nr_clients = 1 };
	size_t half = size / 2;

	for (int i = 0; i < 2; i++) {
		if (!fdinfo_parse(&client.info, (const char *)data + (i ? half : 0), half, names))
			continue;
		sample.ms += 1000;
		client.read_ms = sample.ms;
		if (history_update(history, &sample))
			abort();
		if (!(history_client(history, 0)->busy >= 0 &&
		      history_client(history, 0)->busy <= 100))
			abort();
	}
	history_free(history);
	names_free(names);
	return 0;
}
