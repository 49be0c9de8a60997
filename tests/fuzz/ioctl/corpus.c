// SPDX-License-Identifier: MIT
/* Programs that did something new, for all processes of a run */
#include "fuzz.h"

#include <dirent.h>
#include <unistd.h>

/* A process that was killed meanwhile leaves nothing half done that matters. */
static void lock(void)
{
	if (pthread_mutex_lock(&fz_shared->corpus_lock) == EOWNERDEAD)
		pthread_mutex_consistent(&fz_shared->corpus_lock);
}

static uint32_t put(const struct fz_program *program)
{
	uint32_t number = fz_shared->corpus_next++;
	uint32_t at = number % FZ_CORPUS;

	fz_shared->corpus[at] = *program;
	fz_shared->id[at] = number;
	if (fz_shared->corpus_count < FZ_CORPUS)
		fz_shared->corpus_count++;
	return number;
}

/* All programs of a folder, in order of their names; their number */
int fz_corpus_load(const char *dir)
{
	static struct fz_program programs[FZ_WORKERS];
	struct dirent **names;
	int n = scandir(dir, &names, NULL, alphasort), loaded = 0;
	char path[4096];

	for (int i = 0; i < n; i++) {
		int count;

		if (names[i]->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
			count = fz_parse(path, programs, FZ_WORKERS);
			for (int at = 0; at < count; at++, loaded++)
				put(&programs[at]);
		}
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return loaded;
}

/* Says it in one piece, since that is where it is kept. */
void fz_corpus_add(const struct fz_program *program, unsigned int features, uint64_t seed)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		return;
	lock();
	fprintf(to, "@corpus %u features=%u seed=%#llx\n", put(program), features,
		(unsigned long long)seed);
	fz_print(to, program);
	fprintf(to, "@end\n");
	fclose(to);
	for (size_t done = 0; done < size;) {
		ssize_t n = write(STDOUT_FILENO, text + done, size - done);

		if (n < 0 && errno != EINTR)
			break;
		done += n < 0 ? 0 : (size_t)n;
	}
	pthread_mutex_unlock(&fz_shared->corpus_lock);
	free(text);
}

bool fz_corpus_pick(uint64_t *random, struct fz_program *out, uint32_t *id)
{
	uint32_t count = fz_shared->corpus_count, at;

	if (!count)
		return false;
	/* Half the time what came in last */
	at = (uint32_t)((pdt_random(random) >> 16) % count);
	if (pdt_random(random) & 0x10000 && count > 16)
		at = (fz_shared->corpus_next - 1 - at % 16) % count;
	lock();
	*out = fz_shared->corpus[at];
	*id = fz_shared->id[at];
	pthread_mutex_unlock(&fz_shared->corpus_lock);
	return out->count;
}
