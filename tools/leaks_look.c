// SPDX-License-Identifier: MIT
/*
 * pddgpu leaks --for and --watch: looks at cards for a while, or for ever, and says which
 * buffers are leaks.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "json.h"
#include "facts.h"
#include "leaks_modes.h"
#include "looks.h"
#include "out.h"
#include "text.h"
#include "told.h"
#include "looks_print.h"

/* A look may take as much of the time as this */
#define SHARE	4

struct looking {
	const struct leaks_wish *wish;
	struct looks looks;
	struct told told;
	sigset_t signals;
	bool picture;	/* on a terminal, drawn anew each time */
	int rc;
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- what is shown ---- */

static void show_json(struct looking *looking, const char *event)
{
	json_t *document = json_document("verdict"), *devices = out_need(json_array());
	struct timespec wall;
	unsigned int i;

	clock_gettime(CLOCK_REALTIME, &wall);
	json_put(document, "time_ms", json_integer((json_int_t)wall.tv_sec * 1000 +
						   wall.tv_nsec / 1000000));
	json_put(document, "event", json_string(event));
	for (i = 0; i < looking->looks.count; i++)
		json_add(devices, verdict_card_json(&looking->looks.cards[i],
						    looking->looks.sites, looking->wish->max));
	json_put(document, "devices", devices);
	json_print(document, looking->wish->watch);
}

static void show_all(FILE *to, const struct looking *looking)
{
	bool more = false;
	unsigned int i;

	for (i = 0; i < looking->looks.count; i++) {
		const struct looked *looked = &looking->looks.cards[i];

		if (looked->card.error || !looked->verdict)
			continue;
		if (more)
			putc('\n', to);
		more = true;
		verdict_print(to, looked, looking->looks.sites, looking->wish->max);
	}
}

/* As much of a line as fits, with all of its colours */
static void draw_line(char *line, unsigned int columns)
{
	while (*line) {
		size_t colour = *line == '\033' ? strcspn(line, "m") + 1 : 0;
		size_t length = strcspn(line + colour, "\033"), fit;
		char *end = line + colour + length, kept = *end;
		unsigned int width;

		*end = '\0';
		fit = text_fit(line + colour, columns);
		width = text_width(line + colour);
		columns -= width < columns ? width : columns;
		printf("%.*s", (int)(colour + fit), line);
		*end = kept;
		line = end;
	}
	fputs("\033[K\n", stdout);
}

/* As many lines as there is room for */
static void draw(const struct looking *looking)
{
	unsigned int rows = screen.rows, columns = screen.columns, i;
	char *text = NULL, *line, *rest;
	struct winsize size;
	size_t length;
	FILE *to;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col) {
		rows = size.ws_row;
		columns = size.ws_col;
	}
	to = out_need(open_memstream(&text, &length));
	show_all(to, looking);
	if (fclose(to))
		out_need(NULL);
	rest = text;
	fputs("\033[H", stdout);
	for (i = 0; i + 1 < rows && (line = strsep(&rest, "\n")); i++)
		draw_line(line, columns);
	fputs("\033[J", stdout);
	free(text);
}

/* Of one look, the first or another */
static void show(struct looking *looking, bool first)
{
	bool changed = told_change(&looking->told, &looking->looks, !looking->wish->as_json &&
				   !looking->picture && looking->wish->watch);

	if (!looking->wish->watch)
		return;
	if (looking->picture)
		draw(looking);
	else if (looking->wish->as_json && (first || changed))
		show_json(looking, first ? "first" : "change");
}

/* What there is to say when it ends */
static void sum_up(struct looking *looking)
{
	unsigned int i;
	bool leaks = false;

	if (looking->picture)
		fputs("\033[H\033[J", stdout);
	if (looking->wish->as_json)
		show_json(looking, "last");
	else
		show_all(stdout, looking);
	for (i = 0; i < looking->looks.count; i++)
		leaks |= looks_sum(&looking->looks.cards[i]).objects > 0;
	if (leaks)
		sites_say_how();
}

/* ---- the loop ---- */

static bool reached(const struct looking *looking)
{
	uint64_t bytes = 0, objects = 0;
	unsigned int i;

	for (i = 0; i < looking->looks.count; i++) {
		struct looks_sum sum = looks_sum(&looking->looks.cards[i]);

		bytes += sum.bytes;
		objects += sum.objects;
	}
	return looking->wish->limited && objects && bytes >= looking->wish->limit;
}

