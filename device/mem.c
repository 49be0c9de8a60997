// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layout.h"
#include "log.h"
#include "mem.h"

/* As QEMU's q35 machine splits RAM round the hole below 4 GiB */
#define Q35_LOWMEM_MAX		0xb0000000ull
#define Q35_LOWMEM_SPLIT	0x80000000ull
#define HIGH_RAM_START		(4 * GIB)

#define VRAM_BAR_OFFSET		((uint64_t)PDDGPU_VRAM_BAR_OFFSET_DEFAULT)
#define VRAM_POISON		0xdb

static int fail(const char *what)
{
	log_error("%s: %s", what, strerror(errno));
	return -1;
}

static uint64_t power_of_two_from(uint64_t size)
{
	uint64_t power = 1;

	while (power < size)
		power <<= 1;
	return power;
}

/*
 * QEMU gets the BAR's descriptor: sealed, it cannot cut the memory short under
 * the engines, which would kill them with SIGBUS.
 */
static int make_memfd(const char *name, uint64_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	if (ftruncate(fd, size) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool map_at(uint8_t *where, uint64_t size, int fd, uint64_t offset)
{
	return mmap(where, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		    fd, offset) == where;
}

static int init_vram(struct mem *mem)
{
	uint64_t hidden = mem->vram_size - mem->visible_size;
	void *p;

	mem->bar_size = power_of_two_from(VRAM_BAR_OFFSET + mem->visible_size);
	mem->bar_fd = make_memfd("pddgpu-bar", mem->bar_size);
	if (mem->bar_fd < 0)
		return fail("memory for BAR2");
	p = mmap(NULL, VRAM_BAR_OFFSET, PROT_READ | PROT_WRITE, MAP_SHARED,
		 mem->bar_fd, 0);
	if (p == MAP_FAILED)
		return fail("mapping of BAR2");
	mem->bar = p;

	/* One piece of addresses, so that an engine sees no seam */
	p = mmap(NULL, mem->vram_size, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return fail("address space for VRAM");
	mem->vram = p;
	if (!map_at(mem->vram, mem->visible_size, mem->bar_fd, VRAM_BAR_OFFSET))
		return fail("mapping of visible VRAM");
	if (!hidden)
		return 0;
	mem->hidden_fd = make_memfd("pddgpu-vram", hidden);
	if (mem->hidden_fd < 0)
		return fail("memory for invisible VRAM");
	if (!map_at(mem->vram + mem->visible_size, hidden, mem->hidden_fd, 0))
		return fail("mapping of invisible VRAM");
	return 0;
}

/* The file gets its size before QEMU or the device maps it. */
static int size_ram(struct mem *mem, const char *path)
{
	struct stat st;

	if (fstat(mem->ram_fd, &st))
		return fail(path);
	if (!S_ISREG(st.st_mode)) {
		log_error("%s: not a regular file", path);
		return -1;
	}
	if (!mem->ram_size) {
		mem->ram_size = st.st_size;
		if (!mem->ram_size || mem->ram_size % PDDGPU_MMU_PAGE_SIZE) {
			log_error("%s: %llu bytes is no size for RAM; give --ram-size",
				  path, (unsigned long long)mem->ram_size);
			return -1;
		}
	} else if ((uint64_t)st.st_size < mem->ram_size &&
		   ftruncate(mem->ram_fd, mem->ram_size)) {
		return fail(path);
	}
	return 0;
}

static int init_ram(struct mem *mem, const struct options *options)
{
	const char *path = options->ram_path;
	void *p;

	if (!path)
		return 0;
	mem->ram_size = options->ram_size;
	mem->ram_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
	if (mem->ram_fd < 0)
		return fail(path);
	if (size_ram(mem, path))
		return -1;

	mem->lowmem_size = options->lowmem_size;
	if (mem->lowmem_size == UINT64_MAX)
		mem->lowmem_size = mem->ram_size < Q35_LOWMEM_MAX ?
				   mem->ram_size : Q35_LOWMEM_SPLIT;
	if (mem->lowmem_size > mem->ram_size) {
		log_error("--lowmem: more than the RAM");
		return -1;
	}
	p = mmap(NULL, mem->ram_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		 mem->ram_fd, 0);
	if (p == MAP_FAILED)
		return fail(path);
	mem->ram = p;
	return 0;
}

/* Only somebody on the host can cause it, by cutting the RAM's file short. */
static void on_sigbus(int signal)
{
	static const char text[] =
		"pddgpu-device: guest RAM is gone: its file was truncated\n";
	ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)signal;
	(void)n;
	_exit(1);
}

/**
 * mem_init() - make VRAM, map the guest's RAM
 * @mem: the memory
 * @options: sizes and paths
 *
 * Nothing is touched, so VRAM costs no memory until it is used.
 *
 * Return: 0, or -1 after a message; mem_fini() is due in both cases.
 */
int mem_init(struct mem *mem, const struct options *options)
{
	struct sigaction action = { .sa_handler = on_sigbus };

	*mem = (struct mem) {
		.vram_size = options->vram_size,
		.visible_size = options->visible_size,
		.bar_fd = -1,
		.hidden_fd = -1,
		.ram_fd = -1,
	};
	if (sigaction(SIGBUS, &action, NULL))
		return fail("sigaction");
	if (init_vram(mem) || init_ram(mem, options))
		return -1;
	return 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/**
 * mem_fini() - give everything back
 * @mem: the memory, also one whose mem_init() failed
 */
void mem_fini(struct mem *mem)
{
	if (mem->ram)
		munmap(mem->ram, mem->ram_size);
	if (mem->vram)
		munmap(mem->vram, mem->vram_size);
	if (mem->bar)
		munmap(mem->bar, VRAM_BAR_OFFSET);
	mem->ram = NULL;
	mem->vram = NULL;
	mem->bar = NULL;
	close_fd(&mem->ram_fd);
	close_fd(&mem->hidden_fd);
	close_fd(&mem->bar_fd);
}

/**
 * mem_system_page() - find guest RAM by bus address
 * @mem: the memory
 * @bus: the bus address
 * @bytes: how much must lie there in one piece
 *
 * Return: where it is mapped, or NULL when any of it is not RAM.
 */
uint8_t *mem_system_page(const struct mem *mem, uint64_t bus, uint64_t bytes)
{
	uint64_t high = mem->ram_size - mem->lowmem_size;

	if (bus < mem->lowmem_size)
		return bytes <= mem->lowmem_size - bus ? mem->ram + bus : NULL;
	if (bus < HIGH_RAM_START)
		return NULL;
	bus -= HIGH_RAM_START;
	if (bus >= high || bytes > high - bus)
		return NULL;
	return mem->ram + mem->lowmem_size + bus;
}

/* What was never written has no pages, and gets none here. */
static void poison(uint8_t *map, int fd, off_t start, off_t size)
{
	off_t data = start;
	off_t end = start + size;

	while (data < end) {
		off_t hole;

		data = lseek(fd, data, SEEK_DATA);
		if (data < 0 || data >= end)
			return;
		hole = lseek(fd, data, SEEK_HOLE);
		if (hole < 0 || hole > end)
			hole = end;
		memset(map + (data - start), VRAM_POISON, hole - data);
		data = hole;
	}
}

/**
 * mem_poison_vram() - lose what VRAM holds
 * @mem: the memory
 *
 * Pages that were ever written read as 0xdb bytes afterwards. The engines are
 * stopped.
 */
void mem_poison_vram(struct mem *mem)
{
	poison(mem->vram, mem->bar_fd, VRAM_BAR_OFFSET, mem->visible_size);
	if (mem->hidden_fd >= 0)
		poison(mem->vram + mem->visible_size, mem->hidden_fd, 0,
		       mem->vram_size - mem->visible_size);
}

static void discard(int fd, uint64_t size)
{
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, size))
		log_error("VRAM could not be given back: %s", strerror(errno));
}

/**
 * mem_discard_vram() - switch VRAM and the register file off and on
 * @mem: the memory
 *
 * Everything reads as zeros and costs no memory.
 */
void mem_discard_vram(struct mem *mem)
{
	discard(mem->bar_fd, mem->bar_size);
	if (mem->hidden_fd >= 0)
		discard(mem->hidden_fd, mem->vram_size - mem->visible_size);
}
