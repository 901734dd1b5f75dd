// SPDX-License-Identifier: Apache-2.0

#ifndef ECHO_FILTER_FUZZ_FILTER_H_
#define ECHO_FILTER_FUZZ_FILTER_H_

#include <cstddef>
#include <cstdint>

// The entry point of libFuzzer, which calls it with inputs that it makes up.
// Parses the bytes as a filter and as an order; a failed check or a sanitizer
// ends the process where they are not handled as promised. Returns 0.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size);

#endif  // ECHO_FILTER_FUZZ_FILTER_H_
