// SPDX-License-Identifier: BSD-3-Clause
#include <xcores/render/png.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include <sys/mman.h>

#include <cairo.h>
#include <librsvg/rsvg.h>
#include <png.h>

namespace xcores::render {

namespace {

constexpr double largest_side = 32'767; // cairo's own limit

template <auto Free>
struct releaser {
    template <class T>
    void operator()(T* handle) const noexcept {
        Free(handle);
    }
};

using handle_ptr = std::unique_ptr<RsvgHandle, releaser<g_object_unref>>;
using surface_ptr = std::unique_ptr<cairo_surface_t, releaser<cairo_surface_destroy>>;
using context_ptr = std::unique_ptr<cairo_t, releaser<cairo_destroy>>;

[[noreturn]] void refuse(GError* error) {
    const std::unique_ptr<GError, releaser<g_error_free>> owned(error);
    throw std::runtime_error(std::string("librsvg: ") + (error ? error->message : "unknown error"));
}

void check(cairo_status_t status) {
    if (status != CAIRO_STATUS_SUCCESS)
        throw std::runtime_error(std::string("cairo: ") + cairo_status_to_string(status));
}

/// Where a picture is drawn: zeroed, and in large pages where the system has them. Ten megabytes in small ones are
/// thousands of page faults.
class drawing_memory {
public:
    explicit drawing_memory(std::size_t bytes) : mapped_(bytes + large_page) {
        void* memory = ::mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            throw std::bad_alloc();
        start_ = data_ = static_cast<unsigned char*>(memory);
        data_ += (large_page - reinterpret_cast<std::uintptr_t>(start_) % large_page) % large_page;
        ::madvise(data_, bytes, MADV_HUGEPAGE); // where there are none, small ones do
    }
    drawing_memory(drawing_memory&& other) noexcept
        : mapped_(other.mapped_), start_(std::exchange(other.start_, nullptr)), data_(other.data_) {}
    ~drawing_memory() {
        if (start_)
            ::munmap(start_, mapped_);
    }
    drawing_memory(const drawing_memory&) = delete;
    drawing_memory& operator=(const drawing_memory&) = delete;
    drawing_memory& operator=(drawing_memory&&) = delete;

    unsigned char* data() const { return data_; }

private:
    static constexpr std::size_t large_page = std::size_t{2} << 20U;
    std::size_t mapped_;
    unsigned char* start_ = nullptr;
    unsigned char* data_ = nullptr;
};

struct drawing {
    drawing_memory memory;
    surface_ptr surface;
};

drawing rasterised(const std::string& svg, double scale) {
    GError* error = nullptr;
    const handle_ptr handle(rsvg_handle_new_from_data(reinterpret_cast<const guint8*>(svg.data()), svg.size(), &error));
    if (!handle)
        refuse(error);
    double width = 0;
    double height = 0;
    if (!rsvg_handle_get_intrinsic_size_in_pixels(handle.get(), &width, &height))
        throw std::runtime_error("librsvg: the picture has no size");
    width = std::ceil(width * scale);
    height = std::ceil(height * scale);
    if (std::max(width, height) > largest_side)
        throw std::runtime_error("cairo: the picture is too large");
    const int stride = cairo_format_stride_for_width(CAIRO_FORMAT_ARGB32, static_cast<int>(width));
    drawing_memory memory(static_cast<std::size_t>(stride) * static_cast<std::size_t>(height));
    surface_ptr surface(cairo_image_surface_create_for_data(memory.data(), CAIRO_FORMAT_ARGB32, static_cast<int>(width),
                                                            static_cast<int>(height), stride));
    check(cairo_surface_status(surface.get()));
    const context_ptr context(cairo_create(surface.get()));
    const RsvgRectangle viewport{0, 0, width, height};
    if (!rsvg_handle_render_document(handle.get(), context.get(), &viewport, &error))
        refuse(error);
    check(cairo_status(context.get()));
    cairo_surface_flush(surface.get());
    return {std::move(memory), std::move(surface)};
}

using colour = std::uint32_t; // as in cairo: native-endian, opacity uppermost, the others multiplied by it

colour at(const unsigned char* row, std::size_t x) {
    colour value = 0;
    std::memcpy(&value, row + 4 * x, sizeof value);
    return value;
}

bool is_opaque(colour one) {
    return one >> 24U == 0xFF;
}

/// Opacity counts most: at a rounded corner, too dark is a blot, but too faint is hardly seen.
int distance(colour one, colour other) {
    int sum = 0;
    for (const unsigned shift : {24U, 16U, 8U, 0U}) {
        const int difference = static_cast<int>((one >> shift) & 0xFFU) - static_cast<int>((other >> shift) & 0xFFU);
        sum += difference * difference * (shift == 24 ? 16 : 1);
    }
    return sum;
}

/// Numbers the colours of a picture in the order of their appearance, and counts their pixels.
class census {
public:
    struct tally {
        colour seen = 0;
        std::size_t pixels = 0;
    };

