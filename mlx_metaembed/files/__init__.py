"""Files: written whole or not at all, read within limits; safetensors, arrays, checksums."""
