// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/render/svg_timeline.hpp>

#include <algorithm>

#include <xcores/model/certainty.hpp>
#include <xcores/model/format.hpp>
#include <xcores/model/summary.hpp>
#include <xcores/render/svg_lanes.hpp>

namespace xcores::render {

namespace {

using model::nanoseconds;
using namespace std::chrono_literals;

constexpr double named_left = 208; ///< room for the names of threads and processes

std::string for_people(double value) {
    const std::string text = number(value);
    return text.starts_with('.') ? "0" + text : text;
}

/// The unit is chosen for the whole axis, so that its labels are of one kind.
std::string tick_label(nanoseconds at, nanoseconds whole) {
    const double value = static_cast<double>(at.count());
    if (at == nanoseconds{0})
        return "0";
    if (whole > 200s)
        return for_people(value / 60e9) + " min";
    if (whole >= 1s)
        return for_people(value / 1e9) + " s";
    if (whole >= 2ms)
        return for_people(value / 1e6) + " ms";
    return whole >= 2us ? for_people(value / 1e3) + " µs" : for_people(value) + " ns";
}

bool any_phase(const model::report& from, const time_scale& scale,
               std::optional<model::interval> model::worker_record::* phase) {
    return std::ranges::any_of(from.workers, [&](const auto& worker) { return is_visible(worker.*phase, scale); });
}

/// The swatches and words, flowing from left to right.
class legend {
public:
    legend(canvas& on, double y) : on_(on), y_(y) {}

    /// Says where the swatch goes.
    double place(std::string_view words) {
        const double width = 32 + width_of_text(words, 12) + 16;
        if (x_ + width > picture_width - margin && x_ > margin) {
            x_ = margin;
            y_ += 20;
        }
        const double left = x_;
        on_.text(left + 30, y_ + 11.5, words, {.size = 12, .fill = on_.colours().ink});
        x_ += width;
        return left;
    }

