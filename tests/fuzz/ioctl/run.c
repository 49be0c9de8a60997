// SPDX-License-Identifier: MIT
/* A run: rounds of processes, and what is looked at between them */
#include "fuzz.h"

#include "run.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* A round: so long, and so many programs of each worker, but not for ever */
#define ROUND_MS	5000
#define ROUND_PROGRAMS	50
#define ROUND_MS_MAX	60000
/* How often it is looked at, and the log, which takes longer */
#define LOOK_MS		100
#define LOG_MS		1000

/* What must be as before when nobody has the card open */
struct base {
	struct pdt_level level;
	/* In the CPU domain */
	uint64_t cpu_used;
	uint64_t unpageable;
	/* Of the module: cards that are gone stay as long as somebody has them */
	uint64_t users;
};

struct watch {
	const struct fz_run *run;
	struct pdt_log log;
	struct base base;
	pid_t pids[FZ_WORKERS];
	/* Who takes the card away and brings it back, and since when; 0 without */
	pid_t event;
	uint64_t event_since;
	unsigned int alive;
	int kmsg;
	uint64_t random;
	uint64_t began;
	uint64_t said;
};

/* In one piece with what the workers say */
static void say(const char *text)
{
	if (pthread_mutex_lock(&fz_shared->corpus_lock) == EOWNERDEAD)
		pthread_mutex_consistent(&fz_shared->corpus_lock);
	printf("%s\n", text);
	fflush(stdout);
	pthread_mutex_unlock(&fz_shared->corpus_lock);
}

static int read_base(struct base *base)
{
	static const char *const segments[] = { "vram", "vram_invisible", "system" };
	struct drm_pddgpu_domain_usage usage[3] = { 0 };
	uint32_t size = sizeof(usage);
	struct pdt_limits limits;
	char *users = pdt_file_read("/sys/module/pddgpu/refcnt");
	int fd = pdt_open(), rc;

	memset(base, 0, sizeof(*base));
	if (users)
		base->users = strtoull(users, NULL, 10);
	free(users);
	if (fd < 0)
		return fd;
	rc = pdt_level_read(fd, &base->level);
	if (!rc)
		rc = pdt_query(fd, PDDGPU_QUERY_DOMAIN_USAGE, usage, &size);
	close(fd);
	base->cpu_used = usage[2].used;
	for (size_t i = 0; i < PDT_ARRAY_SIZE(segments) && !rc; i++) {
		rc = pdt_limits(segments[i], &limits);
		base->unpageable += limits.used;
	}
	return rc;
}

/* All is freed; what is on its way is given time. */
static void check_base(const struct watch *watch)
{
	uint64_t end = pdt_now_ms() + 1000 * watch->run->call_seconds;
	struct base now;
	int rc;

	do {
		rc = read_base(&now);
		if (!rc && !memcmp(&now, &watch->base, sizeof(now)))
			return;
		pdt_sleep_ms(20);
	} while (pdt_now_ms() < end);
	if (rc) {
		fz_fail("the card does not answer: %s", strerror(-rc));
		return;
	}
	fz_fail("not freed: vram %lld, gtt %lld, cpu %lld, unpageable %lld bytes; "
		"%lld objects; %lld users",
		(long long)(now.level.vram_used - watch->base.level.vram_used),
		(long long)(now.level.gtt_used - watch->base.level.gtt_used),
		(long long)(now.cpu_used - watch->base.cpu_used),
		(long long)(now.unpageable - watch->base.unpageable),
		(long long)(now.level.objects - watch->base.level.objects),
		(long long)(now.users - watch->base.users));
}

static void check_log(struct watch *watch)
{
	const char *complaint = pdt_log_complaint(&watch->log);

	if (complaint)
		fz_fail("the kernel: %s", complaint);
}

static void start_worker(struct watch *watch, struct fz_worker *worker)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		pdt_log_close(&watch->log);
		_exit(fz_worker_run(worker));
	}
	watch->pids[worker->number] = pid;
	if (pid > 0)
		watch->alive++;
}

