// SPDX-License-Identifier: Apache-2.0

#ifndef TESTS_SUPPORT_HTTP_GET_H_
#define TESTS_SUPPORT_HTTP_GET_H_

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "echo/base/socket_address.h"
#include "tests/support/tcp_client.h"

namespace echod::testing {

// The whole answer to a GET request, with its headers; empty: none. `headers`
// end with CRLF.
inline std::string HttpGet(const std::string& address, absl::string_view path,
                           absl::string_view headers = "",
                           const TcpClient::Options& options = {}) {
  std::optional<TcpClient> client =
      TcpClient::Connect(*SocketAddress::Parse(address), options);
  if (!client.has_value()) return "";
  client->Send(absl::StrCat("GET ", path, " HTTP/1.1\r\n", headers,
                            "Connection: close\r\n\r\n"));
  return client->ReadToEnd();
}

}  // namespace echod::testing

#endif  // TESTS_SUPPORT_HTTP_GET_H_
