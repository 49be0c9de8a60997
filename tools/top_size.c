// SPDX-License-Identifier: MIT
/* Sizes in as few columns as there are in a list */
#include <stdio.h>

#include "top.h"

const char *short_size(char *buffer, uint64_t bytes)
{
	static const char units[] = "BKMGTPE";
	unsigned int unit = 0;
	double value = (double)bytes;

	/* What would be shown as 1000 or more of one is less than 1 of the next. */
	while (unit < 6 && value >= (unit ? 999.5 : 1000)) {
		value /= 1024;
		unit++;
	}
	if (!unit)
		snprintf(buffer, SHORT_SIZE, bytes ? "%.0fB" : "%.0f", value);
	else
		snprintf(buffer, SHORT_SIZE, value < 99.95 ? "%.1f%c" : "%.0f%c", value,
			 units[unit]);
	return buffer;
}

const char *short_growth(char *buffer, int64_t bytes)
{
	char size[SHORT_SIZE];
	uint64_t amount = bytes < 0 ? -(uint64_t)bytes : (uint64_t)bytes;

	snprintf(buffer, SHORT_SIZE, "%s%s", !bytes ? "" : bytes < 0 ? "-" : "+",
		 short_size(size, amount));
	return buffer;
}
