// Throws random pictures, tensors, clips and boxes at blazeface.hpp. Built with -fsanitize=address,undefined it runs
// COUNT inputs of a seed: fuzz COUNT [SEED]. With -DLIBFUZZER and clang's -fsanitize=fuzzer the bytes are libFuzzer's.
// Beside what the sanitizers see, it stops where an answer breaks a promise.

#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <random>

#include "../blazeface.hpp"

namespace bf = blazeface;

namespace {

void expect(bool holds, const char* promise) {
    if (holds) return;
    std::fprintf(stderr, "fuzz: broken: %s\n", promise);
    std::abort();
}

/// Takes values from bytes; zeros after their end.
class Bytes {
  public:
    Bytes(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}

    std::uint8_t byte() { return at_ < size_ ? data_[at_++] : std::uint8_t{0}; }
    int below(int limit) { return (byte() * 256 + byte()) % limit; }
    bool flag() { return byte() % 2 == 1; }

    /// Mostly a plain number of about this size; now and then one that is none, or enormous.
    float number(float size) {
        const int kind = byte();
        if (kind < 4) return std::array<float, 4>{NAN, INFINITY, -INFINITY, 3e38F}[static_cast<std::size_t>(kind)];
        return (static_cast<float>(below(65536)) / 32768 - 1) * size;
    }

