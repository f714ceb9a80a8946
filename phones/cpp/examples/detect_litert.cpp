// Faces of a picture with LiteRT, on the CPU: reads .tflite files for one picture at a time. On a phone ask for the GPU as well
// (LiteRtSetOptionsHardwareAccelerators with 1 | 2).

#include "litert_c_api.h"
#include "picture_and_json.hpp"

namespace {

void require(LiteRtStatus status, const std::string& path, const char* what) {
    if (status != 0) throw std::runtime_error(path + ": LiteRT cannot " + what + " (status " + std::to_string(status) + ")");
}

/// A handle that is given back.
template <class Handle>
struct Owned {
    explicit Owned(void (*destroy)(Handle)) : destroy(destroy) {}
    Owned(const Owned&) = delete;
    Owned& operator=(const Owned&) = delete;
    ~Owned() {
        if (value) destroy(value);
    }
    Handle value = nullptr;
    void (*destroy)(Handle);
};

LiteRtRankedTensorType floats(std::initializer_list<std::int32_t> shape) {
    LiteRtRankedTensorType type{};
    type.element_type = 1;
    type.rank = static_cast<std::uint32_t>(shape.size()) & 0x7FU;
    std::copy(shape.begin(), shape.end(), type.dimensions);
    return type;
}

std::vector<blazeface::Face> detect(const std::string& path, const blazeface::ModelSpec& spec,
                                    const examples::Picture& picture) {
    Owned<LiteRtEnvironment> environment(LiteRtDestroyEnvironment);
    Owned<LiteRtModel> model(LiteRtDestroyModel);
    Owned<LiteRtOptions> options(LiteRtDestroyOptions);
    Owned<LiteRtCompiledModel> compiled(LiteRtDestroyCompiledModel);
    require(LiteRtCreateEnvironment(0, nullptr, &environment.value), path, "begin");
    require(LiteRtCreateModelFromFile(environment.value, path.c_str(), &model.value), path, "read it");
    require(LiteRtCreateOptions(&options.value), path, "make options");
    require(LiteRtSetOptionsHardwareAccelerators(options.value, litert_on_cpu), path, "choose the CPU");
    require(LiteRtCreateCompiledModel(environment.value, model.value, options.value, &compiled.value), path, "compile it");

    blazeface::FaceDetector detector(spec, blazeface::Layout::rows_columns_colours);
    const auto anchors = static_cast<std::int32_t>(detector.anchor_count());
    const std::int32_t side = spec.input_size;
    const LiteRtRankedTensorType types[] = {floats({1, side, side, 3}),
                                            floats({1, anchors, static_cast<std::int32_t>(blazeface::regression_count)}),
                                            floats({1, anchors, 1})};
    Owned<LiteRtTensorBuffer> input(LiteRtDestroyTensorBuffer), regressions(LiteRtDestroyTensorBuffer),
        logits(LiteRtDestroyTensorBuffer);
    Owned<LiteRtTensorBuffer>* buffers[] = {&input, &regressions, &logits};  // in the file's order
    for (std::size_t i = 0; i < 3; i++) {
        LiteRtTensorBufferRequirements needs = nullptr;
        require(i == 0 ? LiteRtGetCompiledModelInputBufferRequirements(compiled.value, 0, 0, &needs)
                       : LiteRtGetCompiledModelOutputBufferRequirements(compiled.value, 0, i - 1, &needs),
                path, "say what its tensors need");
        std::size_t bytes = 0;
        require(LiteRtGetTensorBufferRequirementsBufferSize(needs, &bytes), path, "say how large its tensors are");
        std::size_t expected = sizeof(float);
        for (std::uint32_t axis = 0; axis < types[i].rank; axis++) expected *= static_cast<std::size_t>(types[i].dimensions[axis]);
        if (bytes < expected) throw std::runtime_error(path + ": has another number of anchors than " + spec.name);
        require(LiteRtCreateManagedTensorBufferFromRequirements(environment.value, &types[i], needs, &buffers[i]->value), path,
                "make room for its tensors");
    }
    return detector.detect(picture.image(), [&](const float* from, float* to_logits, float* to_regressions) {
        const auto copy = [&](LiteRtTensorBuffer buffer, int mode, const float* source, float* target, std::size_t count) {
            void* memory = nullptr;
            require(LiteRtLockTensorBuffer(buffer, &memory, mode), path, "give its tensors");
            std::memcpy(target ? target : memory, source ? source : memory, count * sizeof(float));
            require(LiteRtUnlockTensorBuffer(buffer), path, "take its tensors back");
        };
        const auto count = static_cast<std::size_t>(anchors);
        copy(input.value, litert_lock_to_write, from, nullptr, 3 * static_cast<std::size_t>(side * side));
        LiteRtTensorBuffer outputs[] = {regressions.value, logits.value};
        require(LiteRtRunCompiledModel(compiled.value, 0, 1, &input.value, 2, outputs), path, "run it");
        copy(regressions.value, litert_lock_to_read, nullptr, to_regressions, count * blazeface::regression_count);
        copy(logits.value, litert_lock_to_read, nullptr, to_logits, count);
    });
}

}  // namespace

int main(int count, char** arguments) { return examples::run(count, arguments, detect); }
