"""A model folder as a repository of the Hugging Face hub, through its own client."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mlx_metaembed.errors import CallError, JobError

MESSAGE = "Add a model of mlx-metaembed"


def publish(
    save: Callable[..., Path],
    repo_id: str,
    *,
    token: str | None,
    private: bool | None,
    exist_ok: bool,
    commit_message: str | None,
    revision: str | None,
    create_pr: bool,
) -> str:
    """The address of the commit, or of the pull request, with which what `save` writes came to a repository.

    Raises CallError where the hub refuses: no login, no right, a name that can't be or that is taken; JobError where
    it can't be reached or breaks off.
    """
    from huggingface_hub import HfApi

    api = HfApi(token=token)
    with _refusals(repo_id):
        name = repo_id if "/" in repo_id else f"{api.whoami()['name']}/{repo_id}"
    with tempfile.TemporaryDirectory(prefix="metaembed-") as folder:
        # Before the repository is made: a model that can't be saved leaves nothing there.
        path = save(Path(folder) / name.partition("/")[2], model_name=name)
        with _refusals(name):
            api.create_repo(name, private=private, exist_ok=exist_ok or create_pr)
            if revision is not None:
                api.create_branch(name, branch=revision, exist_ok=True)
            settings = {"commit_message": commit_message or MESSAGE, "revision": revision, "create_pr": create_pr}
            done = api.upload_folder(repo_id=name, folder_path=path, **settings)
    return done.pr_url if create_pr else done.commit_url


@contextmanager
def _refusals(name: str) -> Iterator[None]:
    """Raise what the hub's client raises as CallError or JobError, with what to do."""
    from huggingface_hub import errors

    login = "Log in with: hf auth login, or give token="
    try:
        yield
    except errors.HFValidationError as error:
        raise CallError(f"The hub can have no repository {name!r}: {error}") from None
    except errors.LocalTokenNotFoundError:
        raise CallError(f"Nobody is logged in to the hub here. {login}") from None
    except errors.OfflineModeIsEnabled:
        raise CallError("HF_HUB_OFFLINE is set, so that nothing goes to the hub; unset it and run this again") from None
    except errors.HfHubHTTPError as error:
        status, said = error.response.status_code, error.server_message or str(error).partition("\n")[0]
        if status == 409:
            raise CallError(
                f"The hub has a repository {name} already: choose another name, or add to it with exist_ok=True"
            ) from None
        if status in (401, 403, 404):
            raise CallError(
                f"The hub does not let this login write to {name} (status {status}: {said}). {login}"
            ) from None
        raise JobError(
            f"The hub did not take {name} (status {status}: {said}). Later, with exist_ok=True, again"
        ) from None
    # The connection's own errors are those of the library under the client, which has changed before.
    except Exception as error:
        raise JobError(
            f"{name} did not get to the hub: {str(error) or type(error).__name__}. Run this again with exist_ok=True"
        ) from None
