// Faces of a picture with OpenVINO: reads .onnx, .xml and .tflite files.

#include <openvino/openvino.hpp>

#include "picture_and_json.hpp"

namespace {

std::vector<blazeface::Face> detect(const std::string& path, const blazeface::ModelSpec& spec,
                                    const examples::Picture& picture) {
    ov::Core core;
    const std::shared_ptr<ov::Model> model = core.read_model(path);
    // A .tflite file has its colours last; in an .onnx file the number of pictures, and perhaps their size, are free.
    const ov::PartialShape shape = model->input().get_partial_shape();
    const bool colours_last = shape[3].is_static() && shape[3].get_length() == 3;
    const auto side = static_cast<std::size_t>(spec.input_size);
    model->reshape(colours_last ? ov::PartialShape(ov::Shape{1, side, side, 3}) : ov::PartialShape(ov::Shape{1, 3, side, side}));
    ov::InferRequest request =
        core.compile_model(model, "CPU", ov::inference_num_threads(1), ov::hint::inference_precision(ov::element::f32))
            .create_infer_request();

    blazeface::FaceDetector detector(spec, colours_last ? blazeface::Layout::rows_columns_colours
                                                        : blazeface::Layout::colours_rows_columns);
    return detector.detect(picture.image(), [&](const float* input, float* logits, float* regressions) {
        ov::Tensor tensor = request.get_input_tensor();
        std::memcpy(tensor.data<float>(), input, tensor.get_byte_size());
        request.infer();
        for (std::size_t i = 0; i < model->outputs().size(); i++) {  // the regressions have 16 numbers an anchor
            const ov::Tensor output = request.get_output_tensor(i);
            const ov::Shape outputs = output.get_shape();
            const bool wide = outputs.size() == 3 && outputs[2] == blazeface::regression_count;
            if (output.get_size() != detector.anchor_count() * (wide ? blazeface::regression_count : 1))
                throw std::runtime_error(path + ": has another number of anchors than " + spec.name);
            std::memcpy(wide ? regressions : logits, output.data<float>(), output.get_byte_size());
        }
    });
}

}  // namespace

int main(int count, char** arguments) { return examples::run(count, arguments, detect); }
