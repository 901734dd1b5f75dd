// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_PROTOCOL_CODEC_H_
#define ECHO_PROTOCOL_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "echo/control/listener_settings.h"

namespace echod {

// One side of one conversation: turns what a client sends into what it gets
// back. Keeps what it cannot answer yet, such as a line without its end, and
// nothing else. One thread.
class Codec {
 public:
  // What bounds one call.
  struct Limits {
    // The listener's limit of a line, its end not counted.
    std::size_t max_line_bytes = 0;
    // The call ends at the first boundary (such as a line's end) at which the
    // answer has this many bytes,
    std::size_t batch_bytes = 0;
    // or is longer by this many than the input it answers.
    std::size_t extra_bytes = 0;
  };

  struct Answer {
    // Of the input: answered or kept. The caller comes back with the rest. 0
    // where there was no room for the answer: `extra_bytes` was 0.
    std::size_t consumed = 0;
    // To be sent. Refers to the input or to `buffer`.
    absl::string_view bytes;
    std::int64_t lines = 0;  // answered
    // A line exceeds the limit. The answer ends with an error for the client,
    // and so does the conversation: discard what comes after it.
    bool line_too_long = false;
  };

  Codec() = default;
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;
  virtual ~Codec() = default;

  // Answers `input`, which is not empty, in order. `buffer` is for the codec to
  // use; its content before the call means nothing.
  virtual Answer Receive(absl::string_view input, const Limits& limits,
                         std::string& buffer) = 0;

  // The client has closed its side: answers what was kept, all of it.
  virtual Answer Finish(const Limits& limits, std::string& buffer) = 0;

  // Bytes that were consumed and are not answered yet.
  virtual std::size_t partial_bytes() const = 0;

  // Ends the use of a codec that NewCodec returned.
  struct Deleter {
    void operator()(Codec* codec) const { codec->Release(); }
  };

 private:
  // A codec without a state is shared by all, and overrides this.
  virtual void Release() { delete this; }
};

using CodecPtr = std::unique_ptr<Codec, Codec::Deleter>;

// A codec for a new conversation in `mode`. This is the only place that knows
// which modes there are. Thread-safe.
CodecPtr NewCodec(EchoMode mode);

}  // namespace echod

#endif  // ECHO_PROTOCOL_CODEC_H_
