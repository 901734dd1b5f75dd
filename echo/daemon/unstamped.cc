// SPDX-License-Identifier: Apache-2.0

#include "echo/daemon/build_stamp.h"

namespace echod {

const BuildStamp kBuildStamp = {.commit = "", .time = "", .tags = ""};

}  // namespace echod
