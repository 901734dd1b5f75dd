#!/usr/bin/env python3
"""Checks the Kubernetes manifests: kubernetes_test.py FOLDER ECHOD.

If kubectl is installed, it renders the manifests. Otherwise the test reads the
files directly, and does not cover the kustomization itself.

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

# Every field that the manifests use. A field that is missing here is a typo, or must
# be looked up and added. ANY is a scalar, a one-element list a list.
ANY = None
LABELS = {"app.kubernetes.io/name": ANY}
METADATA = {"name": ANY, "labels": {**LABELS, "grafana_dashboard": ANY}}
PEER_LABELS = {**LABELS, "echod-admin-client": ANY}
PROBE = {
    "grpc": {"port": ANY, "service": ANY},
    "periodSeconds": ANY,
    "timeoutSeconds": ANY,
    "failureThreshold": ANY,
}
CONTAINER = {
    "name": ANY,
    "image": ANY,
    "imagePullPolicy": ANY,
    "args": [ANY],
    "ports": [{"name": ANY, "containerPort": ANY}],
    "startupProbe": PROBE,
    "readinessProbe": PROBE,
    "livenessProbe": PROBE,
    "resources": {
        "requests": {"cpu": ANY, "memory": ANY},
        "limits": {"cpu": ANY, "memory": ANY},
    },
    "securityContext": {
        "allowPrivilegeEscalation": ANY,
        "readOnlyRootFilesystem": ANY,
        "capabilities": {"drop": [ANY]},
    },
}
POD = {
    "automountServiceAccountToken": ANY,
    "enableServiceLinks": ANY,
    "terminationGracePeriodSeconds": ANY,
    "securityContext": {
        "runAsNonRoot": ANY,
        "runAsUser": ANY,
        "runAsGroup": ANY,
        "seccompProfile": {"type": ANY},
    },
    "topologySpreadConstraints": [{
        "maxSkew": ANY,
        "topologyKey": ANY,
        "whenUnsatisfiable": ANY,
        "labelSelector": {"matchLabels": LABELS},
    }],
    "containers": [CONTAINER],
}
FIELDS = {
    ("apps/v1", "Deployment"): {
        "replicas": ANY,
        "selector": {"matchLabels": LABELS},
        "strategy": {
            "type": ANY,
            "rollingUpdate": {"maxUnavailable": ANY, "maxSurge": ANY},
        },
        "template": {
            "metadata": {
                "labels": LABELS,
                "annotations": {
                    "prometheus.io/scrape": ANY,
                    "prometheus.io/port": ANY,
                    "prometheus.io/path": ANY,
                },
            },
            "spec": POD,
        },
    },
    ("v1", "Service"): {
        "clusterIP": ANY,
        "publishNotReadyAddresses": ANY,
        "selector": LABELS,
        "ports": [{"name": ANY, "port": ANY, "targetPort": ANY}],
    },
    ("policy/v1", "PodDisruptionBudget"): {
        "maxUnavailable": ANY,
        "selector": {"matchLabels": LABELS},
    },
    ("networking.k8s.io/v1", "NetworkPolicy"): {
        "podSelector": {"matchLabels": LABELS},
        "policyTypes": [ANY],
        "ingress": [{
            "from": [{"namespaceSelector": {},
                      "podSelector": {"matchLabels": PEER_LABELS}}],
            "ports": [{"port": ANY, "protocol": ANY}],
        }],
    },
    ("monitoring.coreos.com/v1", "PodMonitor"): {
        "selector": {"matchLabels": LABELS},
        "podMetricsEndpoints": [{"port": ANY, "path": ANY}],
    },
}


def unknown_fields(value, fields, path):
    if isinstance(fields, dict):
        if not isinstance(value, dict):
            yield f"{path} is not a map"
            return
        for name, inner in value.items():
            if name in fields:
                yield from unknown_fields(inner, fields[name], f"{path}.{name}")
            else:
                yield f"{path}.{name}"
    elif isinstance(fields, list):
        if not isinstance(value, list):
            yield f"{path} is not a list"
            return
        for number, inner in enumerate(value):
            yield from unknown_fields(inner, fields[0], f"{path}[{number}]")
    elif isinstance(value, (dict, list)):
        yield f"{path} is not a single value"


def render(*components):
    """Returns every object as `kubectl apply` receives it."""
    if shutil.which("kubectl"):
        with tempfile.TemporaryDirectory() as scratch:
            # Bazel's files are symbolic links, which kustomize does not follow.
            shutil.copytree(FOLDER, pathlib.Path(scratch, "copy"))
            folder = pathlib.Path(scratch, "overlay")
            folder.mkdir()
            # JSON is YAML.
            (folder / "kustomization.yaml").write_text(json.dumps({
                "resources": ["../copy"],
                "components": [f"../copy/{name}" for name in components]}))
            rendered = subprocess.run(
                ["kubectl", "kustomize", folder], check=True, text=True,
                stdout=subprocess.PIPE, env={**os.environ, "HOME": scratch})
        return list(yaml.safe_load_all(rendered.stdout))
    print("kubectl is not installed: the manifests are not rendered")
    objects = []
    for name in kustomization()["resources"]:
        objects += yaml.safe_load_all((FOLDER / name).read_text())
    for name in components:
        objects += yaml.safe_load_all(
            (FOLDER / name / f"{name}.yaml").read_text())
    return objects


def kustomization():
    return yaml.safe_load((FOLDER / "kustomization.yaml").read_text())


def seconds(duration):
    return int(re.fullmatch(r"(\d+)s", duration).group(1))


def bytes_of(quantity):
    number, unit = re.fullmatch(r"(\d+)([KMG]i)", quantity).groups()
    return int(number) * UNITS[unit]


class KubernetesTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.objects = render()
        cls.by_name = {(o["kind"], o["metadata"]["name"]):
                       o["spec"] if "spec" in o else o["data"]
                       for o in cls.objects}
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

    def test_fields_exist(self):
        for o in self.objects + render("pod_monitor"):
            content = ({"data": {"echod.json": ANY}} if "data" in o else
                       {"spec": FIELDS[o["apiVersion"], o["kind"]]})
            self.assertEqual(
                list(unknown_fields(
                    o, {"apiVersion": ANY, "kind": ANY, "metadata": METADATA,
                        **content}, o["kind"])), [])

    def test_every_selector_finds_the_pods(self):
        labels = self.deployment["template"]["metadata"]["labels"]
        self.assertEqual(labels, {"app.kubernetes.io/name": "echod"})
        self.assertTrue(
            all(labels.items() <= o["metadata"]["labels"].items()
                for o in self.objects))
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
            self.assertEqual(selector, labels)

    def test_the_program_knows_its_flags(self):
        # The program parses flags in order, and prints the version at the last.
        subprocess.run([ECHOD, *self.container["args"], "--version"],
                       check=True, stdout=subprocess.DEVNULL)

    def test_image_is_of_this_version(self):
        answer = subprocess.run([ECHOD, "--version"], check=True, text=True,
                                stdout=subprocess.PIPE).stdout
        version = answer.split()[1]
        [image] = kustomization()["images"]
        self.assertEqual(image, {"name": "echod", "newTag": version})
        if shutil.which("kubectl"):
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
        objects = {o["kind"]: o["spec"] for o in render("pod_monitor")
                   if "spec" in o}
        self.assertEqual(objects["PodMonitor"], {
            "selector": {"matchLabels": template["labels"]},
            "podMetricsEndpoints": [{"port": "http", "path": "/metrics"}]})
        if shutil.which("kubectl"):
            self.assertNotIn(
                "annotations",
                objects["Deployment"]["template"]["metadata"])

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
            (FOLDER / "grafana_dashboard.yaml").read_text())
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
