/* SPDX-License-Identifier: BSD-3-Clause */
#define Py_BUILD_CORE 1
#include <Python.h>

#include "internal/pycore_interp.h"
#include "internal/pycore_runtime.h"

#include "interpreter_layout.h"

struct xcores_interpreter_layout xcores_read_interpreter_layout(void) {
    const struct xcores_interpreter_layout layout = {
        .interpreters = &_PyRuntime.interpreters.head,
        .interpreter_next = offsetof(PyInterpreterState, next),
        .interpreter_id = offsetof(PyInterpreterState, id),
        .interpreter_gil = offsetof(PyInterpreterState, ceval.gil),
        .interpreter_threads = offsetof(PyInterpreterState, threads.head),
        .thread_next = offsetof(PyThreadState, next),
        .thread_interpreter = offsetof(PyThreadState, interp),
        .thread_native_id = offsetof(PyThreadState, native_thread_id),
        .gil_last_holder = offsetof(struct _gil_runtime_state, last_holder),
        .gil_locked = offsetof(struct _gil_runtime_state, locked),
        .gil_switch_number = offsetof(struct _gil_runtime_state, switch_number),
        .gil_size = sizeof(struct _gil_runtime_state),
    };
    return layout;
}
