"""sbom: what is in a static binary, from its link and the package database."""

load("//bazel:link_map.bzl", "LinkMapInfo")

def _sbom_impl(ctx):
    link = ctx.attr.link[LinkMapInfo]
    list = ctx.actions.declare_file(ctx.label.name + ".sources")
    ctx.actions.write(list, "".join([file.path + "\n" for file in link.sources.to_list()]))
    args = ctx.actions.args()
    args.add("--binary", ctx.executable.binary)
    args.add("--map", link.map)
    args.add("--sources", list)
    args.add("--sbom", ctx.outputs.sbom)
    args.add("--licenses", ctx.outputs.license_files)
    ctx.actions.run(
        executable = ctx.executable._generator,
        arguments = [args],
        inputs = depset(
            [ctx.executable.binary, link.map, list, ctx.file._status],
            transitive = [link.sources],
        ),
        outputs = [ctx.outputs.sbom, ctx.outputs.license_files],
        # The distribution's Python has the distribution's modules.
        env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        mnemonic = "Sbom",
        progress_message = "Listing what is in %s" % ctx.attr.binary.label,
    )
    return [DefaultInfo(files = depset([ctx.outputs.sbom]))]

sbom = rule(
    implementation = _sbom_impl,
    attrs = {
        "binary": attr.label(
            cfg = "target",
            doc = "The program to describe, which has the same objects as the link.",
            executable = True,
            mandatory = True,
        ),
        "link": attr.label(
            doc = "A link_map.",
            mandatory = True,
            providers = [LinkMapInfo],
        ),
        "_generator": attr.label(
            allow_single_file = True,
            cfg = "exec",
            default = ":build_sbom.py",
            executable = True,
        ),
        "_status": attr.label(
            allow_single_file = True,
            default = "@dpkg//:status",
        ),
    },
    outputs = {
        "license_files": "%{name}_licenses.tar",
        "sbom": "%{name}.spdx.json",
    },
)
