// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

#include <xcores/model/report.hpp>

/// The figures of a report as words in rows, so that the text and the HTML table cannot say different things.
/// Nothing here is escaped.
namespace xcores::render {

struct row {
    std::string label; ///< of a worker its number, else the name
    bool returned = false;
    std::string outcome; ///< what happened: the result, or what went wrong
    std::vector<std::string> figures;
};

struct table {
    std::string caption;
    std::string first_head; ///< of the labels
    bool has_outcomes = true;
    std::vector<std::string> heads; ///< of the figures
    std::vector<row> rows;
    std::size_t left_out = 0; ///< workers without a row: there are too many, and they returned
    std::vector<std::string> totals;
};

/// Without the columns of which nothing is known for anybody.
table table_of(const model::report&);

/// "worker 0", or the name of a thread or process.
std::string label_of(const model::worker_record&);

/// What a lane of the report is: "worker", or "thread or process".
std::string_view lane_noun(const model::report&);

/// "Python thread", "process, of whose GIL nothing is known"
std::string_view words_for(model::lane_kind);

/// "the main interpreter", but "interpreter 3".
std::string with_article(const std::string& name);

} // namespace xcores::render