/* What the kernel says of a thread that does not come back */
static void say_stack(int tid)
{
	char path[64], *text;

	snprintf(path, sizeof(path), "/proc/%d/stack", tid);
	text = pdt_file_read(path);
	if (text)
		say(text);
	free(text);
	pdt_file_write("/proc/sysrq-trigger", "w");
}

static void check_hangs(const struct watch *watch)
{
	uint64_t now = pdt_now_ms(), bound = 1000 * watch->run->call_seconds;

	for (unsigned int w = 0; w < watch->run->workers; w++) {
		for (unsigned int i = 0; i <= FZ_LANES && watch->pids[w] > 0; i++) {
			struct fz_now *at = &fz_shared->now[w][i];
			uint64_t since = at->since;

			if (!since || now < since + bound)
				continue;
			say_stack(at->tid);
			fz_fail("%s takes longer than %llu s",
				i == FZ_LANES ? "closing everything" : fz_kinds[at->kind].name,
				(unsigned long long)watch->run->call_seconds);
			return;
		}
	}
}

static void reap(struct watch *watch)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == watch->event)
			watch->event = 0;
		for (unsigned int w = 0; w < FZ_WORKERS; w++) {
			if (watch->pids[w] != pid)
				continue;
			watch->pids[w] = 0;
			watch->alive--;
			for (unsigned int i = 0; i <= FZ_LANES; i++)
				fz_shared->now[w][i].since = 0;
			if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
				fz_fail("worker %u: %s", w, strsignal(WTERMSIG(status)));
			else if (WIFEXITED(status) && WEXITSTATUS(status))
				fz_fail("worker %u: exit status %d", w, WEXITSTATUS(status));
		}
	}
}

static void kill_workers(struct watch *watch)
{
	for (unsigned int w = 0; w < FZ_WORKERS; w++) {
		if (watch->pids[w] > 0)
			kill(watch->pids[w], SIGKILL);
	}
}

static void start_event(struct watch *watch)
{
	watch->event = fz_event_start(fz_shared->event, pdt_random(&watch->random) >> 8);
	watch->event_since = pdt_now_ms();
}

/* All of it is over, or takes too long. */
static void end_event(struct watch *watch)
{
	while (watch->event > 0) {
		reap(watch);
		if (pdt_now_ms() > watch->event_since + 2000 * watch->run->call_seconds) {
			say_stack(watch->event);
			fz_fail("the card does not go or come");
			return;
		}
		pdt_sleep_ms(20);
	}
}

static void say_progress(struct watch *watch, bool now)
{
	uint64_t ms = pdt_now_ms(), took = ms - watch->began;
	uint64_t ioctls = fz_shared->ioctls;
	char line[256];

	if (!now && ms < watch->said + 10000)
		return;
	watch->said = ms;
	snprintf(line, sizeof(line),
		 "# %llu s: %llu programs, %llu ioctls, %llu a second; corpus %u, %s %llu, places %llu; %llu contents checked",
		 (unsigned long long)(took / 1000), (unsigned long long)fz_shared->programs,
		 (unsigned long long)ioctls, (unsigned long long)(ioctls * 1000 / (took + 1)),
		 fz_shared->corpus_next, fz_shared->kcov ? "steps" : "answers",
		 (unsigned long long)(fz_shared->kcov ? fz_shared->edges : fz_shared->features),
		 (unsigned long long)fz_shared->places, (unsigned long long)fz_shared->checks);
	say(line);
}

