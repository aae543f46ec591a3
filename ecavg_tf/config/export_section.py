"""The config's section on files for devices, and the limits that they keep to."""

from dataclasses import dataclass


@dataclass
class Limits:
    """What an exported file must keep to, beside the Keras model that it came from.

    Attributes:
        max_difference: float32 fails where a probability differs from Keras' by more.
        max_difference_float16: likewise float16.
        max_mean_difference_dynamic: dynamic fails where examples' largest differences of a
            probability are more on average.
        max_mean_difference_int8: likewise int8.
        min_agreement_float: least share of equal labels, ties aside, of float32 and float16.
        min_agreement_dynamic: likewise of dynamic.
        min_agreement_int8: likewise of int8.
        max_ties: share of examples that may be ties; with more, agreement says nothing.
        max_accuracy_loss: accuracy that a file may lose against Keras, in [0, 1].
        accept_unproved: deliver a file, too, of which too few examples show that it keeps to
            these limits; its bundle says so.
    """

    max_difference: float = 1e-3
    max_difference_float16: float = 0.02
    max_mean_difference_dynamic: float = 0.02
    max_mean_difference_int8: float = 0.05
    min_agreement_float: float = 1.0
    min_agreement_dynamic: float = 0.97
    min_agreement_int8: float = 0.93
    max_ties: float = 0.5
    max_accuracy_loss: float = 0.02
    accept_unproved: bool = False


@dataclass
class FilesConfig:
    """Which files are made, and of how many examples.

    Attributes:
        enabled: export at the end of the run.
        formats: of ``float32``, ``float16``, ``dynamic``, ``int8`` and ``int16x8``, with commas.
        calibration_examples: training examples that int8's ranges are measured on.
        parity_examples: test examples that files are compared on; 0: all.
        tune: whether int8 is fine-tuned where it does not pass as it is: ``auto`` (3 epochs, if
            such a file could pass), ``off``, or a number of epochs. A tuned file is another model,
            and its proof says so.
    """

    enabled: bool = False
    formats: str = "float32,float16,dynamic,int8"
    calibration_examples: int = 400
    parity_examples: int = 5000
    tune: str = "auto"


@dataclass
class ExportConfig(Limits, FilesConfig):  # the last base's fields come first
    """Verified ``.tflite`` files of the accepted models and the global model.

    Attributes:
        latency_s: seconds to spend on each latency.
    """

    latency_s: float = 0.05
