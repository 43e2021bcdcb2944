// SPDX-License-Identifier: BSD-3-Clause
// The module that makes a Python a process worker: takes tasks from its socket, samples itself into memory that it
// shares with the process that started it, and ends when that does. As a zygote it forks such workers instead.
#include <Python.h>
#include <fcntl.h>
#include <sys/prctl.h>

#include <xcores/cpython/thread_state.hpp>
#include <xcores/executors/worker_program.hpp>
#include <xcores/executors/zygote.hpp>

namespace {

using namespace xcores;
using namespace xcores::executors;

void work(const nlohmann::json& hello, wire::inbox& inbox) {
    worker_program worker(hello);
    worker.serve(inbox, os::unique_fd(worker_log_fd));
    worker.end();
}

/// The exit status of the process.
int run(pid_t parent, bool zygote) {
    prctl(PR_SET_NAME, "xcores-worker");
    hide_worker_socket();
    ::fcntl(worker_log_fd, F_SETFD, FD_CLOEXEC); // what the cell starts must not have it; a zygote has none
    try {
        if (zygote)
            end_with_socket();
        else
            end_with_parent(parent);
        wire::inbox inbox(worker_socket());
        if (const auto hello = inbox.receive())
            zygote ? be_zygote(hello->fields, inbox, parent) : work(hello->fields, inbox);
    } catch (const std::exception& error) {
        try {
            wire::send(worker_socket(), wire::kind::failed, {{"message", error.what()}});
        } catch (const std::exception&) { // nobody is there to read it: the other side has ended
            end_all();
        }
        return 1;
    }
    return 0;
}

PyObject* run_from_python(PyObject*, PyObject* arguments) {
    int parent = 0;
    int zygote = 0;
    if (!PyArg_ParseTuple(arguments, "ip", &parent, &zygote))
        return nullptr;
    const int status = [&] {
        const cpython::released without_gil;
        return run(parent, zygote != 0);
    }();
    return PyLong_FromLong(status);
}

PyMethodDef functions[] = {
    {"run", run_from_python, METH_VARARGS, "run(parent, zygote): serves the process that started this one."}, {}};
PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_process_worker", nullptr, -1, functions, {}, {}, {}, {}};

} // namespace

PyMODINIT_FUNC PyInit__process_worker() {
    return PyModule_Create(&definition);
}
