// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_SUPPORT_SHORT_FOLDER_H_
#define TESTS_SUPPORT_SHORT_FOLDER_H_

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "echo/base/check.h"

namespace echod::testing {

// A new folder, for Unix sockets: below the temporary directory of the test,
// their paths could be too long. Removed at the end, with what is in it.
class ShortFolder {
 public:
  ShortFolder() { ECHOD_CHECK(mkdtemp(path_.data()) != nullptr); }
  ~ShortFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ShortFolder(const ShortFolder&) = delete;
  ShortFolder& operator=(const ShortFolder&) = delete;

  const std::string& path() const { return path_; }
  // The path of the entry `name` in it.
  std::string At(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_ = "/tmp/echod_test_XXXXXX";
};

}  // namespace echod::testing

#endif  // TESTS_SUPPORT_SHORT_FOLDER_H_
