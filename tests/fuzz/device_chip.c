// SPDX-License-Identifier: MIT
/* Fuzz target: the chip, by its registers, memory, doorbells and faults. */
#include <stdlib.h>
#include <string.h>

#include "device_ops.h"
#include "device_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	ops_run(rig_begin(data[0] / (INPUT_MACHINE & -INPUT_MACHINE)), data[0], data + 1,
		size - 1);
	rig_end();
	return 0;
}

/* Records stay whole: what moves them by a byte makes another input of it. */
#define RECORD	sizeof(struct record)

static size_t mutate_record(uint8_t *data, size_t records, size_t room)
{
	struct record r;
	size_t which;

	if (!records || (rand() % 4 == 0 && (records + 1) * RECORD <= room)) {
		which = rand() % (records + 1);
		memmove(data + (which + 1) * RECORD, data + which * RECORD,
			(records - which) * RECORD);
		records++;
		memset(&r, 0, sizeof(r));
		r.op = rand() % 16;
		r.a = rand();
		r.b = rand();
		r.c = (uint32_t)rand() << 16 ^ rand();
		r.d = (uint64_t)rand() << 40 ^ (uint64_t)rand() << 20 ^ rand();
		memcpy(data + which * RECORD, &r, sizeof(r));
		return records;
	}
	which = rand() % records;
	LLVMFuzzerMutate(data + which * RECORD, RECORD, RECORD);
	return records;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	size_t room = max > 1 ? max - 1 : 0, records, from, to;
	uint8_t *first = data + 1;
	struct record r;

	if (room < RECORD)
		return LLVMFuzzerMutate(data, size, max);
	srand(seed);
	if (!size)
		data[0] = 0;
	records = size > 1 ? (size - 1) / RECORD : 0;
	switch (rand() % 8) {
	case 0:	/* another machine */
		data[0] = rand();
		break;
	case 1:	/* one fewer */
		if (records < 2)
			break;
		from = rand() % records;
		memmove(first + from * RECORD, first + (from + 1) * RECORD,
			(records - from - 1) * RECORD);
		records--;
		break;
	case 2:	/* one once more, elsewhere */
		if (!records || (records + 1) * RECORD > room)
			break;
		from = rand() % records;
		to = rand() % (records + 1);
		memcpy(&r, first + from * RECORD, RECORD);
		memmove(first + (to + 1) * RECORD, first + to * RECORD,
			(records - to) * RECORD);
		memcpy(first + to * RECORD, &r, RECORD);
		records++;
		break;
	default:
		for (int i = rand() % 3; i >= 0; i--)
			records = mutate_record(first, records, room);
	}
	return 1 + records * RECORD;
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1, const uint8_t *data2,
				 size_t size2, uint8_t *out, size_t max,
				 unsigned int seed)
{
	size_t n1 = size1 > 1 ? (size1 - 1) / RECORD : 0;
	size_t n2 = size2 > 1 ? (size2 - 1) / RECORD : 0;
	size_t room = max > 1 ? (max - 1) / RECORD : 0;
	size_t head, tail;

	if (!size1 || !size2 || !max)
		return 0;
	srand(seed);
	head = rand() % (n1 + 1);
	tail = rand() % (n2 + 1);
	head = head < room ? head : room;
	tail = head + tail < room ? tail : room - head;
	out[0] = data1[0];
	memcpy(out + 1, data1 + 1, head * RECORD);
	memcpy(out + 1 + head * RECORD, data2 + 1 + (n2 - tail) * RECORD, tail * RECORD);
	return 1 + (head + tail) * RECORD;
}