  private:
    const std::uint8_t* data_;
    std::size_t size_, at_ = 0;
};

/// A picture in memory of exactly its size, so that the address sanitizer sees one byte too many.
struct Picture {
    std::unique_ptr<std::uint8_t[]> memory, u, v;
    bf::MutableImage image;
};

Picture picture(Bytes& bytes) {
    const int width = 1 + bytes.below(bytes.flag() ? 9 : 70), height = 1 + bytes.below(bytes.flag() ? 9 : 70);
    const auto format = static_cast<bf::PixelFormat>(bytes.below(5));
    Picture made;
    bf::MutableImage& image = made.image;
    image.format = format;
    image.width = width;
    image.height = height;
    image.stride = width * image.channels() + bytes.below(5);
    image.rotation = 90 * bytes.below(4);
    image.mirrored = bytes.flag();
    image.range = bytes.flag() ? bf::YuvRange::video : bf::YuvRange::full;
    const auto fill = [&](std::unique_ptr<std::uint8_t[]>& memory, std::ptrdiff_t size) {
        memory = std::make_unique<std::uint8_t[]>(static_cast<std::size_t>(size));
        const std::uint8_t start = bytes.byte(), step = bytes.byte();
        for (std::ptrdiff_t i = 0; i < size; i++) memory[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(start + i * step);
        return memory.get();
    };
    image.data = fill(made.memory, image.stride * (height - 1) + width * image.channels());
    if (format == bf::PixelFormat::yuv420) {
        const int columns = (width + 1) / 2, rows = (height + 1) / 2;
        image.chroma_step = 1 + bytes.below(2);
        image.chroma_stride = columns * image.chroma_step + bytes.below(3);
        const std::ptrdiff_t size = image.chroma_stride * (rows - 1) + (columns - 1) * image.chroma_step + 1;
        image.u = fill(made.u, size);
        image.v = fill(made.v, size);
    }
    return made;
}

void fuzz_letterbox(Bytes& bytes) {
    const Picture made = picture(bytes);
    const int size = 1 + bytes.below(40);
    const auto square = std::make_unique<std::uint8_t[]>(static_cast<std::size_t>(3 * size * size));
    const auto resampling = bytes.flag() ? bf::Resampling::corner : bf::Resampling::supersample;
    const bf::Letterbox box = bf::letterbox(made.image, size, resampling, square.get());
    expect(box.scale_x > 0 && box.scale_y > 0 && box.offset_x > -1e-6 && box.offset_y > -1e-6, "a letterbox lies inside");
    const bf::ModelSpec spec{"", size, {{1, 1}}, 1.0F, 127.5F, 127.5F, 0.5F, 0.5F, resampling};
    const auto tensor = std::make_unique<float[]>(static_cast<std::size_t>(3 * size * size));
    bf::to_tensor(square.get(), spec, bytes.flag() ? bf::Layout::colours_rows_columns : bf::Layout::rows_columns_colours,
                  tensor.get());
    for (int i = 0; i < 3 * size * size; i++)
        expect(std::fabs(tensor[static_cast<std::size_t>(i)]) <= 1, "the input lies in [-1, 1]");
}

void fuzz_faces(Bytes& bytes) {
    bf::ModelSpec spec{"", 1 + bytes.below(512), {}, 1.0F, 127.5F, 127.5F, 0.5F, 0.0F, bf::Resampling::supersample};
    for (int maps = bytes.below(3); maps >= 0; maps--) spec.anchor_maps.push_back({1 + bytes.below(5), 1 + bytes.below(4)});
    spec.decode_scale = static_cast<float>(spec.input_size);
    spec.blend_iou = static_cast<float>(bytes.byte()) / 255;
    const auto centers = bf::anchor_centers(spec.anchor_maps);
    const auto logits = std::make_unique<float[]>(centers.size());
    const auto regressions = std::make_unique<float[]>(centers.size() * bf::regression_count);
    const float size = bytes.flag() ? static_cast<float>(spec.input_size) : 1e6F;
    for (std::size_t i = 0; i < centers.size(); i++) logits[i] = bytes.number(bytes.flag() ? 4.0F : 100.0F);
    for (std::size_t i = 0; i < centers.size() * bf::regression_count; i++) regressions[i] = bytes.number(size);
    const float threshold = static_cast<float>(bytes.byte()) / 255;
    const bf::Letterbox letterbox{(1 + bytes.below(1000)) / 500.0, (1 + bytes.below(1000)) / 500.0, bytes.below(50) / 1.0, 0};
    const auto faces = bf::postprocess(logits.get(), regressions.get(), letterbox, spec, centers, threshold);
    float last = 1;
    for (const bf::Face& face : faces) {
        expect(face.score >= threshold && face.score <= last, "faces are given best first, from the threshold up");
        expect(std::isfinite(face.box.x1) && std::isfinite(face.box.y2), "boxes are finite");
        expect(face.box.x2 >= face.box.x1 && face.box.y2 >= face.box.y1, "corners are in order");
        for (const bf::Point& point : face.keypoints) expect(std::isfinite(point.x + point.y), "keypoints are finite");
        last = face.score;
    }
}

std::vector<bf::Face> some_faces(Bytes& bytes, bool sound) {
    std::vector<bf::Face> faces(static_cast<std::size_t>(bytes.below(5)));
    const auto value = [&](float size) { return sound ? static_cast<float>(bytes.byte()) / 255 * size : bytes.number(size); };
    for (bf::Face& face : faces) {
        face.score = static_cast<float>(bytes.byte()) / 255;
        const float x = value(90), y = value(90);
        face.box = {x, y, x + value(60), y + value(60)};
        for (bf::Point& point : face.keypoints) point = {value(100), value(100)};
    }
    std::sort(faces.begin(), faces.end(), [](auto& a, auto& b) { return a.score > b.score; });
    return faces;
}

void fuzz_clip(Bytes& bytes) {
    const bool sound = bytes.below(8) > 0;
    bf::Tracker tracker(bytes.flag());
    bf::Covers covers;
    double time = 0;
    int width = 100, height = 80;
    for (int frames = bytes.below(12); frames > 0; frames--) {
        time += bytes.byte() / 500.0 + 1e-3;
        if (bytes.below(30) == 0) width = 1 + bytes.below(200);
        const auto faces = some_faces(bytes, sound);
        const auto followed = tracker.update(faces, time);
        expect(followed.size() >= faces.size(), "no face is lost by following it");
        for (std::size_t i = 0; i < followed.size(); i++)
            for (std::size_t j = 0; j < i; j++) expect(followed[i].track != followed[j].track, "a number names one face");
        const auto found = covers.update(faces, time, width, height);
        const Picture made = picture(bytes);
        bf::cover(made.image, found, bytes.flag() ? bf::CoverStyle::solid : bf::CoverStyle::pixelate);
        if (!sound) continue;
        for (const bf::Face& face : faces) {
            if (face.score < 0.5F || face.box.x2 <= face.box.x1 || face.box.y2 <= face.box.y1) continue;
            const auto holds = [&](const bf::Cover& cover) {
                return cover.box.x1 <= static_cast<double>(face.box.x1) && cover.box.y1 <= static_cast<double>(face.box.y1) &&
                       cover.box.x2 >= static_cast<double>(face.box.x2) && cover.box.y2 >= static_cast<double>(face.box.y2);
            };
            expect(std::any_of(found.begin(), found.end(), holds), "a sure face lies under a cover");
        }
    }
}

void fuzz_cover(Bytes& bytes) {
    const Picture made = picture(bytes);
    const auto value = [&] { return static_cast<double>(bytes.number(bytes.flag() ? 100.0F : 1e9F)); };
    const bf::ExactBox box{value(), value(), value(), value()};
    bf::cover(made.image, box, bytes.flag() ? bf::CoverStyle::solid : bf::CoverStyle::pixelate);
    bf::cover_all(made.image, bf::CoverStyle::solid);
    const std::uint8_t black = made.image.format == bf::PixelFormat::yuv420 && made.image.range == bf::YuvRange::video ? 16 : 0;
    for (int y = 0; y < made.image.height; y++)
        for (int x = 0; x < made.image.width; x++)
            expect(made.image.data[y * made.image.stride + x * made.image.channels()] == black, "cover_all covers all");
}

void fuzz_one(const std::uint8_t* data, std::size_t size) {
    Bytes bytes(data, size);
    switch (bytes.below(8)) {
        case 0:
        case 1:
        case 2: return fuzz_letterbox(bytes);
        case 3:
        case 4: return fuzz_faces(bytes);
        case 5: return fuzz_clip(bytes);
        default: return fuzz_cover(bytes);
    }
}

}  // namespace

#ifdef LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz_one(data, size);
    return 0;
}
#else
int main(int count, char** arguments) {
    const long inputs = count > 1 ? std::strtol(arguments[1], nullptr, 10) : 0;
    const auto seed = static_cast<std::uint64_t>(count > 2 ? std::strtol(arguments[2], nullptr, 10) : 1);
    if (inputs < 1) {
        std::fprintf(stderr, "usage: fuzz COUNT [SEED]\n");
        return 2;
    }
    std::mt19937_64 random(seed);
    std::vector<std::uint8_t> data;
    for (long i = 0; i < inputs; i++) {
        data.resize(64 + random() % 1984);
        for (std::size_t j = 0; j < data.size(); j += sizeof(std::uint64_t)) {
            const std::uint64_t word = random();
            std::memcpy(data.data() + j, &word, std::min(sizeof word, data.size() - j));
        }
        fuzz_one(data.data(), data.size());
    }
    std::printf("%ld inputs of seed %llu, no fault\n", inputs, static_cast<unsigned long long>(seed));
    return 0;
}
#endif
