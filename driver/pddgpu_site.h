/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where buffers are allocated.
 */
#ifndef PDDGPU_SITE_H
#define PDDGPU_SITE_H

#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/jump_label.h>
#include <linux/kallsyms.h>
#include <linux/types.h>
#include <linux/uidgid.h>

struct drm_pddgpu_frame;
struct pddgpu_site_fast;
struct pddgpu_sites;
struct seq_file;

/* The driver's own callers, each a site of one frame; and whole call stacks */
#define PDDGPU_SITE_CALLERS	16
#define PDDGPU_SITE_STACKS	4096
/* Sites have numbers from 1 on, first those of callers */
#define PDDGPU_SITES		(PDDGPU_SITE_CALLERS + PDDGPU_SITE_STACKS)

static_assert(PDDGPU_SITES <= U16_MAX);

/* Frames that are kept of the kernel's stack and of the process's own */
#define PDDGPU_SITE_KERNEL_FRAMES	8
#define PDDGPU_SITE_USER_FRAMES		16

/* Bytes that are kept of a file's path, from its end, with a NUL; as in the uapi */
#define PDDGPU_SITE_NAME	112

/**
 * struct pddgpu_site_place - an address of a process's, as others can understand it
 */
struct pddgpu_site_place {
	/** @offset: in the file */
	u64 offset;
	/** @name: the end of its path; empty: what is there is no file's */
	char name[PDDGPU_SITE_NAME];
};

/**
 * struct pddgpu_site_walk - a process's call stack
 */
struct pddgpu_site_walk {
	/** @nr: how many return addresses were found */
	u32 nr;
	/** @addrs: they, innermost first; the first is where the process is */
	unsigned long addrs[PDDGPU_SITE_USER_FRAMES];
	/** @slots: where on the stack each but the first was found */
	unsigned long slots[PDDGPU_SITE_USER_FRAMES];
};

/**
 * struct pddgpu_site_at - a frame of a call stack
 */
struct pddgpu_site_at {
	/** @at: a return address of the kernel's, or an offset in a file */
	u64 at;
	/** @file: the end of the file's path; NULL: it is in none. As long as the sites */
	const char *file;
	/** @kernel: which of the two */
	bool kernel;
};

/* Bytes of a frame as a word, with its NUL */
#define PDDGPU_SITE_WORD	KSYM_SYMBOL_LEN

static_assert(PDDGPU_SITE_WORD > 4 * PDDGPU_SITE_NAME + sizeof("+0x0123456789abcdef"));

/**
 * struct pddgpu_site_names - symbols that were looked up lately
 */
struct pddgpu_site_names {
	/** @frame: return addresses; 0 none */
	unsigned long frame[16];
	/** @name: what each is called */
	char name[16][PDDGPU_SITE_WORD];
	/** @next: which makes room for the next */
	u32 next;
};

struct pddgpu_sites *pddgpu_sites_create(void);
void pddgpu_sites_destroy(struct pddgpu_sites *sites);
u16 pddgpu_site_caller(struct pddgpu_sites *sites, unsigned long caller);
u16 pddgpu_site_stack(struct pddgpu_sites *sites, unsigned long caller);
u32 pddgpu_sites_last(struct pddgpu_sites *sites);
bool pddgpu_site_may_see(struct pddgpu_sites *sites, u32 site, kuid_t uid);
u32 pddgpu_site_nr(struct pddgpu_sites *sites, u32 site);
struct pddgpu_site_at pddgpu_site_at(struct pddgpu_sites *sites, u32 site, u32 frame);

/* pddgpu_site_read.c */
void pddgpu_site_read(struct pddgpu_sites *sites, u32 site, u32 frame,
		      struct drm_pddgpu_frame *out, char *symbol);
void pddgpu_site_word(struct pddgpu_sites *sites, u32 site, u32 frame,
		      struct pddgpu_site_names *names, char *word);
void pddgpu_site_show(struct pddgpu_sites *sites, struct pddgpu_site_names *names,
		      struct seq_file *m, u32 site);
void pddgpu_site_frame_name(unsigned long frame, char *name);

/* pddgpu_site_user.c */
void pddgpu_site_user_walk(struct pddgpu_site_walk *walk);
struct pddgpu_site_place *pddgpu_site_user_resolve(const unsigned long *addrs, u32 *nr);

/* pddgpu_site_fast.c */
struct pddgpu_site_fast *pddgpu_site_fast_create(void);
u16 pddgpu_site_fast_find(struct pddgpu_site_fast *fast, u64 key);
void pddgpu_site_fast_keep(struct pddgpu_site_fast *fast, u64 key,
			   const struct pddgpu_site_walk *walk, u16 site);

/* pddgpu_site_call.c */
bool pddgpu_site_call_possible(unsigned long word, unsigned long stack);
bool pddgpu_site_call_before(unsigned long address);
bool pddgpu_site_call_leads(unsigned long address, unsigned long place, bool first);

DECLARE_STATIC_KEY_FALSE(pddgpu_site_stacks_key);

/**
 * pddgpu_site_note() - keep where the current process allocates something
 * @sites: the sites
 * @caller: a return address that names the way it came in the driver
 *
 * Context: may sleep where whole stacks are kept, and allocate memory.
 * Return: a number; 0 when it is not known.
 */
static __always_inline u16 pddgpu_site_note(struct pddgpu_sites *sites, unsigned long caller)
{
	u16 site = 0;

	if (static_branch_unlikely(&pddgpu_site_stacks_key))
		site = pddgpu_site_stack(sites, caller);
	return site ?: pddgpu_site_caller(sites, caller);
}

#endif /* PDDGPU_SITE_H */
