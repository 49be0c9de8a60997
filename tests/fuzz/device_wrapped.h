/* SPDX-License-Identifier: MIT */
/* What the linker leads to device_hooks.c, by its own name */
#ifndef DEVICE_WRAPPED_H
#define DEVICE_WRAPPED_H

#include <pthread.h>
#include <time.h>

#include "device_fuzz.h"

bool __real_engine_access_begin(struct engine *engine, uint64_t epoch);
bool __real_mmu_access(const struct mmu *mmu, struct tlb *tlb, uint64_t addr, bool write,
		       struct translation *out, struct fault *fault);
bool __real_mmu_run(const struct mmu *mmu, struct tlb *tlb, uint64_t addr, uint64_t want,
		    bool write, struct translation *out, struct fault *fault);
int __real_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
				  const struct timespec *until);
enum packet_result __real_packet_fetch(struct engine *engine,
				       const struct ring_view *ring,
				       struct packet *packet, struct fault *fault);
enum packet_result __real_packet_run(struct engine *engine, uint64_t epoch,
				     const struct packet *packet, struct fault *fault);
void __real_irq_fence(struct irq *irq, uint32_t engine, uint64_t addr, uint64_t sequence);
void __real_irq_engine_reset(struct irq *irq, uint32_t engine);
void __real_irq_fault(struct irq *irq, uint32_t engine, const struct fault *fault);
void __real_irq_control(struct irq *irq);
void __real_irq_power_on(struct irq *irq);

#endif /* DEVICE_WRAPPED_H */
