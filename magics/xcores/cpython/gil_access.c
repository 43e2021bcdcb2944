/* SPDX-License-Identifier: BSD-3-Clause */
#define Py_BUILD_CORE 1
#include "gil_access.h"

#include "internal/pycore_interp.h"

const void* xcores_gil_of(PyInterpreterState* interpreter) {
    return interpreter->ceval.gil;
}

size_t xcores_gil_size(void) {
    return sizeof(struct _gil_runtime_state);
}

struct xcores_gil_parts xcores_gil_parts_of(const void* gil) {
    const struct _gil_runtime_state* const state = gil;
    const struct xcores_gil_parts parts = {&state->mutex, &state->switch_mutex, &state->cond, &state->locked};
    return parts;
}

unsigned long xcores_gil_handovers(const void* gil) {
    return __atomic_load_n(&((const struct _gil_runtime_state*)gil)->switch_number, __ATOMIC_RELAXED);
}

int xcores_gil_is_held(const void* gil) {
    return __atomic_load_n(&((const struct _gil_runtime_state*)gil)->locked, __ATOMIC_RELAXED) > 0;
}

int xcores_holds_gil(const PyThreadState* state) {
    return __atomic_load_n(&state->holds_gil, __ATOMIC_RELAXED);
}

int xcores_set_site_import(int wanted) {
    PyConfig* config = &PyInterpreterState_Main()->config;
    const int before = config->site_import;
    config->site_import = wanted;
    return before;
}

int xcores_waits_for_gil(const PyThreadState* state) {
#if PY_VERSION_HEX >= 0x030F0000
    return __atomic_load_n(&state->gil_requested, __ATOMIC_RELAXED) != 0;
#else
    (void)state;
    return -1;
#endif
}