    double y() const { return y_; }

private:
    canvas& on_;
    double x_ = margin;
    double y_;
};

/// The same words for all reports, except that a worker with a GIL of its own, or with none, reads so.
std::string_view words_in(const model::report& from, activity what) {
    const auto shared = [](const model::gil_record& gil) { return gil.workers.size() > 1; };
    if (from.environment.gil_disabled && what == activity::without_gil)
        return "running (this Python has no GIL)";
    if (from.kind != model::worker_kind::cores && from.workers.size() > 1 && !from.gils.empty() &&
        std::ranges::none_of(from.gils, shared) && what == activity::with_gil)
        return "running with its own GIL";
    return words_for(what);
}

std::string facts_of(const model::report& from) {
    const model::totals sum = model::totals_of(from);
    std::string text = "%%" + std::string(model::name_of(from.kind));
    if (from.kind != model::worker_kind::cores)
        text += " " + std::to_string(from.workers.size());
    if (!from.environment.python.empty())
        text += "  ·  Python " + from.environment.python;
    text += "  ·  " + model::duration(from.elapsed) + (from.wall ? " in all" : " so far") + model::running_words(from);
    if (sum.cpu)
        text += "  ·  CPU time " + model::duration(*sum.cpu);
    return text;
}

std::string cost_of(const model::report& from) {
    const double share = static_cast<double>(from.sampling->cost.count()) /
                         static_cast<double>(std::max(from.elapsed, nanoseconds{1}).count());
    return ", at a cost of " + model::fixed(share * 100, 1) + " % of a core";
}

std::string sampled_in(const model::report& from) {
    const model::sampling_record& sampling = *from.sampling;
    if (sampling.ticks == 0)
        return "Sampled only when it began and when it ended: the next sample was due after " +
               model::round_duration(sampling.widest_period.value_or(sampling.period));
    std::string text = "Sampled " + model::count(sampling.ticks) + (sampling.ticks == 1 ? " time" : " times");
    if (sampling.widest_period) // the mean says more than the widest
        text += ", about every " + model::round_duration(from.elapsed / sampling.ticks) + " (every " +
                model::round_duration(sampling.period) + " would cost too much here)";
    else
        text += ", every " + model::round_duration(sampling.period);
    text += cost_of(from);
    if (sampling.missed > 0)
        text += "; " + model::count(sampling.missed) + " missed for lack of a core";
    return text;
}

std::string sampled_share(const model::report& from) {
    nanoseconds all{};
    for (const auto& worker : from.workers)
        all += worker.run ? worker.run->length() : nanoseconds{0};
    const auto sampled = static_cast<double>(from.sampling->recorded->sampled.count());
    return model::percent(all > nanoseconds{0} ? std::min(1.0, sampled / static_cast<double>(all.count())) : 1.0);
}

std::string recorded_in(const model::report& from) {
    const model::recorded_events& events = *from.sampling->recorded;
    std::string text = "Recorded: " + model::counted(events.switches, "context switch", "context switches") + ", " +
                       model::counted(events.acquisitions, "GIL acquisition", "GIL acquisitions") + cost_of(from);
    if (model::sampling_interval(from) > nanoseconds{0})
        text += "; sampled instead for " + sampled_share(from) + " of the time";
    return text;
}

double draw_caption(canvas& on, const model::report& from, double y) {
    constexpr std::size_t most_lines = 3;
    auto lines = wrapped(model::caption_of(from), picture_width - 2 * margin, 16, true);
    lines.resize(std::min(lines.size(), most_lines));
    for (const std::string& line : lines) {
        on.text(margin, y + 16, line, {.size = 16, .fill = on.colours().ink, .bold = true});
        y += 22;
    }
    on.text(margin, y + 14, facts_of(from), {.size = 12, .fill = on.colours().faint_ink});
    return y + 28;
}

std::string drawn(const model::report& from, const style& wanted, std::size_t columns) {
    canvas on(theme_of(wanted));
    const time_scale scale{extent_of(from), columns, from.kind == model::worker_kind::cores ? named_left : plot_left};
    double y = draw_caption(on, from, 16);
    if (!from.workers.empty()) {
        y = draw_legend(on, from, scale, y);
        y = draw_workers(on, from, scale, y);
        y = draw_gils(on, from, scale, y);
        y = draw_cores(on, from, scale, y);
        draw_axis(on, scale, y);
        y += 26;
        on.text(margin, y + 12, recording_words(from), {.size = 11, .fill = on.colours().faint_ink});
        y += 18;
    }
    return on.finish(y + 10,
                     "xcores: what " + std::to_string(from.workers.size()) +
                         (from.kind == model::worker_kind::cores ? " threads and processes did" : " workers did"),
                     model::caption_of(from));
}

} // namespace

void draw_axis(canvas& on, const time_scale& scale, double y) {
    const nanoseconds step = tick_of(scale);
    std::string lines = "M" + number(scale.left) + " " + number(y) + "H" + number(plot_right);
    for (nanoseconds at{}; at <= scale.whole.end; at += step) {
        const double x = scale.x(at);
        lines += "M" + number(x) + " " + number(y) + "v4";
        on.text(x, y + 17, tick_label(at, scale.whole.length()),
                {.size = 11.5, .fill = on.colours().faint_ink, .at = anchor::middle});
    }
    on.lines(lines, on.colours().faint_ink, 1);
}

double draw_legend(canvas& on, const model::report& from, const time_scale& scale, double y) {
    legend entries(on, y);
    const auto swatch = [&](std::string_view words, double height, std::string_view fill, std::string_view more = "") {
        const double x = entries.place(words);
        on.box(x, entries.y(), 24, 14, on.colours().ground, "rx=\"2\"");
        on.box(x, entries.y() + 14 - height, 24, height, fill, more);
    };
    for (const activity what : occurring(from))
        swatch(words_in(from, what), std::max(2.0, 14 * weight_of(what)),
               on.colours().fills[static_cast<std::size_t>(what)]);
    if (any_phase(from, scale, &model::worker_record::startup))
        swatch("start-up", 14, on.colours().startup, "stroke=\"#7B858F\" stroke-width=\"0.8\"");
    if (any_phase(from, scale, &model::worker_record::imports))
        swatch("import", 14, on.colours().imports, "stroke=\"#7B858F\" stroke-width=\"0.8\"");
    if (any_phase(from, scale, &model::worker_record::transfer_in) ||
        any_phase(from, scale, &model::worker_record::transfer_out))
        swatch("transfer", 8, on.colours().card, "stroke=\"#7B858F\" stroke-width=\"0.8\"");
    if (std::ranges::any_of(from.workers, [](const auto& worker) { return !event_of(worker).empty(); })) {
        const double x = entries.place("did not return");
        draw_mark(on, x + 12, entries.y() + 7, 5);
    }
    return entries.y() + 28;
}

std::string recording_words(const model::report& from) {
    if (!from.sampling)
        return "Not sampled.";
    auto text = from.sampling->recorded ? recorded_in(from) : sampled_in(from);
    if (from.downsampled_from)
        text += "; saved with fewer samples than there were, their order within a moment lost";
    return text + ".";
}

std::string svg_timeline(const model::report& from, const style& wanted) {
    return drawn_within(wanted.largest, [&](std::size_t columns) { return drawn(from, wanted, columns); });
}

} // namespace xcores::render
