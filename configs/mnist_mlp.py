"""The paper's MNIST task: 784-128-10, two class-disjoint edges, 3 + 3 epochs.

ecavg run --config=configs/mnist_mlp.py --workdir=runs/mnist
"""

from ecavg_tf.config import Config, PartitionKind


def get_config() -> Config:
    """MNIST through TFDS; set TFDS_DATA_DIR where it is prepared already."""
    config = Config()
    config.data.name = "mnist"
    config.partition.kind = PartitionKind.CLASSES
    return config
