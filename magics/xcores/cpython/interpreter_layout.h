/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>

/* Where CPython keeps, in its private structures, what tells which thread holds which GIL: offsets in bytes. */

#ifdef __cplusplus
extern "C" {
#endif

struct xcores_interpreter_layout {
    const void* interpreters; /* the pointer to the newest interpreter */
    size_t interpreter_next;
    size_t interpreter_id;
    size_t interpreter_gil;
    size_t interpreter_threads; /* the pointer to its newest thread state */
    size_t thread_next;
    size_t thread_interpreter;
    size_t thread_native_id;
    size_t gil_last_holder;
    size_t gil_locked;
    size_t gil_switch_number;
    size_t gil_size;
};

/* Needs no GIL. */
struct xcores_interpreter_layout xcores_read_interpreter_layout(void);

#ifdef __cplusplus
}
#endif