/* Seconds that writing may take once it is to end: a pipe may be full for ever */
#define PATIENCE 1

static volatile sig_atomic_t ended;
/* A file that cannot be written */
static int nowhere;

static void note_end(int number)
{
	(void)number;
	ended = 1;
	alarm(PATIENCE);
}

static void note_late(int number)
{
	(void)number;
	dup2(nowhere, STDOUT_FILENO);
}

/* Signals wait until nothing is half done, but not for what is written */
static void begin_writing(const struct looking *looking)
{
	if (ended)
		alarm(PATIENCE);
	sigprocmask(SIG_UNBLOCK, &looking->signals, NULL);
}

static bool end_writing(const struct looking *looking)
{
	bool written = out_flush();

	sigprocmask(SIG_BLOCK, &looking->signals, NULL);
	alarm(0);
	return written;
}

/* False when somebody wants it to end */
static bool rest(struct looking *looking, uint64_t ms)
{
	const struct timespec wait = {
		.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000,
	};

	looks_rest(&looking->looks);
	ended = ended || sigtimedwait(&looking->signals, NULL, &wait) >= 0;
	return !ended;
}

static void loop(struct looking *looking)
{
	const struct leaks_wish *wish = looking->wish;
	uint64_t begun = now_ms(), until = begun + wish->for_ms;
	bool forever = wish->watch && !wish->for_given;
	bool first = true, written = true;

	while (1) {
		uint64_t start = now_ms(), now, wait;

		looking->rc = looks_look(&looking->looks);
		/* That there is none at all is no card that may come back */
		if (!looks_any(&looking->looks) && (first || !wish->watch)) {
			if (wish->as_json)
				show_json(looking, "last");
			return;
		}
		begin_writing(looking);
		show(looking, first);
		written = end_writing(looking);
		first = false;
		now = now_ms();
		if (!written || (wish->watch && reached(looking)) || (!forever && now >= until))
			break;
		wait = start + wish->interval_ms;
		if (wait < now + (now - start) * (SHARE - 1))
			wait = now + (now - start) * (SHARE - 1);
		if (!forever && wait > until)
			wait = until;
		if (!rest(looking, wait > now ? wait - now : 0)) {
			looking->rc = looks_look(&looking->looks);
			break;
		}
	}
	if (written) {
		begin_writing(looking);
		sum_up(looking);
		end_writing(looking);
	}
	if (reached(looking))
		looking->rc = out_worse(looking->rc, RC_FOUND);
}

static void take_signals(sigset_t *signals)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = note_late };
	size_t i;

	nowhere = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigaction(SIGALRM, &action, NULL);
	sigemptyset(signals);
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (sigaction(ends[i], NULL, &action) || action.sa_handler == SIG_IGN)
			continue;
		sigaddset(signals, ends[i]);
		/* Without SA_RESTART */
		action = (struct sigaction){ .sa_handler = note_end };
		sigaction(ends[i], &action, NULL);
	}
}

int leaks_look(const struct args_command *command, const struct leaks_wish *wish)
{
	struct looking looking = {
		.wish = wish,
		.looks = {
			.device = wish->device, .pid = (uint32_t)wish->pid,
			.min_size = wish->min_size, .since = wish->since,
		},
	};
	const char *term = getenv("TERM");
	char text[OUT_SIZE_MAX];
	sigset_t before;

	if (wish->since && strcmp(wish->since, "now") && strcmp(wish->since, "boot") &&
	    !args_time(wish->since, &looking.looks.since_ms))
		return args_wrong(command, "--since: '%s' is neither a time nor now nor boot",
				  wish->since);
	looking.picture = wish->watch && !wish->as_json && screen.terminal && term &&
			  strcmp(term, "dumb") != 0;
	looking.looks.sites = sites_new();
	take_signals(&looking.signals);
	sigprocmask(SIG_BLOCK, &looking.signals, &before);
	if (!sees_all())
		out_say("leaks: these are your own processes' buffers; root sees all");
	if (!wish->watch && isatty(STDERR_FILENO))
		out_say("leaks: looking for %s", out_time(text, wish->for_ms));
	if (looking.picture)
		fputs("\033[H\033[J", stdout);
	loop(&looking);
	sigprocmask(SIG_SETMASK, &before, NULL);
	told_free(&looking.told);
	sites_free(looking.looks.sites);
	looks_free(&looking.looks);
	return looking.rc;
}
