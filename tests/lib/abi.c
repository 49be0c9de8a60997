// SPDX-License-Identifier: MIT
/* Prints what programs that use libpddgpu have built into them; see abi.txt. */
#include <stdio.h>

#include <pddgpu.h>

#define SIZE(type)		printf("size %s %zu\n", #type, sizeof(type))
#define MEMBER(type, member)	printf("offset %s %s %zu\n", #type, #member, \
				       offsetof(type, member))
#define VALUE(name)		printf("value %s %lld\n", #name, (long long)(name))

static void who(void)
{
	SIZE(struct pddgpu_owner);
	MEMBER(struct pddgpu_owner, client_id);
	MEMBER(struct pddgpu_owner, pid);
	MEMBER(struct pddgpu_owner, comm);
	MEMBER(struct pddgpu_owner, bytes);
	MEMBER(struct pddgpu_owner, objects);
	MEMBER(struct pddgpu_owner, reserved);
	SIZE(struct pddgpu_leak);
	MEMBER(struct pddgpu_leak, age_ms);
	MEMBER(struct pddgpu_leak, size);
	MEMBER(struct pddgpu_leak, domain);
	MEMBER(struct pddgpu_leak, state);
	MEMBER(struct pddgpu_leak, pid);
	MEMBER(struct pddgpu_leak, confirmed);
	MEMBER(struct pddgpu_leak, comm);
	MEMBER(struct pddgpu_leak, label);
	MEMBER(struct pddgpu_leak, stack);
	MEMBER(struct pddgpu_leak, reserved);
	SIZE(struct pddgpu_block);
	MEMBER(struct pddgpu_block, offset);
	MEMBER(struct pddgpu_block, size);
	MEMBER(struct pddgpu_block, state);
	MEMBER(struct pddgpu_block, pid);
	MEMBER(struct pddgpu_block, client_id);
	MEMBER(struct pddgpu_block, comm);
	MEMBER(struct pddgpu_block, reserved);
}

static void values(void)
{
	VALUE(PDDGPU_REGION_VRAM);
	VALUE(PDDGPU_REGION_GTT);
	VALUE(PDDGPU_REGION_CPU);
	VALUE(PDDGPU_REGIONS);
	VALUE(PDDGPU_STATE_LIVE);
	VALUE(PDDGPU_STATE_ORPHAN);
	VALUE(PDDGPU_STATE_ZOMBIE);
	VALUE(PDDGPU_STATES_OWNED);
	VALUE(PDDGPU_STATE_KERNEL);
	VALUE(PDDGPU_STATE_FREE);
	VALUE(PDDGPU_STATE_CLEARING);
	VALUE(PDDGPU_STATE_UNKNOWN);
	VALUE(PDDGPU_EVENT_LEAK_ALERT);
	VALUE(PDDGPU_EVENT_LEAK_CLEAR);
	VALUE(PDDGPU_EVENT_WEDGED);
	VALUE(PDDGPU_EVENT_ADDED);
	VALUE(PDDGPU_EVENT_REMOVED);
	VALUE(PDDGPU_COMM_MAX);
	VALUE(PDDGPU_LABEL_MAX);
}

int main(void)
{
	SIZE(struct pddgpu_device_id);
	MEMBER(struct pddgpu_device_id, pci);
	MEMBER(struct pddgpu_device_id, render);
	MEMBER(struct pddgpu_device_id, primary);
	MEMBER(struct pddgpu_device_id, card);
	MEMBER(struct pddgpu_device_id, reserved);
	SIZE(struct pddgpu_bo_info);
	MEMBER(struct pddgpu_bo_info, size);
	MEMBER(struct pddgpu_bo_info, gpu_address);
	MEMBER(struct pddgpu_bo_info, domain);
	MEMBER(struct pddgpu_bo_info, flags);
	MEMBER(struct pddgpu_bo_info, reserved);
	SIZE(struct pddgpu_event);
	MEMBER(struct pddgpu_event, type);
	MEMBER(struct pddgpu_event, card);
	MEMBER(struct pddgpu_event, pci);
	MEMBER(struct pddgpu_event, used_bytes);
	MEMBER(struct pddgpu_event, threshold_bytes);
	MEMBER(struct pddgpu_event, reserved);
	who();
	values();
	return 0;
}
