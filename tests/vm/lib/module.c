// SPDX-License-Identifier: MIT
/* The driver as a module, and the card on its bus. */
#include "pdt.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

bool pdt_module_loaded(void)
{
	return !access("/sys/module/pddgpu", F_OK);
}

/* 0 or a negative errno: -EAGAIN or -EBUSY while it is in use */
int pdt_module_unload(void)
{
	return syscall(SYS_delete_module, "pddgpu", O_NONBLOCK) ? -errno : 0;
}

/* Sets one that can be set at any time; until the module is loaded again */
int pdt_parameter(const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/pddgpu/parameters/%s", name);
	return pdt_file_write(path, value);
}

/* With parameters, at most a dozen, NULL at the end; waits for the node */
int pdt_module_load_with(const char *const parameters[])
{
	const char *words[16] = { "modprobe", "pddgpu" };

	for (size_t i = 0; i < 12 && parameters[i]; i++)
		words[2 + i] = parameters[i];
	if (pdt_command(words))
		return -ENOEXEC;
	return pdt_wait_for_card();
}

/* As the kernel would for a card that it has found; waits for the node. */
int pdt_module_load(void)
{
	static const char *const none[] = { NULL };

	return pdt_module_load_with(none);
}

/* Waits until the card can be opened. */
int pdt_wait_for_card(void)
{
	uint64_t end = pdt_now_ms() + 10000 * pdt_slow();
	int fd;

	for (;;) {
		fd = pdt_open();
		if (fd >= 0)
			break;
		if (pdt_now_ms() > end)
			return fd;
		pdt_sleep_ms(20);
	}
	close(fd);
	/* What the guest does with a new node, which may take it a moment */
	return chmod(pdt_render_path(), 0666) ? -errno : 0;
}

/* The number that is all of a file of the card's in sysfs */
int pdt_sysfs_u64(const char *name, uint64_t *value)
{
	char path[PATH_MAX];

	if (!pdt_pci_name())
		return -ENODEV;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", pdt_pci_name(), name);
	return pdt_file_u64(path, value);
}

/* Writes to a file of a PCI device in sysfs. */
int pdt_pci_write(const char *device, const char *file, const char *text)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", device, file);
	return pdt_file_write(path, text);
}

/* The driver that a PCI device is bound to; an empty string for none */
void pdt_pci_driver(const char *device, char *driver, size_t room)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t n;

	driver[0] = '\0';
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", device);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return;
	target[n] = '\0';
	snprintf(driver, room, "%s", strrchr(target, '/') + 1);
}

/* The PCI devices with ivshmem's identity; at most @max of their names */
size_t pdt_pci_ivshmem(char (*names)[32], size_t max)
{
	struct dirent **list;
	int n = scandir("/sys/bus/pci/devices", &list, NULL, alphasort);
	size_t found = 0;

	for (int i = 0; i < n; i++) {
		char path[PATH_MAX];
		char *vendor, *device;

		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vendor", list[i]->d_name);
		vendor = pdt_file_read(path);
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/device", list[i]->d_name);
		device = pdt_file_read(path);
		if (vendor && device && !strcmp(vendor, "0x1af4\n") &&
		    !strcmp(device, "0x1110\n") && found < max)
			snprintf(names[found++], sizeof(names[0]), "%.31s", list[i]->d_name);
		free(vendor);
		free(device);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return found;
}
