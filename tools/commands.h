/* SPDX-License-Identifier: MIT */
#ifndef COMMANDS_H
#define COMMANDS_H

#ifndef PDDGPU_TOOL_VERSION
#define PDDGPU_TOOL_VERSION "0.2.0"
#endif

/*
 * Each gets its own line, with its name in argv[0], and returns an exit code (enum
 * rc). What it prints is flushed, and errors of stdout are told, by main(). A weak one
 * may be missing from a program that was built without it.
 */
int cmd_list(int argc, char **argv);
int cmd_status(int argc, char **argv) __attribute__((weak));
int cmd_stats(int argc, char **argv) __attribute__((weak));
int cmd_leaks(int argc, char **argv) __attribute__((weak));
int cmd_map(int argc, char **argv) __attribute__((weak));
int cmd_top(int argc, char **argv) __attribute__((weak));
int cmd_watch(int argc, char **argv) __attribute__((weak));
int cmd_record(int argc, char **argv) __attribute__((weak));
int cmd_replay(int argc, char **argv) __attribute__((weak));
int cmd_report(int argc, char **argv) __attribute__((weak));
int cmd_export(int argc, char **argv) __attribute__((weak));

#endif
