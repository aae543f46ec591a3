"""The ``main.cc`` that trains a head; some of its parts only a model with a backbone has."""

from export.micro.templates import GOLDEN_RUN, QUANTIZE

_TEXT = """\
// Written by ecavg-tf: trains a head with tflite-micro. Fill ReadExample and ReadLine.
#include <cstddef>
#include <cstdint>

#include "head.h"
@INCLUDE@#include "ops.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_log.h"
#include "tensorflow/lite/micro/system_setup.h"
#include "tensorflow/lite/schema/schema_generated.h"
#include "train_data.h"

namespace {

constexpr std::size_t kMostExamples = 64;  // each is kept as kHeadFeatures features
constexpr int kEpochs = 5;
constexpr float kLearningRate = 0.01f;

@ARENA@alignas(16) std::uint8_t train_arena[ecavg::kTrainArenaSize];

ecavg::Head head, received;
ecavg::HeadFeature features[kMostExamples * ecavg::kHeadFeatures];
std::uint16_t labels[kMostExamples];
std::size_t order[kMostExamples];

@READ@

// Replace this: the next line from the serial port, without its end. False: none is waiting.
bool ReadLine(char* line, std::size_t size) {
  static_cast<void>(line);
  static_cast<void>(size);
  return false;
}

// Replace this where what MicroPrintf prints does not reach the serial port.
void SendLine(const char* line) { MicroPrintf("%s", line); }

bool Ready(const tflite::Model* model, tflite::MicroInterpreter& interpreter, std::size_t size) {
  if (model->version() != TFLITE_SCHEMA_VERSION) {
    MicroPrintf("the model has schema %d, this runtime %d", static_cast<int>(model->version()),
                TFLITE_SCHEMA_VERSION);
    return false;
  }
  if (interpreter.AllocateTensors() != kTfLiteOk) {
    MicroPrintf("an arena of %d bytes is too small here", static_cast<int>(size));
    return false;
  }
  MicroPrintf("arena: %d of %d bytes used", static_cast<int>(interpreter.arena_used_bytes()),
              static_cast<int>(size));
  return true;
}

// One step on the examples whose places are given, at most kBatch; the other rows don't count.
bool Step(tflite::MicroInterpreter& trainer, const ecavg::HeadFeature* from,
          const std::uint16_t* classes, const std::size_t* places, std::size_t rows, float rate,
          float* loss) {
  float* x = trainer.input(ecavg::kInX)->data.f;
  float* y = trainer.input(ecavg::kInY)->data.f;
  float* kernel = trainer.input(ecavg::kInKernel)->data.f;
  float* bias = trainer.input(ecavg::kInBias)->data.f;
  for (std::size_t i = 0; i < ecavg::kBatch * ecavg::kHeadFeatures; ++i) x[i] = 0.0f;
  for (std::size_t i = 0; i < ecavg::kBatch * ecavg::kHeadClasses; ++i) y[i] = 0.0f;
  for (std::size_t row = 0; row < rows; ++row) {
    const ecavg::HeadFeature* one = from + places[row] * ecavg::kHeadFeatures;
    for (std::size_t i = 0; i < ecavg::kHeadFeatures; ++i) {
      x[row * ecavg::kHeadFeatures + i] = ecavg::FeatureValue(one[i]);
    }
    y[row * ecavg::kHeadClasses + classes[places[row]]] = 1.0f;
  }
  constexpr std::size_t size = ecavg::kHeadFeatures * ecavg::kHeadUnits;
  for (std::size_t i = 0; i < size; ++i) kernel[i] = head.kernel[i];
  for (std::size_t i = 0; i < ecavg::kHeadUnits; ++i) bias[i] = head.bias[i];
  trainer.input(ecavg::kInRate)->data.f[0] = rate;
  if (trainer.Invoke() != kTfLiteOk) return false;
  kernel = trainer.output(ecavg::kOutKernel)->data.f;
  bias = trainer.output(ecavg::kOutBias)->data.f;
  for (std::size_t i = 0; i < size; ++i) head.kernel[i] = kernel[i];
  for (std::size_t i = 0; i < ecavg::kHeadUnits; ++i) head.bias[i] = bias[i];
  *loss = trainer.output(ecavg::kOutLoss)->data.f[0];
  return true;
}

// Float32 sums in another order differ in the last digits; a fault differs more.
bool Near(float found, float golden) {
  return std::fabs(found - golden) <= 1e-4f * (1.0f + std::fabs(golden));
}

// Two steps on the golden examples, from the exported head.
bool TrainingSelfTest(tflite::MicroInterpreter& trainer) {
  std::size_t places[ecavg::kGoldenRows];
  for (std::size_t i = 0; i < ecavg::kGoldenRows; ++i) places[i] = i;
  ecavg::Start(head);
  for (const float golden : ecavg::kGoldenLosses) {
    float loss = 0.0f;
    if (!Step(trainer, ecavg::kGoldenFeatures, ecavg::kGoldenLabels, places, ecavg::kGoldenRows,
              ecavg::kGoldenRate, &loss) ||
        !Near(loss, golden)) {
      return false;
    }
  }
  for (std::size_t i = 0; i < ecavg::kHeadUnits; ++i) {
    if (!Near(head.bias[i], ecavg::kGoldenBias[i])) return false;
  }
  MicroPrintf("self-test: two training steps are right");
  return true;
}

// Takes the weights that wait on the serial port, if they are whole; else the exported ones.
void TakeWeights() {
  char line[ecavg::kLongestLine];
  ecavg::HeadReader reader;
  ecavg::Start(head);
  while (ReadLine(line, sizeof line)) {
    const ecavg::HeadReader::Result result = reader.Feed(line, received);
    if (result == ecavg::HeadReader::kFault) {
      MicroPrintf("weights are damaged or of another model: send them again");
    }
    if (result == ecavg::HeadReader::kDone) {
      head = received;
      MicroPrintf("new weights are taken");
      return;
    }
  }
}

@COLLECT@
// Another order in every epoch: a batch of one class alone would teach nothing else.
void Shuffle(std::size_t count) {
  static std::uint32_t state = 1;
  for (std::size_t i = count; i > 1; --i) {
    state = state * 1664525u + 1013904223u;
    const std::size_t other = (state >> 8) % i;
    const std::size_t kept = order[i - 1];
    order[i - 1] = order[other];
    order[other] = kept;
  }
}

bool Train(tflite::MicroInterpreter& trainer, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) order[i] = i;
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    Shuffle(count);
    float total = 0.0f;
    for (std::size_t at = 0; at < count; at += ecavg::kBatch) {
      const std::size_t rows = count - at < ecavg::kBatch ? count - at : ecavg::kBatch;
      float loss = 0.0f;
      if (!Step(trainer, features, labels, order + at, rows, kLearningRate, &loss)) return false;
      total += loss * static_cast<float>(rows);
    }
    MicroPrintf("epoch %d: loss %d thousandths", epoch + 1,
                static_cast<int>(1000.0f * total / static_cast<float>(count)));
  }
  for (std::size_t i = 0; i < ecavg::kHeadClasses; ++i) head.counts[i] = 0;
  for (std::size_t i = 0; i < count; ++i) ++head.counts[labels[i]];
  return true;
}

}  // namespace

int main() {
  tflite::InitializeTarget();
  static ecavg::OpResolver resolver;
  if (ecavg::RegisterOps(resolver) != kTfLiteOk) return 1;

@BACKBONE@  const tflite::Model* training = tflite::GetModel(ecavg::kTrainModel);
  static tflite::MicroInterpreter trainer(training, resolver, train_arena, sizeof train_arena);
  if (!Ready(training, trainer, sizeof train_arena)) return 1;
  if (!TrainingSelfTest(trainer)) {
    MicroPrintf("self-test failed: this build does not train as it should");
    return 1;
  }

  TakeWeights();
  const std::size_t count = Collect(@INTERPRETER@);
  if (count == 0) {
    MicroPrintf("no examples: nothing is trained");
    return 0;
  }
  std::size_t right = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (ecavg::Best(head, features + i * ecavg::kHeadFeatures) == labels[i]) ++right;
  }
  MicroPrintf("%d of %d examples are right before", static_cast<int>(right),
              static_cast<int>(count));
  if (!Train(trainer, count)) return 1;
  ecavg::SendHead(head, SendLine);
  return 0;
}
"""


