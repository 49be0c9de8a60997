// SPDX-License-Identifier: MIT
/*
 * Runs a fuzz target over given inputs, without a fuzzer and with any compiler.
 *
 * usage: replay FILE|FOLDER... ; or, to make up inputs: replay --random N SEED
 *
 * It stops at the first that goes wrong, as the sanitizers or the target do, and
 * then has said which it was.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device_target.h"

#define INPUT_MAX	(1u << 20)
#define RANDOM_MAX	1024

static uint8_t input[INPUT_MAX];
static int runs;

/* Without a fuzzer nothing is mutated but what --random makes up. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max)
{
	(void)max;
	for (size_t i = 0; i < size; i++)
		if (rand() % 4 == 0)
			data[i] = rand();
	return size;
}

static int run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	size_t size;

	if (!file) {
		perror(path);
		return -1;
	}
	size = fread(input, 1, sizeof(input), file);
	fclose(file);
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(input, size);
	runs++;
	return 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int run_folder(const char *path)
{
	struct dirent **names;
	int count = scandir(path, &names, NULL, by_name), failed = 0;
	char name[1024];

	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.' && run_file(name))
			failed = -1;
		free(names[i]);
	}
	if (count >= 0)
		free(names);
	return count < 0 ? -1 : failed;
}

__attribute__((weak)) size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size,
						     size_t max, unsigned int seed)
{
	srand(seed);
	size = 1 + rand() % (max - 1);
	for (size_t i = 0; i < size; i++)
		data[i] = rand();
	return size;
}

static void run_random(int count, unsigned int seed)
{
	for (int i = 0; i < count; i++, runs++) {
		size_t size = 0;

		for (int k = 0; k < 40; k++)
			size = LLVMFuzzerCustomMutator(input, size, RANDOM_MAX,
						       seed + 1000u * i + k);
		LLVMFuzzerTestOneInput(input, size);
	}
}

int main(int argc, char **argv)
{
	struct stat st;
	int failed = 0;

	if (argc == 4 && !strcmp(argv[1], "--random"))
		run_random(atoi(argv[2]), atoi(argv[3]));
	else
		for (int i = 1; i < argc; i++)
			if (stat(argv[i], &st) ||
			    (S_ISDIR(st.st_mode) ? run_folder(argv[i]) :
						   run_file(argv[i])))
				failed = 1;
	if (!runs || failed) {
		fprintf(stderr, "replay: %d inputs run; some could not be read\n", runs);
		return 1;
	}
	printf("%d inputs\n", runs);
	return 0;
}
