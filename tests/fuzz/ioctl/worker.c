// SPDX-License-Identifier: MIT
/* A process that runs programs: one thread for each of their lanes, all at once */
#include "fuzz.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Where nothing else is ever mapped: programs punch holes into it */
#define ZONE		((void *)0x200000000ULL)
#define ZONE_BYTES	(FZ_MAPS * FZ_MAP_BYTES)

/* Of a program of one thread only these are not repeated */
#define FIRST_CALLS	12
/* Repeating ends after so long: calls may wait */
#define REPEAT_NS	(400ULL * 1000000)

struct fz_shared *fz_shared;

static struct fz_state state;
static struct fz_lane lanes[FZ_LANES + 1];
static _Thread_local struct fz_lane *me;
static pthread_barrier_t start, set_up, end;
static const struct fz_worker *worker;
static struct fz_program *current;
static bool ending;
/* As fz_shared has it: nodes may have other names since */
static unsigned int bound;

/* The program of this process; or, in the one that watches, all that run */
static void print_programs(FILE *to)
{
	unsigned int printed = 0;

	for (unsigned int w = 0; w < FZ_WORKERS; w++) {
		const struct fz_program *program = &fz_shared->running[w];

		if (!program->count || (current && current != program))
			continue;
		fprintf(to, printed++ ? "==\n" : "@crash\n");
		fz_print(to, program);
	}
	if (printed)
		fprintf(to, "@end\n");
}

/* Says what is wrong, and with which programs, once a run. */
void fz_fail(const char *format, ...)
{
	char *text = NULL;
	size_t size = 0;
	va_list args;
	FILE *to;

	if (atomic_exchange(&fz_shared->failed, 1))
		return;
	fz_shared->stop = 1;
	to = open_memstream(&text, &size);
	if (!to)
		return;
	fprintf(to, "@fail ");
	va_start(args, format);
	vfprintf(to, format, args);
	va_end(args);
	fprintf(to, "\n");
	print_programs(to);
	fclose(to);
	if (write(STDOUT_FILENO, text, size) < 0)
		_exit(3);
	free(text);
}

static void on_fault(int number)
{
	if (me && me->armed)
		siglongjmp(me->jump, number);
	signal(number, SIG_DFL);
}

static void on_kick(int number)
{
	(void)number;
}

