load("@rules_cc//cc:cc_library.bzl", "cc_library")

package(default_visibility = ["//visibility:public"])

# A rule can only run a file target, and the symlink itself is one.
exports_files(["grpc_cpp_plugin_bin"])

alias(
    name = "grpc_cpp_plugin",
    actual = "grpc_cpp_plugin_bin",
)

cc_library(
    name = "grpc++",
    defines = %{grpc++.defines},
    linkopts = %{grpc++.linkopts},
    deps = ["@com_google_protobuf//:protobuf"],
)

cc_library(
    name = "grpcpp_channelz",
    linkopts = ["-lgrpcpp_channelz"],
    deps = [":grpc++"],
)
