// SPDX-License-Identifier: Apache-2.0

#include "echo/control/config_reloads.h"

#include <cstddef>
#include <vector>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "echo/base/log_text.h"

namespace echod {
namespace {

constexpr std::size_t kLongestError = 8192;

// What the text is to people: lines of printable characters.
std::string Shown(absl::string_view text) {
  const std::vector<absl::string_view> lines =
      absl::StrSplit(text.substr(0, kLongestError), '\n');
  return absl::StrJoin(lines, "\n",
                       [](std::string* out, absl::string_view line) {
                         out->append(PrintableText(line));
                       });
}

}  // namespace

void ConfigReloads::Count(absl::Time now, const absl::Status& outcome) {
  const MutexLock lock(mutex_);
  if (outcome.ok()) {
    ++counts_.succeeded;
    counts_.last_good = now;
  } else {
    ++counts_.failed;
  }
  counts_.last = {.time = now,
                  .succeeded = outcome.ok(),
                  .error = Shown(outcome.message())};
}

ConfigReloads::Counts ConfigReloads::Read() const {
  const MutexLock lock(mutex_);
  return counts_;
}

}  // namespace echod
