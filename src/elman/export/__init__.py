"""A trained run as files that need no Elman: ONNX or C, each with a certificate."""
