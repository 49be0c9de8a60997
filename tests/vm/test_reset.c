// SPDX-License-Identifier: MIT
/*
 * Engines that hang and are reset, alone or with the chip, and VRAM that is lost
 * with it. Its VM loads the driver with a short job_timeout_ms.
 */
#include "pdt.h"

#include <pthread.h>
#include <unistd.h>

#define SIZE	(2 * PDT_MIB)
/* While the CPU does the work it gets at no other VRAM */
#define VISIBLE	PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED
#define USER	0
#define PAGING	1

static void control(const char *command)
{
	char answer[256];

	assert_ok(pdt_control(command, answer, sizeof(answer)));
}

static uint64_t figure(const char *name)
{
	uint64_t value;

	assert_ok(pdt_reset_figure(name, &value));
	return value;
}

static int finish(int sync)
{
	int status = pdt_fence_fd_wait(sync, 60000);

	close(sync);
	return status;
}

static void assert_all(const struct pdt_buffer *buf, uint32_t pattern)
{
	for (uint64_t i = 0; i < buf->size / 4; i++) {
		if (((uint32_t *)buf->map)[i] != pattern)
			fail_msg("word %llu is %#x, not %#x", (unsigned long long)i,
				 ((uint32_t *)buf->map)[i], pattern);
	}
}

/* A job of somebody's, by himself: it runs, and does what it says */
static void assert_works(int fd, struct pdt_buffer *buf, uint32_t pattern)
{
	struct drm_pddgpu_submit_op op = pdt_fill(buf->handle, 0, buf->size, pattern);
	int sync;

	assert_ok(pdt_submit_fence(fd, &op, 1, &sync));
	assert_int_equal(finish(sync), 1);
	assert_all(buf, pattern);
}

/*
 * One user's job hangs, another's is behind it. @resets: how an engine's reset goes.
 * Returns how long it took until both were over.
 */
static uint64_t hang_between_users(struct pdt_state *s, const char *resets)
{
	struct drm_pddgpu_submit_op op;
	struct pdt_buffer mine, other, kept;
	int fd = pdt_open(), bad, good;
	uint64_t start;

	assert_true(fd >= 0);
	assert_ok(pdt_buffer_create(s->fd, &mine, SIZE, PDT_VRAM, VISIBLE));
	assert_ok(pdt_buffer_create(s->fd, &kept, SIZE, PDT_VRAM, VISIBLE));
	pdt_buffer_fill(&kept, 7);
	assert_ok(pdt_buffer_create(fd, &other, SIZE, PDT_GTT, 0));
	pdt_buffer_fill(&other, 8);

	control(resets);
	control("hang 0");
	start = pdt_now_ms();
	op = pdt_fill(mine.handle, 0, SIZE, 0xaaaaaaaa);
	assert_ok(pdt_submit_fence(s->fd, &op, 1, &bad));
	op = pdt_fill(other.handle, 0, SIZE / 2, 0xbbbbbbbb);
	assert_ok(pdt_submit_fence(fd, &op, 1, &good));
	assert_int_equal(finish(bad), -ETIME);
	assert_int_equal(finish(good), 1);
	start = pdt_now_ms() - start;

	for (uint64_t i = 0; i < SIZE / 8; i++)
		assert_int_equal(((uint32_t *)other.map)[i], 0xbbbbbbbb);
	assert_ok(pdt_buffer_check(&kept));
	assert_false(pdt_vram_lost(s->fd, mine.handle));
	assert_works(s->fd, &mine, 0x11111111);
	assert_works(fd, &other, 0x22222222);
	assert_true(pdt_log_wait(&s->log, "engine 0 hangs in a job of test_reset["));
	pdt_buffer_destroy(fd, &other);
	pdt_buffer_destroy(s->fd, &mine);
	pdt_buffer_destroy(s->fd, &kept);
	close(fd);
	return start;
}

static void hung_engine_is_reset(void **state)
{
	uint64_t before = figure("engine_resets"), chip = figure("chip_resets");
	uint64_t ms = hang_between_users(*state, "fail-reset 0");

	printf("# by a reset of the engine: %llu ms\n", (unsigned long long)ms);
	assert_u64(figure("engine_resets"), before + 1);
	assert_u64(figure("chip_resets"), chip);
}

