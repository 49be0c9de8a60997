// SPDX-License-Identifier: MIT
/*
 * What the pddgpu command takes where there is much to show: 100,000 buffers, and as
 * many blocks of memory. It runs as people run it, a process each time; that of
 * `pddgpu --version` shows what any process takes.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pty.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define COMMAND	"pddgpu"
#define PORT	9417

struct spent {
	double wall_ms, cpu_ms;
};

static double time_ms(const struct timeval *t)
{
	return (double)t->tv_sec * 1e3 + (double)t->tv_usec / 1e3;
}

static double cpu_ms(const struct rusage *usage)
{
	return time_ms(&usage->ru_utime) + time_ms(&usage->ru_stime);
}

static pid_t start(const char *const *argv)
{
	pid_t pid = fork();
	int null;

	if (pid < 0)
		die("no process: %s", strerror(errno));
	if (pid)
		return pid;
	null = open("/dev/null", O_RDWR);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	execvp(COMMAND, (char **)argv);
	_exit(127);
}

static struct spent run(const char *const *argv)
{
	uint64_t begun = now_ns();
	struct rusage usage;
	pid_t pid = start(argv);
	int status;

	if (wait4(pid, &status, 0, &usage) != pid || !WIFEXITED(status) || WEXITSTATUS(status))
		die(COMMAND " %s failed", argv[1]);
	return (struct spent){ (double)(now_ns() - begun) / 1e6, cpu_ms(&usage) };
}

static struct summary run_often(struct bench *b, const char *const *argv)
{
	struct samples wall = { 0 };

	for (int i = 0; i < (b->quick ? 3 : 20); i++)
		samples_add(&wall, run(argv).wall_ms);
	return samples_end(&wall);
}

/* ---- top, on a terminal ---- */

static void drain(int fd, uint64_t until_ns)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	char text[4096];

	while (now_ns() < until_ns) {
		int left = (int)((until_ns - now_ns()) / 1000000) + 1;

		if (poll(&pollfd, 1, left) > 0 && read(fd, text, sizeof(text)) <= 0)
			die(COMMAND " top ended by itself");
	}
}

/* CPU time of all that it has done up to now */
static double used_ms(pid_t pid)
{
	unsigned long user, system;
	char path[32], text[512], *at;
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		len = read(fd, text, sizeof(text) - 1);
		close(fd);
		text[len > 0 ? len : 0] = '\0';
		return strtod(text, NULL) / 1e6;
	}
	/* To the clock tick, where the kernel does not count better */
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (len <= 0)
		die("%s cannot be read", path);
	close(fd);
	text[len] = '\0';
	at = strrchr(text, ')');
	if (!at || sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
			  &system) != 2)
		die("%s is odd", path);
	return (double)(user + system) * 1e3 / (double)sysconf(_SC_CLK_TCK);
}

/* Per cent of a CPU once it has begun, a sample a second as it comes */
static double top_percent(struct bench *b)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	double seconds = b->quick ? 3 : 30, used;
	int terminal, status;
	pid_t pid = forkpty(&terminal, NULL, NULL, &size);

	if (pid < 0)
		die("no terminal: %s", strerror(errno));
	if (!pid) {
		setenv("TERM", "linux", 1);
		setenv("TERMINFO", "./terminfo", 1);
		execlp(COMMAND, COMMAND, "top", (char *)NULL);
		_exit(127);
	}
	drain(terminal, now_ns() + 3000000000);
	used = used_ms(pid);
	drain(terminal, now_ns() + (uint64_t)(seconds * 1e9));
	used = used_ms(pid) - used;
	if (write(terminal, "q", 1) != 1 || waitpid(pid, &status, 0) != pid ||
	    !WIFEXITED(status) || WEXITSTATUS(status))
		die(COMMAND " top did not end well");
	close(terminal);
	return used / seconds / 10;
}

/* ---- export ---- */

static int reach(void)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("no socket: %s", strerror(errno));
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to))) {
		close(fd);
		return -1;
	}
	return fd;
}