/* Until all workers have ended; they are told to when the round is over. */
static void watch_round(struct watch *watch, uint64_t ms)
{
	uint64_t end = pdt_now_ms() + ms;
	uint64_t deadly = pdt_random(&watch->random) % 4 ? ~0ULL :
			  pdt_now_ms() + pdt_random(&watch->random) % (ms | 1);
	uint64_t away = fz_shared->event ? end - ms / 2 - pdt_random(&watch->random) % (ms / 4) :
			~0ULL;
	uint64_t enough = fz_shared->programs + ROUND_PROGRAMS * watch->run->workers;
	uint64_t log_at = pdt_now_ms() + LOG_MS;

	while (watch->alive) {
		uint64_t now = pdt_now_ms();

		reap(watch);
		check_hangs(watch);
		if (now > log_at) {
			check_log(watch);
			log_at = now + LOG_MS;
		}
		if (now > deadly && !watch->run->replay) {
			pid_t pid = watch->pids[now % watch->run->workers];

			if (pid > 0)
				kill(pid, SIGKILL);
			deadly = ~0ULL;
		}
		if (now > away) {
			start_event(watch);
			away = ~0ULL;
		}
		if ((ms != ~0ULL && now > end &&
		     (fz_shared->programs >= enough || now > end + ROUND_MS_MAX)) ||
		    (watch->run->count && fz_shared->ioctls >= watch->run->count))
			fz_shared->stop = 1;
		/* Who does not end by itself then is killed, or hangs for good */
		if (fz_shared->failed) {
			pdt_sleep_ms(500);
			kill_workers(watch);
			pdt_sleep_ms(500);
			reap(watch);
			return;
		}
		say_progress(watch, false);
		pdt_sleep_ms(LOOK_MS);
	}
}

/* After a round: nothing is left, and settings are as they come. */
static void settle(struct watch *watch)
{
	int rc = 0;

	end_event(watch);
	if (!fz_shared->failed && watch->run->faults)
		rc = fz_event_mend();
	if (rc)
		fz_fail("the card cannot be repaired: %s", strerror(-rc));
	if (fz_shared->failed)
		return;
	pdt_settings_restore();
	if (pdt_limits_restore())
		fz_fail("the limits could not be set");
	check_base(watch);
	check_log(watch);
	pdt_log_restart(&watch->log);
}

static bool over(const struct watch *watch)
{
	const struct fz_run *run = watch->run;
	uint64_t seconds = run->seconds ? run->seconds : run->count ? ~0ULL / 1000 : 30;

	return fz_shared->failed || pdt_now_ms() - watch->began >= seconds * 1000 ||
	       (run->count && fz_shared->ioctls >= run->count);
}

static void round_of_random(struct watch *watch)
{
	/* Who waits for an engine by looking takes the time that others could use */
	pdt_parameter("busywait_us", pdt_random(&watch->random) & 3 << 20 ? "0" : "150");
	fz_shared->stop = 0;
	fz_shared->event = fz_event_pick(watch->run->faults, watch->run->unplug,
					 pdt_random(&watch->random) >> 20);
	if (!fz_nodes_find())
		fz_fail("no card");
	for (unsigned int w = 0; w < watch->run->workers; w++) {
		struct fz_worker worker = {
			.number = w,
			.seed = pdt_random(&watch->random) >> 1,
			.guided = true,
			.kmsg = watch->kmsg,
		};

		start_worker(watch, &worker);
	}
	watch_round(watch, ROUND_MS);
	settle(watch);
}

/* The programs of a file, each by a worker; true if nothing came of it */
static bool replay(struct watch *watch, const char *path, uint64_t times)
{
	static struct fz_program programs[FZ_WORKERS];
	char line[512];
	int count = fz_parse(path, programs, FZ_WORKERS);

	fz_shared->failed = 0;
	fz_shared->stop = 0;
	fz_shared->event = FZ_NOTHING;
	if (count < 0) {
		fz_fail("%s: %s", path, strerror(-count));
		return false;
	}
	snprintf(line, sizeof(line), "fuzz: %s\n", path);
	if (watch->kmsg >= 0 && write(watch->kmsg, line, strlen(line)) < 0)
		return false;
	for (int w = 0; w < count; w++) {
		struct fz_worker worker = {
			.number = (unsigned int)w,
			.seed = (unsigned int)w + 1,
			.program = &programs[w],
			.times = (unsigned int)times,
			.kmsg = -1,
		};

		start_worker(watch, &worker);
	}
	watch_round(watch, ~0ULL);
	settle(watch);
	return !fz_shared->failed;
}

static void count(bool good, const char *what, unsigned int counts[2])
{
	char line[512];

	snprintf(line, sizeof(line), "%s %u - %s", good ? "ok" : "not ok",
		 counts[0] + counts[1] + 1, what);
	say(line);
	counts[good ? 0 : 1]++;
}

