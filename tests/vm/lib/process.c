// SPDX-License-Identifier: MIT
/* Child processes, file descriptors between them, and time. */
#include "pdt.h"

#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How much longer than usual everything may take: $PDT_SLOW, or 1 */
unsigned int pdt_slow(void)
{
	const char *text = getenv("PDT_SLOW");
	int times = text ? atoi(text) : 1;

	return times > 0 ? times : 1;
}

/* How many there are to be: @n, or far fewer where everything takes longer */
unsigned int pdt_many(unsigned int n)
{
	return pdt_slow() > 1 ? n / pdt_slow() / 2 : n;
}

/* How often something is to be done: what a variable of the environment says */
unsigned int pdt_count(const char *name, unsigned int preset)
{
	const char *text = getenv(name);

	return text && *text ? (unsigned int)strtoul(text, NULL, 10) : preset;
}

/*
 * Runs @fn in a child, which ends with what it returns. The child dies of an
 * access violation instead of jumping into cmocka, and of a hang.
 */
pid_t pdt_fork(int (*fn)(void *arg), void *arg)
{
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS };
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid)
		return pid;

	for (size_t i = 0; i < PDT_ARRAY_SIZE(deadly); i++)
		signal(deadly[i], SIG_DFL);
	alarm(PDT_HANG_SECONDS * pdt_slow());
	_exit(fn(arg));
}

/* The child's exit status; 128 and the number of the signal it died of */
int pdt_wait(pid_t pid)
{
	int status;

	if (pid < 0)
		return -1;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int pdt_run(int (*fn)(void *arg), void *arg)
{
	return pdt_wait(pdt_fork(fn, arg));
}

int pdt_send_fd(int sock, int fd)
{
	char data = 'f';
	struct iovec iov = { .iov_base = &data, .iov_len = 1 };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	return sendmsg(sock, &msg, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

/* A descriptor, or a negative errno; -EPIPE when the other side is gone */
int pdt_receive_fd(int sock)
{
	char data;
	struct iovec iov = { .iov_base = &data, .iov_len = 1 };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	int fd;

	if (recvmsg(sock, &msg, 0) != 1)
		return -EPIPE;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		return -EBADMSG;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(int));
	return fd;
}

/* Gives up root for good; in a child. */
int pdt_become_user(unsigned int uid)
{
	if (setgroups(0, NULL) || setgid(uid) || setuid(uid))
		return -errno;
	return 0;
}

/* Runs a program, found along PATH, with its output thrown away; its exit status */
int pdt_command(const char *const argv[])
{
	pid_t pid;
	int null;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		null = open("/dev/null", O_RDWR);
		dup2(null, 1);
		dup2(null, 2);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	return pdt_wait(pid);
}

struct job {
	int (*fn)(void *arg, unsigned int index);
	void *arg;
	unsigned int index;
	pthread_t thread;
};

static void *job_run(void *arg)
{
	struct job *job = arg;

	return job->fn(job->arg, job->index) ? job : NULL;
}

/* Runs @fn in threads; how many of them failed or could not be started. */
unsigned int pdt_threads(unsigned int count, int (*fn)(void *arg, unsigned int index),
			 void *arg)
{
	struct job *jobs = calloc(count, sizeof(*jobs));
	unsigned int started, failed = 0;
	void *result;

	if (!jobs)
		return count;
	for (started = 0; started < count; started++) {
		jobs[started] = (struct job) { .fn = fn, .arg = arg, .index = started };
		if (pthread_create(&jobs[started].thread, NULL, job_run, &jobs[started]))
			break;
	}
	for (unsigned int i = 0; i < started; i++) {
		pthread_join(jobs[i].thread, &result);
		failed += !!result;
	}
	free(jobs);
	return failed + (count - started);
}

/* Memory that children share; of zeros. It lasts as long as the program. */
void *pdt_shared(size_t size)
{
	void *ptr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			 -1, 0);

	return ptr == MAP_FAILED ? NULL : ptr;
}

uint64_t pdt_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void pdt_sleep_ms(unsigned int ms)
{
	struct timespec ts = {
		.tv_sec = ms / 1000,
		.tv_nsec = (long)(ms % 1000) * 1000000,
	};

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}
