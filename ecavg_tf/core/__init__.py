"""The light core: everything a device or a server can share without TensorFlow.

Needs numpy, safetensors and the standard library, and nothing else; the import
rules in ``pyproject.toml`` hold it to that.
"""