static void replay_folder(struct watch *watch, const char *dir, unsigned int counts[2])
{
	struct dirent **names;
	int n = scandir(dir, &names, NULL, alphasort);
	char path[4096];

	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			count(replay(watch, path, watch->run->times), names[i]->d_name, counts);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	else
		count(false, dir, counts);
}

/* Those that reach what those before them did not */
static void distill(struct watch *watch, unsigned int counts[2])
{
	char line[512];

	for (int i = 0; i < watch->run->file_count; i++) {
		uint64_t before = fz_shared->edges + fz_shared->features;

		if (!replay(watch, watch->run->files[i], 1)) {
			count(false, watch->run->files[i], counts);
			continue;
		}
		snprintf(line, sizeof(line), "@useful %llu %s",
			 (unsigned long long)(fz_shared->edges + fz_shared->features - before),
			 watch->run->files[i]);
		say(line);
	}
	count(true, "distilled", counts);
}

static void say_errnos(unsigned int kind)
{
	for (int err = 1; err < 192; err++) {
		if (fz_shared->errnos[kind][err / 64] >> err % 64 & 1)
			printf(" %s", strerrorname_np(err) ? strerrorname_np(err) : "?");
	}
	putchar('\n');
}

static void say_table(void)
{
	printf("# %-20s %10s %10s %8s  errors\n", "call", "made", "good", "us each");
	for (unsigned int kind = 0; kind < fz_kind_count; kind++) {
		struct fz_counts sum = { 0 };

		for (unsigned int w = 0; w < FZ_WORKERS; w++) {
			sum.calls += fz_shared->counts[w][kind].calls;
			sum.good += fz_shared->counts[w][kind].good;
			sum.ns += fz_shared->counts[w][kind].ns;
		}
		if (!sum.calls)
			continue;
		printf("# %-20s %10llu %10llu %8llu ", fz_kinds[kind].name,
		       (unsigned long long)sum.calls, (unsigned long long)sum.good,
		       (unsigned long long)(sum.ns / sum.calls / 1000));
		say_errnos(kind);
	}
}

static int begin(struct watch *watch)
{
	static const char *const vgem[] = { "modprobe", "vgem", NULL };
	uint64_t total, visible;
	void *state;

	pdt_command(vgem);
	if (!fz_nodes_find()) {
		fprintf(stderr, "fuzz-ioctl: no pddgpu render node\n");
		return -ENODEV;
	}
	pdt_file_write("/proc/sys/kernel/printk_devkmsg", "on\n");
	watch->kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	watch->random = watch->run->seed * 0x9e3779b97f4a7c15ULL | 1;
	watch->began = pdt_now_ms();
	watch->said = watch->began;
	fz_shared->faults = watch->run->faults;
	if (pdt_sysfs_u64("mem_info_vram_total", &total) ||
	    pdt_sysfs_u64("mem_info_vis_vram_total", &visible))
		return -EIO;
	fz_shared->hidden = visible < total;
	fz_shared->kcov = !access("/sys/kernel/debug/kcov", R_OK | W_OK);
	if (pdt_gone_setup(&state) || pdt_log_open(&watch->log) || read_base(&watch->base))
		return -EIO;
	return 0;
}

/**
 * fz_run() - do what is asked for
 * @run: what
 *
 * Return: the exit status.
 */
int fz_run(struct fz_run *run)
{
	static struct watch watch;
	unsigned int counts[2] = { 0 };

	watch.run = run;
	if (begin(&watch))
		return 3;
	if (run->distill)
		distill(&watch, counts);
	for (int i = 0; run->replay && i < run->file_count; i++)
		count(replay(&watch, run->files[i], run->times), run->files[i], counts);
	if (run->crashes)
		replay_folder(&watch, run->crashes, counts);
	if (!run->replay && !run->distill && !counts[1]) {
		if (run->corpus)
			printf("# %d programs in the corpus\n", fz_corpus_load(run->corpus));
		watch.began = pdt_now_ms();
		fz_shared->failed = 0;
		while (!over(&watch))
			round_of_random(&watch);
		say_progress(&watch, true);
		count(!fz_shared->failed, "random programs", counts);
	}
	say_table();
	printf("%u passed, %u failed\n", counts[0], counts[1]);
	return counts[1] ? 1 : 0;
}
