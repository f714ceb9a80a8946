// What the examples share: pictures read from PPM and PNG files, and faces written as JSON.

#pragma once

#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#ifdef BLAZEFACE_WITH_PNG
#include <png.h>
#endif

#include "blazeface.hpp"

namespace examples {

struct Picture {
    int width = 0, height = 0;
    std::vector<std::uint8_t> rgb;

    blazeface::Image image() const {
        return blazeface::interleaved_image(blazeface::PixelFormat::rgb, rgb.data(), width, height);
    }
};

/// A binary PPM file (P6) of 8 bits.
inline Picture read_ppm(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error(path + ": cannot be opened");
    std::string kind;
    int largest = 0;
    Picture picture;
    file >> kind >> picture.width >> picture.height >> largest;
    if (kind != "P6" || largest != 255 || picture.width < 1 || picture.height < 1 || picture.width > 65536 ||
        picture.height > 65536)
        throw std::runtime_error(path + ": is no PPM picture of 8 bits (P6)");
    file.get();
    picture.rgb.resize(3 * static_cast<std::size_t>(picture.width) * static_cast<std::size_t>(picture.height));
    if (!file.read(reinterpret_cast<char*>(picture.rgb.data()), static_cast<std::streamsize>(picture.rgb.size())))
        throw std::runtime_error(path + ": ends before its last pixel");
    return picture;
}

inline Picture read_picture(const std::string& path) {
    const bool png = path.size() > 4 && path.compare(path.size() - 4, 4, ".png") == 0;
    if (!png) return read_ppm(path);
#ifdef BLAZEFACE_WITH_PNG
    png_image header{};
    header.version = PNG_IMAGE_VERSION;
    if (!png_image_begin_read_from_file(&header, path.c_str())) throw std::runtime_error(path + ": " + header.message);
    header.format = PNG_FORMAT_RGB;
    Picture picture{static_cast<int>(header.width), static_cast<int>(header.height), {}};
    picture.rgb.resize(PNG_IMAGE_SIZE(header));
    if (!png_image_finish_read(&header, nullptr, picture.rgb.data(), 0, nullptr))
        throw std::runtime_error(path + ": " + header.message);
    return picture;
#else
    throw std::runtime_error(path + ": this program was built without libpng: give it a PPM picture");
#endif
}

inline std::string quoted(const std::string& text) {
    std::string result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') result += '\\';
        result += c;
    }
    return result + '"';
}

/// One line, as `blazeface detect --json -` prints it of a picture.
inline void print_json(const std::string& source, const Picture& picture, const std::vector<blazeface::Face>& faces) {
    std::printf("{\"source\": %s, \"index\": 0, \"time\": 0.0, \"width\": %d, \"height\": %d, \"faces\": [",
                quoted(source).c_str(), picture.width, picture.height);
    for (std::size_t i = 0; i < faces.size(); i++) {
        const blazeface::Face& face = faces[i];
        std::printf("%s{\"box\": [%.2f, %.2f, %.2f, %.2f], \"score\": %.4f, \"keypoints\": [", i ? ", " : "",
                    static_cast<double>(face.box.x1), static_cast<double>(face.box.y1), static_cast<double>(face.box.x2),
                    static_cast<double>(face.box.y2), static_cast<double>(face.score));
        for (std::size_t k = 0; k < face.keypoints.size(); k++)
            std::printf("%s[%.2f, %.2f]", k ? ", " : "", static_cast<double>(face.keypoints[k].x),
                        static_cast<double>(face.keypoints[k].y));
        std::printf("]}");
    }
    std::printf("]}\n");
}

/// The shipped model of a name.
inline const blazeface::ModelSpec& spec_of(const std::string& name) {
    for (const blazeface::ModelSpec* spec : {&blazeface::front_128, &blazeface::back_256, &blazeface::paper_128})
        if (name == spec->name) return *spec;
    throw std::runtime_error(name + ": is not front-128, back-256 or paper-128");
}

/// Read the command line, MODEL PICTURE [NAME], and print what `detect(model file, spec, picture)` gives; 0, or 1 and a
/// sentence, or 2 for wrong usage.
template <class Detect>
int run(int count, char** arguments, Detect detect) {
    if (count != 3 && count != 4) {
        std::fprintf(stderr, "usage: %s MODEL PICTURE [front-128|back-256|paper-128]\n", arguments[0]);
        return 2;
    }
    try {
        const Picture picture = read_picture(arguments[2]);
        print_json(arguments[2], picture, detect(arguments[1], spec_of(count == 4 ? arguments[3] : "front-128"), picture));
        return 0;
    } catch (const std::exception& fault) {
        std::fprintf(stderr, "%s: %s\n", arguments[0], fault.what());
        return 1;
    }
}

}  // namespace examples
