#ifndef ECHO_TCP_INFO_H_
#define ECHO_TCP_INFO_H_

#include <optional>

#include "echo/server_control.h"

namespace echod {

// What the kernel knows of the connection `fd`; nothing if it does not say.
std::optional<TcpInfo> ReadTcpInfo(int fd);

}  // namespace echod

#endif  // ECHO_TCP_INFO_H_
