// SPDX-License-Identifier: MIT
/* pddgpu report alone, on made-up cards */
#include "commands.h"
#include "out.h"

int main(int argc, char **argv)
{
	return out_end(cmd_report(argc, argv));
}
