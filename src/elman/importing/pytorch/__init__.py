"""A `state_dict` that PyTorch saved, as .safetensors, .pt or .pth: tensors with names, no more."""
