load("@com_google_protobuf//bazel:cc_proto_library.bzl", "cc_proto_library")
load("@com_google_protobuf//bazel:proto_library.bzl", "proto_library")

package(default_visibility = ["//visibility:public"])

proto_library(
    name = "health_descriptor",
    srcs = ["health.proto"],
)

# The C++ messages, under the name they have upstream.
cc_proto_library(
    name = "health_proto",
    deps = [":health_descriptor"],
)
