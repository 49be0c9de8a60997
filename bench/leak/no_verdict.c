// SPDX-License-Identifier: MIT
#include "verdict.h"
struct verdict { int x; } one;
const char *rating_name(enum rating rating) { (void)rating; return ""; }
bool rating_is_leak(enum rating rating) { return rating >= RATING_IDLE; }
struct verdict *verdict_new(void) { return &one; }
void verdict_free(struct verdict *v) { (void)v; }
int verdict_begin(struct verdict *v, uint64_t n) { (void)v; (void)n; return 0; }
int verdict_add(struct verdict *v, const struct drm_pddgpu_object *o) { (void)v; (void)o; return 0; }
int verdict_end(struct verdict *v) { (void)v; return 0; }
enum rating verdict_rating(const struct verdict *v, uint64_t id) { (void)v; (void)id; return RATING_NEW; }
const struct verdict_group *verdict_group_of(const struct verdict *v, uint64_t id) { (void)v; (void)id; return 0; }
uint64_t verdict_leaked(const struct verdict *v) { (void)v; return 0; }
