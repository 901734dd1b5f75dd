// SPDX-License-Identifier: Apache-2.0

#include "echo/protocol/codec.h"

#include "echo/protocol/line_codec.h"
#include "echo/protocol/raw_codec.h"

namespace echod {

CodecPtr NewCodec(EchoMode mode) {
  switch (mode) {
    case EchoMode::kLine:
      return CodecPtr(new LineCodec);
    case EchoMode::kRaw:
      return CodecPtr(&RawCodec::Shared());
  }
  return nullptr;
}

}  // namespace echod
