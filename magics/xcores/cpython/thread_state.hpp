// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <Python.h>

namespace xcores::cpython {

/// Being inside an interpreter for a scope: attaches a thread state to the calling thread, detaches at the end.
///
/// - Thread: the one for which the thread state was made; nothing else may be attached there.
/// - GIL: waits for that interpreter's GIL; holds it in the scope.
class attached {
public:
    explicit attached(PyThreadState* state) noexcept { PyEval_RestoreThread(state); }
    ~attached() { PyEval_SaveThread(); }
    attached(const attached&) = delete;
    attached& operator=(const attached&) = delete;
};

/// Being inside an interpreter for a scope on a thread that has no thread state of its own.
///
/// - Thread: any that is not attached.
/// - GIL: waits for that interpreter's GIL; holds it in the scope.
/// - Lifetime: the interpreter must not end before the scope does.
class visiting {
public:
    explicit visiting(PyInterpreterState* interpreter) noexcept : state_(PyThreadState_New(interpreter)) {
        PyEval_RestoreThread(state_);
    }
    ~visiting() {
        PyThreadState_Clear(state_);
        PyThreadState_DeleteCurrent();
    }
    visiting(const visiting&) = delete;
    visiting& operator=(const visiting&) = delete;

private:
    PyThreadState* state_;
};

/// Lets the GIL go for a scope.
class released {
public:
    released() noexcept : state_(PyEval_SaveThread()) {}
    ~released() { PyEval_RestoreThread(state_); }
    released(const released&) = delete;
    released& operator=(const released&) = delete;

private:
    PyThreadState* state_;
};

} // namespace xcores::cpython
