"""Which TensorFlow release an installed TFLite runtime has the operators of."""

# LiteRT counts its releases anew; 2.3.0 says in its library that it is TensorFlow 2.22.0's,
# and the first LiteRT came after TensorFlow 2.17.
_LITERT_RELEASES = (((2, 3), (2, 22, 0)), ((1, 0), (2, 17, 0)))


def release_of(name: str, version: str) -> tuple[int, ...]:
    """The TensorFlow release whose operators a runtime has at least.

    Args:
        name: ``ai-edge-litert`` or ``tflite-runtime``.
        version: its own version.
    """
    numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
    if name != "ai-edge-litert":
        return numbers
    return next((has for since, has in _LITERT_RELEASES if numbers >= since), (2, 17, 0))
