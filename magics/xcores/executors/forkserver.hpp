// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>

#include <xcores/executors/process.hpp>

namespace xcores::executors {

/// Has worker processes forked by a process of ours, the zygote, which is started with the first one: a process without
/// threads of its own that holds a started Python, the modules of earlier inputs and the input of the run that starts
/// workers. They begin at once, and share with it all pages that nobody writes to. This process is never forked, nor is
/// a zygote in which an input has started threads: it is left to its workers, and replaced by one that loads no inputs.
///
/// - Lifetime: the zygote ends when this object and all its workers are gone. All of them end with this process,
/// however
///   it ends. A zygote that has ended by itself is replaced; its workers go on, but how they end is not known.
std::shared_ptr<process_source> make_forkserver(std::shared_ptr<const python_description>);

} // namespace xcores::executors
