"""Templates of the C++ sources; fields in braces are filled in."""

HEADER = """\
// Written by ecavg-tf. The model's SHA-256 is
// {sha256}.
#ifndef ECAVG_MODEL_DATA_H_
#define ECAVG_MODEL_DATA_H_

#include <cstddef>
#include <cstdint>

namespace ecavg {{

// The .tflite file.
constexpr std::size_t kModelSize = {size};
extern const unsigned char kModel[kModelSize];

// {needed} bytes were enough in the tflite-micro interpreter on Linux x86-64; the rest is
// margin (README.txt says for what).
constexpr std::size_t kArenaSize = {arena};

// The model takes int8: value / kInputScale + kInputZeroPoint, rounded, within -128..127.
{columns}constexpr int kInputShape[] = {{{input_shape}}};
constexpr std::size_t kInputSize = {input_size};
constexpr float kInputScale = {input_scale};
constexpr int kInputZeroPoint = {input_zero_point};
{features}
// It gives int8 {gives}s: ({gives} - kOutputZeroPoint) * kOutputScale.
constexpr std::size_t kOutputSize = {output_size};
constexpr float kOutputScale = {output_scale};
constexpr int kOutputZeroPoint = {output_zero_point};
{even}
// An example as the model takes it, and the {gives}s that the tflite-micro interpreter gave.
extern const std::int8_t kGoldenImage[kInputSize];
extern const std::int8_t kGoldenScores[kOutputSize];
{labels}
}}  // namespace ecavg

#endif  // ECAVG_MODEL_DATA_H_
"""

LABELS = """\

// UTF-8, in the order of the scores.
constexpr std::size_t kLabelCount = {count};
extern const char* const kLabels[kLabelCount];
"""

FEATURES = """\

// Before that, every raw value is rescaled: value * kFeatureScale[f] + kFeatureOffset[f], where f
// is its place on the last axis of kInputShape.
constexpr std::size_t kFeatureCount = {features};
extern const float kFeatureScale[kFeatureCount];
extern const float kFeatureOffset[kFeatureCount];
"""

# What stands in MAIN instead, where features are rescaled.
MAIN_SCALED = (
    (
        """\
std::int8_t Quantize(float value) {
  const float scaled = value / ecavg::kInputScale;
""",
        """\
std::int8_t Quantize(float raw, std::size_t place) {
  const std::size_t f = place % ecavg::kFeatureCount;
  const float value = raw * ecavg::kFeatureScale[f] + ecavg::kFeatureOffset[f];
  const float scaled = value / ecavg::kInputScale;
""",
    ),
    ("Rescaling is a layer of the model", "Quantize rescales them"),
    ("Quantize(0.0f)", "Quantize(0.0f, i)"),
)

EVEN = """\
// The one score is the second label's: above this it wins, at or below the first label does.
constexpr int kEvenScore = {even};
"""

DATA_HEAD = """\
// Written by ecavg-tf; model_data.h says what this is.
#include "model_data.h"

namespace ecavg {

// tflite-micro reads the model in place, aligned to 16 bytes.
"""

OPERATORS = """\
// Written by ecavg-tf: the operators that the model uses, and no others.
#ifndef ECAVG_OPS_H_
#define ECAVG_OPS_H_

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

namespace ecavg {{

using OpResolver = tflite::MicroMutableOpResolver<{count}>;

inline TfLiteStatus RegisterOps(OpResolver& resolver) {{
{added}  return kTfLiteOk;
}}

}}  // namespace ecavg

#endif  // ECAVG_OPS_H_
"""

QUANTIZE = """\
std::int8_t Quantize(float value) {
  const float scaled = value / ecavg::kInputScale;
  const int rounded = static_cast<int>(scaled + (scaled < 0 ? -0.5f : 0.5f));
  const int step = rounded + ecavg::kInputZeroPoint;
  return static_cast<std::int8_t>(step < -128 ? -128 : step > 127 ? 127 : step);
}

"""

GOLDEN_RUN = """\
  std::int8_t* image = interpreter.input(0)->data.int8;
  for (std::size_t i = 0; i < ecavg::kInputSize; ++i) image[i] = ecavg::kGoldenImage[i];
  if (interpreter.Invoke() != kTfLiteOk) return false;
  const std::int8_t* scores = interpreter.output(0)->data.int8;
  int largest = 0;
  for (std::size_t i = 0; i < ecavg::kOutputSize; ++i) {
    const int difference = scores[i] - ecavg::kGoldenScores[i];
    if (difference > largest) largest = difference;
    if (-difference > largest) largest = -difference;
  }
"""