static void chip_is_reset_when_the_engine_cannot_be(void **state)
{
	struct pdt_state *s = *state;
	uint64_t before = figure("chip_resets");
	uint64_t ms = hang_between_users(s, "fail-reset 1");

	printf("# by a reset of the chip: %llu ms, of which it took %llu us\n",
	       (unsigned long long)ms, (unsigned long long)figure("last_chip_reset_us"));
	assert_u64(figure("chip_resets"), before + 1);
	assert_u64(figure("engines_lost"), 0);
	assert_int_equal(pdt_log_count(&s->log, "is lost"), 0);
}

/* The first attempts fail: the CPU does the work until one succeeds. */
static void chip_is_reset_again(void **state)
{
	struct pdt_state *s = *state;
	uint64_t failed = figure("chip_resets_failed"), good = figure("chip_resets");
	uint64_t end = pdt_now_ms() + 20000;
	struct pdt_buffer buf;

	hang_between_users(s, "fail-reset 3");
	assert_true(pdt_log_wait(&s->log, "engine 1 is lost: the CPU does its work"));
	while (figure("chip_resets") == good && pdt_now_ms() < end)
		pdt_sleep_ms(10);
	assert_u64(figure("chip_resets"), good + 1);
	assert_u64(figure("chip_resets_failed"), failed + 2);
	assert_u64(figure("engines_lost"), 0);
	assert_true(pdt_log_wait(&s->log, "engine 0 works again"));
	assert_ok(pdt_buffer_create(s->fd, &buf, SIZE, PDT_VRAM, 0));
	assert_works(s->fd, &buf, 0x33333333);
	pdt_buffer_destroy(s->fd, &buf);
}

static void moves_go_on(void **state)
{
	static const char *const resets[] = { "fail-reset 0", "fail-reset 1", "fail-reset 2" };
	struct pdt_state *s = *state;
	struct pdt_buffer buf;
	uint32_t now;

	assert_ok(pdt_buffer_create(s->fd, &buf, SIZE, PDT_VRAM, VISIBLE));
	for (size_t i = 0; i < 3 * PDT_ARRAY_SIZE(resets); i++) {
		pdt_buffer_fill(&buf, i);
		control(resets[i % PDT_ARRAY_SIZE(resets)]);
		control("hang 1");
		assert_ok(pdt_set_domain(s->fd, buf.handle, i % 2 ? PDT_VRAM : PDT_GTT, &now));
		assert_ok(pdt_buffer_check(&buf));
		assert_false(pdt_vram_lost(s->fd, buf.handle));
		control("clear");
	}
	while (figure("engines_lost"))
		pdt_sleep_ms(10);
	pdt_buffer_destroy(s->fd, &buf);
}

/* Small pieces that do not adjoin, with a pause before each: a job that lasts */
#define PIECES	10

static int begin_slow_job(struct pdt_state *s, const struct pdt_buffer *to,
			  const struct pdt_buffer *from)
{
	struct drm_pddgpu_submit_op ops[PIECES];
	int sync;

	for (uint32_t i = 0; i < PIECES; i++) {
		if (from)
			ops[i] = pdt_copy(to->handle, 8 * (i + 1), from->handle, 8 * i, 8);
		else
			ops[i] = pdt_fill(to->handle, 8 * i, 4, 0x44444444);
	}
	/* Less than a job may go without a sign of life: 300 ms */
	control(pdt_slow() > 1 ? "delay 150000" : "delay 50000");
	assert_ok(pdt_submit_fence(s->fd, ops, PIECES, &sync));
	while (!*(volatile uint32_t *)((char *)to->map + (from ? 8 : 0)))
		pdt_sleep_ms(1);
	return sync;
}

/*
 * Nothing is wrong with the job that was at work when the chip was reset. What comes
 * to the same is done again; what reads what it has written, or may, is not.
 */
