// The dozen functions of LiteRT's C API that detect_litert.cpp calls, declared here because LiteRT's Python wheel has the
// library, libLiteRt.so, and no headers. They are those of version 2.3; an app takes LiteRT's own headers (litert/c/*.h).
// Handles are opaque, and the types below are what LiteRT says is stable in its binary interface.

#ifndef BLAZEFACE_EXAMPLES_LITERT_C_API_H
#define BLAZEFACE_EXAMPLES_LITERT_C_API_H

#include <cstddef>
#include <cstdint>

extern "C" {

using LiteRtStatus = int;  // 0 is success
using LiteRtEnvironment = struct LiteRtEnvironmentT*;
using LiteRtModel = struct LiteRtModelT*;
using LiteRtOptions = struct LiteRtOptionsT*;
using LiteRtCompiledModel = struct LiteRtCompiledModelT*;
using LiteRtTensorBuffer = struct LiteRtTensorBufferT*;
using LiteRtTensorBufferRequirements = struct LiteRtTensorBufferRequirementsT*;

struct LiteRtRankedTensorType {
    std::int32_t element_type;  // 1: float32
    std::uint32_t rank : 7;
    std::uint32_t has_strides : 1;
    std::int32_t dimensions[8];
    std::uint32_t strides[8];
};
static_assert(sizeof(LiteRtRankedTensorType) == 72, "LiteRT asks for 72 bytes");

constexpr int litert_on_cpu = 1;
constexpr int litert_lock_to_read = 0;
constexpr int litert_lock_to_write = 1;

LiteRtStatus LiteRtCreateEnvironment(int option_count, const void* options, LiteRtEnvironment* environment);
void LiteRtDestroyEnvironment(LiteRtEnvironment environment);
LiteRtStatus LiteRtCreateModelFromFile(LiteRtEnvironment environment, const char* path, LiteRtModel* model);
void LiteRtDestroyModel(LiteRtModel model);
LiteRtStatus LiteRtCreateOptions(LiteRtOptions* options);
LiteRtStatus LiteRtSetOptionsHardwareAccelerators(LiteRtOptions options, int accelerators);
void LiteRtDestroyOptions(LiteRtOptions options);
LiteRtStatus LiteRtCreateCompiledModel(LiteRtEnvironment environment, LiteRtModel model, LiteRtOptions options,
                                       LiteRtCompiledModel* compiled);
void LiteRtDestroyCompiledModel(LiteRtCompiledModel compiled);
LiteRtStatus LiteRtGetCompiledModelInputBufferRequirements(LiteRtCompiledModel compiled, std::size_t signature, std::size_t input,
                                                           LiteRtTensorBufferRequirements* requirements);
LiteRtStatus LiteRtGetCompiledModelOutputBufferRequirements(LiteRtCompiledModel compiled, std::size_t signature,
                                                            std::size_t output, LiteRtTensorBufferRequirements* requirements);
LiteRtStatus LiteRtGetTensorBufferRequirementsBufferSize(LiteRtTensorBufferRequirements requirements, std::size_t* bytes);
LiteRtStatus LiteRtCreateManagedTensorBufferFromRequirements(LiteRtEnvironment environment, const LiteRtRankedTensorType* type,
                                                             LiteRtTensorBufferRequirements requirements,
                                                             LiteRtTensorBuffer* buffer);
void LiteRtDestroyTensorBuffer(LiteRtTensorBuffer buffer);
LiteRtStatus LiteRtLockTensorBuffer(LiteRtTensorBuffer buffer, void** memory, int mode);
LiteRtStatus LiteRtUnlockTensorBuffer(LiteRtTensorBuffer buffer);
LiteRtStatus LiteRtRunCompiledModel(LiteRtCompiledModel compiled, std::size_t signature, std::size_t input_count,
                                    LiteRtTensorBuffer* inputs, std::size_t output_count, LiteRtTensorBuffer* outputs);
}

#endif
