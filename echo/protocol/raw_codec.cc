// SPDX-License-Identifier: Apache-2.0

#include "echo/protocol/raw_codec.h"

namespace echod {

RawCodec& RawCodec::Shared() {
  static auto* const shared = new RawCodec;
  return *shared;
}

Codec::Answer RawCodec::Receive(absl::string_view input, const Limits& limits,
                                std::string& /*buffer*/) {
  const absl::string_view bytes = input.substr(0, limits.batch_bytes);
  return {.consumed = bytes.size(), .bytes = bytes};
}

Codec::Answer RawCodec::Finish(const Limits& /*limits*/,
                               std::string& /*buffer*/) {
  return {};
}

}  // namespace echod