static void innocent_jobs(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op op;
	struct pdt_buffer a, b;
	int slow, behind;

	assert_ok(pdt_buffer_create(s->fd, &a, PDT_PAGE, PDT_GTT, 0));
	assert_ok(pdt_buffer_create(s->fd, &b, PDT_PAGE, PDT_GTT, 0));

	slow = begin_slow_job(s, &a, NULL);
	op = pdt_fill(b.handle, 0, PDT_PAGE, 0x55555555);
	assert_ok(pdt_submit_fence(s->fd, &op, 1, &behind));
	assert_ok(pdt_reset_chip());
	control("delay 0");
	assert_int_equal(finish(slow), 1);
	assert_int_equal(finish(behind), 1);
	for (uint32_t i = 0; i < PIECES; i++)
		assert_int_equal(((uint32_t *)a.map)[2 * i], 0x44444444);
	assert_all(&b, 0x55555555);

	memset(a.map, 0, PDT_PAGE);
	*(uint64_t *)a.map = 0x66;
	slow = begin_slow_job(s, &a, &a);
	op = pdt_fill(b.handle, 0, PDT_PAGE, 0x77777777);
	assert_ok(pdt_submit_fence(s->fd, &op, 1, &behind));
	assert_ok(pdt_reset_chip());
	control("delay 0");
	assert_int_equal(finish(slow), -ECANCELED);
	assert_int_equal(finish(behind), 1);
	assert_all(&b, 0x77777777);
	pdt_buffer_destroy(s->fd, &a);
	pdt_buffer_destroy(s->fd, &b);
}

/* What was in VRAM is lost and says so; what was not is there, and can be used. */
static void vram_is_lost(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer vram, gtt, cpu, left;
	struct drm_pddgpu_gem_info info;
	uint64_t before = figure("vram_lost");
	unsigned char seen[256];
	uint32_t now;

	assert_ok(pdt_buffer_create(s->fd, &vram, SIZE, PDT_BOTH, 0));
	assert_ok(pdt_buffer_create(s->fd, &gtt, SIZE, PDT_GTT, 0));
	assert_ok(pdt_buffer_create(s->fd, &cpu, SIZE, PDT_CPU | PDT_GTT, 0));
	assert_ok(pdt_buffer_create(s->fd, &left, SIZE, PDT_VRAM, 0));
	pdt_buffer_fill(&vram, 1);
	pdt_buffer_fill(&gtt, 2);
	pdt_buffer_fill(&cpu, 3);
	pdt_buffer_fill(&left, 4);
	assert_ok(pdt_set_domain(s->fd, cpu.handle, PDT_CPU, &now));
	assert_ok(pdt_set_domain(s->fd, left.handle, PDT_GTT, &now));

	control("lose-vram");
	assert_ok(pdt_reset_chip());
	assert_u64(figure("vram_lost"), before + 1);
	assert_true(pdt_vram_lost(s->fd, vram.handle));
	assert_false(pdt_vram_lost(s->fd, gtt.handle));
	assert_false(pdt_vram_lost(s->fd, cpu.handle));
	assert_false(pdt_vram_lost(s->fd, left.handle));
	assert_int_equal(pdt_zero_check(vram.map, SIZE), -1);
	assert_ok(pdt_buffer_check(&gtt));
	assert_ok(pdt_buffer_check(&cpu));
	assert_ok(pdt_buffer_check(&left));

	/* The chip finds it where it was, with the tables as they were */
	assert_ok(pdt_info(s->fd, gtt.handle, &info));
	assert_ok(pdt_control_peek(info.offset, seen, sizeof(seen)));
	assert_memory_equal(seen, gtt.map, sizeof(seen));
	assert_works(s->fd, &gtt, 0x88888888);

	/* It goes where the buffer goes, until somebody knows */
	pdt_buffer_fill(&vram, 5);
	assert_ok(pdt_set_domain(s->fd, vram.handle, PDT_GTT, &now));
	assert_true(pdt_vram_lost(s->fd, vram.handle));
	assert_ok(pdt_vram_lost_seen(s->fd, vram.handle, PDT_VRAM));
	assert_false(pdt_vram_lost(s->fd, vram.handle));
	assert_ok(pdt_buffer_check(&vram));
	control("lose-vram");
	assert_ok(pdt_reset_chip());
	assert_true(pdt_vram_lost(s->fd, vram.handle));
	pdt_buffer_destroy(s->fd, &vram);
	pdt_buffer_destroy(s->fd, &gtt);
	pdt_buffer_destroy(s->fd, &cpu);
	pdt_buffer_destroy(s->fd, &left);
}

