// Faces of a picture with onnxruntime: reads .onnx files.

#include <filesystem>

#include <onnxruntime_cxx_api.h>

#include "picture_and_json.hpp"

namespace {

std::vector<blazeface::Face> detect(const std::string& path, const blazeface::ModelSpec& spec,
                                    const examples::Picture& picture) {
    Ort::Env environment(ORT_LOGGING_LEVEL_WARNING, "blazeface");
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(1);
    Ort::Session session(environment, std::filesystem::path(path).c_str(), options);
    const Ort::MemoryInfo memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    const std::array<std::int64_t, 4> shape{1, 3, spec.input_size, spec.input_size};
    const char* inputs[] = {"image"};
    const char* outputs[] = {"logits", "regressions"};

    blazeface::FaceDetector detector(spec, blazeface::Layout::colours_rows_columns);
    const std::vector<float>& input = detector.prepare(picture.image());
    Ort::Value tensor = Ort::Value::CreateTensor<float>(memory, const_cast<float*>(input.data()), input.size(),
                                                        shape.data(), shape.size());
    const std::vector<Ort::Value> found = session.Run(Ort::RunOptions{nullptr}, inputs, &tensor, 1, outputs, 2);
    if (found[0].GetTensorTypeAndShapeInfo().GetElementCount() != detector.anchor_count())
        throw std::runtime_error(path + ": has another number of anchors than " + spec.name);
    return detector.faces(found[0].GetTensorData<float>(), found[1].GetTensorData<float>(), spec.score_threshold);
}

}  // namespace

int main(int count, char** arguments) { return examples::run(count, arguments, detect); }
