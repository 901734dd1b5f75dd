load("@rules_cc//cc:cc_library.bzl", "cc_library")

package(default_visibility = ["//visibility:public"])

# As upstream, :gtest includes gMock.
cc_library(
    name = "gtest",
    testonly = True,
    defines = %{gmock.defines},
    linkopts = %{gmock.linkopts},
)

cc_library(
    name = "gtest_main",
    testonly = True,
    defines = %{gtest_main.defines},
    linkopts = %{gtest_main.linkopts},
    deps = [":gtest"],
)