/* Where no CPU reaches it is the same */
static void invisible_vram_is_lost(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	struct pdt_buffer glass;
	uint32_t handle;

	assert_ok(pdt_stats(s->fd, &stats));
	if (stats.vram_total - stats.vram_visible_total < 8 * SIZE)
		pdt_skip("all of this card's VRAM is visible");
	assert_ok(pdt_glass_create(s->fd, &glass));
	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, PDDGPU_GEM_CREATE_NO_CPU_ACCESS, &handle));
	assert_ok(pdt_spoil(s->fd, handle, SIZE, 0x99999999));
	control("lose-vram");
	assert_ok(pdt_reset_chip());
	assert_true(pdt_vram_lost(s->fd, handle));
	assert_ok(pdt_glass_zero_check(s->fd, &glass, handle, SIZE, SIZE));
	assert_ok(pdt_destroy(s->fd, handle));
	pdt_buffer_destroy(s->fd, &glass);
}

/* Jobs made before the loss would go on with what is not there. */
static void jobs_before_the_loss(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op op;
	struct pdt_buffer a, b;
	int slow, behind[20];

	assert_ok(pdt_buffer_create(s->fd, &a, PDT_PAGE, PDT_GTT, 0));
	assert_ok(pdt_buffer_create(s->fd, &b, SIZE, PDT_GTT, 0));
	slow = begin_slow_job(s, &a, NULL);
	op = pdt_fill(b.handle, 0, SIZE, 0x12121212);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(behind); i++)
		assert_ok(pdt_submit_fence(s->fd, &op, 1, &behind[i]));
	control("lose-vram");
	assert_ok(pdt_reset_chip());
	control("delay 0");
	assert_int_equal(finish(slow), -ECANCELED);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(behind); i++)
		assert_int_equal(finish(behind[i]), -ECANCELED);
	assert_false(pdt_vram_lost(s->fd, a.handle));
	assert_int_equal(pdt_zero_check(b.map, SIZE), -1);
	assert_works(s->fd, &b, 0x13131313);
	pdt_buffer_destroy(s->fd, &a);
	pdt_buffer_destroy(s->fd, &b);
}

/* What was clear is not, and new buffers are zeros all the same. */
static void nothing_is_clear(void **state)
{
	static struct pdt_buffer bufs[256];
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	struct pdt_buffer glass;
	uint64_t clear, end = pdt_now_ms() + 20000;
	size_t n = 0;
	int err = 0;

	assert_ok(pdt_glass_create(s->fd, &glass));
	assert_ok(pdt_stats(s->fd, &stats));
	for (unsigned int round = 0; round < 2; round++) {
		n = pdt_fill_domain(s->fd, bufs, PDT_ARRAY_SIZE(bufs), stats.vram_free / 64,
				    PDT_VRAM, &err);
		for (size_t i = 0; i < n; i++) {
			assert_ok(pdt_glass_zero_check(s->fd, &glass, bufs[i].handle,
						       bufs[i].size, SIZE));
			assert_ok(pdt_spoil(s->fd, bufs[i].handle, pdt_pages(bufs[i].size),
					    0x5a5a5a5a));
		}
		for (size_t i = 0; i < n; i++)
			pdt_buffer_destroy(s->fd, &bufs[i]);
		if (round)
			break;
		do {
			pdt_sleep_ms(10);
			assert_ok(pdt_vram_mm("clear", &clear));
		} while (clear < stats.vram_free / 2 && pdt_now_ms() < end);
		control("lose-vram");
		assert_ok(pdt_reset_chip());
	}
	assert_true(n > 32);
	pdt_buffer_destroy(s->fd, &glass);
}

static int lose_now(void *arg)
{
	char answer[256];

	pdt_sleep_ms(*(unsigned int *)arg);
	return pdt_control("lose-vram", answer, sizeof(answer)) || pdt_reset_chip();
}

static void *lose_in_thread(void *arg)
{
	return (void *)(intptr_t)lose_now(arg);
}

/*
 * VRAM is lost while a buffer is on its way, at different moments. Into VRAM: it
 * is whole, for it was in system pages when that happened, or it says that it is not.
 * Out of it: either it had left, or it says so.
 */
