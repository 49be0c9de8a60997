// SPDX-License-Identifier: MIT
#include "bulk.h"
#include "packet.h"
#include "util.h"

#define BYTES_MAX	(1ull << 32)

/* What a packet looks like: its exact length, and how it runs */
struct packet_kind {
	uint32_t dwords;
	uint32_t flags;
	bool high_reserved;
	enum packet_result (*run)(struct engine *engine, uint64_t epoch,
				  const struct packet *packet, struct fault *fault);
};

static enum packet_result bad_packet(const struct packet *packet, struct fault *fault)
{
	*fault = (struct fault) {
		.reason = PDDGPU_FAULT_BAD_PACKET,
		.addr = packet->addr,
	};
	return PACKET_FAULT;
}

/* An access that the control channel may have armed to fail */
static bool data_run(struct engine *engine, uint64_t addr, uint64_t want, bool write,
		     struct translation *out, struct fault *fault)
{
	if (atomic_load(&engine->inject) && atomic_exchange(&engine->inject, false)) {
		*fault = (struct fault) {
			.reason = PDDGPU_FAULT_INJECTED,
			.write = write,
			.addr = addr,
		};
		return false;
	}
	return mmu_run(engine->mmu, &engine->tlb, addr, want, write, out, fault);
}

/* Ranges do not wrap round 2^64; what a packet names after that is nowhere. */
static bool wraps(uint64_t addr, uint64_t bytes, bool write, struct fault *fault)
{
	if (addr + bytes >= addr)
		return false;
	*fault = (struct fault) {
		.reason = PDDGPU_FAULT_OUT_OF_RANGE,
		.write = write,
		.addr = addr,
	};
	return true;
}

static uint64_t min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/**
 * struct copy - a copy at work
 * @src: GPU address
 * @dst: GPU address
 * @bytes: all of it
 * @done: so many are copied
 * @backwards: from the end, because the end of the source would be overwritten
 */
struct copy {
	uint64_t src;
	uint64_t dst;
	uint64_t bytes;
	uint64_t done;
	bool backwards;
};

/* How much of @max before @end lies in one page; VRAM is all one page */
static uint64_t room_before(struct engine *engine, uint64_t end, uint64_t max)
{
	if (mmu_is_vram(engine->mmu, end - 1) && mmu_is_vram(engine->mmu, end - max))
		return max;
	return min64(max, ((end - 1) & (PDDGPU_MMU_PAGE_SIZE - 1)) + 1);
}

/* One piece that has one place on the host on both sides */
static bool copy_piece(struct engine *engine, struct copy *copy, uint64_t max,
		       struct fault *fault)
{
	uint64_t offset = copy->done, n = max;
	struct translation src, dst;

	if (copy->backwards) {
		uint64_t left = copy->bytes - copy->done;

		n = room_before(engine, copy->src + left, n);
		n = room_before(engine, copy->dst + left, n);
		offset = left - n;
	}
	if (!data_run(engine, copy->src + offset, n, false, &src, fault) ||
	    !data_run(engine, copy->dst + offset, src.bytes, true, &dst, fault))
		return false;
	/* Backwards, a piece lies in one page on each side, so it is whole */
	bulk_copy(dst.host, src.host, dst.bytes);
	copy->done += dst.bytes;
	stats_add(engine->stats, STAT_bytes_copied, dst.bytes);
	return true;
}

static enum packet_result run_copy(struct engine *engine, uint64_t epoch,
				   const struct packet *packet, struct fault *fault)
{
	struct copy copy = {
		.src = packet->word[0],
		.dst = packet->word[1],
		.bytes = packet->word[2],
	};
	bool ok = true;

	if (copy.bytes > BYTES_MAX)
		return bad_packet(packet, fault);
	if (wraps(copy.src, copy.bytes, false, fault) ||
	    wraps(copy.dst, copy.bytes, true, fault))
		return PACKET_FAULT;
	copy.backwards = copy.dst > copy.src && copy.dst - copy.src < copy.bytes;

	while (copy.done < copy.bytes) {
		uint64_t stop = min64(copy.bytes, copy.done + ENGINE_CHUNK);

		if (!engine_access_begin(engine, epoch))
			return PACKET_DROPPED;
		while (ok && copy.done < stop)
			ok = copy_piece(engine, &copy, stop - copy.done, fault);
		engine_access_end(engine);
		if (!ok)
			return PACKET_FAULT;
	}
	stats_add(engine->stats, STAT_copies, 1);
	return PACKET_DONE;
}

static enum packet_result run_fill(struct engine *engine, uint64_t epoch,
				   const struct packet *packet, struct fault *fault)
{
	uint64_t dst = packet->word[0], bytes = packet->word[1], done = 0;
	struct translation to;
	bool ok = true;

	if (bytes > BYTES_MAX || bytes % 4 || dst % 4)
		return bad_packet(packet, fault);
	if (wraps(dst, bytes, true, fault))
		return PACKET_FAULT;
	while (done < bytes) {
		uint64_t stop = min64(bytes, done + ENGINE_CHUNK);

		if (!engine_access_begin(engine, epoch))
			return PACKET_DROPPED;
		while (ok && done < stop) {
			ok = data_run(engine, dst + done, stop - done, true, &to,
				      fault);
			if (!ok)
				break;
			bulk_fill(to.host, packet->high, to.bytes);
			done += to.bytes;
			stats_add(engine->stats, STAT_bytes_filled, to.bytes);
		}
		engine_access_end(engine);
		if (!ok)
			return PACKET_FAULT;
	}
	stats_add(engine->stats, STAT_fills, 1);
	return PACKET_DONE;
}

