"""Writes the ONNX exports of golden checkpoints that the tests read where torch is not installed.

    python tests/golden/make_onnx.py     # needs torch, transformers, onnx and onnxscript

`legacy` is torch's tracing exporter, `dynamo` the one that is the default since torch 2.9: they name what they fold
differently, and keep constants with equal numbers once in different ways.
"""

import sys
import warnings
from pathlib import Path

import torch

HERE = Path(__file__).parent


class States(torch.nn.Module):
    """A trunk as optimum exports it: the token states alone."""

    def __init__(self, trunk: torch.nn.Module, wrapper: str = ""):
        super().__init__()
        self.wrapper = wrapper
        setattr(self, wrapper or "model", trunk)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        trunk = getattr(self, self.wrapper or "model")
        return trunk(input_ids=input_ids, attention_mask=attention_mask, return_dict=False)[0]


def export(folder: Path, out: Path, exporter: str, wrapper: str = "") -> Path:
    """The folder's trunk as the ONNX file `out`; `wrapper` is the attribute that a program may have it under."""
    from transformers import MODEL_FOR_TEXT_ENCODING_MAPPING, AutoConfig, AutoModel, AutoModelForTextEncoding

    # Of an encoder with a decoder (T5), the encoder alone.
    encoder = type(AutoConfig.from_pretrained(folder, local_files_only=True)) in MODEL_FOR_TEXT_ENCODING_MAPPING
    auto = AutoModelForTextEncoding if encoder else AutoModel
    trunk = auto.from_pretrained(folder, attn_implementation="eager", dtype="float32", local_files_only=True)
    ids = torch.arange(4, 18).reshape(2, 7)
    out.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inputs, names = (ids, torch.ones_like(ids)), ["input_ids", "attention_mask"]
        model = States(trunk.eval(), wrapper)
        if exporter == "legacy":
            axes = {name: {0: "batch", 1: "length"} for name in names}
            torch.onnx.export(model, inputs, str(out), input_names=names, dynamic_axes=axes, dynamo=False)
        else:
            shape = {0: torch.export.Dim("batch", min=1, max=8), 1: torch.export.Dim("length", min=2, max=24)}
            torch.onnx.export(
                model,
                inputs,
                str(out),
                input_names=names,
                dynamic_shapes=(shape, shape),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    return out


if __name__ == "__main__":
    for exporter in sys.argv[1:] or ["legacy", "dynamo"]:
        path = export(HERE / "bert", HERE / "onnx" / f"bert-{exporter}.onnx", exporter)
        print(f"{path}: {path.stat().st_size:,} bytes")