_READ = """\
// Replace this: the raw values of the next labelled example, in the order of kInputShape, and the
// number of its class. Rescaling is a layer of the model. False: there are no more.
bool ReadExample(std::int8_t* image, std::uint16_t* label) {
  for (std::size_t i = 0; i < ecavg::kInputSize; ++i) image[i] = Quantize(0.0f);
  *label = 0;
  return false;
}
"""

_READ_FEATURES = """\
// Replace this: the values of the next labelled example, which the head takes as they are, and the
// number of its class. False: there are no more.
bool ReadExample(float* example, std::uint16_t* label) {
  for (std::size_t i = 0; i < ecavg::kHeadFeatures; ++i) example[i] = 0.0f;
  *label = 0;
  return false;
}
"""

_COLLECT = """\
// A few steps of 256 are rounding that adds up over the layers, more is a fault.
bool SelfTest(tflite::MicroInterpreter& interpreter) {
@GOLDEN_RUN@  MicroPrintf("self-test: features differ by at most %d steps", largest);
  return largest <= 8;
}

// Keeps the features of every labelled example, and gives their number.
std::size_t Collect(tflite::MicroInterpreter& interpreter) {
  std::size_t count = 0;
  while (count < kMostExamples &&
         ReadExample(interpreter.input(0)->data.int8, &labels[count])) {
    if (labels[count] >= ecavg::kHeadClasses) continue;
    if (interpreter.Invoke() != kTfLiteOk) return 0;
    const std::int8_t* found = interpreter.output(0)->data.int8;
    for (std::size_t i = 0; i < ecavg::kHeadFeatures; ++i) {
      features[count * ecavg::kHeadFeatures + i] = found[i];
    }
    ++count;
  }
  return count;
}
"""

