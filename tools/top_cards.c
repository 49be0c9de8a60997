// SPDX-License-Identifier: MIT
/* The upper part of the screen: bars of who has memory, and what was in the last minute */
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "top.h"

#define BAR_LABEL 5
#define BAR_FIGURES 20
#define BAR_PERCENT 18	/* columns for figures with per cent */
#define BAR_LEAST 8	/* columns, without which there are only the figures */
#define GRAPH_LABEL 6

/* Who has how much of a card's memory, of one class */
struct share {
	pid_t pid;
	const char *comm;
	uint64_t bytes;
};

struct part {
	char name[24];
	uint64_t bytes;
	enum look look;
	char letter;	/* where there are no colours */
};

static const char letters[TOP_OWNERS] = { '#', '=', '%', '+', 'o', '&' };

static int by_pid(const void *a, const void *b)
{
	const struct share *one = a, *other = b;

	return (one->pid > other->pid) - (one->pid < other->pid);
}

static int by_bytes(const void *a, const void *b)
{
	const struct share *one = a, *other = b;

	if (one->bytes != other->bytes)
		return one->bytes < other->bytes ? 1 : -1;
	return by_pid(a, b);
}

/* The processes that have most; how many, at most TOP_OWNERS. *sum: what all have */
static unsigned int largest(const struct top *top, const struct sample_card *card,
			    enum region_class class, struct share found[TOP_OWNERS],
			    uint64_t *sum)
{
	const struct sample *sample = top->sample;
	struct share *shares = calloc(sample->nr_clients + 1, sizeof(*shares));
	size_t count = 0, merged = 0;

	*sum = 0;
	if (!shares)
		return 0;
	for (size_t i = 0; i < sample->nr_clients; i++) {
		const struct drmclient *client = sample->clients[i];
		uint64_t bytes = history_client(top->history, i)->used[class];

		if (client->device != card->device || !bytes)
			continue;
		*sum = add_saturated(*sum, bytes);
		shares[count++] = (struct share){ client->pid, client->comm, bytes };
	}
	qsort(shares, count, sizeof(*shares), by_pid);
	for (size_t i = 0; i < count; i++) {
		if (merged && shares[merged - 1].pid == shares[i].pid)
			shares[merged - 1].bytes = add_saturated(shares[merged - 1].bytes,
								 shares[i].bytes);
		else
			shares[merged++] = shares[i];
	}
	qsort(shares, merged, sizeof(*shares), by_bytes);
	if (merged > TOP_OWNERS)
		merged = TOP_OWNERS;
	memcpy(found, shares, merged * sizeof(*found));
	free(shares);
	return (unsigned int)merged;
}

/* A process keeps its colour as long as it is one of the largest anywhere. */
static unsigned int owner_colour(struct top *top, pid_t pid)
{
	unsigned int free_one = TOP_OWNERS;

	for (unsigned int i = 0; i < TOP_OWNERS; i++) {
		if (top->owners[i].set && top->owners[i].pid == pid) {
			top->owners[i].used = true;
			return i;
		}
		if (!top->owners[i].set && free_one == TOP_OWNERS)
			free_one = i;
	}
	if (free_one < TOP_OWNERS) {
		top->owners[free_one].set = true;
		top->owners[free_one].used = true;
		top->owners[free_one].pid = pid;
	}
	return free_one;
}

static void add_part(struct part *parts, unsigned int *count, uint64_t bytes, enum look look,
		     char letter, const char *name)
{
	struct part *part = &parts[*count];

	if (!bytes)
		return;
	part->bytes = bytes;
	part->look = look;
	part->letter = letter;
	snprintf(part->name, sizeof(part->name), "%s", name);
	++*count;
}

/* What the bar is made of; whole: what it is all of */
static unsigned int parts_of(struct top *top, const struct sample_card *card,
			     enum region_class class, struct part *parts, uint64_t *whole)
{
	const struct sample_ownership *own = &card->own[class];
	struct share shares[TOP_OWNERS];
	unsigned int count = 0, owners;
	uint64_t sum, shown = 0, used = card->used[class];

