// Prints the sentence of each kind of wrong use of blazeface.hpp.

#include <cstdio>
#include <functional>

#include "../blazeface.hpp"

namespace bf = blazeface;

int main() {
    std::vector<std::uint8_t> pixels(300), square(3 * 16 * 16);
    const auto said = [](const std::function<void()>& use) {
        try {
            use();
            std::puts("nothing");
        } catch (const std::invalid_argument& fault) {
            std::puts(fault.what());
        }
    };
    const bf::Image sound = bf::interleaved_image<const std::uint8_t>(bf::PixelFormat::rgb, pixels.data(), 10, 10);
    const auto with = [&](const std::function<void(bf::Image&)>& change) {
        bf::Image image = sound;
        change(image);
        said([&] { bf::letterbox(image, 16, bf::Resampling::supersample, square.data()); });
    };
    with([](bf::Image& image) { image.width = 0; });
    with([](bf::Image& image) { image.data = nullptr; });
    with([](bf::Image& image) { image.stride = 29; });
    with([](bf::Image& image) { image.rotation = 45; });
    with([](bf::Image& image) { image.format = bf::PixelFormat::yuv420; });
    with([&](bf::Image& image) {
        image = bf::i420_image<const std::uint8_t>(pixels.data(), 10, 10);
        image.chroma_stride = 4;
    });
    said([&] { bf::letterbox(sound, 0, bf::Resampling::supersample, square.data()); });
    said([&] {
        bf::FaceDetector(bf::front_128, bf::Layout::rows_columns_colours).detect(sound, [](auto...) {}, 1.5F);
    });
    said([] {
        bf::ModelSpec spec = bf::front_128;
        spec.input_size = -1;
        bf::FaceDetector(spec, bf::Layout::rows_columns_colours);
    });
}
