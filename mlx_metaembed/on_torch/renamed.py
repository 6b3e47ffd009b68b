"""Families whose checkpoints name and fuse weights otherwise than transformers' modules: nomic_bert, new, gte, jina's.

A run's masters, its checkpoints and the exchange between engines go by the checkpoint's names, so that here the
trunk's parameters are the checkpoint's, and transformers' module is called on views of them.
"""

import re
from collections.abc import Collection, Mapping

import torch

from mlx_metaembed.config import ntk
from mlx_metaembed.errors import faults
from mlx_metaembed.folder import ModelFolder, task_adapters
from mlx_metaembed.on_torch.tasks import TaskAdapters

NOMIC = (
    (r"^layers\.", "encoder.layers."),
    (r"^embeddings\.LayerNorm\.", "emb_ln."),
    (r"\.self_attn\.o_proj\.", ".attn.out_proj."),
    (r"\.self_attn\.([qkv])_proj\.", ".attn.Wqkv."),
    (r"\.mlp\.up_proj\.", ".mlp.fc11."),
    (r"\.mlp\.gate_proj\.", ".mlp.fc12."),
    (r"\.mlp\.down_proj\.", ".mlp.fc2."),
    (r"\.post_attention_layernorm\.", ".norm1."),
    (r"\.post_mlp_layernorm\.", ".norm2."),
)
NEW = (
    (r"^layers\.", "encoder.layer."),
    (r"\.self_attn\.o_proj\.", ".attention.o_proj."),
    (r"\.self_attn\.([qkv])_proj\.", ".attention.qkv_proj."),
    (r"\.mlp\.(up|gate)_proj\.", ".mlp.up_gate_proj."),
    (r"\.post_attention_layernorm\.", ".attn_ln."),
    (r"\.post_mlp_layernorm\.", ".mlp_ln."),
)
JINA = tuple((pattern, own.replace(".attn.", ".mixer.")) for pattern, own in NOMIC if r"\.mlp\." not in pattern)
NOMIC_PLAIN = tuple((pattern, own.replace(".mixer.", ".attn.")) for pattern, own in JINA)
NAMES = {"nomic_bert": NOMIC, "nomic_bert plain": NOMIC_PLAIN, "new": NEW, "gte": NEW, "jina_embeddings_v3": JINA}
"""From the module's names to the checkpoint's, by form; a group is a part of what is fused."""
PARTS = {"q": (0, 3), "k": (1, 3), "v": (2, 3), "up": (0, 2), "gate": (1, 2)}
"""Which part of how many each is, along the first axis."""
FIXED = {
    "nomic_bert": {
        "prenorm": False,
        "causal": False,
        "parallel_block": False,
        "use_rms_norm": False,
        "qkv_proj_bias": False,
        "mlp_fc1_bias": False,
        "mlp_fc2_bias": False,
        "moe_every_n_layers": 0,
        "rotary_emb_fraction": 1.0,
        "rotary_emb_interleaved": False,
        "rotary_emb_scale_base": None,
        "rotary_head_dim": False,
    },
    "new": {
        "position_embedding_type": "rope",
        "layer_norm_type": "layer_norm",
        "pack_qkv": True,
        "logn_attention_scale": False,
    },
}
FIXED["gte"] = FIXED["new"]
FIXED["nomic_bert plain"] = {
    **FIXED["nomic_bert"],
    **dict.fromkeys(("qkv_proj_bias", "mlp_fc1_bias", "mlp_fc2_bias"), True),
    "moe_normalize_expert_weights": False,
    "num_shared_experts": 0,
    "expert_choice_router": False,
}
del FIXED["nomic_bert plain"]["moe_every_n_layers"]
FIXED["jina_embeddings_v3"] = {
    "position_embedding_type": "rotary",
    "rotary_emb_interleaved": False,
    "is_decoder": False,
    **dict.fromkeys(("head_dim", "rotary_emb_dim", "rotary_emb_scale_base", "truncate_dim")),
}
"""What the hub's configurations may say and transformers' modules do one way."""
PLAIN = ("gelu", "gelu_new", "gelu_pytorch_tanh")
"""nomic's words for MLPs without a gate."""
MIXTURE = ("moe_every_n_layers", "moe_top_k", "num_experts")
MODULES = {"nomic_bert": "nomic_bert", "new": "gte", "gte": "gte"}
"""transformers' model type by form; jina_embeddings_v3 for the others."""
GATES = {"swiglu": "silu", "geglu": "gelu"}
THETA = {"jina_embeddings_v3": 20_000.0}
"""Bases that a configuration need not name."""
SHARED = (
    *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act"),
    *("max_position_embeddings", "type_vocab_size", "layer_norm_eps", "pad_token_id", "rope_parameters"),
)


def form(folder: ModelFolder) -> str | None:
    """Which of NAMES a folder's checkpoint has; None where transformers' own names are the checkpoint's."""
    plain = folder.model_type == "nomic_bert" and folder.config.get("activation_function") in PLAIN
    return "nomic_bert plain" if plain else folder.model_type if folder.model_type in NAMES else None


