/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <pthread.h>
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

/* What it is made of (Python/ceval_gil.c). `locked` is 1 while a thread has it, guarded by `mutex`; `condition` is
 * signalled when it is given back; a thread that was asked to give it back waits under `switch_mutex` until another has
 * taken it. Reads nothing: only addresses. */
struct xcores_gil_parts {
    const pthread_mutex_t* mutex;
    const pthread_mutex_t* switch_mutex;
    const pthread_cond_t* condition;
    const int* locked;
};
struct xcores_gil_parts xcores_gil_parts_of(const void* gil);

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
