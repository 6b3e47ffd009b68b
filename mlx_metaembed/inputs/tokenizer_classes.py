"""The tokenizer classes of transformers 5, as data: what each makes of a `tokenizer.json`, and which one a folder has.

A class of its own keeps the words, the merges and the added tokens of the file, and puts its own model, normalizer,
pre-tokenizer and post-processor around them. The general class takes the file as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from mlx_metaembed.errors import CallError
from mlx_metaembed.inputs import tokenizer_parts as parts

GENERAL = "TokenizersBackend"
"""Takes tokenizer.json as it is. transformers 4 calls it PreTrainedTokenizerFast."""
GENERAL_NAMES = {GENERAL, "PreTrainedTokenizer", "PythonBackend", "ParakeetTokenizer"}


class Around(NamedTuple):
    """The special tokens, by role, that a class puts before and after a text; `kind` is the post-processor's."""

    kind: str
    first: str | None
    last: str


@dataclass(frozen=True)
class TokenizerClass:
    """What one class builds.

    `parts` gives sections of tokenizer.json (`tokenizer_parts`), `around` the post-processor, the file's where it is
    None. `tokens` are the special tokens where no file names them, `settings` the keys of tokenizer_config.json that
    the class applies to ids and their values where nothing says so, `extra` the further tokens that it adds.
    """

    parts: Callable[[dict, dict, dict], dict]
    tokens: dict[str, str]
    around: Around | None = None
    settings: dict[str, bool | int | None] = field(default_factory=dict)
    extra: Callable[[dict], list[str]] = lambda settings: []
    mask_takes_space: bool = False
    """Whether a mask token named by a plain string takes the space before it."""
    adds_all: bool = False
    """Whether every special token is added once more at the end, as a plain one."""
    scored: bool = False
    """Whether the words have scores."""


CASES = {"do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True}
SENTENCE = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "sep_token": "</s>",
    "cls_token": "<s>",
    "unk_token": "<unk>",
    "pad_token": "<pad>",
    "mask_token": "<mask>",
}
BERT = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}
GEMMA = {
    "unk_token": "<unk>",
    "bos_token": "<bos>",
    "eos_token": "<eos>",
    "pad_token": "<pad>",
    "mask_token": "<mask>",
}
END = "<|endoftext|>"
NOT_USED = ["<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"]


def _named(scores: list, tokens: dict[str, str]) -> int:
    """The row of the unknown token; 0 where it is no word."""
    return next((at for at, (word, _) in enumerate(scores) if word == tokens.get("unk_token")), 0)


