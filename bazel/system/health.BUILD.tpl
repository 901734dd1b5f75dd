load("@com_google_protobuf//bazel:cc_proto_library.bzl", "cc_proto_library")
load("@com_google_protobuf//bazel:proto_library.bzl", "proto_library")
load("//bazel:cc_grpc_library.bzl", "cc_grpc_library")

package(default_visibility = ["//visibility:public"])

proto_library(
    name = "health_descriptor",
    srcs = ["health.proto"],
)

cc_proto_library(
    name = "health_cc_proto",
    deps = [":health_descriptor"],
)

# The C++ messages and stubs, under the name they have upstream.
cc_grpc_library(
    name = "health_proto",
    srcs = [":health_descriptor"],
    grpc_only = True,
    deps = [":health_cc_proto"],
)
