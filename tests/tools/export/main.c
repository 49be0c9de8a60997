// SPDX-License-Identifier: MIT
/*
 * The exporter alone, on the cards of fake.c. With --accept VALUE: which format
 * that header gets.
 */
#include <stdio.h>
#include <string.h>

#include "export.h"
#include "out.h"

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "--accept")) {
		puts(export_format(argv[2]) == METRICS_OPENMETRICS ? "openmetrics" : "text");
		return 0;
	}
	return out_end(export_run(argc, argv));
}
