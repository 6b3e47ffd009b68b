"""Every key that sentence-transformers 6.2 reads from a folder's own files, and what the kit does about it.

The tokenizer's files and config.json's architecture have tables of their own. `*` stands for a key that is not named.
"""

from mlx_metaembed.folder.keys import (
    APPLIED,
    CONFIG,
    DENSE,
    IGNORED,
    MODULES,
    NORMALIZE,
    POOLING,
    REFUSED,
    SPLADE,
    TOP,
    TRUNK,
    Key,
)

_ARGUMENTS = {
    "model": "may change how the trunk is computed",
    "processor": "may change the tokens; write it into tokenizer_config.json",
    "config": "may change the trunk; write it into config.json",
}
_OLD = {"model": "model_args", "processor": "tokenizer_args", "config": "config_args"}
_PLACES = ("trust_remote_code", "token", "cache_dir", "local_files_only", "revision")


def _arguments(name: str) -> list[Key]:
    """The rows of one object of loading arguments, under its older and its newer name."""
    rows = []
    for section in (_OLD[name], f"{name}_kwargs"):
        rows += [Key(TRUNK, f"{section}.{key}", IGNORED, "a folder runs no code and is not fetched") for key in _PLACES]
        if name == "model":
            for key in ("attn_implementation", "dtype", "torch_dtype", "device_map", "low_cpu_mem_usage"):
                rows.append(Key(TRUNK, f"{section}.{key}", IGNORED, "how it is computed; the caller says dtype"))
            for key in ("add_pooling_layer", "use_safetensors"):
                rows.append(Key(TRUNK, f"{section}.{key}", IGNORED, "no vector depends on it"))
        if name == "processor":
            rows.append(Key(TRUNK, f"{section}.model_max_length", APPLIED, "tokens at which a text is cut"))
            rows.append(Key(TRUNK, f"{section}.truncation_side", REFUSED, "texts are cut at the end", ("right",)))
            for key in ("padding_side", "use_fast"):
                rows.append(Key(TRUNK, f"{section}.{key}", IGNORED, "padding is masked; there is one tokenizer"))
        if name == "config":
            for key in ("use_cache", "output_hidden_states", "output_attentions", "torch_dtype", "dtype"):
                rows.append(Key(TRUNK, f"{section}.{key}", IGNORED, "no vector depends on it"))
        rows.append(Key(TRUNK, section, REFUSED, "arguments by name", (None,)))
        rows.append(Key(TRUNK, f"{section}.*", REFUSED, _ARGUMENTS[name]))
    return rows


def _calls() -> list[Key]:
    """The rows of what the tokenizer is called with."""
    rows = [Key(TRUNK, "processing_kwargs", REFUSED, "arguments by name", (None,))]
    for section in ("processing_kwargs.text", "processing_kwargs.common"):
        rows += [
            Key(TRUNK, section, REFUSED, "arguments by name", (None,)),
            Key(TRUNK, f"{section}.max_length", APPLIED, "tokens at which a text is cut, before all other lengths"),
            Key(TRUNK, f"{section}.truncation", REFUSED, "texts are cut", (True, "longest_first", "only_first")),
            Key(TRUNK, f"{section}.padding", REFUSED, "padding is masked", (True, "longest", "max_length")),
            Key(TRUNK, f"{section}.add_special_tokens", REFUSED, "special tokens are the tokenizer's", (True,)),
            Key(TRUNK, f"{section}.return_attention_mask", REFUSED, "padding is masked", (True, None)),
            Key(TRUNK, f"{section}.truncation_side", REFUSED, "texts are cut at the end", ("right",)),
            *(
                Key(TRUNK, f"{section}.{key}", IGNORED, "padding is masked; the answer's form does not matter")
                for key in ("padding_side", "pad_to_multiple_of", "return_tensors", "return_token_type_ids")
            ),
            Key(TRUNK, f"{section}.logits_to_keep", IGNORED, "for causal logits"),
            Key(TRUNK, f"{section}.*", REFUSED, "may change the tokens"),
        ]
    for section, why in {"chat_template": "no chat template", "audio": "no audio", "video": "no video"}.items():
        rows.append(Key(TRUNK, f"processing_kwargs.{section}", IGNORED, why))
    rows.append(Key(TRUNK, "processing_kwargs.image", REFUSED, "pixels are preprocessor_config.json's", ({}, None)))
    rows.append(Key(TRUNK, "processing_kwargs.*", IGNORED, "sentence-transformers passes it over"))
    return rows