	owners = largest(top, card, class, shares, &sum);
	for (unsigned int i = 0; i < owners; i++) {
		unsigned int colour = owner_colour(top, shares[i].pid);

		if (colour == TOP_OWNERS)
			continue;
		add_part(parts, &count, shares[i].bytes, LOOK_OWNER + colour, letters[colour],
			 shares[i].comm);
		shown += shares[i].bytes;
	}
	if (card->owned) {
		/* Who only shares a buffer counts it too: then there are no others. */
		add_part(parts, &count, own->live > shown ? own->live - shown : 0, LOOK_OTHERS,
			 ':', "others");
		add_part(parts, &count, own->orphan, LOOK_ORPHAN, 'X', "orphaned");
		add_part(parts, &count, own->zombie, LOOK_ZOMBIE, 'z', "zombie");
		add_part(parts, &count, own->kernel, LOOK_KERNEL, 'k', "kernel");
	} else {
		add_part(parts, &count, sum - shown, LOOK_OTHERS, ':', "others");
		add_part(parts, &count, used > sum ? used - sum : 0, LOOK_KERNEL, 'k', "other");
	}
	*whole = card->total[class];
	sum = 0;
	for (unsigned int i = 0; i < count; i++)
		sum = add_saturated(sum, parts[i].bytes);
	if (sum > *whole)
		*whole = sum;
	return count;
}

static void draw_part(const struct part *part, int y, int x, int width)
{
	if (screen.colour) {
		fill(y, x, width, part->look, ' ');
		put(y, x, width, part->look, "%s", part->name);
		return;
	}
	fill(y, x, width, part->look, part->letter);
	/* The end of a name that is cut is no name. */
	if ((int)strlen(part->name) + 1 < width)
		put(y, x, width - 1, part->look, "%s", part->name);
}

static void draw_bar(struct top *top, const struct sample_card *card, enum region_class class,
		     const char *label, int y)
{
	struct part parts[TOP_OWNERS + 4];
	char used[SHORT_SIZE], total[SHORT_SIZE];
	int width = top->width - BAR_LABEL - BAR_FIGURES - 2, figures = BAR_FIGURES, x = 0;
	uint64_t whole, before = 0;
	unsigned int count;

	put(y, 0, BAR_LABEL - 1, LOOK_TITLE, "%s", label);
	if (width < BAR_LEAST) {
		figures = top->width - BAR_LABEL;
		width = 0;
	}
	count = parts_of(top, card, class, parts, &whole);
	if (card->total[class] && figures < BAR_PERCENT)
		put_right(y, top->width - figures, figures, LOOK_PLAIN, "%s/%s",
			  short_size(used, card->used[class]),
			  short_size(total, card->total[class]));
	else if (card->total[class])
		put_right(y, top->width - figures, figures, LOOK_PLAIN, "%s/%s %5.1f%%",
			  short_size(used, card->used[class]),
			  short_size(total, card->total[class]),
			  (double)card->used[class] * 100 / (double)card->total[class]);
	else
		put_right(y, top->width - figures, figures, LOOK_PLAIN, "%s",
			  short_size(used, card->used[class]));
	if (!width)
		return;
	put(y, BAR_LABEL - 1, 1, LOOK_TITLE, "[");
	put(y, BAR_LABEL + width, 1, LOOK_TITLE, "]");
	for (unsigned int i = 0; i < count && whole; i++) {
		int end;

		before = add_saturated(before, parts[i].bytes);
		end = (int)((double)before / (double)whole * width + 0.5);
		/* What is there is to be seen. */
		if (end == x && x < width && parts[i].look != LOOK_KERNEL)
			end++;
		if (end > width)
			end = width;
		if (end > x)
			draw_part(&parts[i], y, BAR_LABEL + x, end - x);
		x = end > x ? end : x;
	}
}

