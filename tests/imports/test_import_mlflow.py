"""Importing from an MLflow server: a real one where it is installed for it (`make soak`), and bad ones."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from nodedata_registry.errors import AccessRefused, InvalidRequest, NotFound, Unavailable
from nodedata_registry.sdk.imports.mlflow import MlflowSource
from tests.imports.conftest import Importing, weights
from tests.journeys.wheels import cache_folder
from tests.sdk.bad_server import Misbehaving
from tests.sdk.conftest import misbehaving as misbehaving

MAKE = """
import pathlib, sys, mlflow
from mlflow import MlflowClient
mlflow.set_tracking_uri(sys.argv[1])
client, folder = MlflowClient(), pathlib.Path(sys.argv[2])
experiment = client.create_experiment("grasp")
tags = {"license": "apache-2.0", "task": "grasping", "team": "arms"}
client.create_registered_model("grasp 'policy'", tags=tags, description="Grasps things.")
for number in range(3):
    run = client.create_run(experiment)
    client.log_metric(run.info.run_id, "success_rate", 0.8 + number / 20)
    client.log_artifacts(run.info.run_id, str(folder / str(number)), "model")
    client.set_terminated(run.info.run_id)
    place = f"runs:/{run.info.run_id}/model" if number == 0 else run.info.artifact_uri + "/model"
    tagged = {"version": "2.1.0"} if number == 1 else {}
    said = f"try {number}"
    client.create_model_version("grasp 'policy'", place, run.info.run_id, tags=tagged, description=said)
"""


# --- bad servers ----------------------------------------------------------------------------------


def answering(status: int, body: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b"<html>a page</html>", Unavailable),
        (401, b"", AccessRefused),
        (404, b'{"message": "Registered Model with name=x not found"}', NotFound),
        (500, b"oops", Unavailable),
    ],
)
def test_what_is_no_answer_of_mlflow_is_said_in_one_line(
    misbehaving: Misbehaving, importing: Importing, status: int, body: bytes, error: type[NotFound]
) -> None:
    misbehaving.behaviours = [answering(status, body)]
    with pytest.raises(error) as caught:
        importing.plan(MlflowSource("x", misbehaving.base_url, environ={}))
    assert "\n" not in caught.value.message


def test_a_server_that_is_not_there_is_said_in_one_line(importing: Importing) -> None:
    with pytest.raises(Unavailable) as caught:
        importing.plan(MlflowSource("x", "http://127.0.0.1:9", environ={}))
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("address", ["", "./mlruns", "sqlite:///mlflow.db"])
def test_only_a_server_can_be_asked(address: str) -> None:
    with pytest.raises(InvalidRequest, match="mlflow server"):
        MlflowSource("x", None, environ={"MLFLOW_TRACKING_URI": address})


# --- a real one -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An MLflow server with a model in three versions, from an environment that is made once a machine."""
    environment = cache_folder() / "mlflow"
    if not (environment / "bin" / "mlflow").is_file():
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        pip = [str(environment / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "mlflow>=3,<4"], check=True)
    folder = tmp_path_factory.mktemp("mlflow")
    for number in range(3):
        place = folder / str(number) / "data"
        place.mkdir(parents=True)
        (place / "model.safetensors").write_bytes(weights(number))
        (place.parent / "MLmodel").write_text("flavors:\n  pytorch:\n    pytorch_version: '2.1'\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [str(environment / "bin" / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port)]
    stores = [
        "--backend-store-uri",
        f"sqlite:///{folder}/db.sqlite",
        "--artifacts-destination",
        f"{folder}/store",
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, *stores, "--workers", "1"],
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait_for(url)
        (folder / "make.py").write_text(MAKE)
        python = str(environment / "bin" / "python")
        subprocess.run([python, "make.py", url, str(folder)], cwd=folder, check=True, capture_output=True)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 100
    while True:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except OSError:
            assert time.monotonic() < deadline, "the MLflow server did not start"
            time.sleep(0.2)


def source(server: str, number: str | None = None, called: str | None = None) -> MlflowSource:
    return MlflowSource("grasp 'policy'", server, number, called, environ={})


@pytest.mark.soak
def test_model_versions_become_revisions_by_their_tag_or_their_number(
    server: str, importing: Importing
) -> None:
    importing.run(source(server))
    assert importing.versions() == ["1.0.0", "2.1.0", "3.0.0"]
    files = importing.files("2.1.0")
    assert set(files) == {"MLmodel", "data/model.safetensors", "model_card.md"}
    assert files["data/model.safetensors"] == weights(1)
    assert importing.revision("2.1.0").changelog == "try 1"
    assert importing.plan(source(server)).steps == ()


@pytest.mark.soak
def test_the_card_holds_what_the_server_states(server: str, importing: Importing) -> None:
    importing.run(source(server, "3", "1.0.0"))
    revision = importing.revision("1.0.0")
    assert (revision.license, revision.task, revision.title) == ("Apache-2.0", "grasping", "grasp 'policy'")
    assert [(one.metric, one.value) for one in revision.benchmarks] == [("success_rate", 0.9)]
    assert "team: arms" in importing.files("1.0.0")["model_card.md"].decode()


@pytest.mark.soak
def test_a_model_version_that_is_not_there_is_told(server: str, importing: Importing, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        importing.plan(source(server, "9", "1.0.0"))
    with pytest.raises(NotFound):
        importing.plan(MlflowSource("nothing", server, environ={}))
