// SPDX-License-Identifier: Apache-2.0

#include "echo/base/ip_network.h"

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace echod {
namespace {

constexpr int kBitsOfByte = 8;

// The bits of byte `index` that are in a prefix of this length.
std::uint8_t Mask(int prefix, std::size_t index) {
  const int bits = prefix - static_cast<int>(index) * kBitsOfByte;
  if (bits >= kBitsOfByte) return 0xFF;
  if (bits <= 0) return 0;
  return static_cast<std::uint8_t>(0xFF << (kBitsOfByte - bits));
}

}  // namespace

absl::StatusOr<IpNetwork> IpNetwork::Parse(absl::string_view text) {
  const std::size_t slash = text.find('/');
  absl::string_view host = text.substr(0, slash);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  const auto first = SocketAddress::FromHost(host, 0);
  if (!first.ok()) return first.status();
  const absl::Span<const std::uint8_t> bytes = first->host_bytes();
  const int bits = static_cast<int>(bytes.size()) * kBitsOfByte;
  if (slash == absl::string_view::npos) return IpNetwork(*first, bits);

  const absl::string_view length = text.substr(slash + 1);
  int prefix = 0;
  if (!absl::SimpleAtoi(length, &prefix) || absl::StrCat(prefix) != length ||
      prefix < 0 || prefix > bits) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", length, "' is not the length of a prefix; write 0 to ", bits));
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if ((bytes[i] & ~Mask(prefix, i)) != 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "'", text, "' is an address within a network; write the network's ",
          "first address, or the address without /", prefix));
    }
  }
  return IpNetwork(*first, prefix);
}

bool IpNetwork::Contains(const SocketAddress& address) const {
  const absl::Span<const std::uint8_t> ours = first_.host_bytes();
  const absl::Span<const std::uint8_t> theirs = address.host_bytes();
  if (ours.size() != theirs.size()) return false;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (((ours[i] ^ theirs[i]) & Mask(prefix_, i)) != 0) return false;
  }
  return true;
}

}  // namespace echod
