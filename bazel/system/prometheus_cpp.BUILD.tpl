load("@rules_cc//cc:cc_library.bzl", "cc_library")

package(default_visibility = ["//visibility:public"])

# The types of metrics: headers only. The distributions have no static archive, so
# what is linked into the container image's binary cannot use more.
cc_library(
    name = "model",
    defines = %{prometheus-cpp-core.defines},
)

# Everything, as a shared library, for tests.
cc_library(
    name = "core",
    linkopts = %{prometheus-cpp-core.linkopts},
    deps = [":model"],
)
