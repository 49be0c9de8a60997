// SPDX-License-Identifier: MIT
/* The ways in which a card goes and comes back; see test_gone.c. */
#include "pdt.h"

#include <fcntl.h>
#include <unistd.h>

const char *const pdt_way_names[PDT_WAYS] = {
	"all-ones", "off the bus", "dead", "removed", "unbound", "plugged out",
};

static char device[64];

static int memory_decoding_off(void)
{
	char path[128];
	uint16_t command;
	int fd, rc = -EIO;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", device);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (pread(fd, &command, sizeof(command), 4) == sizeof(command)) {
		command &= (uint16_t)~2u;
		if (pwrite(fd, &command, sizeof(command), 4) == sizeof(command))
			rc = 0;
	}
	close(fd);
	return rc;
}

/* The card goes. */
int pdt_take_away(enum pdt_way way)
{
	char answer[256];

	switch (way) {
	case PDT_ONES:
		return pdt_control("all-ones", answer, sizeof(answer));
	case PDT_BUS:
		return memory_decoding_off();
	case PDT_DIE:
		/* It may be gone before it has answered. */
		pdt_control("die", answer, sizeof(answer));
		return 0;
	case PDT_REMOVE:
		return pdt_pci_write(device, "remove", "1");
	case PDT_UNBIND:
		return pdt_file_write("/sys/bus/pci/drivers/pddgpu/unbind", device);
	default:
		return pdt_plug_out();
	}
}

static int rescan(void)
{
	int rc = pdt_file_write("/sys/bus/pci/rescan", "1");

	return rc ? rc : pdt_wait_for_card();
}

/* It comes back, with no fault of the control channel left; returns when it is there. */
int pdt_bring_back(enum pdt_way way)
{
	char answer[256];
	int rc;

	switch (way) {
	case PDT_ONES:
		rc = pdt_control("clear", answer, sizeof(answer));
		if (!rc)
			rc = pdt_file_write("/sys/bus/pci/drivers/pddgpu/unbind", device);
		if (!rc)
			rc = pdt_file_write("/sys/bus/pci/drivers/pddgpu/bind", device);
		return rc ? rc : pdt_wait_for_card();
	case PDT_BUS:
		rc = pdt_pci_write(device, "remove", "1");
		if (!rc)
			rc = rescan();
		return rc ? rc : pdt_control("clear", answer, sizeof(answer));
	case PDT_DIE:
		rc = pdt_plug_out();
		return rc ? rc : pdt_plug_in();
	case PDT_UNBIND:
		rc = pdt_file_write("/sys/bus/pci/drivers/pddgpu/bind", device);
		if (!rc)
			rc = pdt_wait_for_card();
		return rc ? rc : pdt_control("clear", answer, sizeof(answer));
	case PDT_REMOVE:
		rc = rescan();
		return rc ? rc : pdt_control("clear", answer, sizeof(answer));
	default:
		rc = pdt_plug_in();
		return rc ? rc : pdt_control("clear", answer, sizeof(answer));
	}
}

/* Some need QEMU's monitor. */
bool pdt_way_possible(enum pdt_way way)
{
	return pdt_can_plug() || (way != PDT_DIE && way != PDT_PLUG);
}

/* The card is there, empty, and works: 0, or what is wrong. */
int pdt_gone_works(void)
{
	struct drm_pddgpu_submit_op op;
	struct pdt_level level;
	struct pdt_buffer buf;
	int fd = pdt_open();
	int rc;

	if (fd < 0)
		return fd;
	rc = pdt_level_read(fd, &level);
	if (!rc && (level.objects || level.gtt_used))
		rc = -EBUSY;
	if (!rc)
		rc = pdt_buffer_create(fd, &buf, 16 * PDT_PAGE, PDT_BOTH, 0);
	if (rc)
		goto out;
	if (pdt_zero_check(buf.map, buf.size) != -1)
		rc = -EBADMSG;
	op = pdt_fill(buf.handle, 0, buf.size, 0x01020304);
	if (!rc)
		rc = pdt_submit(fd, &op, 1);
	if (!rc)
		rc = pdt_wait_idle(fd, buf.handle, 10000);
	if (!rc && *(volatile uint32_t *)buf.map != 0x01020304)
		rc = -EBADMSG;
	pdt_buffer_destroy(fd, &buf);
out:
	close(fd);
	return rc;
}

int pdt_gone_setup(void **state)
{
	struct pdt_log *log = calloc(1, sizeof(*log));

	*state = log;
	if (!log || pdt_log_open(log) || pdt_wait_for_card() || !pdt_pci_name())
		return -1;
	snprintf(device, sizeof(device), "%s", pdt_pci_name());
	return 0;
}

/* Whatever has happened the card is put back; then nothing may be left of it. */
int pdt_gone_teardown(void **state)
{
	struct pdt_log *log = *state;
	const char *complaint;
	uint64_t end = pdt_now_ms() + 10000;
	char answer[256];
	int rc;

	pdt_control("clear", answer, sizeof(answer));
	rc = pdt_wait_for_card();
	while (!rc && (rc = pdt_module_unload()) && pdt_now_ms() < end) {
		rc = 0;
		pdt_sleep_ms(10);
	}
	if (rc || pdt_module_loaded()) {
		fprintf(stderr, "# something is left in use\n");
		rc = -1;
	} else {
		rc = pdt_module_load();
	}
	complaint = pdt_log_complaint(log);
	if (complaint)
		fprintf(stderr, "# the kernel log: %s\n", complaint);
	pdt_log_close(log);
	free(log);
	return rc || complaint ? -1 : 0;
}
