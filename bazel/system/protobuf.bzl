"""@com_google_protobuf and @com_github_grpc_grpc, from the distribution's packages."""

load(":pkg_config.bzl", "fail_missing", "find_program")
load(":system_library.bzl", "substitutions")

# The well-known protos of protobuf, and their imports. Both are stable.
_WELL_KNOWN_PROTOS = {
    "any": [],
    "api": ["source_context", "type"],
    "descriptor": [],
    "duration": [],
    "empty": [],
    "field_mask": [],
    "source_context": [],
    "struct": [],
    "timestamp": [],
    "type": ["any", "source_context"],
    "wrappers": [],
}

_PROTO_LIBRARY = """
proto_library(
    name = "{name}_proto",
    srcs = ["google/protobuf/{name}.proto"],
    deps = {deps},
)
"""

_PASS_ON_RULE = """\"\"\"The built-in {rule}.\"\"\"

{rule} = native.{rule}
"""

def _protobuf_repository_impl(rctx):
    include = rctx.path("/usr/include/google/protobuf")
    protos = ""
    for name, deps in _WELL_KNOWN_PROTOS.items():
        proto = include.get_child(name + ".proto")
        if not proto.exists:
            fail_missing("The file %s" % proto)
        rctx.symlink(proto, "google/protobuf/%s.proto" % name)
        protos += _PROTO_LIBRARY.format(name = name, deps = [":%s_proto" % dep for dep in deps])
    rctx.symlink(find_program(rctx, "protoc"), "protoc")

    flags = substitutions(rctx, ["protobuf"])
    flags["%{proto_libraries}"] = protos
    flags["%{well_known_protos}"] = repr([":%s_proto" % name for name in _WELL_KNOWN_PROTOS])
    rctx.template("BUILD.bazel", rctx.attr._build_file, flags)
    rctx.template("src/google/protobuf/util/BUILD.bazel", rctx.attr._util_build_file)

    rctx.file("bazel/BUILD.bazel", "exports_files(glob([\"*.bzl\"]))\n")
    for rule in ["proto_library", "cc_proto_library"]:
        rctx.file("bazel/%s.bzl" % rule, _PASS_ON_RULE.format(rule = rule))

    # Two files, because a file cannot refer to a global with the same name.
    rctx.file("bazel/common/BUILD.bazel", "exports_files(glob([\"*.bzl\"]))\n")
    rctx.file("bazel/common/native.bzl", "NativeProtoInfo = ProtoInfo\n")
    rctx.file("bazel/common/proto_info.bzl", """load(":native.bzl", "NativeProtoInfo")

ProtoInfo = NativeProtoInfo
""")

protobuf_repository = repository_rule(
    implementation = _protobuf_repository_impl,
    attrs = {
        "_build_file": attr.label(default = ":protobuf.BUILD.tpl"),
        "_util_build_file": attr.label(default = ":protobuf_util.BUILD.tpl"),
    },
    configure = True,
    environ = ["ECHOD_SYSTEM_LIBRARIES", "PATH", "PKG_CONFIG_PATH"],
)

def _grpc_repository_impl(rctx):
    if not rctx.path("/usr/include/grpcpp/ext/channelz_service_plugin.h").exists:
        fail_missing("The header <grpcpp/ext/channelz_service_plugin.h>")
    rctx.symlink(find_program(rctx, "grpc_cpp_plugin"), "grpc_cpp_plugin_bin")
    rctx.template("BUILD.bazel", rctx.attr._build_file, substitutions(rctx, ["grpc++"]))
    rctx.file("bazel/BUILD.bazel", "exports_files(glob([\"*.bzl\"]))\n")
    rctx.template("bazel/cc_grpc_library.bzl", rctx.attr._cc_grpc_library)
    rctx.template("src/proto/grpc/health/v1/BUILD.bazel", rctx.attr._health_build_file)
    rctx.template("src/proto/grpc/health/v1/health.proto", rctx.attr._health_proto)
    for version in ["v1", "v1alpha"]:
        folder = "src/proto/grpc/reflection/" + version
        rctx.template(folder + "/BUILD.bazel", rctx.attr._reflection_build_file)
        rctx.template(folder + "/reflection.proto", rctx.attr._reflection_proto, {"@VERSION@": version})

grpc_repository = repository_rule(
    implementation = _grpc_repository_impl,
    attrs = {
        "_build_file": attr.label(default = ":grpc.BUILD.tpl"),
        "_cc_grpc_library": attr.label(default = ":cc_grpc_library.bzl"),
        "_health_build_file": attr.label(default = ":health.BUILD.tpl"),
        "_health_proto": attr.label(default = ":health.proto"),
        "_reflection_build_file": attr.label(default = ":reflection.BUILD.tpl"),
        "_reflection_proto": attr.label(default = ":reflection.proto"),
    },
    configure = True,
    environ = ["ECHOD_SYSTEM_LIBRARIES", "PATH", "PKG_CONFIG_PATH"],
)