static void draw_title(const struct top *top, const struct sample_card *card,
		       const struct history_card *past, int y)
{
	char text[512], growth[SHORT_SIZE];
	int length;

	length = snprintf(text, sizeof(text), "%s%s%s %s", card->node, *card->node ? " " : "",
			  card->driver ? card->driver : "?", card->device);
	put(y, 0, top->width, card->gone || card->wedged ? LOOK_BAD : LOOK_GOOD, "%s", text);
	if (card->gone || card->wedged) {
		put(y, length + 2, top->width - length - 2, LOOK_BAD, "%s",
		    card->gone ? "has gone" : "wedged: bind its driver anew");
		return;
	}
	if (card->leaks) {
		char leaks[64];

		snprintf(leaks, sizeof(leaks), "%llu suspicious", (unsigned long long)card->leaks);
		put(y, length + 2, top->width - length - 2, LOOK_BAD, "%s", leaks);
		length += 2 + (int)strlen(leaks);
	}
	put(y, length + 2, top->width - length - 2, LOOK_PLAIN, "%u client%s", past->clients,
	    past->clients == 1 ? "" : "s");
	length += 2 + snprintf(text, sizeof(text), "%u client%s", past->clients,
			       past->clients == 1 ? "" : "s");
	put(y, length + 2, top->width - length - 2, LOOK_PLAIN, "%s/min",
	    short_growth(growth, past->growth));
	length += 2 + (int)strlen(growth) + 4;
	for (unsigned int i = 0; i < past->nr_engines; i++) {
		snprintf(text, sizeof(text), "%s %.0f%%", past->engines[i].name,
			 (double)past->engines[i].percent);
		put(y, length + 2, top->width - length - 2, LOOK_BUSY, "%s", text);
		length += 2 + (int)strlen(text);
	}
}

static void draw_ownership(const struct top *top, const struct sample_card *card, int y)
{
	const struct sample_ownership *own = &card->own[REGION_VRAM];
	char text[5][SHORT_SIZE];

	put(y, 0, top->width, own->orphan || own->zombie ? LOOK_WARN : LOOK_DIM,
	    "VRAM %s = live %s + orphaned %s + zombie %s + kernel %s",
	    short_size(text[0], own->used), short_size(text[1], own->live),
	    short_size(text[2], own->orphan), short_size(text[3], own->zombie),
	    short_size(text[4], own->kernel));
}

static bool has_class(const struct sample_card *card, enum region_class class)
{
	return card->total[class] || card->used[class];
}

/* One card in at most `height` lines, 1 to 5; how many it took */
static int draw_card(struct top *top, size_t index, int y, int height)
{
	static const char * const labels[REGION_CLASSES] = { "VRAM", "GTT", "SYS" };
	const struct sample_card *card = &top->sample->cards[index];
	bool vram = has_class(card, REGION_VRAM), gtt = has_class(card, REGION_GTT);
	int lines = 0;

	if (height > 1 || card->gone || card->wedged)
		draw_title(top, card, history_card(top->history, index), y + lines++);
	if (card->gone)
		return lines;
	if (lines < height && vram)
		draw_bar(top, card, REGION_VRAM, labels[REGION_VRAM], y + lines++);
	if (lines < height && gtt)
		draw_bar(top, card, REGION_GTT, labels[REGION_GTT], y + lines++);
	if (lines < height && ((!vram && !gtt) || (!card->owned &&
						   has_class(card, REGION_SYSTEM))))
		draw_bar(top, card, REGION_SYSTEM, labels[REGION_SYSTEM], y + lines++);
	if (lines < height && card->owned && height > 3)
		draw_ownership(top, card, y + lines++);
	return lines;
}

int top_draw_cards(struct top *top, int y, int height)
{
	size_t count = top->card == SIZE_MAX ? top->sample->nr_cards : 1;
	size_t first = top->card == SIZE_MAX ? 0 : top->card;
	int lines = 0, each;

	for (unsigned int i = 0; i < TOP_OWNERS; i++)
		top->owners[i].used = false;
	if (!top->sample->nr_cards && height > 0) {
		put(y, 0, top->width, LOOK_WARN, "No DRM device");
		return 1;
	}
	each = count ? height / (int)count : height;
	if (each < 1)
		each = 1;
	if (each > 5)
		each = 5;
	for (size_t i = 0; i < count && lines < height; i++) {
		if (lines == height - 1 && i + 1 < count && height > 1) {
			put(y + lines++, 0, top->width, LOOK_DIM, "and %zu more cards: Tab",
			    count - i);
			break;
		}
		lines += draw_card(top, first + i, y + lines, each);
	}
	for (unsigned int i = 0; i < TOP_OWNERS; i++)
		top->owners[i].set = top->owners[i].used;
	return lines;
}

/* The largest value of a minute that belongs into a column of a graph */
static double in_column(const struct history *history, uint64_t first_tick, int column,
			int width, double (*value)(const void *, int point), const void *of,
			bool *any)
{
	int oldest = (width - column) * (HISTORY_POINTS - 1) / width;
	int newest = (width - column - 1) * (HISTORY_POINTS - 1) / width;
	double most = 0;

	*any = false;
	for (int age = newest; age <= oldest; age++) {
		int point = history_point(history, first_tick, (unsigned int)age);
		double here;

		/* Of two columns one ends where the next begins. */
		if (point < 0 || (age == oldest && oldest > newest))
			break;
		here = value(of, point);
		if (!*any || here > most)
			most = here;
		*any = true;
	}
	return most;
}

