// SPDX-License-Identifier: MIT
/*
 * Standard output: what kind it is, how things look there, and what to do when
 * it cannot be written.
 */
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "out.h"
#include "text.h"

struct out screen = { .columns = 80, .rows = 24 };
uint64_t out_unit;

static const char *const styles[OUT_STYLES] = {
	[OUT_PLAIN] = "",
	[OUT_BOLD] = "\033[1m",
	[OUT_DIM] = "\033[2m",
	[OUT_GOOD] = "\033[32m",
	[OUT_WARN] = "\033[33m",
	[OUT_BAD] = "\033[1;31m",
	[OUT_TITLE] = "\033[1m",
	[OUT_LIVE] = "\033[32m",
	[OUT_ORPHAN] = "\033[33m",
	[OUT_ZOMBIE] = "\033[31m",
	[OUT_KERNEL] = "\033[34m",
	[OUT_FREE] = "\033[2m",
};

static unsigned int number_from(const char *name)
{
	const char *text = getenv(name);
	long value = text ? strtol(text, NULL, 10) : 0;

	return value > 0 && value <= 10000 ? (unsigned int)value : 0;
}

/* As no-color.org and most programs have it */
static bool colour_wanted(enum out_colour when)
{
	const char *no = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (when != OUT_COLOUR_AUTO)
		return when == OUT_COLOUR_ALWAYS;
	if (no && *no)
		return false;
	return screen.terminal && term && *term && strcmp(term, "dumb");
}

/*
 * A file that is opened must not become stdout because that was closed. What is
 * printed then fails, as it should.
 */
static void keep_standard_files(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDONLY);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* As whoever started this had them */
static void (*pipe_before)(int), (*child_before)(int);

void out_program(void)
{
	keep_standard_files();
	/* A reader that has seen enough ends this quietly, whoever started it */
	pipe_before = signal(SIGPIPE, SIG_DFL);
	/* Where it is ignored nobody hears how a child has ended */
	child_before = signal(SIGCHLD, SIG_DFL);
}

void out_signals_back(void)
{
	signal(SIGPIPE, pipe_before == SIG_IGN ? SIG_IGN : SIG_DFL);
	signal(SIGCHLD, child_before == SIG_IGN ? SIG_IGN : SIG_DFL);
}

void out_begin(enum out_colour when)
{
	const char *term = getenv("TERM"), *truecolour = getenv("COLORTERM");
	struct winsize size;
	unsigned int wish;

	setlocale(LC_CTYPE, "");
	screen.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	screen.terminal = isatty(STDOUT_FILENO);
	screen.colour = colour_wanted(when);
	screen.colours256 = (term && strstr(term, "256color")) || (truecolour && *truecolour);

	if (screen.terminal && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size)) {
		if (size.ws_col)
			screen.columns = size.ws_col;
		if (size.ws_row)
			screen.rows = size.ws_row;
	}
	wish = number_from("COLUMNS");
	if (wish)
		screen.columns = wish;
	wish = number_from("LINES");
	if (wish)
		screen.rows = wish;
}

/* Why stdout could not be written the first time: stdio does not keep it */
static int write_error;

bool out_flush(void)
{
	errno = 0;
	if ((fflush(stdout) || ferror(stdout)) && !write_error)
		write_error = errno ? errno : EIO;
	return !write_error;
}

int out_end(int rc)
{
	int error;

	out_flush();
	error = write_error;
	errno = 0;
	/* Some file systems say only now that there was no room */
	if (fclose(stdout) && !error)
		error = errno;
	/* Whoever read it has seen enough */
	if (!error || error == EPIPE)
		return rc;
	out_say("cannot write the output: %s", strerror(error));
	return RC_ERROR;
}

const char *out_on(enum out_style style)
{
	return screen.colour ? styles[style] : "";
}

const char *out_off(void)
{
	return screen.colour ? "\033[0m" : "";
}