static enum packet_result run_fence(struct engine *engine, uint64_t epoch,
				    const struct packet *packet, struct fault *fault)
{
	uint64_t addr = packet->word[0];
	struct translation to;
	bool ok;

	if (addr % 8)
		return bad_packet(packet, fault);
	if (!engine_access_begin(engine, epoch))
		return PACKET_DROPPED;
	ok = data_run(engine, addr, 8, true, &to, fault);
	if (ok) {
		shared_write64(to.host, packet->word[1]);
		stats_add(engine->stats, STAT_fences, 1);
	}
	engine_access_end(engine);
	return ok ? PACKET_DONE : PACKET_FAULT;
}

static enum packet_result run_nop(struct engine *engine, uint64_t epoch,
				  const struct packet *packet, struct fault *fault)
{
	(void)engine;
	(void)epoch;
	(void)packet;
	(void)fault;
	return PACKET_DONE;
}

static const struct packet_kind packet_kinds[] = {
	[PDDGPU_OP_NOP] = { 0, 0, false, run_nop },
	[PDDGPU_OP_COPY] = { 8, 0, true, run_copy },
	[PDDGPU_OP_FILL] = { 6, 0, false, run_fill },
	[PDDGPU_OP_FENCE] = { 6, PDDGPU_FENCE_INTERRUPT, true, run_fence },
	/* Both engines are flushed, which the caller sees to */
	[PDDGPU_OP_TLB_FLUSH] = { 2, 0, true, run_nop },
};

static const struct packet_kind *find_kind(const struct packet *packet)
{
	if (packet->opcode >= ARRAY_SIZE(packet_kinds))
		return NULL;
	return &packet_kinds[packet->opcode];
}

/* 64-bit words never straddle a page, nor the ring's end. */
static bool fetch_word(struct engine *engine, const struct ring_view *ring,
		       uint32_t offset, uint64_t *word, struct fault *fault)
{
	struct translation from;

	if (!mmu_access(engine->mmu, &engine->tlb,
			ring->base + (offset & (ring->size - 1)), false, &from, fault))
		return false;
	*word = shared_read64(from.host);
	return true;
}

static enum packet_result fetch_words(struct engine *engine,
				      const struct ring_view *ring,
				      struct packet *packet, struct fault *fault)
{
	uint32_t queued = (ring->wptr - ring->rptr) & (ring->size - 1);
	const struct packet_kind *kind;
	uint64_t first;
	uint32_t header;

	if (!fetch_word(engine, ring, ring->rptr, &first, fault))
		return PACKET_FAULT;
	header = (uint32_t)first;
	packet->high = first >> 32;
	packet->opcode = header & PDDGPU_PKT_OPCODE_MASK;
	packet->flags = (header & PDDGPU_PKT_FLAGS_MASK) >> PDDGPU_PKT_FLAGS_SHIFT;
	packet->bytes = (header >> PDDGPU_PKT_LENGTH_SHIFT) * 4;

	kind = find_kind(packet);
	if (!kind || !packet->bytes || packet->bytes % 8 || packet->bytes > queued ||
	    (kind->dwords && packet->bytes != kind->dwords * 4) ||
	    packet->flags & ~kind->flags || (kind->high_reserved && packet->high))
		return bad_packet(packet, fault);
	if (!kind->dwords)
		return PACKET_DONE;
	for (uint32_t i = 1; i < packet->bytes / 8; i++)
		if (!fetch_word(engine, ring, ring->rptr + i * 8,
				&packet->word[i - 1], fault))
			return PACKET_FAULT;
	return PACKET_DONE;
}

/**
 * packet_fetch() - read the next packet of a ring
 * @engine: the engine
 * @ring: its ring; not empty
 * @packet: the packet, a copy that the guest cannot change
 * @fault: why it cannot be run
 *
 * Return: how it ended.
 */
enum packet_result packet_fetch(struct engine *engine, const struct ring_view *ring,
				struct packet *packet, struct fault *fault)
{
	enum packet_result result;

	*packet = (struct packet) {
		.ring_offset = ring->rptr,
		.addr = ring->base + ring->rptr,
	};
	if (!engine_access_begin(engine, ring->epoch))
		return PACKET_DROPPED;
	result = fetch_words(engine, ring, packet, fault);
	engine_access_end(engine);
	return result;
}

/**
 * packet_run() - do what a packet says
 * @engine: the engine
 * @epoch: the engine's when the packet was fetched
 * @packet: a packet that packet_fetch() has accepted
 * @fault: why it failed
 *
 * Return: how it ended. A failed copy or fill may be half done.
 */
enum packet_result packet_run(struct engine *engine, uint64_t epoch,
			      const struct packet *packet, struct fault *fault)
{
	return packet_kinds[packet->opcode].run(engine, epoch, packet, fault);
}

/**
 * packet_wants_interrupt() - is the packet a fence that is to be reported?
 * @packet: the packet
 *
 * Return: true when it is.
 */
bool packet_wants_interrupt(const struct packet *packet)
{
	return packet->opcode == PDDGPU_OP_FENCE &&
	       packet->flags & PDDGPU_FENCE_INTERRUPT;
}
