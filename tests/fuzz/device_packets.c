// SPDX-License-Identifier: MIT
/* What has to come of a packet, by the manual. */
#include <string.h>

#include "device_fuzz.h"

/* Each piece lies in one page on each side. */
struct piece {
	uint32_t src;
	uint32_t dst;
	uint32_t src_offset;
	uint32_t dst_offset;
	uint32_t bytes;
};

#define PIECES_MAX	(4 * (FUZZ_VRAM_MAX + FUZZ_GTT) / PAGE)
#define COPY_MAX	(1ull << 32)

static struct piece pieces[PIECES_MAX];
static uint8_t moved[FUZZ_VRAM_MAX + FUZZ_GTT];

/* Which GPU page leads to a page, to see when two do */
static uint64_t src_of[FUZZ_PAGES], dst_of[FUZZ_PAGES];

static uint32_t min32(uint64_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void fails(struct forecast *f, uint32_t reason, uint32_t level, bool write,
		  uint64_t addr)
{
	f->result = PACKET_FAULT;
	f->fault = (struct fault) {
		.reason = reason, .level = level, .write = write, .addr = addr,
	};
}

static bool reaches(struct model *m, struct forecast *f, uint64_t addr, bool write,
		    struct place *place)
{
	bool gtt = addr >= LAYOUT_GTT_START && addr < LAYOUT_GTT_START + FUZZ_GTT;

	if (gtt && m->stale)
		f->known = false;
	if (model_walk(m, addr, write, true, true, place))
		return true;
	fails(f, place->reason, place->level, write, addr);
	return false;
}

static bool word_at(struct model *m, const struct ring_view *ring, uint32_t offset,
		    uint64_t *word, struct forecast *f)
{
	uint64_t addr = ring->base + (offset & (ring->size - 1));
	struct place place;

	if (!reaches(m, f, addr, false, &place))
		return false;
	memcpy(word, m->mem + (size_t)place.page * PAGE + addr % PAGE, 8);
	return true;
}

/* Length and flags of an opcode; a NOP's length is any even one */
static bool well_formed(uint64_t first, uint32_t queued, uint32_t *bytes)
{
	uint32_t opcode = first & 0xff, flags = first >> 8 & 0xff, high = first >> 32;
	uint32_t dwords = first >> 16 & 0xffff;

	*bytes = dwords * 4;
	if (!dwords || dwords % 2 || *bytes > queued)
		return false;
	switch (opcode) {
	case PDDGPU_OP_NOP:
		return !flags;
	case PDDGPU_OP_COPY:
		return dwords == 8 && !flags && !high;
	case PDDGPU_OP_FILL:
		return dwords == 6 && !flags;
	case PDDGPU_OP_FENCE:
		return dwords == 6 && flags <= PDDGPU_FENCE_INTERRUPT && !high;
	case PDDGPU_OP_TLB_FLUSH:
		return dwords == 2 && !flags && !high;
	default:
		return false;
	}
}

void forecast_fetch(struct model *m, const struct ring_view *ring,
		    struct packet *packet, struct forecast *f)
{
	uint32_t queued = (ring->wptr - ring->rptr) & (ring->size - 1), words;
	uint64_t first = 0;

	*f = (struct forecast) { .known = true, .result = PACKET_DONE };
	*packet = (struct packet) {
		.ring_offset = ring->rptr,
		.addr = ring->base + ring->rptr,
	};
	if (!word_at(m, ring, ring->rptr, &first, f))
		return;
	packet->opcode = first & 0xff;
	packet->flags = first >> 8 & 0xff;
	packet->high = first >> 32;
	if (!well_formed(first, queued, &packet->bytes)) {
		fails(f, PDDGPU_FAULT_BAD_PACKET, 0, false, packet->addr);
		return;
	}
	words = packet->opcode == PDDGPU_OP_NOP ? 1 : packet->bytes / 8;
	for (uint32_t i = 1; i < words; i++)
		if (!word_at(m, ring, ring->rptr + 8 * i, &packet->word[i - 1], f))
			return;
}

/* Is what a piece touches named in any other way, too? The order would count. */
static void note_aliases(struct forecast *f, const struct piece *piece, uint64_t src,
			 uint64_t dst)
{
	uint64_t from = src / PAGE + 1, to = dst / PAGE + 1;

	if ((dst_of[piece->src] && dst_of[piece->src] != from) ||
	    (dst_of[piece->dst] && dst_of[piece->dst] != to) ||
	    (src_of[piece->dst] && src_of[piece->dst] != to) ||
	    (piece->src == piece->dst && from != to))
		f->known = false;
	/* Two sources in one page are as good as one that no target equals */
	src_of[piece->src] = src_of[piece->src] && src_of[piece->src] != from ? ~0ull :
									    from;
	dst_of[piece->dst] = to;
}

static void add_piece(struct model *m, struct forecast *f, const struct piece *piece)
{
	fuzz_check(f->writes < PIECES_MAX, "more pieces than fit");
	pieces[f->writes++] = *piece;
	f->bytes += piece->bytes;
	m->bytes += piece->bytes;
	m->reach[piece->dst] = 1;
}

/* The piece that ends at @end, or begins at @done */
static bool copy_piece_of(struct model *m, struct forecast *f, uint64_t src, uint64_t dst,
			  uint64_t left, bool backwards)
{
	struct place from = { 0 }, to = { 0 };
	struct piece piece;
	uint32_t n;

	if (backwards) {
		n = min32(left, (src + left - 1) % PAGE + 1);
		n = min32(n, (dst + left - 1) % PAGE + 1);
		src += left - n;
		dst += left - n;
	} else {
		n = min32(left, PAGE - src % PAGE);
		n = min32(n, PAGE - dst % PAGE);
	}
	if (!reaches(m, f, src, false, &from) || !reaches(m, f, dst, true, &to))
		return false;
	piece = (struct piece) {
		.src = from.page, .dst = to.page, .bytes = n,
		.src_offset = src % PAGE, .dst_offset = dst % PAGE,
	};
	note_aliases(f, &piece, src, dst);
	add_piece(m, f, &piece);
	return true;
}

static void forecast_copy(struct model *m, uint32_t engine, const struct packet *packet,
			  struct forecast *f)
{
	uint64_t src = packet->word[0], dst = packet->word[1], bytes = packet->word[2];
	bool backwards = dst > src && dst - src < bytes;
	uint64_t done = 0;

	if (bytes > COPY_MAX)
		return fails(f, PDDGPU_FAULT_BAD_PACKET, 0, false, packet->addr);
	if (src + bytes < src)
		return fails(f, PDDGPU_FAULT_OUT_OF_RANGE, 0, false, src);
	if (dst + bytes < dst)
		return fails(f, PDDGPU_FAULT_OUT_OF_RANGE, 0, true, dst);
	f->any_addr = backwards;
	if (bytes && m->inject[engine]) {
		m->inject[engine] = false;
		return fails(f, PDDGPU_FAULT_INJECTED, 0, false, src);
	}
	memset(src_of, 0, sizeof(src_of));
	memset(dst_of, 0, sizeof(dst_of));
	while (done < bytes) {
		uint32_t at = f->writes;
		bool ok = backwards ?
			  copy_piece_of(m, f, src, dst, bytes - done, true) :
			  copy_piece_of(m, f, src + done, dst + done, bytes - done,
					false);

		if (!ok)
			return;
		done += pieces[at].bytes;
	}
}

static void forecast_fill(struct model *m, uint32_t engine, const struct packet *packet,
			  struct forecast *f)
{
	uint64_t dst = packet->word[0], bytes = packet->word[1], done = 0;

	if (bytes > COPY_MAX || bytes % 4 || dst % 4)
		return fails(f, PDDGPU_FAULT_BAD_PACKET, 0, false, packet->addr);
	if (dst + bytes < dst)
		return fails(f, PDDGPU_FAULT_OUT_OF_RANGE, 0, true, dst);
	if (bytes && m->inject[engine]) {
		m->inject[engine] = false;
		return fails(f, PDDGPU_FAULT_INJECTED, 0, true, dst);
	}
	while (done < bytes) {
		uint64_t addr = dst + done;
		struct piece piece = { .bytes = min32(bytes - done, PAGE - addr % PAGE) };
		struct place to;

		if (!reaches(m, f, addr, true, &to))
			return;
		piece.dst = to.page;
		piece.dst_offset = addr % PAGE;
		add_piece(m, f, &piece);
		done += piece.bytes;
	}
}

static void forecast_fence(struct model *m, uint32_t engine, const struct packet *packet,
			   struct forecast *f)
{
	uint64_t addr = packet->word[0];
	struct piece piece = { .bytes = 8, .dst_offset = addr % PAGE };
	struct place to;

	if (addr % 8)
		return fails(f, PDDGPU_FAULT_BAD_PACKET, 0, false, packet->addr);
	if (m->inject[engine]) {
		m->inject[engine] = false;
		return fails(f, PDDGPU_FAULT_INJECTED, 0, true, addr);
	}
	if (!reaches(m, f, addr, true, &to))
		return;
	piece.dst = to.page;
	add_piece(m, f, &piece);
}

/* What the pieces write, in their order, into @moved */
static void gather(struct model *m, const struct packet *packet, struct forecast *f)
{
	size_t at = 0;

	for (uint32_t i = 0; i < f->writes; i++) {
		const struct piece *piece = &pieces[i];

		if (packet->opcode == PDDGPU_OP_COPY)
			memcpy(moved + at, m->mem + (size_t)piece->src * PAGE +
			       piece->src_offset, piece->bytes);
		else if (packet->opcode == PDDGPU_OP_FENCE)
			memcpy(moved + at, &packet->word[1], 8);
		else
			for (uint32_t k = 0; k < piece->bytes; k += 4)
				memcpy(moved + at + k, &packet->high, 4);
		at += piece->bytes;
	}
}

/* What writes the tables that it goes through itself ends anyhow. */
static void note_own_tables(struct model *m, struct forecast *f)
{
	size_t at = 0;

	for (uint32_t i = 0; i < f->writes; i++) {
		if (model_hits_entry(m, pieces[i].dst, pieces[i].dst_offset, moved + at,
				     pieces[i].bytes))
			f->known = false;
		at += pieces[i].bytes;
	}
}

/*
 * A packet whose end cannot be told may get past a page where it would fail by the
 * tables as they are: all that it names may be written.
 */
static void may_write_all(struct model *m, const struct forecast *f)
{
	const struct {
		uint64_t start;
		uint64_t end;
	} ranges[] = {
		{ LAYOUT_VRAM_START, LAYOUT_VRAM_START + (uint64_t)m->vram_pages * PAGE },
		{ LAYOUT_GTT_START, LAYOUT_GTT_START + FUZZ_GTT },
	};
	uint64_t end = f->dst + f->dst_bytes < f->dst ? ~0ull : f->dst + f->dst_bytes;
	struct place place;

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		uint64_t addr = f->dst > ranges[i].start ? f->dst : ranges[i].start;
		uint64_t stop = end < ranges[i].end ? end : ranges[i].end;

		for (; addr < stop; addr = (addr | (PAGE - 1)) + 1)
			model_walk(m, addr, true, true, true, &place);
	}
}

