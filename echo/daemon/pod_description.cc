// SPDX-License-Identifier: Apache-2.0

#include "echo/daemon/pod_description.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "echo/base/socket_address.h"

namespace echod {
namespace {

constexpr std::size_t kMostNamespaceBytes = 63;
constexpr std::size_t kMostNameBytes = 253;
constexpr std::size_t kMostIpBytes = 45;

// Lower-case letters, digits and hyphens, which neither begin nor end it (RFC
// 1123).
bool IsLabel(absl::string_view text) {
  const auto permitted = [](char c) {
    return absl::ascii_islower(static_cast<unsigned char>(c)) ||
           absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '-';
  };
  return !text.empty() && text.front() != '-' && text.back() != '-' &&
         std::all_of(text.begin(), text.end(), permitted);
}

// As Kubernetes has the names of namespaces, and those of pods and nodes.
bool IsNamespace(absl::string_view text) {
  return text.size() <= kMostNamespaceBytes && IsLabel(text);
}
bool IsName(absl::string_view text) {
  if (text.size() > kMostNameBytes) return false;
  const std::vector<absl::string_view> labels = absl::StrSplit(text, '.');
  return std::all_of(labels.begin(), labels.end(), IsLabel);
}

bool IsIp(absl::string_view text) {
  return text.size() <= kMostIpBytes &&
         text.find_first_not_of("0123456789abcdefABCDEF.:") ==
             absl::string_view::npos &&
         SocketAddress::FromHost(text, 0).ok();
}

}  // namespace

PodEnvironment ReadPodEnvironment(
    const std::function<const char*(const char*)>& get) {
  PodEnvironment environment;
  const auto read = [&](const char* variable, bool (*valid)(absl::string_view),
                        absl::string_view wanted, std::string& value) {
    const char* const text = get(variable);
    if (text == nullptr || *text == '\0') return;
    if (valid(text)) {
      value = text;
      return;
    }
    environment.problems.push_back(absl::StrCat(
        "the environment variable ", variable, " is not ", wanted,
        "; GetServer does not show it. Set it from the downward API, or unset "
        "it"));
  };
  PodDescription& pod = environment.pod;
  read("POD_NAME", IsName, "the name of a pod", pod.name);
  read("POD_NAMESPACE", IsNamespace, "the name of a namespace",
       pod.namespace_name);
  read("NODE_NAME", IsName, "the name of a node", pod.node_name);
  read("POD_IP", IsIp, "an IP address", pod.ip);
  return environment;
}

}  // namespace echod