    std::uint32_t count(colour seen, std::size_t pixels) {
        auto& [recent, number] = recent_[(seen * 0x9E3779B1U) >> (32U - recent_bits)]; // Knuth's multiplicative hash
        if (number == nobody || recent != seen) {
            recent = seen;
            number = numbers_.try_emplace(seen, static_cast<std::uint32_t>(all_.size())).first->second;
            if (number == all_.size())
                all_.push_back({seen, 0});
        }
        all_[number].pixels += pixels;
        return number;
    }
    const std::vector<tally>& all() const { return all_; }

private:
    static constexpr std::uint32_t nobody = ~0U;
    static constexpr unsigned recent_bits = 12;
    struct numbered {
        colour seen = 0;
        std::uint32_t number = nobody;
    };
    std::vector<numbered> recent_ = std::vector<numbered>(std::size_t{1} << recent_bits); // few colours come often
    std::unordered_map<colour, std::uint32_t> numbers_;
    std::vector<tally> all_;
};

/// At most 256 colours that stand for all. A palette makes the file half as large in half the time; the commonest
/// colours are kept as they are, and of the shades at the edges of letters those that nobody tells apart are one.
class palette {
public:
    static constexpr std::size_t most = 256;
    static constexpr std::size_t edge_weight =
        1000; // the few half-transparent ones at the corners: a blot there is seen

    explicit palette(const census& counted) : indices_(counted.all().size()) {
        std::vector<std::tuple<std::size_t, colour, std::uint32_t>> ranked;
        for (const auto& [seen, pixels] : counted.all())
            ranked.emplace_back(is_opaque(seen) ? pixels : pixels * edge_weight, seen, ranked.size());
        std::ranges::sort(ranked, std::greater{});
        for (const auto& [importance, seen, number] : ranked) {
            const auto [nearest, away] = nearest_to(seen);
            const bool is_new = colours_.size() < common || (away > hardly_seen && colours_.size() < most);
            indices_[number] = static_cast<png_byte>(is_new ? colours_.size() : nearest);
            if (is_new)
                colours_.push_back(seen);
        }
    }

    /// `number`: the colour's in the census.
    png_byte index_of(std::uint32_t number) const { return indices_[number]; }
    const std::vector<colour>& colours() const { return colours_; }

private:
    static constexpr std::size_t common = 64;       ///< of these each is kept: two plain areas side by side stay two
    static constexpr int hardly_seen = 3 * 12 * 12; // twelve steps of 255 in red, green and blue

    std::pair<std::size_t, int> nearest_to(colour seen) const { // in two steps, of which compilers make vector code
        std::array<int, most> distances;
        const auto end =
            std::ranges::transform(colours_, distances.begin(), [seen](colour one) { return distance(seen, one); }).out;
        const auto nearest = std::min_element(distances.begin(), end);
        return {static_cast<std::size_t>(nearest - distances.begin()), colours_.empty() ? 0 : *nearest};
    }

    std::vector<png_byte> indices_;
    std::vector<colour> colours_;
};

template <class Visit>
void for_each_run(cairo_surface_t* surface, Visit visit) {
    const auto width = static_cast<std::size_t>(cairo_image_surface_get_width(surface));
    const auto height = static_cast<std::size_t>(cairo_image_surface_get_height(surface));
    const auto stride = static_cast<std::size_t>(cairo_image_surface_get_stride(surface));
    const unsigned char* row = cairo_image_surface_get_data(surface);
    for (std::size_t y = 0; y < height; ++y, row += stride)
        for (std::size_t x = 0, start = 0; x < width; start = x) {
            const colour value = at(row, start);
            while (x < width && at(row, x) == value)
                ++x;
            visit(value, x - start);
        }
}

/// PNG's bytes, which are not multiplied by the opacity.
std::vector<png_byte> colour_map(const std::vector<colour>& colours) {
    std::vector<png_byte> bytes;
    for (const colour word : colours) {
        const colour alpha = word >> 24U;
        for (const unsigned shift : {16U, 8U, 0U}) {
            const colour value = (word >> shift) & 0xFFU;
            bytes.push_back(static_cast<png_byte>(alpha == 0 ? 0 : std::min(255U, (value * 255 + alpha / 2) / alpha)));
        }
        bytes.push_back(static_cast<png_byte>(alpha));
    }
    return bytes;
}

/// The surface's bytes are used up.
std::string encoded(cairo_surface_t* surface, packing how) {
    census counted;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> runs;
    for_each_run(surface, [&](colour value, std::size_t pixels) {
        runs.emplace_back(counted.count(value, pixels), static_cast<std::uint32_t>(pixels));
    });
    const palette table(counted);
    const auto indices = cairo_image_surface_get_data(surface); // the colours are no longer needed
    for (auto end = indices; const auto& [number, pixels] : runs)
        end = std::fill_n(end, pixels, table.index_of(number));
    const std::vector<png_byte> map = colour_map(table.colours());

    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.width = static_cast<png_uint_32>(cairo_image_surface_get_width(surface));
    image.height = static_cast<png_uint_32>(cairo_image_surface_get_height(surface));
    image.format = PNG_FORMAT_RGBA_COLORMAP;
    image.colormap_entries = static_cast<png_uint_32>(table.colours().size());
    image.flags = how == packing::fast ? PNG_IMAGE_FLAG_FAST : 0;
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    const auto buffer = std::make_unique_for_overwrite<char[]>(size);
    if (png_image_write_to_memory(&image, buffer.get(), &size, 0, indices, 0, map.data()) == 0)
        throw std::runtime_error(std::string("libpng: ") + image.message);
    return {buffer.get(), size};
}

} // namespace

std::string png(const std::string& svg, const raster& how) {
    const drawing picture = rasterised(svg, how.scale);
    return encoded(picture.surface.get(), how.packing);
}

void warm_fonts() noexcept {
    try {
        rasterised("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\" font-family=\"DejaVu Sans, "
                   "sans-serif\"><text>a</text><text font-weight=\"bold\">b</text></svg>",
                   1);
    } catch (const std::exception&) {
        return; // the picture itself will tell
    }
}

} // namespace xcores::render
