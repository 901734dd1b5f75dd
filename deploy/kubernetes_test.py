#!/usr/bin/env python3
"""Checks what belongs together in the manifests: kubernetes_test.py FOLDER ECHOD. The
README of that folder's parent has overlays to copy, which it checks, too.

Kustomize, or kubectl 1.25 or newer, renders them. Without either, the test reads the
default's files as they are, and covers no overlay. `.ci/check_kubernetes` compares every
rendering with Kubernetes' schemas, and runs this test with a kustomize.

Starts echod for the metrics that it exports.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

import yaml

FOLDER = pathlib.Path(sys.argv[1])
ECHOD = os.path.abspath(sys.argv[2])

SHUTDOWN_RPC_SECONDS = 1  # kAdminShutdownTimeout, in echo/daemon/main.cc
READ_BYTES = 64 * 1024  # kReadBytes, in echo/session/connection.h
PROCESS_BYTES = 64 * 2**20  # more than echod uses without connections
UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}

LABEL = "app.kubernetes.io/"


def renderer():
    """Returns the command that renders a folder; None: there is none."""
    if shutil.which("kustomize"):
        return ["kustomize", "build"]
    if shutil.which("kubectl"):
        answer = subprocess.run(
            ["kubectl", "version", "--client", "--output=json"], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        minor = re.search(r'"minor": *"(\d+)', answer)
        # Older ones have a kustomize that does not know components, or labels of templates.
        if minor and int(minor.group(1)) >= 25:
            return ["kubectl", "kustomize"]
    print("neither kustomize nor kubectl 1.25 is installed: the manifests are "
          "read, not rendered")
    return None


RENDERER = renderer()
rendered = unittest.skipUnless(RENDERER, "nothing renders the manifests")


def load(path):
    return yaml.safe_load((FOLDER / path / "kustomization.yaml").read_text())


def read(path):
    """Returns the objects in the files of a kustomization, as they are."""
    objects = []
    kustomization = load(path)
    for name in (kustomization.get("resources", []) +
                 kustomization.get("components", [])):
        if (FOLDER / path / name).is_dir():
            objects += read(pathlib.Path(path, name))
        else:
            objects += yaml.safe_load_all((FOLDER / path / name).read_text())
    return objects


def render(path=".", components=()):
    """Returns every object as `kubectl apply` receives it."""
    if RENDERER is None:
        return [o for each in (path, *components) for o in read(each)]
    # JSON is YAML.
    return render_overlay(lambda copy: json.dumps({
        "resources": [f"{copy}/{path}"],
        "components": [f"{copy}/{name}" for name in components]}))


def render_overlay(text_of):
    """Renders an overlay, whose text depends on where the manifests are."""
    with tempfile.TemporaryDirectory() as scratch:
        # Bazel's files are symbolic links, which kustomize does not follow.
        shutil.copytree(FOLDER, pathlib.Path(scratch, "copy"))
        folder = pathlib.Path(scratch, "overlay")
        folder.mkdir()
        (folder / "kustomization.yaml").write_text(text_of("../copy"))
        text = subprocess.run(
            [*RENDERER, folder], check=True, text=True, stdout=subprocess.PIPE,
            env={**os.environ, "HOME": scratch}).stdout
    return list(yaml.safe_load_all(text))


def in_readme(start):
    """Returns the YAML block of the README that begins so."""
    text = (FOLDER.parent / "README.md").read_text()
    [block] = re.findall(f"^```yaml\n({re.escape(start)}.*?)^```$", text, re.S | re.M)
    return block


def specs(objects):
    return {(o["kind"], o["metadata"]["name"]):
            o["spec"] if "spec" in o else o.get("data", {}) for o in objects}


def seconds(duration):
    return int(re.fullmatch(r"(\d+)s", duration).group(1))


def bytes_of(quantity):
    number, unit = re.fullmatch(r"(\d+)([KMG]i)", quantity).groups()
    return int(number) * UNITS[unit]


class KubernetesTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.objects = render()
        cls.by_name = specs(cls.objects)
        cls.deployment = cls.by_name["Deployment", "echod"]
        cls.pod = cls.deployment["template"]["spec"]
        [cls.container] = cls.pod["containers"]
        cls.flags = dict(arg[2:].split("=", 1)
                         for arg in cls.container["args"])
        cls.ports = {port["name"]: port["containerPort"]
                     for port in cls.container["ports"]}

    def test_objects(self):
        self.assertEqual(set(self.by_name), {
            ("Deployment", "echod"), ("Service", "echod"),
            ("Service", "echod-admin"), ("NetworkPolicy", "echod"),
            ("PodDisruptionBudget", "echod"),
            ("ConfigMap", "echod-dashboard")})

    def test_every_selector_finds_the_pods(self):
        # The other labels differ between installations and versions.
        wanted = {LABEL + "name": "echod"}
        labels = self.deployment["template"]["metadata"]["labels"]
        self.assertLessEqual(wanted.items(), labels.items())
        [spread] = self.pod["topologySpreadConstraints"]
        for selector in (
                self.deployment["selector"]["matchLabels"],
                spread["labelSelector"]["matchLabels"],
                self.by_name["Service", "echod"]["selector"],
                self.by_name["Service", "echod-admin"]["selector"],
                self.by_name["NetworkPolicy", "echod"]["podSelector"]
                ["matchLabels"],
                self.by_name["PodDisruptionBudget", "echod"]["selector"]
                ["matchLabels"]):
            self.assertEqual(selector, wanted)

    @rendered
    def test_everything_has_the_recommended_labels(self):
        version = load("base")["images"][0]["newTag"]
        for path, instance in ((".", "echod"), ("overlays/dev", "echod-dev"),
                               ("overlays/production", "echod-production")):
            for o in render(path):
                places = [o["metadata"]["labels"]]
                if o["kind"] == "Deployment":
                    places.append(o["spec"]["template"]["metadata"]["labels"])
                for labels in places:
                    recommended = {name[len(LABEL):]: value
                                   for name, value in labels.items()
                                   if name.startswith(LABEL)}
                    self.assertTrue(recommended.pop("component"))
                    self.assertEqual(recommended, {
                        "name": "echod", "instance": instance,
                        "version": version, "part-of": "echod",
                        "managed-by": "kustomize"}, o["kind"])

    @rendered
    def test_the_default_goes_where_kubectl_says(self):
        for o in self.objects:
            self.assertNotIn("namespace", o["metadata"])

    @rendered
    def test_overlays_have_a_namespace_that_admits_only_restricted_pods(self):
        for path, name in (("overlays/dev", "echod-dev"),
                           ("overlays/production", "echod")):
            for o in render(path):
                if o["kind"] != "Namespace":
                    self.assertEqual(o["metadata"]["namespace"], name)
                    continue
                self.assertEqual(o["metadata"]["name"], name)
                labels = o["metadata"]["labels"]
                for mode in ("enforce", "audit", "warn"):
                    self.assertEqual(
                        labels[f"pod-security.kubernetes.io/{mode}"],
                        "restricted")

    @rendered
    def test_the_readmes_overlay_adds_to_production(self):
        text = in_readme("# kustomization.yaml").replace("REGISTRY", "registry.example")
        objects = render_overlay(
            lambda copy: text.replace("REPOSITORY/deploy/kubernetes", copy))
        production = render("overlays/production")
        self.assertEqual(
            {(o["kind"], o["metadata"]["name"]) for o in objects},
            {(o["kind"], o["metadata"]["name"]) for o in production} |
            {("PodMonitor", "echod")})
        for o in objects:
            if o["kind"] != "Namespace":
                # A PodMonitor finds the pods of its own namespace.
                self.assertEqual(o["metadata"].get("namespace"), "echod", o["kind"])
            self.assertIn(LABEL + "version", o["metadata"]["labels"], o["kind"])
        [container] = (specs(objects)["Deployment", "echod"]["template"]["spec"]
                       ["containers"])
        version = load("base")["images"][0]["newTag"]
        self.assertEqual(container["image"], f"registry.example/echod:{version}")

    @rendered
    def test_the_readmes_patch_keeps_the_admin_port_on_loopback(self):
        patch = in_readme("patches:\n  - target: {kind: Deployment")
        [container] = (specs(render_overlay(
            lambda copy: f"resources: [{copy}]\n{patch}"))
            ["Deployment", "echod"]["template"]["spec"]["containers"])
        self.assertEqual(container["args"], [
            each if not each.startswith("--admin_address=")
            else "--admin_address=127.0.0.1:9901" for each in self.container["args"]])
        self.assertEqual({name: probe for name, probe in container.items()
                          if name.endswith("Probe")},
                         {"readinessProbe": {"tcpSocket": {"port": "echo"}}})

    @rendered
    def test_the_readmes_patches_open_a_way_in(self):
        def patched(kind, component):
            patch = in_readme(f"patches:\n  - target: {{kind: {kind},")
            return specs(render_overlay(
                lambda copy: f"resources: [{copy}]\n"
                             f"components: [{copy}/components/{component}]\n{patch}"))
        self.assertEqual(patched("Service", "labels")["Service", "echod"], {
            **self.by_name["Service", "echod"], "type": "NodePort",
            "externalTrafficPolicy": "Local"})
        gateway = patched("Gateway", "gateway")["Gateway", "echod"]
        self.assertEqual(gateway["gatewayClassName"], "CLASS")

    @rendered
    def test_dev_is_one_pod_with_a_debug_log(self):
        objects = specs(render("overlays/dev"))
        deployment = objects["Deployment", "echod"]
        self.assertEqual(deployment["replicas"], 1)
        [container] = deployment["template"]["spec"]["containers"]
        self.assertEqual(container["args"],
                         [*self.container["args"], "--log_level=debug"])
        subprocess.run([ECHOD, *container["args"], "--version"], check=True,
                       stdout=subprocess.DEVNULL)
        # A budget of one pod would keep its node from being drained, or be none.
        self.assertNotIn(("PodDisruptionBudget", "echod"), objects)

    @rendered
    def test_production_has_three_pods_or_more_on_different_nodes(self):
        objects = specs(render("overlays/production"))
        deployment = objects["Deployment", "echod"]
        # The autoscaler's; `kubectl apply` does not set it back.
        self.assertNotIn("replicas", deployment)
        autoscaler = objects["HorizontalPodAutoscaler", "echod"]
        self.assertEqual(autoscaler["scaleTargetRef"], {
            "apiVersion": "apps/v1", "kind": "Deployment", "name": "echod"})
        self.assertEqual(autoscaler["minReplicas"], 3)
        [metric] = autoscaler["metrics"]
        self.assertLess(
            float(metric["resource"]["target"]["averageValue"]),
            float(self.container["resources"]["limits"]["cpu"]))
        # No faster than a pod drains.
        [policy] = autoscaler["behavior"]["scaleDown"]["policies"]
        self.assertGreater(policy["periodSeconds"],
                           self.pod["terminationGracePeriodSeconds"])
        self.assertEqual(objects["PodDisruptionBudget", "echod"],
                         self.by_name["PodDisruptionBudget", "echod"])
        pod = deployment["template"]["spec"]
        selector = deployment["selector"]
        [term] = (pod["affinity"]["podAntiAffinity"]
                  ["preferredDuringSchedulingIgnoredDuringExecution"])
        self.assertEqual(term["podAffinityTerm"], {
            "topologyKey": "kubernetes.io/hostname", "labelSelector": selector})
        self.assertEqual(
            {each["topologyKey"] for each in pod["topologySpreadConstraints"]},
            {"kubernetes.io/hostname", "topology.kubernetes.io/zone"})
        for each in pod["topologySpreadConstraints"]:
            self.assertEqual(each["labelSelector"], selector)

    @rendered
    def test_the_gateway_leads_to_the_service(self):
        objects = specs(render(components=["components/gateway"]))
        [listener] = objects["Gateway", "echod"]["listeners"]
        route = objects["TCPRoute", "echod"]
        self.assertEqual(route["parentRefs"], [
            {"name": "echod", "sectionName": listener["name"]}])
        [rule] = route["rules"]
        [port] = self.by_name["Service", "echod"]["ports"]
        self.assertEqual(rule["backendRefs"],
                         [{"name": "echod", "port": port["port"]}])

    @rendered
    def test_a_load_balancer_keeps_the_addresses_of_clients(self):
        before = self.by_name["Service", "echod"]
        objects = specs(render(components=["components/load_balancer"]))
        self.assertEqual(objects["Service", "echod"], {
            **before, "type": "LoadBalancer",
            "externalTrafficPolicy": "Local"})

    def test_services_are_dual_stack_where_the_cluster_is(self):
        for name in ("echod", "echod-admin"):
            self.assertEqual(
                self.by_name["Service", name]["ipFamilyPolicy"],
                "PreferDualStack")

    def test_the_pod_knows_where_it_is(self):
        self.assertEqual(
            {each["name"]: each["valueFrom"]["fieldRef"]["fieldPath"]
             for each in self.container["env"]},
            {"POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace",
             "NODE_NAME": "spec.nodeName", "POD_IP": "status.podIP"})

    def test_the_program_knows_its_flags(self):
        # The program parses flags in order, and prints the version at the last.
        subprocess.run([ECHOD, *self.container["args"], "--version"],
                       check=True, stdout=subprocess.DEVNULL)

    def test_image_is_of_this_version(self):
        answer = subprocess.run([ECHOD, "--version"], check=True, text=True,
                                stdout=subprocess.PIPE).stdout
        # A commit that is no release has a suffix, which the image's name has not.
        version = answer.split()[1].split("-")[0]
        [image] = load("base")["images"]
        self.assertEqual(image, {"name": "echod", "newTag": version})
        [labels] = load("components/labels")["labels"]
        self.assertEqual(labels["pairs"][LABEL + "version"], version)
        if RENDERER:
            self.assertEqual(self.container["image"], f"echod:{version}")

    def test_ports_are_the_flags_ports(self):
        self.assertEqual(self.ports,
                         {"echo": 8080, "admin": 9901, "http": 9902})
        self.assertEqual(self.flags["listen"], f"[::]:{self.ports['echo']}")
        # Every address, because probes come from the node.
        self.assertEqual(self.flags["admin_address"],
                         f"[::]:{self.ports['admin']}")
        self.assertEqual(self.flags["http_address"],
                         f"[::]:{self.ports['http']}")
        for service, port in (("echod", "echo"), ("echod-admin", "admin")):
            self.assertEqual(
                self.by_name["Service", service]["ports"],
                [{"name": port, "port": self.ports[port], "targetPort": port}])

    def test_admin_service_names_each_pod_even_while_it_drains(self):
        admin = self.by_name["Service", "echod-admin"]
        self.assertEqual(admin["clusterIP"], "None")
        self.assertIs(admin["publishNotReadyAddresses"], True)

    def test_prometheus_finds_the_pods_once(self):
        template = self.deployment["template"]["metadata"]
        self.assertEqual(template["annotations"], {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(self.ports["http"]),
            "prometheus.io/path": "/metrics"})
        objects = specs(render(components=["components/pod_monitor"]))
        self.assertEqual(objects["PodMonitor", "echod"], {
            "selector": self.deployment["selector"],
            "podMetricsEndpoints": [{"port": "http", "path": "/metrics"}]})
        if RENDERER:
            self.assertFalse(
                objects["Deployment", "echod"]["template"]["metadata"]
                .get("annotations"))

    def test_only_labelled_pods_reach_the_admin_port(self):
        policy = self.by_name["NetworkPolicy", "echod"]
        # Egress without a rule: echod opens no connections.
        self.assertEqual(set(policy["policyTypes"]), {"Ingress", "Egress"})
        rules = {port["port"]: rule.get("from")
                 for rule in policy["ingress"] for port in rule["ports"]}
        self.assertEqual(rules, {
            "echo": None,
            "admin": [{"podSelector": {
                "matchLabels": {"echod-admin-client": "true"}}}],
            "http": [{"namespaceSelector": {}, "podSelector": {
                "matchLabels": {"app.kubernetes.io/name": "prometheus"}}}]})

    def test_probes_ask_the_admin_port(self):
        admin = self.ports["admin"]
        self.assertEqual(self.container["startupProbe"]["grpc"],
                         {"port": admin})
        self.assertEqual(self.container["livenessProbe"]["grpc"],
                         {"port": admin, "service": "liveness"})

    def test_readiness_is_of_the_port_that_the_service_sends_clients_to(self):
        self.assertEqual(self.container["readinessProbe"]["grpc"], {
            "port": self.ports["admin"],
            "service": f"echod.listener/default:{self.ports['echo']}"})

    def test_times_of_a_drain_fit(self):
        grace = seconds(self.flags["drain_grace_period"])
        drain = grace + seconds(self.flags["drain_timeout"])
        drain += SHUTDOWN_RPC_SECONDS
        self.assertGreater(self.pod["terminationGracePeriodSeconds"], drain)
        readiness = self.container["readinessProbe"]
        self.assertLess(
            readiness["failureThreshold"] * readiness["periodSeconds"] +
            readiness["timeoutSeconds"], grace)

    def test_memory_limit_holds_every_connection_at_its_worst(self):
        connection = (int(self.flags["max_buffered_bytes"]) +
                      int(self.flags["max_line_bytes"]) + READ_BYTES)
        self.assertGreater(
            bytes_of(self.container["resources"]["limits"]["memory"]),
            PROCESS_BYTES + int(self.flags["max_connections"]) * connection)

    def test_rollout_takes_no_pod_away_first(self):
        self.assertEqual(self.deployment["strategy"], {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}})

    def test_evictions_leave_a_pod(self):
        budget = self.by_name["PodDisruptionBudget", "echod"]
        self.assertEqual(budget["maxUnavailable"], 1)
        self.assertGreater(self.deployment["replicas"],
                           budget["maxUnavailable"])

    def test_no_privileges(self):
        # What the "restricted" pod security standard asks for, and more.
        self.assertIs(self.pod["automountServiceAccountToken"], False)
        self.assertEqual(self.pod["securityContext"], {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"}})
        self.assertEqual(self.container["securityContext"], {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]}})


def exported_metrics():
    """Returns the names of the samples that a real echod exports, by type."""
    with tempfile.TemporaryDirectory() as scratch:
        port_file = pathlib.Path(scratch, "ports.json")
        with subprocess.Popen(
                [ECHOD, "--listen=127.0.0.1:0", "--admin_address=127.0.0.1:0",
                 "--http_address=127.0.0.1:0", f"--port_file={port_file}"]
        ) as echod:
            try:
                while not port_file.exists():
                    if echod.poll() is not None:
                        raise RuntimeError("echod has ended")
                    time.sleep(0.01)
                address = json.loads(port_file.read_text())["http"]
                with urllib.request.urlopen(f"http://{address}/metrics",
                                            timeout=20) as answer:
                    text = answer.read().decode()
            finally:
                echod.kill()
    suffixes = {"histogram": ("_bucket", "_sum", "_count")}
    return {name + suffix: kind
            for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", text,
                                         re.MULTILINE)
            for suffix in suffixes.get(kind, ("",))}


class DashboardTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        manifest = yaml.safe_load(
            (FOLDER / "components/grafana_dashboard/grafana_dashboard.yaml")
            .read_text())
        cls.dashboard = json.loads(manifest["data"]["echod.json"])
        cls.panels = [panel for panel in cls.dashboard["panels"]
                      if panel["type"] != "row"]
        cls.metrics = exported_metrics()

    def test_queries_name_only_metrics_that_echod_exports(self):
        queries = [target["expr"] for panel in self.panels
                   for target in panel["targets"]]
        queries += [variable["query"]["query"]
                    for variable in self.dashboard["templating"]["list"]
                    if variable["type"] == "query"]
        self.assertGreater(len(queries), 10)
        for query in queries:
            names = re.findall(r"\b(?:echod|process)_\w+", query)
            self.assertTrue(names, query)
            for name in names:
                self.assertIn(name, self.metrics, query)

    def test_rates_are_of_counters_and_of_nothing_else(self):
        for panel in self.panels:
            for target in panel["targets"]:
                rated = set(re.findall(r"rate\((\w+)", target["expr"]))
                for name in re.findall(r"\b(?:echod|process)_\w+",
                                       target["expr"]):
                    self.assertEqual(self.metrics[name] != "gauge",
                                     name in rated, target["expr"])

    def test_panels_are_distinct_and_do_not_overlap(self):
        self.assertEqual(len({panel["id"] for panel in self.panels}),
                         len(self.panels))
        places = {(panel["gridPos"]["x"], panel["gridPos"]["y"])
                  for panel in self.panels}
        self.assertEqual(len(places), len(self.panels))
        for panel in self.panels:
            self.assertEqual(
                len({target["refId"] for target in panel["targets"]}),
                len(panel["targets"]))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
