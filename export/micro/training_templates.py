"""Templates of the C++ sources that train a head; fields in braces are filled in."""

HEADER = """\
// Written by ecavg-tf. The training file's SHA-256 is
// {sha256}.
#ifndef ECAVG_TRAIN_DATA_H_
#define ECAVG_TRAIN_DATA_H_

#include <cstddef>
#include <cstdint>

namespace ecavg {{

// The training file: one step of SGD. It keeps nothing, weights go in and come out.
constexpr std::size_t kTrainModelSize = {size};
extern const unsigned char kTrainModel[kTrainModelSize];

// {needed} bytes were enough in the tflite-micro interpreter on Linux x86-64; the rest is
// margin (README.txt says for what).
constexpr std::size_t kTrainArenaSize = {arena};

// A step takes so many examples; those whose row of y is all zeros don't count.
constexpr std::size_t kBatch = {batch};
constexpr std::size_t kHeadFeatures = {features};
constexpr std::size_t kHeadUnits = {units};
constexpr std::size_t kHeadClasses = {classes};

// Inputs and outputs of the training file, as the interpreter counts them. Inputs lie where the
// step computes: fill in all of them before every step.
constexpr int kInX = {x};
constexpr int kInY = {y};
constexpr int kInKernel = {kernel};
constexpr int kInBias = {bias};
constexpr int kInRate = {learning_rate};
constexpr int kOutKernel = {new_kernel};
constexpr int kOutBias = {new_bias};
constexpr int kOutLoss = {loss};

// What the head takes of an example, as it is kept: {kept}.
// Its value is (feature - kHeadZeroPoint) * kHeadScale.
using HeadFeature = {feature};
constexpr float kHeadScale = {scale};
constexpr int kHeadZeroPoint = {zero_point};

// The layers before the head, which the device does not train: first digits of their hash.
constexpr char kFrozen[] = "{frozen}";

// The head as it was exported: the kernel row by row, then the bias.
extern const float kStartKernel[kHeadFeatures * kHeadUnits];
extern const float kStartBias[kHeadUnits];

// Examples for a self-test: two steps on them, in one batch. The losses before each of the two,
// and the bias after both, are those that the tflite-micro interpreter gave.
constexpr std::size_t kGoldenRows = {rows};
extern const HeadFeature kGoldenFeatures[kGoldenRows * kHeadFeatures];
extern const std::uint16_t kGoldenLabels[kGoldenRows];
constexpr float kGoldenRate = {rate};
constexpr float kGoldenLosses[2] = {{{first}, {second}}};
extern const float kGoldenBias[kHeadUnits];
{labels}
}}  // namespace ecavg

#endif  // ECAVG_TRAIN_DATA_H_
"""

DATA_HEAD = """\
// Written by ecavg-tf; train_data.h says what this is.
#include "train_data.h"

namespace ecavg {

// tflite-micro reads the file in place, aligned to 16 bytes.
"""

