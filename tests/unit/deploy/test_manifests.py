"""The Kubernetes manifests: valid, hardened, and in step with the settings of the services."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from services.modules import MODULES
from thanosql_runtime.settings import ServerSettings

KUBERNETES_VERSION = "1.32"
SERVICES = sorted(MODULES)
TARGETS = (
    "base",
    "overlays/laptop",
    "overlays/production",
    "components/gpu",
    "components/network-policy",
    "components/external-objects",
)
PORT = 50051

Document = dict[str, Any]
Render = Callable[[str], list[Document]]


def workloads(documents: list[Document]) -> dict[str, Document]:
    kinds = ("Deployment", "StatefulSet", "Job", "DaemonSet")
    return {doc["metadata"]["name"]: doc for doc in documents if doc["kind"] in kinds}


def pod(workload: Document) -> Document:
    spec: Document = workload["spec"]["template"]["spec"]
    return spec


def containers(documents: list[Document]) -> Iterator[Document]:
    for workload in workloads(documents).values():
        yield from pod(workload).get("initContainers", [])
        yield from pod(workload)["containers"]


def of_kind(documents: list[Document], kind: str) -> dict[str, Document]:
    return {doc["metadata"]["name"]: doc for doc in documents if doc["kind"] == kind}


def variables(documents: list[Document], workload: Document) -> dict[str, str]:
    """The container's environment; a value from elsewhere shows as the place that it comes from."""
    config = of_kind(documents, "ConfigMap")
    (container,) = pod(workload)["containers"]
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        found |= config[source["configMapRef"]["name"]]["data"]
    for variable in container.get("env", []):
        found[variable["name"]] = variable.get("value") or place_of(variable["valueFrom"])
    return found


def place_of(source: Document) -> str:
    if "resourceFieldRef" in source:
        return f"resource {source['resourceFieldRef']['resource']}"
    return f"secret {source['secretKeyRef']['name']}/{source['secretKeyRef']['key']}"


@pytest.fixture(params=TARGETS)
def documents(request: pytest.FixtureRequest, render: Render) -> list[Document]:
    return render(request.param)


def test_every_folder_of_manifests_is_rendered_here(root: Path) -> None:
    kubernetes = root / "deploy/kubernetes"
    folders = {str(path.parent.relative_to(kubernetes)) for path in kubernetes.rglob("kustomization.yaml")}
    assert folders == set(TARGETS)


def test_documents_satisfy_the_schemas(documents: list[Document]) -> None:
    for document in documents:
        kubernetes_validate.validate(document, KUBERNETES_VERSION, strict=True)


def test_a_misspelt_field_is_caught_by_the_schemas(render: Render) -> None:
    wrong = dict(render("base")[-1], speck={})
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES_VERSION, strict=True)


def test_every_service_has_a_workload_an_address_and_an_account(documents: list[Document]) -> None:
    for kind in ("Service", "ServiceAccount"):
        assert set(SERVICES) <= set(of_kind(documents, kind))
    assert set(SERVICES) <= set(workloads(documents))


def test_everything_stands_in_one_namespace(documents: list[Document]) -> None:
    placed = {doc["metadata"].get("namespace") for doc in documents if doc["kind"] != "Namespace"}
    assert placed == {"thanosql"}


def test_pods_are_not_root_and_confined(documents: list[Document]) -> None:
    for workload in workloads(documents).values():
        context = pod(workload)["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] >= 10000
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod(workload)["automountServiceAccountToken"] is False


def test_containers_hold_no_privileges_and_write_to_volumes_only(documents: list[Document]) -> None:
    for container in containers(documents):
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}


def test_pods_have_an_account_of_their_own(documents: list[Document]) -> None:
    for name, workload in workloads(documents).items():
        assert pod(workload)["serviceAccountName"] == name
    for account in of_kind(documents, "ServiceAccount").values():
        assert account["automountServiceAccountToken"] is False


def test_every_mount_has_a_volume(documents: list[Document]) -> None:
    for workload in workloads(documents).values():
        claims = workload["spec"].get("volumeClaimTemplates", [])
        volumes = {volume["name"] for volume in pod(workload).get("volumes", [])}
        volumes |= {claim["metadata"]["name"] for claim in claims}
        mounts = {mount["name"] for item in pod(workload)["containers"] for mount in item["volumeMounts"]}
        assert mounts == volumes


def test_resources_are_asked_for_and_bounded(documents: list[Document]) -> None:
    for container in containers(documents):
        for bound in ("requests", "limits"):
            assert {"cpu", "memory"} <= set(container["resources"][bound])


def test_threads_follow_the_limit_of_processors(documents: list[Document]) -> None:
    for name in ("trainer", "predictor"):
        given = variables(documents, workloads(documents)[name])
        assert given[f"THANOSQL_{name.upper()}__THREADS"] == "resource limits.cpu"


def test_images_are_pinned(documents: list[Document], root: Path) -> None:
    version = re.search(r'^version = "(.+)"$', (root / "pyproject.toml").read_text(), re.MULTILINE)
    assert version
    for container in containers(documents):
        name, _, tag = container["image"].partition("@")[0].rpartition(":")
        assert tag not in ("", "latest")
        if name.rpartition("/")[2].startswith("thanosql"):
            assert tag == version[1]
        else:
            assert "@sha256:" in container["image"]