def configuration(folder: ModelFolder) -> tuple[str, dict]:
    """transformers' model type and settings for the folder's configuration, of the hub's form or transformers' own.

    Raises CallError that lists what transformers' module does not compute.
    """
    kind, config = form(folder), folder.architecture
    wrong = [
        f"{name} = {config[name]!r} is not supported on torch"
        for name, value in FIXED[kind].items()
        if config.get(name) not in (None, value)
    ]
    settings = {name: config[name] for name in SHARED if config.get(name) is not None}
    if "hidden_act" in settings:
        settings["hidden_act"] = GATES.get(settings["hidden_act"], settings["hidden_act"])
    theta = config.get("rope_theta") or config.get("rotary_emb_base") or THETA.get(kind)
    if "rope_parameters" not in settings:
        settings["rope_parameters"] = {"rope_type": "default", "rope_theta": theta}
        if theta is None:
            wrong.append("rope_theta is missing, and so is rope_parameters")
    scaling = config.get("rope_scaling") or {}
    if scaling and ntk.declared(config) is None:
        wrong.append(f"rope_type = {scaling.get('type', scaling.get('rope_type'))!r} is not supported on torch, ntk is")
    wrong += ntk.faults(config)
    if config.get("moe_every_n_layers"):
        settings |= {name: config.get(name) for name in MIXTURE}
        if not 1 <= (config.get("moe_top_k") or 0) <= (config.get("num_experts") or 0):
            wrong.append(
                f"moe_top_k = {config.get('moe_top_k')} of num_experts = {config.get('num_experts')}; "
                "expected 1 to all of them"
            )
    if wrong:
        raise faults(f"{folder.path / 'config.json'}:", wrong)
    return MODULES.get(kind, "jina_embeddings_v3"), settings


def family(folder: ModelFolder, known: type) -> type:
    """The class of the module: transformers' own, `known`, or the kit's where it has no experts."""
    if not folder.config.get("moe_every_n_layers"):
        return known
    from mlx_metaembed.on_torch.mixture import MixtureModel

    return MixtureModel


def stored(kind: str, name: str) -> tuple[str, int, int]:
    """The checkpoint's name for a module's parameter, and which part of how many of that tensor it is."""
    part = (0, 1)
    for pattern, replacement in NAMES[kind]:
        if found := re.search(pattern, name):
            part = PARTS[found[1]] if found.groups() else part
            name = re.sub(pattern, replacement, name)
    return name, *part


def shapes(kind: str, native: Mapping[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    """The checkpoint's tensors, by name, for a module's."""
    found = {}
    for name, tensor in native.items():
        own, _, parts = stored(kind, name)
        found[own] = (tensor.shape[0] * parts, *tensor.shape[1:])
    return found


def parted(kind: str, native: Collection[str], tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The module's tensors as views of the checkpoint's."""
    places = {name: stored(kind, name) for name in native}
    return {name: tensors[own].chunk(parts)[part] for name, (own, part, parts) in places.items()}


class Renamed(torch.nn.Module):
    """A trunk of transformers, called as it is, whose parameters are the checkpoint's."""

    def __init__(self, folder: ModelFolder, trunk: torch.nn.Module, tensors: Mapping[str, torch.Tensor]):
        super().__init__()
        self._kind = form(folder)
        # In a list, so that its parameters are not this module's.
        self._inner = [trunk]
        native = dict(trunk.named_parameters())
        dtype = next(iter(native.values())).dtype
        own = shapes(self._kind, native)
        adapters = task_adapters.shapes(folder.config, own)
        self._names = list(own)
        for name in (*own, *adapters):
            self._hold(name, torch.nn.Parameter(tensors[name].to(dtype)))
        self._adapters = TaskAdapters(trunk.layers, task_adapters.scale(folder.config)) if adapters else None
        for name, module in trunk.named_modules() if adapters else ():
            matrix, part, parts = stored(self._kind, f"{name}.weight")
            if f"{matrix.removesuffix('.weight')}{task_adapters.LORA}.A" in adapters:
                self._adapters.attach(module, self, matrix.removesuffix(".weight"), part, parts)
        self._places = {name: trunk.get_submodule(name.rpartition(".")[0]) for name in native}
        for name, module in self._places.items():
            # A plain attribute stands there from the first call on.
            del module._parameters[name.rpartition(".")[2]]
        if scaling := ntk.declared(folder.config):
            head = trunk.config.hidden_size // trunk.config.num_attention_heads
            theta = trunk.config.rope_parameters["rope_theta"]
            waves = torch.tensor(ntk.periods(head, theta, scaling["factor"], scaling.get("mixed_b")))
            trunk.rotary_emb.inv_freq = 1 / waves

    @property
    def trunk(self) -> torch.nn.Module:
        """transformers' own module."""
        return self._inner[0]

    def stored(self, name: str) -> tuple[str, int, int]:
        """The checkpoint's name for a parameter of transformers' module, and which part of how many of it."""
        return stored(self._kind, name)

    def forward(self, *, tasks: torch.Tensor | None = None, **inputs: torch.Tensor) -> object:
        own = {name: self.get_parameter(name) for name in self._names}
        # The views stay after the call: checkpointed layers are computed again in the backward pass.
        for name, view in parted(self._kind, self._places, own).items():
            setattr(self._places[name], name.rpartition(".")[2], view)
        if self._adapters is not None:
            inputs |= self._adapters.begin(tasks)
        return self.trunk(**inputs)

    def train(self, mode: bool = True) -> "Renamed":
        self._inner[0].train(mode)
        return super().train(mode)

    def _apply(self, fn, recurse: bool = True) -> "Renamed":
        super()._apply(fn, recurse)
        # The buffers, rotary frequencies, follow to the device and stay float32.
        device = next(self.parameters()).device
        for module in self._inner[0].modules():
            for name, buffer in module.named_buffers(recurse=False):
                setattr(module, name, buffer.to(device))
        return self

    def _hold(self, name: str, parameter: torch.nn.Parameter) -> None:
        *path, last = name.split(".")
        module: torch.nn.Module = self
        for step in path:
            if not hasattr(module, step):
                module.add_module(step, torch.nn.Module())
            module = getattr(module, step)
        module.register_parameter(last, parameter)
