// SPDX-License-Identifier: BSD-3-Clause
#include "report_builder.hpp"

#include <algorithm>
#include <numeric>

namespace xcores::test {

run_of& run_of::worker(const test::worker& one) {
    model::worker_record record = one.record();
    record.index = static_cast<int>(report_.workers.size());
    nanoseconds end = report_.elapsed;
    for (const auto& phase : {record.startup, record.imports, record.transfer_in, record.run, record.transfer_out})
        end = phase ? std::max(end, phase->end) : end;
    report_.workers.push_back(std::move(record));
    return wall(end);
}

run_of& run_of::sharing_gil(std::string name, std::optional<std::int64_t> handovers) {
    std::vector<int> all(report_.workers.size());
    std::iota(all.begin(), all.end(), 0);
    report_.gils.push_back({std::move(name), std::move(all), handovers});
    return *this;
}

run_of& run_of::own_gils(const std::string& name) {
    for (int i = 0; i < std::ssize(report_.workers); ++i)
        report_.gils.push_back({name + " " + std::to_string(i + 1), {i}, 0});
    return *this;
}

run_of& run_of::sampled(nanoseconds period, nanoseconds cost) {
    report_.sampling = model::sampling_record{
        .period = period, .ticks = report_.elapsed / period, .cost = cost, .latest = period / 20};
    return *this;
}

} // namespace xcores::test
