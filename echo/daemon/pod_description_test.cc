// SPDX-License-Identifier: Apache-2.0

#include "echo/daemon/pod_description.h"

#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

using Variables = std::map<std::string, std::string>;

PodEnvironment Read(const Variables& variables) {
  return ReadPodEnvironment([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(PodDescriptionTest, WhatTheDownwardApiSays) {
  const PodEnvironment environment = Read({{"POD_NAME", "echod-7d4b9-x2x1z"},
                                           {"POD_NAMESPACE", "echod"},
                                           {"NODE_NAME", "node-1.example.com"},
                                           {"POD_IP", "fd00:10::2"}});
  EXPECT_TRUE(environment.problems.empty());
  EXPECT_EQ(environment.pod.name, "echod-7d4b9-x2x1z");
  EXPECT_EQ(environment.pod.namespace_name, "echod");
  EXPECT_EQ(environment.pod.node_name, "node-1.example.com");
  EXPECT_EQ(environment.pod.ip, "fd00:10::2");
}

TEST(PodDescriptionTest, OutsideOfAPod) {
  for (const Variables& variables : {Variables(), {{"POD_NAME", ""}}}) {
    const PodEnvironment environment = Read(variables);
    EXPECT_TRUE(environment.problems.empty());
    EXPECT_EQ(environment.pod.name, "");
    EXPECT_EQ(environment.pod.ip, "");
  }
}

TEST(PodDescriptionTest, LongNames) {
  const std::string label(63, 'a');
  const std::string name =
      absl::StrCat(label, ".", label, ".", label, ".", std::string(61, 'a'));
  ASSERT_EQ(name.size(), 253);
  EXPECT_EQ(Read({{"POD_NAME", name}}).pod.name, name);
  EXPECT_EQ(Read({{"POD_NAMESPACE", label}}).pod.namespace_name, label);
  EXPECT_EQ(Read({{"POD_IP", "10.244.0.7"}}).pod.ip, "10.244.0.7");
  for (const Variables& variables :
       {Variables{{"POD_NAME", name + "a"}},
        Variables{{"POD_NAMESPACE", label + "a"}}}) {
    EXPECT_EQ(Read(variables).problems.size(), 1);
  }
}

TEST(PodDescriptionTest, WhatCannotBeRightIsAProblemThatNamesTheVariable) {
  for (const auto& [variable, values] :
       std::map<std::string, std::vector<std::string>>{
           {"POD_NAME",
            {"A", "a_b", "-a", "a-", "a..b", ".a", "a.", "a b", "a\n",
             "$(POD_NAME)", "\xc3\xa4"}},
           {"POD_NAMESPACE", {"a.b", "A", "-", "a/b"}},
           {"NODE_NAME", {"node_1", "a\x1b[31m"}},
           {"POD_IP",
            {"10.0.0", "10.0.0.1:8080", "[::1]", "localhost", "fe80::1%eth0",
             "::1 ", "unix:/a", std::string(100, '1')}}}) {
    for (const std::string& value : values) {
      const PodEnvironment environment = Read({{variable, value}});
      ASSERT_EQ(environment.problems.size(), 1) << variable << "=" << value;
      EXPECT_TRUE(absl::StrContains(environment.problems[0], variable));
      EXPECT_EQ(environment.pod.name + environment.pod.namespace_name +
                    environment.pod.node_name + environment.pod.ip,
                "");
    }
  }
}

}  // namespace
}  // namespace echod
