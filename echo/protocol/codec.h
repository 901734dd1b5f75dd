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
    // The call ends between two units (such as lines) once the answer has this
    // many bytes.
    std::size_t batch_bytes = 0;
    // The call ends between two units once the answer is longer than the input
    // it answers by this many bytes.
    std::size_t extra_bytes = 0;
  };

  struct Answer {
    // Bytes of the input that were answered or kept; the caller passes the rest
    // to the next call. 0 if `extra_bytes` left no room for an answer.
    std::size_t consumed = 0;
    // The bytes to send: a view into the input or into `buffer`.
    absl::string_view bytes;
    std::int64_t lines = 0;  // answered
    // A line exceeds the limit. The answer ends with an error for the client;
    // the caller discards all further input.
    bool line_too_long = false;
  };

  Codec() = default;
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;
  virtual ~Codec() = default;

  // Answers `input`, which must not be empty. The codec may use `buffer` as
  // scratch space, whatever it contained before.
  virtual Answer Receive(absl::string_view input, const Limits& limits,
                         std::string& buffer) = 0;

  // Answers everything that was kept, after the client has closed its side.
  virtual Answer Finish(const Limits& limits, std::string& buffer) = 0;

  // Bytes that have been consumed but not answered.
  virtual std::size_t partial_bytes() const = 0;

  // Releases a codec that NewCodec returned.
  struct Deleter {
    void operator()(Codec* codec) const { codec->Release(); }
  };

 private:
  // Overridden by a codec without state, of which all share one object.
  virtual void Release() { delete this; }
};

using CodecPtr = std::unique_ptr<Codec, Codec::Deleter>;

// Returns a codec for a new conversation in `mode`. No other code depends on
// which modes exist. Thread-safe.
CodecPtr NewCodec(EchoMode mode);

}  // namespace echod

#endif  // ECHO_PROTOCOL_CODEC_H_
