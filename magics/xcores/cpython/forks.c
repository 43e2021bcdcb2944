/* SPDX-License-Identifier: BSD-3-Clause */
#define Py_BUILD_CORE 1
#include <Python.h>
#include <pthread.h>

#include "internal/pycore_interp.h"
#include "internal/pycore_runtime.h"

#include "forks.h"

/* In the child, on its only thread, before PyOS_AfterFork_Child(). */
static void keep_main_interpreter(void) {
    struct pyinterpreters* all = &_PyRuntime.interpreters;
    if (all->main == NULL || all->head == all->main)
        return;
    all->main->next = NULL;
    all->head = all->main;
}

static int result;

static void install(void) {
    result = pthread_atfork(NULL, NULL, keep_main_interpreter);
}

int xcores_leave_interpreters_at_fork(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
    return result;
}
