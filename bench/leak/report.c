// SPDX-License-Identifier: MIT
/* What came of all runs, as a table and as JSON. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "leak.h"

/**
 * struct total - of one policy over some runs
 */
struct total {
	struct score sum;
	size_t runs, steady, steady_alarms, leaky_alarms;
	/** @series: that count; found at all; within three periods and a minute */
	size_t series, found, in_time;
	double median;
	/** @share: of its own grace that the median one took */
	double share;
	/** @macro: mean over runs of precision and recall of those that have them */
	double macro_precision, macro_recall;
};

/* What runs are picked by; -1: all */
struct pick {
	int kind, leak_kind, stacks;
};

static double ratio(double part, double rest)
{
	return part + rest > 0 ? part / (part + rest) : (double)NAN;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* What was never found took longer than anything */
static double median(double *values, size_t count)
{
	if (!count)
		return NAN;
	qsort(values, count, sizeof(*values), by_value);
	return count % 2 ? values[count / 2] :
		(values[count / 2 - 1] + values[count / 2]) / 2;
}

static bool picked(const struct result *result, const struct pick *pick)
{
	return result->done && (pick->kind < 0 || pick->kind == result->kind) &&
		(pick->leak_kind < 0 ||
		 (result->leaky && pick->leak_kind == result->leak_kind)) &&
		(pick->stacks < 0 || pick->stacks == result->stacks);
}

static void add_score(struct total *total, const struct score *score)
{
	total->sum.hit += score->hit;
	total->sum.missed += score->missed;
	total->sum.wrong += score->wrong;
	total->sum.hits += score->hits;
	total->sum.misses += score->misses;
	total->sum.wrongs += score->wrongs;
}

static struct total total(const struct result *results, size_t count, const struct pick *pick,
			  unsigned int policy)
{
	double *took = need(malloc((count * SERIES_MAX + 1) * sizeof(*took)));
	double *shares = need(malloc((count * SERIES_MAX + 1) * sizeof(*shares)));
	double precisions = 0, recalls = 0;
	size_t precision_runs = 0, recall_runs = 0;
	struct total t = { 0 };

	for (size_t i = 0; i < count; i++) {
		const struct result *result = &results[i];
		const struct score *score = &result->score[policy];

		if (!picked(result, pick))
			continue;
		t.runs++;
		t.steady += !result->leaky;
		t.steady_alarms += !result->leaky && score->first_alarm_ns;
		t.leaky_alarms += result->leaky && score->first_alarm_ns;
		add_score(&t, score);
		if (score->hit + score->wrong > 0) {
			precisions += ratio(score->hit, score->wrong);
			precision_runs++;
		}
		if (score->hit + score->missed > 0) {
			recalls += ratio(score->hit, score->missed);
			recall_runs++;
		}
		for (unsigned int j = 0; j < SERIES_MAX; j++) {
			const struct series *series = &result->series[j];
			double grace = 3.0 * (double)series->period_ns / SEC + 60;

			if (!series->counts)
				continue;
			took[t.series] = series->took_ns[policy] == NEVER ? (double)INFINITY :
				(double)series->took_ns[policy] / SEC;
			t.found += isfinite(took[t.series]) != 0;
			t.in_time += took[t.series] <= grace;
			shares[t.series] = took[t.series] / grace;
			t.series++;
		}
	}
	t.median = median(took, t.series);
	t.share = median(shares, t.series);
	t.macro_precision = precision_runs ? precisions / (double)precision_runs : (double)NAN;
	t.macro_recall = recall_runs ? recalls / (double)recall_runs : (double)NAN;
	free(took);
	free(shares);
	return t;
}

/* A share with four digits, which is none where there is nothing to have a share in */
static const char *share(char text[16], double value)
{
	if (isnan(value))
		snprintf(text, 16, "-");
	else
		snprintf(text, 16, "%.4f", value);
	return text;
}

static const char *seconds(char text[16], double value)
{
	if (isnan(value))
		snprintf(text, 16, "-");
	else if (isinf(value))
		snprintf(text, 16, "never");
	else
		snprintf(text, 16, "%.0f s", value);
	return text;
}

static void head(const char *title)
{
	printf("\n%-24s %9s %9s   %9s %9s %9s %7s %8s %8s\n", title, "precision", "recall",
	       "all along", "", "median", "in time", "steady", "leaky");
	printf("%-24s %9s %9s   %9s %9s %9s %7s %8s %8s\n", "", "at the", "end", "precision",
	       "recall", "time", "", "alarms", "alarms");
}

static void row(const char *name, const struct total *t)
{
	char text[6][16];
	char in_time[16] = "-";

	if (t->series)
		snprintf(in_time, sizeof(in_time), "%.0f %%",
			 100.0 * (double)t->in_time / (double)t->series);
	printf("%-24s %9s %9s   %9s %9s %9s %7s %4zu/%-3zu %4zu/%-3zu\n", name,
	       share(text[0], ratio(t->sum.hit, t->sum.wrong)),
	       share(text[1], ratio(t->sum.hit, t->sum.missed)),
	       share(text[2], ratio(t->sum.hits, t->sum.wrongs)),
	       share(text[3], ratio(t->sum.hits, t->sum.misses)),
	       seconds(text[4], t->median), in_time, t->steady_alarms, t->steady,
	       t->leaky_alarms, t->runs - t->steady);
}

void report_print(const struct options *options, const struct result *results, size_t count)
{
	struct pick all = { -1, -1, -1 };
	struct total t = total(results, count, &all, 0);
	uint64_t strange = 0;
	double cpu = 0;

	for (size_t i = 0; i < count; i++) {
		cpu += results[i].seconds;
		strange += results[i].strange;
	}
	printf("%zu runs of %.0f min each, seeds %llu to %llu: ", t.runs,
	       (double)options->end_ns / MIN, (unsigned long long)options->from,
	       (unsigned long long)(options->from + options->count - 1));
	printf("%zu leaky ones with %zu leaks, %zu steady ones; %.0f s of CPU time\n",
	       t.runs - t.steady, t.series, t.steady, cpu);
	if (options->backend == &card_backend)
		printf("on a card, %llu times faster than real time; %s: %llu\n",
		       (unsigned long long)card_factor, "told otherwise than it was done",
		       (unsigned long long)strange);
	head("policy");
	for (unsigned int policy = 0; policy < POLICIES; policy++) {
		t = total(results, count, &all, policy);
		row(policy_names[policy], &t);
	}
	printf("\n%-24s %9s %9s\n", "mean of runs", "precision", "recall");
	for (unsigned int policy = 0; policy < POLICIES; policy++) {
		char text[2][16];

		t = total(results, count, &all, policy);
		printf("%-24s %9s %9s\n", policy_names[policy], share(text[0], t.macro_precision),
		       share(text[1], t.macro_recall));
	}
	head("verdict, by workload");
	for (unsigned int kind = 0; kind < kind_count; kind++) {
		struct pick pick = { (int)kind, -1, -1 };

		t = total(results, count, &pick, POLICIES - 1);
		if (t.runs)
			row(kinds[kind]->name, &t);
	}
	head("verdict, by leak");
	for (int leak = 0; leak < LEAK_KINDS; leak++) {
		struct pick pick = { -1, leak, -1 };

		t = total(results, count, &pick, POLICIES - 1);
		if (t.runs)
			row(leak_names[leak], &t);
	}
	head("verdict, call stacks");
	for (int stacks = 0; stacks < 2; stacks++) {
		struct pick pick = { -1, -1, stacks };

		t = total(results, count, &pick, POLICIES - 1);
		if (t.runs)
			row(stacks ? "recorded" : "not recorded", &t);
	}
}

static void json_number(FILE *f, const char *name, double value, const char *end)
{
	if (isfinite(value))
		fprintf(f, "\"%s\": %.6g%s", name, value, end);
	else
		fprintf(f, "\"%s\": null%s", name, end);
}

static void json_total(FILE *f, const struct total *t)
{
	fputc('{', f);
	json_number(f, "precision", ratio(t->sum.hit, t->sum.wrong), ", ");
	json_number(f, "recall", ratio(t->sum.hit, t->sum.missed), ", ");
	json_number(f, "precision_throughout", ratio(t->sum.hits, t->sum.wrongs), ", ");
	json_number(f, "recall_throughout", ratio(t->sum.hits, t->sum.misses), ", ");
	json_number(f, "precision_mean_of_runs", t->macro_precision, ", ");
	json_number(f, "recall_mean_of_runs", t->macro_recall, ", ");
	fprintf(f, "\"bytes_found\": %.0f, \"bytes_missed\": %.0f, \"bytes_wrong\": %.0f, ",
		t->sum.hit, t->sum.missed, t->sum.wrong);
	json_number(f, "median_seconds", t->median, ", ");
	json_number(f, "median_share_of_grace", t->share, ", ");
	fprintf(f, "\"leaks\": %zu, \"leaks_found\": %zu, \"leaks_in_time\": %zu, ",
		t->series, t->found, t->in_time);
	fprintf(f, "\"runs\": %zu, \"steady_runs\": %zu, \"steady_alarms\": %zu, ",
		t->runs, t->steady, t->steady_alarms);
	fprintf(f, "\"leaky_runs_with_wrong_alarm\": %zu}", t->leaky_alarms);
}

static void json_part(FILE *f, const struct result *results, size_t count,
		      const struct pick *pick, const char *name, bool last)
{
	fprintf(f, "    \"%s\": {\n", name);
	for (unsigned int policy = 0; policy < POLICIES; policy++) {
		struct total t = total(results, count, pick, policy);

		fprintf(f, "      \"%s\": ", policy_names[policy]);
		json_total(f, &t);
		fputs(policy < POLICIES - 1 ? ",\n" : "\n", f);
	}
	fprintf(f, "    }%s\n", last ? "" : ",");
}

static uint64_t lost(const struct result *result)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < SERIES_MAX; i++)
		sum += result->series[i].lost;
	return sum;
}