ROWS = [
    Key(MODULES, "type", APPLIED, "the module's class, by its last word"),
    Key(MODULES, "path", APPLIED, "the module's folder"),
    Key(MODULES, "name", APPLIED, "one name twice is refused: the later module would take the place of the first"),
    Key(MODULES, "idx", IGNORED, "the order is that of the list"),
    Key(MODULES, "kwargs", IGNORED, "which of a caller's arguments a module hears of"),
    Key(MODULES, "*", IGNORED, "sentence-transformers passes it over"),
    Key(TRUNK, "max_seq_length", APPLIED, "tokens at which a text is cut"),
    Key(TRUNK, "do_lower_case", APPLIED, "lower case before all else, where the tokenizer has no such step"),
    Key(TRUNK, "transformer_task", APPLIED, "feature-extraction for vectors, fill-mask for SPLADE; others are refused"),
    Key(TRUNK, "modality_config", APPLIED, "last_hidden_state of forward (a tower: its features); others are refused"),
    Key(TRUNK, "module_output_name", APPLIED, "token_embeddings (a tower: sentence_embedding); others are refused"),
    Key(TRUNK, "query_length", APPLIED, "tokens of a query, where the prompt is `query`"),
    Key(TRUNK, "document_length", APPLIED, "tokens of a document, where the prompt is `document`"),
    Key(TRUNK, "query_expansion", REFUSED, "mask tokens belong to a vector for every token", (None,)),
    Key(TRUNK, "unpad_inputs", IGNORED, "how it is computed"),
    Key(TRUNK, "backend", IGNORED, "how it is computed"),
    Key(TRUNK, "cache_dir", IGNORED, "where a hub's files lie"),
    Key(TRUNK, "tokenizer_name_or_path", REFUSED, "the tokenizer lies with the trunk", (None,)),
    *_calls(),
    *(row for name in _ARGUMENTS for row in _arguments(name)),
    Key(TOP, "prompts", APPLIED, "what is put before a text, by name; null is nothing"),
    Key(TOP, "default_prompt_name", APPLIED, "the prompt of a call that names none"),
    Key(TOP, "similarity_fn_name", APPLIED, "how vectors are compared; an unknown one is cosine"),
    Key(TOP, "truncate_dim", APPLIED, "the vectors' width, cut after every module; not made unit length again"),
    Key(TOP, "model_type", APPLIED, "one that contradicts the modules is refused"),
    Key(TOP, "max_active_dims", REFUSED, "the heaviest words alone", (None,)),
    Key(TOP, "__version__", IGNORED, "who wrote it"),
    Key(TOP, "*", IGNORED, "sentence-transformers passes it over"),
    Key(POOLING, "pooling_mode", APPLIED, "one mode, or a list whose vectors are put side by side"),
    Key(POOLING, "pooling_mode_cls_token", APPLIED, "the first token"),
    Key(POOLING, "pooling_mode_max_tokens", APPLIED, "each feature's largest value"),
    Key(POOLING, "pooling_mode_mean_tokens", APPLIED, "the mean; also where every mode is false"),
    Key(POOLING, "pooling_mode_mean_sqrt_len_tokens", APPLIED, "the sum over the root of the length"),
    Key(POOLING, "pooling_mode_weightedmean_tokens", APPLIED, "the mean by place"),
    Key(POOLING, "pooling_mode_lasttoken", APPLIED, "the last token"),
    Key(POOLING, "include_prompt", APPLIED, "false: the prompt's tokens are not pooled"),
    Key(POOLING, "word_embedding_dimension", IGNORED, "the states' width is the trunk's"),
    Key(POOLING, "embedding_dimension", IGNORED, "the states' width is the trunk's"),
    Key(DENSE, "in_features", APPLIED, "must be what the step before gives"),
    Key(DENSE, "out_features", APPLIED, "the width after it"),
    Key(DENSE, "bias", APPLIED, "whether a bias is added; true where it is not said"),
    Key(DENSE, "activation_function", APPLIED, "an elementwise class of torch.nn; Tanh where it is not said"),
    Key(DENSE, "use_residual", APPLIED, "the input is added, through a matrix where the widths differ"),
    Key(DENSE, "module_input_name", REFUSED, "it takes the pooled vector", ("sentence_embedding",)),
    Key(DENSE, "module_output_name", REFUSED, "it gives the vector", ("sentence_embedding", None)),
    Key(DENSE, "init_weight", REFUSED, "weights lie in model.safetensors", (None,)),
    Key(DENSE, "init_bias", REFUSED, "weights lie in model.safetensors", (None,)),
    Key(DENSE, "*", IGNORED, "sentence-transformers passes it over"),
    Key(NORMALIZE, "module_input_name", REFUSED, "the vector is normalised", ("sentence_embedding",)),
    Key(NORMALIZE, "module_output_name", REFUSED, "the vector is normalised", ("sentence_embedding", None)),
    Key(NORMALIZE, "*", IGNORED, "sentence-transformers passes it over"),
    Key(SPLADE, "pooling_strategy", APPLIED, "max or sum"),
    Key(SPLADE, "activation_function", APPLIED, "relu or log1p_relu"),
    Key(SPLADE, "word_embedding_dimension", IGNORED, "the width is the vocabulary's"),
    Key(SPLADE, "embedding_dimension", IGNORED, "the width is the vocabulary's"),
    Key(SPLADE, "chunk_size", IGNORED, "how it is computed"),
    Key(CONFIG, "architectures", APPLIED, "without modules.json, ...ForCausalLM is pooled by the last token"),
    Key(CONFIG, "is_causal", APPLIED, "false: both ways, and such a folder is pooled by the mean"),
]
TABLE = {(row.file, row.key): row for row in ROWS}
"""By file and key."""
