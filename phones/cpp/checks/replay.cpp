// Runs recorded cases through blazeface.hpp, for a comparison with Python: replay FOLDER reads FOLDER/cases.txt, a case a
// line, and writes FOLDER/results.txt, a line a result. benchmarks/phones/recording.py writes the cases and says what they
// hold; BlazeFace.kt has a program that does the same (phones/kotlin/checks/Replay.kt).

#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>

#include "../blazeface.hpp"

namespace bf = blazeface;

namespace {

std::string folder;
std::ofstream results;

template <class Value>
std::vector<Value> read(const std::string& name) {
    std::ifstream file(folder + "/" + name, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + name);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    std::vector<Value> values(bytes.size() / sizeof(Value));
    std::memcpy(values.data(), bytes.data(), values.size() * sizeof(Value));
    return values;
}

void write(const std::string& name, const std::vector<std::uint8_t>& bytes) {
    std::ofstream file(folder + "/" + name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

const bf::ModelSpec& spec_of(const std::string& name) {
    for (const bf::ModelSpec* spec : {&bf::front_128, &bf::back_256, &bf::paper_128, &bf::short_range, &bf::full_range_dense})
        if (name == spec->name) return *spec;
    throw std::runtime_error("no such model: " + name);
}

template <class Byte>
bf::BasicImage<Byte> image_of(std::istream& line, Byte* data) {
    std::string format, range;
    int width = 0, height = 0, rotation = 0, mirrored = 0;
    line >> format >> range >> width >> height >> rotation >> mirrored;
    bf::BasicImage<Byte> image;
    if (format == "nv21") {
        image = bf::nv21_image(data, width, height);
    } else if (format == "i420") {
        image = bf::i420_image(data, width, height);
    } else {
        const auto kind = format == "rgb"    ? bf::PixelFormat::rgb
                          : format == "bgr"  ? bf::PixelFormat::bgr
                          : format == "rgba" ? bf::PixelFormat::rgba
                                             : bf::PixelFormat::bgra;
        image = bf::interleaved_image(kind, data, width, height);
    }
    image.range = range == "video" ? bf::YuvRange::video : bf::YuvRange::full;
    image.rotation = rotation;
    image.mirrored = mirrored != 0;
    return image;
}

void put_faces(const std::vector<bf::Face>& faces) {
    for (const bf::Face& face : faces) {
        results << "face " << face.track << ' ' << face.score << ' ' << face.box.x1 << ' ' << face.box.y1 << ' ' << face.box.x2
                << ' ' << face.box.y2;
        for (const bf::Point& point : face.keypoints) results << ' ' << point.x << ' ' << point.y;
        results << '\n';
    }
}

// letterbox NAME MODEL FORMAT RANGE WIDTH HEIGHT ROTATION MIRRORED: NAME.pixels -> NAME.square, and how it was scaled
void replay_letterbox(std::istream& line, const std::string& name) {
    std::string model;
    line >> model;
    const bf::ModelSpec& spec = spec_of(model);
    const auto pixels = read<std::uint8_t>(name + ".pixels");
    std::vector<std::uint8_t> square(static_cast<std::size_t>(3 * spec.input_size * spec.input_size));
    const bf::Letterbox box =
        bf::letterbox(image_of(line, pixels.data()), spec.input_size, spec.resampling, square.data());
    write(name + ".square", square);
    results << "letterbox " << box.scale_x << ' ' << box.scale_y << ' ' << box.offset_x << ' ' << box.offset_y << '\n';
}

// faces NAME MODEL THRESHOLD SCALE_X SCALE_Y OFFSET_X OFFSET_Y: NAME.logits, NAME.regressions -> faces
void replay_faces(std::istream& line, const std::string& name) {
    std::string model;
    float threshold = 0;
    bf::Letterbox letterbox{};
    line >> model >> threshold >> letterbox.scale_x >> letterbox.scale_y >> letterbox.offset_x >> letterbox.offset_y;
    const bf::ModelSpec& spec = spec_of(model);
    const auto logits = read<float>(name + ".logits"), regressions = read<float>(name + ".regressions");
    const auto centers = bf::anchor_centers(spec.anchor_maps);
    if (logits.size() != centers.size()) throw std::runtime_error(name + ": another number of anchors");
    put_faces(bf::postprocess(logits.data(), regressions.data(), letterbox, spec, centers, threshold));
}

// tensor NAME MODEL LAYOUT: NAME.square -> NAME.tensor
void replay_tensor(std::istream& line, const std::string& name) {
    std::string model, layout;
    line >> model >> layout;
    const auto square = read<std::uint8_t>(name + ".square");
    std::vector<float> tensor(square.size());
    bf::to_tensor(square.data(), spec_of(model),
                  layout == "chw" ? bf::Layout::colours_rows_columns : bf::Layout::rows_columns_colours, tensor.data());
    std::vector<std::uint8_t> bytes(tensor.size() * sizeof(float));
    std::memcpy(bytes.data(), tensor.data(), bytes.size());
    write(name + ".tensor", bytes);
}

// The frames of NAME.clip: a line of "TIME WIDTH HEIGHT COUNT" each, then as many of "SCORE X1 Y1 X2 Y2 KEYPOINTS".
template <class Use>
void each_frame(const std::string& name, Use use) {
    std::ifstream file(folder + "/" + name + ".clip");
    double time = 0;
    int width = 0, height = 0, count = 0;
    while (file >> time >> width >> height >> count) {
        std::vector<bf::Face> faces(static_cast<std::size_t>(count));
        for (bf::Face& face : faces) {
            file >> face.score >> face.box.x1 >> face.box.y1 >> face.box.x2 >> face.box.y2;
            for (bf::Point& point : face.keypoints) file >> point.x >> point.y;
        }
        results << "frame\n";
        use(faces, time, width, height);
    }
}

// tracks NAME SMOOTH: the faces of each frame, followed
void replay_tracks(std::istream& line, const std::string& name) {
    int smooth = 0;
    line >> smooth;
    bf::Tracker tracker(smooth != 0);
    each_frame(name, [&](const auto& faces, double time, int, int) { put_faces(tracker.update(faces, time)); });
}

// covers NAME: the covers of each frame
void replay_covers(const std::string& name) {
    bf::Covers covers;
    each_frame(name, [&](const auto& faces, double time, int width, int height) {
        for (const bf::Cover& cover : covers.update(faces, time, width, height))
            results << "cover " << (cover.kind == bf::CoverKind::seen ? "seen " : "held ") << cover.box.x1 << ' '
                    << cover.box.y1 << ' ' << cover.box.x2 << ' ' << cover.box.y2 << '\n';
    });
}

// paint NAME STYLE X1 Y1 X2 Y2 FORMAT RANGE WIDTH HEIGHT ROTATION MIRRORED: NAME.pixels -> NAME.covered
void replay_paint(std::istream& line, const std::string& name) {
    std::string style;
    bf::ExactBox box{};
    line >> style >> box.x1 >> box.y1 >> box.x2 >> box.y2;
    auto pixels = read<std::uint8_t>(name + ".pixels");
    const auto image = image_of(line, pixels.data());
    bf::cover(image, box, style == "solid" ? bf::CoverStyle::solid : bf::CoverStyle::pixelate);
    write(name + ".covered", pixels);
}

void replay(const std::string& text) {
    std::istringstream line(text);
    std::string kind, name;
    line >> kind >> name;
    results << "case " << name << '\n';
    if (kind == "letterbox") return replay_letterbox(line, name);
    if (kind == "faces") return replay_faces(line, name);
    if (kind == "tensor") return replay_tensor(line, name);
    if (kind == "tracks") return replay_tracks(line, name);
    if (kind == "covers") return replay_covers(name);
    if (kind == "paint") return replay_paint(line, name);
    throw std::runtime_error("no such case: " + kind);
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 2) {
        std::cerr << "usage: replay FOLDER\n";
        return 2;
    }
    folder = arguments[1];
    try {
        std::ifstream cases(folder + "/cases.txt");
        results.open(folder + "/results.txt");
        results.precision(17);
        for (std::string line; std::getline(cases, line);) replay(line);
        return results.flush() ? 0 : 1;
    } catch (const std::exception& fault) {
        std::cerr << "replay: " << fault.what() << '\n';
        return 1;
    }
}
