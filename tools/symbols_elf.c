// SPDX-License-Identifier: MIT
/*
 * Functions and lines of ELF files, by libelf and libdw.
 */
#include <dlfcn.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbols.h"

/* Open at one time; more than a stack goes through */
#define ELVES_MAX	32
/* Bytes of a text that are for functions that were put into others, with a NUL */
#define INLINED_MAX	128

struct function {
	uint64_t from, size;
	const char *name;	/* the file's */
	bool global;
};

struct elf {
	char *path;
	int fd, debug_fd;
	Elf *elf, *debug_elf;
	Dwarf *dwarf;
	struct function *functions;
	size_t count;
};

struct elves {
	struct elf elf[ELVES_MAX];
	unsigned int count, oldest;
	char *(*demangle)(const char *name, char *buffer, size_t *length, int *status);
};

struct elves *elves_new(void)
{
	struct elves *elves = calloc(1, sizeof(*elves));
	void *library;

	if (!elves || elf_version(EV_CURRENT) == EV_NONE) {
		free(elves);
		return NULL;
	}
	/* Where there are programs in C++, there is its library; else there is no need */
	library = dlopen("libstdc++.so.6", RTLD_LAZY);
	if (library)
		*(void **)&elves->demangle = dlsym(library, "__cxa_demangle");
	return elves;
}

static void elf_free(struct elf *elf)
{
	if (elf->dwarf)
		dwarf_end(elf->dwarf);
	if (elf->debug_elf)
		elf_end(elf->debug_elf);
	if (elf->elf)
		elf_end(elf->elf);
	if (elf->debug_fd >= 0)
		close(elf->debug_fd);
	if (elf->fd >= 0)
		close(elf->fd);
	free(elf->functions);
	free(elf->path);
	memset(elf, 0, sizeof(*elf));
}

void elves_free(struct elves *elves)
{
	while (elves && elves->count)
		elf_free(&elves->elf[--elves->count]);
	free(elves);
}

/* A file and nothing else: whatever waits, or does something when it is opened, is none */
static int open_file(const char *path)
{
	int place = open(path, O_PATH | O_CLOEXEC), fd = -1;
	struct stat status;
	char name[32];

	if (place < 0)
		return -1;
	if (!fstat(place, &status) && S_ISREG(status.st_mode)) {
		snprintf(name, sizeof(name), "/proc/self/fd/%d", place);
		fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	}
	close(place);
	return fd;
}

/* ---- what functions there are ---- */

static int by_place(const void *a, const void *b)
{
	const struct function *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	/* The one that is known outside last: it is what is found */
	return x->global - y->global;
}

static void add_symbols(struct elf *elf, Elf *from, Elf_Scn *section, const GElf_Shdr *header)
{
	size_t count = header->sh_entsize ? header->sh_size / header->sh_entsize : 0, i;
	Elf_Data *data = elf_getdata(section, NULL);
	struct function *more;

	if (!data || !count || count > data->d_size / header->sh_entsize)
		return;
	more = reallocarray(elf->functions, elf->count + count, sizeof(*more));
	if (!more)
		return;
	elf->functions = more;
	for (i = 0; i < count; i++) {
		struct function *function = &more[elf->count];
		GElf_Sym symbol;

		if (!gelf_getsym(data, (int)i, &symbol) ||
		    (GELF_ST_TYPE(symbol.st_info) != STT_FUNC &&
		     GELF_ST_TYPE(symbol.st_info) != STT_GNU_IFUNC) ||
		    symbol.st_shndx == SHN_UNDEF)
			continue;
		function->name = elf_strptr(from, header->sh_link, symbol.st_name);
		if (!function->name || !*function->name)
			continue;
		function->from = symbol.st_value;
		function->size = symbol.st_size;
		function->global = GELF_ST_BIND(symbol.st_info) != STB_LOCAL;
		elf->count++;
	}
}

/* Of all symbols where there are some, else of those that a linker needs */
static void read_functions(struct elf *elf)
{
	static const GElf_Word kinds[] = { SHT_SYMTAB, SHT_SYMTAB, SHT_DYNSYM };
	Elf *places[] = { elf->elf, elf->debug_elf, elf->elf };
	unsigned int i;

	for (i = 0; i < 3 && !elf->count; i++) {
		Elf_Scn *section = NULL;
		GElf_Shdr header;

		while (places[i] && (section = elf_nextscn(places[i], section)))
			if (gelf_getshdr(section, &header) && header.sh_type == kinds[i])
				add_symbols(elf, places[i], section, &header);
	}
	if (elf->count)
		qsort(elf->functions, elf->count, sizeof(*elf->functions), by_place);
}

/* ---- debugging information ---- */

/* Where Debian's packages put what was taken out of a file, by what identifies both */
static void open_debug(struct elf *elf)
{
	static const char hex[] = "0123456789abcdef";
	char path[128] = "/usr/lib/debug/.build-id/";
	size_t at = strlen(path);
	const void *id;
	ssize_t length = dwelf_elf_gnu_build_id(elf->elf, &id), i;

	if (length < 3 || length > 40)
		return;
	for (i = 0; i < length; i++) {
		unsigned char byte = ((const unsigned char *)id)[i];

		path[at++] = hex[byte >> 4];
		path[at++] = hex[byte & 15];
		if (!i)
			path[at++] = '/';
	}
	snprintf(path + at, sizeof(path) - at, ".debug");
	elf->debug_fd = open_file(path);
	if (elf->debug_fd < 0)
		return;
	elf->debug_elf = elf_begin(elf->debug_fd, ELF_C_READ_MMAP, NULL);
	if (elf->debug_elf)
		elf->dwarf = dwarf_begin_elf(elf->debug_elf, DWARF_C_READ, NULL);
}

