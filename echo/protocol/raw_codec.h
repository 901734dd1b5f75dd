// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_PROTOCOL_RAW_CODEC_H_
#define ECHO_PROTOCOL_RAW_CODEC_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "echo/protocol/codec.h"

namespace echod {

// RAW mode: every byte back, unchanged (RFC 862). Copies nothing and has no
// state, so one object serves all conversations on all threads.
class RawCodec final : public Codec {
 public:
  static RawCodec& Shared();

  Answer Receive(absl::string_view input, const Limits& limits,
                 std::string& buffer) override;
  Answer Finish(const Limits& limits, std::string& buffer) override;
  std::size_t partial_bytes() const override { return 0; }

 private:
  void Release() override {}
};

}  // namespace echod

#endif  // ECHO_PROTOCOL_RAW_CODEC_H_
