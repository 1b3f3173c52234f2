"""A registered model of an MLflow server as a source, over its REST API.

    a model version tagged `version: 1.4.0` (or `semver`)   is that version
    any other model version N                               is N.0.0: MLflow promises nothing between them

Artifacts are read through the server (`mlflow-artifacts:`), or from this machine where they lie on it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, unquote, urlsplit

import msgspec

from nodedata_registry.core.paths import check_path
from nodedata_registry.errors import (
    AccessRefused,
    InvalidRequest,
    NotFound,
    TransferFailed,
    Unavailable,
)
from nodedata_registry.sdk.imports.release import Release, Score, Stated
from nodedata_registry.sdk.progress import Meter, ProgressCallback
from nodedata_registry.sdk.settings import check_base_url

if TYPE_CHECKING:
    import urllib3

T = TypeVar("T")

_API = "/api/2.0/mlflow"
_PROXY = "/api/2.0/mlflow-artifacts/artifacts"
_PAGE_ITEMS = 200
_PIECE_BYTES = 1024 * 1024
_NUMBER = re.compile(r"[1-9][0-9]{0,14}")
_FLAVOR = re.compile(r"^  ([A-Za-z_]+):", re.MULTILINE)
_NO_FRAMEWORKS = ("python_function", "loader_module")


class _Pair(msgspec.Struct, frozen=True):
    key: str
    value: str = ""


class _Metric(msgspec.Struct, frozen=True):
    key: str
    value: float | str | None = None


class _ModelVersion(msgspec.Struct, frozen=True):
    version: str
    run_id: str = ""
    description: str = ""
    tags: tuple[_Pair, ...] = ()
    status: str = "READY"


class _ModelVersions(msgspec.Struct, frozen=True):
    model_versions: tuple[_ModelVersion, ...] = ()
    next_page_token: str = ""


class _Registered(msgspec.Struct, frozen=True):
    name: str
    description: str = ""
    tags: tuple[_Pair, ...] = ()


class _RegisteredModel(msgspec.Struct, frozen=True):
    registered_model: _Registered


class _Place(msgspec.Struct, frozen=True):
    artifact_uri: str


class _Data(msgspec.Struct, frozen=True):
    metrics: tuple[_Metric, ...] = ()
    tags: tuple[_Pair, ...] = ()


class _Run(msgspec.Struct, frozen=True):
    info: _Place
    data: _Data = _Data()


class _RunAnswer(msgspec.Struct, frozen=True):
    run: _Run


class _LoggedModel(msgspec.Struct, frozen=True):
    info: _Place


class _LoggedModelAnswer(msgspec.Struct, frozen=True):
    model: _LoggedModel


class _Artifact(msgspec.Struct, frozen=True):
    path: str
    is_dir: bool = False
    file_size: int = 0


class _Artifacts(msgspec.Struct, frozen=True):
    files: tuple[_Artifact, ...] = ()


class _Refusal(msgspec.Struct, frozen=True):
    message: str = ""


class MlflowSource:
    """A registered model. With `number` (a model version) that is the one release."""

    kind = "mlflow"

    def __init__(
        self,
        model: str,
        server: str | None,
        number: str | None = None,
        called: str | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Name a model; `server` defaults to `MLFLOW_TRACKING_URI`, which also gives who asks.

        Raises:
            InvalidRequest: no http(s) address is known.
        """
        environ = os.environ if environ is None else environ
        address = server or environ.get("MLFLOW_TRACKING_URI", "")
        if not address.startswith(("http://", "https://")):
            raise InvalidRequest(
                "say where the MLflow server is: --server http://… or MLFLOW_TRACKING_URI;"
                " a folder of MLflow is served by `mlflow server --backend-store-uri FOLDER`",
                field="server",
            )
        self._server = check_base_url(address)
        self._model = model
        self._number = number
        self._called = called
        self._headers = _credentials(environ)
        self._pool: urllib3.PoolManager | None = None
        self._registered: _Registered | None = None
        self._versions: dict[str, _ModelVersion] = {}

    @property
    def title(self) -> str:
        """The model's address."""
        return f"{self._server}/#/models/{quote(self._model, safe='')}"

    def releases(self) -> list[Release]:
        """Return the model versions that are ready, the lowest first, or the one that was named.

        Raises:
            NotFound, AccessRefused, Unavailable.
        """
        self._about()
        ready = {one.version: one for one in self._all_versions() if one.status == "READY"}
        if self._number is not None and self._number not in ready:
            raise NotFound(
                f"{self.title} has no model version {self._number!r} that is ready", field="source"
            )
        self._versions = ready
        wanted = [self._number] if self._number is not None else sorted(ready, key=_rank)
        return [self._release(ready[number]) for number in wanted]

    def fetch(self, release: Release, folder: Path, progress: ProgressCallback | None) -> Path:
        """Bring the version's artifacts into `folder`; whole files that are there are kept."""
        place = self._artifact_place(
            self._ask(
                "model-versions/get-download-uri", _Place, name=self._model, version=release.revision
            ).artifact_uri
        )
        if not place.startswith("mlflow-artifacts:"):
            return _local_folder(place, release)
        root = unquote(urlsplit(place).path).strip("/")
        files = list(self._listed(root, ""))
        meter = Meter(progress, "fetch", sum(one.file_size for one in files))
        for one in files:
            self._fetch_file(root, one, folder)
            meter.add(one.file_size, one.path)
        return folder

    def stated(self, release: Release) -> Stated:
        """Return what model, model version and run state: descriptions, tags, metrics."""
        version = self._versions[release.revision]
        registered = self._about()
        run = self._run(version.run_id)
        tags = {one.key: one.value for one in (*registered.tags, *version.tags)}
        metrics = () if run is None else run.data.metrics
        plain = [f"{key}: {value}" if value else key for key, value in tags.items() if key not in _READ]
        text = "\n\n".join(part for part in (registered.description, version.description) if part)
        return Stated(
            title=registered.name,
            license=tags.get("license", ""),
            framework=tags.get("framework", ""),
            task=tags.get("task", ""),
            tags=tuple(one for one in plain if not one.startswith("mlflow.")),
            base_models=(tags["base_model"],) if tags.get("base_model") else (),
            scores=tuple(_scores(metrics)),
            text=f"# {registered.name}\n\n{text}\n" if text else "",
        )

    # --- asking the server ---

    def _release(self, version: _ModelVersion) -> Release:
        stated = next((one.value for one in version.tags if one.key in ("version", "semver")), None)
        called = self._called or stated or f"{version.version}.0.0"
        reference = f"{self.title}/versions/{version.version}"[:500]
        changelog = version.description.strip() or f"Imported from {self.title}, version {version.version}."
        return Release(f"version {version.version}", called, version.version, reference, changelog)

    def _about(self) -> _Registered:
        if self._registered is None:
            found = self._ask("registered-models/get", _RegisteredModel, name=self._model)
            self._registered = found.registered_model
        return self._registered

    def _all_versions(self) -> Iterator[_ModelVersion]:
        token = ""
        # The filter language has no escapes, only two kinds of quotes.
        mark = '"' if "'" in self._model else "'"
        while True:
            page = self._ask(
                "model-versions/search",
                _ModelVersions,
                filter=f"name={mark}{self._model}{mark}",
                max_results=str(_PAGE_ITEMS),
                page_token=token,
            )
            yield from page.model_versions
            token = page.next_page_token
            if not token:
                return

    def _run(self, run_id: str) -> _Run | None:
        if not run_id:
            return None
        try:
            return self._ask("runs/get", _RunAnswer, run_id=run_id).run
        except NotFound:
            # A run may be deleted, and its model kept.
            return None

    def _artifact_place(self, uri: str) -> str:
        """Return where artifacts lie, of a run or a logged model too."""
        parts = urlsplit(uri)
        first, _, rest = parts.path.strip("/").partition("/")
        if parts.scheme == "runs":
            run = self._ask("runs/get", _RunAnswer, run_id=first).run
            return f"{run.info.artifact_uri.rstrip('/')}/{rest}"
        if parts.scheme == "models" and first.startswith("m-"):
            return self._ask(f"logged-models/{quote(first)}", _LoggedModelAnswer).model.info.artifact_uri
        return uri

    def _listed(self, root: str, below: str) -> Iterator[_Artifact]:
        """Yield the files of a folder and those below it, paths relative to `root`."""
        path = f"{root}/{below}".rstrip("/")
        body = self._get(_PROXY, {"path": path})
        for one in self._read(body, _Artifacts).files:
            inside = check_path(f"{below}/{one.path}".lstrip("/"))
            if one.is_dir:
                yield from self._listed(root, inside)
            else:
                yield msgspec.structs.replace(one, path=inside)

    def _fetch_file(self, root: str, file: _Artifact, folder: Path) -> None:
        place = folder / file.path
        if place.is_file() and place.stat().st_size == file.file_size:
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = place.with_name(f".{place.name}.part")
        with self._open(f"{_PROXY}/{quote(f'{root}/{file.path}')}", {}) as answer, partial.open("wb") as out:
            for piece in answer.stream(_PIECE_BYTES):
                out.write(piece)
        if partial.stat().st_size != file.file_size:
            raise TransferFailed(
                f"{file.path} of {self.title} has {partial.stat().st_size:,} bytes, not the"
                f" {file.file_size:,} that the server lists; run the import again"
            )
        partial.replace(place)

    def _ask(self, method: str, answer: type[T], **query: str) -> T:
        asked = {key: value for key, value in query.items() if value}
        return self._read(self._get(f"{_API}/{method}", asked), answer)

    def _read(self, body: bytes, answer: type[T]) -> T:
        try:
            return msgspec.json.decode(body, type=answer, strict=False)
        except msgspec.MsgspecError as error:
            raise Unavailable(f"{self._server} does not answer as an MLflow server: {error}") from error

    def _get(self, path: str, query: Mapping[str, str]) -> bytes:
        import urllib3

        with self._open(path, query) as answer:
            try:
                return answer.read(decode_content=True)
            except urllib3.exceptions.HTTPError as error:
                raise TransferFailed(f"{self._server} broke off its answer: {error}") from error

    def _open(self, path: str, query: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        import urllib3

        if self._pool is None:
            self._pool = urllib3.PoolManager(headers=self._headers, retries=urllib3.Retry(3, redirect=3))
        try:
            answer = self._pool.request(
                "GET",
                self._server + path,
                fields=dict(query),
                preload_content=False,
                timeout=urllib3.Timeout(connect=5, read=300),
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"the MLflow server {self._server} does not answer: {error}") from error
        if answer.status != 200:
            raise self._refusal(answer.status, answer.read())
        return answer

    def _refusal(self, status: int, body: bytes) -> NotFound | AccessRefused | Unavailable:
        try:
            said = msgspec.json.decode(body, type=_Refusal).message[:300]
        except msgspec.MsgspecError:
            said = ""
        if status in (401, 403):
            advice = "set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and …_PASSWORD"
            return AccessRefused(f"{self._server} refuses ({status}): {advice}")
        if status == 404:
            return NotFound(f"{self._server}: {said or 'not found'}", field="source")
        return Unavailable(f"{self._server} answers with {status}: {said}")


_READ = frozenset({"license", "framework", "task", "base_model", "version", "semver"})
"""Tags that are read as something of their own."""


def _credentials(environ: Mapping[str, str]) -> dict[str, str]:
    import urllib3

    token, user = environ.get("MLFLOW_TRACKING_TOKEN"), environ.get("MLFLOW_TRACKING_USERNAME")
    if token:
        return {"authorization": f"Bearer {token}"}
    if user:
        return dict(urllib3.make_headers(basic_auth=f"{user}:{environ.get('MLFLOW_TRACKING_PASSWORD', '')}"))
    return {}


def _rank(number: str) -> tuple[int, str]:
    return (int(number), "") if _NUMBER.fullmatch(number) else (0, number)


def _scores(metrics: tuple[_Metric, ...]) -> Iterator[Score]:
    for one in metrics:
        if isinstance(one.value, float):
            yield Score("mlflow", one.key, one.value)


def _local_folder(place: str, release: Release) -> Path:
    parts = urlsplit(place)
    folder = Path(unquote(parts.path) if parts.scheme == "file" else place)
    if parts.scheme not in ("file", "") or not folder.is_dir():
        raise NotFound(
            f"the artifacts of {release.name} are at {place[:200]}, which the MLflow server does not pass on:"
            " start it with --artifacts-destination, or download them and use `import folder`",
            field="source",
        )
    return folder