HEAD = """\
// Written by ecavg-tf: a head's answers, and its weights as lines of text. Plain C++.
#ifndef ECAVG_HEAD_H_
#define ECAVG_HEAD_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "train_data.h"

namespace ecavg {

struct Head {
  std::uint32_t counts[kHeadClasses];  // examples of each class that it was trained on
  float kernel[kHeadFeatures * kHeadUnits];
  float bias[kHeadUnits];
};

inline void Start(Head& head) {
  for (std::size_t i = 0; i < kHeadClasses; ++i) head.counts[i] = 0;
  for (std::size_t i = 0; i < kHeadFeatures * kHeadUnits; ++i) head.kernel[i] = kStartKernel[i];
  for (std::size_t i = 0; i < kHeadUnits; ++i) head.bias[i] = kStartBias[i];
}

inline float FeatureValue(HeadFeature feature) {
  return (static_cast<float>(feature) - static_cast<float>(kHeadZeroPoint)) * kHeadScale;
}

// One logit a class; the one unit of two classes is the second class' logit.
inline void Logits(const Head& head, const HeadFeature* features, float* logits) {
  constexpr std::size_t first = kHeadClasses - kHeadUnits;
  for (std::size_t i = 0; i < first; ++i) logits[i] = 0.0f;
  for (std::size_t unit = 0; unit < kHeadUnits; ++unit) {
    float sum = head.bias[unit];
    for (std::size_t i = 0; i < kHeadFeatures; ++i) {
      sum += FeatureValue(features[i]) * head.kernel[i * kHeadUnits + unit];
    }
    logits[first + unit] = sum;
  }
}

inline std::size_t Best(const Head& head, const HeadFeature* features) {
  float logits[kHeadClasses];
  Logits(head, features, logits);
  std::size_t best = 0;
  for (std::size_t i = 1; i < kHeadClasses; ++i) {
    if (logits[i] > logits[best]) best = i;
  }
  return best;
}

// A head as lines: numbers of 32 bits, and the CRC-32 of their bytes (least byte first).
constexpr std::size_t kWords = kHeadClasses + kHeadFeatures * kHeadUnits + kHeadUnits;
constexpr std::size_t kWordsALine = 8;
constexpr std::size_t kLongestLine = 96;  // with its end

inline std::uint32_t Crc32(std::uint32_t crc, std::uint32_t word) {
  for (int byte = 0; byte < 4; ++byte) {
    crc ^= (word >> (8 * byte)) & 0xFFu;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1u)));
  }
  return crc;
}

// Where the word of a number lies in a head.
inline void* Place(Head& head, std::size_t word) {
  if (word < kHeadClasses) return &head.counts[word];
  word -= kHeadClasses;
  if (word < kHeadFeatures * kHeadUnits) return &head.kernel[word];
  return &head.bias[word - kHeadFeatures * kHeadUnits];
}

// send(line) is called for every line, without its end.
template <typename Send>
void SendHead(Head& head, Send send) {
  char line[kLongestLine];
  std::snprintf(line, sizeof line, "ecavg-head 1 %s %u %u %u", kFrozen,
                static_cast<unsigned>(kHeadFeatures), static_cast<unsigned>(kHeadUnits),
                static_cast<unsigned>(kHeadClasses));
  send(line);
  std::uint32_t crc = 0xFFFFFFFFu;
  std::size_t used = 0;
  for (std::size_t i = 0; i < kWords; ++i) {
    std::uint32_t word;
    std::memcpy(&word, Place(head, i), sizeof word);
    crc = Crc32(crc, word);
    if (used == 0) line[used++] = ':';
    for (int digit = 7; digit >= 0; --digit) {
      line[used++] = "0123456789abcdef"[(word >> (4 * digit)) & 0xFu];
    }
    if (used == 1 + 8 * kWordsALine || i + 1 == kWords) {
      line[used] = '\\0';
      send(line);
      used = 0;
    }
  }
  std::snprintf(line, sizeof line, "ecavg-end %08lx", static_cast<unsigned long>(~crc));
  send(line);
}

// Reads a head line by line; lines that are not its own are passed over.
class HeadReader {
 public:
  enum Result { kMore, kDone, kFault };

  // Puts what a line holds into a head, which counts once this says kDone.
  Result Feed(const char* line, Head& head) {
    if (std::strncmp(line, "ecavg-head", 10) == 0) return Begin(line);
    if (!began_) return kMore;
    if (line[0] == ':') return Numbers(line + 1, head);
    if (std::strncmp(line, "ecavg-end ", 10) != 0) return kMore;
    began_ = false;
    std::uint32_t crc = 0;
    return word_ == kWords && Hex(line + 10, &crc) && crc == ~crc_ ? kDone : kFault;
  }

 private:
  Result Begin(const char* line) {
    char wanted[kLongestLine];
    std::snprintf(wanted, sizeof wanted, "ecavg-head 1 %s %u %u %u", kFrozen,
                  static_cast<unsigned>(kHeadFeatures), static_cast<unsigned>(kHeadUnits),
                  static_cast<unsigned>(kHeadClasses));
    const std::size_t length = std::strlen(wanted);
    began_ = std::strncmp(line, wanted, length) == 0 &&
             (line[length] == '\\0' || line[length] == '\\r' || line[length] == '\\n');
    word_ = 0;
    crc_ = 0xFFFFFFFFu;
    return began_ ? kMore : kFault;
  }

  Result Numbers(const char* text, Head& head) {
    while (*text != '\\0' && *text != '\\r' && *text != '\\n') {
      std::uint32_t word = 0;
      if (word_ == kWords || !Hex(text, &word)) {
        began_ = false;
        return kFault;
      }
      crc_ = Crc32(crc_, word);
      std::memcpy(Place(head, word_++), &word, sizeof word);
      text += 8;
    }
    return kMore;
  }

  static bool Hex(const char* text, std::uint32_t* word) {
    std::uint32_t value = 0;
    for (int i = 0; i < 8; ++i) {
      const char c = text[i];
      const bool digit = c >= '0' && c <= '9';
      if (!digit && !(c >= 'a' && c <= 'f')) return false;
      value = (value << 4) | static_cast<std::uint32_t>(digit ? c - '0' : c - 'a' + 10);
    }
    *word = value;
    return true;
  }

  bool began_ = false;
  std::size_t word_ = 0;
  std::uint32_t crc_ = 0;
};

}  // namespace ecavg

#endif  // ECAVG_HEAD_H_
"""

README_BACKBONE = """\
Backbone         {size} bytes of flash; arena needed {needed}, reserved {arena} (kArenaSize).
                 Its features differ from those of LiteRT's reference kernels by at most
                 {difference} steps of 256
"""

README = """\
Sources for a microcontroller that trains its head, written by ecavg-tf
=======================================================================

model_data.h, model_data.cc   the int8 model up to the head (left out where there is none)
train_data.h, train_data.cc   the training file, the head's weights, and examples for a self-test
head.h                        the head's answers, and its weights as lines of text
ops.h                         the operators to register, of both
main.cc                       trains once; fill in ReadExample and ReadLine for your board
backbone.tflite, train.tflite the two files as they are
head.json                     for the host: python -m edge micro-update, micro-weights

THESE SOURCES WERE NOT BUILT HERE. The tflite-micro package for Python has no C++ headers, so
ops.h and main.cc are written against its API unseen by a compiler. What was proved are the two
files: they ran in that package's interpreter. After two steps no loss and no weight differs from
Keras by more than {difference}. On the device's features the head labels {agreement} % of
{examples} examples as the Keras model does.

Build them with tflite-micro (https://github.com/tensorflow/tflite-micro) for your board: put its
tree on the include path, compile the .cc files and link its library.

Memory
------

{backbone}Training file    {size} bytes of flash; arena needed {needed}, reserved {arena}
                 (kTrainArenaSize), for {batch} examples a step
Weights          {weights} bytes, three times: exported in flash, in use and received in RAM
An example       {kept} bytes, for every one that main.cc keeps (kMostExamples)

Arenas were bisected with the tflite-micro interpreter on Linux x86-64, reference kernels; 16 bytes
less fail there. A 32-bit device has smaller pointers and needs less. main.cc prints what was
really used: take that, and lower the sizes.
"""
