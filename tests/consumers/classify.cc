// A program without Python: loads a SavedModel by its serving_default signature, sends files' bytes in one batch, and
// prints each file's likeliest label and its score, or that it is not valid.
//
//   classify served/resnet50/1 photo.jpg ...

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "tensorflow/cc/saved_model/loader.h"
#include "tensorflow/core/framework/tensor.h"

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s SAVED_MODEL IMAGE...\n", argv[0]);
    return 2;
  }
  tensorflow::SavedModelBundleLite bundle;
  auto status = tensorflow::LoadSavedModel({}, {}, argv[1], {"serve"}, &bundle);
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    return 1;
  }
  const auto& signature = bundle.GetSignatures().at("serving_default");

  const int count = argc - 2;
  tensorflow::Tensor files(tensorflow::DT_STRING, {count});
  for (int i = 0; i < count; ++i) {
    std::ifstream file(argv[i + 2], std::ios::binary);
    files.vec<tensorflow::tstring>()(i) = std::string(std::istreambuf_iterator<char>(file), {});
  }

  std::vector<std::string> names;
  for (const char* output : {"classes", "top_scores", "valid"}) names.push_back(signature.outputs().at(output).name());
  std::vector<tensorflow::Tensor> answer;
  status = bundle.GetSession()->Run({{signature.inputs().at("image_bytes").name(), files}}, names, {}, &answer);
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    return 1;
  }
  for (int i = 0; i < count; ++i) {
    if (answer[2].vec<bool>()(i)) {
      const std::string label = answer[0].matrix<tensorflow::tstring>()(i, 0);
      std::printf("%s: %s %.6f\n", argv[i + 2], label.c_str(), answer[1].matrix<float>()(i, 0));
    } else {
      std::printf("%s: not valid\n", argv[i + 2]);
    }
  }
  return 0;
}
