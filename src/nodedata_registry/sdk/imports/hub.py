"""A repository of a Hub endpoint as a source, through `huggingface_hub` (extra `[hub]`).

The library finds endpoint and token as it always does (`HF_ENDPOINT`, `HF_TOKEN`, `hf auth login`)
unless they are passed. What the endpoint tells of a file, size and SHA-256, is checked here again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from nodedata_registry.core.paths import check_path
from nodedata_registry.errors import (
    AccessRefused,
    DigestMismatch,
    ExtraMissing,
    InvalidRequest,
    NotFound,
    TransferFailed,
    Unavailable,
)
from nodedata_registry.sdk.imports.release import Release, Stated
from nodedata_registry.sdk.progress import Meter, ProgressCallback

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import ModelInfo, RepoSibling

T = TypeVar("T")

_PIECE_BYTES = 1024 * 1024
_LIBRARY_TAGS = ("license:", "base_model:", "dataset:", "region:", "arxiv:", "doi:")


class HubSource:
    """A model repository. With `revision` (a tag, branch or commit) that is the one release."""

    kind = "hf"

    def __init__(
        self,
        repository: str,
        revision: str | None = None,
        called: str | None = None,
        *,
        endpoint: str | None = None,
        token: str | None = None,
    ) -> None:
        """Name a repository.

        Raises:
            ExtraMissing: `huggingface_hub` is not installed.
        """
        self._repository = repository
        self._revision = revision
        self._called = called
        with _library():
            from huggingface_hub import HfApi
        self._api: HfApi = HfApi(endpoint=endpoint, token=token, library_name="nodedata-registry")
        self._infos: dict[str, ModelInfo] = {}

    @property
    def title(self) -> str:
        """The repository's address."""
        return f"{self._api.endpoint}/{self._repository}"

    def releases(self) -> list[Release]:
        """Return the tags, or the one revision.

        Raises:
            NotFound, AccessRefused, Unavailable; InvalidRequest: no name of a repository.
        """
        if self._revision is not None:
            return [self._release(self._revision, self._info(self._revision).sha or "")]
        refs = self._asked(lambda: self._api.list_repo_refs(self._repository))
        return [self._release(tag.name, tag.target_commit) for tag in refs.tags]

    def fetch(self, release: Release, folder: Path, progress: ProgressCallback | None) -> Path:
        """Download the commit's files into `folder`; those that are there whole are not fetched again."""
        files = list(self._info(release.revision).siblings or [])
        meter = Meter(progress, "fetch", sum(one.size or 0 for one in files))
        with self._no_bars():
            for one in files:
                self._fetch_file(release.revision, one, folder)
                meter.add(one.size or 0, one.rfilename)
        return folder

    def stated(self, release: Release) -> Stated:
        """Return what the endpoint says of the repository; the card's own keys are in its file."""
        info = self._info(release.revision)
        tags = [tag for tag in info.tags or [] if not tag.startswith(_LIBRARY_TAGS)]
        return Stated(
            title=self._repository.rpartition("/")[2],
            license=next(iter(_tagged(info, "license:")), ""),
            framework=info.library_name or "",
            task=info.pipeline_tag or "",
            tags=tuple(tags),
            base_models=tuple(one for one in _tagged(info, "base_model:") if ":" not in one),
            datasets=tuple(_tagged(info, "dataset:")),
        )

    # --- asking the endpoint ---

    def _release(self, name: str, commit: str) -> Release:
        reference = f"{self.title}@{name} ({commit})"[:500]
        changelog = f"Imported from {self.title}, {name} (commit {commit})."
        return Release(name, self._called or name, commit, reference, changelog)

    def _info(self, revision: str) -> ModelInfo:
        if revision not in self._infos:
            self._infos[revision] = self._asked(
                lambda: self._api.model_info(self._repository, revision=revision, files_metadata=True)
            )
        return self._infos[revision]

    def _fetch_file(self, commit: str, file: RepoSibling, folder: Path) -> None:
        place = folder / check_path(file.rfilename)
        # A file whose size nobody tells is asked for again; the library then knows whether it has it.
        if file.size is None or not _is_whole(place, file):
            self._asked(
                lambda: self._api.hf_hub_download(
                    self._repository, file.rfilename, revision=commit, local_dir=folder
                )
            )
        if not _is_whole(place, file):
            place.unlink(missing_ok=True)
            raise DigestMismatch(
                f"{file.rfilename} of {self.title} did not arrive as the endpoint describes it;"
                " run the import again"
            )

    def _asked(self, question: Callable[[], T]) -> T:
        from huggingface_hub import errors

        try:
            return question()
        except errors.GatedRepoError as error:
            raise AccessRefused(f"{self.title} is gated: ask for access there, then set HF_TOKEN") from error
        except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
            what = f"revision {self._revision!r}" if self._revision else "repository or revision"
            raise NotFound(
                f"{self.title}: no such {what}, or it is private (HF_TOKEN)", field="source"
            ) from error
        except errors.HFValidationError as error:
            raise InvalidRequest(f"{_first_line(error)}", field="source") from error
        except errors.LocalEntryNotFoundError as error:
            # How the library says that it could not ask; it is an EntryNotFoundError, too.
            raise Unavailable(f"{self._api.endpoint} does not answer: {_first_line(error)}") from error
        except errors.EntryNotFoundError as error:
            raise TransferFailed(f"{self.title}: {_first_line(error)}") from error
        except (_http_error(), OSError) as error:
            raise Unavailable(
                f"{self._api.endpoint} does not answer as a Hub: {_first_line(error)}"
            ) from error

    @contextmanager
    def _no_bars(self) -> Iterator[None]:
        """Keep the library from drawing bars of its own."""
        from huggingface_hub.utils.tqdm import (
            are_progress_bars_disabled,
            disable_progress_bars,
            enable_progress_bars,
        )

        if are_progress_bars_disabled():
            yield
            return
        disable_progress_bars()
        try:
            yield
        finally:
            enable_progress_bars()


@contextmanager
def _library() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ExtraMissing(
            "importing from a Hub needs huggingface_hub: pip install 'nodedata-registry[hub]'"
        ) from error


def _http_error() -> type[Exception]:
    """Return what the library's HTTP client raises: which client that is differs between versions."""
    from huggingface_hub import errors

    found: type[Exception] = vars(errors)["HTTPError"]
    return found


def _tagged(info: ModelInfo, prefix: str) -> list[str]:
    return [tag.removeprefix(prefix) for tag in info.tags or [] if tag.startswith(prefix)]


def _is_whole(place: Path, file: RepoSibling) -> bool:
    """Tell whether a file lies there as the endpoint describes it."""
    if not place.is_file() or (file.size is not None and place.stat().st_size != file.size):
        return False
    if file.lfs is None:
        return True
    with place.open("rb") as opened:
        digest = hashlib.sha256()
        while piece := opened.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest() == file.lfs.sha256


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
