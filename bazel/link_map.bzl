"""link_map: what is in a linked program, and which headers its sources include.

The link of the binary is run again, with the same command line and inputs, for the
linker's map; a link cannot have a second output in Bazel.
"""

_SourcesInfo = provider(
    doc = "The sources of a target and its dependencies.",
    fields = {"files": "depset of files"},
)

def _sources_aspect_impl(_target, ctx):
    direct = []
    for attribute in ["srcs", "hdrs", "textual_hdrs"]:
        direct += getattr(ctx.rule.files, attribute, [])
    return [_SourcesInfo(files = depset(direct, transitive = [
        dep[_SourcesInfo].files
        for dep in getattr(ctx.rule.attr, "deps", [])
        if _SourcesInfo in dep
    ]))]

_sources_aspect = aspect(
    implementation = _sources_aspect_impl,
    attr_aspects = ["deps"],
)

_LinkMapInfo = provider(
    doc = "The map of a binary's link.",
    fields = {"map": "file"},
)

LinkMapInfo = provider(
    doc = "What a binary is made of.",
    fields = {
        "map": "file: the linker's map",
        "sources": "depset of files: what was compiled, except for system headers",
    },
)

def _link_map_aspect_impl(target, ctx):
    for action in target.actions:
        if action.mnemonic != "CppLink" or target.files_to_run.executable not in action.outputs.to_list():
            continue
        map = ctx.actions.declare_file(ctx.label.name + ".map")
        binary = ctx.actions.declare_file(ctx.label.name + ".map.binary")
        args = ctx.actions.args()
        args.add("-Wl,-Map=" + map.path)
        args.add("-o", binary)  # the last -o counts
        ctx.actions.run(
            executable = "/usr/bin/env",  # the compiler is the first argument
            arguments = action.args + [args],
            inputs = action.inputs,
            outputs = [map, binary],
            env = {"PATH": "/usr/local/bin:/usr/bin:/bin"},
            mnemonic = "LinkMap",
            progress_message = "Mapping %s" % ctx.label,
        )
        return [_LinkMapInfo(map = map)]
    fail("%s is not linked" % ctx.label)

_link_map_aspect = aspect(implementation = _link_map_aspect_impl)

def _link_map_impl(ctx):
    map = ctx.attr.binary[_LinkMapInfo].map
    return [
        DefaultInfo(files = depset([map]), runfiles = ctx.runfiles(files = [map])),
        LinkMapInfo(map = map, sources = ctx.attr.binary[_SourcesInfo].files),
    ]

link_map = rule(
    implementation = _link_map_impl,
    attrs = {
        "binary": attr.label(
            aspects = [_sources_aspect, _link_map_aspect],
            doc = "A cc_binary.",
            mandatory = True,
        ),
    },
)
