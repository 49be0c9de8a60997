// SPDX-License-Identifier: MIT
/*
 * Says what happens to cards, until so many events have come: watch_events [COUNT].
 * Needs no rights.
 */
#include <pddgpu.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	static const char *const names[] = {
		[PDDGPU_EVENT_LEAK_ALERT] = "uses more memory than it should",
		[PDDGPU_EVENT_LEAK_CLEAR] = "no longer does",
		[PDDGPU_EVENT_WEDGED] = "could not be reset",
		[PDDGPU_EVENT_ADDED] = "has come",
		[PDDGPU_EVENT_REMOVED] = "has gone",
	};
	int left = argc > 1 ? atoi(argv[1]) : -1;
	struct pddgpu_events *events;
	struct pddgpu_event event;
	int ret = pddgpu_events_open(&events);

	if (!ret) {
		printf("waiting\n");
		fflush(stdout);
		while (left && (ret = pddgpu_events_next(events, &event, -1)) == 1) {
			if (event.type > PDDGPU_EVENT_REMOVED)
				continue;	/* of a newer library */
			printf("%s %s, %llu of %llu bytes\n", event.pci, names[event.type],
			       (unsigned long long)event.used_bytes,
			       (unsigned long long)event.threshold_bytes);
			fflush(stdout);
			left--;
		}
		pddgpu_events_close(events);
	}
	if (ret < 0)
		fprintf(stderr, "watch_events: %s\n", pddgpu_strerror(ret));
	return ret < 0 ? 1 : 0;
}
