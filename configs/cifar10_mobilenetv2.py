"""The paper's CIFAR-10 task with MobileNetV2: two class-disjoint edges, 10,000 examples.

    ecavg run --config=configs/cifar10_mobilenetv2.py --workdir=runs/cifar10

Time seen: 11 minutes on two shared CPU cores. Result seen (seed 0): global model 40.7 %;
own accuracy local 51.9 and 60.7 %, with the global model 33.1 and 48.4 %, accepted 56.8 and
69.4 %.
"""

from ecavg_tf.config import Config, PartitionKind


def get_config() -> Config:
    """CIFAR-10 through TFDS; set TFDS_DATA_DIR where it is prepared already."""
    config = Config()
    config.data.name = "cifar10"
    config.data.train_examples = 10_000
    config.model.name = "mobilenet_v2"
    config.partition.kind = PartitionKind.CLASSES
    config.edge.epochs = 6
    config.server.epochs = 6
    return config
