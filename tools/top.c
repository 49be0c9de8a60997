// SPDX-License-Identifier: MIT
/* What top does with keys and with time; how the curses is shared out */
#include <errno.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "live.h"
#include "out.h"
#include "top.h"

#define DELAY_MIN_MS 100
#define DELAY_MAX_MS 60000
#define SPEED_MAX 1024.0

static volatile sig_atomic_t stop_signal;

static void stop(int number)
{
	stop_signal = number;
}

static bool same(const struct row *a, const struct row *b)
{
	return a->pid == b->pid && a->device == b->device && a->child == b->child &&
	       (a->kind == ROW_PROCESS ? b->kind != ROW_EXITED :
		a->kind == b->kind && a->id == b->id);
}

int top_rebuild(struct top *top)
{
	const struct sample *sample = top->sample;
	int error;

	top->card = SIZE_MAX;
	for (size_t i = 0; i < sample->nr_cards && top->view.device; i++)
		if (sample->cards[i].device == top->view.device)
			top->card = i;
	error = rows_build(&top->rows, &top->view, sample, top->history);
	if (error)
		return error;
	for (size_t i = 0; i < top->rows.count && top->selected; i++) {
		if (same(&top->kept, &top->rows.row[i])) {
			top->selected = i;
			break;
		}
	}
	if (top->selected >= top->rows.count)
		top->selected = top->rows.count ? top->rows.count - 1 : 0;
	if (top->rows.count)
		top->kept = top->rows.row[top->selected];
	return 0;
}

static void select_row(struct top *top, size_t row)
{
	if (row >= top->rows.count)
		row = top->rows.count ? top->rows.count - 1 : 0;
	top->selected = row;
	if (top->rows.count)
		top->kept = top->rows.row[row];
}

static void set_sort(struct top *top, enum rows_sort sort)
{
	top->view.reverse = top->view.sort == sort && !top->view.reverse;
	top->view.sort = sort;
	select_row(top, 0);
}

static void change_pace(struct top *top, bool faster)
{
	if (top->source->gap) {
		top->speed = faster ? top->speed * 2 : top->speed / 2;
		if (top->speed > SPEED_MAX)
			top->speed = SPEED_MAX;
		if (top->speed < 1 / SPEED_MAX)
			top->speed = 1 / SPEED_MAX;
		return;
	}
	top->delay_ms = faster ? top->delay_ms / 2 : top->delay_ms * 2;
	if (top->delay_ms < DELAY_MIN_MS)
		top->delay_ms = DELAY_MIN_MS;
	if (top->delay_ms > DELAY_MAX_MS)
		top->delay_ms = DELAY_MAX_MS;
}

static void key_filter(struct top *top, int key)
{
	char *filter = top->view.filter;
	size_t length = strlen(filter);

	switch (key) {
	case '\n':
	case KEY_ENTER:
		top->mode = TOP_LIST;
		break;
	case 27:
		memcpy(filter, top->filter_before, sizeof(top->filter_before));
		top->mode = TOP_LIST;
		break;
	case KEY_BACKSPACE:
	case 127:
	case 8:
		/* All bytes of a character */
		while (length && (filter[length - 1] & 0xc0) == 0x80)
			filter[--length] = '\0';
		if (length)
			filter[length - 1] = '\0';
		break;
	case 21:	/* Ctrl-U */
		*filter = '\0';
		break;
	default:
		if (key < ' ' || key > 255 || length + 1 >= sizeof(top->view.filter))
			break;
		filter[length] = (char)key;
		filter[length + 1] = '\0';
		break;
	}
}

static void key_sort(struct top *top, int key)
{
	switch (key) {
	case KEY_UP:
	case 'k':
		top->menu = (top->menu + SORTS - 1) % SORTS;
		break;
	case KEY_DOWN:
	case 'j':
		top->menu = (top->menu + 1) % SORTS;
		break;
	case '\n':
	case KEY_ENTER:
		if (top->view.sort != (enum rows_sort)top->menu)
			set_sort(top, top->menu);
		top->mode = TOP_LIST;
		break;
	case 27:
	case 'q':
	case KEY_F(6):
		top->mode = TOP_LIST;
		break;
	default:
		break;
	}
}

static void key_help(struct top *top, int key)
{
	unsigned int lines = (unsigned int)top_help_lines();

	if (key == KEY_DOWN && top->help_line + 1 < lines)
		top->help_line++;
	else if (key == KEY_UP && top->help_line)
		top->help_line--;
	else if (key != KEY_DOWN && key != KEY_UP && key != KEY_RESIZE)
		top->mode = TOP_LIST;
}

static bool key_move(struct top *top, int key)
{
	switch (key) {
	case KEY_UP:
	case 'k':
		select_row(top, top->selected ? top->selected - 1 : 0);
		return true;
	case KEY_DOWN:
	case 'j':
		select_row(top, top->selected + 1);
		return true;
	case KEY_PPAGE:
		select_row(top, top->selected > top->page ? top->selected - top->page : 0);
		return true;
	case KEY_NPAGE:
		select_row(top, top->selected + top->page);
		return true;
	case KEY_HOME:
	case 'g':
		select_row(top, 0);
		return true;
	case KEY_END:
		select_row(top, SIZE_MAX);
		return true;
	default:
		return false;
	}
}

