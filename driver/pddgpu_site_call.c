// SPDX-License-Identifier: GPL-2.0
/*
 * Calls in the current process's code.
 *
 * Much code keeps no frame pointers, libdrm's and the C library's among it, and a chain
 * of them ends there. Return addresses are on the stack all the same, among other
 * words. One of them is told by the instruction before it: a call, and one that leads
 * to the function that was found before it. Only calls whose target can be known are
 * taken: direct ones, and those by way of a table that the dynamic linker has filled.
 *
 * This is what a person would do who reads a stack, and it can be wrong: what an
 * earlier call has left there may fit as well. Nothing here trusts what it reads.
 */
#include <linux/compat.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>
#include <linux/unaligned.h>

#include "pddgpu_site.h"

/* How far into its function a place is at most; the first is in a wrapper of a call */
#define SITE_CALL_REACH		4096
#define SITE_CALL_REACH_FIRST	256

/* Bytes of the longest call that is looked for, and of a stub that jumps on */
#define SITE_CALL_BYTES		8
#define SITE_STUB_BYTES		16

static bool site_call_read(unsigned long at, void *out, size_t bytes)
{
	return !copy_from_user_nofault(out, (void __user *)at, bytes);
}

/* Signed, little-endian */
static unsigned long site_call_offset(const u8 *bytes)
{
	return (unsigned long)(long)(s32)get_unaligned_le32(bytes);
}

/**
 * pddgpu_site_call_possible() - may a word be a return address?
 * @word: the word
 * @stack: an address on the stack
 *
 * Quick; most words are no such thing.
 *
 * Return: whether it may.
 */
bool pddgpu_site_call_possible(unsigned long word, unsigned long stack)
{
	const struct mm_struct *mm = current->mm;

	if (word < PAGE_SIZE || word >= TASK_SIZE_MAX)
		return false;
	/* On the stack, or in the heap */
	if (word - (stack & ~(SZ_8M - 1)) < SZ_8M)
		return false;
	return word < mm->start_brk || word >= mm->brk;
}

/**
 * pddgpu_site_call_before() - is there a call before an address?
 * @address: the address
 *
 * Return: whether there is something that looks like one.
 */
bool pddgpu_site_call_before(unsigned long address)
{
	u8 code[SITE_CALL_BYTES];

	if (!site_call_read(address - sizeof(code), code, sizeof(code)))
		return false;
	/* call rel32; call *..., of two to seven bytes */
	if (code[3] == 0xe8)
		return true;
	for (unsigned int i = 1; i < 7; i++)
		if (code[i] == 0xff && (code[i + 1] & 0x38) == 0x10)
			return true;
	return false;
}

/* Where a stub jumps to: endbr64 and bnd, which there may be, then jmp *table(%rip) */
static bool site_call_stub(unsigned long stub, unsigned long *target)
{
	static const u8 landing[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	u8 code[SITE_STUB_BYTES];
	unsigned int at = 0;

	if (!site_call_read(stub, code, sizeof(code)))
		return false;
	if (!memcmp(code, landing, sizeof(landing)))
		at += sizeof(landing);
	if (code[at] == 0xf2)
		at++;
	if (code[at] != 0xff || code[at + 1] != 0x25)
		return false;
	return site_call_read(stub + at + 6 + site_call_offset(&code[at + 2]), target,
			      sizeof(*target));
}

/**
 * pddgpu_site_call_leads() - has a call before an address led to a place?
 * @address: the address
 * @place: where the process was then
 * @first: the place is one in which the process entered the kernel
 *
 * Return: whether there is a call to somewhat before the place.
 */
bool pddgpu_site_call_leads(unsigned long address, unsigned long place, bool first)
{
	unsigned long reach = first ? SITE_CALL_REACH_FIRST : SITE_CALL_REACH, target;
	u8 code[SITE_CALL_BYTES];

	if (!site_call_read(address - sizeof(code), code, sizeof(code)))
		return false;
	if (code[3] == 0xe8) {
		target = address + site_call_offset(&code[4]);
		if (place - target < reach)
			return true;
		return site_call_stub(target, &target) && place - target < reach;
	}
	return code[2] == 0xff && code[3] == 0x15 &&
	       site_call_read(address + site_call_offset(&code[4]), &target, sizeof(target)) &&
	       place - target < reach;
}