static void lost_on_the_way(void **state)
{
	struct pdt_state *s = *state;
	unsigned int whole = 0, lost = 0;
	struct pdt_buffer buf;
	uint32_t now;

	assert_ok(pdt_buffer_create(s->fd, &buf, 4 * SIZE, PDT_GTT, 0));
	control("delay 2000");
	for (unsigned int i = 0; i < 30; i++) {
		unsigned int ms = i / 2;
		pthread_t thread;
		void *failed;

		pdt_buffer_fill(&buf, 100 + i);
		assert_int_equal(pthread_create(&thread, NULL, lose_in_thread, &ms), 0);
		assert_ok(pdt_set_domain(s->fd, buf.handle, i % 2 ? PDT_GTT : PDT_VRAM, &now));
		pthread_join(thread, &failed);
		assert_null(failed);
		if (pdt_vram_lost(s->fd, buf.handle)) {
			lost++;
			assert_ok(pdt_vram_lost_seen(s->fd, buf.handle, now));
		} else {
			whole++;
			assert_ok(pdt_buffer_check(&buf));
		}
	}
	control("delay 0");
	printf("# %u times whole, %u times lost\n", whole, lost);
	assert_true(whole > 0 && lost > 0);
	pdt_buffer_destroy(s->fd, &buf);
}

/* More than one job of the paging engine's: 64 MiB is the most for one */
#define JOBS_SIZE	(80 * PDT_MIB)

/* Stops the paging engine where it is until its job is the CPU's: three resets, a fourth stop */
static void *hang_at_one_place(void *arg)
{
	uint64_t end = pdt_now_ms() + 20000 * pdt_slow(), resets = 0;
	const uint64_t *before = arg;
	char answer[256];

	while (resets < *before + 3 && pdt_now_ms() < end) {
		pdt_control("hang 1", answer, sizeof(answer));
		pdt_reset_figure("engine_resets", &resets);
	}
	pdt_control("delay 0", answer, sizeof(answer));
	pdt_control("unhang 1", answer, sizeof(answer));
	return (void *)(intptr_t)(resets < *before + 3);
}

/* Evicts a buffer that is out of the CPU's reach meanwhile */
static void evict_with_hangs(struct pdt_state *s, struct pdt_buffer *buf)
{
	uint64_t before = figure("engine_resets");
	struct drm_pddgpu_memory_stats stats;
	pthread_t thread;
	uint32_t other;
	void *failed;
	int rc;

	/* Time enough to stop it again in, and less than a job may take: 300 ms */
	control("delay 150000");
	control("hang 1");
	assert_int_equal(pthread_create(&thread, NULL, hang_at_one_place, &before), 0);
	assert_ok(pdt_stats(s->fd, &stats));
	rc = pdt_create(s->fd, pdt_pages(stats.vram_free + PDT_MIB), PDT_VRAM, 0, &other);
	pthread_join(thread, &failed);
	assert_null(failed);
	assert_ok(rc);
	assert_ok(pdt_destroy(s->fd, other));
	assert_ok(pdt_wait_idle(s->fd, buf->handle, 60000));
	assert_int_equal(pdt_domain(s->fd, buf->handle), PDT_GTT);
}

/* Bytes of a buffer that are lost after that; those that are not are what they were. */
static uint64_t lose_part_of_a_move(struct pdt_state *s)
{
	struct pdt_buffer secret, seen, buf = { .size = JOBS_SIZE };
	struct drm_pddgpu_submit_op op;
	uint64_t lost = 0;

	assert_ok(pdt_buffer_create(s->fd, &seen, buf.size, PDT_GTT, 0));
	assert_ok(pdt_create(s->fd, buf.size, PDT_BOTH, PDDGPU_GEM_CREATE_NO_CPU_ACCESS,
			     &buf.handle));
	op = pdt_fill(buf.handle, 0, buf.size, 0x14141414);
	assert_ok(pdt_submit(s->fd, &op, 1));
	assert_ok(pdt_wait_idle(s->fd, buf.handle, 60000));
	/* Pages that it gets */
	assert_ok(pdt_buffer_create(s->fd, &secret, JOBS_SIZE + 16 * PDT_MIB, PDT_GTT, 0));
	memset(secret.map, 0xa5, secret.size);
	pdt_buffer_destroy(s->fd, &secret);

	evict_with_hangs(s, &buf);
	op = pdt_copy(seen.handle, 0, buf.handle, 0, buf.size);
	assert_ok(pdt_submit(s->fd, &op, 1));
	assert_ok(pdt_wait_idle(s->fd, seen.handle, 60000));
	for (uint64_t i = 0; i < buf.size / 4; i++) {
		uint32_t word = ((uint32_t *)seen.map)[i];

		if (word && word != 0x14141414)
			fail_msg("word %llu is %#x", (unsigned long long)i, word);
		lost += word ? 0 : 4;
	}
	assert_int_equal(pdt_vram_lost(s->fd, buf.handle), lost > 0);
	pdt_buffer_destroy(s->fd, &seen);
	assert_ok(pdt_destroy(s->fd, buf.handle));
	return lost;
}