static double value_bytes(const void *of, int point)
{
	return (double)((const uint64_t *)of)[point];
}

static double value_busy(const void *of, int point)
{
	return (double)((const float *)of)[point];
}

/* Eighths of a cell: 0 to 8 of them */
static void draw_cell(int y, int x, enum look look, int eighths)
{
	static const char * const blocks[] = {
		" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"
	};
	static const char ascii[] = " ..::||##";

	if (eighths > 0)
		put_glyph(y, x, look, blocks[eighths > 8 ? 8 : eighths],
			  ascii[eighths > 8 ? 8 : eighths]);
}

static void draw_graph(const struct history *history, int y, int x, int width, int height,
		       uint64_t first_tick, double top, double (*value)(const void *, int),
		       const void *of, enum look look)
{
	for (int column = 0; column < width; column++) {
		bool any;
		double here = in_column(history, first_tick, column, width, value, of, &any);
		int eighths = top > 0 ? (int)(here / top * height * 8 + 0.5) : 0;

		if (any && here > 0 && !eighths)
			eighths = 1;
		for (int line = 0; line < height; line++, eighths -= 8)
			draw_cell(y + height - 1 - line, x + column, look, eighths);
	}
}

static double most_bytes(const struct history *history, uint64_t first_tick,
			 const uint64_t *points)
{
	double most = 0;
	int point;

	for (unsigned int age = 0; (point = history_point(history, first_tick, age)) >= 0; age++)
		if ((double)points[point] > most)
			most = (double)points[point];
	return most;
}

void top_draw_line(const struct history *history, int y, int x, int width,
		   uint64_t first_tick, const uint64_t *points, enum look look)
{
	if (width > 0)
		draw_graph(history, y, x, width, 1, first_tick,
			   most_bytes(history, first_tick, points), value_bytes, points, look);
}

/* The next power of two, so that the graph does not change its scale all the time */
static double scale(double most)
{
	double top = 4096;

	while (top < most)
		top *= 2;
	return top;
}

int top_draw_graphs(struct top *top, int y, int height)
{
	static const char * const labels[REGION_CLASSES] = { "VRAM", "GTT", "system memory" };
	size_t index = top->card == SIZE_MAX ? 0 : top->card;
	const struct history_card *past;
	const struct sample_card *card;
	enum region_class class;
	char text[SHORT_SIZE];
	int half = top->width / 2, width = half - GRAPH_LABEL - 1;
	double most;

	if (height < 3 || width < 20 || index >= top->sample->nr_cards)
		return 0;
	card = &top->sample->cards[index];
	past = history_card(top->history, index);
	class = has_class(card, REGION_VRAM) ? REGION_VRAM : has_class(card, REGION_GTT) ?
		REGION_GTT : REGION_SYSTEM;
	most = scale(most_bytes(top->history, past->first_tick, past->used[class]));
	if (card->total[class] && most > (double)card->total[class])
		most = (double)card->total[class];
	put(y, 0, half, LOOK_TITLE, "%s%s%s, 60 s", labels[class],
	    top->sample->nr_cards > 1 ? " of " : "", top->sample->nr_cards > 1 ?
	    *card->node ? card->node : card->device : "");
	put(y, half, half, LOOK_TITLE, "busiest engine, 60 s");
	height--;
	put_right(y + 1, 0, GRAPH_LABEL, LOOK_DIM, "%s", short_size(text, (uint64_t)most));
	put_right(y + height, 0, GRAPH_LABEL, LOOK_DIM, "0");
	put_right(y + 1, half, GRAPH_LABEL - 1, LOOK_DIM, "100%%");
	put_right(y + height, half, GRAPH_LABEL - 1, LOOK_DIM, "0%%");
	draw_graph(top->history, y + 1, GRAPH_LABEL + 1, width - 1, height, past->first_tick, most,
		   value_bytes, past->used[class], LOOK_GRAPH);
	draw_graph(top->history, y + 1, half + GRAPH_LABEL, top->width - half - GRAPH_LABEL,
		   height, past->first_tick, 100, value_busy, past->busies, LOOK_BUSY);
	return height + 1;
}