MAIN = (
    """\
// Written by ecavg-tf: one inference with tflite-micro. Fill ReadImage for your board.
#include <cstddef>
#include <cstdint>

#include "model_data.h"
#include "ops.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_log.h"
#include "tensorflow/lite/micro/system_setup.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {

alignas(16) std::uint8_t arena[ecavg::kArenaSize];

"""
    + QUANTIZE
    + """\
std::size_t Best(const std::int8_t* scores) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < ecavg::kOutputSize; ++i) {
    if (scores[i] > scores[best]) best = i;
  }
  return best;
}

// Runs the golden example. A step of difference is rounding, another label is a fault.
bool SelfTest(tflite::MicroInterpreter& interpreter) {
"""
    + GOLDEN_RUN
    + """\
  MicroPrintf("self-test: scores differ by at most %d steps", largest);
  return Best(scores) == Best(ecavg::kGoldenScores);
}

// Replace this: put the camera's or the sensor's raw values here, in the order of
// kInputShape. Rescaling is a layer of the model.
void ReadImage(std::int8_t* image) {
  for (std::size_t i = 0; i < ecavg::kInputSize; ++i) image[i] = Quantize(0.0f);
}

}  // namespace

int main() {
  tflite::InitializeTarget();

  const tflite::Model* model = tflite::GetModel(ecavg::kModel);
  if (model->version() != TFLITE_SCHEMA_VERSION) {
    MicroPrintf("the model has schema %d, this runtime %d",
                static_cast<int>(model->version()), TFLITE_SCHEMA_VERSION);
    return 1;
  }

  static ecavg::OpResolver resolver;
  if (ecavg::RegisterOps(resolver) != kTfLiteOk) return 1;

  static tflite::MicroInterpreter interpreter(model, resolver, arena, ecavg::kArenaSize);
  if (interpreter.AllocateTensors() != kTfLiteOk) {
    MicroPrintf("an arena of %d bytes is too small here", static_cast<int>(ecavg::kArenaSize));
    return 1;
  }
  MicroPrintf("arena: %d of %d bytes used", static_cast<int>(interpreter.arena_used_bytes()),
              static_cast<int>(ecavg::kArenaSize));

  if (!SelfTest(interpreter)) {
    MicroPrintf("self-test failed: this build does not compute the model");
    return 1;
  }

  ReadImage(interpreter.input(0)->data.int8);
  if (interpreter.Invoke() != kTfLiteOk) return 1;

  const std::int8_t* scores = interpreter.output(0)->data.int8;
  const std::size_t best = Best(scores);
  MicroPrintf("%s: %d steps of the output's scale", ecavg::kLabels[best],
              scores[best] - ecavg::kOutputZeroPoint);
  return 0;
}
"""
)

_LARGEST = """\
  std::size_t best = 0;
  for (std::size_t i = 1; i < ecavg::kOutputSize; ++i) {
    if (scores[i] > scores[best]) best = i;
  }
  return best;
"""
MAIN_OF_ONE_SCORE = MAIN.replace(
    _LARGEST, "  return scores[0] > ecavg::kEvenScore ? 1 : 0;\n"
).replace("scores[best] - ", "scores[0] - ")

README = """\
Sources for a microcontroller, written by ecavg-tf
==================================================

model_data.h, model_data.cc   the model ({size} bytes) as a C array, scales, labels, and an
                              example with its scores for a self-test
ops.h                         the operators to register
main.cc                       one inference; fill in ReadImage for your board

THESE SOURCES WERE NOT BUILT HERE. The tflite-micro package for Python has no C++ headers,
so ops.h and main.cc are written against its API unseen by a compiler. What was proved is
the model: it ran in that package's interpreter on {inputs} examples, with the label of LiteRT's
reference kernels for {reference} of them and that of its default kernels for {default}. A deep
model's default kernels (XNNPACK) round otherwise than a microcontroller's.

Build them with tflite-micro (https://github.com/tensorflow/tflite-micro) for your board:
put its tree on the include path, compile the two .cc files and link its library.

Memory
------

Arena needed     {needed} bytes: bisected with the tflite-micro interpreter on Linux x86-64,
                 reference kernels; 16 bytes less fail there
Arena reserved   {arena} bytes (kArenaSize): with margin for scratch memory that a
                 processor's own kernels (CMSIS-NN, ESP-NN) ask for
Live activations {peak} bytes at most, the part that no device can save

A 32-bit device has smaller pointers and needs less of the rest. main.cc prints what was
really used: take that, and lower kArenaSize.

Operators
---------

{operators}
"""
