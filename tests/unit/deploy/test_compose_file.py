"""The compose files: every service, real settings, no secret, nothing that floats."""

import re
from pathlib import Path
from typing import Any

from services.modules import MODULES
from thanosql_runtime.settings import ServerSettings

Document = dict[str, Any]


def test_every_service_runs_its_part_of_the_image(compose: Document) -> None:
    for name in MODULES:
        service = compose["services"][name]
        assert service["command"] == [name]
        assert service["image"].startswith("thanosql:")


def test_variables_are_settings(compose: Document, known_settings: set[str]) -> None:
    for name in (*MODULES, "bucket"):
        assert set(compose["services"][name]["environment"]) <= known_settings


def test_services_get_the_addresses_of_their_peers(compose: Document) -> None:
    for name, module in MODULES.items():
        environment = compose["services"][name]["environment"]
        given = {key: value for key, value in environment.items() if key.startswith("THANOSQL_PEERS__")}
        assert given == {f"THANOSQL_PEERS__{need.upper()}": f"dns:///{need}:50051" for need in module.needs}


def test_a_missing_secret_stops_compose_with_a_word_of_advice(compose: Document) -> None:
    wanted = re.compile(r"^\$\{[A-Z_]+:\?set it in deploy/\.env, see deploy/\.env\.example\}$")
    for service in compose["services"].values():
        for key, value in service["environment"].items():
            if key.endswith(("_KEY", "TOKEN", "PASSWORD", "ROOT_USER")):
                assert wanted.match(value), key


def test_the_example_names_every_variable_that_compose_asks_for(root: Path) -> None:
    compose = (root / "deploy/compose.yaml").read_text()
    asked = set(re.findall(r"\$\{([A-Z0-9_]+)[:}]", compose))
    asked |= set(re.findall(r"^ +(THANOSQL_[A-Z0-9_]+):$", compose, re.MULTILINE))
    example = (root / "deploy/.env.example").read_text()
    assert asked == set(re.findall(r"^(?:# )?([A-Z0-9_]+)=", example, re.MULTILINE))


def test_the_file_with_the_secrets_is_ignored(root: Path) -> None:
    assert ".env" in (root / "deploy/.gitignore").read_text().split()


def test_containers_hold_no_privileges(compose: Document) -> None:
    for service in compose["services"].values():
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_images_are_pinned(compose: Document) -> None:
    for service in compose["services"].values():
        tag = service["image"].partition("@")[0].rpartition(":")[2]
        assert tag not in ("", "latest")
        assert service["image"].startswith("thanosql:") or "@sha256:" in service["image"]


def test_containers_may_end_in_order_before_they_are_killed(compose: Document) -> None:
    fields = ServerSettings.model_fields
    needed = fields["drain_s"].default + fields["grace_s"].default
    for name in MODULES:
        assert int(compose["services"][name]["stop_grace_period"].removesuffix("s")) >= needed + 10


def test_health_is_asked_of_the_port_that_serves(compose: Document) -> None:
    for name in MODULES:
        service = compose["services"][name]
        assert service["environment"]["THANOSQL_SERVER__ADDRESS"].endswith(":50051")
        assert service["healthcheck"]["test"][-2:] == ["probe", "127.0.0.1:50051"]


def test_volumes_that_are_mounted_are_declared(compose: Document) -> None:
    mounted = {
        volume.partition(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", [])
        if not volume.startswith("$")
    }
    assert mounted == set(compose["volumes"])


def test_the_gpu_file_changes_those_that_compute(compose: Document, gpu_compose: Document) -> None:
    assert set(gpu_compose["services"]) == {"trainer", "predictor"}
    for service in gpu_compose["services"].values():
        assert service["build"]["args"] == {"VARIANT": "cuda"}
        assert service["image"] == compose["services"]["trainer"]["image"].replace(
            "thanosql:", "thanosql-cuda:"
        )
