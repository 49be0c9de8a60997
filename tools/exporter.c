// SPDX-License-Identifier: MIT
/*
 * pddgpu-export: what `pddgpu export` becomes (cmd_export.c).
 */
#include "export.h"
#include "out.h"

int main(int argc, char **argv)
{
	out_program();
	return out_end(export_run(argc, argv));
}
