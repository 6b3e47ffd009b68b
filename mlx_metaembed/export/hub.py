"""A model folder as a repository of the Hugging Face hub, through its own client."""

from pathlib import Path

from mlx_metaembed.errors import CallError, JobError

LOGIN = "log in with: hf auth login, or give token="


def full_name(repo_id: str, token: str | None) -> str:
    """The repository's name with its owner, by default who the token belongs to. Raises CallError without a login."""
    return repo_id if "/" in repo_id else f"{_said(repo_id, lambda api: api.whoami()['name'], token)}/{repo_id}"


def push(
    folder: Path,
    repo_id: str,
    *,
    token: str | None,
    private: bool | None,
    exist_ok: bool,
    commit_message: str | None,
    revision: str | None,
    create_pr: bool,
) -> str:
    """The address of the commit, or of the pull request, with which a folder's files came to a repository.

    The repository is made where it is not there. Raises CallError where the hub refuses: no login, no right, a name
    that can't be or that is taken; JobError where it can't be reached or breaks off.
    """
    _said(repo_id, lambda api: api.create_repo(repo_id, private=private, exist_ok=exist_ok or create_pr), token)
    if revision is not None:
        _said(repo_id, lambda api: api.create_branch(repo_id, branch=revision, exist_ok=True), token)
    done = _said(
        repo_id,
        lambda api: api.upload_folder(
            repo_id=repo_id,
            folder_path=folder,
            commit_message=commit_message or "Add a model of mlx-metaembed",
            revision=revision,
            create_pr=create_pr or None,
        ),
        token,
    )
    return done.pr_url if create_pr else done.commit_url


def _said(repo_id: str, asked: object, token: str | None) -> object:
    """What the hub answers. Raises CallError or JobError with what it refuses and what to do."""
    from huggingface_hub import HfApi, errors

    try:
        return asked(HfApi(token=token))
    except errors.HFValidationError as error:
        raise CallError(f"{repo_id!r} can't be a repository's name: {error}") from None
    except errors.LocalTokenNotFoundError:
        raise CallError(f"Nobody is logged in to the hub here; {LOGIN}") from None
    except errors.OfflineModeIsEnabled:
        raise CallError("HF_HUB_OFFLINE is set: nothing goes to the hub; unset it and run this again") from None
    except errors.HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else None
        said = error.server_message or str(error).partition("\n")[0]
        if status == 409:
            raise CallError(
                f"The hub has a repository {repo_id} already; choose another name, or add to it with exist_ok=True"
            ) from None
        if status in (401, 403, 404):
            raise CallError(f"The hub does not let this login write {repo_id} ({said}); {LOGIN}") from None
        raise JobError(f"The hub did not take {repo_id}: {said}. Run this again with exist_ok=True") from None
    # The connection's own errors, which are the client's library's.
    except Exception as error:
        raise JobError(
            f"{repo_id} did not get to the hub: {str(error) or type(error).__name__}. Run this again with exist_ok=True"
        ) from None