static bool key_sorts(struct top *top, int key)
{
	static const struct { int key; enum rows_sort sort; } keys[] = {
		{ 'V', SORT_VRAM }, { 'G', SORT_GTT }, { 'S', SORT_SYSTEM }, { 'M', SORT_SUM },
		{ 'R', SORT_GROWTH }, { 'B', SORT_BUSY }, { 'E', SORT_EVICTIONS },
		{ 'P', SORT_PID }, { 'U', SORT_USER }, { 'N', SORT_NAME },
	};

	for (unsigned int i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (keys[i].key == key) {
			set_sort(top, keys[i].sort);
			return true;
		}
	}
	return false;
}

static void next_card(struct top *top)
{
	size_t next = top->card == SIZE_MAX ? 0 : top->card + 1;

	if (next >= top->sample->nr_cards || top->sample->nr_cards < 2)
		top->view.device = NULL;
	else
		top->view.device = top->sample->cards[next].device;
}

static void key_list(struct top *top, int key)
{
	if (key_move(top, key) || key_sorts(top, key))
		return;
	switch (key) {
	case 'q':
	case KEY_F(10):
		top->quit = true;
		break;
	case 'h':
	case '?':
	case KEY_F(1):
		top->mode = TOP_HELP;
		top->help_line = 0;
		break;
	case '/':
	case '\\':
	case KEY_F(3):
	case KEY_F(4):
		top->mode = TOP_FILTER;
		memcpy(top->filter_before, top->view.filter, sizeof(top->filter_before));
		break;
	case 27:
		*top->view.filter = '\0';
		top->details = false;
		break;
	case 't':
	case KEY_F(5):
		top->view.group = (top->view.group + 1) % GROUPS;
		break;
	case '>':
	case 's':
	case KEY_F(6):
		top->mode = TOP_SORT;
		top->menu = top->view.sort;
		break;
	case 'I':
		top->view.reverse = !top->view.reverse;
		break;
	case 'o':
		top->view.no_exited = !top->view.no_exited;
		break;
	case 'p':
	case ' ':
		top->paused = !top->paused;
		break;
	case '+':
	case '=':
		change_pace(top, true);
		break;
	case '-':
		change_pace(top, false);
		break;
	case '\t':
		next_card(top);
		break;
	case '\n':
	case KEY_ENTER:
	case 'i':
		top->details = !top->details;
		break;
	case 12:	/* Ctrl-L */
		clearok(curscr, TRUE);
		break;
	default:
		break;
	}
}

void top_key(struct top *top, int key)
{
	switch (top->mode) {
	case TOP_FILTER:
		key_filter(top, key);
		break;
	case TOP_SORT:
		key_sort(top, key);
		break;
	case TOP_HELP:
		key_help(top, key);
		break;
	default:
		key_list(top, key);
		break;
	}
}

static int take_sample(struct top *top)
{
	int got = top->source->next(top->source->context, &top->sample);

	if (got < 0)
		return got;
	if (!got) {
		top->ended = true;
		return 0;
	}
	got = history_update(top->history, top->sample);
	return got ? got : top_rebuild(top);
}

/* Milliseconds until the next sample is due; less than 0: never by itself */
static int64_t wait_ms(const struct top *top, uint64_t last)
{
	uint64_t passed = live_now_ms() - last, whole = top->delay_ms;

	if (top->paused || top->ended)
		return -1;
	if (top->source->gap) {
		double gap = (double)top->source->gap(top->source->context) / top->speed;

		whole = gap > DELAY_MAX_MS ? DELAY_MAX_MS : (uint64_t)gap;
	}
	return passed >= whole ? 0 : (int64_t)(whole - passed);
}

static int loop(struct top *top)
{
	uint64_t last = live_now_ms();
	int error = take_sample(top);

	/* Rates need two; the second comes soon. */
	if (!top->source->gap && top->delay_ms > 500)
		last -= top->delay_ms - 500;
	/* Of a recording without samples there is nothing to be shown. */
	while (!error && top->sample && !top->quit && !stop_signal) {
		struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
		int64_t wait;
		int key;

		top_draw(top);
		wait = wait_ms(top, last);
		if (poll(&input, 1, (int)wait) < 0 && errno != EINTR)
			return -errno;
		while ((key = getch()) != ERR && !top->quit)
			top_key(top, key);
		/* The terminal has gone; one that was hung up can be read for ever, too. */
		if (input.revents & (POLLHUP | POLLERR | POLLNVAL))
			return 0;
		if (!wait_ms(top, last)) {
			last = live_now_ms();
			error = take_sample(top);
		} else {
			error = top_rebuild(top);
		}
	}
	return error;
}

int top_run(struct top *top)
{
	struct sigaction action = { .sa_handler = stop };
	const char *term = getenv("TERM");
	SCREEN *curses;
	int error = -ENOMEM;

	top->history = history_new();
	if (!top->history)
		goto out;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	curses = newterm(NULL, stdout, stdin);
	if (!curses) {
		history_free(top->history);
		out_say("%s: this terminal (TERM=%s) will not do; try --batch", "top",
			term ? term : "");
		return RC_ERROR;
	}
	top_colours();
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(25);
	curs_set(0);
	error = loop(top);
	endwin();
	delscreen(curses);
	rows_free(&top->rows);
	history_free(top->history);
out:
	if (!error)
		return RC_OK;
	out_say("%s", strerror(-error));
	return out_rc(error);
}