/* The leaks of a run that count, and when each policy found them */
static void json_series(FILE *f, const struct result *result)
{
	bool any = false;

	for (unsigned int i = 0; i < SERIES_MAX; i++) {
		const struct series *series = &result->series[i];

		if (!series->counts)
			continue;
		fprintf(f, "%s{\"leak\": \"%s\", \"lost\": %llu, \"bytes\": %llu, ",
			any ? ", " : "", leak_names[series->leak_kind],
			(unsigned long long)series->lost, (unsigned long long)series->bytes);
		json_number(f, "first", (double)series->first_ns / SEC, ", ");
		json_number(f, "period", (double)series->period_ns / SEC, ", \"took\": {");
		for (unsigned int policy = 0; policy < POLICIES; policy++)
			json_number(f, policy_names[policy],
				    series->took_ns[policy] == NEVER ? (double)INFINITY :
				    (double)series->took_ns[policy] / SEC,
				    policy < POLICIES - 1 ? ", " : "}}");
		any = true;
	}
}

static void json_run(FILE *f, const struct result *result)
{
	fprintf(f, "    {\"seed\": %llu, \"workload\": \"%s\", \"leak\": ",
		(unsigned long long)result->seed, kinds[result->kind]->name);
	fprintf(f, result->leaky ? "\"%s\"" : "null", leak_names[result->leak_kind]);
	fprintf(f, ", \"stacks\": %s, \"objects\": %u, \"looks\": %u, \"strange\": %llu, ",
		result->stacks ? "true" : "false", result->objects, result->looks,
		(unsigned long long)result->strange);
	fprintf(f, "\"lost\": %llu, \"seconds\": %.3f, \"leaks\": [",
		(unsigned long long)lost(result), result->seconds);
	json_series(f, result);
	fputs("], \"policies\": {", f);
	for (unsigned int policy = 0; policy < POLICIES; policy++) {
		const struct score *score = &result->score[policy];

		fprintf(f, "%s\"%s\": {\"bytes_found\": %.0f, \"bytes_missed\": %.0f, ",
			policy ? ", " : "", policy_names[policy], score->hit, score->missed);
		fprintf(f, "\"bytes_wrong\": %.0f, \"first_wrong_alarm\": ", score->wrong);
		if (score->first_alarm_ns)
			fprintf(f, "%.0f}", (double)score->first_alarm_ns / SEC);
		else
			fputs("null}", f);
	}
	fputs("}}", f);
}

