/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>

#include <Python.h>

/* The few facts about a GIL, and one setting, that CPython keeps in its internal headers, which are not clean C++:
 * hence one small C source. */

#ifdef __cplusplus
extern "C" {
#endif

/* The GIL under which an interpreter runs: its own or the main interpreter's. Call it attached to that interpreter. */
const void* xcores_gil_of(PyInterpreterState* interpreter);

/* Size of the structure behind the pointer above. */
size_t xcores_gil_size(void);

/* How often the GIL went from one thread to another so far. Needs no GIL; the interpreter must be alive. */
unsigned long xcores_gil_handovers(const void* gil);

/* Whether any thread holds it at this moment. Needs no GIL; the interpreter must be alive. */
int xcores_gil_is_held(const void* gil);

/* Whether the thread holds its GIL at this moment. Needs no GIL; the thread state must be alive. */
int xcores_holds_gil(const PyThreadState* state);

/* Whether interpreters that are made from now on import `site`; gives what was set before. Attached to the main
 * interpreter: they copy its configuration, and PyInterpreterConfig has no field for this. */
int xcores_set_site_import(int wanted);

/* Whether it waits for it: 1, 0, or -1 where CPython (before 3.15) does not say. */
int xcores_waits_for_gil(const PyThreadState* state);

#ifdef __cplusplus
}
#endif
