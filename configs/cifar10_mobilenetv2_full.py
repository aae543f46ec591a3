"""CIFAR-10 with MobileNetV2 at full scale: all 50,000 examples, 60 + 60 epochs, augmented.

    ecavg run --config=configs/cifar10_mobilenetv2_full.py --workdir=runs/cifar10-full

Time and result: not run here; meant for a GPU.
"""

import runpy
from pathlib import Path

from ecavg_tf.config import Config, Schedule

BASE = Path(__file__).with_name("cifar10_mobilenetv2.py")


def get_config() -> Config:
    """What differs from the small task."""
    config: Config = runpy.run_path(str(BASE))["get_config"]()
    config.data.train_examples = 0
    for part in (config.edge, config.server):
        part.epochs = 60
        part.batch_size = 128
        part.schedule = Schedule.COSINE
        part.augment = True
    return config