/*
 * The first of a move's jobs stops the engine again and again, and no CPU reaches what
 * it is about: that much is lost, says so, and is zeros. The others are done.
 */
static void rest_of_a_move(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	uint64_t lost = 0;

	assert_ok(pdt_stats(s->fd, &stats));
	if (stats.vram_total - stats.vram_visible_total < JOBS_SIZE + 8 * PDT_MIB)
		pdt_skip("too little of this card's VRAM is out of the CPU's reach");
	/* The paging engine has nothing else to do, or soon has not */
	assert_ok(pdt_parameter("clear_freed", "0"));
	for (int tries = 0; tries < 5 && !lost; tries++)
		lost = lose_part_of_a_move(s);
	assert_ok(pdt_parameter("clear_freed", "1"));
	printf("# %llu MiB are lost\n", (unsigned long long)(lost / PDT_MIB));
	assert_true(lost > 0 && lost < JOBS_SIZE);
}

/* The file for people: what it takes, and what it says */
static void reset_file(void **state)
{
	static const char *const rubbish[] = { "", "x", "1x", "-1", "1 2" };
	uint64_t before = figure("chip_resets"), failed = figure("chip_resets_failed");
	char *text;

	(void)state;
	for (size_t i = 1; i < PDT_ARRAY_SIZE(rubbish); i++)
		assert_err(EINVAL, pdt_debugfs_write("reset", rubbish[i]));
	assert_err(ERANGE, pdt_debugfs_write("reset", "0"));
	assert_err(ERANGE, pdt_debugfs_write("reset", "2"));
	assert_u64(figure("chip_resets"), before);
	assert_ok(pdt_reset_chip());
	assert_u64(figure("chip_resets"), before + 1);
	control("fail-reset 1");
	assert_err(EIO, pdt_reset_chip());
	assert_u64(figure("chip_resets_failed"), failed + 1);
	while (figure("engines_lost"))
		pdt_sleep_ms(10);
	text = pdt_debugfs_read("reset");
	assert_non_null(text);
	assert_non_null(strstr(text, "state: ready\n"));
	free(text);
}

/* One after the other, and none of them costs anything for good: PDT_HANGS=1000 */
static void many_hangs(void **state)
{
	unsigned int count = pdt_count("PDT_HANGS", 10);
	struct pdt_state *s = *state;
	uint64_t start, most = 0, all = pdt_now_ms();
	struct drm_pddgpu_submit_op op;
	struct pdt_buffer buf;
	int sync;

	assert_ok(pdt_buffer_create(s->fd, &buf, PDT_PAGE, PDT_GTT, 0));
	for (unsigned int i = 0; i < count; i++) {
		control("hang 0");
		op = pdt_fill(buf.handle, 0, PDT_PAGE, i);
		start = pdt_now_ms();
		assert_ok(pdt_submit_fence(s->fd, &op, 1, &sync));
		assert_int_equal(finish(sync), -ETIME);
		start = pdt_now_ms() - start;
		most = start > most ? start : most;
		assert_works(s->fd, &buf, ~i);
	}
	printf("# %u hangs in %llu ms, the longest %llu ms\n", count,
	       (unsigned long long)(pdt_now_ms() - all), (unsigned long long)most);
	pdt_buffer_destroy(s->fd, &buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(hung_engine_is_reset),
		pdt_test(chip_is_reset_when_the_engine_cannot_be),
		pdt_test(chip_is_reset_again),
		pdt_test(moves_go_on),
		pdt_test(innocent_jobs),
		pdt_test(vram_is_lost),
		pdt_test(invisible_vram_is_lost),
		pdt_test(jobs_before_the_loss),
		pdt_test(nothing_is_clear),
		pdt_test(lost_on_the_way),
		pdt_test(rest_of_a_move),
		pdt_test(reset_file),
		pdt_test(many_hangs),
	};

	return pdt_run_tests("reset", tests);
}
