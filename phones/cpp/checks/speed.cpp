// Times what is around the network, on one thread: pictures of 1280 x 720 -> the input of front-128, and outputs with
// thirty candidates -> faces. Prints a line of JSON for each kind of buffer: medians in milliseconds.

#include <chrono>
#include <cstdio>

#include "../blazeface.hpp"

namespace bf = blazeface;

namespace {

constexpr int width = 1280, height = 720, rounds = 2000;

template <class Work>
double median_milliseconds(Work work) {
    std::vector<double> times;
    for (int i = 0; i < rounds; i++) {
        const auto start = std::chrono::steady_clock::now();
        work();
        times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    }
    std::nth_element(times.begin(), times.begin() + rounds / 2, times.end());
    return times[rounds / 2];
}

}  // namespace

int main() {
    std::vector<std::uint8_t> memory(width * height * 4);
    for (std::size_t i = 0; i < memory.size(); i++) memory[i] = static_cast<std::uint8_t>(i * 2654435761U >> 13);
    const std::uint8_t* data = memory.data();

    std::vector<float> logits(896, -5), regressions(896 * bf::regression_count);
    for (std::size_t face = 0; face < 3; face++)
        for (std::size_t i = 0; i < 10; i++) {
            float* row = regressions.data() + (face * 200 + i) * bf::regression_count;
            logits[face * 200 + i] = 1 + static_cast<float>(i) / 10;
            row[2] = row[3] = 40 + static_cast<float>(i);
        }

    auto sideways = bf::nv21_image(data, width, height), turned = bf::interleaved_image(bf::PixelFormat::rgba, data, width, height);
    sideways.rotation = turned.rotation = 90;
    const std::vector<std::pair<const char*, bf::Image>> buffers = {
        {"rgb", bf::interleaved_image(bf::PixelFormat::rgb, data, width, height)},
        {"rgba, turned by 90 degrees", turned},
        {"nv21", bf::nv21_image(data, width, height)},
        {"nv21, turned by 90 degrees", sideways},
        {"i420", bf::i420_image(data, width, height)},
        {"rgb, 1270 x 714", bf::interleaved_image(bf::PixelFormat::rgb, data, 1270, 714)},
    };
    for (const auto& [name, image] : buffers) {
        for (const auto layout : {bf::Layout::rows_columns_colours, bf::Layout::colours_rows_columns}) {
            bf::FaceDetector detector(bf::front_128, layout);
            const auto& frame = image;
            const double before = median_milliseconds([&] { detector.prepare(frame); });
            std::size_t faces = 0;
            const double after =
                median_milliseconds([&] { faces = detector.faces(logits.data(), regressions.data(), 0.5F).size(); });
            std::printf("{\"buffer\": \"%s\", \"layout\": \"%s\", \"before\": %.4f, \"after\": %.4f, \"faces\": %zu}\n", name,
                        layout == bf::Layout::rows_columns_colours ? "rows, columns, colours" : "colours, rows, columns",
                        before, after, faces);
        }
    }
}