static double scrape_ms(void)
{
	static const char request[] =
		"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	uint64_t begun = now_ns();
	char text[65536];
	ssize_t len, all = 0;
	int fd = reach();

	if (fd < 0 || write(fd, request, sizeof(request) - 1) != sizeof(request) - 1)
		die("the exporter cannot be reached");
	while ((len = read(fd, text + all, sizeof(text) - 1 - (size_t)all)) > 0)
		all += len;
	text[all] = '\0';
	close(fd);
	if (strncmp(text, "HTTP/1.1 200", 12) || !strstr(text, "pddgpu_memory_used_bytes"))
		die("the exporter does not answer as it should");
	return (double)(now_ns() - begun) / 1e6;
}

/* Nobody has set up the VM's network. */
static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		die("no loopback: %s", strerror(errno));
	close(fd);
}

static struct summary scrape_often(struct bench *b)
{
	static const char *const argv[] = { COMMAND, "export", "--listen", "127.0.0.1:9417", NULL };
	struct samples wall = { 0 };
	int fd = -1;
	pid_t pid;

	loopback_up();
	pid = start(argv);
	for (int i = 0; i < 1000 && fd < 0; i++) {
		sleep_ms(20);
		fd = reach();
	}
	if (fd < 0)
		die("the exporter does not listen");
	close(fd);
	for (int i = 0; i < (b->quick ? 5 : 50); i++) {
		samples_add(&wall, scrape_ms());
		sleep_ms(50);
	}
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	return samples_end(&wall);
}

/* ---- the part ---- */

/* Every second is given back: as many blocks as were made, half of them free */
static void make_pieces(int fd, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t handle = card_create(fd, KIB(4), PDDGPU_GEM_DOMAIN_VRAM);

		if (i % 2)
			card_destroy(fd, handle);
	}
}

static void make_many(int fd, uint32_t count)
{
	while (count--)
		card_create(fd, KIB(4), PDDGPU_GEM_DOMAIN_GTT);
}

static struct summary measure(struct bench *b, const char *what, uint32_t count)
{
	const char *argv[] = { COMMAND, what, NULL };
	struct summary sum = run_often(b, argv);
	char name[48];

	snprintf(name, sizeof(name), COMMAND " %s", what);
	report_row(b->report, "tools", name, count, "ms", sum);
	return sum;
}

/* One look at all of them, what follows from it, and all of that printed */
static struct summary measure_verdict(struct bench *b, uint32_t count)
{
	static const char *const argv[] = { COMMAND, "leaks", "--for=0", NULL };
	struct summary sum = run_often(b, argv);

	report_row(b->report, "tools", COMMAND " leaks --for=0", count, "ms", sum);
	return sum;
}

void bench_tools(struct bench *b)
{
	uint32_t count = b->quick ? 10000 : 100000;
	int fd = card_open_ours();
	struct samples percent = { 0 };
	struct summary sum;

	measure(b, "--version", 0);
	make_pieces(fd, count / 10 * 4);
	make_many(fd, count / 10 * 6);
	sum = measure(b, "map", count);
	report_figure(b->report, COMMAND " map", "ms", sum.median, true, 200);
	make_many(fd, count / 10 * 2);
	measure(b, "status", count);
	/* leaks lists what is old enough: all are to be */
	debugfs_write("leak_threshold", INT64_MAX);
	debugfs_write("leak_suspicious_age", 100);
	sleep_ms(500);
	sum = measure(b, "leaks", count);
	report_figure(b->report, COMMAND " leaks", "ms", sum.median, true, 1000);
	sum = measure_verdict(b, count);
	report_figure(b->report, COMMAND " leaks --for=0", "ms", sum.median, true, 1000);
	sum = scrape_often(b);
	report_row(b->report, "tools", "a scrape of " COMMAND " export", count, "ms", sum);
	report_figure(b->report, "a scrape", "ms", sum.median, true, 10);
	for (int i = 0; i < (b->quick ? 1 : 3); i++)
		samples_add(&percent, top_percent(b));
	sum = samples_end(&percent);
	report_row(b->report, "tools", COMMAND " top on a terminal, of a CPU", count, "%", sum);
	report_figure(b->report, COMMAND " top", "%", sum.median, true, 1);
	debugfs_write("leak_suspicious_age", 30000);
	report_print_rows(b->report, "The command, by the number of buffers (map: of blocks)");
	/* The buffers go with the file */
	close(fd);
}
