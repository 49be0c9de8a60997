// SPDX-License-Identifier: MIT
/* The table, part by part as it is measured, and the same as JSON at the end. */
#include "bench.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

struct row *report_row(struct report *r, const char *section, const char *name,
		       uint64_t size, const char *unit, struct summary sum)
{
	struct row *row;

	if (r->row_count == ROWS_MAX)
		die("too many rows");
	row = &r->rows[r->row_count++];
	snprintf(row->section, sizeof(row->section), "%s", section);
	snprintf(row->name, sizeof(row->name), "%s", name);
	snprintf(row->unit, sizeof(row->unit), "%s", unit);
	row->size = size;
	row->sum = sum;
	row->ratio = -1;
	return row;
}

void report_ratio(struct row *row, double ratio, const char *to)
{
	row->ratio = isnan(ratio) ? -1 : ratio;
	snprintf(row->to, sizeof(row->to), "%s", to);
}

void report_figure(struct report *r, const char *name, const char *unit,
		   double value, bool at_most, double limit)
{
	struct figure *f;

	if (r->figure_count == FIGURES_MAX)
		die("too many figures");
	f = &r->figures[r->figure_count++];
	snprintf(f->name, sizeof(f->name), "%s", name);
	snprintf(f->unit, sizeof(f->unit), "%s", unit);
	f->value = value;
	f->limit = limit;
	f->at_most = at_most;
}

static bool reached(const struct figure *f)
{
	/* What was not measured was not reached: no comparison with NaN holds */
	return f->at_most ? f->value <= f->limit : f->value >= f->limit;
}

static void size_text(char *text, size_t room, uint64_t size)
{
	if (!size)
		text[0] = '\0';
	else if (size % MIB(1) == 0)
		snprintf(text, room, "%lluM", (unsigned long long)(size >> 20));
	else if (size % KIB(1) == 0)
		snprintf(text, room, "%lluK", (unsigned long long)(size >> 10));
	else
		snprintf(text, room, "%llu", (unsigned long long)size);
}

/* Those that have not been shown yet */
void report_print_rows(struct report *r, const char *title)
{
	printf("\n%s\n", title);
	printf("  %-40s %7s %10s %10s %10s %-5s %7s\n", "", "size", "p10", "median",
	       "p90", "unit", "ratio");
	for (; r->printed < r->row_count; r->printed++) {
		const struct row *row = &r->rows[r->printed];
		char size[24];

		size_text(size, sizeof(size), row->size);
		printf("  %-40s %7s %10.1f %10.1f %10.1f %-5s", row->name, size,
		       row->sum.p10, row->sum.median, row->sum.p90, row->unit);
		if (row->ratio >= 0)
			printf(" %7.3f", row->ratio);
		else if (row->to[0])
			printf(" %7s", "");
		printf("%s%s\n", row->to[0] ? "  " : "", row->to);
	}
	fflush(stdout);
}

void report_print_figures(const struct report *r)
{
	printf("\nFigures to reach\n");
	for (size_t i = 0; i < r->figure_count; i++) {
		const struct figure *f = &r->figures[i];
		char value[32] = "not measured";

		if (!isnan(f->value))
			snprintf(value, sizeof(value), "%.3f", f->value);
		printf("  %-58s %12s %-5s at %s %g: %s\n", f->name, value, f->unit,
		       f->at_most ? "most" : "least", f->limit,
		       reached(f) ? "yes" : "no");
	}
	fflush(stdout);
}

static void json_string(FILE *f, const char *text)
{
	fputc('"', f);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(f, "\\%c", c);
		else if (c < 0x20)
			fprintf(f, "\\u%04x", c);
		else
			fputc(c, f);
	}
	fputc('"', f);
}

static void json_pair(FILE *f, const char *name, const char *text)
{
	fprintf(f, "\"%s\": ", name);
	json_string(f, text);
	fputs(", ", f);
}

static void json_number(FILE *f, const char *name, double value, const char *end)
{
	if (isnan(value))
		fprintf(f, "\"%s\": null%s", name, end);
	else
		fprintf(f, "\"%s\": %.6g%s", name, value, end);
}

static void json_row(FILE *f, const struct row *row, bool last)
{
	fputs("  {", f);
	json_pair(f, "section", row->section);
	json_pair(f, "name", row->name);
	json_pair(f, "unit", row->unit);
	fprintf(f, "\"size\": %llu, \"count\": %zu, ", (unsigned long long)row->size,
		row->sum.count);
	json_number(f, "p10", row->sum.p10, ", ");
	json_number(f, "median", row->sum.median, ", ");
	json_number(f, "p90", row->sum.p90, ", ");
	json_number(f, "p99", row->sum.p99, ", ");
	json_number(f, "max", row->sum.max, ", ");
	json_number(f, "ratio", row->ratio < 0 ? NAN : row->ratio, ", ");
	fputs("\"remark\": ", f);
	json_string(f, row->to);
	fputs(last ? "}\n" : "},\n", f);
}

static void json_figure(FILE *f, const struct figure *figure, bool last)
{
	fputs("  {", f);
	json_pair(f, "name", figure->name);
	json_pair(f, "unit", figure->unit);
	json_number(f, "value", figure->value, ", ");
	json_number(f, "limit", figure->limit, ", ");
	json_pair(f, "sense", figure->at_most ? "at most" : "at least");
	fprintf(f, "\"reached\": %s}%s\n", reached(figure) ? "true" : "false",
		last ? "" : ",");
}

void report_json(const struct report *r, const char *path)
{
	time_t now = time(NULL);
	struct utsname uts;
	char date[32];
	FILE *f = fopen(path, "w");

	if (!f)
		die("cannot write %s: %s", path, strerror(errno));
	uname(&uts);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
	fprintf(f, "{\n \"version\": 1,\n \"quick\": %s,\n ", r->quick ? "true" : "false");
	json_pair(f, "date", date);
	json_pair(f, "machine", r->about);
	json_pair(f, "kernel", uts.release);
	fprintf(f, "\"cpus\": %ld,\n \"rows\": [\n", sysconf(_SC_NPROCESSORS_ONLN));
	for (size_t i = 0; i < r->row_count; i++)
		json_row(f, &r->rows[i], i + 1 == r->row_count);
	fputs(" ],\n \"figures\": [\n", f);
	for (size_t i = 0; i < r->figure_count; i++)
		json_figure(f, &r->figures[i], i + 1 == r->figure_count);
	fputs(" ]\n}\n", f);
	if (fclose(f))
		die("cannot write %s: %s", path, strerror(errno));
}
