// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_SUPPORT_CONVERSATION_H_
#define TESTS_SUPPORT_CONVERSATION_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/tcp_client.h"

namespace echod::testing {

// Sends `line` in LINE mode; returns whether the answer is right.
inline bool Echoes(TcpClient& client, const std::string& line) {
  const std::string answer = absl::StrCat("YOU SAID ", line, "\n");
  return client.Send(absl::StrCat(line, "\n")) &&
         client.Read(answer.size()) == answer;
}

// Bytes that depend on their position, so that lost or repeated ones are
// detected.
inline std::string Pattern(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t state = 1;
  for (char& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

}  // namespace echod::testing

#endif  // TESTS_SUPPORT_CONVERSATION_H_
