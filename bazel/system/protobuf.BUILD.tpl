load("@rules_cc//cc:cc_library.bzl", "cc_library")
load("//bazel:proto_library.bzl", "proto_library")

package(default_visibility = ["//visibility:public"])

exports_files(["protoc"])

cc_library(
    name = "protobuf",
    defines = %{protobuf.defines},
    linkopts = %{protobuf.linkopts},
)

# What cc_proto_library runs. The well-known protos are compiled into the
# runtime, and their headers installed: nothing is generated for them.
proto_lang_toolchain(
    name = "cc_toolchain",
    blacklisted_protos = %{well_known_protos},
    command_line = "--cpp_out=$(OUT)",
    runtime = ":protobuf",
)
%{proto_libraries}
