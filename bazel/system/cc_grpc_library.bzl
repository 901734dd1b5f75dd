"""cc_grpc_library, as in gRPC's own repository but with the installed protoc and plugin.

This file is not loaded from here: it becomes
@com_github_grpc_grpc//bazel:cc_grpc_library.bzl.
"""

load("@com_google_protobuf//bazel/common:proto_info.bzl", "ProtoInfo")
load("@rules_cc//cc:cc_library.bzl", "cc_library")

def _import_path(proto, info):
    # The path by which other protos import this file, relative to the proto root
    # (virtual or a repository). It determines the names of the generated files.
    path = proto.path
    for root in [info.proto_source_root, proto.root.path, proto.owner.workspace_root]:
        if root and root != "." and path.startswith(root + "/"):
            return path[len(root) + 1:]
    return path

def _generate_grpc_impl(ctx):
    info = ctx.attr.src[ProtoInfo]
    extensions = [".grpc.pb.h", ".grpc.pb.cc"]
    options = ""
    if ctx.attr.generate_mocks:
        extensions.append("_mock.grpc.pb.h")
        options = "generate_mock_code=true:"

    imports = [_import_path(proto, info) for proto in info.direct_sources]
    outs = [
        ctx.actions.declare_file("%s/%s" % (ctx.label.name, path[:-len(".proto")] + extension))
        for path in imports
        for extension in extensions
    ]
    out_dir = outs[0].path[:-len(imports[0][:-len(".proto")] + extensions[0]) - 1]

    args = ctx.actions.args()
    args.add("--plugin=protoc-gen-grpc=" + ctx.executable._plugin.path)
    args.add("--grpc_out=%s%s" % (options, out_dir))
    args.add_all(info.transitive_proto_path, format_each = "--proto_path=%s")
    args.add("--proto_path=.")
    args.add_all(imports)
    ctx.actions.run(
        executable = ctx.executable._protoc,
        arguments = [args],
        inputs = info.transitive_sources,
        tools = [ctx.executable._plugin],
        outputs = outs,
        mnemonic = "GenGrpc",
        progress_message = "Generating gRPC code of %s" % ctx.attr.src.label,
    )
    headers = depset([out for out in outs if out.extension == "h"])
    sources = depset([out for out in outs if out.extension == "cc"])
    return [
        DefaultInfo(files = depset(outs)),
        OutputGroupInfo(headers = headers, sources = sources),
    ]

_generate_grpc = rule(
    implementation = _generate_grpc_impl,
    attrs = {
        "generate_mocks": attr.bool(),
        "src": attr.label(mandatory = True, providers = [ProtoInfo]),
        "_plugin": attr.label(
            default = Label("//:grpc_cpp_plugin_bin"),
            allow_single_file = True,
            cfg = "exec",
            executable = True,
        ),
        "_protoc": attr.label(
            default = Label("@com_google_protobuf//:protoc"),
            allow_single_file = True,
            cfg = "exec",
            executable = True,
        ),
    },
)

def cc_grpc_library(name, srcs, deps, grpc_only = False, generate_mocks = False, **kwargs):
    """The gRPC stubs of one proto_library.

    Args:
      name: the cc_library to make.
      srcs: one proto_library.
      deps: its cc_proto_library.
      grpc_only: must be True; messages come from cc_proto_library.
      generate_mocks: also generate <file>_mock.grpc.pb.h.
      **kwargs: passed to cc_library.
    """
    if not grpc_only or len(srcs) != 1:
        fail("cc_grpc_library %s: give one proto_library and grpc_only = True" % name)
    codegen = "_" + name + "_codegen"
    private = dict(tags = kwargs.get("tags", []) + ["manual"], visibility = ["//visibility:private"])
    if "testonly" in kwargs:
        private["testonly"] = kwargs["testonly"]
    _generate_grpc(name = codegen, src = srcs[0], generate_mocks = generate_mocks, **private)
    for group in ["headers", "sources"]:
        native.filegroup(
            name = "%s_%s" % (codegen, group),
            srcs = [":" + codegen],
            output_group = group,
            **private
        )
    cc_library(
        name = name,
        srcs = [":%s_sources" % codegen],
        hdrs = [":%s_headers" % codegen],
        # -isystem suppresses warnings in generated code.
        includes = [codegen],
        deps = deps + [Label("//:grpc++")],
        **kwargs
    )
