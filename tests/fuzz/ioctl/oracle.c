// SPDX-License-Identifier: MIT
/*
 * Buffers that no program knows of: what was written to them must be there
 * whatever programs do, and nothing must be in new ones. A card that has gone has
 * taken them along; one that has lost its VRAM says of which.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Sizes of those that stay */
static const uint64_t sizes[] = {
	PDT_PAGE, 3 * PDT_PAGE, 16 * PDT_PAGE, 64 * PDT_PAGE, 2 * PDT_PAGE, PDT_PAGE,
};

_Static_assert(PDT_ARRAY_SIZE(sizes) == PDT_ARRAY_SIZE(((struct fz_oracle *)0)->bufs),
	       "a size for each");

/* No room is no failure: programs may have filled everything. */
static int expected(int rc)
{
	if (rc == -ENOMEM || rc == -EDQUOT || rc == -EBUSY)
		return 0;
	if (fz_shared->event >= FZ_ONES && (rc == -ENODEV || rc == -ENOENT))
		return 0;
	return rc == -EIO && fz_out_of_order() ? 0 : rc;
}

/* Has it lost what it held with the chip's VRAM? Says that it is known then. */
static bool lost(const struct fz_oracle *oracle, const struct pdt_buffer *buf)
{
	struct drm_pddgpu_gem_info info;

	if (!fz_shared->faults || pdt_info(oracle->fd, buf->handle, &info) ||
	    !(info.flags & PDDGPU_GEM_INFO_VRAM_LOST))
		return false;
	pdt_set_domain_flags(oracle->fd, buf->handle, buf->domains,
			     PDDGPU_GEM_SET_VRAM_LOST_SEEN, NULL);
	return true;
}

/* Zeros, what the chip leaves, or what was there: nothing of anybody else */
static bool harmless(const struct pdt_buffer *buf)
{
	uint64_t *own = malloc(buf->size);
	const volatile uint64_t *word = buf->map;
	bool good = own;

	if (own)
		pdt_pattern_fill(own, buf->size, buf->seed);
	for (uint64_t i = 0; i < buf->size / 8 && good; i++) {
		uint64_t value = word[i];

		good = !value || value == 0xdbdbdbdbdbdbdbdbULL || value == own[i];
	}
	free(own);
	return good;
}

/* Is there a reason for it that a buffer holds something else? */
static bool excused(const struct fz_oracle *oracle, const struct pdt_buffer *buf)
{
	return fz_gone(oracle->fd) || (lost(oracle, buf) && harmless(buf));
}

static int make(struct fz_oracle *oracle, struct pdt_buffer *buf, uint64_t size,
		uint32_t domains)
{
	int rc = pdt_buffer_create(oracle->fd, buf, size, domains, 0);
	int64_t at;

	if (rc)
		return expected(rc);
	at = pdt_zero_check(buf->map, size);
	atomic_fetch_add(&fz_shared->checks, 1);
	if (at >= 0 && !excused(oracle, buf)) {
		fz_fail("a new buffer of %llu bytes in %x holds %#llx at %lld",
			(unsigned long long)size, domains,
			(unsigned long long)((uint64_t *)buf->map)[at / 8], (long long)at);
		return -EBADMSG;
	}
	return 0;
}

int fz_oracle_open(struct fz_oracle *oracle, unsigned int worker, uint64_t seed)
{
	int rc = 0;

	memset(oracle, 0, sizeof(*oracle));
	oracle->worker = worker;
	oracle->random = seed | 1;
	oracle->fd = open(fz_nodes[FZ_RENDER], O_RDWR | O_CLOEXEC);
	if (oracle->fd < 0)
		return expected(-errno);
	for (size_t i = 0; !rc && i < PDT_ARRAY_SIZE(sizes); i++) {
		struct pdt_buffer *buf = &oracle->bufs[i];

		rc = make(oracle, buf, sizes[i], i % 3 ? PDT_BOTH : PDT_GTT | PDT_CPU);
		if (!rc && buf->map)
			pdt_buffer_fill(buf, seed + i);
	}
	return rc;
}

/* One new buffer, looked at and made dirty; no program can name it. */
static int look_at_new(struct fz_oracle *oracle, uint64_t random)
{
	static const uint32_t domains[] = { PDT_VRAM, PDT_GTT, PDT_CPU, PDT_BOTH, PDT_VRAM };
	struct pdt_buffer buf = { 0 };
	uint64_t size = PDT_PAGE * (1 + (random >> 8) % (random & 7 ? 4 : 70));
	int rc = make(oracle, &buf, size, domains[(random >> 20) % PDT_ARRAY_SIZE(domains)]);

	if (!rc && buf.map)
		pdt_buffer_fill(&buf, ~random);
	if (buf.handle)
		pdt_buffer_destroy(oracle->fd, &buf);
	return rc;
}

/* One that stays is as it was; then it is written anew, or moved */
static int look_at_old(struct fz_oracle *oracle, uint64_t random)
{
	static const uint32_t domains[] = { PDT_BOTH, PDT_GTT, PDT_CPU, PDT_BOTH | PDT_CPU };
	struct pdt_buffer *buf = &oracle->bufs[(random >> 8) % PDT_ARRAY_SIZE(sizes)];
	int64_t at;
	int rc = 0;

	if (!buf->map)
		return 0;
	at = pdt_pattern_check(buf->map, buf->size, buf->seed);
	atomic_fetch_add(&fz_shared->checks, 1);
	if (at >= 0 && !excused(oracle, buf)) {
		fz_fail("a buffer of %llu bytes in %x holds %#llx at %lld",
			(unsigned long long)buf->size, buf->domains,
			(unsigned long long)((uint64_t *)buf->map)[at / 8], (long long)at);
		return -EBADMSG;
	}
	if (at >= 0)
		pdt_buffer_fill(buf, buf->seed);
	else
		lost(oracle, buf);
	if (random & 1) {
		rc = pdt_set_domain(oracle->fd, buf->handle, domains[random >> 32 & 3], NULL);
		if (!rc)
			buf->domains = domains[random >> 32 & 3];
	} else if (random & 2) {
		pdt_buffer_fill(buf, random);
	}
	return expected(rc);
}

/**
 * fz_oracle_step() - look at some of them
 * @oracle: the buffers
 *
 * Return: 0, or after saying so a negative errno.
 */
int fz_oracle_step(struct fz_oracle *oracle)
{
	uint64_t random = pdt_random(&oracle->random);
	int rc;

	if (oracle->fd < 0)
		return 0;
	rc = random >> 60 & 1 ? look_at_new(oracle, random) : look_at_old(oracle, random);
	if (rc && rc != -EBADMSG)
		fz_fail("a well-behaved client: %s", strerror(-rc));
	return rc;
}

void fz_oracle_close(struct fz_oracle *oracle)
{
	if (oracle->fd < 0)
		return;
	for (size_t i = 0; i < PDT_ARRAY_SIZE(sizes); i++) {
		if (oracle->bufs[i].handle)
			pdt_buffer_destroy(oracle->fd, &oracle->bufs[i]);
	}
	close(oracle->fd);
}
