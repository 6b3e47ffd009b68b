"""Small tokenizers of every kind that the families' checkpoints have, and texts that tell them apart."""

from collections.abc import Callable

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

TEXTS = (
    "",
    " ",
    "How do I sort a List?",
    "  leading spaces,  and two  between",
    "Ünïcode Straße naïve çà et là",
    "naı\u0308ve e\u0301 \u00e9 \ufb01 \u212b",
    "東京 is big 中文字",
    "emoji 🙂 and 👩‍💻 it's he'll",
    "a [MASK] b [SEP] c <mask> d </s> e <s>x <pad> y<|endoftext|> z <extra_id_0>",
    "EXTRA newtok NEWTOK new tok <ent>",
    "tab\tand\nnew line\r\n\u200bzero\u00a0width 123,456",
    "x " * 40 + "the end",
)
CORPUS = [*TEXTS, "how do i sort a list of files", "the lazy dog jumps over a quick brown fox", "unicode naive is big"]
CHARACTERS = sorted({character for text in CORPUS for character in text if not character.isspace()})


def word_pieces(unknown: str = "[UNK]", specials: tuple[str, ...] = ()) -> Tokenizer:
    specials = specials or ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    plain = [*CHARACTERS, "how", "How", "sort", "list", "List", "naive", "ünïcode", "東京", "new", "##tok"]
    words = [*specials, *plain, *(f"##{character}" for character in CHARACTERS)]
    made = Tokenizer(models.WordPiece({word: at for at, word in enumerate(words)}, unk_token=unknown))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    made.add_special_tokens(list(specials))
    first, last = (specials[2], specials[3]) if "[CLS]" in specials else ("<s>", "</s>")
    around = [(token, specials.index(token)) for token in (first, last)]
    made.post_processor = processors.TemplateProcessing(single=f"{first} $A {last}", special_tokens=around)
    return made


def mpnet() -> Tokenizer:
    return word_pieces("[UNK]", ("<s>", "<pad>", "</s>", "<unk>", "<mask>", "[UNK]"))


def byte_level(specials: tuple[str, ...], suffix: str = "") -> Tokenizer:
    made = Tokenizer(models.BPE(unk_token=None, end_of_word_suffix=suffix, continuing_subword_prefix=""))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=list(specials),
        initial_alphabet=alphabet,
        show_progress=False,
        **({"end_of_word_suffix": suffix} if suffix else {}),
    )
    made.train_from_iterator(CORPUS, trainer)
    made.decoder = decoders.ByteLevel()
    return made


def roberta() -> Tokenizer:
    made = byte_level(("<s>", "<pad>", "</s>", "<unk>", "<mask>"))
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return made


def clip() -> Tokenizer:
    made = byte_level(("<|startoftext|>", "<|endoftext|>"), "</w>")
    made.post_processor = processors.RobertaProcessing(("<|endoftext|>", 1), ("<|startoftext|>", 0))
    return made


def qwen() -> Tokenizer:
    made = byte_level(("<|endoftext|>", "<|im_start|>"))
    made.normalizer = normalizers.NFC()
    made.post_processor = processors.TemplateProcessing(
        single="$A <|endoftext|>", special_tokens=[("<|endoftext|>", 0)]
    )
    return made


def llama3() -> Tokenizer:
    made = byte_level(("<s>", "</s>"))
    made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return made


def unigram(*specials: str, first: int = 0) -> Tokenizer:
    words = [*specials, "▁", *CHARACTERS, *(f"▁{character}" for character in CHARACTERS), "▁sort", "▁List", "京"]
    scores = [(word, 0.0 if at < len(specials) else -1.0 - at / 1000) for at, word in enumerate(dict.fromkeys(words))]
    made = Tokenizer(models.Unigram(scores, unk_id=specials.index("<unk>")))
    made.normalizer = normalizers.Sequence([normalizers.NFKC()])
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True)] if "<mask>" in specials else [])
    made.add_special_tokens([token for token in specials if token != "<mask>"])
    end = specials.index("</s>")
    single, around = "$A </s>", [("</s>", end)]
    if "<s>" in specials:
        single, around = "<s> $A </s>", [("<s>", specials.index("<s>")), *around]
    made.post_processor = processors.TemplateProcessing(single=single, special_tokens=around)
    return made


def xlm_roberta() -> Tokenizer:
    return unigram("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def camembert() -> Tokenizer:
    return unigram("<s>", "<pad>", "</s>", "<unk>", "<mask>", "<s>NOTUSED")


def t5() -> Tokenizer:
    return unigram("<pad>", "</s>", "<unk>")


def sentence_bpe(specials: tuple[str, ...]) -> Tokenizer:
    made = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    letters = [f"<0x{at:02X}>" for at in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=800, special_tokens=[*specials, *letters], show_progress=False)
    made.train_from_iterator(CORPUS, trainer)
    state = made.get_added_tokens_decoder()
    assert len(state) == len(specials) + 256
    made.post_processor = processors.TemplateProcessing(
        single=f"{specials[1]} $A {specials[2]}", special_tokens=[(specials[1], 1), (specials[2], 2)]
    )
    return made


def llama() -> Tokenizer:
    return sentence_bpe(("<unk>", "<s>", "</s>"))


def gemma() -> Tokenizer:
    return sentence_bpe(("<pad>", "<bos>", "<eos>", "<unk>", "<mask>"))


KINDS: dict[str, tuple[str, str | None, Callable[[], Tokenizer]]] = {
    "bert": ("bert", "BertTokenizer", word_pieces),
    "bert, unnamed": ("bert", None, word_pieces),
    "bert, as it stands": ("bert", "PreTrainedTokenizerFast", word_pieces),
    "distilbert": ("distilbert", "DistilBertTokenizerFast", word_pieces),
    "nomic_bert": ("nomic_bert", "BertTokenizer", word_pieces),
    "mpnet": ("mpnet", "MPNetTokenizer", mpnet),
    "roberta": ("roberta", "RobertaTokenizerFast", roberta),
    "longformer": ("longformer", None, roberta),
    "xlm-roberta": ("xlm-roberta", "XLMRobertaTokenizer", xlm_roberta),
    "bert with XLM-R's": ("bert", "XLMRobertaTokenizerFast", xlm_roberta),
    "gte": ("gte", None, xlm_roberta),
    "camembert": ("camembert", "CamembertTokenizer", camembert),
    "t5": ("t5", "T5TokenizerFast", t5),
    "llama": ("llama", "LlamaTokenizerFast", llama),
    "llama 3": ("llama", "LlamaTokenizer", llama3),
    "llama, unnamed": ("llama", None, llama),
    "mistral": ("mistral", "LlamaTokenizer", llama),
    "gemma3_text": ("gemma3_text", "GemmaTokenizer", gemma),
    "qwen2": ("qwen2", "PreTrainedTokenizerFast", qwen),
    "qwen3": ("qwen3", "Qwen2Tokenizer", qwen),
    "qwen2, word pieces": ("qwen2", "TokenizersBackend", word_pieces),
    "qwen3, as it stands": ("qwen3", "TokenizersBackend", word_pieces),
    "clip": ("clip", "CLIPTokenizer", clip),
    "modernbert": ("modernbert", "BertTokenizer", roberta),
    "clip_text_model": ("clip_text_model", None, clip),
    "new": ("new", "XLMRobertaTokenizer", xlm_roberta),
    "a class that nobody knows": ("bert", "MyOwnTokenizer", word_pieces),
}
"""model_type, tokenizer_class and what makes tokenizer.json."""