_COLLECT_FEATURES = """\
// Keeps every labelled example, and gives their number.
std::size_t Collect() {
  std::size_t count = 0;
  while (count < kMostExamples &&
         ReadExample(features + count * ecavg::kHeadFeatures, &labels[count])) {
    if (labels[count] < ecavg::kHeadClasses) ++count;
  }
  return count;
}
"""

_BACKBONE = """\
  const tflite::Model* model = tflite::GetModel(ecavg::kModel);
  static tflite::MicroInterpreter backbone(model, resolver, arena, sizeof arena);
  if (!Ready(model, backbone, sizeof arena)) return 1;
  if (!SelfTest(backbone)) {
    MicroPrintf("self-test failed: this build does not compute the model");
    return 1;
  }

"""

_WITH_BACKBONE = {
    "INCLUDE": '#include "model_data.h"\n',
    "ARENA": "alignas(16) std::uint8_t arena[ecavg::kArenaSize];\n",
    "READ": QUANTIZE + _READ,
    "COLLECT": _COLLECT.replace("@GOLDEN_RUN@", GOLDEN_RUN),
    "BACKBONE": _BACKBONE,
    "INTERPRETER": "backbone",
}
_HEAD_ALONE = {
    "INCLUDE": "",
    "ARENA": "",
    "READ": _READ_FEATURES,
    "COLLECT": _COLLECT_FEATURES,
    "BACKBONE": "",
    "INTERPRETER": "",
}


def training_main(*, backbone: bool) -> str:
    """The file's text.

    Args:
        backbone: whether an int8 model computes what the head takes.
    """
    text = _TEXT
    for name, part in (_WITH_BACKBONE if backbone else _HEAD_ALONE).items():
        text = text.replace(f"@{name}@", part)
    return text