void out_say(const char *format, ...)
{
	char *raw, *shown;
	va_list list;
	int length;

	va_start(list, format);
	length = vasprintf(&raw, format, list);
	va_end(list);
	if (length < 0)
		return;
	out_flush();
	shown = text_printable(raw);
	fprintf(stderr, "pddgpu: %s\n", shown);
	free(shown);
	free(raw);
}

int out_rc(int error)
{
	switch (-error) {
	case 0:
		return RC_OK;
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return RC_NO_DEVICE;
	case EACCES:
	case EPERM:
		return RC_DENIED;
	default:
		return RC_ERROR;
	}
}

int out_rc_file(int error)
{
	return error == -EACCES || error == -EPERM ? RC_DENIED : RC_ERROR;
}

int out_worse(int a, int b)
{
	return a > b ? a : b;
}

const char *out_size(char *buffer, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	unsigned int unit = 0;
	uint64_t scale = 1;

	if (out_unit) {
		while (scale < out_unit) {
			scale <<= 10;
			unit++;
		}
	} else {
		while (unit < 6 && bytes >> 10 >= scale) {
			scale <<= 10;
			unit++;
		}
		/* 1023.96 KiB is 1.0 MiB */
		if (unit && unit < 6 && bytes % scale &&
		    (double)bytes / (double)scale >= 1023.95) {
			scale <<= 10;
			unit++;
		}
	}
	if (bytes % scale)
		snprintf(buffer, OUT_SIZE_MAX, "%.1f %s", (double)bytes / (double)scale,
			 units[unit]);
	else
		snprintf(buffer, OUT_SIZE_MAX, "%llu %s", (unsigned long long)(bytes / scale),
			 units[unit]);
	return buffer;
}

const char *out_time(char *buffer, uint64_t ms)
{
	unsigned long long s = ms / 1000;

	if (ms < 1000)
		snprintf(buffer, OUT_SIZE_MAX, "%llu ms", (unsigned long long)ms);
	else if (s < 60)
		snprintf(buffer, OUT_SIZE_MAX, "%llu.%llu s", s,
			 (unsigned long long)(ms / 100 % 10));
	else if (s < 3600)
		snprintf(buffer, OUT_SIZE_MAX, "%llu min %llu s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buffer, OUT_SIZE_MAX, "%llu h %llu min", s / 3600, s / 60 % 60);
	else
		snprintf(buffer, OUT_SIZE_MAX, "%llu d %llu h", s / 86400, s / 3600 % 24);
	return buffer;
}

const char *out_ns(char *buffer, uint64_t ns)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	double value = (double)ns;
	unsigned int unit = 0;

	while (unit < 3 && value >= 999.95) {
		value /= 1000;
		unit++;
	}
	snprintf(buffer, OUT_SIZE_MAX, "%.*f %s", unit && value < 99.95, value, units[unit]);
	return buffer;
}

static void bar_piece(const struct out_part *part, unsigned int cells)
{
	if (!cells)
		return;
	fputs(out_on(part->style), stdout);
	while (cells--) {
		if (screen.utf8 && screen.colour)
			fputs("\u2588", stdout);
		else
			putchar(part->letter);
	}
	fputs(out_off(), stdout);
}

void out_bar(unsigned int width, uint64_t whole, const struct out_part *parts,
	     unsigned int count)
{
	static const struct out_part rest = { .style = OUT_FREE, .letter = '.' };
	unsigned int i, done = 0;
	double at = 0;

	for (i = 0; i < count && whole; i++) {
		unsigned int end;

		at += (double)parts[i].size;
		end = (unsigned int)(at / (double)whole * width + 0.5);
		/* What is there is to be seen, as long as there is room */
		if (parts[i].size && end == done)
			end++;
		if (end > width)
			end = width;
		if (end < done)
			end = done;
		bar_piece(&parts[i], end - done);
		done = end;
	}
	fputs(out_on(rest.style), stdout);
	for (; done < width; done++)
		fputs(screen.utf8 ? "\u00b7" : ".", stdout);
	fputs(out_off(), stdout);
}

void *out_need(void *memory)
{
	if (memory)
		return memory;
	fputs("pddgpu: out of memory\n", stderr);
	exit(RC_ERROR);
}