CLASSES = {
    "BertTokenizer": TokenizerClass(parts.word_pieces, BERT, Around("template", "cls_token", "sep_token"), CASES),
    "MPNetTokenizer": TokenizerClass(
        parts.word_pieces,
        SENTENCE | {"unk_token": "[UNK]"},
        Around("roberta", "cls_token", "sep_token"),
        CASES,
        mask_takes_space=True,
    ),
    "RobertaTokenizer": TokenizerClass(
        parts.roberta, SENTENCE, Around("roberta", "cls_token", "sep_token"), {"add_prefix_space": False}
    ),
    "XLMRobertaTokenizer": TokenizerClass(
        parts.unigram(lambda scores, tokens: 3),
        SENTENCE,
        Around("template", "bos_token", "eos_token"),
        {"add_prefix_space": True},
        scored=True,
    ),
    "CamembertTokenizer": TokenizerClass(
        parts.unigram(_named),
        SENTENCE,
        Around("template", "bos_token", "eos_token"),
        {"add_prefix_space": True},
        extra=lambda settings: NOT_USED,
        mask_takes_space=True,
        scored=True,
    ),
    "T5Tokenizer": TokenizerClass(
        parts.unigram(lambda scores, tokens: 2),
        {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"},
        Around("template", None, "eos_token"),
        {"extra_ids": 100},
        extra=lambda settings: [f"<extra_id_{at}>" for at in range(settings["extra_ids"])],
        scored=True,
    ),
    "LlamaTokenizer": TokenizerClass(
        parts.llama,
        {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"},
        settings={"add_prefix_space": None, "legacy": False},
    ),
    "GemmaTokenizer": TokenizerClass(parts.gemma, GEMMA),
    "Qwen2Tokenizer": TokenizerClass(
        parts.qwen,
        {"unk_token": END, "eos_token": END, "pad_token": END},
        settings={"add_prefix_space": None},
        adds_all=True,
    ),
    "CLIPTokenizer": TokenizerClass(
        parts.clip,
        {"unk_token": END, "bos_token": "<|startoftext|>", "eos_token": END, "pad_token": END},
        Around("roberta", "bos_token", "eos_token"),
    ),
}
SAME = {
    "DistilBertTokenizer": "BertTokenizer",
    "LxmertTokenizer": "BertTokenizer",
    "MobileBertTokenizer": "BertTokenizer",
    "SqueezeBertTokenizer": "BertTokenizer",
    "BartTokenizer": "RobertaTokenizer",
    "LEDTokenizer": "RobertaTokenizer",
    "MvpTokenizer": "RobertaTokenizer",
}
"""Other names of a class."""
_OTHERS = """
    AlbertTokenizer BarthezTokenizer BigBirdTokenizer BlenderbotTokenizer CodeGenTokenizer CodeLlamaTokenizer
    CohereTokenizer ConvBertTokenizer DPRContextEncoderTokenizer DPRQuestionEncoderTokenizer DPRReaderTokenizer
    DebertaTokenizer DebertaV2Tokenizer EsmcTokenizer FNetTokenizer FunnelTokenizer GPT2Tokenizer GPTNeoXTokenizer
    HerbertTokenizer LasrTokenizer LayoutLMv2Tokenizer LayoutLMv3Tokenizer LayoutXLMTokenizer LukeTokenizer
    MBart50Tokenizer MBartTokenizer MLukeTokenizer MarkupLMTokenizer NllbTokenizer NougatTokenizer OpenAIGPTTokenizer
    PegasusTokenizer Qwen3_5Tokenizer ReformerTokenizer RemBertTokenizer RoFormerTokenizer SeamlessM4TTokenizer
    Siglip2Tokenizer SplinterTokenizer Tipsv2Tokenizer UdopTokenizer VideoPrismTokenizer WhisperTokenizer
    XGLMTokenizer XLNetTokenizer BartphoTokenizer BertGenerationTokenizer BertJapaneseTokenizer BertweetTokenizer
    BioGptTokenizer BlenderbotSmallTokenizer ByT5Tokenizer CTRLTokenizer CanineTokenizer CharacterTokenizer
    ClvpTokenizer CpmAntTokenizer CpmTokenizer DiaTokenizer EsmTokenizer FSMTTokenizer FastSpeech2ConformerTokenizer
    FlaubertTokenizer GPTNeoXJapaneseTokenizer GPTSw3Tokenizer M2M100Tokenizer MarianTokenizer MecabTokenizer
    MgpstrTokenizer MyT5Tokenizer PLBartTokenizer PerceiverTokenizer PhobertTokenizer Pop2PianoTokenizer
    ProphetNetTokenizer RoCBertTokenizer Speech2TextTokenizer SpeechT5Tokenizer TapasTokenizer VitsTokenizer
    Wav2Vec2CTCTokenizer Wav2Vec2PhonemeCTCTokenizer XLMTokenizer
"""
OTHERS = frozenset(_OTHERS.split())
"""Classes of transformers that build something else, which is not said here."""
SENTENCEPIECE = "SiglipTokenizer"
"""Reads spiece.model in Python, never tokenizer.json, which stands for it here."""
REGISTERED = {
    "bert": "BertTokenizer",
    "camembert": "CamembertTokenizer",
    "clip": "CLIPTokenizer",
    "distilbert": "BertTokenizer",
    "gemma3_text": "GemmaTokenizer",
    "gte": "XLMRobertaTokenizer",
    "jina_embeddings_v3": "XLMRobertaTokenizer",
    "longformer": "RobertaTokenizer",
    "mistral": GENERAL,
    "modernbert": GENERAL,
    "mpnet": "MPNetTokenizer",
    "nomic_bert": "BertTokenizer",
    "qwen2": "Qwen2Tokenizer",
    "qwen3": "Qwen2Tokenizer",
    "roberta": "RobertaTokenizer",
    "siglip": SENTENCEPIECE,
    "t5": "T5Tokenizer",
    "xlm-roberta": "XLMRobertaTokenizer",
}
"""The class of a model_type where the tokenizer's files name none; those not here have the general one."""
UNTRUSTED = {"modernbert", "qwen2", "camembertv2-base"}
"""Models whose files are known to name a wrong class: theirs is the registered one."""


def class_name(model: dict, said: dict, *, byte_level: bool) -> str:
    """The class that transformers' AutoTokenizer takes for a config.json and a tokenizer_config.json.

    `byte_level` is whether tokenizer.json speaks of ByteLevel. Raises CallError for a class that is not known here,
    or whose code lies in the folder.
    """
    model_type = model.get("model_type", "")
    registered = REGISTERED.get(model_type)
    own = said.get("auto_map")
    own = own.get("AutoTokenizer") if isinstance(own, dict) else own
    named = said.get("tokenizer_class") or model.get("tokenizer_class")
    if named is not None and not isinstance(named, str):
        raise CallError(f"tokenizer_class = {named!r:.60}, expected a name")
    if own and registered is None and _known(said.get("tokenizer_class") or "") is None:
        raise CallError("auto_map names a tokenizer with code of its own, which is never run")
    untrusted = model_type in UNTRUSTED or model.get("model_name") in list(UNTRUSTED)
    if named is None:
        return registered or GENERAL
    named = named.removesuffix("Fast")
    # Llama 3's files name it, and its words are not such ones.
    if not own and named == "LlamaTokenizer" and byte_level and model_type != "mistral" and not untrusted:
        return GENERAL
    if registered == GENERAL and named != GENERAL and not own:
        return GENERAL
    found = _known(registered if untrusted and registered and not own else named) or GENERAL
    if found in OTHERS:
        raise CallError(f"tokenizer_class = {named!r}, which is not known here")
    return found


def _known(name: str) -> str | None:
    """The name under which a class stands here; None for one that transformers does not know either."""
    name = name.removesuffix("Fast")
    if name in GENERAL_NAMES:
        return GENERAL
    name = SAME.get(name, name)
    return name if name in CLASSES or name in OTHERS or name == SENTENCEPIECE else None
