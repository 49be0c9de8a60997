/* SPDX-License-Identifier: MIT */
#ifndef PDD_UTIL_H
#define PDD_UTIL_H

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

#endif
