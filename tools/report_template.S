/* SPDX-License-Identifier: MIT */
/* The page without a report in it; made by the Makefile from report/ */
	.section .rodata
	.global report_template
	.type report_template, %object
	.global report_template_end
	.type report_template_end, %object
report_template:
	.incbin REPORT_TEMPLATE
	.size report_template, . - report_template
report_template_end:
	.byte 0
	.size report_template_end, 1
	.section .note.GNU-stack, "", %progbits