static void set_handlers(void)
{
	struct sigaction action = { .sa_handler = on_fault };

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	/* Calls that it interrupts are not made again */
	action.sa_handler = on_kick;
	sigaction(SIGUSR1, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static bool allowed(const struct fz_lane *lane, const struct fz_kind *kind, int err)
{
	if (!kind->errnos || lane->unstable || err == EINTR)
		return true;
	if (err == ENODEV && fz_shared->event >= FZ_ONES)
		return true;
	/* As debugfs' files go with the card, and come back */
	if (err == ENOENT && fz_shared->event)
		return true;
	if (err == EIO && fz_out_of_order())
		return true;
	for (const int *one = kind->errnos; *one; one++) {
		if (*one == err)
			return true;
	}
	return false;
}

/* What is new about the answer, where nothing tells more */
static void learn(struct fz_lane *lane, const struct fz_call *call, int rc)
{
	const char *types = fz_kinds[call->kind].types;
	uint64_t hash = (uint64_t)call->kind << 16 | (uint32_t)(rc < 0 ? -rc : 0);

	if (rc < 0 && rc >= -191)
		atomic_fetch_or(&fz_shared->errnos[call->kind][-rc / 64], 1ULL << -rc % 64);
	for (size_t i = 0; types[i]; i++) {
		if (types[i] == 'm')
			hash |= (call->arg[i] & 0xf) << 32;
		else if (types[i] == 'c')
			hash |= (call->arg[i] & 0xff) << 40;
		else if (types[i] == 'q' || types[i] == 'g' || types[i] == 'O')
			hash |= (call->arg[i] & 0x7) << 52;
	}
	if (fz_feature(hash ^ 0x7777ULL << 48))
		lane->features++;
}

static void make_call(struct fz_lane *lane, const struct fz_call *call)
{
	const struct fz_kind *kind = &fz_kinds[call->kind];
	struct fz_now *now = &fz_shared->now[state.worker][lane->index];
	struct fz_counts *counts = &fz_shared->counts[state.worker][call->kind];
	uint64_t began = fz_now_ns();
	int rc;

	lane->unstable = false;
	now->kind = call->kind;
	now->since = began / 1000000;
	rc = kind->run(lane, call->arg);
	now->since = 0;
	__atomic_fetch_add(&counts->calls, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&counts->ns, fz_now_ns() - began, __ATOMIC_RELAXED);
	if (rc >= 0)
		__atomic_fetch_add(&counts->good, 1, __ATOMIC_RELAXED);
	learn(lane, call, rc);
	if (rc < 0 && !allowed(lane, kind, -rc))
		fz_fail("%s: unexpected error: %s (call %ld)", kind->name, strerror(-rc),
			(long)(call - lane->program->call));
}

/*
 * What the first thread does before another has a call, it does before all others,
 * and once. The threads do not wait for each other then, so that what one does the
 * third time meets what another does the first time.
 */
static void run_calls(struct fz_lane *lane)
{
	const struct fz_program *program = lane->program;
	uint32_t first = 0;
	uint64_t until;

	lane->again = 0;
	while (first < program->count && !program->call[first].lane)
		first++;
	if (first == program->count && first > FIRST_CALLS)
		first = FIRST_CALLS;
	for (uint32_t i = 0; i < first && !lane->index; i++)
		make_call(lane, &program->call[i]);
	pthread_barrier_wait(&set_up);
	until = fz_now_ns() + REPEAT_NS;
	do {
		for (uint32_t i = first; i < program->count; i++) {
			if (program->call[i].lane == lane->index)
				make_call(lane, &program->call[i]);
		}
		if (lane->kcov) {
			fz_cover_end(lane);
			fz_cover_begin(lane);
		}
	} while (++lane->again < program->repeat && fz_now_ns() < until && !fz_shared->stop);
}

static void *run_lane(void *data)
{
	struct fz_lane *lane = data;

	me = lane;
	fz_shared->now[state.worker][lane->index].tid = (int)syscall(SYS_gettid);
	if (fz_shared->kcov)
		fz_cover_open(lane);
	for (;;) {
		pthread_barrier_wait(&start);
		if (ending)
			return NULL;
		lane->features = 0;
		fz_cover_begin(lane);
		run_calls(lane);
		fz_cover_end(lane);
		pthread_barrier_wait(&end);
	}
}

/* Twice the same memory, once read-only; what follows it is not there. */
static int make_scratch(struct fz_lane *lane)
{
	int fd = memfd_create("scratch", MFD_CLOEXEC);
	unsigned char *p = mmap(NULL, 4 * FZ_SCRATCH, PROT_NONE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (fd < 0 || p == MAP_FAILED || ftruncate(fd, (off_t)FZ_SCRATCH))
		return -1;
	lane->scratch = mmap(p, FZ_SCRATCH, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
			     0);
	lane->readonly = mmap(p + 2 * FZ_SCRATCH, FZ_SCRATCH, PROT_READ, MAP_SHARED | MAP_FIXED,
			      fd, 0);
	close(fd);
	return lane->scratch == MAP_FAILED || lane->readonly == MAP_FAILED ? -1 : 0;
}

static void clear_zone(void)
{
	/* In one go, whatever is mapped and locked there */
	munmap(ZONE, ZONE_BYTES);
	state.zone = mmap(ZONE, ZONE_BYTES, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

static int prepare(void)
{
	pthread_barrier_init(&start, NULL, FZ_LANES + 1);
	pthread_barrier_init(&set_up, NULL, FZ_LANES);
	pthread_barrier_init(&end, NULL, FZ_LANES + 1);
	for (unsigned int i = 0; i < FZ_FILES; i++)
		state.file[i] = (uint32_t)-1;
	for (unsigned int i = 0; i < FZ_FDS; i++)
		state.fd[i] = (uint32_t)-1;
	clear_zone();
	for (unsigned int i = 0; i < FZ_LANES; i++) {
		lanes[i].state = &state;
		lanes[i].program = current;
		lanes[i].index = i;
		if (make_scratch(&lanes[i]) ||
		    pthread_create(&lanes[i].thread, NULL, run_lane, &lanes[i]))
			return -1;
	}
	return 0;
}

/* Everything that a program has left goes. */
static void clean_up(void)
{
	for (unsigned int i = 0; i < FZ_FILES; i++)
		fz_slot_put(&state.file[i], -1);
	for (unsigned int i = 0; i < FZ_FDS; i++)
		fz_slot_put(&state.fd[i], -1);
	clear_zone();
	memset(state.handle, 0, sizeof(state.handle));
	memset(state.sync, 0, sizeof(state.sync));
	for (unsigned int i = 0; i < FZ_LANES; i++) {
		lanes[i].op_count = 0;
		lanes[i].sync_count[0] = 0;
		lanes[i].sync_count[1] = 0;
	}
}

/* One program, with two files of the card and what it makes of them */
static unsigned int run_program(int base)
{
	struct fz_now *now = &fz_shared->now[state.worker][FZ_LANES];
	unsigned int features = 0;

	if (bound != fz_shared->bound && fz_nodes_find())
		bound = fz_shared->bound;
	for (unsigned int i = 0; i < 2; i++)
		fz_slot_put(&state.file[i], open(fz_nodes[FZ_RENDER], O_RDWR | O_CLOEXEC));
	pthread_barrier_wait(&start);
	pthread_barrier_wait(&end);
	now->since = pdt_now_ms();
	clean_up();
	/* Random numbers may have been descriptors too */
	close_range((unsigned int)base, ~0U, 0);
	now->since = 0;
	for (unsigned int i = 0; i < FZ_LANES; i++)
		features += lanes[i].features;
	atomic_fetch_add(&fz_shared->programs, 1);
	return features;
}

/* A fresh one, or a variant; @seed and the numbers of two programs say which */
static void next_program(uint64_t *random, uint64_t *seed)
{
	static struct fz_program a, b;
	uint32_t ids[2];
	char line[128];
	int len;

	*seed = pdt_random(random);
	if (worker->guided && *seed >> 40 & 3 && fz_corpus_pick(random, &a, &ids[0]) &&
	    fz_corpus_pick(random, &b, &ids[1])) {
		fz_mutate(current, &a, &b, *seed);
		len = snprintf(line, sizeof(line), "<7>fuzz %u %#llx %u %u\n", state.worker,
			       (unsigned long long)*seed, ids[0], ids[1]);
	} else {
		fz_generate(current, *seed);
		len = snprintf(line, sizeof(line), "<7>fuzz %u %#llx\n", state.worker,
			       (unsigned long long)*seed);
	}
	/* In the kernel's log, not on its console: a panic shows it there (panic_print) */
	if (worker->kmsg >= 0 && write(worker->kmsg, line, (size_t)len) < 0)
		return;
}

/* What the card says when there is no room for an access: begin anew */
static void step(struct fz_oracle *oracle, uint64_t seed)
{
	me = &lanes[FZ_LANES];
	if (sigsetjmp(me->jump, 1)) {
		fz_oracle_close(oracle);
		if (fz_oracle_open(oracle, state.worker, seed))
			oracle->fd = -1;
	} else {
		me->armed = true;
		fz_oracle_step(oracle);
	}
	me->armed = false;
	/* A card that has gone takes its buffers along */
	if (fz_shared->event && (oracle->fd < 0 || fz_gone(oracle->fd))) {
		fz_oracle_close(oracle);
		if (fz_oracle_open(oracle, state.worker, seed))
			oracle->fd = -1;
	}
}

/**
 * fz_worker_run() - run programs until told to stop
 * @how: which
 *
 * Return: 0, or an exit status.
 */
int fz_worker_run(const struct fz_worker *how)
{
	uint64_t random = how->seed * 2 + 1, seed = 0;
	struct fz_oracle oracle;
	unsigned int features;
	int base;

	worker = how;
	state.worker = how->number;
	bound = fz_shared->bound;
	current = &fz_shared->running[how->number];
	set_handlers();
	if (fz_oracle_open(&oracle, how->number, how->seed) || prepare())
		return 3;
	/* A thread makes its own descriptors before it comes to this point */
	for (unsigned int i = 0; i < 2; i++) {
		pthread_barrier_wait(&start);
		pthread_barrier_wait(&end);
	}
	base = dup(STDOUT_FILENO);
	close(base);
	for (unsigned int n = 0; !fz_shared->stop && (!how->times || n < how->times); n++) {
		if (how->program)
			*current = *how->program;
		else
			next_program(&random, &seed);
		features = run_program(base);
		if (features && !how->program && !fz_shared->failed)
			fz_corpus_add(current, features, seed);
		step(&oracle, seed);
	}
	ending = true;
	pthread_barrier_wait(&start);
	for (unsigned int i = 0; i < FZ_LANES; i++)
		pthread_join(lanes[i].thread, NULL);
	fz_oracle_close(&oracle);
	return 0;
}
