/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* From now on a child of fork() has the main interpreter alone. CPython, which would delete the others there, crashes
 * when it does (gh-101437, gh-139759); so they are taken from its list before it begins. Their memory stays in the
 * child, unused. Needs no GIL; doing it again changes nothing. Gives an errno value, 0 for success. */
int xcores_leave_interpreters_at_fork(void);

#ifdef __cplusplus
}
#endif