int report_json(const struct options *options, const struct result *results, size_t count)
{
	struct pick pick = { -1, -1, -1 };
	FILE *f = fopen(options->json, "w");

	if (!f)
		return -errno;
	fprintf(f, "{\n  \"schema\": \"pddgpu.leak-bench/1\",\n  \"from\": %llu,\n",
		(unsigned long long)options->from);
	fprintf(f, "  \"runs\": %zu,\n  \"minutes\": %.0f,\n  \"totals\": {\n",
		count, (double)options->end_ns / MIN);
	json_part(f, results, count, &pick, "all", true);
	fputs("  },\n  \"by_workload\": {\n", f);
	for (unsigned int kind = 0; kind < kind_count; kind++) {
		pick.kind = (int)kind;
		json_part(f, results, count, &pick, kinds[kind]->name, kind == kind_count - 1);
	}
	pick.kind = -1;
	fputs("  },\n  \"by_leak\": {\n", f);
	for (int leak = 0; leak < LEAK_KINDS; leak++) {
		pick.leak_kind = leak;
		json_part(f, results, count, &pick, leak_names[leak], leak == LEAK_KINDS - 1);
	}
	fputs("  },\n  \"each\": [\n", f);
	for (size_t i = 0; i < count; i++) {
		json_run(f, &results[i]);
		fputs(i < count - 1 ? ",\n" : "\n", f);
	}
	fputs("  ]\n}\n", f);
	return fclose(f) ? -errno : 0;
}
