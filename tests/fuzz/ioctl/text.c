// SPDX-License-Identifier: MIT
/*
 * Programs as text: a call a line, which is its thread, its name and its
 * arguments. "repeat N" makes all but what thread 0 does first be done N times.
 * "==" alone ends a program; what follows is run at the same time by another
 * process. "#" begins a comment.
 */
#include "fuzz.h"

void fz_print(FILE *to, const struct fz_program *program)
{
	if (program->repeat > 1)
		fprintf(to, "repeat %u\n", program->repeat);
	for (uint32_t i = 0; i < program->count; i++) {
		const struct fz_call *call = &program->call[i];
		const struct fz_kind *kind = &fz_kinds[call->kind];

		fprintf(to, "%u %s", call->lane, kind->name);
		for (size_t arg = 0; kind->types[arg]; arg++)
			fprintf(to, call->arg[arg] < 10 ? " %llu" : " 0x%llx",
				(unsigned long long)call->arg[arg]);
		fputc('\n', to);
	}
}

/* A line; 0 or a negative errno */
static int parse_call(char *line, struct fz_call *call)
{
	char *rest, *word = strtok_r(line, " \t\n", &rest);
	const struct fz_kind *kind;
	int found;

	memset(call, 0, sizeof(*call));
	call->lane = (uint32_t)strtoul(word, NULL, 0) % FZ_LANES;
	word = strtok_r(NULL, " \t\n", &rest);
	found = word ? fz_kind_find(word) : -1;
	if (found < 0)
		return -EINVAL;
	call->kind = (uint32_t)found;
	kind = &fz_kinds[found];
	for (size_t arg = 0; kind->types[arg]; arg++) {
		char *end;

		word = strtok_r(NULL, " \t\n", &rest);
		if (!word)
			return -EINVAL;
		call->arg[arg] = strtoull(word, &end, 0);
		if (*end)
			return -EINVAL;
	}
	return strtok_r(NULL, " \t\n", &rest) ? -EINVAL : 0;
}

/* The programs of a file; their number or a negative errno, after saying why */
int fz_parse(const char *path, struct fz_program *programs, unsigned int max)
{
	FILE *from = fopen(path, "re");
	unsigned int count = 0, number = 0;
	char line[512];
	int rc = 0;

	if (!from)
		return -errno;
	memset(&programs[0], 0, sizeof(programs[0]));
	while (!rc && fgets(line, sizeof(line), from)) {
		char *text = line + strspn(line, " \t");
		struct fz_program *program = &programs[count];

		number++;
		if (*text == '#' || *text == '\n')
			continue;
		if (!strncmp(text, "==", 2)) {
			if (!program->count)
				continue;
			if (++count == max)
				break;
			memset(&programs[count], 0, sizeof(programs[0]));
		} else if (!strncmp(text, "repeat ", 7)) {
			program->repeat = (uint32_t)strtoul(text + 7, NULL, 0) % (FZ_REPEAT + 1);
		} else if (program->count == FZ_CALLS) {
			rc = -E2BIG;
		} else {
			rc = parse_call(text, &program->call[program->count++]);
		}
	}
	fclose(from);
	if (!rc && count < max && programs[count].count)
		count++;
	if (!rc && !count)
		rc = -ENODATA;
	if (rc)
		fprintf(stderr, "%s:%u: no program: %s\n", path, number, strerror(-rc));
	return rc ? rc : (int)count;
}
