"""CIFAR-100 with ResNet50 at full scale: all 50,000 examples, 100 + 100 epochs, augmented.

    ecavg run --config=configs/cifar100_resnet50_full.py --workdir=runs/cifar100-full

Time and result: not run here; meant for a GPU.
"""

import runpy
from pathlib import Path

from ecavg_tf.config import Config, Schedule

BASE = Path(__file__).with_name("cifar100_resnet50.py")


def get_config() -> Config:
    """What differs from the small task."""
    config: Config = runpy.run_path(str(BASE))["get_config"]()
    config.data.train_examples = 0
    for part in (config.edge, config.server):
        part.epochs = 100
        part.batch_size = 128
        part.schedule = Schedule.COSINE
        part.augment = True
    return config