static struct elf *elf_of(struct elves *elves, const char *path)
{
	struct elf *elf;
	unsigned int i;

	for (i = 0; i < elves->count; i++)
		if (!strcmp(elves->elf[i].path, path))
			return &elves->elf[i];
	if (elves->count == ELVES_MAX) {
		elf = &elves->elf[elves->oldest++ % ELVES_MAX];
		elf_free(elf);
	} else {
		elf = &elves->elf[elves->count++];
	}
	elf->debug_fd = -1;
	elf->path = strdup(path);
	elf->fd = open_file(path);
	if (!elf->path)
		_exit(1);
	if (elf->fd < 0)
		return elf;
	elf->elf = elf_begin(elf->fd, ELF_C_READ_MMAP, NULL);
	if (!elf->elf || elf_kind(elf->elf) != ELF_K_ELF)
		return elf;
	elf->dwarf = dwarf_begin_elf(elf->elf, DWARF_C_READ, NULL);
	if (!elf->dwarf)
		open_debug(elf);
	read_functions(elf);
	return elf;
}

/* ---- one place ---- */

/* The address that an offset of the file has in there */
static bool address_of(const struct elf *elf, uint64_t offset, uint64_t *address)
{
	size_t count, i;

	if (!elf->elf || elf_getphdrnum(elf->elf, &count))
		return false;
	for (i = 0; i < count; i++) {
		GElf_Phdr header;

		if (!gelf_getphdr(elf->elf, (int)i, &header) || header.p_type != PT_LOAD ||
		    offset < header.p_offset || offset - header.p_offset >= header.p_filesz)
			continue;
		*address = header.p_vaddr + (offset - header.p_offset);
		return true;
	}
	return false;
}

static const struct function *function_at(const struct elf *elf, uint64_t address)
{
	size_t low = 0, high = elf->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (elf->functions[middle].from <= address)
			low = middle + 1;
		else
			high = middle;
	}
	/* One that has no size, such as in assembler, ends where the next begins */
	while (low--) {
		const struct function *function = &elf->functions[low];

		if (!function->size || address - function->from < function->size)
			return function;
		if (!low || elf->functions[low - 1].from != function->from)
			break;
	}
	return NULL;
}

static bool unit_of(struct elf *elf, uint64_t address, Dwarf_Die *unit)
{
	return elf->dwarf && dwarf_addrdie(elf->dwarf, address, unit);
}

/* Functions that the compiler has put into others: "inner < outer < " */
static size_t put_inlined(struct elf *elf, uint64_t address, char *text, size_t room)
{
	Dwarf_Die unit, *scopes = NULL, *around = NULL;
	size_t length = 0;
	int count, i;

	if (!unit_of(elf, address, &unit) || dwarf_getscopes(&unit, address, &scopes) <= 0)
		return 0;
	/* Behind the first, those are where it is written, not where it has been put */
	count = dwarf_getscopes_die(&scopes[0], &around);
	for (i = 0; i < count && length < room; i++) {
		const char *name;

		if (dwarf_tag(&around[i]) == DW_TAG_subprogram)
			break;
		name = dwarf_tag(&around[i]) == DW_TAG_inlined_subroutine ?
		       dwarf_diename(&around[i]) : NULL;
		if (name)
			length += (size_t)snprintf(text + length, room - length, "%.60s < ", name);
	}
	if (count > 0)
		free(around);
	free(scopes);
	return length < room ? length : 0;
}

static size_t put_line(struct elf *elf, uint64_t address, char *text, size_t room)
{
	Dwarf_Line *line;
	Dwarf_Die unit;
	const char *file, *name;
	int number;

	if (!unit_of(elf, address, &unit))
		return 0;
	line = dwarf_getsrc_die(&unit, address);
	file = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
	if (!file || dwarf_lineno(line, &number) || number <= 0)
		return 0;
	name = strrchr(file, '/');
	return (size_t)snprintf(text, room, " (%.150s:%d)", name ? name + 1 : file, number);
}

/* The function's name in front of what is there: it may have been put into that */
static size_t put_function(const struct elves *elves, const struct function *function,
			   char *text, size_t room)
{
	char *plain = NULL;
	size_t length;
	int status;

	if (elves->demangle && !strncmp(function->name, "_Z", 2) &&
	    strlen(function->name) < 4096)
		plain = elves->demangle(function->name, NULL, NULL, &status);
	snprintf(text, room, "%.200s", plain ? plain : function->name);
	free(plain);
	/* "malloc@@GLIBC_2.2.5" */
	length = strcspn(text, "@");
	return length ? length : strlen(text);
}

void elves_find(struct elves *elves, const char *path, uint64_t offset, char *text)
{
	struct elf *elf = elf_of(elves, path);
	const struct function *function;
	size_t length;
	uint64_t address;

	*text = '\0';
	if (!address_of(elf, offset, &address))
		return;
	function = function_at(elf, address);
	if (!function)
		return;
	length = put_inlined(elf, address, text, INLINED_MAX);
	length += put_function(elves, function, text + length, SYMBOLS_TEXT_MAX - length);
	length += (size_t)snprintf(text + length, SYMBOLS_TEXT_MAX - length, "+0x%llx",
				   (unsigned long long)(address - function->from));
	put_line(elf, address, text + length, SYMBOLS_TEXT_MAX - length);
}
