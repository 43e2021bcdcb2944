// SPDX-License-Identifier: BSD-3-Clause
#include "item_bindings.hpp"

#include <pybind11/stl.h>

#include <xcores/run/item_queue.hpp>

#include "conversions.hpp"

namespace xcores::python {
namespace {

namespace py = pybind11;
using run::item_queue;

std::shared_ptr<item_queue> make_items(int workers, std::optional<std::int64_t> total, const std::string& on_error) {
    if (on_error != "stop" && on_error != "continue")
        throw py::value_error("on_error must be stop or continue, not " + on_error);
    const auto what = on_error == "stop" ? item_queue::on_failure::stop : item_queue::on_failure::go_on;
    return std::make_shared<item_queue>(workers, total, what);
}

void add(item_queue& items, const py::list& inputs) {
    std::vector<std::shared_ptr<const run::payload>> contents;
    contents.reserve(inputs.size());
    for (const auto& one : inputs)
        contents.push_back(payload_from(one.cast<py::tuple>()));
    items.add(std::move(contents));
}

py::list take_ended(item_queue& items) {
    py::list all;
    for (const auto& one : items.take_ended()) {
        const bool returned = one.how.how.kind == model::outcome_kind::returned;
        all.append(py::make_tuple(one.index, one.worker, returned ? py::object(py::none()) : dict_of(one.how.how),
                                  tuple_of(one.how.output), one.how.summary,
                                  one.item ? py::object(tuple_of(*one.item)) : py::object(py::none())));
    }
    return all;
}

} // namespace

void define_items(py::module_& module) {
    py::class_<item_queue, std::shared_ptr<item_queue>>(module, "Items", "What a mapped cell runs for, item by item.")
        .def(py::init(&make_items), py::arg("workers"), py::arg("total"), py::arg("on_error"))
        .def_property_readonly("wanted", &item_queue::wanted, "How many more items would be taken now.")
        .def("add", &add, py::arg("items"), "More items, each as (data, buffers).")
        .def("end", &item_queue::end, "There are no more.")
        .def("take_ended", &take_ended,
             "The items that have ended since the last call, each as (index, worker, outcome or None if it returned, "
             "reply, the item as text, the item as it was sent).");
}

} // namespace xcores::python