def test_probes_ask_for_the_health_of_the_service_itself(documents: list[Document]) -> None:
    for service in SERVICES:
        (container,) = pod(workloads(documents)[service])["containers"]
        full_name = f"thanosql.v1.{service.capitalize()}Service"
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["grpc"] == {"port": PORT, "service": full_name}


def test_each_workload_starts_its_service(documents: list[Document]) -> None:
    for service in SERVICES:
        (container,) = pod(workloads(documents)[service])["containers"]
        assert container["args"] == [service]


def test_variables_are_settings(documents: list[Document], known_settings: set[str]) -> None:
    for service in SERVICES:
        names = set(variables(documents, workloads(documents)[service]))
        assert names <= known_settings


def test_kubernetes_adds_no_variables(documents: list[Document]) -> None:
    for workload in workloads(documents).values():
        assert pod(workload)["enableServiceLinks"] is False


def test_services_get_the_addresses_of_their_peers(documents: list[Document]) -> None:
    for name, module in MODULES.items():
        given = variables(documents, workloads(documents)[name])
        peers = {variable: value for variable, value in given.items() if "__PEERS__" in f"__{variable}"}
        assert given == given | {
            f"THANOSQL_PEERS__{need.upper()}": f"dns:///{need}:{PORT}" for need in module.needs
        }
        assert len([name for name in given if name.startswith("THANOSQL_PEERS__")]) == len(module.needs), (
            peers
        )


def test_internal_services_are_headless_so_that_calls_spread(documents: list[Document]) -> None:
    for name, service in of_kind(documents, "Service").items():
        if name in SERVICES and name != "gateway":
            assert service["spec"]["clusterIP"] == "None"


def test_services_select_the_pods_of_their_workload(documents: list[Document]) -> None:
    for name, service in of_kind(documents, "Service").items():
        template = workloads(documents)[name]["spec"]["template"]
        assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
        names = {port["name"] for item in template["spec"]["containers"] for port in item["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= names


def test_pods_may_end_in_order_before_they_are_killed(documents: list[Document]) -> None:
    for service in SERVICES:
        workload = workloads(documents)[service]
        given = variables(documents, workload)
        defaults = ServerSettings.model_fields
        needed = sum(
            float(given.get(f"THANOSQL_SERVER__{field.upper()}", defaults[field].default))
            for field in ("drain_s", "grace_s")
        )
        assert pod(workload)["terminationGracePeriodSeconds"] >= needed + 10


def test_state_is_kept_on_volumes_and_has_one_writer(documents: list[Document]) -> None:
    for name in ("gateway", "storage", "trainer"):
        workload = workloads(documents)[name]
        assert workload["kind"] == "StatefulSet"
        assert workload["spec"]["replicas"] == 1
        assert [claim["metadata"]["name"] for claim in workload["spec"]["volumeClaimTemplates"]] == ["home"]


def test_disruptions_are_bounded(documents: list[Document]) -> None:
    assert {"gateway", "predictor"} <= set(of_kind(documents, "PodDisruptionBudget"))


def test_secrets_are_referred_to_and_never_written_here(documents: list[Document]) -> None:
    assert not of_kind(documents, "Secret")
    for service in SERVICES:
        given = variables(documents, workloads(documents)[service])
        assert given["THANOSQL_SERVER__PEER_TOKEN"] == "secret thanosql/peer-token"
        for name, value in given.items():
            if name.endswith(("_KEY", "TOKEN")):
                assert value.startswith("secret thanosql/")


def test_only_services_that_read_objects_hold_their_keys(documents: list[Document]) -> None:
    holders = {
        service
        for service in SERVICES
        if "THANOSQL_OBJECTS__SECRET_KEY" in variables(documents, workloads(documents)[service])
    }
    assert holders == {"storage", "trainer", "predictor"}


def test_gpu_component_gives_a_gpu_to_those_that_compute(render: Render) -> None:
    for name, workload in workloads(render("components/gpu")).items():
        (container,) = pod(workload)["containers"]
        on_gpu = name in ("trainer", "predictor")
        assert ("nvidia.com/gpu" in container["resources"]["limits"]) is on_gpu
        assert container["image"].startswith("thanosql-cuda:") is on_gpu


def test_external_objects_replace_minio(render: Render) -> None:
    documents = render("components/external-objects")
    assert "minio" not in workloads(documents)
    given = variables(documents, workloads(documents)["storage"])
    assert given["THANOSQL_OBJECTS__ENDPOINT"] == "s3.example.com"
    assert given["THANOSQL_OBJECTS__SECURE"] == "true"


def test_network_policies_let_each_service_be_called_by_its_callers_alone(render: Render) -> None:
    policies = of_kind(render("components/network-policy"), "NetworkPolicy")
    assert policies["deny-ingress"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    callers = {
        name: {caller for caller, module in MODULES.items() if name in module.needs} for name in MODULES
    }
    for name in set(SERVICES) - {"gateway"}:
        (rule,) = policies[name]["spec"]["ingress"]
        (peer,) = rule["from"]
        assert allowed(peer["podSelector"]) == callers[name]


def allowed(selector: Document) -> set[str]:
    label = "app.kubernetes.io/name"
    if "matchLabels" in selector:
        return {selector["matchLabels"][label]}
    (expression,) = selector["matchExpressions"]
    assert (expression["key"], expression["operator"]) == (label, "In")
    return set(expression["values"])
