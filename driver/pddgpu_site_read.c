// SPDX-License-Identifier: GPL-2.0
/*
 * Telling of where buffers are allocated: names of functions and files, never an address.
 */
#include <linux/array_size.h>
#include <linux/ctype.h>
#include <linux/kallsyms.h>
#include <linux/kstrtox.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/string_helpers.h>

#include <drm/pddgpu_drm.h>

#include "pddgpu_site.h"

/**
 * pddgpu_site_frame_name() - what a frame of the kernel's call stack is called
 * @frame: a return address
 * @name: out: a symbol and an offset into it, or "?" where there is no symbol, since
 *	an address is nothing to show; KSYM_SYMBOL_LEN bytes
 */
void pddgpu_site_frame_name(unsigned long frame, char *name)
{
	name[0] = '\0';
	/* The call, not the instruction behind it, maybe another function's */
	sprint_symbol(name, frame - 1);
	/* What kallsyms does not know it prints as a number; no symbol begins so */
	if (!name[0] || isdigit(name[0]))
		strscpy(name, "?", KSYM_SYMBOL_LEN);
}

/* A symbol without its size and module: "function+0x12/0x34 [module]" */
static void site_read_symbol(char *symbol, struct drm_pddgpu_frame *out)
{
	char *offset = strchr(symbol, '+'), *size = strchr(symbol, '/');

	if (!offset || !size)
		return;
	*offset++ = '\0';
	*size = '\0';
	if (!kstrtou64(offset, 16, &out->offset))
		strscpy(out->name, symbol, sizeof(out->name));
}

/**
 * pddgpu_site_read() - tell a program of a frame
 * @sites: the sites
 * @site: the site's number
 * @frame: which of its frames, below pddgpu_site_nr()
 * @out: out: the frame; zeroed before
 * @symbol: room for KSYM_SYMBOL_LEN bytes
 */
void pddgpu_site_read(struct pddgpu_sites *sites, u32 site, u32 frame,
		      struct drm_pddgpu_frame *out, char *symbol)
{
	const struct pddgpu_site_at at = pddgpu_site_at(sites, site, frame);

	if (at.kernel) {
		out->kind = PDDGPU_FRAME_KERNEL;
		pddgpu_site_frame_name(at.at, symbol);
		site_read_symbol(symbol, out);
		return;
	}
	out->kind = PDDGPU_FRAME_USER;
	out->offset = at.at;
	if (at.file)
		strscpy(out->name, at.file, sizeof(out->name));
}

/**
 * pddgpu_site_word() - tell people of a frame
 * @sites: the sites
 * @site: the site's number
 * @frame: which of its frames, below pddgpu_site_nr()
 * @names: symbols that were looked up before, which takes 0.1 ms and they repeat; or NULL
 * @word: out: one word, %PDDGPU_SITE_WORD bytes
 */
void pddgpu_site_word(struct pddgpu_sites *sites, u32 site, u32 frame,
		      struct pddgpu_site_names *names, char *word)
{
	const struct pddgpu_site_at at = pddgpu_site_at(sites, site, frame);
	int len;
	u32 i;

	if (at.kernel) {
		for (i = 0; names && i < ARRAY_SIZE(names->frame); i++) {
			if (names->frame[i] != at.at)
				continue;
			strscpy(word, names->name[i], PDDGPU_SITE_WORD);
			return;
		}
		pddgpu_site_frame_name(at.at, word);
		if (names) {
			i = names->next++ % ARRAY_SIZE(names->frame);
			names->frame[i] = at.at;
			strscpy(names->name[i], word, sizeof(names->name[i]));
		}
	} else if (!at.file) {
		strscpy(word, "?", PDDGPU_SITE_WORD);
	} else {
		/* It can hold anything, a newline too */
		len = string_escape_mem(at.file, strlen(at.file), word, PDDGPU_SITE_WORD,
					ESCAPE_OCTAL | ESCAPE_NAP | ESCAPE_APPEND, " \\|");
		snprintf(word + len, PDDGPU_SITE_WORD - len, "+0x%llx", at.at);
	}
}

/**
 * pddgpu_site_show() - print a site
 * @sites: the sites
 * @names: as pddgpu_site_word()
 * @m: where to, on one line
 * @site: its number; one that is not known is "-"
 */
void pddgpu_site_show(struct pddgpu_sites *sites, struct pddgpu_site_names *names,
		      struct seq_file *m, u32 site)
{
	u32 i, nr = pddgpu_site_nr(sites, site);
	char word[PDDGPU_SITE_WORD];

	if (!nr)
		seq_putc(m, '-');
	for (i = 0; i < nr; i++) {
		pddgpu_site_word(sites, site, i, names, word);
		seq_printf(m, "%s%s", i ? " < " : "", word);
	}
}