void forecast_run(struct model *m, uint32_t engine, const struct packet *packet,
		  struct forecast *f)
{
	*f = (struct forecast) { .known = true, .result = PACKET_DONE };
	if (packet->opcode == PDDGPU_OP_COPY) {
		f->dst = packet->word[1];
		f->dst_bytes = packet->word[2];
	} else if (packet->opcode != PDDGPU_OP_NOP) {
		f->dst = packet->word[0];
		f->dst_bytes = packet->opcode == PDDGPU_OP_FILL ? packet->word[1] : 8;
	}
	if (m->stale)
		may_write_all(m, f);
	switch (packet->opcode) {
	case PDDGPU_OP_COPY:
		forecast_copy(m, engine, packet, f);
		break;
	case PDDGPU_OP_FILL:
		forecast_fill(m, engine, packet, f);
		break;
	case PDDGPU_OP_FENCE:
		forecast_fence(m, engine, packet, f);
		break;
	}
	gather(m, packet, f);
	note_own_tables(m, f);
}

/* A packet that has faulted has done any part of its work, byte by byte. */
static void check_part(struct model *m, const struct piece *piece, const uint8_t *new)
{
	const uint8_t *have = rig_page(m, piece->dst) + piece->dst_offset;
	const uint8_t *old = m->mem + (size_t)piece->dst * PAGE + piece->dst_offset;

	for (uint32_t i = 0; i < piece->bytes; i++)
		fuzz_check(have[i] == old[i] || have[i] == new[i],
			   "page %u, byte %u: %02x, neither %02x nor %02x", piece->dst,
			   piece->dst_offset + i, have[i], old[i], new[i]);
	model_write(m, piece->dst, piece->dst_offset, have, piece->bytes);
}

/* The packet has run: memory is as foretold, or taken as it is. */
void forecast_apply(struct model *m, struct forecast *f)
{
	size_t at = 0;

	for (uint32_t i = 0; f->known && i < f->writes; i++) {
		const struct piece *piece = &pieces[i];

		if (f->result == PACKET_FAULT)
			check_part(m, piece, moved + at);
		else
			model_write(m, piece->dst, piece->dst_offset, moved + at,
				    piece->bytes);
		at += piece->bytes;
	}
	if (!f->known) {
		may_write_all(m, f);
		model_take(m, true);
		return;
	}
	for (uint32_t i = 0; i < f->writes; i++)
		if (!i || pieces[i].dst != pieces[i - 1].dst)
			model_compare_page(m, pieces[i].dst);
}
