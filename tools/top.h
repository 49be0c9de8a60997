/* SPDX-License-Identifier: MIT */
/* The screen of `pddgpu top` and `pddgpu replay` */
#ifndef PDDGPU_TOOLS_TOP_H
#define PDDGPU_TOOLS_TOP_H

#include "rows.h"

/** struct top_source - where samples come from */
struct top_source {
	void *context;
	/*
	 * The next sample. 1; 0 there are no more; or a negative errno, after which the
	 * screen ends.
	 */
	int (*next)(void *context, const struct sample **out);
	/** @gap: ms from the last sample to the next one, of a recording; NULL: live */
	uint64_t (*gap)(void *context);
	/** @title: "pddgpu top" */
	const char *title;
};

/* How things look; pairs of colours where there are any */
enum look {
	LOOK_PLAIN,
	LOOK_OWNER,		/* and the next: processes in bars, in reverse */
	LOOK_OWNER_LAST = LOOK_OWNER + 5,
	LOOK_OTHERS, LOOK_ORPHAN, LOOK_ZOMBIE, LOOK_KERNEL,
	LOOK_GOOD, LOOK_WARN, LOOK_BAD, LOOK_DIM, LOOK_TITLE, LOOK_HEAD, LOOK_SELECTED,
	LOOK_KEY, LOOK_GRAPH, LOOK_BUSY,
	LOOKS
};

#define TOP_OWNERS (LOOK_OWNER_LAST - LOOK_OWNER + 1)

enum top_mode { TOP_LIST, TOP_HELP, TOP_FILTER, TOP_SORT };

struct top {
	const struct top_source *source;
	const struct sample *sample;
	struct history *history;
	struct rows rows;
	struct rows_view view;
	size_t card;			/* the place of view.device; SIZE_MAX: all */
	enum top_mode mode;
	bool paused, ended, details, quit;
	uint64_t delay_ms;		/* between samples */
	double speed;			/* of a recording */
	/* The line that is selected is found again by what it is. */
	size_t selected, offset, page;
	struct row kept;
	unsigned int menu, help_line;
	char filter_before[sizeof(((struct rows_view *)0)->filter)];
	/* Which process has which colour */
	struct { pid_t pid; bool set, used; } owners[TOP_OWNERS];
	int height, width;
};

/*
 * Shows samples until the user has had enough. An exit code: RC_ERROR with a message
 * when there is no terminal that can do it, or the source failed.
 */
int top_run(struct top *top);

/* Puts the lines together anew, with the same one selected; 0 or -ENOMEM. */
int top_rebuild(struct top *top);
void top_key(struct top *top, int key);

/* Drawing; all of it stays within the screen and within `width` columns. */
void put(int y, int x, int width, enum look look, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* The same, with its end in the last column */
void put_right(int y, int x, int width, enum look look, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
void fill(int y, int x, int width, enum look look, char with);
/* One character so many times; ascii is for terminals without UTF-8. */
void put_glyph(int y, int x, enum look look, const char *utf8, char ascii);
void top_colours(void);

void top_draw(struct top *top);
/* From line y on, at most `height` lines; how many it took */
int top_draw_cards(struct top *top, int y, int height);
int top_draw_graphs(struct top *top, int y, int height);
void top_draw_list(struct top *top, int y, int height);
/* How many lines all that there is to tell of the selected one takes */
int top_details_lines(const struct top *top);
void top_draw_details(struct top *top, int y, int height);
void top_draw_help(struct top *top);
int top_help_lines(void);
/* A line of a minute, from a value for each column; see history_point() */
void top_draw_line(const struct history *history, int y, int x, int width,
		   uint64_t first_tick, const uint64_t *points, enum look look);

#define SHORT_SIZE 12
/* "182.4M", at most 6 characters below 10000 T; into a buffer, which is returned */
const char *short_size(char *buffer, uint64_t bytes);
/* The same of a difference: "+1.2M", "-300K", "0" */
const char *short_growth(char *buffer, int64_t bytes);

#endif
