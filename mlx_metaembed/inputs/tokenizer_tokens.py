"""The special and added tokens that a tokenizer's files declare, and their place in the tokenizer.

The order is transformers': the ids of tokens that are not in the vocabulary follow from it.
"""

from typing import TYPE_CHECKING, Any

from mlx_metaembed.errors import CallError
from mlx_metaembed.inputs.tokenizer_classes import TokenizerClass

if TYPE_CHECKING:
    from tokenizers import AddedToken, Tokenizer

ROLES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
FORM = ("content", "single_word", "lstrip", "rstrip", "normalized", "special")
"""What an AddedToken says."""


class Tokens:
    """`said` is tokenizer_config.json; `special` and `added` are the two older files, `kind` the class that rebuilds.

    `settings` are the keys that are left, `texts` the special tokens by role.
    """

    def __init__(self, raw: dict, said: dict, special: dict, added: dict, kind: TokenizerClass | None):
        settings = {key: value for key, value in said.items() if key != "tokenizer_class"}
        if "additional_special_tokens" in settings and not settings.get("extra_special_tokens"):
            settings["extra_special_tokens"] = settings.pop("additional_special_tokens")
        # Tokens of a name of their own, as `image_token`.
        named = {key: value for key, value in settings.items() if _is_own(key, value)}
        self._declared = self._read_declared(raw, settings, special, added, named)
        settings = {key: _token(value) for key, value in settings.items() if key not in named}
        if isinstance(settings.get("extra_special_tokens"), dict):
            named |= settings.pop("extra_special_tokens")
        named = {key: value for key, value in settings.items() if _is_own(key, value)} | named
        by_text = {str(token): token for token in self._declared.values()}
        defaults = kind.tokens if kind else {}
        padding = (raw.get("padding") or {}).get("pad_token")
        roles = {role: settings.get(role, defaults.get(role)) for role in ROLES}
        if "pad_token" not in settings and "pad_token" not in defaults:
            roles["pad_token"] = padding
        roles = {role: by_text.get(str(token), token) if role in settings else token for role, token in roles.items()}
        if kind and kind.mask_takes_space and isinstance(roles["mask_token"], str):
            roles["mask_token"] = _new(roles["mask_token"], lstrip=True, special=True)
        self.settings = settings
        self._special = [token for token in (*roles.values(), *named.values()) if token is not None]
        self.texts = {role: str(token) for role, token in roles.items() if token is not None}
        self._extra = _extra(settings, kind)
        self._again = bool(kind and kind.adds_all)

    @staticmethod
    def _read_declared(raw: dict, settings: dict, special: dict, added: dict, named: dict) -> dict[int, "AddedToken"]:
        """The added tokens by id. Where tokenizer_config.json has none, the older files' entries go over its own."""
        if "added_tokens_decoder" in settings:
            return {int(id): _new(**token) for id, token in settings["added_tokens_decoder"].items()}
        for key, value in special.items():
            if key == "extra_special_tokens" and isinstance(value, list):
                value = [_new(**token | {"special": True}) if isinstance(token, dict) else token for token in value]
                before = list(settings.get(key) or [])
                settings[key] = before + [token for token in value if token not in before]
            elif isinstance(value, dict) and key != "extra_special_tokens":
                settings[key] = _new(**value | {"special": True})
            else:
                settings[key] = value
            named.pop(key, None)
        texts = {str(settings[role]) for role in ROLES if settings.get(role)}
        texts |= {str(token) for token in settings.get("extra_special_tokens") or []}
        found = {id: _new(text, normalized=text not in texts, special=text in texts) for text, id in added.items()}
        file = [dict(token) for token in raw.get("added_tokens") or []]
        return found | {token.pop("id"): _new(**token) for token in file}

    def add(self, fast: "Tokenizer") -> None:
        """Add to a tokenizer what it does not have in that form."""
        known = fast.get_added_tokens_decoder()
        forms = {repr(token) for token in known.values()}
        missing: list = [token for _, token in sorted(self._declared.items()) if repr(token) not in forms]
        texts = {str(token) for token in (*known.values(), *missing)}
        for token in (*self._special, *self._extra):
            if str(token) not in texts and token not in missing:
                missing.append(token)
        special = {str(token) for token in self._special}
        fast.add_tokens([_as_special(token, str(token) in special) for token in missing])
        if self._again:
            fast.add_tokens([_new(str(token), special=True) for token in (*self._special, *self._extra)])


def _new(*words: str, **form: Any) -> "AddedToken":
    from tokenizers import AddedToken

    return AddedToken(*words, **{key: value for key, value in form.items() if key in FORM})


def _as_special(token: "AddedToken | str", special: bool) -> "AddedToken":
    """A token that is one of the special ones, or named by a plain string, as a special one."""
    if isinstance(token, str):
        return _new(token, special=True)
    if special and not token.special:
        token.special = True
    return token


def _token(value: object) -> object:
    """What save_pretrained writes of an AddedToken, as one, in lists and objects too."""
    if isinstance(value, dict) and value.get("__type") == "AddedToken":
        return _new(**value)
    if isinstance(value, dict):
        return {key: _token(each) for key, each in value.items()}
    return [_token(each) for each in value] if isinstance(value, list) else value


def _is_own(key: str, value: object) -> bool:
    from tokenizers import AddedToken

    return key.endswith("_token") and key not in ROLES and isinstance(value, str | AddedToken)


def _extra(settings: dict, kind: TokenizerClass | None) -> list:
    """The tokens without a role: what the files say, else what the class adds."""
    own = kind.extra({key: settings.get(key, value) for key, value in kind.settings.items()}) if kind else []
    if "extra_special_tokens" in settings:
        return list(settings["extra_special_tokens"] or [])
    said = settings.get("additional_special_tokens")
    if said is None:
        return own
    sentinels = [token for token in said if "<extra_id_" in str(token)]
    if kind and "extra_ids" in kind.settings and 0 < len(own) != len(sentinels) > 0:
        raise CallError(f"extra_ids = {len(own)}, and {len(sentinels)} tokens <extra_id_N> are named")
    return [*said, *own] if kind and "extra_ids" in kind.settings and not sentinels else list(said)
